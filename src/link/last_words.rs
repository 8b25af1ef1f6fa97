//! What a guardian writes down when it ends without an apexd: the file `guardian.exits`.
//!
//! Text, so that a person can read it, with a version, so that a later apex can change it. A guardian adds its section
//! behind those that nobody has read yet; apexd reads the file when it starts and removes it when all of it is stored.
//!
//! ```text
//! apex guardian exits 1
//! guardian 7c9e… boot 1f0a… children 1
//! child 018f… pid 4711 start_ticks 88123 started_at_ms 1763690000000 exit code 3 ended_at_ms 1763690001000 leftovers no stopped no usage 4096 12 3
//! ```

use std::fmt::Write as _;
use std::str::FromStr;

use uuid::Uuid;

use crate::domain::adoption::{Child, LastWords};
use crate::domain::id::AssignmentId;
use crate::domain::identity::{BootId, GuardianId};
use crate::domain::outcome::{Exit, ExitStatus, Usage};
use crate::domain::time::Timestamp;

/// The first line of every section. The number is the version of the format.
const HEADER: &str = "apex guardian exits 1";

/// A line is not what it should be: the file was cut off, changed by hand, or written by a later version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is damaged or from a later version")]
pub struct Damaged {
    /// Its number, from 1; the one after the last if lines are missing at the end.
    pub line: usize,
}

/// Returns the section for `words`, with a newline at its end.
pub fn to_text(words: &LastWords, boot: BootId) -> String {
    let mut text =
        format!("{HEADER}\nguardian {} boot {} children {}\n", words.guardian.0, boot.0, words.children.len());
    for child in &words.children {
        let Child { assignment, pid, start_ticks, started_at, exit } = child;
        write!(text, "child {assignment} pid {pid} start_ticks {start_ticks} started_at_ms {} exit ", started_at.0)
            .expect(INFALLIBLE);
        if let Some(Exit { status, usage, at, leftovers, stopped }) = exit {
            let (how, number) = match status {
                ExitStatus::Code(code) => ("code", code),
                ExitStatus::Signal(signal) => ("signal", signal),
            };
            let (leftovers, stopped) = (yes_or_no(*leftovers), yes_or_no(*stopped));
            write!(text, "{how} {number} ended_at_ms {} leftovers {leftovers} stopped {stopped} usage ", at.0)
                .expect(INFALLIBLE);
            match usage {
                Some(Usage { max_rss_bytes, user_ms, system_ms }) => {
                    write!(text, "{max_rss_bytes} {user_ms} {system_ms}").expect(INFALLIBLE);
                }
                None => text.push_str("none"),
            }
        } else {
            text.push_str("none");
        }
        text.push('\n');
    }
    text
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

const INFALLIBLE: &str = "writing to a String cannot fail";

/// Reads the sections of a file, in the order in which they were written.
///
/// Errors: the first line that is not understood. Nothing of a damaged file is to be relied on: that an assignment is
/// not in it means that it was never started.
pub fn parse(text: &str) -> Result<Vec<LastWords>, Damaged> {
    let mut all = Vec::new();
    let mut lines = text.split_inclusive('\n').enumerate();
    let end = text.split_inclusive('\n').count() + 1;
    while let Some((index, line)) = lines.next() {
        if line != "apex guardian exits 1\n" {
            return Err(Damaged { line: index + 1 });
        }
        let (index, line) = lines.next().ok_or(Damaged { line: end })?;
        let (guardian, count) = parse_guardian(line).ok_or(Damaged { line: index + 1 })?;
        let mut children = Vec::new();
        for _ in 0..count {
            let (index, line) = lines.next().ok_or(Damaged { line: end })?;
            children.push(parse_child(line).ok_or(Damaged { line: index + 1 })?);
        }
        all.push(LastWords { guardian, children });
    }
    Ok(all)
}

/// The words of one line, which must end with a newline: one that does not was cut off.
struct Words<'a>(std::str::SplitAsciiWhitespace<'a>);

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Option<Self> {
        Some(Self(line.strip_suffix('\n')?.split_ascii_whitespace()))
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        (self.0.next()? == word).then_some(())
    }

    fn value<T: FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }

    fn named<T: FromStr>(&mut self, name: &str) -> Option<T> {
        self.expect(name)?;
        self.value()
    }

    fn yes_or_no(&mut self, name: &str) -> Option<bool> {
        self.expect(name)?;
        match self.0.next()? {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }

    fn end(mut self) -> Option<()> {
        self.0.next().is_none().then_some(())
    }
}

