//! Output of several tasks in one stream: whole lines, each of which says whose it is.

use anstyle::{AnsiColor, Style};

use crate::cli::render::wrap::{columns, cut};
use crate::domain::task::Task;
use crate::domain::text::neutralize;

/// Longest piece of a line that is kept back, in bytes. What is longer becomes several lines.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Longest colour sequence that is not torn, in bytes.
const SEQUENCE_BYTES_MAX: usize = 64;
/// Widest name in front of a line.
const NAME_WIDTH_MAX: usize = 24;
/// Ends every colour.
pub const RESET: &str = "\u{1b}[0m";

/// Colours in which tasks take turns. Red is for errors.
const COLORS: [AnsiColor; 8] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
    AnsiColor::BrightYellow,
    AnsiColor::BrightGreen,
];

/// What stands in front of each line of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    text: String,
    style: Style,
}

impl Prefix {
    /// Returns the prefixes of `tasks`, in their order, all of the same width: `build | `, or `12    | ` for one without
    /// a name. Where a name would not tell which one it is, the number stands beside it.
    pub fn of(tasks: &[Task]) -> Vec<Prefix> {
        let names: Vec<Option<String>> = tasks
            .iter()
            .map(|task| task.spec.name.as_deref().map(|name| cut(&neutralize(name), NAME_WIDTH_MAX)))
            .collect();
        let is_alone = |name: &String| names.iter().flatten().filter(|other| *other == name).count() == 1;
        let labels: Vec<String> = tasks
            .iter()
            .zip(&names)
            .map(|(task, name)| match name {
                Some(name) if is_alone(name) => name.clone(),
                Some(name) => format!("{name} {}", task.id),
                None => task.id.to_string(),
            })
            .collect();
        let width = labels.iter().map(|label| columns(label)).max().unwrap_or(0);
        let padded = |label: &String| label.clone() + &" ".repeat(width - columns(label)) + " | ";
        let colors = COLORS.into_iter().cycle();
        labels
            .iter()
            .zip(colors)
            .map(|(label, color)| Self { text: padded(label), style: color.on_default() })
            .collect()
    }
}

/// Makes lines of pieces that are cut anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    prefix: Vec<u8>,
    has_color: bool,
    pending: Vec<u8>,
}

impl Lines {
    /// Begins a stream whose lines all get `prefix`. With `has_color` that is coloured, and no colour outlasts its line.
    pub fn new(prefix: &Prefix, has_color: bool) -> Self {
        let Prefix { text, style } = prefix;
        let prefix = if has_color { format!("{style}{text}{style:#}") } else { text.clone() };
        Self { prefix: prefix.into_bytes(), has_color, pending: Vec::new() }
    }

    /// Returns the lines that are complete after this piece, with their line ends. What is longer than
    /// [`LINE_BYTES_MAX`] is not waited for any longer: so much of it becomes a line.
    pub fn pass(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut lines = Vec::with_capacity(piece.len() + self.prefix.len());
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n");
            self.pending.extend_from_slice(text.unwrap_or(part));
            let mut from = 0;
            while self.pending.len() - from > LINE_BYTES_MAX {
                let until = from + whole(&self.pending[from..], LINE_BYTES_MAX);
                self.push(&mut lines, &self.pending[from..until]);
                from = until;
            }
            self.pending.drain(..from);
            if text.is_some() {
                self.push(&mut lines, &self.pending);
                self.pending.clear();
            }
        }
        lines
    }

    /// Returns what is left without a line end, as a line; nothing if nothing is.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            self.push(&mut lines, &rest);
        }
        lines
    }

    fn push(&self, lines: &mut Vec<u8>, text: &[u8]) {
        lines.extend_from_slice(&self.prefix);
        lines.extend_from_slice(text);
        if self.has_color && text.contains(&0x1b) {
            lines.extend_from_slice(RESET.as_bytes());
        }
        lines.push(b'\n');
    }
}

