//! apexd is killed over and over while tasks of every sort run, wait and are tried again: no ending changes.

mod feed;
pub mod oracle;
pub mod probe;

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{World, eventually, long, signal};

/// A pseudo-random number generator, so that a run that failed can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// How a task is to end, and after how many attempts.
type Ending = (&'static str, u64, Value);

struct Storm {
    world: World,
    dice: Dice,
    kills: u32,
    endings: BTreeMap<u64, Ending>,
}

impl Storm {
    /// Adds a task that writes down each time it is started, and what is expected of it. Every now and then apexd is
    /// killed right after that.
    fn add(&mut self, flags: &[&str], line: &str, ending: Ending) -> u64 {
        let id = self.world.add_with(flags, &format!("echo $APEX_TASK_ID.$APEX_ATTEMPT >> started; {line}"));
        self.endings.insert(id, ending);
        if self.dice.roll(4) == 0 {
            self.kill();
        }
        id
    }

    fn kill(&mut self) {
        // It may have ended between the question and the answer: another round finds the next one.
        if let Some(pid) = self.world.status()["pid"].as_i64() {
            signal(i32::try_from(pid).unwrap(), Signal::SIGKILL);
            self.kills += 1;
        }
    }

    fn ended(&self) -> u64 {
        self.world.status()["tasks_processed"].as_u64().unwrap_or(0)
    }

    /// Tasks of every sort.
    fn add_everything(&mut self) {
        let build = self.add(&[], "echo built", ("succeeded", 1, json!(0))).to_string();
        let test = self.add(&["--after", &build], "echo oops; exit 3", ("failed", 1, json!(3))).to_string();
        let package = self.add(&["--after", &test], "true", ("skipped", 0, Value::Null)).to_string();
        self.add(&["--after", &package], "true", ("skipped", 0, Value::Null));
        self.add(&["--after-any", &package, "-Q", "one"], "true", ("succeeded", 1, json!(0)));
        let again = &["--retries", "2", "--retry-delay", "30ms"];
        self.add(again, "[ $APEX_ATTEMPT = 3 ]", ("succeeded", 3, json!(0)));
        let never = &["--retries", "1", "--retry-delay", "30ms", "--retry-backoff", "fixed"];
        self.add(never, "exit 7", ("failed", 2, json!(7)));
        self.add(&["--timeout", "200ms"], "exec sleep 1000", ("timed_out", 1, Value::Null));
        self.add(&["--in", "300ms", "-Q", "one"], "true", ("succeeded", 1, json!(0)));
        self.add(&["-Q", "one", "-p", "5"], "sleep 0.05; exit 4", ("failed", 1, json!(4)));
    }
}

#[test]
fn killing_apexd_at_any_moment_changes_no_ending() {
    let world = World::with_config("[daemon]\nmax_concurrent = 4\n[queues.one]\nslots = 1\n");
    world.apex(["daemon", "start"]).expect(0);
    let guardian = world.guardian_pid();
    let mut storm = Storm { world, dice: Dice(0xA9E), kills: 0, endings: BTreeMap::new() };
    for _ in 0..4 * long() {
        storm.add_everything();
    }
    let total = storm.endings.len() as u64;
    while storm.ended() < total {
        let target = (storm.ended() + storm.dice.roll(3)).min(total);
        eventually("some more have ended", || storm.ended() >= target);
        storm.kill();
    }
    let Storm { world, kills, endings, .. } = storm;
    assert!(kills >= 5, "it was over after {kills} kills");
    assert_eq!(world.guardian_pid(), guardian, "the guardian was there all the time");

    let started = std::fs::read_to_string(world.path("started")).unwrap();
    let mut expected = Vec::new();
    for (id, (state, attempts, code)) in &endings {
        let task = world.show(*id);
        assert_eq!((&task["state"], &task["attempt"]), (&json!(state), &json!(attempts)), "{task}");
        assert_eq!(&task["exit_code"], code, "{task}");
        expected.extend((1..=*attempts).map(|attempt| format!("{id}.{attempt}")));
    }
    let mut seen: Vec<_> = started.lines().map(str::to_owned).collect();
    expected.sort_unstable();
    seen.sort_unstable();
    assert_eq!(seen, expected, "each attempt was started once");
}
