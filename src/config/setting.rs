//! Settings one by one, as they are shown.

use std::fmt::Write as _;

use crate::config::origin::Origins;
use crate::config::value::{Value, quoted};
use crate::config::{Config, hook, schema, window};
use crate::domain::task::DEFAULT_QUEUE;
use crate::domain::text::neutralize;

/// One setting and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The section, part by part: `["daemon"]`, `["queues", "gpu"]`.
    pub section: Vec<String>,
    /// The key in it.
    pub name: String,
    /// What it is.
    pub value: Value,
}

impl Setting {
    /// Returns the key with its section: `daemon.max_concurrent`.
    pub fn key(&self) -> String {
        format!("{}.{}", self.section.join("."), self.name)
    }

    /// Returns the section as its heading has it.
    fn heading(&self) -> String {
        let is_bare = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        let part = |part: &String| if is_bare(part) { part.clone() } else { quoted(part) };
        self.section.iter().map(part).collect::<Vec<_>>().join(".")
    }
}

impl Config {
    /// Returns every setting in the order of the template, then those of the windows, the hooks and the resources, and then the further
    /// queues by name.
    pub fn settings(&self) -> Vec<Setting> {
        let keys = schema::KEYS.iter().map(|key| Setting {
            section: key.section.split('.').map(str::to_owned).collect(),
            name: key.name.to_owned(),
            value: (key.get)(self),
        });
        let setting = |section: &[&str], name: &str, value| Setting {
            section: section.iter().map(|part| (*part).to_owned()).collect(),
            name: name.to_owned(),
            value,
        };
        let resources = self
            .resources
            .iter()
            .map(move |(name, capacity)| setting(&[schema::RESOURCES], name, schema::resource(capacity)));
        let variables = self.resource_variables.iter().map(move |(name, variables)| {
            setting(&[schema::RESOURCES, schema::VARIABLES], name, Value::List(variables.clone()))
        });
        let further = self.queues.iter().flat_map(move |(name, queue)| {
            let slots = queue.slots.filter(|_| name != DEFAULT_QUEUE).map(Value::Number);
            let both = schema::QUEUE_KEYS.into_iter().zip([slots, queue.weight.map(Value::Number)]);
            both.filter_map(move |(key, value)| Some(setting(&[schema::QUEUES, name], key, value?)))
        });
        let windows = self.windows.iter().flat_map(window::settings);
        let hooks = self.hooks.iter().flat_map(hook::settings);
        keys.chain(windows).chain(hooks).chain(resources).chain(variables).chain(further).collect()
    }

    /// Returns the settings as a file that says the same: every key, with a comment that tells where its value comes
    /// from if `origins` are given. Nothing in it steers a terminal. Without the last line end.
    pub fn to_toml(&self, origins: Option<&Origins>) -> String {
        let settings = self.settings();
        let mut text = String::new();
        for section in settings.chunk_by(|a, b| a.section == b.section) {
            let gap = if text.is_empty() { "" } else { "\n\n" };
            let mut section = section.to_vec();
            let heading = match section[0].section.clone().as_slice() {
                // What tells one of a list from the others is a key of its own there.
                path @ [list, name] if list == schema::WINDOWS || list == schema::HOOKS => {
                    let (section_of, value) = (path.to_vec(), Value::Text(name.clone()));
                    section.insert(0, Setting { section: section_of, name: "name".to_owned(), value });
                    format!("[[{list}]]")
                }
                _ => format!("[{}]", section[0].heading()),
            };
            write!(text, "{gap}{heading}").expect("writing to a String cannot fail");
            let lines: Vec<String> = section.iter().map(|s| format!("{} = {}", s.name, s.value.to_toml())).collect();
            let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
            for (setting, line) in section.iter().zip(lines) {
                let origin = origins.map(|origins| origins.in_short(&setting.key()));
                match origin {
                    None => write!(text, "\n{line}"),
                    Some(origin) => write!(text, "\n{line:width$}  # {}", neutralize(&origin)),
                }
                .expect("writing to a String cannot fail");
            }
        }
        text
    }
}
