//! What can be typed after `db`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Reads the whole task store and tells whether it is sound.
///
/// What SQLite itself has to say, and what must hold between tasks, attempts and counters. Nothing is changed, and it does
/// not matter whether the daemon runs. Exits with 1 if something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Check {}

/// Copies the task store, also while the daemon runs.
///
/// The copy is as of one moment, is readable for you alone and holds everything but what tasks wrote, the values of
/// their environments included. To go back to it, stop the daemon and put it in the place of `.apex/apex.db`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex db backup ~/apex-monday.db")]
pub struct Backup {
    /// Where to; nothing may be there yet
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
}

/// Saves what can be read of a damaged task store.
///
/// Goes through it row by row and makes a new one of what can be read, with the same ids. The damaged one is kept beside
/// it. What has lost something that it needs to run is held, and no id is given again of which there is output. The daemon
/// must not be running. Exits with 1 if there were tasks and none of them could be saved.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex db check\n  apex daemon stop && apex db recover")]
pub struct Recover {}
