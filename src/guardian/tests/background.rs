use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::libc;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::world::{World, await_end};
use crate::guardian::hold::pid_in;
use crate::guardian::{Error, Started, daemonize, processes};
use crate::link::{Order, machine::Stat};

/// Goes to the background in a process with one thread, whose standard output is a pipe, and returns what was told
/// there up to the pipe's end.
fn start(world: &World) -> (u32, File) {
    let (reader, writer) = nix::unistd::pipe().unwrap();
    let options = world.options.clone();
    let read_end = reader.as_raw_fd();
    let pid = world.fork(move || {
        // SAFETY: this process has nothing else to do. Other tests' descriptors must not stay open in it; the pipe is
        // standard output, and under a high number a descriptor that nobody knows of.
        unsafe {
            libc::dup2(writer.as_raw_fd(), 1);
            libc::close(read_end);
            libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
            libc::dup2(1, 9);
            libc::signal(libc::SIGCHLD, libc::SIG_IGN);
        }
        std::mem::forget(writer);
        let text = match daemonize(options) {
            Ok(Started { guardian_pid, already_running }) => format!("{guardian_pid:?} {already_running}"),
            Err(error @ Error::NotReady { .. }) => format!("not ready: {error}"),
            Err(error) => format!("error: {error}"),
        };
        // SAFETY: plain bytes to an open descriptor.
        unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
        0
    });
    (pid, File::from(reader))
}

fn told(start: (u32, File)) -> String {
    let (pid, mut pipe) = start;
    let mut text = String::new();
    // Ends when nobody has the other end open any more, the daemon included.
    pipe.read_to_string(&mut text).unwrap();
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 0)));
    text
}

#[test]
fn the_caller_returns_when_the_daemon_is_ready_and_keeps_nothing_of_it() {
    let world = World::new();
    let starting = start(&world);
    let mut apexd = world.connect();
    apexd.hello();
    apexd.send(&Order::Ready);
    let text = told(starting);
    let guardian = pid_in(&world.places().pid_file).unwrap();
    assert_eq!(text, format!("Some({guardian}) false"));
    let stat = Stat::of(guardian).unwrap();
    assert!(stat.session != guardian && stat.session != Stat::of(std::process::id()).unwrap().session);
    // Nobody but root looks into a daemon.
    if nix::unistd::geteuid().is_root() {
        assert_eq!(std::fs::read_link(format!("/proc/{guardian}/cwd")).unwrap().to_str(), Some("/"));
        for n in 1..3 {
            let output = std::fs::read_link(format!("/proc/{guardian}/fd/{n}")).unwrap();
            assert_eq!(output, world.places().log.canonicalize().unwrap());
        }
    }
    assert_eq!(told(start(&world)), format!("Some({guardian}) true"));
    let pidfd = processes::open(guardian).unwrap();
    apexd.end(0);
    await_end(&pidfd);
    assert!(!world.places().pid_file.exists());
}

#[test]
fn the_caller_is_told_why_there_is_no_daemon() {
    let mut world = World::new();
    world.options.binary = "/bin/false".into();
    let text = told(start(&world));
    assert!(text.starts_with("error: the daemon did not start: apexd ended with exit code 1"), "{text}");
    world.expect_left(&["daemon.failed", "daemon.lock", "daemon.log"]);
    std::fs::create_dir(&world.places().socket).unwrap();
    let text = told(start(&world));
    assert!(text.contains("is in the way: it is a directory, not a socket"), "{text}");
}

#[test]
fn a_daemon_that_is_not_ready_in_time_is_stopped() {
    let mut world = World::new();
    world.options.ready_within = Duration::from_millis(50);
    let text = told(start(&world));
    assert!(text.starts_with("not ready: the daemon was not ready within 50ms and was stopped"), "{text}");
    // The lock is free again.
    crate::guardian::hold::Hold::take(world.places()).unwrap().release();
}

#[test]
fn a_process_with_threads_is_refused() {
    let world = World::new();
    let other = std::thread::spawn(std::thread::park);
    assert!(matches!(daemonize(world.options.clone()), Err(Error::Threads { threads: 2.. })));
    other.thread().unpark();
    other.join().unwrap();
}
