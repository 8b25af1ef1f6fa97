//! Cron lines: five fields, or one of the words that stand for such a line.
//!
//! A parser of our own: what there is for jiff (November 2026) has other fields than crontab(5) (`jiff-cron`: seconds
//! first, and Sunday is 1), or keeps what the fields hold to itself (`cronexpr`), by which it is told what is to be done
//! about hours that are skipped or come twice; and neither says which field is wrong.

use std::fmt;

use jiff::civil::Date;

/// A field of a cron line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The first.
    Minute,
    /// The second.
    Hour,
    /// The third.
    Day,
    /// The fourth.
    Month,
    /// The last.
    Weekday,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Words, and the lines they stand for.
const WORDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Field {
    /// Every field, in the order in which they stand on a line.
    pub const ALL: [Field; 5] = [Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Weekday];

    /// Returns the lowest and the highest value that may be written.
    fn bounds(self) -> (u8, u8) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
        }
    }

    /// Returns the names of its values, and the value of the first one.
    fn names(self) -> (&'static [&'static str], u8) {
        match self {
            Self::Month => (&MONTHS, 1),
            Self::Weekday => (&WEEKDAYS, 0),
            Self::Minute | Self::Hour | Self::Day => (&[], 0),
        }
    }

    /// Reads a number or a name.
    fn value(self, text: &str) -> Option<u8> {
        let (low, high) = self.bounds();
        let (names, first) = self.names();
        if let Some(place) = names.iter().position(|name| text.eq_ignore_ascii_case(name)) {
            return Some(first + u8::try_from(place).unwrap_or(0));
        }
        let is_number = !text.is_empty() && text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|value| is_number && (low..=high).contains(value))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of the month",
            Self::Month => "month",
            Self::Weekday => "day of the week",
        })
    }
}

/// Why a text is no cron line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCron {
    /// It is one of five fields, or a word.
    #[error(
        "cron line `{text}` has {found} field(s) and needs 5: minute, hour, day of the month, month, day of the week"
    )]
    Fields {
        /// The line.
        text: String,
        /// How many it has.
        found: usize,
    },
    /// It begins as a word does, and is none.
    #[error("`{0}` is none of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly")]
    Word(String),
    /// A value that the field does not have.
    #[error("{field} `{value}` is not {}", wanted(*.field))]
    Value {
        /// Which field.
        field: Field,
        /// What stands there.
        value: String,
    },
    /// A range that ends before it begins.
    #[error("{field} `{value}` ends before it begins")]
    Backwards {
        /// Which field.
        field: Field,
        /// What stands there.
        value: String,
    },
    /// A step that leads nowhere.
    #[error("{field} `{value}` needs a step of at least 1 after the `/`")]
    Step {
        /// Which field.
        field: Field,
        /// What stands there.
        value: String,
    },
    /// A step without a range to go through: some take it for the one value, others for all from there on.
    #[error("{field} `{value}` has a step and no range; write `{from}-{to}/…` for every so many from there on")]
    Alone {
        /// Which field.
        field: Field,
        /// What stands there.
        value: String,
        /// What stands before the step.
        from: String,
        /// The highest value.
        to: u8,
    },
}

/// Says what a field may hold.
fn wanted(field: Field) -> String {
    let (low, high) = field.bounds();
    let names = match field {
        Field::Month => ", a name like `jan`",
        Field::Weekday => ", a name like `mon`",
        Field::Minute | Field::Hour | Field::Day => "",
    };
    format!("`*`, a number from {low} to {high}{names}, a range of them like `a-b`, or a list of such with commas")
}

/// What a cron line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    /// The values of each field, a bit each. Sunday is 0.
    sets: [u64; 5],
    any_day: bool,
    any_weekday: bool,
    goes_on: bool,
}

