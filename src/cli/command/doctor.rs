//! `doctor`: what is wrong, and what to do. Never starts the daemon, and changes nothing.

use crate::cli::doctor::{Check, Standing, examine, gather};
use crate::cli::error::Failure;
use crate::cli::render;
use crate::cli::session::Session;
use crate::exit::Exit;
use crate::view::doctor::CheckView;

/// Looks at everything and says what was found.
pub fn run(session: &Session) -> Result<i32, Failure> {
    let checks = match session.project() {
        Ok(project) => examine(&gather::facts(session, &project)?),
        // What makes it impossible to look any further is a finding, too.
        Err(failure) => vec![unusable(&failure)],
    };
    if session.ui.json {
        let views: Vec<CheckView> = checks
            .iter()
            .map(|check| CheckView::of(check.name, check.standing.as_str(), &check.message, check.hint.as_deref()))
            .collect();
        session.ui.json(&views)?;
    } else {
        // Quiet is about what is as it should be.
        let told: Vec<&Check> =
            checks.iter().filter(|check| !session.ui.quiet || check.standing > Standing::Fine).collect();
        if !told.is_empty() {
            session.ui.data(&render::doctor::report(&told, !session.ui.quiet, session.ui.width()))?;
        }
    }
    let is_wrong = checks.iter().any(|check| check.standing == Standing::Wrong);
    Ok(if is_wrong { Exit::Refused } else { Exit::Done }.code())
}

fn unusable(failure: &Failure) -> Check {
    let problem = failure.as_problem();
    let hint = problem.hint.unwrap_or_else(|| "name another project with `-C DIR`".to_owned());
    Check::wrong("project", problem.message, hint)
}
