//! A full disk.

use nix::sys::signal::Signal;

use crate::scarce::{NAMESPACE, UNTIL_GO, fill, go, inside, mount, refused_add, small_disk};
use crate::support::{World, eventually, signal};

const ONE_AT_A_TIME: &str = "[daemon]\nmax_concurrent = 1\n";

#[test]
fn new_work_is_refused_what_ran_is_recorded_and_what_waits_goes_on_by_itself() {
    inside(
        "scarce::disk::new_work_is_refused_what_ran_is_recorded_and_what_waits_goes_on_by_itself",
        NAMESPACE,
        || {
            let world = small_disk("6m", ONE_AT_A_TIME);
            world.apex(["daemon", "start"]).expect(0);
            let runs = world.add(&format!("{UNTIL_GO}; exit 3"));
            let waits = world.add("true");
            world.until_state(runs, "running");
            let filled = fill(&world.root(), 0);
            let error = refused_add(&world);
            assert_eq!(error["kind"], "exhausted", "{error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("apex.db") && message.contains("the disk is full"), "{error}");
            assert!(error["hint"].as_str().unwrap().contains("free some space"), "{error}");

            // How it ended is written down although there is no room: some was kept back for that.
            go(&world);
            let ended = world.ended(runs);
            assert_eq!((&ended["state"], &ended["exit_code"]), (&"failed".into(), &3.into()));
            // What is kept back is not for new work.
            eventually("the daemon says what it lacks", || world.status()["held_up"].is_string());
            assert_eq!(world.state(waits), "queued");
            let why = world.apex(["task", "why", &waits.to_string()]).expect(0).stdout;
            assert!(why.contains("the disk is full"), "{why}");
            assert_eq!(refused_add(&world)["kind"], "exhausted");

            std::fs::remove_file(filled).unwrap();
            assert_eq!(world.ended(waits)["state"], "succeeded");
            world.ended(world.add("true"));
            assert!(world.status()["held_up"].is_null());
        },
    );
}

#[test]
fn a_full_disk_keeps_nobody_from_cancelling_nor_from_stopping() {
    inside("scarce::disk::a_full_disk_keeps_nobody_from_cancelling_nor_from_stopping", NAMESPACE, || {
        let world = small_disk("6m", "");
        world.apex(["daemon", "start"]).expect(0);
        let (first, second) = (world.add(UNTIL_GO), world.add(UNTIL_GO));
        world.until_state(first, "running");
        world.until_state(second, "running");
        let filled = fill(&world.root(), 0);
        refused_add(&world);
        world.apex(["task", "cancel", &first.to_string()]).expect(0);
        assert_eq!(world.ended(first)["state"], "cancelled");
        world.apex(["daemon", "stop", "--force"]).expect(0);
        world.until_empty();
        for name in ["apex.db-wal", "apex.db-reserve", "guardian.exits", "daemon.pid", "daemon.sock"] {
            assert!(!world.dot_apex().join(name).exists(), "{name} was left");
        }
        std::fs::remove_file(filled).unwrap();
        world.apex(["daemon", "start"]).expect(0);
        assert_eq!(world.show(second)["state"], "interrupted");
    });
}

#[test]
fn ends_wait_for_room_when_nothing_at_all_is_left() {
    inside("scarce::disk::ends_wait_for_room_when_nothing_at_all_is_left", NAMESPACE, || {
        // Too small for anything to be kept back.
        let world = small_disk("1m", ONE_AT_A_TIME);
        world.apex(["daemon", "start"]).expect(0);
        let runs = world.add(&format!("{UNTIL_GO}; exit 3"));
        world.until_state(runs, "running");
        let filled = fill(&world.root(), 0);
        refused_add(&world);
        // The next apexd finds it as the last one left it: nothing but the guardian knows how it ended.
        let apexd = world.apexd_pid();
        go(&world);
        let pid = i32::try_from(world.show(runs)["attempts"][0]["pid"].as_i64().unwrap()).unwrap();
        eventually("the process has ended and waits to be recorded", || {
            crate::support::process_state(pid) == Some('Z')
        });
        signal(apexd, Signal::SIGKILL);
        // While the disk is full no apexd comes up, unless it finds some room that the last one left. It is tried for as
        // long as that lasts, and more often than if it were for another reason.
        let mut tried = std::collections::BTreeSet::new();
        eventually("it is tried, or comes up", || {
            tried.extend(world.processes().into_iter().filter(|pid| *pid != apexd && is_apexd(*pid)));
            tried.len() > 6 || crate::support::process_state(pid).is_none()
        });
        std::fs::remove_file(filled).unwrap();
        let ended = world.ended(runs);
        assert_eq!((&ended["state"], &ended["exit_code"]), (&"failed".into(), &3.into()));
    });
}

fn is_apexd(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "apexd")
}