/// Returns how many bytes of `text`, `max` at most, can be taken without tearing a character or a colour sequence.
///
/// Shape: `text` is longer than `max`, and `max` is longer than a sequence.
fn whole(text: &[u8], max: usize) -> usize {
    let is_inside = |at: usize| text[at] & 0b1100_0000 == 0b1000_0000;
    let at = (max - 3..=max).rev().find(|at| !is_inside(*at)).unwrap_or(max);
    let sequence = (at - SEQUENCE_BYTES_MAX..at).rev().find(|at| text[*at] == 0x1b);
    sequence.filter(|from| !text[*from..at].contains(&b'm')).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    fn prefixes(names: &[Option<&str>]) -> Vec<String> {
        let task = |(at, name): (usize, &Option<&str>)| {
            let mut task = samples::queued();
            task.id = samples::task_id(9 + at as u64);
            task.spec.name = name.map(str::to_owned);
            task
        };
        let tasks: Vec<Task> = names.iter().enumerate().map(task).collect();
        Prefix::of(&tasks).into_iter().map(|prefix| prefix.text).collect()
    }

    fn lines() -> Lines {
        Lines::new(&Prefix::of(&[samples::queued()])[0], false)
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_task_has_its_name_or_number_in_front() {
        assert_eq!(prefixes(&[None, None]), ["9  | ", "10 | "]);
        assert_eq!(prefixes(&[Some("build"), None]), ["build | ", "10    | "]);
        assert_eq!(prefixes(&[Some("漢字"), Some("a")]), ["漢字 | ", "a    | "]);
    }

    #[test]
    fn names_that_tell_nothing_apart_get_the_number() {
        assert_eq!(prefixes(&[Some("x"), Some("y"), Some("x")]), ["x 9  | ", "y    | ", "x 11 | "]);
        let (one, two) = ("n".repeat(40) + "1", "n".repeat(40) + "2");
        let cut = "n".repeat(NAME_WIDTH_MAX - 1);
        assert_eq!(prefixes(&[Some(&one), Some(&two)]), [format!("{cut}… 9  | "), format!("{cut}… 10 | ")]);
        assert_eq!(prefixes(&[Some("\u{1b}[2J")]), ["\\u001b[2J | "]);
    }

    #[test]
    fn only_whole_lines_come_out_until_the_end() {
        let mut lines = lines();
        assert_eq!(text(lines.pass(b"one\ntw")), "12 | one\n");
        assert_eq!(text(lines.pass(b"o")), "");
        assert_eq!(text(lines.pass(b"\n\nthree")), "12 | two\n12 | \n");
        assert_eq!(text(lines.finish()), "12 | three\n");
        assert_eq!(text(lines.finish()), "");
    }

    #[test]
    fn a_line_without_end_is_not_kept_back_for_ever() {
        let mut lines = lines();
        assert_eq!(lines.pass(&[b'x'; LINE_BYTES_MAX]), b"");
        let piece = text(lines.pass(b"yz"));
        assert_eq!(piece, format!("12 | {}\n", "x".repeat(LINE_BYTES_MAX)));
        assert_eq!(text(lines.pass(b"\n")), "12 | yz\n");
        let exact = [vec![b'x'; LINE_BYTES_MAX], vec![b'\n']].concat();
        assert_eq!(lines.pass(&exact).iter().filter(|byte| **byte == b'\n').count(), 1);
    }

    #[test]
    fn neither_characters_nor_colours_are_torn() {
        for torn in ["ö", "漢", "🎉", "\u{1b}[38;5;208m"] {
            for cut in 1..torn.len() {
                let long = "x".repeat(LINE_BYTES_MAX - cut) + torn + "y";
                let shown = text(lines().pass(long.as_bytes()));
                assert_eq!(shown, format!("12 | {}\n", "x".repeat(LINE_BYTES_MAX - cut)), "{torn:?} at {cut}");
            }
        }
    }

    #[test]
    fn a_colour_ends_with_its_line() {
        let mut lines = Lines::new(&Prefix::of(&[samples::queued()])[0], true);
        let shown = text(lines.pass(b"\x1b[41mred\nplain\n"));
        let prefix = "\u{1b}[36m12 | \u{1b}[0m";
        assert_eq!(shown, format!("{prefix}\u{1b}[41mred\u{1b}[0m\n{prefix}plain\n"));
    }

    proptest::proptest! {
        #[test]
        fn where_pieces_are_cut_changes_nothing(
            parts in proptest::collection::vec(("[a-zö\u{1b}m]{0,9}", 0_usize..70_000, proptest::bool::ANY), 0..6),
            cuts in proptest::collection::vec(0_usize..300_000, 0..6),
        ) {
            let line = |(text, length, end): &(String, usize, bool)| {
                text.clone() + &"x".repeat(*length) + if *end { "\n" } else { "" }
            };
            let bytes = parts.iter().map(line).collect::<String>().into_bytes();
            let mut whole = lines();
            let expected = [whole.pass(&bytes), whole.finish()].concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let (mut lines, mut shown) = (lines(), Vec::new());
            for pair in cuts.windows(2) {
                shown.extend(lines.pass(&bytes[pair[0]..pair[1]]));
            }
            shown.extend(lines.finish());
            proptest::prop_assert!(shown == expected);
            let longest = shown.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or(0);
            proptest::prop_assert!(longest <= LINE_BYTES_MAX + "12 | ".len());
        }
    }
}
