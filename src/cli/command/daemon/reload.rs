//! `daemon reload`: the configuration, read again by the daemon that runs.

use crate::cli::command::config::tell_missing;
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::render;
use crate::cli::session::{Session, block_on};
use crate::config::{self, Overrides};
use crate::exit::Exit;
use crate::view::config::ReloadView;

/// Lets the daemon read its configuration again and says what has changed.
pub fn run(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::if_running(session, &project).await?.map_err(Failure::from)?;
        let changed = connection.client.reload().await;
        let changed =
            changed.map_err(|error| Failure::from(error).while_doing("the configuration was not reloaded"))?;
        // The daemon has taken it over already: what cannot be told now is told by `config check`.
        let warnings = match config::load(&project.config_file(), Overrides::default()) {
            Ok(config) => {
                let queues = connection.client.queues().await;
                queues.map(|queues| tell_missing(session, &config, &queues)).unwrap_or_default()
            }
            Err(_) => Vec::new(),
        };
        if session.ui.json {
            session.ui.json(&ReloadView::of(&changed, warnings))?;
        } else if !session.ui.quiet {
            session.ui.data(&render::config::changed(&changed))?;
        }
        Ok(Exit::Done.code())
    })
}
