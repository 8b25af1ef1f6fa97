//! How important a line of the log is.

use tracing::level_filters::LevelFilter;

/// How important a line is; the most important one is the smallest, so that "at least as important as" is `<=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something failed and somebody should look.
    Error,
    /// Something is odd, and apex goes on.
    Warn,
    /// What an operator wants to see.
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// Every level, the most important one first.
    pub const ALL: [Level; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Returns the level for a word of a person or a file, in upper or lower case; `None` if it is not one of
    /// `error`, `warn`, `info`, `debug`, `trace`.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(word))
    }

    /// Returns the word used in settings and on the wire, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// Returns the word used in the log itself, in upper case.
    pub fn label(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }

    /// Returns the level for a word of the log; `None` for anything that is not exactly one.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.label() == label)
    }

    pub(super) fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_reads_back_from_both_of_its_words() {
        for level in Level::ALL {
            assert_eq!(Level::parse(level.as_str()), Some(level));
            assert_eq!(Level::parse(level.label()), Some(level));
            assert_eq!(Level::from_label(level.label()), Some(level));
            assert_eq!(Level::from_label(level.as_str()), None);
        }
        for word in ["", "warning", "info ", "5"] {
            assert_eq!(Level::parse(word), None, "{word:?}");
        }
    }

    #[test]
    fn the_most_important_level_is_the_smallest() {
        assert!(Level::ALL.is_sorted());
        assert!(Level::Error < Level::Warn && Level::Debug < Level::Trace);
    }
}
