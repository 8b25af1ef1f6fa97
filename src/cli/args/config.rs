//! What can be typed after `config`.

use clap::Args;

/// Shows the settings in force.
///
/// Those that a daemon would start with: the defaults, under your own file, under the project's, under the environment.
/// What is printed can be put into `.apex/config.toml` as it is. Never starts the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex config show\n  apex config show --origin")]
pub struct Show {
    /// Say where each value comes from
    #[arg(long)]
    pub origin: bool,
}

/// Checks the settings.
///
/// Exits with 0 if a daemon would start with them, and with 1 if not; the file, the line and the nearest key are named
/// then.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Check {}

/// Changes the project's settings in an editor.
///
/// Opens a copy of `.apex/config.toml` in $VISUAL, else in $EDITOR, else in vi. The copy takes the place of the file once
/// it is right; until then the file stays as it was. A daemon that runs takes the settings over with `apex daemon reload`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex config edit\n  EDITOR='code --wait' apex config edit")]
pub struct Edit {}
