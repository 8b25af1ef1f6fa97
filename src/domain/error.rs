//! What kinds of failure there are. Each room has an error type of its own and maps it to one of these; the wire and
//! the exit codes know nothing finer.

/// Why something was refused or failed, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// What was asked makes no sense: a malformed value, an impossible combination.
    Invalid,
    /// The thing named does not exist.
    NotFound,
    /// The thing exists, but not in a state that allows this.
    Conflict,
    /// Disk, memory, descriptors or processes ran out; the same request may succeed later.
    Exhausted,
    /// Nobody is there to answer, or it takes no new work at the moment.
    Unavailable,
    /// The caller may not do this.
    Denied,
    /// A fault of apex itself, or of what it stored.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order in which the contract lists them.
    pub const ALL: [ErrorKind; 7] = [
        Self::Invalid,
        Self::NotFound,
        Self::Conflict,
        Self::Exhausted,
        Self::Unavailable,
        Self::Denied,
        Self::Internal,
    ];

    /// Returns the word used in JSON and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Exhausted => "exhausted",
            Self::Unavailable => "unavailable",
            Self::Denied => "denied",
            Self::Internal => "internal",
        }
    }

    /// Returns the kind for a word from the wire; `None` for one that a later version may have added.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A failure as it is told: what happened, to which thing, and what to do next.
///
/// Shape: `message` is lower case, without a full stop, and names the thing and its value; `hint` can be typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What sort of failure it is; exit codes and gRPC codes follow from it.
    pub kind: ErrorKind,
    /// What happened.
    pub message: String,
    /// The next step, if there is one.
    pub hint: Option<String>,
    /// The id of the thing, as the caller wrote it.
    pub id: Option<String>,
}

impl Problem {
    /// Makes a problem without hint and id.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, id: None }
    }

    /// Adds the next step.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the id of the thing.
    #[must_use]
    pub fn with_id(mut self, id: impl ToString) -> Self {
        self.id = Some(id.to_string());
        self
    }

    /// Returns the problem of a task that does not exist.
    pub fn no_such_task(id: impl ToString) -> Self {
        let id = id.to_string();
        Self::new(ErrorKind::NotFound, format!("no task `{id}`"))
            .with_hint("see what there is with `apex task list --all`")
            .with_id(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_word() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_word(kind.as_str()), Some(kind));
        }
        assert_eq!(ErrorKind::from_word("teapot"), None);
    }
}
