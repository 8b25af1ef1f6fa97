//! Each promise has a test that tries to break it, and a mechanism without which that test fails.
//!
//! The mechanisms can be taken out in a build with debug assertions (`apex::fault`). [`sabotage`] takes out each in turn
//! and runs the test of its promise, which must then be red.

use std::process::Command;

mod p01_power_cut;
mod p02_killed;
mod p03_once;
mod p04_restart;
mod p05_drain;
mod p06_ended;
mod p07_identity;
mod p08_neighbours;
mod p09_scarcity;
mod p10_damage;
mod p11_one_daemon;
mod p12_owner;
mod p13_trust;
mod p14_harmless;
mod p15_secrets;
mod p16_idle;
mod p17_clock;

/// A promise, what keeps it, and what shows that it is kept.
struct Promise {
    number: u8,
    /// What is left out under `APEX_SABOTAGE`.
    mechanism: &'static str,
    /// The test's full name.
    test: &'static str,
}

const PROMISES: &[Promise] = &[
    Promise {
        number: 1,
        mechanism: "`synchronous = FULL`: a commit is synced before it is answered",
        test: "promises::p01_power_cut::what_was_answered_survives_a_power_cut",
    },
    Promise {
        number: 2,
        mechanism: "the guardian keeps an ended process, and how it ended, until that is stored",
        test: "promises::p02_killed::killing_apexd_touches_no_running_task_and_loses_nothing",
    },
    Promise {
        number: 3,
        mechanism: "every start compares what the store has under way with what the guardian holds",
        test: "promises::p03_once::what_was_started_and_not_recorded_is_not_started_again",
    },
    Promise {
        number: 4,
        mechanism: "the table of processes that one guardian hands over to the next",
        test: "promises::p04_restart::restarts_touch_no_running_task",
    },
    Promise {
        number: 5,
        mechanism: "claiming nothing and starting nothing once a drain has begun",
        test: "promises::p05_drain::after_sigterm_nothing_starts_and_what_runs_comes_to_its_end",
    },
    Promise {
        number: 6,
        mechanism: "what left its session is known by its mark, its parents, or as an orphan of the only task",
        test: "promises::p06_ended::what_is_ended_leaves_no_process_behind",
    },
    Promise {
        number: 7,
        mechanism: "a pid counts only together with the start time of its process",
        test: "promises::p07_identity::a_stranger_with_the_pid_of_a_task_is_left_alone",
    },
    Promise {
        number: 8,
        mechanism: "bounded buffers: nothing is read ahead for a client that does not read",
        test: "promises::p08_neighbours::a_client_that_does_not_read_is_not_read_ahead_for",
    },
    Promise {
        number: 9,
        mechanism: "offering an end again to a store that had no room for it",
        test: "promises::p09_scarcity::how_a_task_ended_on_a_full_disk_is_recorded_when_there_is_room",
    },
    Promise {
        number: 10,
        mechanism: "the root page of every table and index is read before anything is written",
        test: "promises::p10_damage::what_is_damaged_newer_or_foreign_is_refused_and_kept",
    },
    Promise {
        number: 11,
        mechanism: "the lock: whoever does not get it has changed nothing",
        test: "promises::p11_one_daemon::a_project_has_one_daemon",
    },
    Promise {
        number: 12,
        mechanism: "asking the kernel whose process connects",
        test: "promises::p12_owner::nobody_but_the_owner_gets_in",
    },
    Promise {
        number: 13,
        mechanism: "comparing the database with the one that was entered for the path",
        test: "promises::p13_trust::what_came_from_elsewhere_runs_nothing_until_it_is_trusted",
    },
    Promise {
        number: 14,
        mechanism: "what steers a terminal is known, and shown as text",
        test: "promises::p14_harmless::what_was_sent_steers_no_terminal_no_log_and_no_shell",
    },
    Promise {
        number: 15,
        mechanism: "deleting an environment with the last task that uses it",
        test: "promises::p15_secrets::values_are_told_to_nobody_and_forgotten_with_the_last_task",
    },
    Promise {
        number: 16,
        mechanism: "waiting for events: nothing is looked at more often than `poll_interval` says",
        test: "promises::p16_idle::nobody_wakes_up_between_two_polls",
    },
    Promise {
        number: 17,
        mechanism: "the wall clock is held against one that cannot be set",
        test: "promises::p17_clock::jumps_of_the_wall_clock_neither_start_kill_nor_starve_a_task",
    },
];

#[test]
fn the_map_names_every_promise_with_its_mechanism_and_its_test() {
    let map = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap();
    assert_eq!(PROMISES.iter().map(|promise| promise.number).collect::<Vec<_>>(), (1..=17).collect::<Vec<_>>());
    for Promise { number, mechanism, test } in PROMISES {
        let row = map.lines().find(|line| line.starts_with(&format!("| {number} | "))).unwrap_or_default();
        let test = test.trim_start_matches("promises::");
        assert!(row.contains(mechanism) && row.contains(test), "the row of promise {number} is out of date: {row}");
    }
}

#[test]
fn sabotage_of_any_mechanism_is_noticed() {
    let itself = std::env::current_exe().unwrap();
    let unnoticed: Vec<String> = PROMISES
        .iter()
        .filter_map(|promise| {
            let run = Command::new(&itself)
                .args(["--exact", promise.test, "--test-threads", "1"])
                .env("APEX_SABOTAGE", promise.number.to_string())
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&run.stdout);
            assert!(text.contains("running 1 test"), "there is no test `{}`:\n{text}", promise.test);
            let is_red = run.status.code() == Some(101) && text.contains("test result: FAILED");
            (!is_red).then(|| format!("{}: `{}` passes without {}", promise.number, promise.test, promise.mechanism))
        })
        .collect();
    assert!(unnoticed.is_empty(), "\n{}", unnoticed.join("\n"));
}
