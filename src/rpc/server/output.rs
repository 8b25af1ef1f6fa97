//! Sends what tasks write, and takes in what they are to read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::domain::attempt::{Attempt, Stream};
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::{AssignmentId, AttemptNumber, Seq, TaskId};
use crate::domain::task::Task;
use crate::engine::{self, Lending};
use crate::output::{CHUNK_BYTES_MAX, Reader};
use crate::rpc::convert::attempt::{stream_from_proto, stream_to_proto};
use crate::rpc::convert::{self, task, task_id, uuid};
use crate::rpc::proto;
use crate::rpc::proto::read_output_response::What;
use crate::rpc::server::feed::{Feed, Over, Woken, recorded};
use crate::rpc::server::{Service, farewell, malformed};
use crate::rpc::status;

/// How long a client that reads the file itself waits for more, while a task writes a lot.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// What a client wants to read.
struct Wanted {
    task: TaskId,
    /// This attempt alone.
    attempt: Option<AttemptNumber>,
    /// All if empty.
    streams: Vec<Stream>,
    from: HashMap<(AttemptNumber, Stream), u64>,
    tail_lines: Option<u32>,
    follow: bool,
    in_place: bool,
    /// The attempt inside which somebody waits for the end.
    waiter: Option<AssignmentId>,
}

impl Wanted {
    fn from_proto(request: proto::ReadOutputRequest) -> convert::Result<Self> {
        let cursor = |from: proto::OutputOffset| Ok(((from.attempt, stream_from_proto(from.stream)?), from.offset));
        Ok(Self {
            task: task_id(request.task_id)?,
            attempt: (request.attempt != 0).then_some(request.attempt),
            streams: request.streams.into_iter().map(stream_from_proto).collect::<convert::Result<_>>()?,
            from: request.from.into_iter().map(cursor).collect::<convert::Result<_>>()?,
            tail_lines: request.tail_lines,
            follow: request.follow,
            in_place: request.in_place,
            waiter: request
                .waiter
                .filter(|_| request.follow)
                .map(|id| uuid("waiter", &id))
                .transpose()?
                .map(AssignmentId),
        })
    }

    /// Returns the attempt to begin with: of a task that was never started, the first there will be.
    fn first(&self, task: &Task) -> AttemptNumber {
        let named = self.attempt.or_else(|| self.from.keys().map(|(attempt, _)| *attempt).min());
        named.or(task.attempts.last().map(|attempt| attempt.number)).unwrap_or(1)
    }

    fn streams(&self, task: &Task) -> Vec<Stream> {
        let all = Stream::of(task.spec.split_output).iter().copied();
        all.filter(|stream| self.streams.is_empty() || self.streams.contains(stream)).collect()
    }

    fn from(&self, attempt: AttemptNumber, stream: Stream) -> Option<u64> {
        self.from.get(&(attempt, stream)).copied()
    }
}

type Messages = Feed<proto::ReadOutputResponse>;

impl Service {
    /// Begins to send output; the stream's own end tells what went wrong.
    pub(super) fn send_output(
        &self,
        request: proto::ReadOutputRequest,
    ) -> Result<ReceiverStream<Result<proto::ReadOutputResponse, Status>>, Status> {
        let wanted = Wanted::from_proto(request).map_err(malformed)?;
        // Standard output and standard error may be two files.
        let files = self.file(2)?;
        let (feed, messages) = Feed::new(self.handle.closing());
        let changes = self.handle.changes();
        let sending = Sending { service: self.clone(), changes, wanted, feed, lending: None, _files: files };
        self.work.spawn(sending.all());
        Ok(ReceiverStream::new(messages))
    }

    /// Takes the right to have so many files open for a client.
    pub(super) fn file(&self, count: u32) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.files).try_acquire_many_owned(count).map_err(|_| {
            let problem = Problem::new(ErrorKind::Exhausted, "the daemon has as many files open for others as it may");
            status::from_problem(problem.with_hint("end some commands that follow, as `apex logs -f`, then try again"))
        })
    }

    /// Keeps standard input for a task that is added afterwards.
    pub(super) async fn keep_stdin(
        &self,
        request: Request<Streaming<proto::UploadStdinRequest>>,
    ) -> Result<Response<proto::UploadStdinResponse>, Status> {
        let refuse = |error: crate::output::Error| self.refuse(&engine::Error::from(error));
        let _file = self.file(1)?;
        let mut pieces = request.into_inner();
        let mut upload = self.handle.outputs().upload(Uuid::new_v4()).await.map_err(refuse)?;
        let mut closing = self.handle.closing();
        loop {
            let piece = tokio::select! {
                piece = pieces.message() => piece?,
                closing = closing.wait_for(|closing| *closing != engine::Closing::Open) => {
                    let closing = closing.map_or(engine::Closing::Stopping, |closing| *closing);
                    return Err(farewell(closing));
                }
            };
            let Some(piece) = piece else {
                // A call that is cut off looks like one that has ended.
                let problem = Problem::new(ErrorKind::Invalid, "the upload ended without its last piece");
                return Err(status::from_problem(problem));
            };
            upload.write(&piece.data).await.map_err(refuse)?;
            if piece.last {
                break;
            }
        }
        let (id, bytes) = upload.finish().await.map_err(refuse)?;
        Ok(Response::new(proto::UploadStdinResponse { upload: id.to_string(), bytes }))
    }
}

