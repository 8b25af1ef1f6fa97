//! Time windows: less runs at certain hours of certain days.
//!
//! A window is open from one time of the day to another, perhaps beyond midnight, on the days at which it opens. What
//! holds at a moment is a function of the windows and that moment ([`Windows::at`]), and so is when it changes next.
//!
//! On the nights on which a clock skips an hour or goes through one twice each time of the day stands for one instant
//! ([`instant_of`]): right after the gap, or the first time. So windows that follow one another do so on those nights,
//! too, and one that lies in the gap does not open.

use std::sync::Arc;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, ToSpan as _};

use crate::domain::queue::{InvalidQueueName, Queue, QueuePause};
use crate::domain::time::Timestamp;
use crate::domain::zone::instant_of;

mod check;
mod days;

pub use check::{Conflict, conflict};
pub use days::{Clock, Days};

/// So many days are looked ahead for the next opening: on one day of the week it may lie in a gap.
const DAYS_AHEAD: i32 = 15;
/// A window that is open for so many days in a row is so for ever.
const DAYS_MAX: i32 = 9;

/// What holds at certain hours of certain days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its name.
    pub name: String,
    /// The days at which it opens.
    pub days: Days,
    /// When it opens.
    pub from: Clock,
    /// When it closes; on the next day if that is not later than `from`.
    pub to: Clock,
    /// On whose clock.
    pub zone: Zone,
    /// How many tasks may run at once while it is open; `None` if it says nothing of that.
    pub max_concurrent: Option<u32>,
    /// Queues of which nothing is started while it is open. They need not be there.
    pub pause: Vec<String>,
}

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its name in the IANA database; `None` for the one of the machine.
    pub name: Option<String>,
    /// Its rules.
    pub rules: TimeZone,
}

/// All windows. Empty costs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Windows(Option<Arc<[Window]>>);

/// How windows stand at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Those that are open, in the order in which they are written down.
    pub open: Vec<OpenWindow>,
    /// What comes next; `None` if nothing ever changes.
    pub next: Option<NextChange>,
}

/// A window that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWindow {
    /// Its name.
    pub name: String,
    /// Since when.
    pub opened_at: Timestamp,
    /// Until when; `None` if it never closes.
    pub closes_at: Option<Timestamp>,
    /// The zone it goes by, if that is not the one of the machine.
    pub time_zone: Option<String>,
    /// How many tasks may run at once meanwhile, if it says so.
    pub max_concurrent: Option<u32>,
    /// Queues of which nothing is started meanwhile.
    pub pause: Vec<String>,
}

/// The next moment at which a window opens or closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextChange {
    /// When.
    pub at: Timestamp,
    /// The zone of one of them, if that is not the one of the machine.
    pub time_zone: Option<String>,
    /// Those that open, by name.
    pub opens: Vec<String>,
    /// Those that close.
    pub closes: Vec<String>,
}

impl Windows {
    /// Makes none.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Makes them of those that were checked against one another.
    pub fn of(windows: &[Window]) -> Self {
        Self((!windows.is_empty()).then(|| windows.into()))
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns how they stand.
    pub fn at(&self, now: Timestamp) -> Standing {
        let mut standing = Standing::default();
        let Some(windows) = self.0.as_deref() else { return standing };
        let Ok(instant) = Instant::from_millisecond(now.0) else { return standing };
        for window in windows {
            let (change, opens) = match window.open_at(instant) {
                Some((opened, closes)) => {
                    standing.open.push(OpenWindow {
                        name: window.name.clone(),
                        opened_at: Timestamp(opened.as_millisecond()),
                        closes_at: closes.map(|at| Timestamp(at.as_millisecond())),
                        time_zone: window.zone.name.clone(),
                        max_concurrent: window.max_concurrent,
                        pause: window.pause.clone(),
                    });
                    (closes, false)
                }
                None => (window.opens_after(instant), true),
            };
            if let Some(at) = change {
                standing.changes(window, Timestamp(at.as_millisecond()), opens);
            }
        }
        standing
    }
}

impl Standing {
    /// Returns how many tasks may run at once, given how many may without windows: the lowest limit holds.
    pub fn max_concurrent(&self, otherwise: u32) -> u32 {
        self.tightest().map_or(otherwise, |(_, most)| most.min(otherwise))
    }

    /// Returns the open window that lets the fewest tasks run, and how many.
    pub fn tightest(&self) -> Option<(&OpenWindow, u32)> {
        self.open.iter().filter_map(|open| Some((open, open.max_concurrent?))).min_by_key(|(_, most)| *most)
    }

    /// Returns the open window because of which nothing of a queue is started; of several the one that closes last.
    pub fn pauses(&self, queue: &str) -> Option<&OpenWindow> {
        let pausing = self.open.iter().filter(|open| open.pause.iter().any(|name| name == queue));
        pausing.max_by_key(|open| (open.closes_at.is_none(), open.closes_at))
    }

