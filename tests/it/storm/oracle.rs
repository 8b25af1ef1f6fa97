//! What must be true when the last fault is over, however often who was killed: the effect log of the probes, what
//! clients were told, what the store remembers and what lies in the files are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::storm::feed;
use crate::storm::probe::{Effect, Fate, Probe, effects};
use crate::support::{World, process_state};

/// What may be lost, with the reason recorded, because somebody was killed who alone knew of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    #[default]
    Nothing,
    /// The guardian was: what it was about to start in that moment, of which nobody was told yet.
    Starts,
    /// The guardian and whoever knew besides it were: all that ran.
    Everything,
}

/// So many pieces there are of what some probes need.
const PIECES: usize = 2;

/// What the clients of a world did and were told.
#[derive(Debug, Default)]
pub struct Ledger {
    /// All probes that were sent, acknowledged or not.
    pub probes: BTreeMap<String, Probe>,
    /// The numbers of those that were acknowledged.
    pub acknowledged: BTreeMap<u64, String>,
    /// Waiting tasks whose cancel was acknowledged, and how long the effect log was then.
    pub cancelled: BTreeMap<u64, u64>,
    /// How far tasks said they were, as was acknowledged.
    pub told: BTreeMap<u64, u64>,
    /// Tasks that somebody interfered with: how they end depends on who came first.
    pub interfered: BTreeSet<u64>,
    pub may_lose: Loss,
    /// How many may run at once, and how many of the queue `one`.
    pub limits: (usize, usize),
}

/// Everything that can be known about a world at rest.
struct Rest<'a> {
    ledger: &'a Ledger,
    tasks: BTreeMap<u64, Value>,
    effects: Vec<Effect>,
    wrong: Vec<String>,
}

/// Waits until every task has ended, and returns what is wrong.
pub fn check(world: &World, ledger: &Ledger) -> Vec<String> {
    let listed = world.apex(["task", "list", "--json", "--all"]).expect(0).json();
    let ids: Vec<String> = listed.as_array().unwrap().iter().map(|task| task["id"].to_string()).collect();
    if ids.is_empty() {
        return ledger.acknowledged.keys().map(|id| format!("task {id} was acknowledged and is not there")).collect();
    }
    let mut tasks = BTreeMap::new();
    for ids in ids.chunks(200) {
        let wait = ["task", "wait", "--json", "--timeout", "60s"].into_iter().chain(ids.iter().map(String::as_str));
        let run = world.apex(wait);
        if run.code == 75 {
            return vec![format!("some never ended: {}", run.stderr)];
        }
        let told = run.json();
        let told = told.as_array().cloned().unwrap_or_else(|| vec![told]);
        tasks.extend(told.into_iter().map(|task| (task["id"].as_u64().unwrap(), task)));
    }
    let (effects, torn) = effects(&world.root());
    let wrong = torn.into_iter().map(|line| format!("a torn line in the effect log: {line:?}")).collect();
    let mut rest = Rest { ledger, tasks, effects, wrong };
    rest.check_tasks();
    rest.check_starts();
    rest.check_limits();
    rest.check_outputs(&world.dot_apex().join("output"));
    rest.check_feed(world);
    rest.check_processes(world);
    rest.check_database(&world.dot_apex().join("apex.db"));
    rest.wrong
}

/// Tells the essence of a task in one line.
fn brief(task: &Value) -> String {
    let attempt = |attempt: &Value| {
        let (from, to) = (text(attempt, "started_at"), text(attempt, "ended_at"));
        format!("{} {} {:?} {from} {to}", attempt["pid"], text(attempt, "state"), recorded_end(attempt))
    };
    let told: Vec<String> = attempts(task).iter().map(attempt).collect();
    let (id, name, state, reason) = (&task["id"], text(task, "name"), text(task, "state"), &task["reason"]);
    format!("task {id} `{name}` {state} {reason} {told:?}")
}

