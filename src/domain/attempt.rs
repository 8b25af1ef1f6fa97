//! One execution of a task: what is recorded about it, and the machine that takes it from its start to its end.
//!
//! [`Machine`] is fed what happened ([`Event`]) and answers what must be done ([`Effect`]). It is fed from one place, in
//! order; after each [`Machine::step`] every effect must be carried out, in order, before the next event goes in. Time
//! is an argument: [`Effect::WakeAt`] asks for an [`Event::Tick`] at or after that moment, and a tick that comes early
//! or twice does nothing.
//!
//! ```text
//!             Started               Exited, alone or swept
//!  Starting ──────────▶ Running ─────────────────────────▶ Recording ── Recorded ──▶ Ended
//!      │                   │ Exited, others left              ▲
//!      │                   └──────────▶ Sweeping ─────────────┤
//!      └─ NotStarted, Refused ────────────────────────────────┘
//! ```

use std::time::Duration;

use crate::domain::outcome::{Exit, Outcome, ReasonCode, StopCause};
use crate::domain::time::{Moment, Timestamp};

mod clock;
mod record;
mod stop;

pub use clock::Clock;
pub use record::{Attempt, Output, Stream};
use stop::Stop;
pub use stop::UNREACHABLE_AFTER;

/// How an attempt is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The first signal when it is asked to stop.
    pub signal: i32,
    /// Time between it and SIGKILL.
    pub grace: Duration,
    /// Longest run, pauses left out.
    pub timeout: Option<Duration>,
    /// What becomes of processes that are left in its session when its first process has ended by itself.
    pub leftovers: Leftovers,
}

/// What becomes of processes that a task leaves behind in its session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Leftovers {
    /// They are ended before the outcome is recorded.
    #[default]
    Kill,
    /// They are left alone.
    Leave,
}

/// What happened to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Its process runs.
    Started,
    /// Its process could not be made for want of memory, processes or descriptors: this was no attempt.
    Refused,
    /// Its program or directory is not there, or may not be executed: the attempt has failed.
    NotStarted {
        /// 127 or 126.
        code: i32,
        /// What is missing, and where.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// Its first process has ended.
    Exited(Exit),
    /// Nobody saw its process end, and it is gone.
    Vanished {
        /// `reboot` or `guardian_lost`.
        code: ReasonCode,
        /// When that was noticed.
        at: Timestamp,
    },
    /// A signal was answered.
    Swept {
        /// None of the processes that it was for is left.
        empty: bool,
    },
    /// Its processes are to be stopped until they are to go on.
    PauseAsked,
    /// Its processes are to go on.
    ResumeAsked,
    /// It is to be stopped for good.
    StopAsked(StopCause),
    /// It is to be killed without further waiting.
    KillAsked,
    /// Its outcome is stored.
    Recorded,
    /// Its outcome could not be stored.
    NotRecorded,
    /// Time has passed.
    Tick,
}

/// What must be done for an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send the signal to every process of its session, or of the whole attempt if [`Machine::ends_everything`]; 0 only
    /// asks whether one is left.
    Signal(i32),
    /// Store that it runs.
    RecordStart,
    /// Give the task back to the queue: it was not started.
    Release,
    /// Finish its output and store how it ended. Answered by `Recorded` or `NotRecorded`.
    Record(Outcome),
    /// Let the guardian reap its process, and free its slot.
    Forget,
    /// Feed a `Tick` at this moment or later.
    WakeAt(Moment),
}

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

/// How often a session that is being ended is looked at.
const SWEEP_EVERY: Duration = Duration::from_millis(20);
/// How long to wait before an outcome that could not be stored is offered again.
const RECORD_AGAIN_AFTER: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    /// `answers` are still to come to the signals of this round; with the last of them the next round is due.
    Sweeping {
        outcome: Outcome,
        look_at: Moment,
        answers: u32,
    },
    Recording {
        outcome: Outcome,
        offer_at: Option<Moment>,
    },
    Ended,
}

