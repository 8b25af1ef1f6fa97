//! `config show`, `config check`; `config edit` is [`edit`]. None of them asks a daemon or starts one.

pub mod edit;

use crate::cli::args::config::Show;
use crate::cli::error::Failure;
use crate::cli::render;
use crate::cli::session::Session;
use crate::config::{self, Config, Overrides, Value};
use crate::domain::queue::Queue;
use crate::exit::Exit;
use crate::store::sqlite;
use crate::view::config::{CheckView, ConfigView, Plain, SettingView};

/// Shows every setting.
pub fn show(session: &Session, args: &Show) -> Result<i32, Failure> {
    let project = session.project()?;
    let (config, origins) = config::load_with_origins(&project.config_file(), Overrides::default())?;
    let origins = args.origin.then_some(&origins);
    if session.ui.json {
        let settings = config.settings().into_iter().map(|setting| SettingView {
            origin: origins.map(|origins| origins.in_short(&setting.key())),
            value: plain(setting.value),
            path: setting.section.into_iter().chain([setting.name]).collect(),
        });
        session.ui.json(&ConfigView::of(settings))?;
    } else {
        session.ui.data(&config.to_toml(origins))?;
    }
    Ok(Exit::Done.code())
}

fn plain(value: Value) -> Plain {
    match value {
        Value::Text(text) => Plain::Text(text),
        Value::Number(number) => Plain::Number(number),
        Value::Flag(flag) => Plain::Flag(flag),
        Value::List(texts) => Plain::List(texts),
        Value::Numbers(numbers) => Plain::Numbers(numbers),
    }
}

/// Reads everything that settings come from and says whether it is right.
pub fn check(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let (config, origins) = config::load_with_origins(&project.config_file(), Overrides::default())?;
    // Where the store cannot be read, others say so; the settings are right all the same.
    let queues = sqlite::open_reader(&project.database())
        .and_then(|store| store.map_or(Ok(Vec::new()), |mut store| store.queues()));
    let warnings = queues.map(|queues| tell_missing(session, &config, &queues)).unwrap_or_default();
    if session.ui.json {
        session.ui.json(&CheckView::valid(origins.files(), warnings))?;
    } else if !session.ui.quiet {
        session.ui.data(&render::config::valid(origins.files()))?;
    }
    Ok(Exit::Done.code())
}

/// Warns of queues that settings name and that are not among those there are, and returns the warnings.
pub fn tell_missing(session: &Session, config: &Config, queues: &[Queue]) -> Vec<String> {
    let known: Vec<String> = queues.iter().map(|queue| queue.name.clone()).collect();
    let warnings: Vec<String> = config.missing_queues(&known).iter().map(ToString::to_string).collect();
    warnings.iter().for_each(|warning| session.ui.warn(warning));
    warnings
}
