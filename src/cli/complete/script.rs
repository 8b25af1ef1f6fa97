//! The scripts that let a shell ask.

use clap_complete::Shell;

use crate::cli::args;

/// Returns the script for a shell. Those of which nobody has tried the other way get one that knows the commands and flags alone.
pub fn script(shell: Shell) -> Vec<u8> {
    match shell {
        Shell::Bash => include_bytes!("apex.bash").to_vec(),
        Shell::Zsh => include_bytes!("_apex").to_vec(),
        Shell::Fish => include_bytes!("apex.fish").to_vec(),
        other => {
            // Into memory first: the generator takes a pipe that nobody reads for a bug.
            let mut script = Vec::new();
            clap_complete::generate(other, &mut args::command(), "apex", &mut script);
            script
        }
    }
}
