//! Every named point in turn: a process dies there, in the middle of work of every sort, and nothing comes of it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use apex::fault::POINTS;
use nix::sys::signal::Signal;

use crate::guardian::exits_are_told;
use crate::storm::oracle::{self, Ledger, Loss};
use crate::storm::probe::{self, Fate, Probe, effects};
use crate::support::{PATIENCE, Run, World, eventually, process_state, signal};

/// So many worlds at once: each of them mostly waits.
const WORLDS: usize = 6;

const CONFIG: &str = "[daemon]\nmax_concurrent = 6\n[queues.one]\nslots = 1\n[shutdown]\nkill_grace = \"200ms\"\n[[hooks]]\nname = \"tell\"\non = \"start\"\ncommand = [\"true\"]\n";

/// What a process comes by only once in its life, when it starts or when it ends. A guardian begins another life when it
/// becomes another program, which it does between two apexds.
const ONCE_IN_A_LIFE: [&str; 20] = [
    "guardian.locked",
    "guardian.listening",
    "guardian.roll_call.begun",
    "guardian.apexd.started",
    "guardian.replace.ordered",
    "guardian.apexd.ended",
    "apexd.store.opened",
    "apexd.roll_call.heard",
    "apexd.past.decided",
    "apexd.past.settled",
    "apexd.ready.told",
    "apexd.replace.ordered",
    "guardian.stop.asked",
    "apexd.drain.begun",
    "apexd.store.closed",
    "apexd.link.closed",
    "guardian.last_words.written",
    "guardian.program.exchanged",
    "guardian.resumed",
    "apexd.place.taken",
];

/// Whoever dies here is the only one who knows of a process.
const ALONE: [&str; 5] = [
    "guardian.spawn.ordered",
    "guardian.spawn.done",
    "guardian.spawn.held",
    "guardian.link.half_told",
    "guardian.link.told",
];

/// Whoever dies here has nobody beside him who could go on: what ran then runs on by itself.
const LAST: [&str; 4] =
    ["guardian.program.exchanged", "guardian.resumed", "apexd.place.taken", "guardian.last_words.written"];

/// Who dies, and when.
#[derive(Debug, Clone, Copy)]
struct Case {
    point: &'static str,
    hit: u32,
    /// Only when much is under way.
    late: bool,
}

impl Case {
    /// Nobody is there any more when this one has died.
    fn is_last(&self) -> bool {
        // Before the first apexd, and while another one is on its way, there is none that could take the place.
        let is_between = ["guardian.apexd.ended", "guardian.apexd.started"].contains(&self.point);
        let is_unheard = self.point.starts_with("guardian.roll_call.");
        LAST.contains(&self.point) || is_between || is_unheard
    }

    fn all() -> VecDeque<Case> {
        let of = |point: &&'static str| {
            let is_once = ONCE_IN_A_LIFE.contains(point);
            let second = Case { point, hit: if is_once { 1 } else { 2 }, late: is_once };
            [Case { point, hit: 1, late: false }, second]
        };
        POINTS.iter().flat_map(of).collect()
    }
}

/// A world with a fault in it, and what its clients do.
struct Play {
    world: World,
    case: Case,
    /// Is made by the process that dies.
    died: PathBuf,
    ledger: Ledger,
}

impl Play {
    fn new(case: Case) -> Play {
        let mut world = World::with_config(CONFIG);
        probe::install(&world.root());
        let died = world.path("died");
        world.set_variable("APEX_FAULT_CRASH", &format!("{}:{}", case.point, case.hit));
        world.set_variable("APEX_FAULT_ONCE", &died.to_string_lossy());
        let is_seen = !case.point.starts_with("guardian.") || exits_are_told();
        let may_lose = match case.point {
            point if ALONE.contains(&point) || case.is_last() || !is_seen => Loss::Everything,
            point if point.starts_with("guardian.") => Loss::Starts,
            _ => Loss::Nothing,
        };
        let ledger = Ledger { may_lose, limits: (6, 1), ..Ledger::default() };
        Play { world, case, died, ledger }
    }

    /// Runs a command, again for as long as there is no daemon to answer it.
    fn insist(&self, args: &[&str]) -> Run {
        let began = Instant::now();
        loop {
            let run = self.world.apex(args);
            if run.code != 3 {
                return run;
            }
            assert!(began.elapsed() < PATIENCE, "nobody ever answered {args:?}: {run:?}");
        }
    }

    /// Adds a probe until that is acknowledged, each time under another name, and returns the task's number.
    fn add(&mut self, probe: Probe) -> u64 {
        for round in 0.. {
            let named = Probe { name: format!("{}-{round}", probe.name), ..probe.clone() };
            let run = self.world.apex(named.add());
            self.ledger.probes.insert(named.name.clone(), named.clone());
            match run.code {
                0 => {
                    let id = run.stdout.trim().parse().unwrap();
                    self.ledger.acknowledged.insert(id, named.name);
                    return id;
                }
                3 if round < 100 => {}
                _ => panic!("{run:?}"),
            }
        }
        unreachable!()
    }

