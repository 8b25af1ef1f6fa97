//! The plug is pulled: apexd, the guardian's stop, the connection, each in the middle of something.

mod link;
mod points;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{World, eventually, process_state, signal};

/// Prints numbered lines until `go` is there, then exits with a code of its own.
fn counting(code: usize) -> String {
    format!("n=0; while [ ! -e go ]; do n=$((n+1)); echo line $n; sleep 0.005; done; exit {code}")
}

/// Fails unless the text is `line 1`, `line 2` … without a gap and without a repetition.
#[track_caller]
fn assert_counts_up(text: &str) {
    for (index, line) in text.lines().enumerate() {
        assert_eq!(line, format!("line {}", index + 1));
    }
    assert!(text.ends_with('\n') && text.lines().count() > 3, "{text:?}");
}

#[test]
fn killing_apexd_touches_no_task_and_no_follower() {
    let world = World::with_config("[daemon]\nmax_concurrent = 10\n");
    let ids: Vec<u64> = (1..=10).map(|n| world.add(&counting(n))).collect();
    let after = world.add("echo after");
    for id in &ids {
        world.until_state(*id, "running");
    }
    let followers: Vec<_> = ids[..2].iter().map(|id| world.spawn(["task", "logs", "-f", &id.to_string()])).collect();
    let (guardian, first) = (world.guardian_pid(), world.apexd_pid());
    signal(first, Signal::SIGKILL);
    eventually("another apexd serves", || world.status()["pid"].as_i64().is_some_and(|pid| pid != i64::from(first)));
    assert_eq!(world.guardian_pid(), guardian);
    assert_eq!(world.status()["restarts"], json!(1));
    for id in &ids {
        assert_eq!(world.state(*id), "running");
    }
    std::fs::write(world.path("go"), "").unwrap();
    for (n, id) in ids.iter().enumerate() {
        let task = world.ended(*id);
        assert_eq!((&task["exit_code"], &task["attempt"]), (&json!(n + 1), &json!(1)), "{task}");
        assert_counts_up(&world.apex(["task", "logs", &id.to_string()]).stdout);
    }
    assert_eq!(world.ended(after)["state"], "succeeded", "the queue goes on");
    for (n, follower) in followers.into_iter().enumerate() {
        let run = follower.wait();
        assert_eq!(run.code, i32::try_from(n).unwrap() + 1, "{}", run.stderr);
        assert_eq!(run.stdout, world.apex(["task", "logs", &ids[n].to_string()]).stdout, "missed or repeated");
    }
}

#[test]
fn what_ends_while_apexd_hangs_is_told_afterwards() {
    let world = World::with_config("[daemon]\nmax_concurrent = 10\n");
    let ids: Vec<u64> = (1..=10)
        .map(|n| world.add(&format!("echo $$ > pid{n}; while [ ! -e go ]; do sleep 0.01; done; exit {n}")))
        .collect();
    let pids: Vec<i32> = (1..=10)
        .map(|n| {
            let file = world.path(format!("pid{n}"));
            eventually("it runs", || std::fs::read_to_string(&file).is_ok_and(|pid| pid.ends_with('\n')));
            std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
        })
        .collect();
    for id in &ids {
        world.until_state(*id, "running");
    }
    let apexd = world.apexd_pid();
    signal(apexd, Signal::SIGSTOP);
    std::fs::write(world.path("go"), "").unwrap();
    for pid in &pids {
        eventually("it stands as a zombie", || process_state(*pid) == Some('Z'));
    }
    let unanswered = world.apex(["--json", "--deadline", "200ms", "task", "show", "1"]).expect(3);
    assert_eq!(unanswered.error()["kind"], "unavailable");
    assert!(unanswered.error()["message"].as_str().unwrap().contains("does not answer"), "{unanswered:?}");
    // A hung apexd and a killed one lose the same: nothing.
    signal(apexd, Signal::SIGKILL);
    for (n, id) in ids.iter().enumerate() {
        let task = world.ended(*id);
        assert_eq!(task["exit_code"], json!(n + 1));
        assert!(task["attempts"][0]["max_rss_bytes"].as_u64().unwrap() > 0, "its usage was read before it was reaped");
    }
    for pid in pids {
        eventually("it is reaped", || process_state(pid).is_none());
    }
}

#[test]
fn stopping_while_apexd_is_dead_leaves_no_process_and_loses_no_code() {
    let world = World::with_config("[daemon]\nmax_concurrent = 4\n[shutdown]\nkill_grace = \"300ms\"\n");
    let ended = world.add("echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done; exit 42");
    let polite = world.add("echo > polite; exec sleep 1000");
    let stubborn = world.add("trap '' TERM; echo > stubborn; while :; do sleep 0.01; done");
    for name in ["pid", "polite", "stubborn"] {
        eventually(name, || world.path(name).exists());
    }
    for id in [ended, polite, stubborn] {
        world.until_state(id, "running");
    }
    let (guardian, apexd) = (world.guardian_pid(), world.apexd_pid());
    let pid: i32 = std::fs::read_to_string(world.path("pid")).unwrap().trim().parse().unwrap();
    signal(apexd, Signal::SIGSTOP);
    std::fs::write(world.path("go"), "").unwrap();
    eventually("one has ended unseen", || process_state(pid) == Some('Z'));
    // The guardian may not start another apexd that does the work: it is to do it alone.
    signal(guardian, Signal::SIGSTOP);
    signal(apexd, Signal::SIGKILL);
    signal(guardian, Signal::SIGTERM);
    world.forbid_starts();
    signal(guardian, Signal::SIGCONT);
    world.until_empty();
    world.allow_starts();

    world.apex(["daemon", "start"]).expect(0);
    let told = |id: u64| {
        let task = world.show(id);
        (task["state"].clone(), task["exit_code"].clone(), task["signal"].clone(), task["attempt"].clone())
    };
    assert_eq!(told(ended), (json!("failed"), json!(42), json!(null), json!(1)));
    assert_eq!(told(polite), (json!("interrupted"), json!(null), json!(15), json!(1)));
    assert_eq!(told(stubborn), (json!("interrupted"), json!(null), json!(9), json!(1)));
    assert!(!world.dot_apex().join("guardian.exits").exists(), "what was read is not read again");
}

