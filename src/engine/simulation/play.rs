//! One run: chance decides what happens next, then everything is left in peace and must come to an end.

use std::sync::Arc;
use std::time::Duration;

use super::Sabotage;
use super::apexd::{Apexd, Hands, UnderWay, greeting, ready};
use super::audit::{Audit, Verdict};
use super::hours::{self, Hours};
use super::lenders::Lenders;
use super::machine::{Machine, WORLD, now};
use super::random::Random;
use super::user;
use crate::domain::adoption::Child;
use crate::domain::attempt::Leftovers;
use crate::domain::outcome::ExitStatus;
use crate::engine::Settings;
use crate::engine::adopt::Known;
use crate::engine::core::{Effect, Event};
use crate::engine::job::{Job, Move, Record};
use crate::engine::run::Ended;
use crate::link::{Fact, Order};
use crate::store::TaskStore;
use crate::store::memory::Memory;

/// What may go wrong in this run: where everything does, the rare things never meet.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: u64,
    pub(super) crashes: bool,
    pub(super) guardian_deaths: bool,
    pub(super) trouble: bool,
    pub(super) clock: bool,
    pub(super) drains: bool,
    pub(super) slow: bool,
    pub(super) schedules: bool,
    pub(super) lends: bool,
}

pub(super) struct Play {
    pub(super) random: Random,
    pub(super) plan: Plan,
    pub(super) settings: Settings,
    pub(super) hours: Vec<Hours>,
    pub(super) lenders: Lenders,
    pub(super) store: Arc<Memory>,
    pub(super) machine: Machine,
    pub(super) apexd: Option<Apexd>,
    pub(super) audit: Audit,
    pub(super) trusted: bool,
    pub(super) trouble: bool,
    /// Nothing is disturbed any more.
    pub(super) peace: bool,
    pub(super) claims: u128,
    pub(super) set_by: i64,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) tell: bool,
}

impl Play {
    pub(super) fn new(seed: u64, sabotage: Option<Sabotage>, tell: bool) -> Self {
        let mut random = Random::new(seed);
        let (hours, lenders) = (hours::hours(seed), Lenders::default());
        let settings = Settings {
            max_concurrent: 1 + u32::try_from(random.below(4)).unwrap_or(0),
            poll_interval: Duration::from_millis(random.pick(&[1_000, 5_000, 600_000])),
            grace: Duration::from_millis(random.pick(&[0, 1_000, 30_000])),
            kill_grace: Duration::from_millis(random.pick(&[0, 1_000, 5_000])),
            leftovers: if random.percent(80) { Leftovers::Kill } else { Leftovers::Leave },
            // What was forgotten could not be held against what happened.
            keep_for: None,
            pools: Arc::new(user::pools(seed)),
            reserve_after: Duration::from_secs(30),
            windows: hours::windows(&hours),
        };
        let plan = Plan {
            steps: 30 + random.below(170),
            crashes: random.percent(60),
            guardian_deaths: random.percent(25),
            trouble: random.percent(40),
            clock: random.percent(30),
            drains: random.percent(30),
            slow: random.percent(20),
            // Drawn apart, so that nothing else changes where there are none.
            schedules: Random::new(seed ^ 0x5C4E_D01E).percent(20),
            lends: Random::new(seed ^ 0x01E4_D5B4).percent(20),
        };
        let machine = Machine::new();
        let store = Arc::new(Memory::new());
        user::set_queues_up(&store);
        let trusted = random.percent(90);
        let mut engine = settings.clone();
        if sabotage == Some(Sabotage::OneTooMany) {
            engine.max_concurrent += 1;
        }
        let audit = Audit::new(settings, lenders.clone());
        Self {
            random,
            plan,
            settings: engine,
            hours,
            lenders,
            store,
            machine,
            apexd: None,
            audit,
            trusted,
            trouble: false,
            peace: false,
            claims: 0,
            set_by: 0,
            sabotage,
            tell,
        }
    }

    pub(super) fn run(&mut self) -> Verdict {
        self.note(|play| format!("{:?} {:?}", play.plan, play.settings));
        for _ in 0..self.plan.steps {
            self.something_happens()?;
        }
        self.come_to_peace()
    }

    pub(super) fn note(&self, what: impl FnOnce(&Self) -> String) {
        if self.tell {
            let now = now();
            eprintln!("{:>10} {:+} {}", now.moment.0, now.wall.0 - 1_700_000_000_000, what(self));
        }
    }