    /// Has a probe added by a schedule that is due once, and waits for that. If it fired twice, there would be two of it.
    fn add_by_schedule(&mut self, probe: Probe) {
        for round in 0.. {
            let named = Probe { name: format!("{}-{round}", probe.name), ..probe.clone() };
            let words = named.add();
            let words = words.iter().map(String::as_str).skip_while(|word| *word != "--");
            let flags = ["schedule", "add", named.name.as_str(), "--at", "in 200ms"];
            let run = self.world.apex(flags.into_iter().chain(words));
            self.ledger.probes.insert(named.name.clone(), named.clone());
            match run.code {
                0 => {
                    let mut id = None;
                    eventually("the schedule has fired", || {
                        let list = self.insist(&["task", "list", "--all", "-q", "--schedule", &named.name]);
                        id = list.stdout.trim().parse().ok();
                        id.is_some()
                    });
                    self.ledger.acknowledged.extend(id.map(|id| (id, named.name.clone())));
                    return;
                }
                3 if round < 100 => {}
                // While there was no daemon to take it.
                1 if round < 100 && run.stderr.contains("has passed already") => {}
                _ => panic!("{run:?}"),
            }
        }
    }

    /// Waits until a probe has written that it started, or never will.
    fn until_started(&self, id: u64) {
        let mut looks = 0;
        eventually("it runs", || {
            looks += 1;
            let (effects, _) = effects(&self.world.root());
            effects.iter().any(|effect| effect.task == id) || (looks % 100 == 0 && self.has_ended(id))
        });
    }

    fn has_ended(&self, id: u64) -> bool {
        let run = self.insist(&["task", "wait", "--timeout", "100ms", &id.to_string()]);
        run.code != 75
    }

    /// Does a bit of everything that tasks are for, and returns when all of it has ended.
    fn perform(&mut self) {
        if self.case.late {
            std::fs::write(&self.died, "").unwrap();
        }
        self.insist(&["daemon", "start"]);
        self.refuse_starts();
        let gated = |name: &str| Probe { gate: true, lines: 50, ..Probe::new(name, 0) };
        let paused = self.add(gated("paused").terminal());
        let stubborn = self.add(Probe { stubborn: true, fate: Fate::Cancelled, ..gated("stubborn") });
        let again = self.add(Probe { ends: vec![5], ..gated("again") }.flags(&["--on-interrupt", "rerun"]));
        let held = self.add(Probe { fate: Fate::Cancelled, ..Probe::new("held", 0) }.flags(&["--hold"]));
        for id in [paused, stubborn, again] {
            self.until_started(id);
        }
        self.ledger.interfered.insert(stubborn);
        for _ in 0..2 {
            self.insist(&["task", "pause", &paused.to_string()]);
            self.insist(&["task", "resume", &paused.to_string()]);
        }
        // The first is stored at once, the second a moment later.
        let of_paused = paused.to_string();
        let tell = |done| self.insist(&["progress", done, "--total", "9", "--task", &of_paused, "--wait"]).code == 0;
        let told = tell("1") && tell("2");
        self.insist(&["task", "cancel", &stubborn.to_string()]);
        if self.insist(&["task", "cancel", &held.to_string()]).code == 0 {
            let length = std::fs::metadata(self.world.path(probe::EFFECTS)).unwrap().len();
            self.ledger.cancelled.insert(held, length);
        }
        let first = self.add(gated("first"));
        let second = self.add(Probe::new("second", 4).flags(&["--after", &first.to_string()]));
        let skipped = Probe { fate: Fate::Skipped, ..Probe::new("skipped", 0) };
        self.add(skipped.flags(&["--after", &second.to_string()]));
        self.add(Probe::new("thrice", 0).retried(2, &[3, 3, 0]).terminal());
        if self.case.late {
            std::fs::remove_file(&self.died).unwrap();
        }
        if self.case.point == "apexd.place.taken" {
            signal(self.world.guardian_pid(), Signal::SIGKILL);
        }
        // Whoever is to come by a second time must live so long.
        let is_replaced = self.case.hit == 1 || self.case.point.starts_with("guardian.");
        for _ in 0..if is_replaced { 2 } else { 0 } {
            // It may have been replaced by its death.
            self.world.apex(["daemon", "restart"]);
        }
        self.add(Probe::new("later", 0).flags(&["--in", "100ms", "-Q", "one"]));
        self.add(Probe { nap: "0.03", ..Probe::new("one", 7) }.flags(&["-Q", "one"]));
        // What nobody can signal any more must end by itself.
        let nap = if self.case.is_last() { "1" } else { "1000" };
        let endless = Probe { nap, fate: Fate::TimedOut, ..Probe::new("endless", 0) };
        self.add(endless.flags(&["--timeout", "150ms"]));
        self.add_by_schedule(Probe::new("timed", 0));
        self.add_by_schedule(Probe::new("timed-again", 3));
        self.add(Probe { child: true, block: 100_000, ..Probe::new("parent", 9) }.split());
        self.add(Probe::new("suicide", -9));
        let gate = probe::open_gate(&self.world.root());
        if self.case.point == "guardian.last_words.written" {
            self.leave_the_guardian_alone();
        }
        if self.case.is_last() || died_between_two(&self.world.log()) {
            self.wake_whom_nobody_can_signal();
        }
        let all: Vec<String> = self.ledger.acknowledged.keys().map(u64::to_string).collect();
        let wait: Vec<&str> =
            ["task", "wait", "--timeout", "30s"].into_iter().chain(all.iter().map(String::as_str)).collect();
        self.insist(&wait);
        drop(gate);
        let shown = self.insist(&["task", "show", "--json", &of_paused]).json();
        if told && shown["attempt"] == 1 && shown["state"] == "succeeded" {
            assert_eq!(shown["progress"]["done"], 2, "what was stored is there: {shown}");
        }
    }