#[test]
fn an_add_whose_answer_was_lost_adds_once() {
    let world = World::started();
    let apexd = world.apexd_pid();
    let socket = world.dot_apex().join("daemon.sock");
    let behind = world.dot_apex().join("behind.sock");
    std::fs::rename(&socket, &behind).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    let cut = Arc::new(AtomicBool::new(false));
    // Passes everything on, but loses the first answer that comes after the request, together with apexd.
    let proxy = std::thread::spawn({
        let (cut, behind) = (cut.clone(), behind.clone());
        move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let Ok(server) = UnixStream::connect(&behind) else { return };
                pass(client, server, &cut, apexd);
            }
        }
    });
    let add = world.apex(["task", "add", "-q", "--no-start", "--", "sh", "-c", "echo once >> effects"]).expect(0);
    assert!(cut.load(Ordering::SeqCst), "the answer was not lost");
    assert_eq!(add.stdout, "1\n");
    std::fs::rename(&behind, &socket).unwrap();
    world.ended(1);
    assert_eq!(world.apex(["task", "list", "--json", "--all"]).json().as_array().unwrap().len(), 1);
    assert_eq!(std::fs::read_to_string(world.path("effects")).unwrap(), "once\n");
    drop(proxy);
}

/// Carries bytes both ways. The first answer that holds response headers after a task was sent is thrown away, the
/// apexd behind it killed, and the connection cut; later connections pass untouched.
fn pass(client: UnixStream, server: UnixStream, cut: &Arc<AtomicBool>, apexd: i32) {
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let sent = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let sent = sent.clone();
        move || {
            let mut buffer = [0; 65536];
            while let Ok(n @ 1..) = from_client.read(&mut buffer) {
                if buffer[..n].windows(7).any(|window| window == b"effects") {
                    sent.store(true, Ordering::SeqCst);
                }
                if to_server.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
            let _ = to_server.shutdown(std::net::Shutdown::Write);
        }
    });
    let (mut from_server, mut to_client) = (server, client);
    let cut = cut.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(n @ 1..) = from_server.read(&mut buffer) {
            // A response to the add is larger than the frames by which a connection is kept.
            if n > 100 && sent.load(Ordering::SeqCst) && !cut.swap(true, Ordering::SeqCst) {
                signal(apexd, Signal::SIGKILL);
                break;
            }
            if to_client.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(std::net::Shutdown::Both);
    });
}

#[test]
fn restart_replaces_apexd_under_running_tasks() {
    let world = World::started();
    let id = world.add(&counting(6));
    world.until_state(id, "running");
    let follower = world.spawn(["task", "logs", "-f", &id.to_string()]);
    let guardian = world.guardian_pid();
    for _ in 0..5 {
        let before = world.apexd_pid();
        world.apex(["daemon", "restart"]).expect(0);
        assert_ne!(world.apexd_pid(), before);
    }
    assert_eq!(world.guardian_pid(), guardian);
    assert_eq!(world.state(id), "running");
    std::fs::write(world.path("go"), "").unwrap();
    assert_eq!(world.ended(id)["exit_code"], json!(6));
    let followed = follower.wait();
    assert_eq!(followed.code, 6, "{}", followed.stderr);
    assert_counts_up(&followed.stdout);
    assert_eq!(followed.stdout, world.apex(["task", "logs", &id.to_string()]).stdout);
}

#[test]
fn the_program_that_was_gone_back_to_is_started_again_and_again() {
    let mut world = World::new();
    let died = world.path("died");
    std::fs::write(&died, "").unwrap();
    world.set_variable("APEX_FAULT_CRASH", "apexd.store.opened");
    world.set_variable("APEX_FAULT_ONCE", &died.to_string_lossy());
    world.apex(["daemon", "start"]).expect(0);
    let guardian = world.guardian_pid();
    for _ in 0..2 {
        // The new apexd dies before it is ready, so the one before comes back.
        std::fs::remove_file(&died).unwrap();
        world.apex(["daemon", "restart"]);
        eventually("the new one has died", || died.exists());
        for _ in 0..2 {
            eventually("one serves", || world.apex(["daemon", "status"]).code == 0);
            signal(world.apexd_pid(), Signal::SIGKILL);
        }
    }
    eventually("one serves", || world.apex(["daemon", "status"]).code == 0);
    assert_eq!(world.guardian_pid(), guardian, "{}", world.log());
}
