//! `[[windows]]`: each is read whole, and held against those before it.

use jiff::tz::TimeZone;

use crate::config::Config;
use crate::config::error::Fault;
use crate::config::list::{self, Item, Refusal};
use crate::config::schema::WINDOWS;
use crate::config::setting::Setting;
use crate::config::value::{Given, Value, number, text, texts};
use crate::domain::queue::check_queue_name;
use crate::domain::window::{Clock, Conflict, Days, InvalidWindow, Window, Zone, check_window_name, conflict};

/// A window as far as it was read.
#[derive(Default)]
pub(super) struct Draft {
    name: Option<String>,
    days: Days,
    from: Option<Clock>,
    to: Option<Clock>,
    zone: Option<Zone>,
    max_concurrent: Option<u32>,
    pause: Vec<String>,
}

impl Item for Window {
    const LIST: &'static str = WINDOWS;
    const EXPECTED: &'static str = "windows, each of them below a line `[[windows]]`";
    const KEYS: &'static [&'static str] = &["name", "days", "from", "to", "time_zone", "max_concurrent", "pause"];
    type Draft = Draft;

    fn set(draft: &mut Draft, key: &str, value: &Given) -> Result<(), Fault> {
        draft.set(key, value)
    }

    fn whole(draft: Draft) -> Result<Self, Refusal> {
        let refuse = |key, why| (key, Fault::Window(why));
        let (from, to) = (draft.from.unwrap_or(Clock::MIDNIGHT), draft.to.unwrap_or(Clock::END));
        let name = draft.name.ok_or_else(|| refuse("name", InvalidWindow::Nameless))?;
        if from == to {
            return Err(refuse(if draft.to.is_some() { "to" } else { "from" }, InvalidWindow::Empty(to)));
        }
        if draft.max_concurrent.is_none() && draft.pause.is_empty() {
            return Err(refuse("max_concurrent", InvalidWindow::Nothing));
        }
        Ok(Self {
            name,
            days: draft.days,
            from,
            to,
            zone: draft.zone.unwrap_or_else(|| Zone { name: None, rules: TimeZone::system() }),
            max_concurrent: draft.max_concurrent,
            pause: draft.pause,
        })
    }

    fn check_beside(&self, other: &Self) -> Result<(), Refusal> {
        if let (Some(Conflict { day, clock }), Some(theirs)) = (conflict(self, other), other.max_concurrent) {
            let other = other.name.clone();
            let why = InvalidWindow::Contradicts { other, theirs, day, clock };
            return Err(("max_concurrent", Fault::Window(why)));
        }
        Ok(())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn twice(name: String) -> Fault {
        Fault::Window(InvalidWindow::Twice(name))
    }

    fn list(config: &mut Config) -> &mut Vec<Self> {
        &mut config.windows
    }
}

impl Draft {
    fn set(&mut self, key: &str, value: &Given) -> Result<(), Fault> {
        match key {
            "name" => {
                let name = text(value, "a name such as `\"day\"`")?;
                check_window_name(name).map_err(Fault::Window)?;
                self.name = Some(name.to_owned());
            }
            "days" => {
                let days = texts(value, "a list of days such as `[\"mon-fri\"]`")?;
                self.days = Days::parse(days).map_err(Fault::Window)?;
            }
            "from" => {
                let from = clock(value)?;
                if from == Clock::END {
                    return Err(Fault::Window(InvalidWindow::Late));
                }
                self.from = Some(from);
            }
            "to" => self.to = Some(clock(value)?),
            "time_zone" => {
                let name = text(value, "the name of a time zone such as `\"Europe/Vienna\"`")?;
                let unknown = |_| Fault::Window(InvalidWindow::TimeZone(name.to_owned()));
                self.zone = Some(Zone { name: Some(name.to_owned()), rules: TimeZone::get(name).map_err(unknown)? });
            }
            "max_concurrent" => self.max_concurrent = Some(number(value, 0, 100_000)?),
            _ => {
                let queues = texts(value, "a list of queues such as `[\"gpu\"]`")?;
                for queue in queues {
                    check_queue_name(queue).map_err(Fault::Queue)?;
                }
                self.pause = queues.to_vec();
            }
        }
        Ok(())
    }
}

fn clock(value: &Given) -> Result<Clock, Fault> {
    Clock::parse(text(value, "a time of the day such as `\"09:00\"`")?).map_err(Fault::Window)
}

/// Returns what a window says, without its name.
pub(super) fn settings(window: &Window) -> Vec<Setting> {
    let text = |text: &dyn ToString| Some(Value::Text(text.to_string()));
    let pause = (!window.pause.is_empty()).then(|| Value::List(window.pause.clone()));
    let said = [
        ("days", Some(Value::List(window.days.texts().to_vec()))),
        ("from", text(&window.from)),
        ("to", text(&window.to)),
        ("time_zone", window.zone.name.clone().map(Value::Text)),
        ("max_concurrent", window.max_concurrent.map(Value::Number)),
        ("pause", pause),
    ];
    list::settings(window, said)
}
