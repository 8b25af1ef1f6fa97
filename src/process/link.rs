//! apexd's end of the link.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use nix::libc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::domain::adoption::Child;
use crate::domain::id::AssignmentId;
use crate::domain::identity::GuardianId;
use crate::domain::time::{Moment, Timestamp};
use crate::fault;
use crate::link::codec::{Error as CodecError, Reader, encode};
use crate::link::{Fact, Order, SpawnStep, VERSION};
use crate::process::Error;
use crate::process::heritage::{Heritage, Legacy};

/// How many facts wait for a slow apexd before the rest waits in the guardian, where it costs nothing.
const FACTS_MAX: usize = 1024;

/// How long the last facts of a guardian that was killed may take to be read.
const LAST_FACTS: Duration = Duration::from_secs(1);

/// Orders are written together up to this many bytes, and facts are read so many bytes at a time.
const BATCH_BYTES: usize = 64 * 1024;

/// What goes to the task that writes.
#[derive(Debug)]
enum Item {
    Order(Order),
    /// Everything before it was given to the kernel.
    Flush(oneshot::Sender<()>),
}

/// Where orders are put. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Orders {
    // Unbounded, because who asks must not wait for the guardian. It is small all the same: what is asked follows from
    // facts and claims, of which there is a bounded number, and the guardian reads as long as it can answer.
    items: mpsc::UnboundedSender<Item>,
}

impl Orders {
    /// Sends an order, in the order of the calls. Never waits. When the guardian is gone orders go nowhere; that it is
    /// gone is told by the end of the facts.
    ///
    /// A spawn that is too long for a frame is answered with [`Fact::NotSpawned`] like one that is too long for exec.
    pub fn send(&self, order: Order) {
        let _ = self.items.send(Item::Order(order));
    }

    /// Returns when everything sent before is in the guardian's hands: written to the link, from which it is read even
    /// if this process ends the next moment. Returns at once when the guardian is gone.
    ///
    /// # Cancel safety
    ///
    /// What was sent is written in any case.
    pub async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        if self.items.send(Item::Flush(done)).is_ok() {
            let _ = is_done.await;
        }
    }
}

/// The link to the guardian: two tasks, one that writes and one that reads.
#[derive(Debug)]
pub struct Link {
    heritage: Heritage,
    orders: Orders,
    writer: JoinHandle<()>,
    reader: JoinHandle<()>,
}

impl Link {
    /// Takes the link into use and returns it with the facts as they come. The facts end when the guardian is gone.
    ///
    /// To be called inside a tokio runtime with its I/O driver on.
    ///
    /// Errors: [`Error::Link`] if `fd` is no socket.
    pub fn take(fd: OwnedFd) -> Result<(Self, mpsc::Receiver<Fact>), Error> {
        let stream = StdUnixStream::from(fd);
        stream.set_nonblocking(true).map_err(Error::Link)?;
        let (read, write) = UnixStream::from_std(stream).map_err(Error::Link)?.into_split();
        let (items, queue) = mpsc::unbounded_channel();
        let (facts, receiver) = mpsc::channel(FACTS_MAX);
        let heritage = Heritage::default();
        let writer = tokio::spawn(write_orders(write, queue, facts.downgrade(), heritage.clone()));
        let reader = tokio::spawn(read_facts(read, facts, heritage.clone()));
        Ok((Self { heritage, orders: Orders { items }, writer, reader }, receiver))
    }

    /// Sends an order; see [`Orders::send`].
    pub fn send(&self, order: Order) {
        self.orders.send(order);
    }

    /// Returns where orders are put, for those who do not own the link.
    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// Writes out what was sent, closes the link and waits for both tasks. The guardian then expects this process to
    /// end, within ten seconds. Returns what it has left if it was killed and this process is to take its place.
    pub async fn close(self) -> Option<Legacy> {
        self.orders.flush().await;
        let mut reader = self.reader;
        if self.heritage.is_orphaned() {
            // It will come to the end of what the guardian has said.
            let _ = tokio::time::timeout(LAST_FACTS, &mut reader).await;
        }
        let is_ended = reader.is_finished();
        reader.abort();
        self.writer.abort();
        // Both were told to end; how they did does not matter.
        if !is_ended {
            let _ = reader.await;
        }
        let _ = self.writer.await;
        let heritage = self.heritage;
        tokio::task::spawn_blocking(move || heritage.take(is_ended)).await.ok().flatten()
    }
}