/// One client that reads the output of one task.
struct Sending {
    service: Service,
    changes: watch::Receiver<Seq>,
    wanted: Wanted,
    feed: Messages,
    /// Once it waits.
    lending: Option<Lending>,
    _files: OwnedSemaphorePermit,
}

/// One stream of an attempt, as far as it was sent.
struct Sent {
    stream: Stream,
    offset: u64,
    /// Where it ends for now, if it is not followed.
    until: u64,
    /// `None` while there is no file.
    reader: Option<Reader>,
    /// Whether the client knows which file it is.
    is_placed: bool,
}

impl Sending {
    /// Sends attempt after attempt.
    async fn all(mut self) -> Result<(), Over> {
        let mut task = self.look().await?;
        let first = self.wanted.first(&task);
        let mut number = first;
        loop {
            let mut is_announced = false;
            while find(&task, number).is_none() {
                if task.state.is_ended() || !self.wanted.follow {
                    return match self.wanted.attempt {
                        Some(attempt) => Err(self.no_such_attempt(attempt)),
                        None => self.end(task).await,
                    };
                }
                if number == first && !is_announced {
                    // Who comes back must not begin with a later attempt than this one.
                    for stream in self.wanted.streams(&task) {
                        self.chunk(number, stream, self.wanted.from(number, stream).unwrap_or(0), Vec::new()).await?;
                    }
                    is_announced = true;
                }
                task = self.next_look(number).await?;
            }
            task = self.attempt(task, number, number == first).await?;
            // If it is not there any more it was never started, and the next one has its number.
            if find(&task, number).is_some() {
                if !self.wanted.follow || self.wanted.attempt.is_some() {
                    return self.end(task).await;
                }
                number += 1;
            }
        }
    }

    /// Sends an attempt, to its end if it is followed, and returns the task as it stood after that.
    async fn attempt(&mut self, mut task: Task, number: AttemptNumber, is_first: bool) -> Result<Task, Over> {
        let mut streams = Vec::new();
        for stream in self.wanted.streams(&task) {
            let sent = self.begin(number, stream, is_first).await?;
            self.chunk(number, stream, sent.offset, Vec::new()).await?;
            streams.push(sent);
        }
        loop {
            // What the task says comes first: if the attempt has ended, all it wrote is there to be read.
            let goes_on = find(&task, number).is_some_and(|attempt| attempt.ended_at.is_none());
            let much = if self.wanted.in_place {
                self.point(number, &mut streams).await?
            } else {
                self.drain(number, &mut streams).await?;
                false
            };
            if !goes_on || !self.wanted.follow {
                return Ok(task);
            }
            if much {
                // Whoever writes so much goes on, and one look at what it wrote since costs no more than a hundred.
                sleep(BETWEEN_LOOKS).await;
            }
            self.lend().await;
            let mut is_recorded = false;
            let woken = self.feed.wait(async {
                tokio::select! {
                    () = recorded(&mut self.changes) => is_recorded = true,
                    () = grown(&mut streams) => {}
                }
            });
            match woken.await? {
                Woken::Event if is_recorded => task = self.look().await?,
                Woken::Event => {}
                Woken::Closing(closing) => {
                    task = self.look().await?;
                    if find(&task, number).is_some_and(|attempt| attempt.ended_at.is_none()) {
                        return Err(self.feed.fail(farewell(closing)));
                    }
                }
            }
        }
    }

    /// Decides where a stream begins.
    async fn begin(&self, number: AttemptNumber, stream: Stream, is_first: bool) -> Result<Sent, Over> {
        let reader = self.open(number, stream)?;
        let failed = |error| self.failed(error);
        let offset = match (self.wanted.from(number, stream), self.wanted.tail_lines, &reader) {
            (Some(offset), _, _) => offset,
            (None, Some(lines), Some(reader)) if is_first => reader.tail(lines).await.map_err(failed)?,
            _ => 0,
        };
        let until = match &reader {
            _ if self.wanted.follow => u64::MAX,
            Some(reader) => reader.length().await.map_err(failed)?,
            None => 0,
        };
        Ok(Sent { stream, offset, until, reader, is_placed: false })
    }

    /// Sends what there is of all streams, in turns, so that none waits for the end of another.
    async fn drain(&mut self, number: AttemptNumber, streams: &mut [Sent]) -> Result<(), Over> {
        let mut is_more = true;
        while is_more {
            is_more = false;
            for sent in streams.iter_mut().filter(|sent| sent.offset < sent.until) {
                if sent.reader.is_none() {
                    sent.reader = self.open(number, sent.stream)?;
                }
                let Some(reader) = &sent.reader else { continue };
                let mut data = reader.read(sent.offset).await.map_err(|error| self.failed(error))?;
                data.truncate(usize::try_from(sent.until - sent.offset).unwrap_or(usize::MAX));
                let length = data.len() as u64;
                if length > 0 {
                    self.chunk(number, sent.stream, sent.offset, data).await?;
                    sent.offset += length;
                    is_more = true;
                }
            }
        }
        Ok(())
    }

