use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::world::{Apexd, World, await_end, await_pid, id, number};
use crate::domain::outcome::ExitStatus;
use crate::guardian::processes;
use crate::link::machine::Stat;
use crate::link::{Fact, Order, Scope, Spawn, SpawnStep};

#[test]
fn an_ended_task_stays_a_zombie_until_it_is_forgotten() {
    let (mut world, mut apexd) = World::serving();
    let child = apexd.spawn(world.shell(1, "exit 3"));
    assert_eq!(child.exit, None);
    let exit = apexd.exit(1);
    assert_eq!(exit.status, ExitStatus::Code(3));
    assert!(!exit.leftovers);
    assert!(exit.usage.unwrap().max_rss_bytes > 100 * 1024, "{exit:?}");
    assert!(exit.at >= child.started_at);
    let stat = Stat::of(child.pid).unwrap();
    assert!(stat.zombie);
    assert_eq!((stat.start_ticks, stat.parent, stat.session), (child.start_ticks, world.guardian_pid(), child.pid));
    apexd.forget(1);
    assert_eq!(Stat::of(child.pid).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_known_assignment_is_answered_and_not_started_again() {
    let (mut world, mut apexd) = World::serving();
    let first = apexd.spawn(world.shell(1, "echo x; exit 7"));
    assert_eq!(apexd.exit(1).status, ExitStatus::Code(7));
    assert_eq!(apexd.spawn(world.shell(1, "echo y")), first);
    assert_eq!(apexd.exit(1).status, ExitStatus::Code(7));
    assert_eq!(world.output(1), "x\n");
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_task_that_cannot_start_is_answered_and_not_held() {
    let (mut world, mut apexd) = World::serving();
    let spawn = Spawn { program: world.file("none"), ..world.shell(1, "") };
    apexd.send(&Order::Spawn(Box::new(spawn)));
    let refused = Fact::NotSpawned { assignment: id(1), step: SpawnStep::Exec, errno: libc::ENOENT };
    assert_eq!(apexd.next(), Some(refused));
    assert_eq!(apexd.hello().children, []);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_signal_reaches_the_whole_session_stopped_ones_and_grandchildren_included() {
    let (mut world, mut apexd) = World::serving();
    let line = "sh -c 'echo $$ > inner; kill -STOP $$; exec sleep 1000' & sleep 1000 & echo $! > other; wait";
    let child = apexd.spawn(world.shell(1, line));
    let pids = [await_pid(&world.file("inner")), await_pid(&world.file("other"))];
    let pidfds = pids.map(|pid| processes::open(pid).unwrap());
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Session), 0);
    assert_eq!(apexd.exit(1).status, ExitStatus::Signal(9));
    for pidfd in &pidfds {
        await_end(pidfd);
    }
    assert!(Stat::of(child.pid).unwrap().zombie);
    // The zombie itself does not count.
    assert_eq!(apexd.signal(1, 0, Scope::Session), libc::ESRCH);
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Leader), libc::ESRCH);
    assert_eq!(apexd.signal(2, libc::SIGKILL, Scope::Session), libc::ESRCH);
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_signal_to_the_leader_reaches_only_the_leader() {
    let (mut world, mut apexd) = World::serving();
    apexd.spawn(world.shell(1, "sleep 1000 & echo $! > other; wait"));
    let other = await_pid(&world.file("other"));
    assert_eq!(apexd.signal(1, libc::SIGTERM, Scope::Leader), 0);
    let exit = apexd.exit(1);
    assert_eq!(exit.status, ExitStatus::Signal(15));
    assert!(exit.leftovers, "the other one lives");
    assert_eq!(Stat::of(other).unwrap().parent, world.guardian_pid(), "it came to the guardian");
    let pidfd = processes::open(other).unwrap();
    assert_eq!(apexd.signal(1, 0, Scope::Session), 0);
    assert_eq!(apexd.signal(1, libc::SIGTERM, Scope::Session), 0);
    await_end(&pidfd);
    // The orphan is reaped without having been asked for: the pid is free at the latest when an answer comes that the
    // guardian gave after it saw the end.
    while Stat::of(other).is_ok() {
        assert_eq!(apexd.signal(1, 0, Scope::Session), libc::ESRCH);
    }
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn one_that_somebody_traces_has_ended_when_it_is_let_go_of() {
    let (mut world, mut apexd) = World::serving();
    let child = apexd.spawn(world.shell(1, "exec sleep 1000"));
    let pid = libc::pid_t::try_from(child.pid).unwrap();
    // SAFETY: nothing of this process is touched.
    assert_eq!(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) }, 0);
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Leader), 0);
    await_end(&processes::open(child.pid).unwrap());
    assert_eq!(apexd.signal(2, 0, Scope::Leader), libc::ESRCH, "the end is not told yet");
    assert!(matches!(waitpid(Pid::from_raw(pid), None), Ok(WaitStatus::Signaled(..))));
    assert_eq!(apexd.exit(1).status, ExitStatus::Signal(9));
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn with_the_last_descriptor_taken_what_runs_can_still_be_ended() {
    let mut world = World::new();
    world.start_after(|| setrlimit(Resource::RLIMIT_NOFILE, 48, 48).unwrap());
    let mut apexd = world.connect();
    apexd.hello();
    apexd.send(&Order::Ready);
    let mut count = 0;
    let refused = loop {
        apexd.send(&Order::Spawn(Box::new(world.shell(count, "sleep 1000 & exec sleep 1000"))));
        match apexd.next() {
            Some(Fact::Spawned(_)) => count += 1,
            other => break other,
        }
    };
    let out_of_descriptors = Fact::NotSpawned { assignment: id(count), step: SpawnStep::Fork, errno: libc::EMFILE };
    assert_eq!(refused, Some(out_of_descriptors));
    assert!(count > 10);
    for n in 0..count {
        assert_eq!(apexd.signal(n, libc::SIGKILL, Scope::Session), 0);
        assert_eq!(apexd.exit(n).status, ExitStatus::Signal(9));
        apexd.forget(n);
    }
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn signals_that_come_together_reach_those_that_were_started_in_between() {
    let (mut world, mut apexd) = World::serving();
    let mut bytes = Vec::new();
    for n in 0..20 {
        let signal = Order::Signal { assignment: id(n), signal: libc::SIGKILL, scope: Scope::Session };
        for order in [Order::Spawn(Box::new(world.shell(n, "exec sleep 1000"))), signal] {
            crate::link::codec::encode(&order, &mut bytes).unwrap();
        }
    }
    apexd.send_bytes(&bytes);
    let (mut answers, mut ends) = (0, 0);
    while answers + ends < 40 {
        match apexd.next() {
            Some(Fact::Spawned(_)) => {}
            Some(Fact::Signalled { errno: 0, .. }) => answers += 1,
            Some(Fact::Exited { exit, .. }) if exit.status == ExitStatus::Signal(9) => ends += 1,
            other => panic!("{other:?}"),
        }
    }
    for n in 0..20 {
        apexd.forget(n);
    }
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn what_left_the_session_is_not_signalled() {
    let (mut world, mut apexd) = World::serving();
    apexd.spawn(world.shell(1, "setsid sh -c 'echo $$ > escaped; exec sleep 1000' & wait"));
    let escaped = await_pid(&world.file("escaped"));
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Session), 0);
    let exit = apexd.exit(1);
    assert_eq!((exit.status, exit.leftovers), (ExitStatus::Signal(9), false));
    assert!(!Stat::of(escaped).unwrap().zombie);
    let pidfd = processes::open(escaped).unwrap();
    assert_eq!(processes::send(&pidfd, libc::SIGKILL), 0);
    await_end(&pidfd);
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn what_left_its_session_long_ago_hides_nothing() {
    let (mut world, mut apexd) = World::serving();
    apexd.spawn(world.shell(1, "exec sleep 1000"));
    apexd.spawn(world.shell(2, "setsid sh -c 'echo $$ > escaped; exec sleep 1000' & wait"));
    let escaped = processes::open(await_pid(&world.file("escaped"))).unwrap();
    assert_eq!(apexd.signal(2, libc::SIGKILL, Scope::Leader), 0);
    assert!(!apexd.exit(2).leftovers);
    for (n, line, leftovers) in [(3, "exit 0", false), (4, "sleep 1000 & exit 0", true), (5, "exit 0", false)] {
        apexd.spawn(world.shell(n, line));
        assert_eq!(apexd.exit(n).leftovers, leftovers, "{n}");
    }
    assert_eq!(apexd.signal(4, libc::SIGKILL, Scope::Session), 0);
    assert_eq!(processes::send(&escaped, libc::SIGKILL), 0);
    await_end(&escaped);
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Session), 0);
    assert!(!apexd.exit(1).leftovers);
    for n in 1..6 {
        apexd.forget(n);
    }
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn ends_wait_for_an_apexd_that_does_not_look() {
    let (mut world, mut apexd) = World::serving();
    let pidfds: Vec<_> = (0..10)
        .map(|n| {
            nix::unistd::mkfifo(&world.file(&format!("fifo{n}")), nix::sys::stat::Mode::S_IRWXU).unwrap();
            let child = apexd.spawn(world.shell(n, &format!("read line < fifo{n}; exit {n}")));
            processes::open(child.pid).unwrap()
        })
        .collect();
    assert_eq!(processes::send(&apexd.pidfd, libc::SIGSTOP), 0);
    for (n, pidfd) in pidfds.iter().enumerate() {
        std::fs::write(world.file(&format!("fifo{n}")), "go\n").unwrap();
        await_end(pidfd);
    }
    assert_eq!(processes::send(&apexd.pidfd, libc::SIGCONT), 0);
    let mut codes: Vec<_> = (0..10)
        .map(|_| match apexd.next() {
            Some(Fact::Exited { assignment, exit }) => {
                assert!(exit.usage.is_some());
                (number(assignment), exit.status)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    codes.sort_by_key(|(n, _)| *n);
    let expected: Vec<_> = (0..10).map(|n| (n, ExitStatus::Code(i32::try_from(n).unwrap()))).collect();
    assert_eq!(codes, expected);
    for n in 0..10 {
        apexd.forget(n);
    }
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn an_apexd_that_stores_no_end_is_given_no_more_starts_until_it_does() {
    let (mut world, mut apexd) = World::serving();
    let brief = |n| Spawn { stdout: "/dev/null".into(), program: "/bin/true".into(), ..world.shell(n, "") };
    let mut count = 0;
    let refused = loop {
        apexd.send(&Order::Spawn(Box::new(brief(count))));
        match apexd.next() {
            Some(Fact::Spawned(_)) => assert_eq!(apexd.exit(count).status, ExitStatus::Code(0)),
            other => break other,
        }
        count += 1;
        assert!(count < 1_000);
    };
    let again_later = Fact::NotSpawned { assignment: id(count), step: SpawnStep::Fork, errno: libc::EAGAIN };
    assert_eq!(refused, Some(again_later));
    apexd.forget(0);
    apexd.spawn(brief(count));
    assert_eq!(apexd.exit(count).status, ExitStatus::Code(0));
    for n in 1..=count {
        apexd.forget(n);
    }
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn one_that_asks_without_reading_is_answered_in_full_and_costs_no_memory() {
    let (mut world, mut apexd) = World::serving();
    let count: u128 = 100_000;
    let mut writer = apexd.writer();
    let mut bytes = Vec::new();
    for n in 0..count {
        let order = Order::Signal { assignment: id(n), signal: 0, scope: Scope::Leader };
        crate::link::codec::encode(&order, &mut bytes).unwrap();
    }
    let asking = std::thread::spawn(move || {
        std::io::Write::write_all(&mut writer, &bytes).unwrap();
    });
    for n in 0..count {
        let answer = Fact::Signalled { assignment: id(n), signal: 0, errno: libc::ESRCH };
        assert_eq!(apexd.next(), Some(answer));
    }
    asking.join().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.guardian_pid())).unwrap();
    assert!(status.contains("Threads:\t1\n") && status.contains("Name:\tapex-guardian\n"), "{status}");
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_thousand_tasks_leave_nothing_behind_in_the_guardian() {
    let (mut world, mut apexd) = World::serving();
    let guardian = world.guardian_pid();
    // Nobody but root looks into a daemon.
    let descriptors = || std::fs::read_dir(format!("/proc/{guardian}/fd")).map(Iterator::count).ok();
    let resident_kib = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{guardian}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let run = |apexd: &mut Apexd, from, to| {
        for n in from..to {
            let spawn = Spawn { stdout: "/dev/null".into(), program: "/bin/true".into(), ..world.shell(n, "") };
            apexd.spawn(spawn);
            assert_eq!(apexd.exit(n).status, ExitStatus::Code(0));
            apexd.send(&Order::Forget { assignment: id(n) });
        }
    };
    run(&mut apexd, 0, 100);
    assert_eq!(apexd.signal(0, 0, Scope::Leader), libc::ESRCH);
    let before = (descriptors(), resident_kib());
    assert!(before.0.is_some() || !nix::unistd::geteuid().is_root());
    run(&mut apexd, 100, 1_000);
    // Answered when all that came before was done.
    assert_eq!(apexd.signal(0, 0, Scope::Leader), libc::ESRCH);
    let after = (descriptors(), resident_kib());
    assert_eq!(before.0, after.0);
    assert!(after.1 <= before.1 + 128, "{before:?} {after:?}");
    apexd.end(0);
    assert_eq!(world.end(), 0);
}