#[test]
fn a_start_without_room_says_so_and_leaves_nothing_behind() {
    inside("scarce::disk::a_start_without_room_says_so_and_leaves_nothing_behind", NAMESPACE, || {
        // No room for anything; for a pid file, but no database; and for neither once there is a database.
        for (spare, used) in [(0, false), (8192, false), (0, true), (8192, true)] {
            let world = small_disk("2m", "");
            if used {
                world.apex(["daemon", "start"]).expect(0);
                world.ended(world.add("true"));
                world.apex(["daemon", "stop"]).expect(0);
            }
            let filled = fill(&world.root(), spare);
            let run = world.apex(["daemon", "start", "--json"]).expect(3);
            let message = run.error()["message"].as_str().unwrap().to_owned();
            let says_so = message.contains("is full") || message.contains("No space left");
            assert!(says_so && message.contains(".apex"), "{spare} {used}: {message}");
            world.until_empty();
            for name in ["daemon.pid", "daemon.sock", "apex.db.new", "apex.db-reserve"] {
                assert!(!world.dot_apex().join(name).exists(), "{spare} {used}: {name} was left");
            }
            std::fs::remove_file(filled).unwrap();
            world.apex(["daemon", "start"]).expect(0);
            world.ended(world.add("true"));
            world.apex(["daemon", "stop"]).expect(0);
        }
    });
}

#[test]
fn a_log_without_room_stops_nothing_and_tells_later_what_was_lost() {
    inside("scarce::disk::a_log_without_room_stops_nothing_and_tells_later_what_was_lost", NAMESPACE, || {
        let world = World::new();
        // The log's file is on a full disk, and nothing else.
        let disk = world.path("disk");
        mount(&disk, "size=64k");
        let (log, outside) = (world.dot_apex().join("daemon.log"), disk.join("log"));
        for path in [&log, &outside] {
            std::fs::write(path, "").unwrap();
        }
        std::fs::set_permissions(&outside, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let bound = std::process::Command::new("mount").arg("--bind").args([&outside, &log]).output().unwrap();
        assert!(bound.status.success(), "{bound:?}");
        let filled = fill(&disk, 0);
        world.apex(["daemon", "start"]).expect(0);
        assert_eq!(world.ended(world.add("exit 3"))["exit_code"], 3);
        assert_eq!(world.log(), "");
        std::fs::remove_file(filled).unwrap();
        world.ended(world.add("true"));
        eventually("the log goes on", || world.log().contains("log lines were lost lines="));
        world.apex(["daemon", "stop"]).expect(0);
    });
}

#[test]
fn a_task_whose_output_has_no_room_ends_as_it_says_itself_and_one_without_a_file_waits() {
    inside(
        "scarce::disk::a_task_whose_output_has_no_room_ends_as_it_says_itself_and_one_without_a_file_waits",
        NAMESPACE,
        || {
            let world = World::new();
            // Room for two directories and one file.
            mount(&world.dot_apex().join("output"), "size=64k,nr_inodes=3");
            world.apex(["daemon", "start"]).expect(0);
            let first = world.add(&format!("cat /dev/zero || echo full >../told; {UNTIL_GO}; exit 4"));
            eventually("its output is full", || world.root().with_file_name("told").exists());
            let second = world.add("true");
            eventually("the second one was refused", || world.status()["held_up"].is_string());
            let why = world.apex(["task", "why", &second.to_string()]).expect(0).stdout;
            assert!(why.contains("No space left on device") && why.contains("tried again by itself"), "{why}");
            assert_eq!(world.state(second), "queued");
            assert_eq!(world.show(second)["attempt"], 0, "what was not started is no attempt");
            assert_eq!(world.state(first), "running");

            go(&world);
            let ended = world.ended(first);
            assert_eq!((&ended["state"], &ended["exit_code"]), (&"failed".into(), &4.into()));
            assert_eq!(ended["attempts"][0]["output"][0]["bytes"], 65536);
            world.apex(["task", "rm", &first.to_string()]).expect(0);
            assert_eq!(world.ended(second)["state"], "succeeded");
            assert_eq!(world.show(second)["attempt"], 1);
        },
    );
}

#[test]
fn input_that_does_not_fit_is_refused_and_leaves_nothing() {
    inside("scarce::disk::input_that_does_not_fit_is_refused_and_leaves_nothing", NAMESPACE, || {
        let world = small_disk("6m", "");
        world.apex(["daemon", "start"]).expect(0);
        let big = world.root().with_file_name("big");
        std::fs::write(&big, vec![7; 16 << 20]).unwrap();
        let mut command = world.command(["add", "--json", "--stdin", "-", "--", "cat"]);
        command.stdin(std::fs::File::open(big).unwrap());
        let run = crate::support::run(command).expect(1);
        assert_eq!(run.error()["kind"], "exhausted", "{run:?}");
        let left = std::fs::read_dir(world.dot_apex().join("input")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "half of the input was left");
        world.ended(world.add("true"));
    });
}
