//! What hooks are given that the engine knows nothing of: the settings, the public JSON, the desktop.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::warn;

use crate::config::Config;
use crate::domain::hook::{Deed, HookEvent, Occasion};
use crate::domain::text::neutralize;
use crate::engine::{HookWorld, Hooks};
use crate::paths::Project;
use crate::process;
use crate::view::hook::OccasionView;
use crate::view::json;

/// Longest body of a notification, in characters.
const BODY_MAX: usize = 200;

/// Variables by which a supervisor talks to the daemon: a hook would speak for it.
///
/// Source: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3), systemd.exec(5).
const OF_SUPERVISORS: [&str; 9] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "MAINPID",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
];

/// Returns the hooks of a configuration. Says so if one is to notify and there is nothing here that does.
pub(super) fn hooks(config: &Config) -> Hooks {
    let hooks = config.hooks.clone();
    let silent = hooks.iter().find(|hook| hook.deed == Deed::Notify).filter(|_| notifier().is_none());
    if let Some(hook) = silent {
        warn!("Hook {} is to notify, and there is no `{NOTIFIER}` here: it shows nothing", hook.name);
    }
    Hooks { hooks, at_once: config.daemon.max_hooks }
}

/// Returns what hooks are run with.
pub(super) fn world(project: &Project, hooks: watch::Receiver<Arc<Hooks>>) -> HookWorld {
    let data = project.data().to_owned();
    let describe = move |occasion: &Occasion| {
        // Nothing in it can fail to be written.
        let mut line = json::line(&OccasionView::of(occasion, &data)).unwrap_or_default().into_bytes();
        line.push(b'\n');
        line
    };
    let ours = |name: &OsStr| {
        name.as_encoded_bytes().starts_with(b"APEX_") || OF_SUPERVISORS.iter().any(|theirs| name == *theirs)
    };
    let env: Vec<(OsString, OsString)> = std::env::vars_os().filter(|(name, _)| !ours(name)).collect();
    HookWorld { hooks, describe: Box::new(describe), notify: Box::new(notification), env }
}

#[cfg(not(target_os = "macos"))]
const NOTIFIER: &str = "notify-send";
#[cfg(target_os = "macos")]
const NOTIFIER: &str = "osascript";

/// Returns the program that shows notifications on the desktop of this machine, if there is one.
fn notifier() -> Option<PathBuf> {
    let path = std::env::var_os("PATH");
    process::lookup(OsStr::new(NOTIFIER), path.as_deref(), std::path::Path::new("/")).ok()
}

/// Returns the command that shows a notification; `None` where there is nothing that does.
fn notification(occasion: &Occasion) -> Option<Vec<OsString>> {
    let (title, body) = in_words(occasion);
    let mut argv = vec![notifier()?.into_os_string()];
    argv.extend(arguments(title, body));
    Some(argv)
}

/// Source: notify-send(1); the body is read as markup by most that show it.
#[cfg(not(target_os = "macos"))]
fn arguments(title: String, body: String) -> Vec<OsString> {
    let body = body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    vec!["--app-name=apex".into(), "--".into(), title.into(), body.into()]
}

/// Source: osascript(1): what comes after the script are its arguments, which nothing reads as a script.
#[cfg(target_os = "macos")]
fn arguments(title: String, body: String) -> Vec<OsString> {
    let script = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run";
    vec!["-e".into(), script.into(), title.into(), body.into()]
}

/// Returns what has happened, and what it happened to.
fn in_words(occasion: &Occasion) -> (String, String) {
    let Occasion { event, change, task, queue, .. } = occasion;
    let Some(id) = change.task else {
        let name = queue.as_ref().map(|queue| neutralize(&queue.name).into_owned()).unwrap_or_default();
        return (format!("queue {name} is empty"), String::new());
    };
    let ended = || change.to.map_or("ended".to_owned(), |state| state.as_str().replace('_', " "));
    let what = match event {
        HookEvent::Start => "started".to_owned(),
        HookEvent::Retry => "failed and is tried again".to_owned(),
        _ => ended(),
    };
    let named = task.as_ref().map(|task| task.spec.name.clone().unwrap_or_else(|| task.command_line()));
    let parts = named.into_iter().chain(change.reason.clone()).collect::<Vec<_>>().join(": ");
    (format!("task {id} {what}"), neutralize(&parts).chars().take(BODY_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::ChangeKind;
    use crate::domain::queue::Queue;
    use crate::domain::task::State;
    use crate::view::samples;

    #[test]
    fn a_notification_says_what_happened_and_steers_nothing() {
        let mut change = samples::started();
        (change.kind, change.to) = (ChangeKind::Ended, Some(State::TimedOut));
        change.reason = Some("its <b>time\u{1b}</b> is over".to_owned());
        let mut task = samples::queued();
        task.spec.name = Some("build".to_owned());
        let queue = Some(Queue { name: "gpu".to_owned(), ..Queue::default() });
        let event = HookEvent::Failure;
        let mut occasion = Occasion { hook: "show".to_owned(), event, change, task: Some(task), queue };
        let (title, body) = in_words(&occasion);
        assert_eq!(title, "task 12 timed out");
        assert_eq!(body, "build: its <b>time\\u001b</b> is over");
        if cfg!(not(target_os = "macos")) {
            let last = arguments(title, body).pop().unwrap();
            assert_eq!(last, "build: its &lt;b&gt;time\\u001b&lt;/b&gt; is over");
        }
        (occasion.event, occasion.change.task) = (HookEvent::QueueEmpty, None);
        assert_eq!(in_words(&occasion).0, "queue gpu is empty");
    }
}
