//! Finding out that apexd hangs: that it is there, but answers nobody.
//!
//! Nothing looks at it regularly, because idle must cost nothing. Only when something has happened that concerns apexd,
//! a client that connects or an end that it was told, it has to give a sign of life within the patience: any order is one.
//! If none came by half of it, it is asked. So a daemon that is left alone is not woken, and after the last thing that
//! happened there are two wake-ups at the most.
//!
//! Time is that of a clock that stands still while the machine sleeps. One that a person has stopped, or looks into with
//! a debugger, is left alone.

use std::time::Duration;

use nix::libc;

use crate::domain::time::Moment;
use crate::guardian::apexd::Apexd;
use crate::guardian::log::Level;
use crate::guardian::poll::Source;
use crate::guardian::processes;
use crate::guardian::run::Guardian;
use crate::link::machine::{boottime_now, monotonic_now};

/// How long apexd may leave everybody without an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How long one that is aborted may take to end: it may write its memory to the disk.
const ABORT_WITHIN: Duration = Duration::from_secs(10);

/// What is to be done about apexd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Nothing,
    /// It is well, and whoever waits for the next client may do so again.
    Well,
    /// It is to be asked for a sign of life.
    Ask,
    /// It hangs.
    Hangs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has happened.
    Idle,
    /// Something has; by then it is looked whether apexd has given a sign of life since.
    Waiting { by: Moment, heard: bool },
    /// It was asked, and has not answered.
    Asked { by: Moment, was_halted: bool },
}

/// The watch over one apexd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watch {
    half: Duration,
    phase: Phase,
}

impl Watch {
    pub(super) fn new(patience: Duration) -> Self {
        Self { half: patience / 2, phase: Phase::Idle }
    }

    /// Something has happened that apexd has to do with.
    pub(super) fn stir(&mut self, now: Moment) {
        match &mut self.phase {
            Phase::Idle => self.phase = Phase::Waiting { by: now + self.half, heard: false },
            Phase::Waiting { heard, .. } => *heard = false,
            Phase::Asked { .. } => {}
        }
    }

    /// apexd has said something.
    pub(super) fn hear(&mut self) {
        match self.phase {
            Phase::Idle => {}
            Phase::Waiting { by, .. } | Phase::Asked { by, .. } => self.phase = Phase::Waiting { by, heard: true },
        }
    }

    /// Returns when [`Self::step`] has something to do.
    pub(super) fn next(&self) -> Option<Moment> {
        match self.phase {
            Phase::Idle => None,
            Phase::Waiting { by, .. } | Phase::Asked { by, .. } => Some(by),
        }
    }

    /// Does what is due; `is_halted` says whether apexd was stopped by a signal or is being traced.
    pub(super) fn step(&mut self, now: Moment, is_halted: impl FnOnce() -> bool) -> Verdict {
        let (phase, verdict) = match self.phase {
            Phase::Waiting { by, heard: true } if now >= by => (Phase::Idle, Verdict::Well),
            Phase::Waiting { by, heard: false } if now >= by => {
                (Phase::Asked { by: now + self.half, was_halted: false }, Verdict::Ask)
            }
            Phase::Asked { by, was_halted } if now >= by => {
                let halted = is_halted();
                // Whoever looks so late did not run either; and one that goes on again needs some time.
                let is_late = by.until(now) >= self.half;
                let again = Phase::Asked { by: now + self.half, was_halted: halted };
                if halted || was_halted || is_late { (again, Verdict::Nothing) } else { (Phase::Idle, Verdict::Hangs) }
            }
            phase => (phase, Verdict::Nothing),
        };
        self.phase = phase;
        verdict
    }
}

impl Guardian {
    /// apexd answers when it is asked for a sign of life: from now on it is watched.
    pub(super) fn note_present(&mut self) {
        let Apexd::Alive(life) = &mut self.apexd else { return };
        if life.watch.is_none()
            && let Some(listener) = self.hold.listener()
            && self.poll.add(listener, Source::Client).is_ok()
        {
            life.watch = Some(Watch::new(self.options.patience));
        }
    }

    /// A client has connected, or apexd was told something: it has to do with that.
    pub(super) fn stir_apexd(&mut self) {
        if let Apexd::Alive(life) = &mut self.apexd
            && let Some(watch) = &mut life.watch
        {
            watch.stir(monotonic_now());
        }
    }

