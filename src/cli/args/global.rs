//! Flags that go with every command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::args::value;

/// Flags that go with every command, before or after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None, next_help_heading = "Global options")]
pub struct Globals {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Say less; `add` prints the bare id
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colour: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto, hide_possible_values = true)]
    pub color: Color,
    /// The project's directory; the working directory stays
    #[arg(short = 'C', long = "project", global = true, value_name = "DIR", conflicts_with = "user")]
    pub project: Option<PathBuf>,
    /// Use the per-user project
    #[arg(id = "user", short = 'g', long = "global", global = true)]
    pub user: bool,
    /// Do not start the daemon
    #[arg(long, global = true)]
    pub no_start: bool,
    /// How long the daemon may take to answer
    #[arg(long, global = true, value_name = "DURATION", value_parser = value::duration)]
    pub deadline: Option<Duration>,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Finds it in a command line that cannot be read otherwise.
    pub fn in_words(raw: &[OsString]) -> Self {
        let words: Vec<&str> = raw.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str()).collect();
        let after = words.iter().position(|word| *word == "--color").and_then(|at| words.get(at + 1).copied());
        let joined = words.iter().find_map(|word| word.strip_prefix("--color="));
        after.or(joined).and_then(|word| Self::from_str(word, false).ok()).unwrap_or_default()
    }
}
