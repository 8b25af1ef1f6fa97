//! `task prune`

use crate::cli::args::steer;
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::session::{Session, block_on, now};
use crate::domain::prune::{Prune, Pruned};
use crate::domain::time::Timestamp;
use crate::exit::Exit;
use crate::view::prune::PruneView;

/// Removes what has ended.
pub fn run(session: &Session, args: &steer::Prune) -> Result<i32, Failure> {
    let project = session.project()?;
    let until = args.older_than.map(|age| {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Timestamp(now().0.saturating_sub(age))
    });
    let wish = Prune { states: args.states.clone(), until, keep: args.keep, below: None };
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let pruned = connection.client.prune(&wish).await?;
        if session.ui.json {
            session.ui.json(&PruneView::of(&pruned))?;
        }
        session.ui.note(&in_words(&pruned));
        Ok(Exit::Done.code())
    })
}

fn in_words(pruned: &Pruned) -> String {
    let tasks = |n: u64| if n == 1 { "1 task".to_owned() } else { format!("{n} tasks") };
    let removed = match pruned.removed {
        0 if pruned.needed + pruned.hooks == 0 => "no task to remove".to_owned(),
        0 => "no task removed".to_owned(),
        n => format!("{} removed", tasks(n)),
    };
    let kept = [
        (pruned.needed, "because something that waits depends on them"),
        (pruned.hooks, "because hooks of their own have not run yet"),
    ];
    let kept = kept.into_iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("; {} kept, {why}", tasks(n)));
    std::iter::once(removed).chain(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_and_what_stays_is_said() {
        let said = |removed, needed, hooks| in_words(&Pruned { removed, needed, hooks, next: None });
        assert_eq!(said(0, 0, 0), "no task to remove");
        assert_eq!(said(1, 0, 0), "1 task removed");
        assert_eq!(said(5, 2, 0), "5 tasks removed; 2 tasks kept, because something that waits depends on them");
        assert_eq!(said(0, 0, 1), "no task removed; 1 task kept, because hooks of their own have not run yet");
        let both = "no task removed; 1 task kept, because something that waits depends on them; 3 tasks kept, because hooks of their own have not run yet";
        assert_eq!(said(0, 1, 3), both);
    }
}