fn parse_guardian(line: &str) -> Option<(GuardianId, usize)> {
    let mut words = Words::of(line)?;
    let guardian = GuardianId(words.named::<Uuid>("guardian")?);
    words.named::<Uuid>("boot")?;
    let count = words.named("children")?;
    words.end()?;
    Some((guardian, count))
}

fn parse_child(line: &str) -> Option<Child> {
    let mut words = Words::of(line)?;
    let assignment = AssignmentId(words.named("child")?);
    let pid = words.named("pid")?;
    let start_ticks = words.named("start_ticks")?;
    let started_at = Timestamp(words.named("started_at_ms")?);
    words.expect("exit")?;
    let exit = match words.0.next()? {
        "none" => None,
        "code" => Some(ExitStatus::Code(words.value()?)),
        "signal" => Some(ExitStatus::Signal(words.value()?)),
        _ => return None,
    };
    let exit = match exit {
        Some(status) => Some(parse_exit(status, &mut words)?),
        None => None,
    };
    words.end()?;
    Some(Child { assignment, pid, start_ticks, started_at, exit })
}

fn parse_exit(status: ExitStatus, words: &mut Words<'_>) -> Option<Exit> {
    let at = Timestamp(words.named("ended_at_ms")?);
    let leftovers = words.yes_or_no("leftovers")?;
    let stopped = words.yes_or_no("stopped")?;
    words.expect("usage")?;
    let usage = match words.0.next()? {
        "none" => None,
        rss => Some(Usage { max_rss_bytes: rss.parse().ok()?, user_ms: words.value()?, system_ms: words.value()? }),
    };
    Some(Exit { status, usage, at, leftovers, stopped })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> LastWords {
        let exit = |status, usage, leftovers| {
            Some(Exit { status, usage, at: Timestamp(1_763_690_001_000), leftovers, stopped: false })
        };
        let child = |n, exit| Child {
            assignment: AssignmentId(Uuid::from_u128(n)),
            pid: 4711,
            start_ticks: 88_123,
            started_at: Timestamp(-1),
            exit,
        };
        let usage = Usage { max_rss_bytes: 4096, user_ms: 12, system_ms: u64::MAX };
        LastWords {
            guardian: GuardianId(Uuid::from_u128(7)),
            children: vec![
                child(1, exit(ExitStatus::Code(3), Some(usage), true)),
                child(2, exit(ExitStatus::Signal(9), None, false)),
                child(3, None),
            ],
        }
    }

    const BOOT: BootId = BootId(Uuid::from_u128(9));

    #[test]
    fn what_was_written_is_read_again() {
        let empty = LastWords { guardian: GuardianId(Uuid::from_u128(8)), children: Vec::new() };
        let text = to_text(&words(), BOOT) + &to_text(&empty, BOOT);
        assert_eq!(parse(&text).unwrap(), [words(), empty]);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn a_file_that_was_cut_off_anywhere_is_damaged() {
        let text = to_text(&words(), BOOT);
        for end in 1..text.len() {
            let lines = text[..end].split_inclusive('\n').count();
            let Damaged { line } = parse(&text[..end]).unwrap_err();
            assert!(line == lines || line == lines + 1, "cut at {end}: {line} of {lines}");
        }
    }

    #[test]
    fn a_changed_line_is_named() {
        let text = to_text(&words(), BOOT);
        for (from, to, line) in [
            ("exits 1", "exits 2", 1),
            ("children 3", "children 4", 6),
            ("children 3", "children 2", 5),
            ("code 3", "code three", 3),
            ("signal 9", "signal", 4),
            ("leftovers yes", "leftovers maybe", 3),
            ("usage none", "usage none at all", 4),
        ] {
            assert_eq!(parse(&text.replacen(from, to, 1)), Err(Damaged { line }), "{from} → {to}");
        }
    }
}
