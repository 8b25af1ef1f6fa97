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
        0 => "no task to remove".to_owned(),
        n => format!("{} removed", tasks(n)),
    };
    match pruned.needed {
        0 => removed,
        n => format!("{removed}; {} kept, because something that waits depends on them", tasks(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_and_what_stays_is_said() {
        let said = |removed, needed| in_words(&Pruned { removed, needed, next: None });
        assert_eq!(said(0, 0), "no task to remove");
        assert_eq!(said(1, 0), "1 task removed");
        assert_eq!(said(5, 2), "5 tasks removed; 2 tasks kept, because something that waits depends on them");
    }
}
