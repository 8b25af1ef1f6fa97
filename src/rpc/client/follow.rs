//! What a task writes, byte by byte, across broken connections.

use std::collections::BTreeMap;

use tokio::time::{sleep, timeout};
use tonic::Streaming;

use crate::domain::attempt::Stream;
use crate::domain::id::{AttemptNumber, TaskId};
use crate::domain::task::Task;
use crate::rpc::client::place::{Places, Span};
use crate::rpc::client::{Client, Error, Retry};
use crate::rpc::convert::{attempt, task};
use crate::rpc::proto;
use crate::rpc::proto::read_output_response::What;

/// What to read of a task's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowRequest {
    /// Whose.
    pub task: TaskId,
    /// This attempt alone; if absent the last one, and with `follow` those that come after it.
    pub attempt: Option<AttemptNumber>,
    /// All there are if empty.
    pub streams: Vec<Stream>,
    /// Begin so many lines before the end.
    pub tail_lines: Option<u32>,
    /// Wait for more until the task has ended.
    pub follow: bool,
}

/// A piece of what a task wrote, or its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Some bytes of one stream.
    Chunk {
        /// Of which attempt.
        attempt: AttemptNumber,
        /// Of which stream.
        stream: Stream,
        /// Of the first byte in the stream.
        offset: u64,
        /// At least one byte, at most 256 KiB.
        data: Vec<u8>,
    },
    /// There is no more to come; the task as it stands. Only with [`FollowRequest::follow`], and then the last.
    Ended(Box<Task>),
}

impl Client {
    /// Reads what a task wrote, and with [`FollowRequest::follow`] what it will write.
    pub fn follow(&self, request: FollowRequest) -> Follow {
        let retry = Retry::new(self.options.reconnect_for);
        Follow {
            client: self.clone(),
            request,
            stream: None,
            cursors: BTreeMap::new(),
            first: None,
            in_place: true,
            places: Places::default(),
            span: None,
            retry,
            done: false,
        }
    }
}

/// What a task writes. Taken up again by itself when the connection breaks: nothing is missing, nothing comes twice.
#[derive(Debug)]
pub struct Follow {
    client: Client,
    request: FollowRequest,
    stream: Option<Streaming<proto::ReadOutputResponse>>,
    /// The end of what was received of each stream of the newest attempt seen; those before it are complete.
    cursors: BTreeMap<(AttemptNumber, Stream), u64>,
    /// The attempt of which only the tail was asked for.
    first: Option<AttemptNumber>,
    /// Whether files are read here.
    in_place: bool,
    places: Places,
    /// What can be read in a file, and was not yet.
    span: Option<Span>,
    retry: Retry,
    done: bool,
}

impl Follow {
    /// Begins at this place of a stream of an attempt, which is the last one.
    #[must_use]
    pub fn beginning(mut self, attempt: AttemptNumber, stream: Stream, offset: u64) -> Self {
        self.cursors.insert((attempt, stream), offset);
        self
    }

