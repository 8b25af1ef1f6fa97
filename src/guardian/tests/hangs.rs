//! Starts that hang.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use super::world::{Apexd, World, id, number};
use crate::domain::outcome::ExitStatus;
use crate::guardian::processes;
use crate::link::mounts::tests::DOUBT;
use crate::link::{Fact, Order, Scope, Spawn, SpawnStep};

/// Source: fcntl(2); `<asm-generic/fcntl.h>`.
const F_SETSIG: libc::c_int = 10;

/// A program that nobody can execute as long as the lease is held: exec waits for it to be given back.
struct Leased {
    file: File,
}

impl Leased {
    fn new(path: &Path) -> Self {
        fs::write(path, "#!/bin/sh\necho ran\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        let file = File::open(path).unwrap();
        // SAFETY: plain system calls. What tells that somebody wants the file is a signal that does nothing.
        unsafe {
            assert_eq!(libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG), 0);
            // Another test may just fork, and hold a descriptor for a moment.
            while libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) != 0 {
                assert_eq!(Errno::last(), Errno::EAGAIN);
                std::thread::yield_now();
            }
        }
        Self { file }
    }

    fn give_back(self) {
        // SAFETY: a plain system call.
        assert_eq!(unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) }, 0);
    }
}

/// With a guardian for which every path is one that may hang.
fn doubting() -> (World, Apexd) {
    let mut world = World::new();
    world.start_after(|| DOUBT.store(true, Ordering::Relaxed));
    let mut apexd = world.connect();
    apexd.hello();
    apexd.send(&Order::Ready);
    (world, apexd)
}

fn program(world: &World, n: u128, name: &str) -> Spawn {
    Spawn { program: world.file(name), argv: vec![name.into()], ..world.shell(n, "") }
}