    /// Looks whether apexd hangs, and ends it if it does.
    pub(super) fn watch_apexd(&mut self) {
        let Apexd::Alive(life) = &mut self.apexd else { return };
        let Some(watch) = &mut life.watch else { return };
        match watch.step(monotonic_now(), || processes::is_halted(life.pid)) {
            Verdict::Nothing => {}
            Verdict::Well => {
                // It fails only if there is no listener any more.
                let _ = self.hold.listener().map(|listener| self.poll.await_client(listener));
            }
            Verdict::Ask => life.due.ask = true,
            Verdict::Hangs => {
                let (pid, ms) = (life.pid, self.options.patience.as_millis());
                self.log.line(Level::Error, &format!("apexd has not answered for {ms} ms; aborting it pid={pid}"));
                processes::send(&life.pidfd, libc::SIGABRT);
                life.end_by = Some(boottime_now() + ABORT_WITHIN);
                life.watch = None;
            }
        }
    }

    /// Returns when [`Self::watch_apexd`] has something to do.
    pub(super) fn next_watch(&self) -> Option<Moment> {
        let Apexd::Alive(life) = &self.apexd else { return None };
        let by = life.watch.as_ref()?.next()?;
        // The watch goes by another clock.
        Some(boottime_now() + monotonic_now().until(by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: fn() -> bool = || panic!("nobody asks whether it is halted");

    fn watch() -> Watch {
        Watch::new(Duration::from_millis(2_000))
    }

    #[test]
    fn nothing_is_due_while_nothing_happens() {
        let mut watch = watch();
        assert_eq!((watch.next(), watch.step(Moment(1_000_000), NEVER)), (None, Verdict::Nothing));
        watch.hear();
        assert_eq!(watch.next(), None);
    }

    #[test]
    fn one_that_says_something_is_not_asked() {
        let mut watch = watch();
        watch.stir(Moment(100));
        watch.stir(Moment(600));
        watch.hear();
        assert_eq!((watch.next(), watch.step(Moment(1_099), NEVER)), (Some(Moment(1_100)), Verdict::Nothing));
        assert_eq!(watch.step(Moment(1_100), NEVER), Verdict::Well);
        assert_eq!(watch.next(), None, "the wake-ups end");
    }

    #[test]
    fn a_sign_of_life_is_one_that_comes_after_what_happened_last() {
        let mut watch = watch();
        watch.stir(Moment(100));
        watch.hear();
        watch.stir(Moment(600));
        assert_eq!(watch.step(Moment(1_100), NEVER), Verdict::Ask);
        watch.hear();
        watch.stir(Moment(1_200));
        assert_eq!(watch.step(Moment(2_100), NEVER), Verdict::Ask);
        assert_eq!(watch.step(Moment(3_100), || false), Verdict::Hangs);
    }

    #[test]
    fn one_that_answers_is_well() {
        let mut watch = watch();
        watch.stir(Moment(100));
        assert_eq!(watch.step(Moment(1_100), NEVER), Verdict::Ask);
        assert_eq!(watch.step(Moment(1_500), NEVER), Verdict::Nothing);
        watch.hear();
        assert_eq!(watch.step(Moment(2_100), NEVER), Verdict::Well);
        assert_eq!(watch.next(), None);
    }

    #[test]
    fn one_that_does_not_answer_hangs() {
        let mut watch = watch();
        watch.stir(Moment(100));
        assert_eq!(watch.step(Moment(1_100), NEVER), Verdict::Ask);
        assert_eq!(watch.step(Moment(2_100), || false), Verdict::Hangs);
        assert_eq!(watch.next(), None, "that is said once");
    }

    #[test]
    fn one_that_was_stopped_is_left_alone_and_has_time_when_it_goes_on() {
        let mut watch = watch();
        watch.stir(Moment(0));
        assert_eq!(watch.step(Moment(1_000), NEVER), Verdict::Ask);
        assert_eq!(watch.step(Moment(2_000), || true), Verdict::Nothing);
        assert_eq!(watch.step(Moment(3_000), || true), Verdict::Nothing);
        assert_eq!(watch.step(Moment(4_000), || false), Verdict::Nothing, "it goes on just now");
        assert_eq!(watch.step(Moment(5_000), || false), Verdict::Hangs);
    }

    #[test]
    fn one_that_had_no_chance_to_answer_has_another() {
        let mut watch = watch();
        watch.stir(Moment(0));
        assert_eq!(watch.step(Moment(9_000), NEVER), Verdict::Ask, "it is asked first in any case");
        assert_eq!(watch.step(Moment(20_000), || false), Verdict::Nothing, "nobody ran");
        assert_eq!(watch.step(Moment(21_000), || false), Verdict::Hangs);
    }
}
