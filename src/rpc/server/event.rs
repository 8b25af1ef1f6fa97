//! Tells what happens.

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::domain::id::Seq;
use crate::rpc::convert::event;
use crate::rpc::proto::event_service_server::EventService;
use crate::rpc::proto::read_events_response::What;
use crate::rpc::proto::{ReadEventsRequest, ReadEventsResponse};
use crate::rpc::server::feed::{Feed, Over, Woken, recorded};
use crate::rpc::server::{Service, farewell};

/// How many changes are read at once.
const PAGE: usize = 256;

#[tonic::async_trait]
impl EventService for Service {
    type ReadEventsStream = ReceiverStream<Result<ReadEventsResponse, Status>>;

    async fn read_events(
        &self,
        request: Request<ReadEventsRequest>,
    ) -> Result<Response<Self::ReadEventsStream>, Status> {
        let ReadEventsRequest { since, follow } = request.into_inner();
        let (feed, messages) = Feed::new(self.handle.closing());
        self.work.spawn(send(self.clone(), since.map(Seq), follow, feed));
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}

/// Sends the changes after `since`, or after the last there is now, and goes on with further ones if it is to follow.
async fn send(
    service: Service,
    since: Option<Seq>,
    is_followed: bool,
    mut feed: Feed<ReadEventsResponse>,
) -> Result<(), Over> {
    let mut changes = service.handle.changes();
    let mut cursor = since.unwrap_or_else(|| *changes.borrow());
    let mut last_look = None;
    feed.send(told(What::Cursor(cursor.0))).await?;
    loop {
        // First this, then reading: what is recorded in between wakes again.
        changes.mark_unchanged();
        loop {
            let page = match service.handle.changes_after(cursor, PAGE).await {
                Ok(page) => page,
                Err(error) => return Err(feed.fail(service.refuse(&error))),
            };
            if let Some(gap) = page.gap {
                cursor = gap;
                feed.send(told(What::Gap(gap.0))).await?;
            }
            let is_last = page.changes.len() < PAGE;
            for change in page.changes {
                cursor = change.seq;
                feed.send(told(What::Event(event::to_proto(change)))).await?;
            }
            if is_last {
                break;
            }
        }
        if !is_followed {
            return Ok(());
        }
        if let Some(closing) = last_look {
            return Err(feed.fail(farewell(closing)));
        }
        if let Woken::Closing(closing) = feed.wait(recorded(&mut changes)).await? {
            last_look = Some(closing);
        }
    }
}

fn told(what: What) -> ReadEventsResponse {
    ReadEventsResponse { what: Some(what) }
}