    fn something_happens(&mut self) -> Verdict {
        if self.apexd.is_none() && self.random.percent(20) {
            return self.start_what_is_missing();
        }
        match self.random.below(100) {
            0..62 => self.deliver_something(),
            62..74 => self.pass_time(),
            74..86 => self.somebody_asks(),
            86..95 => {
                self.a_process_goes_on();
                Ok(())
            }
            _ => self.something_goes_wrong(),
        }
    }

    /// Moves on one of the things that are under way between the parties.
    fn deliver_something(&mut self) -> Verdict {
        let first = self.random.below(6);
        for turn in 0..6 {
            if self.deliver((first + turn) % 6)? {
                return Ok(());
            }
        }
        self.pass_time()
    }

    /// Returns whether there was one of that sort.
    pub(super) fn deliver(&mut self, sort: u64) -> Result<bool, String> {
        match sort {
            0 => self.carry_out_an_order(),
            1 => {
                if self.machine.guardian.is_none() && self.apexd.is_some() {
                    self.feed(Event::GuardianGone)?;
                    return Ok(true);
                }
                let ended = self.apexd.as_ref().is_none_or(|apexd| apexd.core.ended().is_some());
                let guardian = self.machine.guardian.as_mut().filter(|_| !ended);
                let Some(mut fact) = guardian.and_then(|guardian| guardian.facts.pop_front()) else {
                    return Ok(false);
                };
                if self.sabotage == Some(Sabotage::NoLeftovers)
                    && let Fact::Exited { exit, .. } = &mut fact
                {
                    exit.leftovers = false;
                }
                self.note(|_| format!("fact {fact:?}"));
                self.feed(Event::Fact(fact))?;
                Ok(true)
            }
            2 | 3 => self.go_on_with_a_job(),
            4 => {
                let event = self.apexd.as_mut().and_then(Apexd::next_command);
                let Some(event) = event else { return Ok(false) };
                self.note(|_| format!("command {event:?}"));
                self.feed(event)?;
                Ok(true)
            }
            _ => {
                let Some(apexd) = self.apexd.as_mut().filter(|apexd| apexd.core.ended().is_none()) else {
                    return Ok(false);
                };
                if apexd.is_woken() {
                    let wake = apexd.shared.take_wake();
                    self.note(|_| format!("{wake:?}"));
                    self.feed(Event::Woken(wake))?;
                    return Ok(true);
                }
                if apexd.core.next_wake().is_some_and(|at| at <= now().moment) {
                    self.note(|_| "time has come".to_owned());
                    self.feed(Event::TimeHasCome)?;
                    return Ok(true);
                }
                Ok(false)
            }
        }
    }

    pub(super) fn carry_out_an_order(&mut self) -> Result<bool, String> {
        let next = self.machine.guardian.as_mut().and_then(|guardian| guardian.orders.pop_front());
        let Some((sent, order)) = next else { return Ok(false) };
        self.note(|_| format!("carried out: {order:?}"));
        self.audit.check_order(sent, &order, &self.store, &self.machine)?;
        self.machine.carry_out(sent, order, &mut self.random);
        Ok(true)
    }

    fn go_on_with_a_job(&mut self) -> Result<bool, String> {
        let Some(apexd) = &mut self.apexd else { return Ok(false) };
        if apexd.core.ended().is_some() {
            apexd.jobs.retain(|job| !job.is_preparing());
        }
        if apexd.jobs.is_empty() {
            return Ok(false);
        }
        let place = self.random.index(apexd.jobs.len());
        match apexd.jobs.swap_remove(place) {
            UnderWay::Begun(job) => {
                self.note(|_| format!("job {job:?}"));
                let done = self.hands().carry_out(job);
                self.audit.read_history(&self.store, &self.machine)?;
                if let Some(apexd) = &mut self.apexd {
                    apexd.go_on();
                    apexd.jobs.push(UnderWay::Over(done));
                }
            }
            UnderWay::Over(done) => {
                self.note(|_| format!("done {done:?}"));
                self.feed(Event::Done(done))?;
            }
        }
        Ok(true)
    }

