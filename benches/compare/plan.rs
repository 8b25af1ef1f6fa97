//! What is to be measured, as the command line says.

use std::path::PathBuf;

use anyhow::Context as _;

/// What is to be measured, and how much of it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How often everything is done, by all contenders in turn.
    pub rounds: usize,
    /// Smaller sizes, to see whether everything works.
    pub quick: bool,
    /// The apex that is measured.
    pub apex: PathBuf,
    words: Vec<String>,
}

impl Plan {
    /// Reads the command line, without the program's name. `None` if this is not a benchmark: `cargo test` runs this
    /// program, too, if it is told to run everything, and then without `--bench`.
    pub fn from_args(args: impl IntoIterator<Item = String>) -> anyhow::Result<Option<Plan>> {
        let apex = PathBuf::from(env!("CARGO_BIN_EXE_apex"));
        let mut plan = Plan { rounds: 3, quick: false, apex, words: Vec::new() };
        let mut is_bench = false;
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => is_bench = true,
                "--quick" => plan.quick = true,
                "--rounds" => {
                    let rounds = args.next().context("`--rounds` needs a number")?;
                    plan.rounds = rounds.parse().with_context(|| format!("`{rounds}` is no number of rounds"))?;
                    anyhow::ensure!(plan.rounds > 0, "at least one round is needed");
                }
                "--apex" => {
                    let path = args.next().context("`--apex` needs a path")?;
                    plan.apex = std::fs::canonicalize(&path).with_context(|| format!("cannot find `{path}`"))?;
                }
                flag if flag.starts_with('-') => anyhow::bail!("unknown flag `{flag}`"),
                _ => plan.words.push(arg),
            }
        }
        Ok(is_bench.then_some(plan))
    }

    /// Returns whether a section was asked for: without words all are.
    pub fn wants(&self, section: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| section.contains(word.as_str()))
    }

    /// Returns one of two sizes.
    pub fn size(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}
