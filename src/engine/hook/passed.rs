//! How far hooks came by what was nothing to them. It is stored only now and then: for itself it is worth no write.

use std::sync::PoisonError;

use crate::domain::hook::HookRan;
use crate::domain::id::Seq;
use crate::engine::handle::Shared;
use crate::store;

impl Shared {
    /// Remembers how far a hook came that is not stored; `None` if all is.
    pub(super) fn hook_passed(&self, hook: &str, until: Option<Seq>) {
        let mut passed = self.hooks_passed.lock().unwrap_or_else(PoisonError::into_inner);
        match until {
            Some(until) => drop(passed.insert(hook.to_owned(), until)),
            None => drop(passed.remove(hook)),
        }
    }
}

/// Stores it: old changes are kept for a hook as long as the store does not know that it has come by. Nobody is woken for that.
pub(in crate::engine) async fn store(shared: &Shared) -> Result<(), store::Error> {
    let passed = shared.hooks_passed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for (hook, until) in passed {
        let now = (shared.world.now)();
        shared.store.hook_ran(HookRan { hook: hook.clone(), until, ahead: None, run: None, now }).await?;
        let mut passed = shared.hooks_passed.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have come further meanwhile.
        if passed.get(&hook) == Some(&until) {
            passed.remove(&hook);
        }
    }
    Ok(())
}
