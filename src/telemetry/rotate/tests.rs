use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;

const NOON: i64 = 1_768_478_400_000; // 2026-01-15T12:00:00Z

/// A log in a directory of its own, and the hands of its clock.
struct Desk {
    dir: TempDir,
    hands: Arc<AtomicI64>,
}

impl Desk {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), hands: Arc::new(AtomicI64::new(NOON)) }
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("daemon.log")
    }

    fn rotating(&self, max_size: u64, keep: u32) -> Rotating {
        let hands = Arc::clone(&self.hands);
        let clock = Box::new(move || Timestamp(hands.load(Ordering::Relaxed)));
        Rotating::with_clock(&self.log(), &Settings { max_size, keep, level: Level::Info }, clock)
    }

    fn set_clock(&self, to: i64) {
        self.hands.store(to, Ordering::Relaxed);
    }

    /// What each file holds, the current one first; `None` where there is none.
    fn files<const N: usize>(&self) -> [Option<String>; N] {
        std::array::from_fn(|number| fs::read_to_string(Series::new(self.log()).path(number as u32)).ok())
    }

    fn total(&self) -> u64 {
        fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }
}

fn line(of: char) -> String {
    format!("{}\n", String::from(of).repeat(39))
}

fn put(rotating: &mut Rotating, text: &str) {
    assert_eq!(rotating.write(text.as_bytes()).unwrap(), text.len());
}

fn errors(rotating: &Rotating) -> u64 {
    rotating.errors().load(Ordering::Relaxed)
}

#[test]
fn lines_that_come_together_stand_where_they_would_one_by_one() {
    let text: String = "abcdefg".chars().map(line).collect();
    let (together, apart) = (Desk::new(), Desk::new());
    let mut rotating = together.rotating(100, 3);
    for lines in [&text[..80], &text[80..120], &text[120..]] {
        put(&mut rotating, lines);
    }
    let mut rotating = apart.rotating(100, 3);
    "abcdefg".chars().for_each(|of| put(&mut rotating, &line(of)));
    assert_eq!(together.files::<4>(), apart.files::<4>());
    assert_eq!(together.files::<1>(), [Some(line('g'))]);
    together.set_clock(NOON + 86_400_000);
    put(&mut rotating, &line('h'));
    let mut rotating = together.rotating(1_000, 3);
    put(&mut rotating, &(line('h') + &line('i')));
    assert_eq!(together.files::<2>(), [Some(line('h') + &line('i')), Some(line('g'))], "a new day is a new file");
}

#[test]
fn a_line_that_would_exceed_the_size_begins_a_new_file() {
    let desk = Desk::new();
    let mut rotating = desk.rotating(80, 2);
    for of in ['a', 'b', 'c', 'd', 'e'] {
        put(&mut rotating, &line(of));
    }
    let expected = [Some(line('e')), Some(line('c') + &line('d')), Some(line('a') + &line('b')), None];
    assert_eq!(desk.files(), expected);
    put(&mut rotating, &(line('f') + &line('g')));
    assert_eq!(desk.files(), [Some(line('g')), Some(line('e') + &line('f')), Some(line('c') + &line('d')), None]);
    assert_eq!(errors(&rotating), 0);
}

#[test]
fn the_files_stay_within_the_bound_whatever_is_written() {
    for keep in [0, 1, 3] {
        let desk = Desk::new();
        let mut rotating = desk.rotating(128, keep);
        for length in (0..400).chain([5000, 1, 128, 127, 129]) {
            put(&mut rotating, &format!("{}\n", "ü".repeat(length)));
            assert!(desk.total() <= u64::from(keep + 1) * 128, "{} with keep {keep}", desk.total());
        }
        assert_eq!(errors(&rotating), 0);
    }
}

#[test]
fn a_line_longer_than_a_file_is_cut_between_two_characters() {
    let desk = Desk::new();
    let mut rotating = desk.rotating(64, 0);
    put(&mut rotating, &format!("{}\n", "ü".repeat(40)));
    assert_eq!(desk.files(), [Some(format!("{}\n", "ü".repeat(31))), None]);
}

#[test]
fn a_new_day_begins_a_new_file() {
    let desk = Desk::new();
    let mut rotating = desk.rotating(1000, 3);
    put(&mut rotating, "thursday\n");
    desk.set_clock(NOON + DAY_MS / 2 - 1);
    put(&mut rotating, "still thursday\n");
    desk.set_clock(NOON + DAY_MS / 2);
    put(&mut rotating, "friday\n");
    let thursday = "thursday\nstill thursday\n".to_owned();
    assert_eq!(desk.files(), [Some("friday\n".to_owned()), Some(thursday), None]);
}