/// Takes one attempt from its start to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    phase: Phase,
    stop: Option<Stop>,
    clock: Clock,
    policy: Policy,
    /// So many signals were sent whose answers are still to come.
    unanswered: u32,
}

impl Machine {
    /// Begins an attempt that was claimed and whose start was ordered.
    pub fn starting(policy: Policy) -> Self {
        Self { phase: Phase::Starting, stop: None, clock: Clock::default(), policy, unanswered: 0 }
    }

    /// Takes over an attempt whose process runs already though that was not heard of yet; its `clock` stands so.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Takes over an attempt whose process is known to run, or to have run, and whose `clock` stands so. Feed it a tick,
    /// so that it asks to be woken.
    pub fn running(policy: Policy, clock: Clock) -> Self {
        Self { phase: Phase::Running, stop: None, clock, policy, unanswered: 0 }
    }

    /// Learns that the attempt, which has ended, was stopped for `cause` by somebody who did not live to hear of its end.
    pub fn was_stopped(&mut self, cause: StopCause, now: Moment) {
        let kill_at = Some(now + self.policy.grace);
        self.stop = Some(Stop { kill_at, has_met: true, ..Stop::new(cause, 0) });
    }

    /// Returns whether everything about the attempt is stored and done.
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Returns the first cause for which the attempt is being stopped.
    pub fn stop_cause(&self) -> Option<StopCause> {
        self.stop.map(|stop| stop.cause)
    }

    /// Returns whether signals go to all processes of the attempt, those that left its session included: it is being
    /// ended, and did not end by itself. What made a session of its own is not touched otherwise.
    pub fn ends_everything(&self) -> bool {
        self.stop.is_some_and(|stop| stop.everything)
    }

    /// Returns whether its process was killed and is still there after a time in which everything dies that can.
    pub fn is_beyond_reach(&self, now: Moment) -> bool {
        self.phase == Phase::Running && self.stop.is_some_and(|stop| stop.is_over(now))
    }

    /// Leaves another time between the first signal and SIGKILL from now on; a stop that has begun keeps its own.
    pub fn set_grace(&mut self, grace: Duration) {
        self.policy.grace = grace;
    }

    /// Decides anew what becomes of processes that are left when its first process ends.
    pub fn set_leftovers(&mut self, leftovers: Leftovers) {
        self.policy.leftovers = leftovers;
    }

    /// Takes in one event and returns what must be done, in order.
    ///
    /// Errors: none; an event that means nothing in the present phase is answered with nothing.
    pub fn step(&mut self, now: Moment, event: Event) -> Vec<Effect> {
        if let Event::Swept { empty } = event {
            self.unanswered = self.unanswered.saturating_sub(1);
            self.stop.iter_mut().for_each(|stop| stop.note_answer(empty));
        }
        let effects = self.decide(now, event);
        let signals = effects.iter().filter(|effect| matches!(effect, Effect::Signal(_))).count();
        self.unanswered += u32::try_from(signals).unwrap_or(u32::MAX);
        effects
    }

