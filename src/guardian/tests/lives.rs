use std::path::PathBuf;
use std::time::Duration;

use nix::libc;

use super::relay::CLOSE_LINK;
use super::world::{World, await_end, await_file, await_pid, id};
use crate::domain::adoption::Child;
use crate::domain::outcome::ExitStatus;
use crate::domain::time::{Moment, Timestamp};
use crate::guardian::readiness::Answer;
use crate::guardian::{EXIT_GAVE_UP, processes};
use crate::link::machine::Stat;
use crate::link::{Fact, Order, Scope};

#[test]
fn an_apexd_that_died_comes_back_and_finds_every_task() {
    let (mut world, mut apexd) = World::serving();
    let running = apexd.spawn(world.shell(1, "exec sleep 1000"));
    let ended = apexd.spawn(world.shell(2, "exit 5"));
    assert_eq!(apexd.exit(2).status, ExitStatus::Code(5));
    apexd.kill();
    let mut apexd = world.connect();
    let welcomed = apexd.hello();
    assert_eq!((welcomed.restarts, welcomed.stop_requests), (1, 0));
    assert_eq!(welcomed.children[0], running);
    assert_eq!(welcomed.children[1].pid, ended.pid);
    assert_eq!(welcomed.children[1].exit.unwrap().status, ExitStatus::Code(5));
    apexd.send(&Order::Ready);
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Session), 0);
    assert_eq!(apexd.exit(1).status, ExitStatus::Signal(9), "an end that was told in the roll call is not told again");
    apexd.forget(1);
    apexd.forget(2);
    apexd.end(0);
    assert_eq!(world.end(), 0);
    let log = world.log();
    assert!(log.contains("] [WARN] apexd ended by SIGKILL; starting it again in "), "{log}");
    assert!(log.contains("restarts=1\n"), "{log}");
    world.expect_left(&["daemon.lock", "daemon.log"]);
}

#[test]
fn what_was_stated_last_counts_after_a_death() {
    let (mut world, mut apexd) = World::serving();
    apexd.spawn(world.shell(1, "exit 5"));
    apexd.exit(1);
    apexd.send(&Order::Draining);
    apexd.forget(1);
    apexd.kill();
    let mut apexd = world.connect();
    let welcomed = apexd.hello();
    assert_eq!(welcomed.stop_requests, 1, "a drain that was begun goes on");
    assert_eq!(welcomed.children, []);
    apexd.end(0);
    assert_eq!(world.end(), 0, "one that is told to stop while it starts need not have been ready");
    world.expect_left(&["daemon.lock", "daemon.log"]);
}

