//! apexd's own log: what it looks like, where it is kept, and how it is read.
//!
//! ```text
//! tracing event ─ format ─▶ one line ─ tracing-appender ─▶ its thread ─ rotate ─▶ daemon.log
//!                                                                                 daemon.log.1 … .N   (N is the oldest)
//!                                                    apex daemon logs ◀─ read ────────┘
//! ```
//!
//! What tasks write is not here, but in `output/`. Deliberately absent: filters by module and a variable such as
//! `RUST_LOG` (one level for apex, warnings from the crates below), colours, and any setting that makes the log grow
//! without bound.
//!
//! Reading order: [`level`] → [`format`](mod@format) → [`series`] → [`rotate`] → [`install`] → [`read`].

pub mod format;
pub mod install;
pub mod level;
pub mod read;
pub mod rotate;
pub mod series;

pub use install::{Filter, Guard, init};
pub use level::Level;
pub use rotate::Rotating;

/// How much is logged, and how much of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Size in bytes that no file of the log exceeds. Less than [`rotate::SIZE_MIN`] counts as that.
    pub max_size: u64,
    /// How many older files stay beside the current one. More than [`series::KEEP_MAX`] counts as that.
    pub keep: u32,
    /// The least important lines that are written.
    pub level: Level,
}
