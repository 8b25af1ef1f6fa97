//! What the guardian holds for as long as it lives: the lock, the listening socket, the pid file.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::sys::stat::{Mode, fchmod};

use crate::fault::crash_point;
use crate::fault::is_sabotaged;
use crate::guardian::{Error, Places};
use crate::link::machine::boottime_now;
use crate::paths;

/// Descriptors that apexd is to get are kept above this number, so that putting them where apexd expects them never
/// overwrites one that is still needed.
const FD_MIN: i32 = 10;

/// How many clients may wait while no apexd is there to answer them.
const BACKLOG: i32 = 1024;

/// What one guardian leaves to the next.
#[derive(Debug)]
pub(super) struct Heirloom {
    /// The lock.
    pub(super) lock: OwnedFd,
    /// The directory, which is locked.
    pub(super) directory: Option<OwnedFd>,
    /// The socket.
    pub(super) listener: Option<OwnedFd>,
    /// Device and inode of its name.
    pub(super) socket: Option<(u64, u64)>,
}

/// How long a directory that somebody else has locked is asked for again: whoever wants to become the guardian beside us
/// lets go of it when it does not get the lock file.
const DIRECTORY_WITHIN: Duration = Duration::from_secs(2);
/// How often.
const DIRECTORY_EVERY: Duration = Duration::from_millis(2);

/// The lock, the socket and the pid file of a project.
#[derive(Debug)]
pub(super) struct Hold {
    lock: OwnedFd,
    /// Keeps others out when the lock file was removed under us; see [`lock_directory`].
    directory: File,
    listener: Option<OwnedFd>,
    /// Device and inode of the socket's name, by which ours is told from another's.
    socket: Option<(u64, u64)>,
    places: Places,
}

impl Hold {
    /// Takes the lock, then makes everything else, replacing what a dead guardian left.
    ///
    /// Errors: [`Error::AlreadyRunning`] if the lock is held; then nothing was touched.
    pub(super) fn take(places: &Places) -> Result<Self, Error> {
        let directory = open_directory(places)?;
        check_places(places)?;
        lock_directory(places, &directory)?;
        let lock = take_lock(places)?;
        crash_point("guardian.locked");
        let mut hold = Self { lock, directory, listener: None, socket: None, places: places.clone() };
        match hold.make() {
            Ok(()) => {
                crash_point("guardian.listening");
                Ok(hold)
            }
            Err(error) => {
                hold.release();
                Err(error)
            }
        }
    }

    /// Takes over what the guardian before has left open, and names this process in the pid file.
    ///
    /// The lock is the very same one, so there is no moment in which it is free. The directory's is taken anew if that
    /// guardian was another process, which has let go of it.
    ///
    /// Errors: [`Error::AlreadyRunning`] if somebody else keeps the directory locked; then nothing was touched.
    pub(super) fn inherit(places: &Places, heirloom: Heirloom) -> Result<Self, Error> {
        let Heirloom { lock, directory, listener, socket } = heirloom;
        let failed = |source| Error::Lock { path: places.lock.clone(), source };
        let lock = lift(&lock).map_err(failed)?;
        let directory = match directory {
            Some(directory) => File::from(directory),
            None => lock_directory_soon(places)?,
        };
        let listener = listener.map(lift).transpose().map_err(failed)?;
        let socket = socket.or_else(|| identity(&places.socket)).filter(|_| listener.is_some());
        let hold = Self { lock, directory, listener, socket, places: places.clone() };
        if pid_in(&places.pid_file) != Some(std::process::id()) {
            // It only informs; guarding goes on without it.
            let _ = hold.write_pid();
        }
        Ok(hold)
    }

    /// Returns what the next guardian is to have: the lock, the directory, the socket, and what its name is known by.
    pub(super) fn bequeath(&self) -> (RawFd, RawFd, Option<RawFd>, Option<(u64, u64)>) {
        let listener = self.listener.as_ref().map(|listener| listener.as_raw_fd());
        (self.lock.as_raw_fd(), self.directory.as_raw_fd(), listener, self.socket)
    }