#[test]
fn the_grace_of_a_drain_is_kept_for_the_next_apexd() {
    let (mut world, mut apexd) = World::serving();
    apexd.send(&Order::Draining);
    apexd.send(&Order::Grace { until: Moment(7_000_000) });
    // Answered in order: what comes before has arrived.
    assert_eq!(apexd.signal(1, 0, Scope::Leader), libc::ESRCH);
    apexd.kill();
    let mut apexd = world.connect();
    assert_eq!(apexd.hello().grace_until, Some(Moment(7_000_000)));
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_wish_to_reload_that_comes_before_the_hello_is_told_after_it() {
    let mut world = World::started();
    let mut apexd = world.connect();
    // Whether it has read the configuration already nobody knows.
    world.signal_guardian(libc::SIGHUP);
    // The guardian has read the one when it carries out what comes after the other.
    world.signal_guardian(libc::SIGTERM);
    assert_eq!(apexd.hello().stop_requests, 1);
    assert_eq!(apexd.next(), Some(Fact::Reload));
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_process_of_an_earlier_guardian_is_looked_after_and_another_is_not() {
    let (mut world, mut apexd) = World::serving();
    let process = |line: &str| {
        let mut command = std::process::Command::new("setsid");
        command.args(["sh", "-c", line]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut process = command.spawn().unwrap();
        // From then on its session is its own.
        let mut stdout = std::io::BufReader::new(process.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut String::new()).unwrap();
        process
    };
    // Somebody else's children, as far as the guardian is concerned.
    let mut ends = process("echo; read x; exit 6");
    let mut killed = process("echo; read x");
    let child = |n, pid| Child {
        assignment: id(n),
        pid,
        start_ticks: Stat::of(pid).unwrap().start_ticks,
        started_at: Timestamp(1),
        exit: None,
    };
    apexd.send(&Order::Adopt(child(1, ends.id())));
    apexd.send(&Order::Adopt(child(2, killed.id())));
    apexd.send(&Order::Adopt(Child { start_ticks: 1, ..child(3, killed.id()) }));
    let Some(Fact::Gone { assignment, .. }) = apexd.next() else { panic!("a stranger was taken for it") };
    assert_eq!(assignment, id(3));
    assert_eq!(apexd.signal(3, libc::SIGKILL, Scope::Session), libc::ESRCH);
    drop(ends.stdin.take());
    ends.wait().unwrap();
    let exit = apexd.exit(1);
    assert_eq!((exit.status, exit.usage, exit.leftovers), (ExitStatus::Code(6), None, false));
    assert_eq!(apexd.signal(2, libc::SIGKILL, Scope::Session), 0);
    assert_eq!(apexd.exit(2).status, ExitStatus::Signal(9));
    killed.wait().unwrap();
    for n in 1..=3 {
        apexd.forget(n);
    }
    apexd.kill();
    let mut apexd = world.connect();
    assert_eq!(apexd.hello().children, []);
    apexd.send(&Order::Ready);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn requests_to_stop_and_to_reload_are_passed_on() {
    let (mut world, mut apexd) = World::serving();
    world.signal_guardian(libc::SIGHUP);
    assert_eq!(apexd.next(), Some(Fact::Reload));
    world.signal_guardian(libc::SIGTERM);
    assert_eq!(apexd.next(), Some(Fact::Terminate { requests: 1 }));
    world.signal_guardian(libc::SIGINT);
    assert_eq!(apexd.next(), Some(Fact::Terminate { requests: 2 }));
    apexd.end(0);
    assert_eq!(world.end(), 0);
    world.expect_left(&["daemon.lock"]);
}

#[test]
fn one_that_talks_nonsense_is_killed_and_started_again() {
    let (mut world, mut apexd) = World::serving();
    apexd.send_bytes(&[9, 0, 0, 0, 200, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(apexd.signal(1, 0, Scope::Leader), libc::ESRCH, "an unknown order is passed over");
    apexd.send_bytes(&[0xff; 64]);
    assert_eq!(apexd.next(), None);
    let mut apexd = world.connect();
    apexd.send(&Order::Ready);
    assert_eq!(apexd.next(), None, "without a hello nothing is carried out");
    let mut apexd = world.connect();
    assert_eq!(apexd.hello().restarts, 2);
    apexd.send(&Order::Ready);
    assert_eq!(apexd.signal(1, 0, Scope::Leader), libc::ESRCH);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn one_that_closes_its_link_has_time_to_end() {
    let (mut world, apexd) = World::serving();
    let mut control = apexd.control();
    std::io::Write::write_all(&mut control, &[CLOSE_LINK]).unwrap();
    std::io::Write::write_all(&mut control, &[0]).unwrap();
    assert_eq!(world.end(), 0);
}

#[test]
fn another_binary_takes_over_and_one_that_fails_gives_way_to_the_old() {
    let (mut world, mut apexd) = World::serving();
    apexd.spawn(world.shell(1, "exec sleep 1000"));
    for _ in 0..2 {
        apexd.send(&Order::Replace { binary: PathBuf::from("/bin/false") });
        // Answered in order: what comes before has arrived.
        assert_eq!(apexd.signal(2, 0, Scope::Leader), libc::ESRCH);
        apexd.end(71);
        apexd = world.connect();
        let welcomed = apexd.hello();
        assert_eq!(welcomed.children[0].assignment, id(1));
        apexd.send(&Order::Ready);
    }
    let log = world.log();
    assert!(log.contains("starting another apexd binary=/bin/false"), "{log}");
    assert!(log.contains("the guardian goes on with its old program: it cannot take over"), "{log}");
    assert!(log.contains("the new apexd ended with exit code 1 before it was ready; going back to "), "{log}");
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Session), 0);
    apexd.exit(1);
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn one_that_never_becomes_ready_is_given_up_and_nothing_is_left() {
    let mut world = World::with_apexd("exit 1");
    let Answer::Failed(reason) = world.answer() else { panic!() };
    assert!(reason.starts_with("apexd ended with exit code 1 before it was ready (5 times in a row)"), "{reason}");
    assert_eq!(world.end(), EXIT_GAVE_UP);
    world.expect_left(&["daemon.failed", "daemon.lock", "daemon.log"]);
    assert_eq!(std::fs::read_to_string(&world.places().failed).unwrap(), format!("{reason}\n"));
}

#[test]
fn the_reason_that_apexd_wrote_is_passed_on_at_once() {
    let mut world = World::new();
    let failed = world.places().failed.display().to_string();
    world.options.binary = "/bin/sh".into();
    world.options.apexd_args = vec!["-c".into(), format!("echo 'no key `x`' > '{failed}'; exit 78").into()];
    world.start();
    assert_eq!(world.answer(), Answer::Failed("no key `x`".to_owned()));
    assert_eq!(world.end(), EXIT_GAVE_UP);
    world.expect_left(&["daemon.failed", "daemon.lock", "daemon.log"]);
}

#[test]
fn a_program_that_cannot_be_executed_is_given_up() {
    let mut world = World::new();
    world.options.binary = "/nonexistent".into();
    world.start();
    assert!(matches!(world.answer(), Answer::Failed(_)));
    assert_eq!(world.end(), EXIT_GAVE_UP);
    assert!(world.log().contains("cannot execute apexd `/nonexistent`: No such file or directory"));
}

#[test]
fn given_up_it_guards_until_the_last_task_has_ended() {
    let (mut world, mut apexd) = World::serving();
    apexd.send(&Order::Policy { kill_grace: Duration::from_secs(3600) });
    let fifo = world.file("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    apexd.spawn(world.shell(1, "sleep 1000 & echo $! > left; read line < fifo; exit 6"));
    let left = processes::open(await_pid(&world.file("left"))).unwrap();
    apexd.end(1);
    for _ in 0..5 {
        world.connect().end(1);
    }
    await_file(&world.places().failed);
    // Opening it waits for the task, which is therefore still there.
    std::fs::write(&fifo, "go\n").unwrap();
    assert_eq!(world.end(), EXIT_GAVE_UP);
    await_end(&left);
    let words = world.last_words();
    let child = words[0].children[0];
    assert_eq!((child.assignment, child.exit.unwrap().status), (id(1), ExitStatus::Code(6)));
    world.expect_left(&["daemon.failed", "daemon.lock", "daemon.log", "guardian.exits"]);
}
