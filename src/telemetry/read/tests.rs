use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::telemetry::{Rotating, Settings};

/// A log in a directory of its own.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("daemon.log")
    }

    fn rotating(&self, max_size: u64, keep: u32) -> Rotating {
        let settings = Settings { max_size, keep, level: Level::Info };
        // Midnight never comes.
        Rotating::with_clock(&self.log(), &settings, Box::new(|| Timestamp(1_768_478_400_000)))
    }

    fn append(&self, text: &str) {
        append(&self.log(), text);
    }

    fn follow(&self, selection: Selection) -> Follow {
        Follow::new(&self.log(), selection).unwrap()
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn numbered(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("line {number:04} of a log that is rotated often")).collect()
}

fn write(rotating: &mut Rotating, numbers: impl IntoIterator<Item = u32>) {
    for line in numbered(numbers) {
        rotating.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

const ALL: Selection = Selection { tail_lines: None, since: None, level: None };
const NONE: [&str; 0] = [];

#[test]
fn what_was_written_reads_back() {
    let line = crate::telemetry::format::line(Timestamp(1_768_473_000_007), Level::Warn, "a [b] c=\"d e\"");
    let message = "a [b] c=\"d e\"".to_owned();
    let entry = Entry { at: Timestamp(1_768_473_000_007), level: Level::Warn, message };
    assert_eq!(parse_line(line.trim_end()), Some(entry));
    let entry = Entry { at: Timestamp(1_768_473_000_000), level: Level::Info, message: String::new() };
    assert_eq!(parse_line("[2026-01-15T10:30:00.000Z] [INFO]"), Some(entry.clone()));
    assert_eq!(parse_line("[2026-01-15T10:30:00.000Z] [INFO] "), Some(entry));
}

#[test]
fn other_lines_are_no_entries() {
    for line in [
        "",
        "[",
        "[]",
        "[] [] ",
        "line",
        " [2026-01-15T10:30:00.000Z] [INFO] x",
        "[2026-01-15T10:30:00.000Z] [info] x",
        "[2026-01-15T10:30:00.000Z] [FATAL] x",
        "[2026-01-15T10:30:00.000Z] [INFO]x",
        "[2026-01-15T10:30:00.000Z] INFO x",
        "[2026-13-15T10:30:00.000Z] [INFO] x",
        "[2026-01-15T10:30:00+01:00] [INFO] x",
        "[2026-01-15T10:30:00.00üZ] [INFO] x",
    ] {
        assert_eq!(parse_line(line), None, "{line:?}");
    }
}

#[test]
fn a_log_that_is_absent_is_empty() {
    let desk = Desk::new();
    assert_eq!(read(&desk.log(), ALL).unwrap(), NONE);
    assert_eq!(read(&desk.dir.path().join("absent/daemon.log"), ALL).unwrap(), NONE);
    assert_eq!(desk.follow(ALL).next_lines().unwrap(), NONE);
}

#[test]
fn something_else_in_its_place_is_an_error() {
    let desk = Desk::new();
    fs::create_dir(desk.log()).unwrap();
    assert_eq!(read(&desk.log(), ALL).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(Follow::new(&desk.log(), ALL).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn rotated_files_are_read_oldest_first() {
    let desk = Desk::new();
    write(&mut desk.rotating(100, 50), 0..60);
    assert!(desk.dir.path().join("daemon.log.29").exists());
    // A file that somebody deleted in the middle is a gap, not the end.
    let fourth = desk.dir.path().join("daemon.log.28");
    assert_eq!(fs::read_to_string(&fourth).unwrap(), numbered(2..4).join("\n") + "\n");
    fs::remove_file(fourth).unwrap();
    assert_eq!(read(&desk.log(), ALL).unwrap(), numbered((0..2).chain(4..60)));
    assert_eq!(desk.follow(ALL).next_lines().unwrap(), numbered((0..2).chain(4..60)));
}

#[test]
fn selection_goes_by_entries_and_the_tail_by_lines() {
    let desk = Desk::new();
    append(
        &desk.dir.path().join("daemon.log.1"),
        "orphan\n[2026-01-15T10:30:00.000Z] [INFO] one\n[2026-01-15T10:30:01.000Z] [ERROR] two\n  at a\n",
    );
    desk.append(
        "  at b\n[2026-01-15T10:30:02.000Z] [DEBUG] three\n  at c\n[2026-01-15T10:30:03.000Z] [WARN] four\nhalf",
    );
    let heads = |selection| -> Vec<String> {
        let lines = read(&desk.log(), selection).unwrap();
        if selection.tail_lines.is_none() {
            // Whoever follows waits for the end of the last line.
            let following = desk.follow(selection).next_lines().unwrap();
            assert_eq!(following, lines[..lines.len() - 1]);
        }
        lines.iter().map(|line| line.split(' ').next_back().unwrap().to_owned()).collect()
    };
    assert_eq!(heads(ALL), ["orphan", "one", "two", "a", "b", "three", "c", "four", "half"]);
    let warn = Some(Level::Warn);
    assert_eq!(heads(Selection { level: warn, ..ALL }), ["two", "a", "b", "four", "half"]);
    let since = Some(Timestamp(1_768_473_002_000));
    assert_eq!(heads(Selection { since, ..ALL }), ["three", "c", "four", "half"]);
    assert_eq!(heads(Selection { since, level: warn, ..ALL }), ["four", "half"]);
    assert_eq!(heads(Selection { tail_lines: Some(3), ..ALL }), ["c", "four", "half"]);
    assert_eq!(heads(Selection { tail_lines: Some(3), level: warn, ..ALL }), ["b", "four", "half"]);
    assert_eq!(heads(Selection { tail_lines: Some(0), ..ALL }), NONE);
}

#[test]
fn the_tail_does_not_limit_what_comes_later() {
    let desk = Desk::new();
    let mut rotating = desk.rotating(100, 9);
    write(&mut rotating, 0..5);
    let mut follow = desk.follow(Selection { tail_lines: Some(1), ..ALL });
    let mut silent = desk.follow(Selection { tail_lines: Some(0), ..ALL });
    write(&mut rotating, 5..10);
    assert_eq!(follow.next_lines().unwrap(), numbered(4..10));
    assert_eq!(silent.next_lines().unwrap(), numbered(5..10));
}

#[test]
fn lines_are_made_safe_for_a_terminal() {
    let desk = Desk::new();
    append(&desk.log(), "a\u{1b}[31m\u{202e}b\tc\r\n");
    let mut file = OpenOptions::new().append(true).open(desk.log()).unwrap();
    file.write_all(b"\xff\xfe\x9b\n").unwrap();
    assert_eq!(read(&desk.log(), ALL).unwrap(), ["a\\u001b[31m\\u202eb\\tc\\r", "\u{fffd}\u{fffd}\u{fffd}"]);
}

#[test]
fn each_line_comes_once_over_any_number_of_rotations_between_two_looks() {
    for step in [1, 2, 3, 7, 50] {
        let desk = Desk::new();
        let mut rotating = desk.rotating(100, 30);
        let mut follow = desk.follow(ALL);
        for first in (0..150).step_by(step) {
            let numbers = first..first + step as u32;
            write(&mut rotating, numbers.clone());
            assert_eq!(follow.next_lines().unwrap(), numbered(numbers), "in steps of {step}");
            assert_eq!(follow.next_lines().unwrap(), NONE);
        }
    }
}

#[test]
fn files_that_are_deleted_after_they_were_seen_are_read_to_their_end() {
    for keep in [0, 1] {
        let desk = Desk::new();
        let mut rotating = desk.rotating(100, keep);
        let mut follow = desk.follow(ALL);
        let mut seen = Vec::new();
        // Two lines a file: the rest of one that was seen, and as many files as delete it with the next line.
        let step = 2 * (keep + 1);
        for first in (0..60).step_by(step as usize) {
            write(&mut rotating, first..first + 1);
            seen.extend(follow.next_lines().unwrap());
            write(&mut rotating, first + 1..first + step);
        }
        seen.extend(follow.next_lines().unwrap());
        assert_eq!(seen, numbered(0..60), "with keep {keep}");
    }
}

#[test]
fn each_line_comes_once_and_in_order_while_a_thread_writes_and_rotates() {
    const LINES: u32 = 2000;
    for (max_size, keep) in [(400, 250), (4000, 30)] {
        let desk = Desk::new();
        let mut follow = desk.follow(ALL);
        let (done, is_done) = mpsc::channel::<()>();
        let mut rotating = desk.rotating(max_size, keep);
        let writer = std::thread::spawn(move || {
            // Two daemons, one after the other.
            write(&mut rotating, 0..LINES / 2);
            rotating
        });
        let path = desk.log();
        let second = std::thread::spawn(move || {
            drop(writer.join().unwrap());
            let settings = Settings { max_size, keep, level: Level::Info };
            write(&mut Rotating::new(&path, &settings), LINES / 2..LINES);
            drop(done);
        });
        let mut seen = Vec::new();
        loop {
            let was_done = is_done.try_recv() == Err(mpsc::TryRecvError::Disconnected);
            seen.extend(follow.next_lines().unwrap());
            if was_done {
                break;
            }
            if seen.len() < LINES as usize {
                follow.wait(Duration::from_secs(60)).unwrap();
            }
        }
        second.join().unwrap();
        assert_eq!(seen, numbered(0..LINES));
        assert_eq!(follow.next_lines().unwrap(), NONE);
    }
}

#[test]
fn a_line_appended_to_a_file_that_was_just_rotated_is_not_missed() {
    let desk = Desk::new();
    let mut rotating = desk.rotating(100, 3);
    write(&mut rotating, 0..2);
    let mut follow = desk.follow(ALL);
    let mut other = OpenOptions::new().append(true).open(desk.log()).unwrap();
    write(&mut rotating, 2..3);
    assert_eq!(follow.next_lines().unwrap(), numbered(0..3));
    other.write_all(b"guardian\n").unwrap();
    assert_eq!(follow.next_lines().unwrap(), ["guardian"]);
}

#[test]
fn a_log_that_is_removed_replaced_or_truncated_goes_on_without_repeating_the_older_ones() {
    let desk = Desk::new();
    let mut rotating = desk.rotating(100, 5);
    write(&mut rotating, 0..5);
    let mut follow = desk.follow(ALL);
    assert_eq!(follow.next_lines().unwrap(), numbered(0..5));
    for number in 5..8 {
        fs::remove_file(desk.log()).unwrap();
        write(&mut rotating, number..number + 1);
        assert_eq!(follow.next_lines().unwrap(), numbered(number..number + 1));
    }
    fs::remove_file(desk.log()).unwrap();
    assert_eq!(follow.next_lines().unwrap(), NONE);
    for number in 8..11 {
        let _ = fs::rename(desk.log(), desk.dir.path().join("kept"));
        write(&mut rotating, number..number + 1);
        assert_eq!(follow.next_lines().unwrap(), numbered(number..number + 1));
    }
    File::options().write(true).open(desk.log()).unwrap().set_len(0).unwrap();
    desk.append("short\n");
    assert_eq!(follow.next_lines().unwrap(), ["short"]);
    for entry in fs::read_dir(desk.dir.path()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    write(&mut rotating, 11..14);
    assert_eq!(follow.next_lines().unwrap(), numbered(11..14));
}

#[test]
fn half_a_line_waits_for_its_end_and_a_file_that_is_gone_has_none() {
    let desk = Desk::new();
    desk.append("one\ntw");
    let mut follow = desk.follow(ALL);
    assert_eq!(follow.next_lines().unwrap(), ["one"]);
    desk.append("o\nth");
    assert_eq!(follow.next_lines().unwrap(), ["two"]);
    fs::remove_file(desk.log()).unwrap();
    assert_eq!(follow.next_lines().unwrap(), ["th"]);
}

proptest::proptest! {
    #[test]
    fn a_damaged_log_is_read_all_the_same(
        pieces in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60), 0..8),
        tail in proptest::option::of(0_usize..5),
    ) {
        let desk = Desk::new();
        let whole = "[2026-01-15T10:30:00.000Z] [WARN] a line\n";
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| [whole.as_bytes(), piece].concat()).collect();
        fs::write(desk.log(), &bytes).unwrap();
        let selection = Selection { tail_lines: tail, level: Some(Level::Warn), ..Selection::default() };
        let lines = read(&desk.log(), selection).unwrap();
        proptest::prop_assert!(tail.is_none_or(|tail| lines.len() <= tail));
        for line in &lines {
            proptest::prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn no_line_that_is_taken_apart_panics(text in "\\PC{0,60}", at in "[-0-9T:.Zz]{0,26}") {
        for line in [text.clone(), format!("[{at}] [{text}] x"), format!("[{at}] [INFO]{text}"), format!("[{text}")] {
            let _ = parse_line(&line);
        }
    }
}