fn attempts(task: &Value) -> &[Value] {
    task["attempts"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

impl Rest<'_> {
    fn probe(&self, task: &Value) -> Option<&Probe> {
        self.ledger.probes.get(text(task, "name"))
    }

    /// Each acknowledged add is there once, ended as it had to.
    fn check_tasks(&mut self) {
        let mut wrong = Vec::new();
        let mut names = BTreeSet::new();
        for (id, task) in &self.tasks {
            let name = text(task, "name");
            if !names.insert(name) {
                wrong.push(format!("`{name}` was added twice"));
            }
            if !task["ended_at"].is_string() {
                wrong.push(format!("has not ended: {}", brief(task)));
            }
            let told = self.ledger.told.get(id).filter(|told| task["progress"]["done"] != **told);
            wrong.extend(told.map(|told| format!("{told} was told, not {}: {}", task["progress"], brief(task))));
            match self.probe(task) {
                Some(probe) => wrong.extend(self.wrong_end(*id, task, probe)),
                None => wrong.push(format!("was never sent: {}", brief(task))),
            }
        }
        for (id, name) in &self.ledger.acknowledged {
            if self.tasks.get(id).is_none_or(|task| text(task, "name") != name) {
                wrong.push(format!("task {id}, `{name}`, was acknowledged and is not there"));
            }
        }
        self.wrong.extend(wrong);
    }

    /// Says what is wrong with how a task ended, if nobody interfered.
    fn wrong_end(&self, id: u64, task: &Value, probe: &Probe) -> Option<String> {
        let attempts = attempts(task);
        let may_lose = |attempt: &Value| match self.ledger.may_lose {
            Loss::Nothing => false,
            Loss::Starts => attempt["pid"].is_null(),
            Loss::Everything => true,
        };
        if attempts.iter().any(|attempt| text(attempt, "state") == "lost" && !may_lose(attempt)) {
            return Some(format!("lost, though somebody always knew of it: {}", brief(task)));
        }
        let is_upset = |state: &str| ["lost", "interrupted", "skipped"].contains(&state);
        let is_upset = is_upset(text(task, "state")) || attempts.iter().any(|attempt| is_upset(text(attempt, "state")));
        if self.ledger.interfered.contains(&id) || (self.is_anything_lost() && is_upset) {
            return None;
        }
        // What outlived guardian and apexd is watched, but nobody can end it any more when its time is over.
        let is_out_of_reach = self.ledger.may_lose == Loss::Everything && text(task, "state") == "succeeded";
        if probe.fate == Fate::TimedOut && is_out_of_reach {
            return None;
        }
        let (state, count, end) = match probe.fate {
            Fate::Skipped => ("skipped", 0, None),
            Fate::Cancelled => ("cancelled", attempts.len(), None),
            Fate::TimedOut => ("timed_out", probe.retries + 1, None),
            Fate::ByItself => {
                let end = probe.end(probe.attempts());
                (if end == 0 { "succeeded" } else { "failed" }, probe.attempts(), Some(end))
            }
        };
        let is_as_told = text(task, "state") == state
            && attempts.len() == count
            && end.is_none_or(|end| end == recorded_end(task).unwrap_or(i32::MIN));
        (!is_as_told).then(|| format!("it had to be {state} by {end:?} after {count} attempts: {}", brief(task)))
    }

    /// Each attempt started once, ended as recorded, and is there for a reason.
    fn check_starts(&mut self) {
        let mut wrong = Vec::new();
        let mut starts: BTreeMap<(u64, usize), Vec<&Effect>> = BTreeMap::new();
        let mut ends: BTreeMap<(u64, usize), &Effect> = BTreeMap::new();
        for effect in &self.effects {
            let key = (effect.task, effect.attempt);
            if effect.is_start {
                starts.entry(key).or_default().push(effect);
            } else if ends.insert(key, effect).is_some() {
                wrong.push(format!("ended twice: {effect:?}"));
            }
            let cancelled = self.ledger.cancelled.get(&effect.task);
            if cancelled.is_some_and(|length| effect.is_start && effect.offset >= *length) {
                wrong.push(format!("started after its cancel was acknowledged: {effect:?}"));
            }
        }
        for ((task, attempt), started) in &starts {
            if started.len() > 1 {
                wrong.push(format!("attempt {attempt} of task {task} started {} times: {started:?}", started.len()));
            }
            let recorded = self.tasks.get(task).and_then(|task| attempts(task).get(attempt - 1));
            if recorded.is_none() {
                wrong.push(format!("attempt {attempt} of task {task} started and is not recorded: {started:?}"));
            }
        }
        for (id, task) in &self.tasks {
            for (index, recorded) in attempts(task).iter().enumerate() {
                let key = (*id, index + 1);
                let (started, ended) = (starts.get(&key).and_then(|started| started.first()), ends.get(&key));
                wrong.extend(self.wrong_attempt(task, index, recorded, started.copied(), ended.copied()));
            }
        }
        self.wrong.extend(wrong);
    }

    fn wrong_attempt(
        &self,
        task: &Value,
        index: usize,
        recorded: &Value,
        started: Option<&Effect>,
        ended: Option<&Effect>,
    ) -> Option<String> {
        let state = text(recorded, "state");
        let is_cut_off = ["cancelled", "timed_out", "interrupted", "lost"].contains(&state);
        let end = recorded_end(recorded);
        let told = || format!("attempt {} of {}; log: {started:?}, {ended:?}", index + 1, brief(task));
        if recorded["attempt"] != index + 1 {
            return Some(format!("attempts are not numbered from 1: {}", told()));
        }
        if started.is_none() && !is_cut_off {
            return Some(format!("ended by itself and never started: {}", told()));
        }
        if state != "lost" && started.is_some_and(|started| recorded["pid"] != started.pid) {
            return Some(format!("recorded with another pid: {}", told()));
        }
        if ended.is_some_and(|ended| end != Some(ended.end)) && !is_cut_off {
            return Some(format!("recorded with another end: {}", told()));
        }
        if ended.is_none() && !is_cut_off {
            return Some(format!("recorded as ended by itself, and it did not: {}", told()));
        }
        // A further attempt needs a reason.
        let is_last = index + 1 == attempts(task).len();
        let has_reason = match state {
            "failed" | "timed_out" => self.probe(task).is_some_and(|probe| probe.retries > 0),
            state => ["lost", "interrupted"].contains(&state),
        };
        (!is_last && !has_reason).then(|| format!("started again without a reason: {}", told()))
    }

    /// Never more at once than allowed: by the order in the effect log, and by the recorded times.
    fn check_limits(&mut self) {
        let (all, one) = self.ledger.limits;
        if self.ledger.may_lose == Loss::Everything {
            // What is lost may run on.
            return;
        }
        let queue_of = |id: u64| self.tasks.get(&id).map(|task| text(task, "queue") == "one").unwrap_or_default();
        let needs_a_piece =
            |id: u64| self.tasks.get(&id).and_then(|task| self.probe(task)).is_some_and(Probe::needs_a_piece);
        let ended: BTreeSet<(u64, usize)> =
            self.effects.iter().filter(|effect| !effect.is_start).map(|effect| (effect.task, effect.attempt)).collect();
        let mut running = BTreeSet::new();
        let mut wrong = Vec::new();
        // Those that were cut off did not write down their end.
        for effect in self.effects.iter().filter(|effect| ended.contains(&(effect.task, effect.attempt))) {
            let key = (effect.task, effect.attempt);
            let _ = if effect.is_start { running.insert(key) } else { running.remove(&key) };
            let of_one = running.iter().filter(|(task, _)| queue_of(*task)).count();
            let pieces = running.iter().filter(|(task, _)| needs_a_piece(*task)).count();
            if running.len() > all || of_one > one || pieces > PIECES {
                wrong.push(format!("too many ran at once: {running:?}"));
            }
        }
        let mut moments = Vec::new();
        for (id, task) in &self.tasks {
            for attempt in attempts(task).iter().filter(|attempt| text(attempt, "state") != "lost") {
                if let (Some(from), Some(to)) = (attempt["started_at"].as_str(), attempt["ended_at"].as_str()) {
                    if to < from {
                        wrong.push(format!("ended before it started: {attempt}"));
                    }
                    // One that is over within a millisecond is not to be told from its neighbours.
                    if to > from {
                        moments.extend([(from, true, *id), (to, false, *id)]);
                    }
                }
            }
        }
        // What ends in the same millisecond makes room.
        moments.sort_unstable_by_key(|(at, is_start, _)| (*at, *is_start));
        let (mut count, mut of_one) = (0_usize, 0_usize);
        for (at, is_start, id) in &moments {
            let is_one = usize::from(queue_of(*id));
            if *is_start {
                (count, of_one) = (count + 1, of_one + is_one);
            } else {
                (count, of_one) = (count.saturating_sub(1), of_one.saturating_sub(is_one));
            }
            if count > all || of_one > one {
                wrong.push(format!("{count} were recorded as running at {at}, {of_one} of them of the queue `one`"));
            }
        }
        self.wrong.extend(wrong);
    }

    /// What an attempt wrote is in its files, byte by byte, and nothing else is there.
    fn check_outputs(&mut self, directory: &Path) {
        let mut known = BTreeSet::new();
        let mut wrong = Vec::new();
        let complete: BTreeSet<(u64, usize)> =
            self.effects.iter().filter(|effect| !effect.is_start).map(|effect| (effect.task, effect.attempt)).collect();
        for (id, task) in &self.tasks {
            let Some(probe) = self.probe(task) else { continue };
            for (index, attempt) in attempts(task).iter().enumerate() {
                let number = index + 1;
                let outputs = attempt["output"].as_array().map(Vec::as_slice).unwrap_or_default();
                let streams: &[&str] = if probe.split { &["stdout", "stderr"] } else { &["merged"] };
                for stream in streams {
                    let output = outputs.iter().find(|output| text(output, "stream") == *stream);
                    let bytes = output.map(|output| std::fs::read(text(output, "path")).unwrap_or_default());
                    let bytes = bytes.unwrap_or_default();
                    let expected = probe.output(number, stream);
                    let is_complete = complete.contains(&(*id, number));
                    let is_right = if is_complete {
                        bytes == expected.as_bytes()
                    } else {
                        expected.as_bytes().starts_with(&bytes)
                    };
                    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
                    let is_recorded =
                        output.is_none_or(|output| output["bytes"] == bytes.len() && output["sha256"] == hash.as_str());
                    if !is_right || !is_recorded {
                        let told = String::from_utf8_lossy(&bytes);
                        let told: String = told.chars().take(300).collect();
                        let task = brief(task);
                        wrong.push(format!("wrong output of attempt {number} of {task}: {told:?}, {output:?}"));
                    }
                    known.extend(output.map(|output| text(output, "path").to_owned()));
                }
            }
        }
        let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
        for file in files.flat_map(|directory| std::fs::read_dir(directory.path()).into_iter().flatten().flatten()) {
            if !known.contains(&*file.path().to_string_lossy()) {
                wrong.push(format!("nobody knows the file {}", file.path().display()));
            }
        }
        self.wrong.extend(wrong);
    }

    fn check_feed(&mut self, world: &World) {
        let events = world.apex(["events", "--json"]).expect(0).stdout;
        let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let states = self.tasks.iter().map(|(id, task)| (*id, text(task, "state").to_owned())).collect();
        self.wrong.extend(feed::check(&events, &states));
    }

    /// No process of a task that has ended is left, and the guardian has reaped all.
    fn check_processes(&mut self, world: &World) {
        let (apexd, guardian) = (world.apexd_pid(), world.guardian_pid());
        let left: Vec<i32> = world.processes().into_iter().filter(|pid| ![apexd, guardian].contains(pid)).collect();
        let told = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let lost: BTreeSet<i32> = self.lost().collect();
        for pid in left {
            if getsid(Some(Pid::from_raw(pid))).is_ok_and(|session| lost.contains(&session.as_raw())) {
                // Nobody knew of it any more.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            } else {
                self.wrong.push(format!("process {pid} is left: {:?}", told(&pid)));
            }
        }
        let children =
            std::fs::read_to_string(format!("/proc/{guardian}/task/{guardian}/children")).unwrap_or_default();
        for pid in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            // The last confirmation may be on its way.
            let mut looks = 0;
            while process_state(pid) == Some('Z') && looks < 200 {
                std::thread::park_timeout(std::time::Duration::from_millis(5));
                looks += 1;
            }
            if looks == 200 {
                self.wrong.push(format!("process {pid} was not reaped"));
            }
        }
    }

    /// Returns whether something is lost that may be: what depends on it can then end otherwise.
    fn is_anything_lost(&self) -> bool {
        let mut all = self.tasks.values().flat_map(attempts);
        match self.ledger.may_lose {
            Loss::Nothing => false,
            Loss::Starts => all.any(|attempt| text(attempt, "state") == "lost"),
            Loss::Everything => true,
        }
    }

    /// Returns the sessions of attempts that were lost.
    fn lost(&self) -> impl Iterator<Item = i32> {
        let lost = self.tasks.iter().flat_map(|(id, task)| {
            let lost = attempts(task).iter().enumerate().filter(|(_, attempt)| text(attempt, "state") == "lost");
            lost.map(|(index, _)| (*id, index + 1))
        });
        let lost: BTreeSet<(u64, usize)> = lost.collect();
        self.effects.iter().filter(move |effect| lost.contains(&(effect.task, effect.attempt))).map(|effect| effect.pid)
    }

    fn check_database(&mut self, path: &Path) {
        let open = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
        let checked = open.and_then(|db| db.query_row("PRAGMA quick_check", [], |row| row.get::<_, String>(0)));
        if checked.as_deref() != Ok("ok") {
            self.wrong.push(format!("the database is damaged: {checked:?}"));
        }
    }
}

/// Returns an exit code, negative for a signal.
fn recorded_end(value: &Value) -> Option<i32> {
    let number = |key: &str| value[key].as_i64().and_then(|number| i32::try_from(number).ok());
    number("exit_code").or_else(|| number("signal").map(|signal| -signal))
}
