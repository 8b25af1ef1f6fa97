//! Lengths of time and sizes, as people read and write them.

use std::fmt::Write as _;
use std::time::Duration;

/// A length of time or a size that cannot be understood. The message names the units.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A number alone could mean anything.
    #[error("duration `{0}` has no unit; write `{0}s`, `{0}ms`, `{0}m`, `{0}h` or `{0}d`")]
    DurationWithoutUnit(String),
    /// Not a sequence of numbers with units.
    #[error("`{0}` is not a duration; write it like `1h30m`, `5s` or `250ms` (units: w, d, h, m, s, ms)")]
    Duration(String),
    /// Longer than can be counted.
    #[error("duration `{0}` is too long")]
    DurationTooLong(String),
    /// A number alone could mean anything.
    #[error("size `{0}` has no unit; write `{0}B`, `{0}KiB`, `{0}MiB` or `{0}GiB`")]
    SizeWithoutUnit(String),
    /// Not a number with a unit.
    #[error("`{0}` is not a size; write it like `10MiB` (units: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB)")]
    Size(String),
    /// Larger than can be counted.
    #[error("size `{0}` is too large")]
    SizeTooLarge(String),
}

/// Milliseconds in each unit, longest first.
const TIME_UNITS: [(&str, u64); 6] =
    [("w", 7 * 24 * 3_600_000), ("d", 24 * 3_600_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Bytes in each unit. The first five are those that sizes are printed in, largest first.
const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Reads a length of time.
///
/// Shape: `1h30m`, `250ms`, `0s`; numbers with units, longest unit first, each once. A fraction (`1.5s`) is taken
/// where it comes to whole milliseconds. Surrounding blanks are ignored.
/// Errors: a bare number, an unknown or repeated unit, anything finer than a millisecond, more than 2^63 ms.
pub fn parse_duration(text: &str) -> Result<Duration, Error> {
    let whole = text.trim();
    let wrong = || Error::Duration(text.to_owned());
    if !whole.is_empty() && whole.parse::<f64>().is_ok() && whole.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(Error::DurationWithoutUnit(whole.to_owned()));
    }
    if whole.is_empty() {
        return Err(wrong());
    }
    let (mut rest, mut total_ms, mut units) = (whole, 0_u64, &TIME_UNITS[..]);
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let index = units.iter().position(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let ms = scale(number, units[index].1).map_err(|fault| match fault {
            Fault::Malformed => wrong(),
            Fault::Overflow => Error::DurationTooLong(text.to_owned()),
        })?;
        total_ms = total_ms
            .checked_add(ms)
            .filter(|ms| i64::try_from(*ms).is_ok())
            .ok_or_else(|| Error::DurationTooLong(text.to_owned()))?;
        units = &units[index + 1..];
        rest = after;
    }
    Ok(Duration::from_millis(total_ms))
}

/// Writes a length of time so that [`parse_duration`] reads the same again.
///
/// Shape: `1h30m`, `250ms`, `0s`; parts of a millisecond are cut off; weeks are written as days.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, ms) in &TIME_UNITS[1..] {
        if rest >= *ms {
            write!(text, "{}{unit}", rest / ms).expect("writing to a String cannot fail");
            rest %= ms;
        }
    }
    text
}

/// Writes how long something took, rounded to what a person wants to know.
///
/// Shape: `12ms`, `40.3s`, `3m05s`, `2h07m`, `4d03h`.
pub fn format_elapsed(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let s = ms / 1_000;
    match s {
        0 => format!("{ms}ms"),
        1..60 => format!("{s}.{}s", ms % 1_000 / 100),
        60..3_600 => format!("{}m{:02}s", s / 60, s % 60),
        3_600..86_400 => format!("{}h{:02}m", s / 3_600, s % 3_600 / 60),
        _ => format!("{}d{:02}h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// Reads a size, in bytes.
///
/// Shape: `10MiB`, `1.5GiB`, `512B`, `0B`; `KiB` and so on are powers of 1,024, `kB` and so on powers of 1,000. Blanks
/// around it and before the unit are ignored, and so is the case of the unit.
/// Errors: a bare number, an unknown unit, a fraction of a byte, more than 2^63 bytes.
pub fn parse_size(text: &str) -> Result<u64, Error> {
    let whole = text.trim();
    let (number, unit) = split_number(whole);
    let unit = unit.trim_start();
    if unit.is_empty() && !number.is_empty() {
        return Err(Error::SizeWithoutUnit(whole.to_owned()));
    }
    let known = SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let (_, bytes) = known.ok_or_else(|| Error::Size(text.to_owned()))?;
    let too_large = || Error::SizeTooLarge(text.to_owned());
    let size = scale(number, *bytes).map_err(|fault| match fault {
        Fault::Malformed => Error::Size(text.to_owned()),
        Fault::Overflow => too_large(),
    })?;
    if i64::try_from(size).is_err() {
        return Err(too_large());
    }
    Ok(size)
}

/// Returns the size that may have been meant by a number with half a unit: `8GiB` for `8G` and `8gi`; `None` if nobody can know.
pub fn meant_size(text: &str) -> Option<String> {
    let (number, unit) = split_number(text.trim());
    let letter = unit.trim_start().chars().next()?.to_ascii_uppercase();
    let size = format!("{number}{letter}iB");
    (matches!(letter, 'K' | 'M' | 'G' | 'T') && parse_size(&size).is_ok()).then_some(size)
}

/// Writes a size so that [`parse_size`] reads the same again: in the largest unit that leaves no fraction.
pub fn format_size(bytes: u64) -> String {
    let fits = |unit: u64| bytes >= unit && bytes.is_multiple_of(unit);
    let (name, unit) = SIZE_UNITS[..5].iter().find(|(_, unit)| fits(*unit)).unwrap_or(&("B", 1));
    format!("{}{name}", bytes / unit)
}

enum Fault {
    Malformed,
    Overflow,
}

/// Splits off the digits and points that `text` begins with.
fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()))
}

