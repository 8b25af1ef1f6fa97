//! What a store promises about the feed of changes.

use tokio::sync::watch;

use crate::domain::change::Change;
use crate::domain::id::Seq;
use crate::store::Reply;

/// The feed: every change, in order, read from a cursor of one's own. Nothing is pushed, so a slow reader misses
/// nothing; [`ChangeStore::watch`] only says that there is more.
pub trait ChangeStore {
    /// Returns the changes after `since`, oldest first, at most `limit`. One that is damaged is passed over.
    fn changes(&self, since: Seq, limit: usize) -> Reply<'_, Vec<Change>>;

    /// Returns the number of the oldest change that is kept; `None` if there is none.
    fn oldest(&self) -> Reply<'_, Option<Seq>>;

    /// Returns a receiver of the number of the last change; it changes after a commit, never before.
    fn watch(&self) -> watch::Receiver<Seq>;
}
