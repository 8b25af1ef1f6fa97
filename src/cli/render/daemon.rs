//! How the daemon stands.

use crate::cli::render::instant::moment;
use crate::cli::render::sheet::Sheet;
use crate::cli::render::{UNTRUSTED, ago, counted, running_in_words, waiting_in_words};
use crate::domain::daemon::DaemonStatus;
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::paths::Project;

/// Returns the lines of `daemon status` for a daemon that answered, none wider than `width`.
pub fn running(status: &DaemonStatus, project: &Project, now: Timestamp, width: Option<usize>) -> String {
    let counts = &status.counts;
    let mut sheet = Sheet::new();
    sheet.heading("daemon", running_in_words(status));
    let mut fact = |key: &str, value: String| sheet.fact(key, value);
    fact(
        "apexd",
        format!("pid {}, version {}, restarted {}", status.pid, neutralize(&status.version), times(status.restarts)),
    );
    fact("started", moment(status.started_at, now));
    fact("waiting", waiting_in_words(counts).unwrap_or_else(|| "nothing".to_owned()));
    let (done, succeeded, failed) = (counts.processed, counts.succeeded, counts.failed);
    fact("ended", format!("{}, {succeeded} succeeded, {failed} failed", counted(done, "task")));
    if status.untrusted {
        fact("trust", UNTRUSTED.to_owned());
    }
    if let Some(lacking) = &status.held_up {
        fact("held up", neutralize(lacking).into_owned());
    }
    if let Some(at) = status.last_poll_at {
        fact("last poll", ago(at, now));
    }
    for (key, value) in places(project) {
        fact(key, value);
    }
    sheet.draw(width)
}

/// Returns the lines of `daemon status` where none answers, none wider than `width`; `out_of_reach` is how one stands that
/// lives all the same, `failed` is why the last one gave up.
pub fn stopped(project: &Project, out_of_reach: Option<&str>, failed: Option<&str>, width: Option<usize>) -> String {
    let mut sheet = Sheet::new();
    sheet.heading("daemon", out_of_reach.unwrap_or("not running").to_owned());
    if let Some(reason) = failed {
        sheet.fact("gave up", neutralize(reason));
    }
    for (key, value) in places(project) {
        sheet.fact(key, value);
    }
    sheet.draw(width)
}

fn times(count: u32) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}

fn places(project: &Project) -> [(&'static str, String); 3] {
    let shown = |path: &std::path::Path| neutralize(&path.to_string_lossy()).into_owned();
    [("project", shown(project.root())), ("socket", shown(&project.socket())), ("log", shown(&project.log_file()))]
}
