//! Who follows the feed for hooks, and what waits for them.

use std::sync::atomic::Ordering;

use tokio::sync::watch;

use super::*;
use crate::domain::hook::{Deed, Hook, HookEvent, HookRan, OF_TASKS};
use crate::domain::id::Seq;
use crate::domain::selection::{self, Selection};
use crate::store::{ChangeStore, HookStore};

/// How long what these tests wait for may take: it comes at once, or never.
const PATIENCE: Duration = Duration::from_secs(60);

/// Of a world with one hook, which runs a program; keep it as long as the hook is to be followed.
fn world_of(event: HookEvent, program: &str) -> (watch::Sender<Arc<Hooks>>, HookWorld) {
    let hook = Hook {
        name: "tell".to_owned(),
        on: vec![event],
        deed: Deed::Run(vec![program.into()]),
        queues: Vec::new(),
        timeout: PATIENCE,
    };
    let (sender, hooks) = watch::channel(Arc::new(Hooks { hooks: vec![hook], at_once: 1 }));
    let world = HookWorld { hooks, describe: Box::new(|_| Vec::new()), notify: Box::new(|_| None), env: Vec::new() };
    (sender, world)
}

impl Stage {
    /// Waits until a hook came so far.
    async fn until_hook(&self, name: &str, seq: Seq) {
        let mut ran = self.handle.shared.hooks_ran.subscribe();
        let came = async {
            while self.store.hook_cursors().await.unwrap().get(name).is_none_or(|cursor| *cursor < seq) {
                ran.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, came).await.expect("the hook comes so far");
    }

    /// Waits until it is known from where a hook is followed.
    async fn until_followed(&self, name: &str) {
        while !self.store.hook_cursors().await.unwrap().contains_key(name) {
            tokio::task::yield_now().await;
        }
    }

    /// Adds tasks with hooks that nobody follows, and cancels them.
    async fn ended_with_hooks(&self, count: usize) -> Vec<TaskId> {
        let mut spec = TaskSpec::command(vec!["/bin/true".into()], "/".into());
        spec.hooks = [(HookEvent::End, "true".to_owned())].into();
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            ids.push(self.add_spec(spec.clone()).await);
        }
        self.handle.cancel(ids.clone(), None, Actor::Cli(1)).await.unwrap();
        ids
    }
}

#[tokio::test]
async fn a_hook_that_has_run_is_noted_however_much_is_left_to_look_at() {
    let stage = Stage::new(0).await;
    let (_hooks, world) = world_of(HookEvent::End, "/bin/true");
    let _running = stage.handle.run_hooks(world);
    stage.until_followed("tell").await;
    stage.store.endless.store(true, Ordering::Relaxed);
    let id = stage.add().await;
    stage.handle.cancel(vec![id], None, Actor::Cli(1)).await.unwrap();
    let ended = *stage.handle.changes().borrow();
    stage.until_hook("tell", ended).await;
}

#[tokio::test(start_paused = true)]
async fn all_pieces_of_a_removal_wait_for_hooks_no_longer_than_one() {
    let stage = Stage::new(0).await;
    let ids = stage.ended_with_hooks(300).await;
    let selection = Selection { ids, ..Selection::default() };
    let began = moment();
    let page = stage.handle.steer_selected(&selection, None, &selection::Deed::Remove, Actor::Cli(1)).await.unwrap();
    let waited = moment().0 - began.0;
    assert!((2_000..4_000).contains(&waited), "{waited} ms");
    let refused = page.results.iter().filter(|(_, result)| matches!(result, Err(Error::HookToCome { .. }))).count();
    assert_eq!((refused, page.next), (300, None));
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_waits_for_hooks_looks_only_now_and_then() {
    let stage = Stage::new(0).await;
    let ids = stage.ended_with_hooks(2).await;
    let ended = *stage.handle.changes().borrow();
    let handle = stage.handle.clone();
    let removal = tokio::spawn(async move { handle.remove(ids, Actor::Cli(1)).await.unwrap() });
    let ran = |until| HookRan { hook: OF_TASKS.to_owned(), until, ahead: None, run: None, now: now() };
    for n in 0..1_000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if n == 500 {
            stage.store.hook_ran(ran(Seq(ended.0 - 1))).await.unwrap();
        }
        stage.handle.shared.hooks_ran.send_replace(());
    }
    assert_eq!(stage.store.removes.load(Ordering::Relaxed), 2, "the first one had its turn");
    stage.store.hook_ran(ran(ended)).await.unwrap();
    stage.handle.shared.hooks_ran.send_replace(());
    let answers = removal.await.unwrap();
    assert!(answers.iter().all(|(_, answer)| answer.is_ok()), "{answers:?}");
    let asked = stage.store.hooks_asked.load(Ordering::Relaxed);
    assert!((2..=12).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn what_is_nothing_to_a_hook_is_kept_no_longer_for_it() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let stage = Stage::new(0).await;
    let (_hooks, world) = world_of(HookEvent::Failure, "/bin/true");
    let _running = stage.handle.run_hooks(world);
    stage.until_followed("tell").await;
    stage.handle.apply(Settings { keep_for: Some(HOUR), ..reload::settings() }).await.unwrap();
    let id = stage.add().await;
    stage.handle.cancel(vec![id], None, Actor::Cli(1)).await.unwrap();
    let ended = *stage.handle.changes().borrow();
    tokio::time::sleep(HOUR + HOUR / 2).await;
    let oldest = stage.store.oldest().await.unwrap();
    assert!(oldest.is_some_and(|oldest| oldest > ended), "{oldest:?}, and {ended:?} was an hour ago");
    // Of what was told of that, nothing is left in the end, and nobody looks any more.
    tokio::time::sleep(20 * HOUR).await;
    assert_eq!(stage.store.oldest().await.unwrap(), None);
    let looked = stage.store.expires.load(Ordering::Relaxed);
    assert!(looked < 8, "{looked} times");
}