/// Returns `number` (digits, perhaps a point and digits) times `unit`, if that is whole.
fn scale(number: &str, unit: u64) -> Result<u64, Fault> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 12 {
        return Err(Fault::Malformed);
    }
    let whole: u128 = whole.parse().map_err(|_| Fault::Overflow)?;
    let parts: u128 = fraction.parse().map_err(|_| Fault::Malformed)?;
    let scaled = parts * u128::from(unit);
    let base = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| Fault::Malformed)?);
    if !scaled.is_multiple_of(base) {
        return Err(Fault::Malformed);
    }
    let total = whole.checked_mul(u128::from(unit)).and_then(|whole| whole.checked_add(scaled / base));
    total.and_then(|total| u64::try_from(total).ok()).ok_or(Fault::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        let cases = [
            ("0s", 0),
            ("250ms", 250),
            ("5s", 5_000),
            ("1h30m", 5_400_000),
            ("1m30s500ms", 90_500),
            ("30d", 2_592_000_000),
            ("1w", 604_800_000),
            ("1.5s", 1_500),
            ("0.25h", 900_000),
            (" 2m ", 120_000),
            ("90m", 5_400_000),
        ];
        for (text, ms) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_units() {
        for text in ["5", "0", "1.5"] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error, Error::DurationWithoutUnit(text.to_owned()));
            assert!(error.to_string().contains("`5s`") || text != "5");
        }
        for text in
            ["", " ", "s", "-5s", "+5s", "5x", "5s5s", "5s1m", "1h 30m", "0.0001s", ".5s", "5.s", "1e3s", "five", "5S"]
        {
            assert_eq!(parse_duration(text), Err(Error::Duration(text.to_owned())), "{text:?}");
        }
        for text in ["99999999999999999999s", "9223372036854775807s", "15250284452w8d", "1e999"] {
            let error = parse_duration(text).unwrap_err();
            assert!(matches!(error, Error::DurationTooLong(_) | Error::Duration(_)), "{text:?}");
        }
    }

    #[test]
    fn sizes_as_people_write_them() {
        let cases = [
            ("0B", 0),
            ("512B", 512),
            ("10MiB", 10 << 20),
            ("10 MiB", 10 << 20),
            ("1.5KiB", 1_536),
            ("1kB", 1_000),
            ("2gib", 2 << 30),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Ok(bytes), "{text:?}");
        }
        assert_eq!(parse_size("10"), Err(Error::SizeWithoutUnit("10".into())));
        for text in ["", "MiB", "-1B", "10M", "0.5B", "ten"] {
            assert_eq!(parse_size(text), Err(Error::Size(text.into())), "{text:?}");
        }
        assert_eq!(parse_size("99999999TiB"), Err(Error::SizeTooLarge("99999999TiB".into())));
    }

    #[test]
    fn elapsed_times_are_short() {
        let cases = [(12, "12ms"), (40_349, "40.3s"), (185_000, "3m05s"), (7_620_000, "2h07m"), (356_400_000, "4d03h")];
        for (ms, text) in cases {
            assert_eq!(format_elapsed(Duration::from_millis(ms)), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_the_same(ms in 0..u64::MAX / 4, bytes in 0..u64::MAX / 2) {
            let duration = Duration::from_millis(ms);
            proptest::prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
            proptest::prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn nothing_that_is_typed_panics(text in "[0-9.a-zA-Z µ-]{0,24}") {
            let _ = parse_duration(&text);
            let _ = parse_size(&text);
        }
    }
}
