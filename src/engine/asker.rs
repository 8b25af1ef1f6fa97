//! Those who wait for an answer of the core, each behind a ticket.

use std::collections::HashMap;
use std::sync::PoisonError;

use tokio::sync::oneshot;

use crate::engine::core::{Answer, Event, Ticket};
use crate::engine::handle::{Command, Shared};

enum Asker {
    Done(oneshot::Sender<()>),
    Signal(oneshot::Sender<Option<i32>>),
}

/// Everybody who waits.
#[derive(Default)]
pub(super) struct Askers {
    waiting: HashMap<Ticket, Asker>,
    tickets: u64,
}

impl Askers {
    /// Takes in a command, and makes it what the core is fed.
    pub(super) fn take(&mut self, command: Command, shared: &Shared) -> Event {
        match command {
            Command::Stop { assignment, reply } => Event::Stop { assignment, asker: self.ticket(Asker::Done(reply)) },
            Command::Pause { assignment, pause, reply } => {
                Event::Pause { assignment, pause, asker: self.ticket(Asker::Done(reply)) }
            }
            Command::Signal { task, signal, reply } => {
                Event::Signal { task, signal, asker: self.ticket(Asker::Signal(reply)) }
            }
            Command::Lend { attempt, wait } => Event::Lend { attempt, wait },
            Command::TakeBack { wait, reply } => Event::TakeBack { wait, asker: self.ticket(Asker::Done(reply)) },
            Command::WaitIsOver { wait } => Event::WaitIsOver { wait },
            Command::Drain { grace, received } => Event::Drain { grace, received },
            Command::Replace { binary, reply } => Event::Replace { binary, asker: self.ticket(Asker::Done(reply)) },
            Command::Apply { settings, reply } => {
                *shared.settings.write().unwrap_or_else(PoisonError::into_inner) = settings.clone();
                Event::Apply { settings, asker: self.ticket(Asker::Done(reply)) }
            }
        }
    }

    fn ticket(&mut self, asker: Asker) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket, asker);
        ticket
    }

    /// Tells whoever waits. They may have gone away.
    pub(super) fn answer(&mut self, asker: Ticket, answer: Answer) {
        match (self.waiting.remove(&asker), answer) {
            (Some(Asker::Done(reply)), Answer::Done) => drop(reply.send(())),
            (Some(Asker::Signal(reply)), Answer::Signalled(errno)) => drop(reply.send(errno)),
            // They are told by hearing nothing.
            (_, _) => {}
        }
    }
}