#[test]
fn a_start_that_hangs_stops_nobody_and_goes_on_when_it_can() {
    let (mut world, mut apexd) = doubting();
    let leased = Leased::new(&world.file("leased"));
    apexd.send(&Order::Spawn(Box::new(program(&world, 1, "leased"))));
    // Others are started and end meanwhile.
    apexd.spawn(world.shell(2, "exit 3"));
    assert_eq!(apexd.exit(2).status, ExitStatus::Code(3));
    match apexd.next() {
        Some(Fact::Spawned(child)) if child.assignment == id(1) => {}
        other => panic!("{other:?} instead of a start that takes long"),
    }
    assert_eq!(world.output(1), "", "it hangs still");
    leased.give_back();
    assert_eq!(apexd.exit(1).status, ExitStatus::Code(0));
    assert_eq!(world.output(1), "ran\n");
    apexd.forget(1);
    apexd.forget(2);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_start_that_hangs_can_be_ended() {
    let (mut world, mut apexd) = doubting();
    let _leased = Leased::new(&world.file("leased"));
    let child = apexd.spawn(program(&world, 1, "leased"));
    assert_eq!(child.exit, None);
    assert_eq!(apexd.signal(1, libc::SIGTERM, Scope::Everything), 0);
    assert_eq!(apexd.exit(1).status, ExitStatus::Signal(15));
    // And one that nobody has been told of yet, by a guardian that is alone.
    apexd.send(&Order::Spawn(Box::new(program(&world, 2, "leased"))));
    assert_eq!(apexd.signal(3, 0, Scope::Leader), libc::ESRCH, "the order was carried out");
    apexd.forget(1);
    apexd.kill();
    world.signal_guardian(libc::SIGTERM);
    world.signal_guardian(libc::SIGINT);
    assert_eq!(world.end(), 0);
    let words = world.last_words();
    let children = &words[0].children;
    assert_eq!((children.len(), children[0].assignment), (1, id(2)));
}

#[test]
fn a_start_that_hangs_is_in_the_roll_call() {
    let (mut world, mut apexd) = doubting();
    let leased = Leased::new(&world.file("leased"));
    apexd.send(&Order::Spawn(Box::new(program(&world, 1, "leased"))));
    assert_eq!(apexd.signal(3, 0, Scope::Leader), libc::ESRCH);
    apexd.kill();
    let mut apexd = world.connect();
    let children = apexd.hello().children;
    assert_eq!((children.len(), children[0].assignment), (1, id(1)), "or it would be started a second time");
    apexd.send(&Order::Ready);
    leased.give_back();
    assert_eq!(apexd.exit(1).status, ExitStatus::Code(0));
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn what_may_hang_and_does_not_starts_and_fails_like_anything_else() {
    let (mut world, mut apexd) = doubting();
    let line = "ls /proc/self/fd; umask; grep -E '^Sig(Blk|Ign)' /proc/self/status; read -r stat < /proc/$$/stat; \
        set -- $stat; [ $6 = $$ ] && pwd; exit 4";
    apexd.spawn(Spawn { umask: 0o027, ..world.shell(1, line) });
    assert_eq!(apexd.exit(1).status, ExitStatus::Code(4));
    let expected = format!(
        "0\n1\n2\n3\n0027\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n{}\n",
        world.directory.path().display()
    );
    assert_eq!(world.output(1), expected);
    apexd.forget(1);
    let none = world.file("none");
    for (n, spawn, step, errno) in [
        (2, Spawn { cwd: none.clone(), ..world.shell(2, "") }, SpawnStep::Chdir, libc::ENOENT),
        (3, Spawn { stdin: Some(none.clone()), ..world.shell(3, "") }, SpawnStep::Stdin, libc::ENOENT),
        (4, Spawn { program: none.clone(), ..world.shell(4, "") }, SpawnStep::Exec, libc::ENOENT),
        (5, Spawn { stdout: none.join("x"), ..world.shell(5, "") }, SpawnStep::Output, libc::ENOENT),
    ] {
        apexd.send(&Order::Spawn(Box::new(spawn)));
        assert_eq!(apexd.next(), Some(Fact::NotSpawned { assignment: id(n), step, errno }));
    }
    assert_eq!(apexd.hello().children, []);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

/// A file system whose program never answers; nothing in it is needed for it to hang. In a mount namespace of its own,
/// so that it hangs nobody else.
fn mount_dead(place: &Path) -> Result<File, Errno> {
    // SAFETY: plain system calls.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let user = if uid == 0 { 0 } else { libc::CLONE_NEWUSER };
    // SAFETY: a plain system call.
    Errno::result(unsafe { libc::unshare(user | libc::CLONE_NEWNS) })?;
    mount(c"none", Path::new("/"), c"none", libc::MS_REC | libc::MS_PRIVATE, c"")?;
    let device = File::options().read(true).write(true).open("/dev/fuse");
    let device = device.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
    let options = format!("fd={},rootmode=40000,user_id={uid},group_id={gid}", device.as_raw_fd());
    let options = CString::new(options).unwrap();
    mount(c"dead", place, c"fuse", libc::MS_NOSUID | libc::MS_NODEV, &options)?;
    Ok(device)
}

fn mount(what: &CStr, place: &Path, kind: &CStr, flags: libc::c_ulong, options: &CStr) -> Result<(), Errno> {
    let place = CString::new(place.as_os_str().as_bytes()).unwrap();
    // SAFETY: all are strings with an end.
    let result = unsafe { libc::mount(what.as_ptr(), place.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) };
    Errno::result(result).map(drop)
}

#[test]
fn a_mount_that_does_not_answer_stops_no_other_task() {
    let mut world = World::new();
    let dead = world.file("dead");
    fs::create_dir(&dead).unwrap();
    let (place, trouble) = (dead.clone(), world.file("trouble"));
    world.start_after(move || match mount_dead(&place) {
        // It must not be closed, or the mount would answer that nobody is there.
        Ok(device) => std::mem::forget(device),
        // Where that is not allowed the tests above have to do: the directory is then an ordinary one.
        Err(errno) => fs::write(trouble, errno.desc()).unwrap(),
    });
    let mut apexd = world.connect();
    apexd.hello();
    apexd.send(&Order::Ready);
    if let Ok(trouble) = fs::read_to_string(world.file("trouble")) {
        eprintln!("no such mount can be made here: {trouble}");
        apexd.end(0);
        assert_eq!(world.end(), 0);
        return;
    }
    apexd.send(&Order::Spawn(Box::new(Spawn { cwd: dead.join("sub"), ..world.shell(1, "exit 0") })));
    apexd.send(&Order::Spawn(Box::new(Spawn { program: dead.join("tool"), ..world.shell(2, "") })));
    apexd.send(&Order::Spawn(Box::new(Spawn { stdin: Some(dead.join("in")), ..world.shell(3, "exit 0") })));
    apexd.spawn(world.shell(4, "exit 7"));
    assert_eq!(apexd.exit(4).status, ExitStatus::Code(7));
    apexd.forget(4);
    for _ in 0..3 {
        assert!(matches!(apexd.next(), Some(Fact::Spawned(_))));
    }
    for n in 1..=3 {
        apexd.send(&Order::Signal { assignment: id(n), signal: libc::SIGKILL, scope: Scope::Everything });
    }
    // One may hold a lock that keeps another from seeing the signal, until it has ended itself.
    let mut ends = Vec::new();
    while ends.len() < 3 {
        match apexd.next() {
            Some(Fact::Exited { assignment, exit }) => ends.push((number(assignment), exit.status)),
            Some(Fact::Signalled { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    ends.sort_by_key(|(n, _)| *n);
    assert_eq!(ends, [1, 2, 3].map(|n| (n, ExitStatus::Signal(9))));
    (1..=3).for_each(|n| apexd.forget(n));
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn what_cannot_be_killed_does_not_keep_the_guardian_for_ever() {
    let (mut world, mut apexd) = World::serving();
    apexd.send(&Order::Policy { kill_grace: Duration::ZERO });
    let child = apexd.spawn(world.shell(1, "exec sleep 1000"));
    apexd.spawn(world.shell(2, "exit 5"));
    assert_eq!(apexd.exit(2).status, ExitStatus::Code(5));
    // One that is killed while it is traced has not ended for its parent until it is let go of.
    let pid = child.pid.cast_signed();
    // SAFETY: nothing of this process is touched.
    assert_eq!(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) }, 0);
    apexd.kill();
    world.signal_guardian(libc::SIGTERM);
    assert_eq!(world.end(), 0);
    let words = world.last_words();
    let told: Vec<_> = words[0].children.iter().map(|child| child.assignment).collect();
    assert_eq!(told, [id(2)], "of one that has not ended there is nothing to tell");
    assert!(world.log().contains("ending although something cannot be killed running=1"), "{}", world.log());
    super::world::await_end(&processes::open(child.pid).unwrap());
    nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
}