    /// Says how far the files can be read, and returns whether that was much further than before.
    async fn point(&mut self, number: AttemptNumber, streams: &mut [Sent]) -> Result<bool, Over> {
        let mut is_much = false;
        for sent in streams.iter_mut().filter(|sent| sent.offset < sent.until) {
            if sent.reader.is_none() {
                sent.reader = self.open(number, sent.stream)?;
            }
            let Some(reader) = &sent.reader else { continue };
            let length = reader.length().await.map_err(|error| self.failed(error))?.min(sent.until);
            let length = length.saturating_sub(sent.offset);
            if length == 0 {
                continue;
            }
            let mut chunk = chunk(number, sent.stream, sent.offset, Vec::new());
            chunk.length = length;
            if !sent.is_placed {
                let (path, device, inode) = reader.place().map_err(|error| self.failed(error))?;
                let path = path.as_os_str().as_encoded_bytes().to_vec();
                chunk.file = Some(proto::OutputFile { path, device, inode });
                sent.is_placed = true;
            }
            self.feed.send(proto::ReadOutputResponse { what: Some(What::Chunk(chunk)) }).await?;
            sent.offset += length;
            is_much |= length > CHUNK_BYTES_MAX as u64;
        }
        Ok(is_much)
    }

    /// Says that there is no more to come.
    async fn end(&mut self, task: Task) -> Result<(), Over> {
        if !self.wanted.follow {
            return Ok(());
        }
        if let Some(lending) = self.lending.take()
            && let Woken::Closing(closing) = self.feed.wait(lending.take_back()).await?
        {
            return Err(self.feed.fail(farewell(closing)));
        }
        self.feed.send(proto::ReadOutputResponse { what: Some(What::Ended(task::to_proto(task))) }).await
    }

    /// Has the task that waits for this one lend what it holds.
    async fn lend(&mut self) {
        if let (Some(attempt), None) = (self.wanted.waiter, &self.lending) {
            self.lending = Some(self.service.handle.lend(attempt).await);
        }
    }

    fn no_such_attempt(&self, attempt: AttemptNumber) -> Over {
        let id = self.wanted.task;
        let problem = Problem::new(ErrorKind::NotFound, format!("task `{id}` has no attempt `{attempt}`"))
            .with_hint(format!("see its attempts with `apex task show {id}`"))
            .with_id(id);
        self.feed.fail(status::from_problem(problem))
    }

    fn open(&self, number: AttemptNumber, stream: Stream) -> Result<Option<Reader>, Over> {
        let opened = self.service.handle.outputs().open(self.wanted.task, number, stream);
        opened.map_err(|error| self.failed(error))
    }

    async fn chunk(&mut self, attempt: AttemptNumber, stream: Stream, offset: u64, data: Vec<u8>) -> Result<(), Over> {
        let chunk = chunk(attempt, stream, offset, data);
        self.feed.send(proto::ReadOutputResponse { what: Some(What::Chunk(chunk)) }).await
    }

    /// Reads the task. Marks what was recorded as seen before, so that what comes in between wakes again.
    async fn look(&mut self) -> Result<Task, Over> {
        self.changes.mark_unchanged();
        let found = self.service.handle.stored_task(self.wanted.task).await;
        found.map_err(|error| self.feed.fail(self.service.refuse(&error)))
    }

    /// Waits until something was recorded, and reads the task.
    async fn next_look(&mut self, number: AttemptNumber) -> Result<Task, Over> {
        self.lend().await;
        let woken = self.feed.wait(recorded(&mut self.changes)).await?;
        let task = self.look().await?;
        match woken {
            Woken::Closing(closing) if !task.state.is_ended() && find(&task, number).is_none() => {
                Err(self.feed.fail(farewell(closing)))
            }
            _ => Ok(task),
        }
    }

    fn failed(&self, error: crate::output::Error) -> Over {
        self.feed.fail(self.service.refuse(&engine::Error::from(error)))
    }
}

fn chunk(attempt: AttemptNumber, stream: Stream, offset: u64, data: Vec<u8>) -> proto::OutputChunk {
    proto::OutputChunk { attempt, stream: stream_to_proto(stream).into(), offset, data, length: 0, file: None }
}

fn find(task: &Task, number: AttemptNumber) -> Option<&Attempt> {
    task.attempts.iter().find(|attempt| attempt.number == number)
}

/// Waits until one of the files may have grown; for ever if there is none yet.
async fn grown(streams: &mut [Sent]) {
    let mut readers = streams.iter_mut().filter_map(|sent| sent.reader.as_mut());
    match (readers.next(), readers.next()) {
        (Some(first), Some(second)) => tokio::select! {
            () = first.grown() => {}
            () = second.grown() => {}
        },
        (Some(only), None) => only.grown().await,
        (None, _) => std::future::pending().await,
    }
}
