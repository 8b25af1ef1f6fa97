//! What goes wrong: deaths of apexd, of the guardian and of the machine, a full disk, clocks that are set, drains.

use super::apexd::UnderWay;
use super::audit::Verdict;
use super::play::Play;
use crate::engine::handle::Command;
use crate::link::{Fact, Order};

const DAY_MS: i64 = 24 * 3600 * 1000;

impl Play {
    pub(super) fn something_goes_wrong(&mut self) -> Verdict {
        match self.random.below(100) {
            0..30 if self.plan.crashes => self.crash(),
            30..36 if self.plan.guardian_deaths => {
                self.note(|_| "the guardian is killed".to_owned());
                self.machine.guardian = None;
                Ok(())
            }
            36..38 if self.plan.guardian_deaths => {
                self.note(|_| "the machine is started again".to_owned());
                self.crash()?;
                self.machine.reboot();
                Ok(())
            }
            38..50 if self.plan.trouble => {
                self.trouble = !self.trouble;
                Ok(())
            }
            50..58 if self.plan.trouble => {
                self.machine.scarce = !self.machine.scarce;
                Ok(())
            }
            58..72 if self.plan.clock => {
                let by = self.random.pick(&[-DAY_MS, DAY_MS, -3_600_000, 3_600_000, -5_000, 5_000]);
                self.note(|_| format!("the wall clock is set by {by}"));
                self.set_by += by;
                self.audit.look_at_clock();
                self.machine.set_wall(by);
                Ok(())
            }
            72..80 if self.plan.drains => self.ask_to_stop(),
            80..84 if self.plan.drains => {
                let Some(apexd) = &mut self.apexd else { return Ok(()) };
                let handle = apexd.handle.clone();
                let grace = self.random.ms(10_000);
                self.audit.asked_to_stop();
                apexd.ask(async move { drop(handle.stop(Some(grace), "a request").await) });
                Ok(())
            }
            84..90 => {
                let Some(apexd) = &mut self.apexd else { return Ok(()) };
                let handle = apexd.handle.clone();
                apexd.ask(async move {
                    let (reply, done) = tokio::sync::oneshot::channel();
                    let binary = "/bin/apex".into();
                    if handle.send(Command::Replace { binary, reply }).await.is_ok() {
                        drop(done.await);
                    }
                });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The daemon gets SIGTERM.
    pub(super) fn ask_to_stop(&mut self) -> Verdict {
        let Some(guardian) = &mut self.machine.guardian else { return Ok(()) };
        guardian.stops += 1;
        self.audit.asked_to_stop();
        let requests = guardian.stop_requests();
        if self.apexd.is_some() {
            guardian.facts.push_back(Fact::Terminate { requests });
        } else if self.random.percent(50) {
            self.end_guardian(false);
        }
        self.note(|_| format!("asked to stop, {requests}"));
        Ok(())
    }

    pub(super) fn end_guardian(&mut self, has_drained: bool) {
        self.note(|_| "the guardian ends".to_owned());
        self.machine.end_guardian(has_drained);
    }

    pub(super) fn start_what_is_missing(&mut self) -> Verdict {
        if self.apexd.is_some() {
            return Ok(());
        }
        if self.machine.guardian.is_none() {
            self.machine.start_guardian();
        }
        self.start_apexd()
    }

    /// apexd is killed. What it had begun happens or does not.
    pub(super) fn crash(&mut self) -> Verdict {
        let Some(apexd) = self.apexd.take() else { return Ok(()) };
        self.note(|_| "apexd is killed".to_owned());
        for job in apexd.jobs {
            if let UnderWay::Begun(job) = job
                && self.random.percent(50)
            {
                self.hands().carry_out(job);
                self.audit.read_history(&self.store, &self.machine)?;
            }
        }
        let arrived = self.machine.guardian.as_ref().map_or(0, |guardian| guardian.orders.len());
        for _ in 0..self.random.below(arrived as u64 + 1) {
            self.carry_out_an_order()?;
        }
        let rest = self.machine.guardian.as_mut().map(|guardian| std::mem::take(&mut guardian.orders));
        for (sent, order) in rest.unwrap_or_default() {
            if let Order::Forget { .. } | Order::Draining = order {
                self.audit.check_order(sent, &order, &self.store, &self.machine)?;
            }
            self.machine.note(&order);
        }
        Ok(())
    }
}
