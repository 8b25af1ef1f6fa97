//! `stats`: how tasks went. Reads the store, however many there are.

use crate::cli::args::look::Stats;
use crate::cli::error::Failure;
use crate::cli::render;
use crate::cli::session::{Session, now};
use crate::domain::stats::{By, Groups};
use crate::domain::time::Timestamp;
use crate::exit::Exit;
use crate::store::sqlite;
use crate::view::stats::StatsView;

/// Prints how tasks went.
pub fn run(session: &Session, args: &Stats) -> Result<i32, Failure> {
    let project = session.project()?;
    let ms = |length: std::time::Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let since = args.since.map_or(Timestamp(i64::MIN), |since| Timestamp(now().0.saturating_sub(ms(since))));
    let groups = match sqlite::open_reader(&project.database())? {
        Some(mut store) => store.stats(&args.by, since, args.limit as usize)?,
        None => Groups::default(),
    };
    if session.ui.json {
        let views: Vec<StatsView> = groups.groups.iter().map(|group| StatsView::of(&args.by, group)).collect();
        match (&args.by, views.as_slice()) {
            (By::All, []) => session.ui.json(&StatsView::empty(&args.by))?,
            (By::All, [view, ..]) => session.ui.json(view)?,
            (_, views) => session.ui.json(views)?,
        }
    } else if groups.groups.is_empty() {
        session.ui.note("no task has ended yet; see what there is with `apex ls`");
    } else {
        session.ui.data(&render::stats::table(&args.by, &groups.groups, session.ui.width()))?;
    }
    if groups.more > 0 {
        let more = render::counted(groups.more, "smaller group");
        session.ui.remark(&format!("{more} left out; see more with a larger `--limit`"));
    }
    Ok(Exit::Done.code())
}
