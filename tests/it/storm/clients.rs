//! Clients that add, steer and go away at random.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::storm::oracle::Loss;
use crate::storm::probe::{self, Fate, Probe};
use crate::storm::{Dice, Storm};
use crate::support::{Run, Running, eventually};

/// Somebody who uses apex.
pub struct Client<'a> {
    storm: &'a Storm,
    number: u64,
    dice: Dice,
    /// The last task of this client that nobody interferes with, and whether it is to succeed.
    last: Option<(u64, bool)>,
    names: u32,
    may_lose: bool,
}

impl Client<'_> {
    pub fn new(storm: &Storm, number: u64) -> Client<'_> {
        let may_lose = storm.ledger.lock().unwrap().may_lose != Loss::Nothing;
        Client { storm, number, dice: Dice(0x5EED + number), last: None, names: 0, may_lose }
    }

    /// Adds and steers until all clients together have added so many, `pace` of them for each kill.
    pub fn work(mut self, tasks: u32, pace: u32) {
        loop {
            let added = self.storm.added.load(Ordering::SeqCst);
            if added >= tasks {
                return;
            }
            let is_over = self.storm.is_over.load(Ordering::SeqCst);
            if !is_over && added > (self.storm.kills.load(Ordering::SeqCst) + 1) * pace {
                std::thread::park_timeout(Duration::from_millis(2));
                continue;
            }
            self.storm.added.fetch_add(1, Ordering::SeqCst);
            self.do_something();
        }
    }

    fn do_something(&mut self) {
        let name = format!("c{}.{}", self.number, self.names);
        // What nobody can signal any more, when both guardian and apexd were killed, must end by itself.
        let endless = if self.may_lose { "2" } else { "1000" };
        self.names += 1;
        let plain = |end| Probe::new(name.clone(), end);
        match self.dice.roll(20) {
            0 => self.add(plain(0).retried(2, &[3, 3, 0])),
            1 => self.add(plain(0).retried(1, &[7, 7])),
            2 => {
                let endless = Probe { nap: endless, fate: Fate::TimedOut, ..plain(0) };
                self.add(endless.flags(&["--timeout", "150ms"]))
            }
            3 => self.add(Probe { child: true, block: 30_000, ..plain(9) }.split()),
            4 => self.add(plain(-9)),
            5 => self.add(Probe { nap: "0.1", ..plain(4) }.flags(&["-Q", "one", "-p", "5"])),
            6 => self.add(plain(0).flags(&["--in", "200ms", "-Q", "one"])),
            7 => self.cancel_one_that_waits(plain(0)),
            8 => self.cancel_one_that_runs(Probe { nap: endless, ..plain(0) }),
            9 => self.pause_and_resume(Probe { nap: "0.05", ..plain(0) }),
            10 => self.go_away(&plain(0)),
            11 => {
                self.add(plain(0));
                self.storm.world.apex(["daemon", "restart"]);
            }
            12 | 13 => self.follow_up(plain(6)),
            14 => {
                let slow = Probe { nap: "0.4", lines: 60, ..plain(1) };
                self.add(slow.flags(&["--on-interrupt", "rerun"]).terminal());
            }
            15 => self.add_by_schedule(plain(5)),
            16 => self.tell_progress(Probe { nap: "0.3", ..plain(0) }),
            17 => self.add(Probe { nap: "0.05", ..plain(0) }.with_a_piece()),
            18 => self.add(plain(3).retried(1, &[3, 3]).with_a_piece().terminal()),
            _ => self.add(Probe { lines: 30, ..plain(0) }),
        }
    }

    /// Adds a probe, and expects that to be acknowledged whoever dies meanwhile. Only when guardian and apexd die together
    /// is it not known whether it was added; then another one is.
    fn send(&mut self, mut probe: Probe) -> u64 {
        loop {
            self.storm.ledger.lock().unwrap().probes.insert(probe.name.clone(), probe.clone());
            let run = self.storm.world.apex(probe.add());
            if run.code == 3 && self.may_lose {
                probe.name.push('+');
                continue;
            }
            let id = run.expect(0).stdout.trim().parse().unwrap();
            self.storm.ledger.lock().unwrap().acknowledged.insert(id, probe.name);
            return id;
        }
    }

    /// Runs a command until somebody is there to answer it.
    fn insist(&self, args: &[&str]) -> Run {
        loop {
            let run = self.storm.world.apex(args);
            if run.code != 3 {
                return run;
            }
        }
    }

    fn add(&mut self, probe: Probe) {
        let is_to_succeed = probe.fate == Fate::ByItself && probe.end(probe.attempts()) == 0;
        let id = self.send(probe);
        self.last = Some((id, is_to_succeed));
    }

    /// Has one added by a schedule that is due once. If it fired twice there would be two of its name.
    fn add_by_schedule(&mut self, mut probe: Probe) {
        let id = loop {
            self.storm.ledger.lock().unwrap().probes.insert(probe.name.clone(), probe.clone());
            let words = probe.add();
            let words = words.iter().map(String::as_str).skip_while(|word| *word != "--");
            let words = ["schedule", "add", probe.name.as_str(), "--at", "in 100ms"].into_iter().chain(words);
            let run = self.storm.world.apex(words);
            // Nobody was there to take it in time; whether one who died had taken it already is not known.
            let is_late = run.code == 1 && run.stderr.contains("has passed already");
            let is_doubtful = run.code == 3 || (run.code == 1 && run.stderr.contains("is there already"));
            if is_late || is_doubtful {
                probe.name.push('x');
                continue;
            }
            run.expect(0);
            let mut id = None;
            eventually("the schedule has fired", || {
                let list = self.insist(&["task", "list", "--all", "-q", "--schedule", &probe.name]);
                id = list.stdout.trim().parse().ok();
                id.is_some()
            });
            break id.unwrap();
        };
        let is_to_succeed = probe.end(1) == 0;
        self.storm.ledger.lock().unwrap().acknowledged.insert(id, probe.name);
        self.last = Some((id, is_to_succeed));
    }

    /// Says of one how far it is, twice. What was acknowledged last is there in the end.
    fn tell_progress(&mut self, probe: Probe) {
        let id = self.send(probe);
        for done in [1, 2] {
            let run =
                self.insist(&["progress", &done.to_string(), "--total", "9", "--task", &id.to_string(), "--wait"]);
            // It may not have started yet, or have ended already.
            if run.code == 0 {
                self.storm.ledger.lock().unwrap().told.insert(id, done);
            }
        }
    }

    /// Adds one that depends on the last.
    fn follow_up(&mut self, probe: Probe) {
        let Some((on, is_to_succeed)) = self.last else { return self.add(probe) };
        let on = on.to_string();
        match (is_to_succeed, self.dice.roll(2)) {
            (_, 0) => self.add(probe.flags(&["--after-any", &on])),
            (true, _) => self.add(probe.flags(&["--after", &on])),
            (false, _) => {
                let id = self.send(Probe { fate: Fate::Skipped, ..probe }.flags(&["--after", &on]));
                self.last = Some((id, false));
            }
        }
    }

    fn cancel_one_that_waits(&mut self, probe: Probe) {
        let id = self.send(Probe { fate: Fate::Cancelled, ..probe }.flags(&["--hold"]));
        self.cancel(id, &["cancelled"]);
        let length = std::fs::metadata(self.storm.world.path(probe::EFFECTS)).unwrap().len();
        self.storm.ledger.lock().unwrap().cancelled.insert(id, length);
    }

    fn cancel_one_that_runs(&mut self, probe: Probe) {
        let stubborn = self.dice.roll(2) == 0;
        let id = self.send(Probe { stubborn, fate: Fate::Cancelled, ..probe });
        self.storm.ledger.lock().unwrap().interfered.insert(id);
        std::thread::park_timeout(Duration::from_millis(self.dice.roll(100)));
        // Where it may be lost it may have ended in any way before the cancel came.
        let ends: &[&str] = if self.may_lose { &["cancelled", "lost", "succeeded"] } else { &["cancelled"] };
        self.cancel(id, ends);
    }

    /// Cancels a task, unless it has ended in one of these ways.
    fn cancel(&self, id: u64, ends: &[&str]) {
        let run = self.insist(&["task", "cancel", &id.to_string()]);
        // The answer may have been lost with apexd; asked again, the next one says that it is done already.
        let has_ended = |end: &&str| run.stderr.contains(&format!("it has already ended as `{end}`"));
        // It may have outlived both guardian and apexd; then nobody can end it, and that is told.
        let has_outlived = self.may_lose && run.stderr.contains("has outlived the daemon");
        assert!(run.code == 0 || has_outlived || ends.iter().any(has_ended), "{run:?}");
    }

    fn pause_and_resume(&mut self, probe: Probe) {
        let id = self.send(probe).to_string();
        // Whether there is something to pause depends on who is faster.
        let paused = self.storm.world.apex(["task", "pause", &id]);
        assert!([0, 1, 3].contains(&paused.code), "{paused:?}");
        let resumed = self.insist(&["task", "resume", &id]);
        assert!([0, 1].contains(&resumed.code), "{resumed:?}");
    }

    /// Is killed in the middle of an add: whether there is a task then is nobody's to say, but there is at most one.
    fn go_away(&mut self, probe: &Probe) {
        self.storm.ledger.lock().unwrap().probes.insert(probe.name.clone(), probe.clone());
        let child: Running = self.storm.world.spawn(probe.add());
        std::thread::park_timeout(Duration::from_micros(self.dice.roll(20_000)));
        drop(child);
    }
}