    /// Returns the next piece; `None` when there is no more to come.
    ///
    /// Errors: `not_found` for a task or attempt that does not exist; `unavailable` when the daemon was stopped; what
    /// the last attempt to reconnect ended with when [`super::Options::reconnect_for`] is over. After an error there is
    /// only `None`.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Piece, Error>> {
        while !self.done {
            if self.span.is_some() {
                // Reading a file never waits: signals, timers, requests and the connection get their turn here.
                tokio::task::yield_now().await;
            }
            if let Some(piece) = self.read() {
                return Some(Ok(piece));
            }
            match self.step().await {
                Ok(Some(What::Chunk(chunk))) => {
                    self.retry.succeeded();
                    if let Some(piece) = self.take(chunk) {
                        return Some(Ok(piece));
                    }
                }
                Ok(Some(What::Ended(ended))) => {
                    self.done = true;
                    return Some(task::from_proto(ended).map(|task| Piece::Ended(Box::new(task))).map_err(Error::from));
                }
                Ok(None) => self.done = true,
                Err(error) => {
                    self.stream = None;
                    match self.retry.pause_after(&error) {
                        Some(pause) => sleep(pause).await,
                        None => {
                            self.done = true;
                            return Some(Err(error));
                        }
                    }
                }
            }
        }
        None
    }

    async fn step(&mut self) -> Result<Option<What>, Error> {
        let deadline = self.client.options.deadline;
        if self.stream.is_none() {
            let allowed = if self.retry.is_failing() { self.retry.left() } else { deadline };
            let mut service = self.client.log_service();
            let opened = timeout(allowed, service.read_output(self.message())).await;
            let response = opened.map_err(|_| Error::NoAnswer { after: allowed })?;
            self.stream = Some(response.map_err(|status| Error::from_status(status, deadline))?.into_inner());
        }
        let Some(stream) = &mut self.stream else { return Ok(None) };
        match stream.message().await.map_err(|status| Error::from_status(status, deadline))? {
            // Something that a later version may have added.
            Some(proto::ReadOutputResponse { what: None }) => Ok(Some(What::Chunk(proto::OutputChunk::default()))),
            Some(response) => Ok(response.what),
            None if self.request.follow => Err(Error::Broken { source: "the stream ended before the task".into() }),
            None => Ok(None),
        }
    }

    fn message(&self) -> proto::ReadOutputRequest {
        let from = self.cursors.iter().map(|((attempt, stream), offset)| proto::OutputOffset {
            attempt: *attempt,
            stream: attempt::stream_to_proto(*stream).into(),
            offset: *offset,
        });
        proto::ReadOutputRequest {
            task_id: self.request.task.get(),
            attempt: self.request.attempt.unwrap_or(0),
            streams: self.request.streams.iter().map(|stream| attempt::stream_to_proto(*stream).into()).collect(),
            from: from.collect(),
            // A stream of a later attempt that was not heard of yet begins at its beginning.
            tail_lines: self.request.tail_lines.filter(|_| self.cursors.keys().all(|key| Some(key.0) == self.first)),
            follow: self.request.follow,
            in_place: self.in_place,
            waiter: self.client.options.waiter.filter(|_| self.request.follow).map(|attempt| attempt.to_string()),
        }
    }

    /// Reads on in a file.
    fn read(&mut self) -> Option<Piece> {
        let span = self.span.as_mut()?;
        match self.places.read(span) {
            Ok(Some(piece)) => {
                let cursor = span.from;
                self.cursors.insert((span.attempt, span.stream), cursor);
                if cursor == span.until {
                    self.span = None;
                }
                Some(piece)
            }
            // It was cut off.
            Ok(None) => {
                self.span = None;
                None
            }
            Err(_) => {
                self.ask_for_data();
                None
            }
        }
    }

    /// Asks again, from where this is, for what cannot be read here.
    fn ask_for_data(&mut self) {
        (self.in_place, self.span, self.stream) = (false, None, None);
    }

    /// Moves the cursor and returns what is new; `None` for a chunk that only says where a stream begins, or one of a
    /// stream that a later version may have added.
    fn take(&mut self, mut chunk: proto::OutputChunk) -> Option<Piece> {
        let stream = attempt::stream_from_proto(chunk.stream).ok()?;
        self.first.get_or_insert(chunk.attempt);
        self.cursors.retain(|(attempt, _), _| *attempt >= chunk.attempt);
        let cursor = self.cursors.entry((chunk.attempt, stream)).or_insert(chunk.offset);
        if chunk.length > 0 {
            // From where this is: what was cut off in between may have been written anew.
            let (from, until) = (*cursor, chunk.offset.saturating_add(chunk.length));
            if chunk.file.is_some_and(|file| self.places.open(chunk.attempt, stream, &file).is_err()) {
                self.ask_for_data();
            } else if from < until {
                self.span = Some(Span { attempt: chunk.attempt, stream, from, until });
            }
            return None;
        }
        let known = usize::try_from(cursor.saturating_sub(chunk.offset)).unwrap_or(usize::MAX).min(chunk.data.len());
        chunk.data.drain(..known);
        let offset = chunk.offset + known as u64;
        if chunk.data.is_empty() {
            return None;
        }
        *cursor = offset + chunk.data.len() as u64;
        Some(Piece::Chunk { attempt: chunk.attempt, stream, offset, data: chunk.data })
    }
}
