//! What apexd asks for, and what it is told.

use crate::fault::crash_point;
use crate::guardian::apexd::{Apexd, END_WITHIN};
use crate::guardian::log::Level;
use crate::guardian::poll::Source;
use crate::guardian::processes::Seen;
use crate::guardian::run::Guardian;
use crate::guardian::spawn::Failed;
use crate::link::codec::Error;
use crate::link::machine::{boottime_now, monotonic_now};
use crate::link::{Fact, Order, VERSION};

impl Guardian {
    /// Reads what has arrived on the link.
    pub(super) fn read_link(&mut self) {
        let Apexd::Alive(life) = &mut self.apexd else { return };
        let Some(peer) = &mut life.peer else { return };
        if peer.interest.0 && peer.receive().is_none() {
            // It is about to end, or has lost its mind. What it asked before is still carried out.
            self.carry_out_orders();
            self.read_last_orders();
            self.drop_link();
        }
    }

    /// Goes on without a link; apexd has some time to end by itself.
    fn drop_link(&mut self) {
        let Apexd::Alive(life) = &mut self.apexd else { return };
        if let Some(peer) = life.peer.take() {
            self.poll.remove(peer.socket());
        }
        life.end_by = Some(boottime_now() + END_WITHIN);
    }

    /// Carries out what was asked and tells what there is to tell, as far as apexd takes it.
    pub(super) fn pump(&mut self) {
        loop {
            let carried_out = self.carry_out_orders();
            self.tell();
            // What had to wait for room may go on now.
            if carried_out == 0 {
                break;
            }
        }
        let Apexd::Alive(life) = &mut self.apexd else { return };
        let Some(peer) = &mut life.peer else { return };
        let interest = (peer.has_room(), peer.has_unsent());
        if interest != peer.interest {
            peer.interest = interest;
            // It cannot fail for a descriptor that was added.
            let _ = self.poll.change(peer.socket(), Source::Link, interest.0, interest.1);
        }
    }

    /// Carries out the orders that have arrived, as long as there is room for their answers. Returns how many.
    fn carry_out_orders(&mut self) -> usize {
        let mut count = 0;
        // All that is carried out here had arrived before, so one look at who is there serves all of it.
        let mut recent = None;
        loop {
            let Apexd::Alive(life) = &mut self.apexd else { return count };
            let Some(peer) = life.peer.as_mut().filter(|peer| peer.has_room()) else { return count };
            match peer.next_order() {
                Ok(None) => return count,
                Ok(Some(Order::Present)) if life.greeted => self.note_present(),
                Ok(Some(order)) if life.greeted || matches!(order, Order::Hello { .. }) => {
                    self.carry_out(order, &mut recent);
                }
                // A later apexd may ask for things that this guardian cannot do.
                Err(error @ Error::UnknownKind { .. }) => {
                    self.log.line(Level::Warn, &format!("an order of apexd was ignored: {error}"));
                }
                wrong => {
                    let why = wrong.err().map_or_else(|| "an order before the hello".to_owned(), |e| e.to_string());
                    self.log.line(Level::Error, &format!("apexd sent what is no order: {why}; killing it"));
                    self.kill_apexd();
                    self.drop_link();
                    return count;
                }
            }
            if let Apexd::Alive(life) = &mut self.apexd
                && let Some(watch) = &mut life.watch
            {
                watch.hear();
            }
            count += 1;
        }
    }

    fn carry_out(&mut self, order: Order, recent: &mut Option<Seen>) {
        match order {
            Order::Spawn(spawn) => {
                self.may_own_claims = true;
                crash_point("guardian.spawn.ordered");
                // It does not know this one.
                *recent = None;
                if let Err(failed) = self.table.spawn(&self.poll, &mut self.spawner, &spawn) {
                    let (assignment, step, errno) = (spawn.assignment, failed.step, failed.errno);
                    self.answer(&Fact::NotSpawned { assignment, step, errno });
                }
            }
            Order::Signal { assignment, signal, scope } => {
                crash_point("guardian.signal.ordered");
                let own = self.own_child();
                let errno = self.table.signal(assignment, signal, scope, own, recent);
                crash_point("guardian.signal.sent");
                self.answer(&Fact::Signalled { assignment, signal, errno });
            }
            statement => self.note(statement),
        }
    }

