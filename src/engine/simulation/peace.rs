//! The end of a run: nothing is disturbed any more, and everything must come to an end.

use std::time::Duration;

use super::apexd::ready;
use super::audit::Verdict;
use super::machine::now;
use super::play::Play;
use super::user;
use crate::domain::outcome::ExitStatus;
use crate::domain::task::State;
use crate::store::TaskStore;

/// Longest that anything may take once nothing disturbs any more.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

impl Play {
    /// Nothing goes wrong any more: everything must come to an end.
    pub(super) fn come_to_peace(&mut self) -> Verdict {
        self.peace = true;
        self.machine.scarce = false;
        self.audit.look_at_clock();
        self.machine.set_wall(-self.set_by);
        self.note(|_| "peace".to_owned());
        let until = now().moment + PATIENCE;
        self.come_to_rest()?;
        self.check_pauses()?;
        loop {
            self.start_what_is_missing()?;
            let tasks = user::all_tasks(&self.store);
            let open: Vec<_> = tasks.into_iter().filter(|task| !task.state.is_ended()).collect();
            let lenders = &self.lenders;
            if let Some(apexd) = self.apexd.as_mut().filter(|apexd| apexd.waiting.len() <= lenders.taking_back()) {
                lenders.end_all(apexd);
                user::let_everything_go(apexd, &open);
                self.audit.read_history(&self.store, &self.machine)?;
            }
            self.come_to_rest()?;
            let held = self.machine.guardian.as_ref().map_or(0, |guardian| guardian.children().len());
            if open.is_empty() && held == 0 {
                break;
            }
            if now().moment > until {
                return Err(format!("never ends: {open:#?}, held: {held}"));
            }
            self.machine.rouse_orphans();
            for assignment in self.machine.alive() {
                if self.random.percent(50) {
                    self.machine.end_by_itself(assignment, ExitStatus::Code(0));
                    self.machine.end_others(assignment);
                }
            }
            let dying = self.machine.dying();
            dying.iter().for_each(|assignment| self.machine.die(*assignment));
            let next = self.apexd.as_ref().and_then(|apexd| apexd.core.next_wake());
            let pause = next.map_or(Duration::from_millis(20), |at| now().moment.until(at));
            let is_quiet = dying.is_empty() && self.machine.alive().is_empty();
            self.machine.pass(if is_quiet { pause } else { pause.min(Duration::from_millis(500)) });
        }
        match &self.apexd {
            Some(apexd) if !apexd.waiting.is_empty() => Err("somebody waits for ever".to_owned()),
            _ => Ok(()),
        }
    }

    /// Delivers everything that is under way.
    fn come_to_rest(&mut self) -> Verdict {
        for _ in 0..20_000 {
            let mut moved = false;
            for sort in [0, 1, 2, 4, 5] {
                moved |= self.deliver(sort)?;
            }
            if !moved {
                return Ok(());
            }
        }
        Err("does not come to rest".to_owned())
    }

    /// What is paused stands still, and nothing else does.
    fn check_pauses(&mut self) -> Verdict {
        self.start_what_is_missing()?;
        self.come_to_rest()?;
        let Some(guardian) = &self.machine.guardian else { return Ok(()) };
        for task in user::all_tasks(&self.store) {
            let whole = ready(self.store.task(task.id)).unwrap();
            let attempt = whole.as_ref().and_then(|task| task.attempts.last());
            let process = attempt.and_then(|attempt| self.machine.processes.get(&attempt.assignment));
            let Some(process) = process.filter(|process| process.guardian == guardian.id) else { continue };
            if !process.is_alive() || process.told.is_some() || task.cancel_requested_at.is_some() {
                continue;
            }
            match (task.state, process.stands_still()) {
                (State::Paused, Some(false) | None) => return Err(format!("task {} is paused and runs", task.id)),
                (State::Running, Some(true) | None) => return Err(format!("task {} runs and stands still", task.id)),
                _ => {}
            }
        }
        Ok(())
    }
}
