//! What happens, in order, across broken connections.

use tokio::time::{sleep, timeout};
use tonic::Streaming;

use crate::domain::change::Change;
use crate::domain::id::Seq;
use crate::rpc::client::version::Noting;
use crate::rpc::client::{Client, Error, Retry};
use crate::rpc::convert::event;
use crate::rpc::proto;
use crate::rpc::proto::event_service_client::EventServiceClient;
use crate::rpc::proto::read_events_response::What;

/// Something that the feed tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A change was recorded.
    Change(Box<Change>),
    /// The changes up to this number, after the last one told, were forgotten.
    Gap(Seq),
}

impl Client {
    /// Reads the changes after `since`, or after the last there is now, and with `follow` those that are still to come.
    pub fn events(&self, since: Option<Seq>, follow: bool) -> Events {
        let retry = Retry::new(self.options.reconnect_for);
        Events { client: self.clone(), cursor: since, follow, stream: None, retry, done: false }
    }

    fn event_service(&self) -> EventServiceClient<Noting> {
        EventServiceClient::new(self.channel.clone())
    }
}

/// What happens. Taken up again by itself when the connection breaks: nothing is missing, nothing comes twice.
#[derive(Debug)]
pub struct Events {
    client: Client,
    /// The last change that is known; absent until the daemon has said where it begins.
    cursor: Option<Seq>,
    follow: bool,
    stream: Option<Streaming<proto::ReadEventsResponse>>,
    retry: Retry,
    done: bool,
}

impl Events {
    /// Returns the next event; `None` when there is no more to come. Changes of a sort that a later version may have added
    /// are left out.
    ///
    /// Errors: `unavailable` when the daemon was stopped; what the last attempt to reconnect ended with when
    /// [`super::Options::reconnect_for`] is over. After an error there is only `None`.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        while !self.done {
            match self.step().await {
                Ok(Some(what)) => {
                    self.retry.succeeded();
                    match self.take(what) {
                        Ok(Some(event)) => return Some(Ok(event)),
                        Ok(None) => {}
                        Err(error) => {
                            self.done = true;
                            return Some(Err(error));
                        }
                    }
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

    /// Waits until the daemon has said where it begins: whatever happens from then on is told.
    pub async fn begin(&mut self) -> Result<(), Error> {
        while self.cursor.is_none() {
            match self.step().await? {
                Some(message) => drop(self.take(message)?),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<Option<proto::ReadEventsResponse>, Error> {
        let deadline = self.client.options.deadline;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let allowed = if self.retry.is_failing() { self.retry.left() } else { deadline };
                let mut service = self.client.event_service();
                let since = self.cursor.map(|cursor| cursor.0);
                let request = proto::ReadEventsRequest { since, follow: self.follow };
                let opened = timeout(allowed, service.read_events(request)).await;
                let response = opened.map_err(|_| Error::NoAnswer { after: allowed })?;
                let response = response.map_err(|status| Error::from_status(status, deadline))?;
                self.stream.insert(response.into_inner())
            }
        };
        match stream.message().await.map_err(|status| Error::from_status(status, deadline))? {
            None if self.follow => Err(Error::Broken { source: "the stream ended before the daemon".into() }),
            message => Ok(message),
        }
    }

    /// Moves the cursor and returns what is new.
    fn take(&mut self, message: proto::ReadEventsResponse) -> Result<Option<Event>, Error> {
        match message.what {
            Some(What::Event(event)) => {
                self.cursor = Some(Seq(event.seq));
                Ok(event::from_proto(event)?.map(|change| Event::Change(Box::new(change))))
            }
            Some(What::Gap(until)) => {
                self.cursor = Some(Seq(until));
                Ok(Some(Event::Gap(Seq(until))))
            }
            Some(What::Cursor(at)) => {
                self.cursor = Some(Seq(at));
                Ok(None)
            }
            // Something that a later version may have added.
            None => Ok(None),
        }
    }
}