    /// Nothing can be started for a while, so that what was claimed is given back.
    fn refuse_starts(&mut self) {
        if !self.case.point.starts_with("apexd.unclaim.") {
            return;
        }
        let output = self.world.dot_apex().join("output");
        std::fs::create_dir_all(&output).unwrap();
        std::fs::write(output.join("0"), "").unwrap();
        self.add(Probe::new("refused", 0));
        eventually("a claim was given back", || self.died.exists());
        std::fs::remove_file(output.join("0")).unwrap();
    }

    /// The guardian finds no apexd any more, and writes down how the tasks end.
    fn leave_the_guardian_alone(&self) {
        self.world.forbid_starts();
        let guardian = self.world.guardian_pid();
        signal(self.world.apexd_pid(), Signal::SIGKILL);
        eventually("it gives up", || self.world.dot_apex().join("daemon.failed").exists());
        signal(guardian, Signal::SIGTERM);
        eventually("it died with its last words written", || self.died.exists());
        self.world.allow_starts();
    }

    /// Lets processes go on that were paused when the guardian died: nobody else can.
    fn wake_whom_nobody_can_signal(&self) {
        for pid in self.world.processes() {
            if process_state(pid) == Some('T') {
                signal(pid, Signal::SIGCONT);
            }
        }
    }

    /// Stops the daemon as its point wants it, and starts it again.
    fn stop(&self) {
        if self.case.point == "guardian.stop.asked" {
            let guardian = self.world.guardian_pid();
            signal(guardian, Signal::SIGTERM);
            eventually("it is gone", || process_state(guardian).is_none_or(|state| state == 'Z'));
        }
        self.insist(&["daemon", "stop"]);
        self.insist(&["daemon", "start"]);
    }
}

/// Returns whether the guardian died while an apexd that made way for the next one was gone already: nobody was left then who
/// could take its place. On a busy machine that is so at points at which it is still there on an idle one.
fn died_between_two(log: &str) -> bool {
    let lines: Vec<&str> = log.lines().collect();
    let orphaned = lines.iter().position(|line| line.contains("runs on without a guardian"));
    let before = orphaned.and_then(|line| lines.get(line.checked_sub(1)?));
    before.is_some_and(|line| line.contains("Handing over to "))
}

/// Plays one case, and returns what is wrong afterwards.
fn play(case: Case) -> Vec<String> {
    let mut play = Play::new(case);
    play.perform();
    // The way down has its points as well; then it is looked at what is left.
    play.stop();
    if play.ledger.may_lose == Loss::Starts && died_between_two(&play.world.log()) {
        play.ledger.may_lose = Loss::Everything;
    }
    let mut wrong = oracle::check(&play.world, &play.ledger);
    if !play.died.exists() {
        wrong.push("nobody came by this point".to_owned());
    }
    if !wrong.is_empty() {
        // First, so that a report of which only the end is kept says what is wrong.
        wrong.insert(0, play.world.log());
    }
    wrong
}

/// `APEX_POINT=word` plays only the points with this word in their names.
#[test]
fn dying_at_any_point_changes_nothing_that_was_promised() {
    let cases = Mutex::new(Case::all());
    let wrong = Mutex::new(Vec::new());
    let only = std::env::var("APEX_POINT").ok();
    std::thread::scope(|scope| {
        for _ in 0..WORLDS {
            scope.spawn(|| {
                while let Some(case) = { cases.lock().unwrap().pop_front() } {
                    if only.as_ref().is_some_and(|only| !case.point.contains(only.as_str())) {
                        continue;
                    }
                    let began = Instant::now();
                    let found = std::panic::catch_unwind(|| play(case)).unwrap_or_else(|panic| {
                        let told = panic.downcast_ref::<String>().cloned();
                        vec![told.unwrap_or_else(|| "a panic".to_owned())]
                    });
                    eprintln!("{case:?} took {:?}, {} wrong", began.elapsed(), found.len());
                    if !found.is_empty() {
                        wrong.lock().unwrap().push(format!("{case:?}:\n  {}", found.join("\n  ")));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}