    fn write_pid(&self) -> Result<(), Error> {
        let places = &self.places;
        let pid = format!("{}\n", std::process::id());
        replace_file(&places.dir, &places.pid_file, pid.as_bytes())
            .map_err(|source| Error::Write { path: places.pid_file.clone(), source })
    }

    /// Makes socket and pid file, and removes the reason of a failure; also to begin anew when the socket was closed.
    pub(super) fn make(&mut self) -> Result<(), Error> {
        let places = &self.places;
        remove(&places.failed).map_err(|source| Error::Write { path: places.failed.clone(), source })?;
        check_places(places)?;
        let listener = make_listener(places).map_err(|source| Error::Listen { path: places.socket.clone(), source })?;
        self.socket = identity(&places.socket);
        self.listener = Some(listener);
        self.write_pid()
    }

    /// Has this process named as the guardian by the lock. To be called once every other descriptor of the lock file is
    /// closed in it: closing one takes that back.
    pub(super) fn name_holder(&self) {
        name_holder(&self.lock);
    }

    /// Returns the lock's descriptor.
    pub(super) fn lock(&self) -> &OwnedFd {
        &self.lock
    }

    /// Returns the listening socket, unless it was closed.
    pub(super) fn listener(&self) -> Option<&OwnedFd> {
        self.listener.as_ref()
    }

    /// Closes the listening socket and removes its name, so that clients are told at once and not kept waiting.
    pub(super) fn close_listener(&mut self) {
        self.listener = None;
        // The project may have been removed and made anew under us: what has the name now must be what we made.
        let found = identity(&self.places.socket);
        if found.is_some() && found == self.socket.take() {
            let _ = fs::remove_file(&self.places.socket);
        }
    }

    /// Removes what is there only while a guardian lives. The lock file stays: whoever waits for it holds that very
    /// file.
    pub(super) fn release(&mut self) {
        self.close_listener();
        if pid_in(&self.places.pid_file) == Some(std::process::id()) {
            let _ = fs::remove_file(&self.places.pid_file);
        }
    }
}

fn take_lock(places: &Places) -> Result<OwnedFd, Error> {
    let failed = |source| Error::Lock { path: places.lock.clone(), source };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&places.lock)
        .map_err(failed)?;
    let lock = lift(&file).map_err(failed)?;
    // Before the record is locked: closing any descriptor of the file would undo that.
    drop(file);
    match try_lock(&lock) {
        Ok(()) => {
            name_holder(&lock);
            Ok(lock)
        }
        Err(Errno::EWOULDBLOCK) => Err(already_running(places)),
        Err(errno) => Err(failed(errno.into())),
    }
}

/// Locks the file's first byte by record as well, so that the kernel tells whoever asks which process the guardian is:
/// nobody but root may look what files it has open. apexd, which has the same file open, does not share this lock. Where
/// records cannot be locked one is left to the pid file.
///
/// Source: fcntl(2), F_GETLK.
fn name_holder(lock: &OwnedFd) {
    let _ = fcntl(lock, FcntlArg::F_SETLK(&paths::first_byte()));
}

/// Opens the project's `.apex`, and keeps everybody else out of it whatever its mode was.
///
/// Errors: [`Error::Place`] if it belongs to somebody else, or others can write it.
fn open_directory(places: &Places) -> Result<File, Error> {
    let directory = paths::verify(&places.dir)?;
    let failed = |source| Error::Write { path: places.dir.clone(), source };
    if directory.metadata().map_err(failed)?.mode() & 0o077 != 0 {
        fchmod(&directory, Mode::S_IRWXU).map_err(|errno| failed(errno.into()))?;
    }
    Ok(directory)
}

/// Locks the project's directory as well. A lock file that somebody removes, perhaps because it looks stale, would let
/// a second guardian in beside us; the directory cannot be removed without everything that two could quarrel about.
/// apexd does not hold this lock: it is for as long as a guardian lives.
fn lock_directory(places: &Places, directory: &File) -> Result<(), Error> {
    match try_lock(directory) {
        Err(Errno::EWOULDBLOCK) => Err(already_running(places)),
        // Some file systems do not lock directories; there the file alone must do.
        _ => Ok(()),
    }
}

