//! A file system for SQLite that does what the real one does and writes down what it was told: what is written, cut off,
//! made and deleted, and what is synced.
//!
//! It is the default of this process, but looks only at directories that were named to it; everything else goes straight
//! to the real one. The index of a write-ahead log is shared memory, which no power cut survives: it is the real one's.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use rusqlite::ffi;

use crate::powercut::tape::{FileId, Tape};

type Shared = Arc<Mutex<Tape>>;

static WATCHED: Mutex<Vec<(PathBuf, Shared)>> = Mutex::new(Vec::new());

/// Writes down what happens in a directory from now on; what is there already counts as synced.
pub fn watch(directory: &Path) -> Shared {
    register();
    let directory = directory.canonicalize().unwrap();
    let tape = Arc::new(Mutex::new(Tape::of(&directory)));
    WATCHED.lock().unwrap().push((directory, Arc::clone(&tape)));
    tape
}

/// Looks away again.
pub fn forget(directory: &Path) {
    let directory = directory.canonicalize().unwrap();
    WATCHED.lock().unwrap().retain(|(known, _)| *known != directory);
}

fn watched(path: *const c_char) -> Option<(Shared, String)> {
    if path.is_null() {
        return None;
    }
    // SAFETY: SQLite hands over strings that end with a zero.
    let path = Path::new(unsafe { CStr::from_ptr(path) }.to_str().ok()?);
    let name = path.file_name()?.to_str()?.to_owned();
    let watched = WATCHED.lock().unwrap();
    let (_, tape) = watched.iter().find(|(directory, _)| path.parent() == Some(directory))?;
    Some((Arc::clone(tape), name))
}

/// An open file of a watched directory; the real one follows it in the same piece of memory.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// A counted reference, given back by `close`.
    tape: *const Mutex<Tape>,
    id: FileId,
    /// The first sync of a new log also syncs the directory.
    ///
    /// Source: SQLite's os_unix.c, UNIXFILE_DIRSYNC.
    sync_directory: bool,
}

fn real_vfs() -> *mut ffi::sqlite3_vfs {
    // SAFETY: finding a file system by name has no conditions; this one is there for ever.
    unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) }
}

fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `szOsFile` below has room for both, one after the other.
    unsafe { file.cast::<File>().add(1).cast() }
}

fn register() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        // SAFETY: the real file system is never changed once it is there, and the copy is never freed.
        let registered = unsafe {
            let mut vfs = *real_vfs();
            vfs.zName = c"powercut".as_ptr();
            vfs.pNext = std::ptr::null_mut();
            vfs.szOsFile += c_int::try_from(size_of::<File>()).unwrap();
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 1)
        };
        assert_eq!(registered, ffi::SQLITE_OK);
    });
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let vfs = real_vfs();
    // SAFETY: the real file system has one.
    let open = unsafe { (*vfs).xOpen }.unwrap();
    let Some((tape, name)) = watched(path) else {
        // SAFETY: what SQLite gave is given on.
        return unsafe { open(vfs, path, file, flags, out) };
    };
    let mut writing = tape.lock().unwrap();
    writing.look_around();
    // SAFETY: the same, with the memory that follows ours.
    let opened = unsafe { open(vfs, path, real(file), flags, out) };
    if opened != ffi::SQLITE_OK {
        // SAFETY: without methods SQLite does nothing more with it; the real one has nothing to close then.
        unsafe { (*file).pMethods = std::ptr::null() };
        return opened;
    }
    let id = writing.opened(&name);
    drop(writing);
    let makes = flags & ffi::SQLITE_OPEN_CREATE != 0;
    let is_log = flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL) != 0;
    let base = ffi::sqlite3_file { pMethods: &raw const METHODS };
    let ours = File { base, tape: Arc::into_raw(tape), id, sync_directory: makes && is_log };
    // SAFETY: SQLite gave `szOsFile` bytes, aligned as pointers are.
    unsafe { file.cast::<File>().write(ours) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, path: *const c_char, sync_directory: c_int) -> c_int {
    let vfs = real_vfs();
    let watched = watched(path);
    if let Some((tape, _)) = &watched {
        tape.lock().unwrap().look_around();
    }
    // SAFETY: what SQLite gave is given on.
    let deleted = unsafe { (*vfs).xDelete.unwrap()(vfs, path, sync_directory) };
    if let (Some((tape, name)), ffi::SQLITE_OK) = (watched, deleted) {
        tape.lock().unwrap().deleted(&name, sync_directory != 0);
    }
    deleted
}

/// Does something with the tape of an open file.
fn on_tape<T>(file: *mut ffi::sqlite3_file, act: impl FnOnce(&mut Tape, FileId) -> T) -> T {
    // SAFETY: SQLite hands over what `open` made, and the reference is held until `close`.
    let (tape, id) = unsafe { (&*(*file.cast::<File>()).tape, (*file.cast::<File>()).id) };
    act(&mut tape.lock().unwrap(), id)
}

/// The real file's method.
macro_rules! of_real {
    ($file:ident.$method:ident($($argument:expr),*)) => {{
        let real = real($file);
        // SAFETY: `open` opened it, so it has its methods; the arguments are SQLite's.
        unsafe { (*(*real).pMethods).$method.unwrap()(real, $($argument),*) }
    }};
}

macro_rules! given_on {
    ($($name:ident => $method:ident($($argument:ident: $kind:ty),*) $(-> $answer:ty)?;)*) => {
        $(unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($argument: $kind),*) $(-> $answer)? {
            of_real!(file.$method($($argument),*))
        })*
    };
}

given_on! {
    read => xRead(into: *mut c_void, amount: c_int, at: i64) -> c_int;
    file_size => xFileSize(size: *mut i64) -> c_int;
    lock => xLock(level: c_int) -> c_int;
    unlock => xUnlock(level: c_int) -> c_int;
    check_reserved_lock => xCheckReservedLock(out: *mut c_int) -> c_int;
    file_control => xFileControl(operation: c_int, argument: *mut c_void) -> c_int;
    sector_size => xSectorSize() -> c_int;
    device_characteristics => xDeviceCharacteristics() -> c_int;
    shm_map => xShmMap(page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int;
    shm_lock => xShmLock(offset: c_int, n: c_int, flags: c_int) -> c_int;
    shm_barrier => xShmBarrier();
    shm_unmap => xShmUnmap(delete: c_int) -> c_int;
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let closed = of_real!(file.xClose());
    // SAFETY: `open` made it, and SQLite closes it once.
    drop(unsafe { Arc::from_raw((*file.cast::<File>()).tape) });
    closed
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, amount: c_int, at: i64) -> c_int {
    // SAFETY: SQLite says that so many bytes are there.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), usize::try_from(amount).unwrap()) };
    on_tape(file, |tape, id| tape.wrote(id, usize::try_from(at).unwrap(), bytes));
    of_real!(file.xWrite(from, amount, at))
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    on_tape(file, |tape, id| tape.cut_off(id, usize::try_from(size).unwrap()));
    of_real!(file.xTruncate(size))
}

/// Written down and not done: nothing is cut off in earnest.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: `open` made it, and SQLite uses it from one thread at a time.
    let directory = unsafe { std::mem::take(&mut (*file.cast::<File>()).sync_directory) };
    on_tape(file, |tape, id| tape.synced(id, directory));
    ffi::SQLITE_OK
}

/// Version 2: nothing is mapped but the index of the log.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
