//! Stopping: passing the wish on to apexd, and doing it without apexd when there is none.

use std::fs;
use std::io;
use std::time::Duration;

use nix::libc;

use crate::domain::adoption::LastWords;
use crate::domain::time::Moment;
use crate::fault::crash_point;
use crate::guardian::apexd::Apexd;
use crate::guardian::hold::replace_file;
use crate::guardian::log::Level;
use crate::guardian::run::{Guardian, HELLO_WITHIN};
use crate::guardian::{EXIT_DONE, EXIT_FAULT, processes};
use crate::link::last_words;
use crate::link::machine::boottime_now;

/// How long an apexd that serves may take to say that it has heard that it is to stop. One that is only slow loses its
/// drain by this, so it is long; one that hangs, or was stopped by SIGSTOP, would hold everything for ever.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked whether anything is left: nothing tells the end of a process whose parent is not ours.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long after SIGKILL it is waited. What is still there then is beyond our reach: it hangs in the kernel, or belongs
/// to another user.
const UNREACHABLE_AFTER: Duration = Duration::from_secs(5);

/// The guardian stops the tasks itself.
#[derive(Debug)]
pub(super) struct Alone {
    /// Then the rest is killed.
    kill_at: Moment,
    /// Since then everything is killed.
    killing_since: Option<Moment>,
    next_look: Moment,
}

impl Alone {
    /// Returns when it is to be looked at again, if nothing happens before.
    pub(super) fn next_look(&self) -> Moment {
        self.next_look
    }
}

impl Guardian {
    /// Returns whether the daemon is to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop_requests() > 0
    }

    /// Returns how often the daemon was asked to stop, through apexd included.
    pub(super) fn stop_requests(&self) -> u32 {
        self.stops.max(u32::from(self.draining))
    }

    /// SIGTERM or SIGINT has come.
    pub(super) fn ask_to_stop(&mut self) {
        self.stops = self.stops.saturating_add(1);
        crash_point("guardian.stop.asked");
        let now = boottime_now();
        if let Some(alone) = &mut self.alone {
            alone.kill_at = now;
            return;
        }
        let hello_by = now + HELLO_WITHIN;
        match &mut self.apexd {
            Apexd::Alive(life) if life.greeted => {
                life.due.terminate = true;
                self.hello_by.get_or_insert(now + HEARD_WITHIN);
            }
            // Latched: it is told with the welcome.
            Apexd::Alive(_) => self.hello_by = Some(self.hello_by.map_or(hello_by, |by| by.min(hello_by))),
            Apexd::Waiting { until } => {
                *until = now;
                self.hello_by = Some(hello_by);
            }
            Apexd::GivenUp => self.stop_alone(now),
        }
    }

    /// Begins to stop the tasks without apexd.
    pub(super) fn stop_alone(&mut self, now: Moment) {
        self.kill_apexd();
        self.hello_by = None;
        if let Apexd::Waiting { .. } = self.apexd {
            self.apexd = Apexd::GivenUp;
        }
        let is_urgent = self.stops > 1;
        if self.table.running() > 0 && !is_urgent {
            let (running, ms) = (self.table.running(), self.kill_grace.as_millis());
            let message = format!("stopping the tasks without apexd running={running} kill_grace_ms={ms}");
            self.log.line(Level::Warn, &message);
            let own = self.own_child();
            self.table.stop_all(libc::SIGTERM, own);
        }
        let kill_at = if is_urgent { now } else { now + self.kill_grace };
        self.alone = Some(Alone { kill_at, killing_since: None, next_look: now });
    }

    /// apexd has drained and ended: whatever is left, which should be nothing, is killed.
    pub(super) fn stop_drained(&mut self, now: Moment) {
        self.apexd = Apexd::GivenUp;
        self.has_drained = true;
        if self.table.running() > 0 {
            let running = self.table.running();
            self.log.line(Level::Error, &format!("apexd left tasks behind; killing them running={running}"));
        }
        self.alone = Some(Alone { kill_at: now, killing_since: None, next_look: now });
    }

    /// Goes on stopping; returns the exit code when nothing is left.
    pub(super) fn step_alone(&mut self, alone: &mut Alone, now: Moment) -> Option<i32> {
        let is_apexd_gone = !matches!(self.apexd, Apexd::Alive(_));
        if self.table.running() == 0 && is_apexd_gone && !self.table.has_leftovers(self.own_child()) {
            return Some(self.finish(EXIT_DONE));
        }
        if is_apexd_gone && alone.killing_since.is_some_and(|since| now >= since + UNREACHABLE_AFTER) {
            let left = self.table.running();
            self.log.line(Level::Error, &format!("ending although something cannot be killed running={left}"));
            return Some(self.finish(EXIT_DONE));
        }
        if now >= alone.kill_at && (now >= alone.next_look || alone.killing_since.is_none()) {
            if alone.killing_since.is_none() {
                self.log.line(Level::Warn, &format!("killing what is left running={}", self.table.running()));
                alone.killing_since = Some(now);
            }
            self.kill_apexd();
            let own = self.own_child();
            self.table.stop_all(libc::SIGKILL, own);
        }
        if now >= alone.next_look {
            alone.next_look = now + LOOK_EVERY;
        }
        None
    }

    /// Writes down what nobody has been told, and lets go of it. Returns `code`, or another if that failed.
    pub(super) fn finish(&mut self, code: i32) -> i32 {
        self.end_keepers();
        // One that cannot be killed has no end to be told. The next apexd finds out whether it is still there.
        let mut children = self.table.children();
        children.retain(|child| child.exit.is_some());
        // Ended means ended, also where no apexd is left to see to it.
        if children.iter().any(|child| child.exit.is_some_and(|exit| exit.leftovers)) {
            let own = self.own_child();
            self.table.stop_all(libc::SIGKILL, own);
        }
        // After an orderly drain everything is forgotten and nothing is claimed, so there is nothing to say. Else even
        // an empty list says something: a claim that is not in it was never carried out.
        if (children.is_empty() && self.has_drained) || !self.may_own_claims {
            return code;
        }
        let words = LastWords { guardian: self.id, children };
        let result = self.write_last_words(&words);
        crash_point("guardian.last_words.written");
        for child in words.children {
            self.table.forget(child.assignment);
        }
        match result {
            Ok(()) => code,
            Err(error) => {
                let path = self.options.places.exits.display();
                self.log.line(Level::Error, &format!("the ends of tasks are lost: cannot write `{path}`: {error}"));
                EXIT_FAULT
            }
        }
    }

    /// Tells keepers to end which nobody else will: where apexd has recorded the ends of their tasks they are gone.
    fn end_keepers(&self) {
        for pid in self.table.keepers() {
            // Not reaped, so the pid is that of our child.
            if let Ok(pidfd) = processes::open(*pid) {
                processes::send(&pidfd, libc::SIGTERM);
            }
        }
    }

    fn write_last_words(&self, words: &LastWords) -> io::Result<()> {
        let places = &self.options.places;
        // Those of an earlier guardian that no apexd has read.
        let mut text = match fs::read(&places.exits) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        text.extend_from_slice(last_words::to_text(words, self.boot).as_bytes());
        replace_file(&places.dir, &places.exits, &text)
    }
}