    /// Takes in an order that says what is, and asks for nothing that would not be asked again.
    fn note(&mut self, order: Order) {
        match order {
            Order::Hello { .. } => {
                self.table.begin_roll_call();
                crash_point("guardian.roll_call.begun");
                self.hello_by = None;
                if let Apexd::Alive(life) = &mut self.apexd {
                    life.greeted = true;
                    (life.due.welcome, life.due.terms, life.due.complete) = (true, true, true);
                }
            }
            Order::Ready => self.note_ready(),
            Order::Policy { kill_grace } => self.kill_grace = kill_grace,
            Order::Forget { assignment } => self.table.forget(assignment),
            Order::Draining => {
                self.draining = true;
                self.hello_by = None;
            }
            Order::Replace { binary } => {
                self.replacement = Some(binary);
                crash_point("guardian.replace.ordered");
            }
            Order::Grace { until } => self.grace_until = Some(until),
            Order::Adopt(child) => {
                self.table.adopt(&self.poll, child);
                if self.table.look(&self.poll, child.pid) {
                    self.look_at_orphans(&[child.pid]);
                }
            }
            Order::Spawn(_) | Order::Signal { .. } | Order::Present => {}
        }
    }

    /// Reads the link of an apexd that has ended to its end. Orders that state something count; one to start or to
    /// signal a process that was not carried out by now is dropped, because the next apexd begins with what there is.
    pub(super) fn read_last_orders(&mut self) {
        let mut is_at_end = false;
        loop {
            let Apexd::Alive(life) = &mut self.apexd else { return };
            let Some(peer) = &mut life.peer else { return };
            match peer.next_order() {
                Ok(Some(Order::Spawn(_))) => self.may_own_claims = true,
                Ok(Some(Order::Hello { .. })) => {}
                Ok(Some(order)) if life.greeted => self.note(order),
                Ok(None) if is_at_end => return,
                // Nothing to read means the end here: nobody is left to write.
                Ok(None) => is_at_end = !matches!(peer.receive(), Some(1..)),
                Err(Error::UnknownKind { .. } | Error::Malformed { .. }) => {}
                Ok(Some(_)) | Err(Error::TooLong { .. } | Error::Empty) => return,
            }
        }
    }

    /// Looks how a start goes that could not be waited for.
    pub(super) fn look_at_start(&mut self, pid: u32) {
        if let Some((assignment, Failed { step, errno })) = self.table.look_at_start(&self.poll, pid) {
            self.answer(&Fact::NotSpawned { assignment, step, errno });
        }
    }

    fn answer(&mut self, fact: &Fact) {
        if let Apexd::Alive(life) = &mut self.apexd
            && let Some(peer) = &mut life.peer
        {
            peer.tell(fact);
        }
    }

    /// Tells apexd what it does not know yet, as far as there is room.
    fn tell(&mut self) {
        let stop_requests = self.stop_requests();
        let Apexd::Alive(life) = &mut self.apexd else { return };
        let (Some(peer), true) = (&mut life.peer, life.greeted) else { return };
        let due = &mut life.due;
        loop {
            while peer.has_room() {
                let fact = if std::mem::take(&mut due.welcome) {
                    due.terminate = false;
                    Fact::Welcome {
                        version: VERSION,
                        guardian: self.id,
                        guardian_pid: std::process::id(),
                        started_at: self.started_at,
                        restarts: self.starts.saturating_sub(1),
                        stop_requests,
                    }
                } else if std::mem::take(&mut due.terms) {
                    due.keeps = true;
                    let (nofile, grace_until) = (self.nofile, self.grace_until);
                    Fact::Terms { nofile, supervised: self.options.notify.is_some(), grace_until }
                } else if std::mem::take(&mut due.keeps) {
                    Fact::Keeps
                } else if let Some(assignment) = self.table.next_doubt() {
                    Fact::Doubtful { assignment }
                } else if let Some(child) = self.table.next_of_roll_call() {
                    Fact::Child(child)
                } else if std::mem::take(&mut due.complete) {
                    Fact::Complete
                } else if std::mem::take(&mut due.terminate) {
                    Fact::Terminate { requests: stop_requests }
                } else if std::mem::take(&mut due.reload) {
                    Fact::Reload
                } else if std::mem::take(&mut due.ask) {
                    Fact::Ask
                } else if let Some(fact) = self.table.next_news() {
                    if let Some(watch) = &mut life.watch {
                        watch.stir(monotonic_now());
                    }
                    fact
                } else {
                    break;
                };
                peer.tell(&fact);
            }
            let is_full = !peer.has_room();
            peer.flush();
            if !is_full || !peer.has_room() {
                break;
            }
        }
    }

    /// Passes a SIGHUP on.
    ///
    /// Without apexd it is the sign to try again: what was wrong may have been mended.
    pub(super) fn tell_reload(&mut self) {
        match &mut self.apexd {
            // Told after the hello if that is still to come: it may have read the configuration already.
            Apexd::Alive(life) => life.due.reload = true,
            Apexd::GivenUp => self.try_again(),
            Apexd::Waiting { .. } => {}
        }
    }
}
