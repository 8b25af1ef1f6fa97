//! How much of the machine a task may use.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Number;

use crate::domain::task::Confinement;

/// The keys of a task that say so; what is not said is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfinementView {
    nice: Option<i32>,
    cpus: Option<String>,
    rlimits: BTreeMap<&'static str, RlimitView>,
    memory: Option<u64>,
    cpu_limit: Option<Number>,
}

/// In the units of setrlimit(2); null is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct RlimitView {
    soft: Option<u64>,
    hard: Option<u64>,
}

impl ConfinementView {
    /// Returns the view of `confinement`.
    pub fn of(confinement: &Confinement) -> Self {
        let rlimits = confinement.rlimits.iter();
        Self {
            nice: confinement.nice,
            cpus: confinement.cpus.as_ref().map(ToString::to_string),
            rlimits: rlimits
                .map(|limit| (limit.resource.as_str(), RlimitView { soft: limit.soft, hard: limit.hard }))
                .collect(),
            memory: confinement.memory,
            cpu_limit: confinement.cpu_millis.and_then(|millis| Number::from_f64(f64::from(millis) / 1_000.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::json;

    #[test]
    fn what_is_said_and_what_is_not() {
        let word = "nice=5;cpus=0-3;rlimit.nofile=1024:4096;rlimit.core=0:unlimited;memory=1073741824;cpu=1500";
        let full = ConfinementView::of(&Confinement::from_word(word).unwrap());
        insta::assert_snapshot!(json::line(&full).unwrap(), @r#"{"nice":5,"cpus":"0-3","rlimits":{"core":{"soft":0,"hard":null},"nofile":{"soft":1024,"hard":4096}},"memory":1073741824,"cpu_limit":1.5}"#);
        let none = ConfinementView::of(&Confinement::default());
        insta::assert_snapshot!(json::line(&none).unwrap(), @r#"{"nice":null,"cpus":null,"rlimits":{},"memory":null,"cpu_limit":null}"#);
    }
}
