//! Hashes of outputs: computed when first asked for, once, and kept.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};
use tracing::warn;

use crate::domain::attempt::Stream;
use crate::domain::error::ErrorKind;
use crate::domain::id::AssignmentId;
use crate::engine::handle::Shared;

/// How many files are read at once. The rest waits its turn, so that whoever asks about many large ones leaves threads
/// for starting and ending tasks.
const AT_ONCE: usize = 2;

type Key = (AssignmentId, Stream);
type Hash = watch::Receiver<Option<[u8; 32]>>;

/// The hashes that are being computed.
pub(super) struct Hashing {
    under_way: Mutex<HashMap<Key, Hash>>,
    turns: Semaphore,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { under_way: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }
}

impl Shared {
    /// Begins to compute a hash, unless that is under way, and returns where it will be told. It goes on when nobody
    /// waits any more. If the file cannot be read, nothing is told and the channel closes.
    pub(super) fn hash(self: &Arc<Self>, assignment: AssignmentId, stream: Stream, path: PathBuf) -> Hash {
        let key = (assignment, stream);
        let mut under_way = self.hashing.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = || {
            let (told, hash) = watch::channel(None);
            let shared = Arc::clone(self);
            tokio::spawn(async move {
                shared.compute(key, path, told).await;
                shared.hashing.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            });
            hash
        };
        under_way.entry(key).or_insert_with(begin).clone()
    }

    async fn compute(&self, (assignment, stream): Key, path: PathBuf, told: watch::Sender<Option<[u8; 32]>>) {
        let Ok(_turn) = self.hashing.turns.acquire().await else { return };
        // A file that somebody removed has no hash.
        let Ok(hash) = self.outputs.sha256(&path).await else { return };
        told.send_replace(Some(hash));
        match self.store.keep_hash(assignment, stream, hash).await {
            Err(error) if error.kind() != ErrorKind::Unavailable => {
                warn!(%error, "Cannot keep the hash of an output; it is computed again when it is asked for");
            }
            _ => {}
        }
    }
}
