//! A failure as programs see it.

use serde::Serialize;

use crate::domain::error::Problem;

/// The one object on standard error when a command with `--json` fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorView {
    error: ErrorBody,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ErrorBody {
    kind: &'static str,
    message: String,
    hint: Option<String>,
    id: Option<String>,
}

impl ErrorView {
    /// Returns the view of `problem`.
    pub fn of(problem: &Problem) -> Self {
        Self {
            error: ErrorBody {
                kind: problem.kind.as_str(),
                message: problem.message.clone(),
                hint: problem.hint.clone(),
                id: problem.id.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::error::ErrorKind;
    use crate::view::json;

    #[test]
    fn with_everything_and_with_the_least() {
        let full = ErrorView::of(&Problem::no_such_task(12));
        insta::assert_snapshot!(json::line(&full).unwrap(), @r#"{"error":{"kind":"not_found","message":"no task `12`","hint":"see what there is with `apex task list --all`","id":"12"}}"#);
        let least = ErrorView::of(&Problem::new(ErrorKind::Internal, "it broke"));
        insta::assert_snapshot!(json::line(&least).unwrap(), @r#"{"error":{"kind":"internal","message":"it broke","hint":null,"id":null}}"#);
    }
}