    pub(super) fn hands(&mut self) -> Hands<'_> {
        Hands {
            store: &self.store,
            random: &mut self.random,
            trouble: self.trouble && !self.peace,
            claims: &mut self.claims,
        }
    }

    fn pass_time(&mut self) -> Verdict {
        let to_next = self.apexd.as_ref().and_then(|apexd| apexd.core.next_wake()).map(|at| now().moment.until(at));
        let time = match (self.random.below(100), to_next) {
            (0..40, Some(time)) if time < Duration::from_secs(7_200) => time,
            (0..85, _) => self.random.ms(50),
            (85..96, _) => self.random.ms(5_000),
            _ => self.random.ms(120_000),
        };
        let time = if self.plan.slow { time } else { time.min(Duration::from_secs(30)) };
        if time > Duration::from_secs(1) {
            // The guardian and the kernel are not that slow.
            while self.carry_out_an_order()? {}
            self.machine.dying().into_iter().for_each(|assignment| self.machine.die(assignment));
        }
        self.machine.pass(time);
        Ok(())
    }

    fn somebody_asks(&mut self) -> Verdict {
        let last = user::all_tasks(&self.store).last().map_or(0, |task| task.id.get());
        let Some(apexd) = self.apexd.as_mut().filter(|apexd| apexd.core.ended().is_none()) else { return Ok(()) };
        let told = if self.plan.lends && self.random.percent(30) {
            self.lenders.ask_for_something(apexd, &self.audit.running(&self.machine), &mut self.random)
        } else {
            user::ask_for_something(apexd, last, self.plan.schedules, &mut self.random)
        };
        self.note(|_| told);
        self.audit.read_history(&self.store, &self.machine)
    }

    fn a_process_goes_on(&mut self) {
        let dying = self.machine.dying();
        if !dying.is_empty() && self.random.percent(70) {
            let assignment = dying[self.random.index(dying.len())];
            self.note(|_| format!("somebody dies: {assignment}"));
            return self.machine.die(assignment);
        }
        let alive = self.machine.alive();
        if alive.is_empty() {
            return;
        }
        let assignment = alive[self.random.index(alive.len())];
        let status = match self.random.below(10) {
            0..6 => ExitStatus::Code(0),
            6..9 => ExitStatus::Code(3),
            _ => ExitStatus::Signal(11),
        };
        self.note(|_| format!("about to end by itself: {assignment} {status:?}"));
        if self.random.percent(80) {
            self.machine.end_by_itself(assignment, status);
        } else {
            self.machine.end_others(assignment);
        }
    }

    /// Every start is a recovery.
    pub(super) fn start_apexd(&mut self) -> Verdict {
        let Some(guardian) = &mut self.machine.guardian else { return Ok(()) };
        guardian.facts.clear();
        let mut greeting = greeting(guardian, self.machine.boot);
        guardian.starts += 1;
        match self.sabotage {
            Some(Sabotage::ForgetfulGuardian) => greeting.children.clear(),
            Some(Sabotage::DrainIsForgotten) => {
                guardian.draining = false;
                guardian.stops = 0;
                greeting.stop_requests = 0;
            }
            _ => {}
        }
        self.note(|_| format!("apexd starts: {greeting:?}"));
        self.lenders.are_forgotten();
        let mut apexd = Apexd::new(self.store.clone(), self.settings.clone(), greeting, self.trusted);
        let known = Known {
            in_flight: ready(self.store.in_flight()).unwrap(),
            children: &apexd.shared.guardian.children,
            last_words: &self.machine.words,
            stop_requests: apexd.shared.guardian.stop_requests,
            grace_until: None,
            doubtful: &[],
            world: WORLD,
        };
        let effects = apexd.core.adopt(now(), known);
        self.apexd = Some(apexd);
        self.follow(effects)?;
        if self.apexd.is_none() {
            return Ok(());
        }
        let accept = || if self.trusted { self.store.trust(now().wall) } else { self.store.distrust(now().wall) };
        while ready(accept()).unwrap() > 0 {}
        self.audit.read_history(&self.store, &self.machine)?;
        let Some(apexd) = &mut self.apexd else { return Ok(()) };
        let effects = apexd.core.open(now());
        self.follow(effects)?;
        if self.apexd.is_some() {
            self.machine.words.clear();
        }
        Ok(())
    }

    fn feed(&mut self, event: Event) -> Verdict {
        let Some(apexd) = &mut self.apexd else { return Ok(()) };
        let mut effects = apexd.core.take(now(), event);
        // Often several things have happened by the time when the loop looks.
        if self.peace || self.random.percent(60) {
            effects.extend(apexd.core.rest(now()));
        }
        self.follow(effects)
    }

    /// Performs what the core wants, unless apexd dies in between.
    fn follow(&mut self, effects: Vec<Effect>) -> Verdict {
        if let Some(apexd) = &self.apexd {
            apexd.shared.show(&apexd.core);
        }
        for effect in effects {
            if self.plan.crashes && !self.peace && self.random.per_mille(8) {
                return self.crash();
            }
            self.perform(effect)?;
            if self.apexd.is_none() {
                return Ok(());
            }
        }
        self.trusted |= self.apexd.as_ref().is_some_and(|apexd| apexd.core.trusted);
        self.end_if_over()
    }

    fn perform(&mut self, effect: Effect) -> Verdict {
        match effect {
            Effect::Order(order) => {
                if let Some(guardian) = &mut self.machine.guardian {
                    guardian.orders.push_back((now().moment, order));
                }
            }
            Effect::Job(mut job) => {
                self.spoil(&mut job);
                self.check_claim(&job)?;
                if let Some(apexd) = &mut self.apexd {
                    apexd.jobs.push(UnderWay::Begun(job));
                }
            }
            Effect::Abandon(assignment) => {
                self.apexd.iter().for_each(|apexd| apexd.shared.abandon(assignment));
            }
            // There are no files, and nothing is written.
            Effect::Tidy | Effect::WatchOutput(_) | Effect::LeaveOutput(_) => {}
            Effect::Past(past) => {
                let settled = self.hands().settle_past(past);
                self.audit.read_history(&self.store, &self.machine)?;
                if settled.is_err() {
                    // The start fails, and the guardian tries again.
                    return self.crash();
                }
            }
            Effect::Reply(asker, answer) => {
                if let Some(apexd) = &mut self.apexd {
                    let back = self.lenders.back();
                    apexd.answer(asker, answer);
                    if self.lenders.back() > back {
                        self.audit.count(&self.store)?;
                    }
                }
                self.audit.read_history(&self.store, &self.machine)?;
            }
        }
        Ok(())
    }

    /// Takes out a safeguard.
    fn spoil(&mut self, job: &mut Job) {
        match (self.sabotage, job) {
            (Some(Sabotage::ReapFirst), Job::Move(Move::Record(record))) => {
                let order = Order::Forget { assignment: record.assignment };
                if let Some(guardian) = &mut self.machine.guardian {
                    guardian.orders.push_back((now().moment, order));
                }
            }
            (Some(Sabotage::WrongExit), Job::Move(Move::Record(record))) => {
                let Record { outcome, .. } = &mut **record;
                if outcome.exit == Some(ExitStatus::Code(3)) {
                    outcome.exit = Some(ExitStatus::Code(0));
                }
            }
            (Some(Sabotage::NoWindows), Job::Move(Move::Claim { terms, shut, .. })) => {
                shut.clear();
                terms.slots = self.settings.max_concurrent;
            }
            (Some(Sabotage::LentForEver), Job::Move(Move::Claim { room, terms, .. })) => {
                let back = self.lenders.have_lent().into_iter().filter(|attempt| !terms.lent.contains(attempt));
                let back: Vec<_> = back.collect();
                *room += back.len();
                terms.lent = Arc::new(terms.lent.iter().copied().chain(back).collect());
            }
            (Some(Sabotage::TooEarly), Job::Due { now, .. }) => *now = *now + Duration::from_secs(10),
            _ => {}
        }
    }

    /// A claim keeps to the windows, unless the loop has not heard yet that one opens or closes.
    fn check_claim(&self, job: &Job) -> Verdict {
        let (Job::Move(Move::Claim { terms, shut, .. }), Some(apexd)) = (job, &self.apexd) else { return Ok(()) };
        let is_due = apexd.core.next_wake().is_some_and(|at| at <= now().moment);
        if self.plan.clock || is_due {
            return Ok(());
        }
        hours::check(&self.hours, terms.slots, self.settings.max_concurrent, shut, now().wall)
    }

    fn end_if_over(&mut self) -> Verdict {
        let Some(apexd) = &mut self.apexd else { return Ok(()) };
        let Some(ended) = apexd.core.ended() else { return Ok(()) };
        // Nobody waits for what looks up what starts need.
        if apexd.jobs.iter().any(|job| !job.is_preparing()) {
            return Ok(());
        }
        self.note(|_| format!("apexd ends: {ended:?}"));
        while self.carry_out_an_order()? {}
        self.apexd = None;
        if ended == Ended::Drained {
            let guardian = self.machine.guardian.as_ref();
            let is_left = |child: &Child| {
                let process = self.machine.processes.get(&child.assignment);
                child.exit.is_none() && process.is_none_or(|process| !process.is_beyond_reach(now().moment))
            };
            let left = guardian.and_then(|guardian| guardian.children().into_iter().find(is_left));
            if let Some(child) = left {
                return Err(format!("apexd has drained, and {} runs", child.assignment));
            }
            self.end_guardian(true);
        }
        Ok(())
    }
}