    /// Returns the queues of which nothing is started, each once.
    pub fn paused(&self) -> Vec<String> {
        let mut names: Vec<String> = self.open.iter().flat_map(|open| open.pause.iter().cloned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Shows the pauses in those queues that are not paused anyway.
    pub fn pause(&self, queues: &mut [Queue]) {
        for queue in queues.iter_mut().filter(|queue| queue.pause.is_none()) {
            queue.pause = self.pauses(&queue.name).map(|open| QueuePause {
                at: open.opened_at,
                reason: Some(format!("window `{}`", open.name)),
                until: open.closes_at,
            });
        }
    }

    fn changes(&mut self, window: &Window, at: Timestamp, opens: bool) {
        if self.next.as_ref().is_none_or(|next| at < next.at) {
            let time_zone = window.zone.name.clone();
            self.next = Some(NextChange { at, time_zone, opens: Vec::new(), closes: Vec::new() });
        }
        if let Some(next) = self.next.as_mut().filter(|next| next.at == at) {
            if opens { &mut next.opens } else { &mut next.closes }.push(window.name.clone());
        }
    }
}

impl Window {
    /// Returns since when and until when it is open, if it is open at that instant. One that opens again when it closes
    /// goes on; one that does so every day has no end.
    fn open_at(&self, at: Instant) -> Option<(Instant, Option<Instant>)> {
        let today = self.zone.rules.to_datetime(at).date();
        let (opened, mut closes) = (-1..=1).find_map(|days| {
            let (opens, closes) = self.on(day(today, days)?)?;
            (opens <= at && at < closes).then_some((opens, closes))
        })?;
        for days in 0..=DAYS_MAX {
            match day(today, days).and_then(|date| self.on(date)) {
                Some((opens, later)) if opens <= closes && closes < later => closes = later,
                _ => {}
            }
        }
        let is_endless = day(today, DAYS_MAX).and_then(|date| self.on(date)).is_some_and(|(_, last)| last == closes);
        Some((opened, (!is_endless).then_some(closes)))
    }

    /// Returns when it opens next after an instant at which it is not open.
    fn opens_after(&self, at: Instant) -> Option<Instant> {
        let today = self.zone.rules.to_datetime(at).date();
        (-1..=DAYS_AHEAD).find_map(|days| {
            let (opens, _) = self.on(day(today, days)?)?;
            (opens > at).then_some(opens)
        })
    }

    /// Returns from when to when it is open that opens on a day; `None` if it does not, or only in a gap.
    pub(super) fn on(&self, date: Date) -> Option<(Instant, Instant)> {
        if !self.days.has(date.weekday()) {
            return None;
        }
        let opens = instant_of(&self.zone.rules, self.from.on(date)?)?;
        let last = if self.to <= self.from { date.tomorrow().ok()? } else { date };
        let closes = instant_of(&self.zone.rules, self.to.on(last)?)?;
        (opens < closes).then_some((opens, closes))
    }
}

fn day(from: Date, days: i32) -> Option<Date> {
    from.checked_add(days.days()).ok()
}

/// Longest name of a window, in bytes.
pub const WINDOW_NAME_BYTES_MAX: usize = 64;

/// Checks the name of a window: as that of a queue.
pub fn check_window_name(name: &str) -> Result<(), InvalidWindow> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let good =
        !name.is_empty() && name.len() <= WINDOW_NAME_BYTES_MAX && name.chars().all(fits) && !name.starts_with('-');
    if good { Ok(()) } else { Err(InvalidWindow::Name(name.to_owned())) }
}

/// Why something cannot be a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWindow {
    /// It has none.
    #[error("a window needs a name, such as `name = \"day\"`")]
    Nameless,
    /// It cannot be typed.
    #[error("window name `{0}` needs 1 to 64 bytes of letters, digits, `.`, `_` and `-`, and no `-` at its beginning")]
    Name(String),
    /// Two of one file.
    #[error("there is a window `{0}` before it in this file; give it another name")]
    Twice(String),
    /// Not a day, nor a range of days.
    #[error(
        "`{0}` is no day of the week; write `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun` or a range such as `mon-fri`"
    )]
    Day(String),
    /// The window would overlap itself.
    #[error("`{day}` names {again} again, and the window would overlap itself; name each day once")]
    DayTwice {
        /// What stands there.
        day: String,
        /// The day.
        again: &'static str,
    },
    /// It would never open.
    #[error("a window needs a day on which it opens, such as `days = [\"mon-fri\"]`")]
    NoDay,
    /// Not a time of the day.
    #[error("`{0}` is no time of the day; write it as `09:00`, up to `23:59`, and `24:00` for the end of the day")]
    Clock(String),
    /// That day is over.
    #[error("a window opens at `00:00` of a day, not at `24:00` of the one before")]
    Late,
    /// It would not be open at all, or always.
    #[error("`{0}` is both `from` and `to`; a whole day goes from `00:00` to `24:00`")]
    Empty(Clock),
    /// No such time zone.
    #[error("no time zone `{0}` is known here; write a name such as `Europe/Vienna`")]
    TimeZone(String),
    /// No queue can be named so.
    #[error(transparent)]
    Queue(#[from] InvalidQueueName),
    /// It says nothing.
    #[error(
        "the window changes nothing; give it `max_concurrent = 1`, or `pause = [\"gpu\"]` with the queues it pauses"
    )]
    Nothing,
    /// Another one is open at the same time and says something else.
    #[error(
        "window `{other}` says {theirs} and is open at the same time ({day} {clock}); keep them apart or let both say the same"
    )]
    Contradicts {
        /// The other one.
        other: String,
        /// Its limit.
        theirs: u32,
        /// When both are open, on the clock of the window.
        day: &'static str,
        /// At what time.
        clock: Clock,
    },
}

/// Returns the word for a day.
fn word(day: Weekday) -> &'static str {
    days::WORDS[usize::try_from(day.to_monday_zero_offset()).unwrap_or_default()]
}

#[cfg(test)]
mod tests;