    fn decide(&mut self, now: Moment, event: Event) -> Vec<Effect> {
        match (&mut self.phase, event) {
            (Phase::Starting, Event::Started) => {
                self.phase = Phase::Running;
                self.clock.go(now);
                let mut effects = vec![Effect::RecordStart];
                effects.extend(if self.stop.is_some() { self.begin_stop(now) } else { self.time_out_if_due(now) });
                effects
            }
            (Phase::Starting, Event::Refused) => {
                self.phase = Phase::Ended;
                vec![Effect::Release, Effect::Forget]
            }
            (Phase::Starting, Event::NotStarted { code, reason, at }) => {
                self.record(Outcome::of_spawn_failure(code, reason, at))
            }
            (Phase::Starting | Phase::Running, Event::Exited(exit)) => self.exited(now, exit),
            (Phase::Starting | Phase::Running, Event::Vanished { code, at }) => self.record(Outcome::lost(code, at)),

            (Phase::Starting | Phase::Running | Phase::Sweeping { .. }, Event::StopAsked(cause)) => {
                if self.stop.is_some() {
                    return Vec::new();
                }
                self.stop = Some(Stop::new(cause, self.unanswered));
                match self.phase {
                    Phase::Running => self.begin_stop(now),
                    // Its process has ended by itself, so its outcome stands; what is left is ended as before.
                    _ => Vec::new(),
                }
            }
            (Phase::Starting | Phase::Running | Phase::Sweeping { .. }, Event::KillAsked) => {
                let stop = self.stop.get_or_insert(Stop::new(StopCause::Drain, self.unanswered));
                stop.kill_at = Some(now);
                match self.phase {
                    Phase::Starting => Vec::new(),
                    _ => self.kill_if_due(now),
                }
            }

            // What is being ended is not stopped again, or it could not end by itself.
            (Phase::Running, Event::PauseAsked) if self.stop.is_none() => {
                self.clock.stop(now);
                vec![Effect::Signal(SIGSTOP)]
            }
            (Phase::Running, Event::ResumeAsked) if self.stop.is_none() => {
                self.clock.go(now);
                let mut effects = vec![Effect::Signal(SIGCONT)];
                effects.extend(self.time_out_if_due(now));
                effects
            }
            (Phase::Running, Event::Tick) if self.stop.is_none() => self.time_out_if_due(now),
            (Phase::Running, Event::Tick) => self.kill_if_due(now),
            (Phase::Sweeping { outcome, look_at, answers }, Event::Tick) => {
                if now < *look_at || *answers > 0 {
                    return Vec::new();
                }
                if self.stop.is_some_and(|stop| stop.is_over(now)) {
                    let outcome = outcome.clone();
                    return self.record(outcome);
                }
                *answers = 1;
                let mut effects = self.kill_if_due(now);
                if effects.is_empty() {
                    // Whoever was made while the others were killed is killed as well.
                    let is_killed = self.stop.is_some_and(|stop| stop.killed);
                    effects.push(Effect::Signal(if is_killed { SIGKILL } else { 0 }));
                }
                effects
            }
            (Phase::Sweeping { outcome, .. }, Event::Swept { empty: true }) => {
                let outcome = outcome.clone();
                self.record(outcome)
            }
            (Phase::Sweeping { look_at, answers, .. }, Event::Swept { empty: false }) => match *answers {
                // An answer to a signal that was sent before the end.
                0 => Vec::new(),
                1 => {
                    *answers = 0;
                    *look_at = now + SWEEP_EVERY;
                    vec![Effect::WakeAt(*look_at)]
                }
                more => {
                    *answers = more - 1;
                    Vec::new()
                }
            },

            (Phase::Recording { .. }, Event::Recorded) => {
                self.phase = Phase::Ended;
                vec![Effect::Forget]
            }
            (Phase::Recording { offer_at, .. }, Event::NotRecorded) => {
                let again = now + RECORD_AGAIN_AFTER;
                *offer_at = Some(again);
                vec![Effect::WakeAt(again)]
            }
            (Phase::Recording { outcome, offer_at }, Event::Tick) => match *offer_at {
                Some(at) if now >= at => {
                    *offer_at = None;
                    vec![Effect::Record(outcome.clone())]
                }
                Some(at) => vec![Effect::WakeAt(at)],
                None => Vec::new(),
            },

            // What comes late, twice or out of turn changes nothing.
            (
                Phase::Starting,
                Event::Swept { .. }
                | Event::Recorded
                | Event::NotRecorded
                | Event::PauseAsked
                | Event::ResumeAsked
                | Event::Tick,
            )
            | (
                Phase::Running,
                Event::Started
                | Event::PauseAsked
                | Event::ResumeAsked
                | Event::Refused
                | Event::NotStarted { .. }
                | Event::Swept { .. }
                | Event::Recorded
                | Event::NotRecorded,
            )
            | (
                Phase::Sweeping { .. },
                Event::Started
                | Event::PauseAsked
                | Event::ResumeAsked
                | Event::Refused
                | Event::NotStarted { .. }
                | Event::Exited(_)
                | Event::Vanished { .. }
                | Event::Recorded
                | Event::NotRecorded,
            )
            | (
                Phase::Recording { .. },
                Event::Started
                | Event::PauseAsked
                | Event::ResumeAsked
                | Event::Refused
                | Event::NotStarted { .. }
                | Event::Exited(_)
                | Event::Vanished { .. }
                | Event::Swept { .. }
                | Event::StopAsked(_)
                | Event::KillAsked,
            )
            | (Phase::Ended, _) => Vec::new(),
        }
    }

