//! Queues that settings name and that are not there. They need not be, because they can be added at any time: so this is told, and never refused.

use std::fmt;

use crate::config::Config;

/// So many queues that are there are named: enough to find the one that was meant.
const NAMED_MAX: usize = 10;

/// A queue that a window or a hook names, and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingQueue {
    /// What it is to the queue, with the name of who says so.
    what: String,
    /// The queue.
    pub name: String,
    /// Those that are there, by name.
    there: Vec<String>,
}

impl Config {
    /// Returns the queues that windows and hooks name, and that are neither among `known` nor named by these settings themselves, which make them.
    pub fn missing_queues(&self, known: &[String]) -> Vec<MissingQueue> {
        let mut there: Vec<String> = known.iter().chain(self.queues.keys()).cloned().collect();
        there.push("default".to_owned());
        there.sort();
        there.dedup();
        let paused = self
            .windows
            .iter()
            .flat_map(|window| window.pause.iter().map(|queue| (format!("window `{}` pauses", window.name), queue)));
        let hooked = self
            .hooks
            .iter()
            .flat_map(|hook| hook.queues.iter().map(|queue| (format!("hook `{}` is for", hook.name), queue)));
        let mut missing: Vec<MissingQueue> = Vec::new();
        for (what, name) in paused.chain(hooked).filter(|(_, name)| there.binary_search(name).is_err()) {
            let queue = MissingQueue { what, name: name.clone(), there: there.clone() };
            if !missing.contains(&queue) {
                missing.push(queue);
            }
        }
        missing
    }
}

impl fmt::Display for MissingQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, name, there } = self;
        let shown: Vec<String> = there.iter().take(NAMED_MAX).map(|queue| format!("`{queue}`")).collect();
        write!(f, "{what} queue `{name}`, which is not there; there ")?;
        match there.len() {
            1 => write!(f, "is only {}", shown.join("")),
            many if many > NAMED_MAX => write!(f, "are {} and {} more", shown.join(", "), many - NAMED_MAX),
            _ => write!(f, "are {}", shown.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use crate::config::{Config, Layers, Overrides, Text, resolve};

    fn config(text: &str) -> Config {
        let project = Some(Text { path: Path::new("/p/config.toml"), text });
        resolve(&Layers { user: None, project, variables: &BTreeMap::new(), overrides: Overrides::default() }).unwrap()
    }

    #[test]
    fn a_queue_that_nobody_made_is_named_once_with_who_names_it_and_those_there_are() {
        let config = config(
            "[queues.cpu]\nslots = 1\n\
             [[windows]]\nname = \"day\"\npause = [\"gpuu\", \"cpu\", \"default\", \"gpuu\"]\n\
             [[hooks]]\nname = \"tell\"\non = \"end\"\ncommand = \"true\"\nqueues = [\"gpu\", \"nigth\"]\n",
        );
        let told = |known: &[&str]| {
            let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
            config.missing_queues(&known).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            told(&["gpu", "default"]),
            [
                "window `day` pauses queue `gpuu`, which is not there; there are `cpu`, `default`, `gpu`",
                "hook `tell` is for queue `nigth`, which is not there; there are `cpu`, `default`, `gpu`",
            ]
        );
        assert_eq!(told(&["gpu", "gpuu", "nigth"]), [""; 0]);
        let many: Vec<String> = (10..30).map(|number| format!("q{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(told(&many)[0].ends_with("`q17` and 12 more"), "{:?}", told(&many));
    }

    #[test]
    fn the_only_queue_there_is_is_said_to_be_it() {
        let config = config("[[windows]]\nname = \"day\"\npause = [\"gpu\"]\n");
        let told = config.missing_queues(&[])[0].to_string();
        assert_eq!(told, "window `day` pauses queue `gpu`, which is not there; there is only `default`");
    }
}
