//! How much of the machine a task may use, as it is written on the command line.

use std::time::Duration;

use crate::domain::task::{Confinement, Resource, Rlimit};
use crate::units::{format_duration, format_size};

/// Returns a limit of a process: `nofile=1024`, `as=4GiB:unlimited`.
pub fn rlimit(limit: &Rlimit) -> String {
    let value = |value: Option<u64>| match (value, limit.resource) {
        (None, _) => "unlimited".to_owned(),
        (Some(count), Resource::Nofile | Resource::Nproc) => count.to_string(),
        (Some(seconds), Resource::Cpu) => format_duration(Duration::from_secs(seconds)),
        (Some(bytes), _) => format_size(bytes),
    };
    let hard = if limit.hard == limit.soft { String::new() } else { format!(":{}", value(limit.hard)) };
    format!("{}={}{hard}", limit.resource.as_str(), value(limit.soft))
}

/// Returns a number of processors that is told in thousandths: `1.5`.
pub fn cpus(millis: u32) -> String {
    let text = format!("{}.{:03}", millis / 1_000, millis % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns what is said of a task, each with its name.
pub fn facts(confinement: &Confinement) -> Vec<(&'static str, String)> {
    let rlimits: Vec<String> = confinement.rlimits.iter().map(rlimit).collect();
    [
        ("nice", confinement.nice.map(|nice| nice.to_string())),
        ("processors", confinement.cpus.as_ref().map(ToString::to_string)),
        ("limits", (!rlimits.is_empty()).then(|| rlimits.join(", "))),
        ("memory", confinement.memory.map(|bytes| format!("at most {}", format_size(bytes)))),
        ("cpu limit", confinement.cpu_millis.map(|millis| format!("{} processors", cpus(millis)))),
    ]
    .into_iter()
    .filter_map(|(name, fact)| Some((name, fact?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::value;

    #[test]
    fn what_is_shown_can_be_typed() {
        for text in ["nofile=1024", "nofile=1024:4096", "as=4GiB:unlimited", "cpu=10m", "core=0B", "nproc=unlimited"] {
            assert_eq!(rlimit(&value::rlimit(text).unwrap()), text);
        }
        for text in ["1.5", "1", "0.01", "12.345", "1000"] {
            assert_eq!(cpus(value::cpu_limit(text).unwrap()), text);
        }
    }

    #[test]
    fn facts_are_those_that_are_said() {
        let word = "nice=5;cpus=0-3;rlimit.nofile=1024:1024;rlimit.core=0:unlimited;memory=1073741824;cpu=1500";
        let shown: Vec<String> = facts(&Confinement::from_word(word).unwrap())
            .into_iter()
            .map(|(name, fact)| format!("{name}: {fact}"))
            .collect();
        let expected = [
            "nice: 5",
            "processors: 0-3",
            "limits: nofile=1024, core=0B:unlimited",
            "memory: at most 1GiB",
            "cpu limit: 1.5 processors",
        ];
        assert_eq!(shown, expected);
        assert_eq!(facts(&Confinement::default()), []);
    }
}