#[test]
fn a_file_of_the_same_day_is_continued_and_one_of_another_day_is_not() {
    let desk = Desk::new();
    let set_written_at = |ms: i64| {
        let file = File::options().write(true).open(desk.log()).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(ms as u64)).unwrap();
    };
    put(&mut desk.rotating(1000, 3), "one\n");
    set_written_at(NOON - 3_600_000);
    put(&mut desk.rotating(1000, 3), "two\n");
    assert_eq!(desk.files(), [Some("one\ntwo\n".to_owned()), None]);
    set_written_at(NOON - DAY_MS);
    put(&mut desk.rotating(1000, 3), "three\n");
    assert_eq!(desk.files(), [Some("three\n".to_owned()), Some("one\ntwo\n".to_owned()), None]);
}

#[test]
fn lines_appended_by_another_process_count() {
    let desk = Desk::new();
    let mut rotating = desk.rotating(100, 1);
    put(&mut rotating, &line('a'));
    let mut other = OpenOptions::new().append(true).open(desk.log()).unwrap();
    other.write_all(line('o').as_bytes()).unwrap();
    put(&mut rotating, &line('b'));
    other.write_all(b"late\n").unwrap();
    assert_eq!(desk.files(), [Some(line('b')), Some(line('a') + &line('o') + "late\n"), None]);
}

#[test]
fn a_file_that_was_removed_or_replaced_is_opened_anew() {
    let desk = Desk::new();
    let mut rotating = desk.rotating(1000, 1);
    put(&mut rotating, "one\n");
    fs::remove_file(desk.log()).unwrap();
    put(&mut rotating, "two\n");
    assert_eq!(desk.files(), [Some("two\n".to_owned()), None]);
    fs::rename(desk.log(), desk.dir.path().join("elsewhere")).unwrap();
    fs::write(desk.log(), "theirs\n").unwrap();
    File::open(desk.log()).unwrap().set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(NOON as u64)).unwrap();
    put(&mut rotating, "three\n");
    assert_eq!(desk.files(), [Some("theirs\nthree\n".to_owned()), None]);
}

#[test]
fn only_the_owner_may_read_it() {
    let desk = Desk::new();
    fs::write(desk.log(), "").unwrap();
    fs::set_permissions(desk.log(), Permissions::from_mode(0o644)).unwrap();
    let mut rotating = desk.rotating(64, 1);
    put(&mut rotating, &line('a'));
    put(&mut rotating, &line('b'));
    for number in [0, 1] {
        let metadata = fs::metadata(Series::new(desk.log()).path(number)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn lines_that_were_lost_are_counted_and_told_when_it_works_again() {
    let desk = Desk::new();
    let mut rotating = desk.rotating(1000, 1);
    fs::create_dir(desk.log()).unwrap();
    put(&mut rotating, "one\ntwo\n");
    fs::remove_dir(desk.log()).unwrap();
    symlink("/dev/null", desk.log()).unwrap();
    put(&mut rotating, "three\n");
    assert_eq!(errors(&rotating), 3);
    fs::remove_file(desk.log()).unwrap();
    put(&mut rotating, "four\n");
    let told = "[2026-01-15T12:00:00.000Z] [WARN] log lines were lost lines=3\nfour\n";
    assert_eq!(desk.files(), [Some(told.to_owned()), None]);
    assert_eq!(errors(&rotating), 3);
}

#[test]
fn a_fifo_in_the_place_of_the_log_does_not_block() {
    let desk = Desk::new();
    nix::unistd::mkfifo(&desk.log(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut rotating = desk.rotating(1000, 1);
    put(&mut rotating, "one\n");
    assert_eq!(errors(&rotating), 1);
}

#[test]
fn what_cannot_be_moved_makes_room_for_what_is_new() {
    let desk = Desk::new();
    fs::create_dir(Series::new(desk.log()).path(1)).unwrap();
    let mut rotating = desk.rotating(64, 1);
    put(&mut rotating, &line('a'));
    put(&mut rotating, &line('b'));
    assert_eq!(desk.files(), [Some(line('b')), None]);
    assert_eq!(errors(&rotating), 1);
}

#[test]
fn half_a_line_of_a_crashed_daemon_is_ended_first() {
    let desk = Desk::new();
    fs::write(desk.log(), "half").unwrap();
    File::open(desk.log()).unwrap().set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(NOON as u64)).unwrap();
    let mut rotating = desk.rotating(64, 1);
    put(&mut rotating, "whole\n");
    put(&mut rotating, "next\n");
    assert_eq!(desk.files(), [Some("half\nwhole\nnext\n".to_owned()), None]);
}

#[test]
fn files_beyond_smaller_settings_go() {
    let desk = Desk::new();
    let mut rotating = desk.rotating(80, 4);
    for of in 'a'..='j' {
        put(&mut rotating, &line(of));
    }
    assert!(desk.files::<5>().iter().all(Option::is_some));
    put(&mut desk.rotating(80, 2), &line('x'));
    assert!(desk.total() <= 240, "{}", desk.total());
    put(&mut desk.rotating(64, 2), &line('y'));
    assert_eq!(desk.files(), [Some(line('y')), Some(line('x')), Some(line('i') + &line('j')), None]);
}