/// The same for one that has the lock file already: others who try to start get the directory for a moment.
fn lock_directory_soon(places: &Places) -> Result<File, Error> {
    let directory = open_directory(places)?;
    let by = boottime_now() + DIRECTORY_WITHIN;
    loop {
        match lock_directory(places, &directory) {
            Err(Error::AlreadyRunning { .. }) if boottime_now() < by => std::thread::sleep(DIRECTORY_EVERY),
            result => return result.map(|()| directory),
        }
    }
}

/// Returns by what a name is known, whatever it is called: device and inode.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

fn try_lock(file: &impl AsRawFd) -> Result<(), Errno> {
    if is_sabotaged(11) {
        return Ok(());
    }
    // SAFETY: a plain system call; the descriptor is open.
    let result = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    Errno::result(result).map(drop)
}

fn already_running(places: &Places) -> Error {
    Error::AlreadyRunning { root: places.root.clone(), pid: pid_in(&places.pid_file) }
}

/// Returns a copy of the descriptor above those that apexd is given.
pub(super) fn lift(fd: impl std::os::fd::AsFd) -> io::Result<OwnedFd> {
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(FD_MIN))?;
    // SAFETY: made by the call above, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Checks that what has the names of our files is ours, or nothing. A link could lead anywhere, and opening a FIFO waits
/// for somebody. Whatever a dead guardian left may be replaced: that it is dead is known once we have the lock.
pub(super) fn check_places(places: &Places) -> Result<(), Error> {
    for path in [&places.lock, &places.pid_file, &places.log, &places.failed, &places.exits] {
        check_place(path, "a regular file", FileType::is_file)?;
    }
    check_place(&places.socket, "a socket", FileType::is_socket)
}

fn check_place(path: &Path, wanted: &'static str, is_wanted: fn(&FileType) -> bool) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(found) if is_wanted(&found.file_type()) => Ok(()),
        Ok(found) => Err(Error::InTheWay { path: path.to_owned(), found: in_words(found.file_type()), wanted }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::Write { path: path.to_owned(), source }),
    }
}

fn in_words(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_file() => "a regular file",
        _ => "a device",
    }
}

/// Makes the socket under another name and moves it into place when it listens: whoever finds it can connect.
fn make_listener(places: &Places) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = lift(socket(AddressFamily::Unix, SockType::Stream, flags, None)?)?;
    // Before it has a name: there is no moment at which somebody else could connect. Linux takes the mode of the
    // socket for that of the name; unix(7).
    fchmod(&listener, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let mut name = places.socket.file_name().ok_or(Errno::EINVAL)?.to_owned();
    name.push(".tmp");
    let temporary = places.socket.with_file_name(&name);
    remove(&temporary)?;
    match UnixAddr::new(&temporary) {
        Ok(address) => bind(listener.as_raw_fd(), &address)?,
        Err(Errno::ENAMETOOLONG) => {
            // The way through a descriptor of the directory is always short enough.
            let directory =
                OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_PATH).open(&places.dir)?;
            let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
            bind(listener.as_raw_fd(), &UnixAddr::new(&path)?)?;
        }
        Err(errno) => return Err(errno.into()),
    }
    listen(&listener, Backlog::new(BACKLOG)?)?;
    fs::rename(&temporary, &places.socket)?;
    Ok(listener)
}

/// Returns the pid in a pid file; `None` if there is no file or no pid in it. Whether that process lives, and is a
/// guardian, only the lock tells.
pub fn pid_in(path: &Path) -> Option<u32> {
    let mut text = String::new();
    // Whatever has that name: a link is not followed, and a named pipe is not waited for.
    let mut open = OpenOptions::new();
    let file = open.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    file.ok()?.take(32).read_to_string(&mut text).ok()?;
    text.strip_suffix('\n')?.parse().ok().filter(|pid| *pid > 0)
}

/// Replaces a file as a whole, durably: whoever opens it sees all of the old or all of the new, also after a power cut.
pub(super) fn replace_file(directory: &Path, path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    // Left behind by one that was killed in the middle of this. The lock says that nobody else is at it.
    remove(&temporary)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(contents).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(directory)?.sync_all()
}

/// Removes a file that may be absent.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
