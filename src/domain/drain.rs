//! Stopping in order: no new work, time for what runs, then an end to it.

use std::time::Duration;

use crate::domain::time::Moment;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The daemon is to stop; a second time nobody waits any more, a third time nobody is asked.
    Asked {
        /// How long running tasks may go on by themselves.
        grace: Duration,
    },
    /// So many attempts are not yet stored as ended.
    Left(usize),
    /// Time has passed.
    Tick,
}

/// What must be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Claim nothing more, and refuse what would add work.
    RefuseWork,
    /// Feed a `Tick` at this moment or later.
    WakeAt(Moment),
    /// Ask every attempt to stop; each has its kill grace.
    StopAttempts,
    /// Kill every attempt.
    KillAttempts,
    /// Nothing runs any more: close the doors and end.
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    Waiting { until: Moment },
    Stopping,
    Killing,
    Closed,
}

/// Takes the daemon from serving to closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drain {
    phase: Phase,
    left: usize,
}

impl Default for Drain {
    fn default() -> Self {
        Self { phase: Phase::Serving, left: 0 }
    }
}

impl Drain {
    /// Returns whether new work is refused.
    pub fn is_draining(&self) -> bool {
        self.phase != Phase::Serving
    }

    /// Takes in one event and returns what must be done, in order.
    pub fn step(&mut self, now: Moment, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match (self.phase, event) {
            (Phase::Serving, Event::Asked { grace }) => {
                effects.push(Effect::RefuseWork);
                let until = now + grace;
                self.phase = Phase::Waiting { until };
                if self.left > 0 {
                    if grace.is_zero() {
                        self.stop(&mut effects);
                    } else {
                        effects.push(Effect::WakeAt(until));
                    }
                }
            }
            (Phase::Waiting { .. }, Event::Asked { .. }) => self.stop(&mut effects),
            (Phase::Stopping, Event::Asked { .. }) => {
                self.phase = Phase::Killing;
                effects.push(Effect::KillAttempts);
            }
            (Phase::Waiting { until }, Event::Tick) => {
                if now >= until {
                    self.stop(&mut effects);
                } else {
                    effects.push(Effect::WakeAt(until));
                }
            }
            (_, Event::Left(left)) => self.left = left,
            (Phase::Killing | Phase::Closed, Event::Asked { .. })
            | (Phase::Serving | Phase::Stopping | Phase::Killing | Phase::Closed, Event::Tick) => {}
        }
        if self.left == 0 && !matches!(self.phase, Phase::Serving | Phase::Closed) {
            self.phase = Phase::Closed;
            effects.retain(|effect| *effect == Effect::RefuseWork);
            effects.push(Effect::Close);
        }
        effects
    }

    fn stop(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Stopping;
        effects.push(Effect::StopAttempts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_millis(30_000);
    const ASKED: Event = Event::Asked { grace: GRACE };

    fn busy(left: usize) -> Drain {
        let mut drain = Drain::default();
        assert_eq!(drain.step(Moment(0), Event::Left(left)), []);
        drain
    }

    #[test]
    fn an_idle_daemon_closes_at_once() {
        assert_eq!(busy(0).step(Moment(5), ASKED), [Effect::RefuseWork, Effect::Close]);
    }

    #[test]
    fn what_runs_has_its_grace_and_closing_does_not_wait_longer_than_needed() {
        let mut drain = busy(2);
        assert_eq!(drain.step(Moment(5), ASKED), [Effect::RefuseWork, Effect::WakeAt(Moment(30_005))]);
        assert_eq!(drain.step(Moment(6), Event::Left(1)), []);
        assert_eq!(drain.step(Moment(7), Event::Left(0)), [Effect::Close]);
        assert_eq!(drain.step(Moment(8), Event::Left(0)), [], "the doors close once");
    }

    #[test]
    fn when_the_grace_is_over_attempts_are_stopped() {
        let mut drain = busy(1);
        drain.step(Moment(5), ASKED);
        assert_eq!(drain.step(Moment(30_004), Event::Tick), [Effect::WakeAt(Moment(30_005))]);
        assert_eq!(drain.step(Moment(30_005), Event::Tick), [Effect::StopAttempts]);
        assert_eq!(drain.step(Moment(30_006), Event::Tick), []);
        assert_eq!(drain.step(Moment(30_007), Event::Left(0)), [Effect::Close]);
    }

    #[test]
    fn asking_again_skips_the_waiting_and_a_third_time_kills() {
        let mut drain = busy(1);
        drain.step(Moment(5), ASKED);
        assert_eq!(drain.step(Moment(6), ASKED), [Effect::StopAttempts]);
        assert_eq!(drain.step(Moment(7), ASKED), [Effect::KillAttempts]);
        assert_eq!(drain.step(Moment(8), ASKED), []);
    }

    #[test]
    fn without_grace_attempts_are_stopped_at_once() {
        let asked = Event::Asked { grace: Duration::ZERO };
        assert_eq!(busy(1).step(Moment(5), asked), [Effect::RefuseWork, Effect::StopAttempts]);
    }

    #[test]
    fn whatever_comes_work_is_refused_once_and_the_doors_close_once() {
        let events = [ASKED, Event::Left(0), Event::Left(2), Event::Tick];
        for code in 0..4_usize.pow(6) {
            let mut drain = busy(1);
            let mut rest = code;
            let mut all = Vec::new();
            for step in 0..6 {
                all.extend(drain.step(Moment(step * 20_000), events[rest % 4]));
                rest /= 4;
            }
            let count = |effect| all.iter().filter(|seen| **seen == effect).count();
            assert!(count(Effect::RefuseWork) <= 1 && count(Effect::Close) <= 1);
            assert!(count(Effect::StopAttempts) <= 1 && count(Effect::KillAttempts) <= 1);
            if let Some(closed) = all.iter().position(|effect| *effect == Effect::Close) {
                assert_eq!(closed, all.len() - 1, "something follows the closing: {all:?}");
            }
        }
    }
}
