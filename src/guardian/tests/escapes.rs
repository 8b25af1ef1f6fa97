use std::ffi::CString;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc;

use super::world::{World, await_end, await_file, await_pid};
use crate::domain::outcome::ExitStatus;
use crate::guardian::processes;
use crate::link::machine::Stat;
use crate::link::{Order, Scope};

/// Opens the processes whose pids stand in these files.
fn opened(world: &World, names: &[&str]) -> Vec<OwnedFd> {
    names.iter().map(|name| processes::open(await_pid(&world.file(name))).unwrap()).collect()
}

/// One that made a session of its own and lost its parent, one that is stopped as well, one that cleared its environment,
/// and one that did all of it; the first process waits.
const ESCAPES: &str = "setsid sh -c 'sh -c \"echo \\$\\$ > far; exec sleep 1000\" & exit' \
    & setsid sh -c 'echo $$ > stopped; kill -STOP $$; exec sleep 1000' \
    & env -i setsid /bin/sh -c 'echo $$ > cleared; exec /bin/sleep 1000' \
    & env -i setsid /bin/sh -c '/bin/sh -c \"echo \\$\\$ > gone; exec /bin/sleep 1000\" & exit' \
    & sleep 1000 & echo $! > near; wait";
const NAMES: [&str; 5] = ["far", "stopped", "cleared", "gone", "near"];

