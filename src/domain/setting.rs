//! Settings, as a running daemon tells of them.

/// A setting that is another than the one a running daemon follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedSetting {
    /// With its section: `daemon.max_concurrent`.
    pub key: String,
    /// What it was, as text; `None` if it was not set.
    pub from: Option<String>,
    /// What it is now, as text; `None` if it is not set any more.
    pub to: Option<String>,
    /// The daemon follows it only once it is restarted.
    pub needs_restart: bool,
}
