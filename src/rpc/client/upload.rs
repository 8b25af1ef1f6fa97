//! Handing over a task's standard input before the task is added.

use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use crate::rpc::client::{Client, Error};
use crate::rpc::convert;
use crate::rpc::proto;

/// Size of the pieces.
const PIECE_BYTES: usize = 64 << 10;
/// How many pieces may wait to be sent.
const PIECES_AHEAD: usize = 4;
/// What a slow disk takes in a second, for the time that syncing a large upload may need on top of the deadline.
const SLOW_DISK_BYTES: u64 = 10 << 20;

impl Client {
    /// Hands `source` over to the end, and returns the name by which [`crate::domain::task::Stdin::Upload`] refers to
    /// it. Resolves when it is on the disk.
    ///
    /// The source may be as slow as it likes; the daemon has the deadline for each piece it takes and for its answer.
    ///
    /// Errors: [`Error::Input`] if the source cannot be read. Not repeated when the connection breaks, because what was
    /// read of the source is gone.
    pub async fn upload_stdin(&self, source: impl AsyncRead) -> Result<Uuid, Error> {
        let deadline = self.options.deadline;
        let (pieces, stream) = mpsc::channel(PIECES_AHEAD);
        let mut service = self.log_service();
        let mut answer = pin!(service.upload_stdin(ReceiverStream::new(stream)));
        let feed = feed(source, pieces, deadline);
        let response = tokio::select! {
            answer = &mut answer => answer,
            fed = feed => {
                let patience = deadline + Duration::from_secs(fed? / SLOW_DISK_BYTES);
                timeout(patience, answer).await.map_err(|_| Error::NoAnswer { after: patience })?
            }
        };
        let response = response.map_err(|status| Error::from_status(status, deadline))?.into_inner();
        Ok(convert::uuid("upload", &response.upload)?)
    }
}

/// Reads the source into the channel and returns how many bytes it held. The last piece is marked: a call that is cut
/// off looks to the daemon like one that has ended. When the other end is gone, so is the interest in the source, and
/// the answer says why.
async fn feed(
    source: impl AsyncRead,
    pieces: mpsc::Sender<proto::UploadStdinRequest>,
    deadline: Duration,
) -> Result<u64, Error> {
    let mut source = pin!(source);
    let mut bytes = 0;
    loop {
        let mut data = Vec::with_capacity(PIECE_BYTES);
        source.read_buf(&mut data).await.map_err(|source| Error::Input { source })?;
        bytes += data.len() as u64;
        let last = data.is_empty();
        match timeout(deadline, pieces.send(proto::UploadStdinRequest { data, last })).await {
            Ok(Ok(())) if !last => {}
            Ok(_) => return Ok(bytes),
            Err(_) => return Err(Error::NoAnswer { after: deadline }),
        }
    }
}
