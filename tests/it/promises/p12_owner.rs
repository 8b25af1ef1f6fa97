//! Only the owner's uid gets in: the directory is 0700, the socket 0600 before it can be connected to, and both sides ask
//! the kernel who the other one is.
//!
//! Where a test is not run by root it cannot be anybody else, and what needs a stranger is left out.

use std::fs::{self, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

use crate::support::{PATIENCE, STRANGER, World, as_user, eventually, long, run, run_soon, signal};

/// What a client of HTTP/2 says first, and what is answered at once.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

fn loosen(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Connects, greets, and returns the first bytes of the answer; none if there is no answer.
fn answer(socket: &Path) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut bytes = [0; 9];
    // Whoever is turned away may be so before it has said anything.
    let read = stream.write_all(GREETING).and_then(|()| stream.read(&mut bytes));
    match read {
        Ok(read) => Ok(bytes[..read].to_vec()),
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// Opens the way to the project's socket to everybody, as somebody does by hand who knows no better.
fn open_the_way(world: &World) -> PathBuf {
    let socket = world.dot_apex().join("daemon.sock");
    for (path, mode) in
        [(world.root().parent().unwrap(), 0o755), (&world.root(), 0o755), (&world.dot_apex(), 0o755), (&socket, 0o666)]
    {
        loosen(path, mode);
    }
    socket
}

#[test]
fn nobody_but_the_owner_gets_in() {
    let world = World::started();
    let socket = open_the_way(&world);
    assert!(!answer(&socket).unwrap().is_empty(), "the owner is answered");
    let Some(answered) = as_user(STRANGER, move || answer(&socket)) else { return };
    assert_eq!(answered.unwrap(), b"", "the way was open, and the daemon said something");
    let refused = format!("refused a connection of another user uid={STRANGER}");
    eventually("the daemon tells of it", || world.log().contains(&refused));
    world.apex(["daemon", "status"]).expect(0);
}

#[test]
fn root_is_a_stranger_like_anybody_else() {
    let Some(world) = World::of_user(STRANGER) else { return };
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(answer(&world.dot_apex().join("daemon.sock")).unwrap(), b"");
    let mut command = world.command(["ls", "--json"]);
    command.uid(0).gid(0);
    let error = run(command).expect(1).error();
    assert_eq!(error["kind"], "denied", "{error}");
    assert!(error["message"].as_str().unwrap().contains(&*world.dot_apex().to_string_lossy()), "{error}");
    assert!(error["hint"].as_str().unwrap().contains(&format!("sudo -u '#{STRANGER}'")), "{error}");
    world.apex(["ls"]).expect(0);
}

#[test]
fn nobody_looks_into_the_daemon_and_it_leaves_no_core() {
    let Some(world) = World::of_user(STRANGER) else { return };
    let id = world.add("exec sleep 1000");
    let task = world.pid(id);
    let look = |pid: i32| {
        let path = format!("/proc/{pid}/environ");
        as_user(STRANGER, move || fs::read(path)).unwrap()
    };
    let lock = fs::File::open(world.dot_apex().join("daemon.lock")).unwrap();
    let is_closed = |pid: i32| look(pid).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    let assert_closed = |what: &str| {
        let guardian = world.guardian_pid();
        // One that has just begun is closed in a moment.
        eventually(what, || is_closed(guardian) && is_closed(world.apexd_pid()));
        assert_eq!(apex::paths::holder(&lock), u32::try_from(guardian).ok(), "{what}: it is named as the holder");
    };
    assert_closed("at first");
    world.apex(["daemon", "restart"]).expect(0);
    assert_closed("after a restart");
    let first = world.guardian_pid();
    signal(first, Signal::SIGKILL);
    eventually("another one guards", || world.guardian_pid() != first && world.status()["running"] == true);
    assert_closed("after the guardian was killed");
    assert!(!look(task).unwrap().is_empty(), "a task is its user's own");
    // The guardian is found all the same, also when nobody else answers.
    world.forbid_starts();
    signal(world.apexd_pid(), Signal::SIGKILL);
    eventually("the guardian gives up", || world.dot_apex().join("daemon.failed").exists());
    run_soon(world.command(["daemon", "stop", "--force"])).expect(0);
    world.until_empty();
}

#[test]
fn everything_is_the_owners_alone_whatever_the_umask_is() {
    for mask in [0o000, 0o777] {
        let world = World::bare();
        let apex = |args: &[&str]| {
            let mut command = world.command(args);
            command.env("EDITOR", "sh -c 'echo >> \"$1\"' _");
            // SAFETY: umask(2) may be called between fork and exec.
            unsafe {
                command.pre_exec(move || {
                    nix::sys::stat::umask(Mode::from_bits_truncate(mask));
                    Ok(())
                });
            }
            run_soon(command).expect(0)
        };
        apex(&["init"]);
        apex(&["daemon", "start"]);
        fs::write(world.path("input"), "hello").unwrap();
        let input = world.path("input");
        let flags = ["--split-output", "--stdin", input.to_str().unwrap()];
        let add = [&["run"][..], &flags, &["--", "sh", "-c", "cat; echo >&2; : > made"]].concat();
        assert_eq!(apex(&add).stdout, "hello");
        assert_eq!(fs::metadata(world.path("made")).unwrap().mode() & 0o777, 0o666 & !mask, "a task has its own");
        apex(&["config", "edit"]);
        apex(&["daemon", "restart"]);
        let mut seen = 0;
        for top in [world.dot_apex(), world.root().with_file_name("state")] {
            only_for_owner(&top, &mut seen);
        }
        assert!(seen > 12, "{seen}");
        for child in [world.path("input"), world.path("made")] {
            fs::remove_file(child).unwrap();
        }
    }
}

fn only_for_owner(path: &Path, seen: &mut u32) {
    let found = fs::symlink_metadata(path).unwrap();
    let expected = if found.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(found.mode() & 0o7777, expected, "{}", path.display());
    *seen += 1;
    if found.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| only_for_owner(&entry.unwrap().path(), seen));
    }
}

#[test]
fn there_is_no_moment_at_which_somebody_else_can_connect() {
    let world = World::started();
    let socket = open_the_way(&world);
    world.apex(["daemon", "stop"]).expect(0);
    let is_over = Arc::new(AtomicBool::new(false));
    let (tried, connected) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let knocking = std::thread::spawn({
        let (is_over, tried, connected) = (is_over.clone(), tried.clone(), connected.clone());
        move || {
            as_user(STRANGER, move || {
                let temporary = socket.with_file_name("daemon.sock.tmp");
                while !is_over.load(Ordering::Relaxed) {
                    for name in [&socket, &temporary] {
                        connected.fetch_add(UnixStream::connect(name).is_ok().into(), Ordering::Relaxed);
                        tried.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        }
    });
    // A start closes the directory again; somebody else opens it at any moment.
    let loosening = std::thread::spawn({
        let (is_over, dir) = (is_over.clone(), world.dot_apex());
        move || {
            while !is_over.load(Ordering::Relaxed) {
                loosen(&dir, 0o755);
                std::thread::yield_now();
            }
        }
    });
    for _ in 0..8 * long() {
        world.apex(["daemon", "start"]).expect(0);
        world.apex(["daemon", "stop"]).expect(0);
    }
    is_over.store(true, Ordering::Relaxed);
    loosening.join().unwrap();
    if knocking.join().unwrap().is_some() {
        assert!(tried.load(Ordering::Relaxed) > 0);
        assert_eq!(connected.load(Ordering::Relaxed), 0, "of {tried:?}");
    }
}

#[test]
fn a_start_closes_the_directory_to_others() {
    let world = World::new();
    loosen(&world.dot_apex(), 0o755);
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(fs::metadata(world.dot_apex()).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn a_directory_that_somebody_else_planted_is_neither_read_nor_run() {
    let world = World::bare();
    let planted = world.root().with_file_name(".apex");
    fs::create_dir(&planted).unwrap();
    // Whoever reads this waits for ever.
    nix::unistd::mkfifo(&planted.join("config.toml"), Mode::S_IRWXU).unwrap();
    let refused = |reason: &str| {
        for args in [
            &["ls"][..],
            &["add", "true"],
            &["status"],
            &["trust"],
            &["config", "show"],
            &["config", "check"],
            &["daemon", "start"],
            &["daemon", "status"],
            &["daemon", "stop"],
            &["daemon", "logs"],
        ] {
            let run = run_soon(world.command(["--json"].iter().chain(args)));
            assert_ne!(run.code, 0, "{args:?}");
            let error = run.error();
            assert_eq!(error["kind"], "denied", "{args:?}: {error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(&*planted.to_string_lossy()) && message.contains(reason), "{args:?}: {message}");
        }
        assert_eq!(fs::read_dir(&planted).unwrap().count(), 1, "nothing was put there");
    };
    loosen(&planted, 0o777);
    refused("can be written by others");
    loosen(&planted, 0o755);
    if std::os::unix::fs::chown(&planted, Some(STRANGER), None).is_ok() {
        refused("belongs to user");
    }
    let elsewhere = world.root().with_file_name("elsewhere");
    fs::rename(&planted, &elsewhere).unwrap();
    symlink(&elsewhere, &planted).unwrap();
    refused("is a symbolic link");
}

/// What stands in the place of a file or a directory.
const IMPOSTORS: [&str; 3] = ["link", "dangling link", "fifo"];

fn put(kind: &str, path: &Path, victim: &Path) {
    match kind {
        "link" => symlink(victim, path).unwrap(),
        "dangling link" => symlink(path.with_file_name("nowhere"), path).unwrap(),
        _ => nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap(),
    }
}

#[test]
fn what_stands_in_the_place_of_a_file_is_named_and_never_followed() {
    let world = World::new();
    let victim = world.root().with_file_name("victim");
    fs::write(&victim, "not apex's").unwrap();
    let directory = world.root().with_file_name("directory");
    fs::create_dir(&directory).unwrap();
    let files =
        ["daemon.pid", "daemon.lock", "daemon.log", "daemon.failed", "guardian.exits", "apex.db", "daemon.sock"];
    for name in files.iter().chain(&["output", "input"]) {
        let leads_to = if files.contains(name) { &victim } else { &directory };
        for kind in IMPOSTORS {
            let path = world.dot_apex().join(name);
            put(kind, &path, leads_to);
            let is_there = fs::symlink_metadata(&path).unwrap();
            let what = format!("{name} is a {kind}");
            let error = run_soon(world.command(["--json", "daemon", "start"])).expect(3).error();
            assert!(error["message"].as_str().unwrap().contains(&format!(".apex/{name}")), "{what}: {error}");
            for args in [&["daemon", "status"][..], &["daemon", "stop"], &["daemon", "logs"], &["status"], &["trust"]] {
                run_soon(world.command(args));
            }
            run_soon(world.command(["daemon", "run"])).expect(78);
            let after = fs::symlink_metadata(&path).unwrap();
            assert_eq!(
                (after.ino(), after.file_type()),
                (is_there.ino(), is_there.file_type()),
                "{what}: it is left alone"
            );
            assert_eq!(fs::read_to_string(&victim).unwrap(), "not apex's", "{what}");
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "{what}");
            assert!(!world.dot_apex().join("nowhere").exists(), "{what}");
            fs::remove_file(&path).unwrap();
        }
    }
    world.apex(["daemon", "start"]).expect(0);
    assert!(fs::symlink_metadata(world.dot_apex().join("daemon.sock")).unwrap().file_type().is_socket());
}

#[test]
fn a_client_says_nothing_to_somebody_elses_daemon() {
    let world = World::new();
    let theirs = tempfile::tempdir().unwrap();
    loosen(theirs.path(), 0o777);
    let planted = theirs.path().join("s");
    let Some(listener) = as_user(STRANGER, {
        let planted = planted.clone();
        move || UnixListener::bind(planted).unwrap()
    }) else {
        return;
    };
    fs::rename(planted, world.dot_apex().join("daemon.sock")).unwrap();
    let listening = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut said = Vec::new();
        // An end without a word, in whatever way it is told.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
        let _ = stream.read_to_end(&mut said);
        said
    });
    let mut command: Command = world.command(["--json", "--no-start", "add", "--env", "TOKEN=hunter2", "--", "true"]);
    command.env("SECRET", "hunter2");
    let error = run_soon(command).expect(3).error();
    assert!(error["message"].as_str().unwrap().contains(&format!("of user {STRANGER}")), "{error}");
    assert_eq!(listening.join().unwrap(), b"");
    fs::remove_file(world.dot_apex().join("daemon.sock")).unwrap();
}
