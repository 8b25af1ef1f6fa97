//! What can be typed to say which tasks are meant.

use clap::Args;

use crate::cli::args::value::{self, Filter};
use crate::domain::condition::Condition;
use crate::domain::selection::{Named, Selection};
use crate::domain::task::State;

/// Which tasks: by number, by range, by what they have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None)]
pub struct Which {
    /// The tasks' numbers, and ranges of them like 3-7
    #[arg(
        id = "ids",
        value_name = "ID",
        value_delimiter = ',',
        required_unless_present_any = ["states", "queue", "labels", "name", "filter"]
    )]
    pub named: Vec<Named>,
    /// Tasks in this state
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',', value_parser = value::state)]
    pub states: Vec<State>,
    /// Tasks of this queue
    #[arg(short = 'Q', long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// Tasks with this label
    #[arg(short, long = "label", value_name = "KEY[=VALUE]", value_delimiter = ',', value_parser = value::label)]
    pub labels: Vec<(String, Option<String>)>,
    /// Tasks whose name matches: `*`, `?`, `[…]`
    #[arg(long, value_name = "GLOB")]
    pub name: Option<String>,
    /// Tasks for which this holds, as in `apex task list --filter`
    #[arg(long, value_name = "CONDITION", value_parser = value::filter)]
    pub filter: Option<Filter>,
}

impl Which {
    /// Returns what is meant.
    pub fn selection(&self) -> Selection {
        let mut states = self.states.clone();
        if states.contains(&State::Running) {
            // What is being started shows as running.
            states.push(State::Starting);
        }
        let condition = self.filter.as_ref().map(Filter::now);
        if states.is_empty() {
            // Whoever names states there has named them.
            states = condition.as_ref().and_then(Condition::states).unwrap_or_default();
        }
        Selection {
            states,
            queue: self.queue.clone(),
            labels: self.labels.clone(),
            name: self.name.clone(),
            condition,
            ..Selection::named(&self.named)
        }
    }

    /// Makes what names single tasks.
    #[cfg(test)]
    pub fn of(ids: &[u64]) -> Self {
        let one = |n: &u64| crate::domain::id::TaskId::new(*n).map(Named::One);
        Self { named: ids.iter().filter_map(one).collect(), ..Self::default() }
    }
}