#[test]
fn what_left_its_session_is_ended_with_everything() {
    let (mut world, mut apexd) = World::serving();
    apexd.spawn(world.shell(1, ESCAPES));
    let escaped = opened(&world, &NAMES);
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Everything), 0);
    for pidfd in &escaped {
        await_end(pidfd);
    }
    assert_eq!(apexd.exit(1).status, ExitStatus::Signal(9));
    assert_eq!(apexd.signal(1, 0, Scope::Everything), libc::ESRCH);
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn what_outlived_the_first_process_is_still_known() {
    let (mut world, mut apexd) = World::serving();
    apexd.spawn(world.shell(1, "setsid sh -c 'trap \"\" TERM; echo $$ > deaf; while :; do sleep 1000; done' & wait"));
    let escaped = opened(&world, &["deaf"]);
    assert_eq!(apexd.signal(1, libc::SIGTERM, Scope::Everything), 0);
    let exit = apexd.exit(1);
    assert_eq!((exit.status, exit.leftovers), (ExitStatus::Signal(15), false), "its session is empty");
    assert_eq!(apexd.signal(1, 0, Scope::Everything), 0);
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Everything), 0);
    await_end(&escaped[0]);
    while apexd.signal(1, 0, Scope::Everything) == 0 {}
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn only_what_belongs_to_the_task_is_ended() {
    let (mut world, mut apexd) = World::serving();
    let line = |n| format!("setsid sh -c 'echo $$ > escaped{n}; exec sleep 1000' & wait");
    apexd.spawn(world.shell(1, &line(1)));
    apexd.spawn(world.shell(2, &line(2)));
    let escaped = opened(&world, &["escaped1", "escaped2"]);
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Everything), 0);
    await_end(&escaped[0]);
    assert_eq!(apexd.exit(1).status, ExitStatus::Signal(9));
    let other = await_pid(&world.file("escaped2"));
    assert!(!Stat::of(other).unwrap().zombie);
    assert_eq!(apexd.signal(2, libc::SIGTERM, Scope::Everything), 0);
    await_end(&escaped[1]);
    assert_eq!(apexd.exit(2).status, ExitStatus::Signal(15));
    apexd.forget(1);
    apexd.forget(2);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn one_that_forks_and_ends_without_a_pause_is_caught() {
    let (mut world, mut apexd) = World::serving();
    fs::write(world.file("comet"), "echo x > flying; setsid sh ./comet & exit\n").unwrap();
    apexd.spawn(world.shell(1, "sh ./comet & exec sleep 1000"));
    await_file(&world.file("flying"));
    let mut exit = None;
    // As apexd does: again, until nobody is left.
    loop {
        apexd.send(&Order::Signal { assignment: super::world::id(1), signal: libc::SIGKILL, scope: Scope::Everything });
        let errno = loop {
            match apexd.next().unwrap() {
                crate::link::Fact::Exited { exit: seen, .. } => exit = Some(seen),
                crate::link::Fact::Signalled { errno, .. } => break errno,
                other => panic!("{other:?}"),
            }
        };
        if errno == libc::ESRCH {
            break;
        }
    }
    if exit.is_none() {
        exit = Some(apexd.exit(1));
    }
    assert_eq!(exit.unwrap().status, ExitStatus::Signal(9));
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn without_an_apexd_everything_is_ended_but_what_a_normal_end_left() {
    let (mut world, mut apexd) = World::serving();
    apexd.send(&Order::Policy { kill_grace: Duration::from_millis(200) });
    apexd.spawn(world.shell(1, "setsid sh -c 'echo $$ > kept; exec sleep 1000' & while [ ! -s kept ]; do :; done"));
    let kept = opened(&world, &["kept"]);
    assert_eq!(apexd.exit(1).status, ExitStatus::Code(0));
    let deaf = "setsid sh -c 'trap \"\" TERM; echo $$ > deaf; while :; do sleep 1000; done' & wait";
    apexd.spawn(world.shell(2, deaf));
    let deaf = opened(&world, &["deaf"]);
    apexd.kill();
    world.signal_guardian(libc::SIGTERM);
    assert_eq!(world.end(), 0);
    await_end(&deaf[0]);
    assert!(!Stat::of(await_pid(&world.file("kept"))).unwrap().zombie);
    assert_eq!(processes::send(&kept[0], libc::SIGKILL), 0);
    await_end(&kept[0]);
}

/// Makes a control group that a guardian can mark as delegated to it, and that is not marked.
fn make_group(place: &Path) -> std::io::Result<()> {
    let path = CString::new(place.as_os_str().as_bytes()).unwrap();
    fs::create_dir(place)?;
    let name = c"user.delegate".as_ptr();
    // SAFETY: all are strings with an end, and the value has a length.
    let can_be_marked = unsafe {
        libc::setxattr(path.as_ptr(), name, c"0".as_ptr().cast(), 1, 0) == 0
            && libc::removexattr(path.as_ptr(), name) == 0
    };
    if can_be_marked { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Where control groups of version 2 are, if this machine has them.
fn groups() -> Option<PathBuf> {
    ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        .map(PathBuf::from)
        .into_iter()
        .find(|place| place.join("cgroup.procs").exists())
}

#[test]
fn in_a_control_group_nothing_escapes_whatever_it_does() {
    let mut world = World::new();
    let own = groups().map(|groups| groups.join(format!("apex-test-{}", uuid::Uuid::new_v4())));
    let made = own.as_deref().map_or(Err(std::io::ErrorKind::NotFound.into()), make_group);
    // As a unit of the user's systemd says it. The fake tree in the tests of the room has to do where there is no group.
    world.options.delegated = made.is_ok();
    let procs = own.as_ref().filter(|_| made.is_ok()).map(|own| own.join("cgroup.procs"));
    world.start_after(move || {
        procs.into_iter().for_each(|procs| fs::write(procs, std::process::id().to_string()).unwrap());
    });
    let mut apexd = world.connect();
    apexd.hello();
    apexd.send(&Order::Ready);
    if let Err(trouble) = made {
        eprintln!("no control group of one's own is to be had here: {trouble}");
    } else {
        // Of two that run at the same time neither mark nor descent could tell whose this is.
        let line = |n| {
            format!(
                "env -i setsid /bin/sh -c '/bin/sh -c \"echo \\$\\$ > gone{n}; exec /bin/sleep 1000\" & exit' & sleep 1000"
            )
        };
        apexd.spawn(world.shell(1, &line(1)));
        apexd.spawn(world.shell(2, &line(2)));
        let escaped = opened(&world, &["gone1", "gone2"]);
        for n in 1..3 {
            assert_eq!(apexd.signal(n, libc::SIGKILL, Scope::Everything), 0);
            await_end(&escaped[usize::try_from(n - 1).unwrap()]);
            assert_eq!(apexd.exit(n).status, ExitStatus::Signal(9));
            while apexd.signal(n, 0, Scope::Everything) == 0 {}
            apexd.forget(n);
        }
    }
    apexd.end(0);
    assert_eq!(world.end(), 0);
    if let Some(own) = own.filter(|own| own.exists()) {
        let tasks: Vec<_> = fs::read_dir(&own).unwrap().flatten().filter(|entry| entry.path().is_dir()).collect();
        assert!(tasks.is_empty(), "{tasks:?}");
        fs::remove_dir(own).unwrap();
    }
}