    fn exited(&mut self, now: Moment, exit: Exit) -> Vec<Effect> {
        let cause = self.stop.and_then(|stop| stop.cause_of_end());
        if let (Some(stop), None) = (&mut self.stop, cause) {
            // It has ended by itself after all.
            stop.everything = false;
        }
        let outcome = Outcome::of_exit(exit.status, cause, exit.usage, exit.at);
        let is_being_ended = self.stop.is_some_and(|stop| stop.everything && stop.kill_at.is_some());
        let is_left_alone = self.stop.is_none() && self.policy.leftovers == Leftovers::Leave;
        if is_left_alone || (!exit.leftovers && !is_being_ended) {
            return self.record(outcome);
        }
        let fallback = Stop { everything: false, ..Stop::new(cause.unwrap_or(StopCause::Drain), 0) };
        let stop = self.stop.get_or_insert(fallback);
        stop.kill_at.get_or_insert(now + self.policy.grace);
        let effects = if stop.killed {
            vec![Effect::Signal(SIGKILL)]
        } else if exit.leftovers {
            vec![Effect::Signal(SIGTERM), Effect::Signal(SIGCONT)]
        } else {
            // Its session is empty; what left that is asked for.
            vec![Effect::Signal(0)]
        };
        let answers = u32::try_from(effects.len()).unwrap_or(u32::MAX);
        self.phase = Phase::Sweeping { outcome, look_at: now, answers };
        effects
    }

    fn begin_stop(&mut self, now: Moment) -> Vec<Effect> {
        let Some(stop) = &mut self.stop else { return Vec::new() };
        if stop.kill_at.is_some() {
            return self.kill_if_due(now);
        }
        let kill_at = now + self.policy.grace;
        stop.kill_at = Some(kill_at);
        // A stopped process gets the signal only when it goes on.
        vec![Effect::Signal(self.policy.signal), Effect::Signal(SIGCONT), Effect::WakeAt(kill_at)]
    }

    fn time_out_if_due(&mut self, now: Moment) -> Vec<Effect> {
        let Some(at) = self.policy.timeout.and_then(|limit| self.clock.reaches(limit)) else { return Vec::new() };
        if now < at {
            return vec![Effect::WakeAt(at)];
        }
        self.stop = Some(Stop::new(StopCause::Timeout, self.unanswered));
        self.begin_stop(now)
    }

    fn kill_if_due(&mut self, now: Moment) -> Vec<Effect> {
        match &mut self.stop {
            Some(Stop { kill_at: Some(at), killed, .. }) if !*killed => {
                if now < *at {
                    // A sweep is woken by its own, shorter, rhythm.
                    return if self.phase == Phase::Running { vec![Effect::WakeAt(*at)] } else { Vec::new() };
                }
                *killed = true;
                // What cannot be reached shows some time after the signal, however late that was sent.
                *at = now;
                vec![Effect::Signal(SIGKILL)]
            }
            _ => Vec::new(),
        }
    }

    fn record(&mut self, outcome: Outcome) -> Vec<Effect> {
        self.phase = Phase::Recording { outcome: outcome.clone(), offer_at: None };
        vec![Effect::Record(outcome)]
    }
}

#[cfg(test)]
mod tests;
