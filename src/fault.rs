//! Faults on demand, so that tests can show what the safeguards are worth.
//!
//! Only a build with debug assertions can do any of this; in a release build the functions are empty. What is to happen
//! stands in the environment of the daemon:
//!
//! - `APEX_FAULT_CRASH=NAME[:N]` kills the process with SIGKILL when it comes to the point `NAME` for the N-th time (the
//!   first, if there is no N). With `APEX_FAULT_ONCE=FILE` only the first process that gets there dies: it makes the file.
//! - `APEX_FAULT_NETWORK=DIR` makes what is below `DIR` pass for a network file system.
//! - `APEX_SABOTAGE=N[,N…]` takes out the mechanism behind these promises. The promises are numbered in `ARCHITECTURE.md`.

/// The points at which a process can be made to die, in the order in which an attempt comes by. The first word is the
/// process it happens in: `apexd` or `guardian`.
pub const POINTS: &[&str] = &[
    // How a start goes.
    "guardian.locked",
    "guardian.listening",
    "guardian.apexd.started",
    "apexd.store.opened",
    "guardian.roll_call.begun",
    "guardian.roll_call.under_way",
    "apexd.roll_call.heard",
    "apexd.past.decided",
    "apexd.past.settled",
    "apexd.ready.told",
    // How an attempt goes. `written` is before the commit that makes it last, `committed` after it, before anybody is told.
    "apexd.add.written",
    "apexd.commit.before",
    "apexd.commit.after",
    "apexd.add.committed",
    "apexd.due.written",
    "apexd.fire.written",
    "apexd.fire.committed",
    "apexd.claim.written",
    "apexd.claim.committed",
    "apexd.spawn.prepared",
    "apexd.spawn.ordered",
    "apexd.unclaim.written",
    "apexd.unclaim.committed",
    "apexd.link.half_written",
    "apexd.link.written",
    "guardian.spawn.ordered",
    "guardian.spawn.done",
    "guardian.spawn.held",
    "guardian.link.half_told",
    "guardian.link.told",
    "apexd.spawn.told",
    "apexd.start.written",
    "apexd.start.committed",
    "apexd.pause.written",
    "apexd.pause.committed",
    "apexd.resume.signalled",
    "apexd.cancel.written",
    "apexd.cancel.committed",
    "apexd.signal.ordered",
    "guardian.signal.ordered",
    "guardian.signal.sent",
    "guardian.exit.seen",
    "guardian.exit.noted",
    "apexd.exit.told",
    "apexd.output.sealed",
    "apexd.dependant.told",
    "apexd.hook.written",
    "apexd.hook.committed",
    "apexd.progress.written",
    "apexd.progress.committed",
    "apexd.finish.written",
    "apexd.finish.committed",
    "apexd.forget.ordered",
    "guardian.forget.ordered",
    "guardian.reaped",
    // How one apexd makes room for another, and how everything stops.
    "apexd.replace.ordered",
    "guardian.replace.ordered",
    "guardian.stop.asked",
    "apexd.drain.begun",
    "apexd.store.closed",
    "apexd.link.closed",
    "guardian.apexd.ended",
    "guardian.last_words.written",
    // How somebody becomes the guardian who is not.
    "guardian.program.exchanged",
    "apexd.place.taken",
    "guardian.resumed",
];

/// Kills this process if it was asked to die here.
///
/// Must not be called between fork and exec: it reads the environment.
#[inline]
pub fn crash_point(name: &'static str) {
    #[cfg(debug_assertions)]
    armed::crash_point(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Returns whether this process is to die at a point at some time, so that what comes before it can be done by half.
#[inline]
#[must_use]
pub fn is_armed(name: &'static str) -> bool {
    #[cfg(debug_assertions)]
    return armed::is_armed(name);
    #[cfg(not(debug_assertions))]
    {
        let _ = name;
        false
    }
}

/// Returns whether the mechanism behind a promise is to be left out.
#[inline]
#[must_use]
pub fn is_sabotaged(promise: u8) -> bool {
    #[cfg(debug_assertions)]
    return armed::is_sabotaged(promise);
    #[cfg(not(debug_assertions))]
    {
        let _ = promise;
        false
    }
}

/// Returns whether a path is to be taken for one on a network file system.
#[inline]
#[must_use]
pub fn is_taken_for_network(path: &std::path::Path) -> bool {
    #[cfg(debug_assertions)]
    return armed::is_taken_for_network(path);
    #[cfg(not(debug_assertions))]
    {
        let _ = path;
        false
    }
}

#[cfg(debug_assertions)]
mod armed {
    use std::path::{Path, PathBuf};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use nix::sys::signal::{Signal, raise};

    struct Armed {
        crash: Option<(String, u32)>,
        once: Option<PathBuf>,
        network: Option<PathBuf>,
        sabotaged: Vec<u8>,
        hits: AtomicU32,
    }

    fn armed() -> &'static Armed {
        static ARMED: OnceLock<Armed> = OnceLock::new();
        ARMED.get_or_init(|| {
            let text = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
            Armed {
                crash: text("APEX_FAULT_CRASH").map(|text| parse_point(&text)),
                once: text("APEX_FAULT_ONCE").map(PathBuf::from),
                network: text("APEX_FAULT_NETWORK").map(PathBuf::from),
                sabotaged: text("APEX_SABOTAGE").map(|text| parse_promises(&text)).unwrap_or_default(),
                hits: AtomicU32::new(0),
            }
        })
    }

    pub(super) fn parse_point(text: &str) -> (String, u32) {
        let (name, hit) = text.split_once(':').unwrap_or((text, "1"));
        (name.to_owned(), hit.parse().unwrap_or(1))
    }

    pub(super) fn parse_promises(text: &str) -> Vec<u8> {
        text.split(',').filter_map(|number| number.trim().parse().ok()).collect()
    }

    pub(super) fn is_sabotaged(promise: u8) -> bool {
        armed().sabotaged.contains(&promise)
    }

    pub(super) fn is_armed(name: &'static str) -> bool {
        debug_assert!(super::POINTS.contains(&name), "`{name}` is not in the list of points");
        armed().crash.as_ref().is_some_and(|(wanted, _)| wanted == name)
    }

    pub(super) fn is_taken_for_network(path: &Path) -> bool {
        armed().network.as_ref().is_some_and(|network| path.starts_with(network))
    }

    pub(super) fn crash_point(name: &'static str) {
        debug_assert!(super::POINTS.contains(&name), "`{name}` is not in the list of points");
        let armed = armed();
        let Some((wanted, hit)) = &armed.crash else { return };
        if wanted != name || armed.hits.fetch_add(1, Ordering::Relaxed) + 1 != *hit {
            return;
        }
        // Whoever makes the file is the first; everybody else lives on.
        let first = |path: &PathBuf| std::fs::File::create_new(path).is_ok();
        if armed.once.as_ref().is_none_or(first) {
            let _ = raise(Signal::SIGKILL);
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::armed::{parse_point, parse_promises};

    #[test]
    fn what_is_to_happen_is_read() {
        assert_eq!(parse_point("apexd.claimed:3"), ("apexd.claimed".to_owned(), 3));
        assert_eq!(parse_point("apexd.claimed"), ("apexd.claimed".to_owned(), 1));
        assert_eq!(parse_promises("3, 11"), [3, 11]);
    }

    #[test]
    fn nothing_happens_unasked() {
        assert!((0..20).all(|promise| !super::is_sabotaged(promise)));
    }

    #[test]
    fn every_point_has_a_name_of_its_own() {
        let mut names = super::POINTS.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), super::POINTS.len());
    }
}
