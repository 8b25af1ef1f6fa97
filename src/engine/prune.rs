//! Forgetting what has ended, as a person asks for it: some at a time, as retention does.

use std::sync::Arc;

use crate::domain::change::Actor;
use crate::domain::id::TaskId;
use crate::domain::prune::{Prune, Pruned};
use crate::domain::query::{Refused, TaskFilter};
use crate::engine::{Error, Handle};
use crate::store::task::Steer;

/// How many are forgotten in one transaction, while others wait.
const PIECE_MAX: usize = 64;
/// How many pieces are done for one call: well within a client's deadline.
const PIECES_MAX: usize = 8;

impl Handle {
    /// Forgets tasks that have ended, with all they wrote, some hundred of them; its answer says where to go on. What something
    /// that waits depends on stays, and what has hooks of its own that have not run yet.
    pub async fn prune(&self, mut prune: Prune, by: Actor) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        for _ in 0..PIECES_MAX {
            let ended = self.shared.store.ended(prune.clone(), PIECE_MAX).await?;
            pruned.next = ended.last().copied().filter(|_| ended.len() == PIECE_MAX);
            let Some((latest, _)) = ended.first() else { break };
            // One that begins anew meanwhile is not what was to be forgotten.
            let only = TaskFilter { states: prune.states.clone(), ended_until: Some(*latest), ..TaskFilter::default() };
            let ids: Vec<TaskId> = ended.iter().map(|(_, id)| *id).collect();
            let now = (self.shared.world.now)();
            let remove = Steer { ids, only: Some(Arc::new(only)), by: by.clone(), now };
            for (_, answer) in self.shared.store.remove(remove).await? {
                match answer {
                    Ok(()) => pruned.removed += 1,
                    Err(Refused::Needed(_)) => pruned.needed += 1,
                    Err(Refused::Hook(_)) => pruned.hooks += 1,
                    Err(_) => {}
                }
            }
            if pruned.next.is_none() {
                break;
            }
            prune.below = pruned.next;
        }
        if pruned.removed > 0 {
            self.tidy_up().await;
        }
        Ok(pruned)
    }
}