async fn write_orders(
    mut link: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Item>,
    facts: mpsc::WeakSender<Fact>,
    heritage: Heritage,
) {
    let mut bytes = Vec::new();
    let mut flushed = Vec::new();
    while let Some(item) = queue.recv().await {
        let mut next = Some(item);
        // What waits is written together.
        while let Some(item) = next {
            match item {
                Item::Order(order) => {
                    if encode(&order, &mut bytes).is_ok() {
                        // Before it is written: from then on it may be carried out.
                        heritage.said(&order);
                    } else {
                        refuse(order, &facts).await;
                    }
                }
                Item::Flush(done) => flushed.push(done),
            }
            next = if bytes.len() < BATCH_BYTES { queue.try_recv().ok() } else { None };
        }
        if fault::is_armed("apexd.link.half_written") {
            let _ = link.write_all(&bytes[..bytes.len() / 2]).await;
            fault::crash_point("apexd.link.half_written");
            bytes.drain(..bytes.len() / 2);
        }
        if link.write_all(&bytes).await.is_err() {
            // The guardian is gone; the reader finds that out too. Dropping the queue answers whoever flushes.
            return;
        }
        fault::crash_point("apexd.link.written");
        bytes.clear();
        bytes.shrink_to(4 * BATCH_BYTES);
        for done in flushed.drain(..) {
            let _ = done.send(());
        }
    }
}

async fn refuse(order: Order, facts: &mpsc::WeakSender<Fact>) {
    if let (Order::Spawn(spawn), Some(facts)) = (order, facts.upgrade()) {
        let fact = Fact::NotSpawned { assignment: spawn.assignment, step: SpawnStep::Exec, errno: libc::E2BIG };
        let _ = facts.send(fact).await;
    }
}

async fn read_facts(mut link: OwnedReadHalf, facts: mpsc::Sender<Fact>, heritage: Heritage) {
    let mut reader = Reader::<Fact>::default();
    let mut bytes = vec![0; BATCH_BYTES];
    loop {
        let count = match link.read(&mut bytes).await {
            Ok(count) if count > 0 => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // The guardian is gone.
            _ => return,
        };
        reader.feed(&bytes[..count]);
        loop {
            match reader.next_message() {
                Ok(Some(fact)) => {
                    heritage.heard(&fact);
                    // When nobody listens any more, it is still heard what is left if the guardian is killed.
                    let _ = facts.send(fact).await;
                }
                Ok(None) => break,
                // A later guardian may tell things that this apexd cannot use.
                Err(CodecError::UnknownKind { .. }) => {}
                // Nothing that follows can be trusted. A guardian that lost its mind is as good as gone.
                Err(_) => return,
            }
        }
    }
}

/// What the guardian said in answer to the hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which guardian it is.
    pub guardian: GuardianId,
    /// Its pid.
    pub guardian_pid: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// How often it has started apexd again.
    pub restarts: u32,
    /// How often the daemon was asked to stop so far.
    pub stop_requests: u32,
    /// All processes that it holds, running or ended and not forgotten.
    pub children: Vec<Child>,
    /// Those that an earlier guardian may have started and of which nothing is known.
    pub doubtful: Vec<AssignmentId>,
    /// Until then a drain that an earlier apexd began leaves running tasks alone.
    pub grace_until: Option<Moment>,
    /// It knows inputs that are kept open.
    pub keeps: bool,
}

/// Says hello and collects the answer. To be called once, before any other order; facts that follow are news.
///
/// Errors: [`Error::Gone`] if the link ended; [`Error::Version`], [`Error::OutOfOrder`] if the guardian is another than
/// expected.
///
/// # Cancel safety
///
/// None: the part of the answer that was read is lost.
pub async fn handshake(link: &Link, facts: &mut mpsc::Receiver<Fact>) -> Result<Held, Error> {
    link.send(Order::Hello { version: VERSION });
    let mut held = match facts.recv().await.ok_or(Error::Gone)? {
        Fact::Welcome { version, .. } if version != VERSION => return Err(Error::Version { version }),
        Fact::Welcome { version: _, guardian, guardian_pid, started_at, restarts, stop_requests } => {
            let (children, doubtful) = (Vec::new(), Vec::new());
            let (grace_until, keeps) = (None, false);
            Held { guardian, guardian_pid, started_at, restarts, stop_requests, children, doubtful, grace_until, keeps }
        }
        _ => return Err(Error::OutOfOrder),
    };
    loop {
        match facts.recv().await.ok_or(Error::Gone)? {
            Fact::Child(child) => held.children.push(child),
            Fact::Doubtful { assignment } => held.doubtful.push(assignment),
            Fact::Terms { grace_until, .. } => held.grace_until = grace_until,
            Fact::Keeps => held.keeps = true,
            Fact::Complete => return Ok(held),
            _ => return Err(Error::OutOfOrder),
        }
    }
}

#[cfg(test)]
mod tests;