impl Cron {
    /// Reads a cron line.
    ///
    /// Shape: five fields, blanks between them, each a list of `*`, `a`, `a-b`, `*/n` and `a-b/n`; months and days of the
    /// week may be named by their first three letters; 0 and 7 are Sunday, and a range may end with it. Or `@daily` and
    /// the like.
    /// Errors: the field that is wrong, by name, and what stands there.
    /// Source: crontab(5) of cronie.
    pub fn parse(text: &str) -> Result<Self, InvalidCron> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        if let [word] = words.as_slice()
            && word.starts_with('@')
        {
            let line = WORDS.into_iter().find(|(known, _)| word.eq_ignore_ascii_case(known));
            let (_, line) = line.ok_or_else(|| InvalidCron::Word(text.clone()))?;
            return Ok(Self { text, ..Self::parse(line)? });
        }
        let fields: [&str; 5] = match <[&str; 5]>::try_from(words) {
            Ok(fields) => fields,
            Err(words) => return Err(InvalidCron::Fields { text, found: words.len() }),
        };
        let mut sets = [0; 5];
        for ((set, field), text) in sets.iter_mut().zip(Field::ALL).zip(fields) {
            *set = parse_field(field, text)?;
        }
        let [minute, hour, day, _, weekday] = fields.map(|field| field.starts_with('*'));
        Ok(Self { text, sets, any_day: day, any_weekday: weekday, goes_on: minute || hour })
    }

    /// Returns the line as it was written, with single blanks.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether it goes on in real time whatever clocks on walls are set to: minute or hour begin with `*`.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Returns whether it is due in that minute of the day, if it is due on that day.
    pub(super) fn has_time(&self, hour: i8, minute: i8) -> bool {
        self.has(Field::Hour, hour) && self.has(Field::Minute, minute)
    }

    /// Returns whether it may be due in that month.
    pub(super) fn has_month(&self, month: i8) -> bool {
        self.has(Field::Month, month)
    }

    /// Returns whether it is due on that day: the month, and both the day of the month and that of the week. If neither of
    /// the two begins with `*` one of them is enough.
    pub(super) fn has_date(&self, date: Date) -> bool {
        let day = self.has(Field::Day, date.day());
        let weekday = self.has(Field::Weekday, date.weekday().to_sunday_zero_offset());
        let either = !self.any_day && !self.any_weekday;
        self.has_month(date.month()) && if either { day || weekday } else { day && weekday }
    }

    fn has(&self, field: Field, value: i8) -> bool {
        let place = Field::ALL.iter().position(|known| *known == field).unwrap_or(0);
        self.sets[place] & 1_u64.checked_shl(u32::try_from(value).unwrap_or(u32::MAX)).unwrap_or(0) != 0
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads the list in a field.
fn parse_field(field: Field, text: &str) -> Result<u64, InvalidCron> {
    let mut set = 0;
    for item in text.split(',') {
        set |= parse_item(field, item)?;
    }
    if field == Field::Weekday && set & (1 << 7) != 0 {
        set = (set | 1) & !(1 << 7);
    }
    Ok(set)
}

/// Reads one of a list: `*`, `a` or `a-b`, and perhaps a step.
fn parse_item(field: Field, item: &str) -> Result<u64, InvalidCron> {
    let value = || item.to_owned();
    let wrong = || InvalidCron::Value { field, value: value() };
    let (low, high) = field.bounds();
    let (range, step) = match item.split_once('/') {
        None => (item, None),
        Some((range, step)) => {
            let is_number = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
            let step = step.parse::<u8>().ok().filter(|step| is_number && *step > 0);
            (range, Some(step.ok_or_else(|| InvalidCron::Step { field, value: value() })?))
        }
    };
    let (first, last) = match range.split_once('-') {
        // The 7 is another name of Sunday, and none of its own.
        None if range == "*" => (low, if field == Field::Weekday { 6 } else { high }),
        None => {
            let only = field.value(range).ok_or_else(wrong)?;
            if step.is_some() {
                return Err(InvalidCron::Alone { field, value: value(), from: range.to_owned(), to: high });
            }
            (only, only)
        }
        Some((first, last)) => {
            let (first, last) = (field.value(first).ok_or_else(wrong)?, field.value(last).ok_or_else(wrong)?);
            // From some day of the week up to Sunday, which is also 7.
            let up_to_sunday = field == Field::Weekday && last == 0 && first > 0;
            (first, if up_to_sunday { 7 } else { last })
        }
    };
    if first > last {
        return Err(InvalidCron::Backwards { field, value: value() });
    }
    Ok((first..=last).step_by(usize::from(step.unwrap_or(1))).fold(0, |set, value| set | 1 << value))
}

#[cfg(test)]
mod tests;
