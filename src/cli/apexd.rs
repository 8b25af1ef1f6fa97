//! How apexd itself is called: by the guardian, never by hand.
//!
//! `apexd __apexd ROOT MAX_CONCURRENT POLL_INTERVAL_MS DATA`: two are `-` where the configuration decides, the last where
//! the data are in the project's own `.apex/`. The form is kept by the guardian over restarts of apexd, also by a newer
//! program: it may only be added to.
//!
//! A guardian that takes the place of another one is called in the same way; see [`guardian::resume`].

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use crate::config::Overrides;
use crate::exit::Exit;
use crate::paths::Project;
use crate::{guardian, keeper};

/// Runs apexd for a project to its end, and returns its exit code.
pub type Serve = fn(&Project, Overrides) -> i32;

/// The word by which it is known.
pub(in crate::cli) const WORD: &str = "__apexd";
const ABSENT: &str = "-";

/// Returns the arguments by which apexd is called for a project.
pub fn arguments(project: &Project, overrides: Overrides) -> Vec<OsString> {
    let max = overrides.max_concurrent.map_or_else(|| ABSENT.to_owned(), |n| n.to_string());
    let poll = overrides.poll_interval.map_or_else(|| ABSENT.to_owned(), |length| length.as_millis().to_string());
    let data = if project.data() == project.dir() { ABSENT.into() } else { project.data().into() };
    vec![WORD.into(), project.root().into(), max.into(), poll.into(), data]
}

/// Runs apexd, or the guardian in place of another one, if that was called; `None` if something else was.
pub fn dispatch(raw: &[OsString], serve: Serve) -> Option<i32> {
    let word = raw.get(1)?;
    let further = |place: usize| raw.get(place).map(OsString::as_os_str);
    if word == guardian::RESUME {
        return Some(guardian::resume(further(2), further(3)));
    }
    if word == keeper::WORD {
        return Some(
            further(2).map_or(Exit::Config.code(), |socket| keeper::run(socket.into(), further(3).map(Into::into))),
        );
    }
    if word == guardian::CHECK {
        return Some(guardian::check(further(2)));
    }
    if word != WORD {
        return None;
    }
    Some(read(&raw[2..]).map_or(Exit::Config.code(), |(project, overrides)| serve(&project, overrides)))
}

fn read(words: &[OsString]) -> Option<(Project, Overrides)> {
    let root = Path::new(words.first()?);
    let max_concurrent = number(words.get(1))?.map(u32::try_from).transpose().ok()?;
    let poll_interval = number(words.get(2))?.map(Duration::from_millis);
    let data = words.get(3).map(Path::new).filter(|data| *data != Path::new(ABSENT));
    if !root.is_absolute() || data.is_some_and(|data| !data.is_absolute()) {
        return None;
    }
    let project = data.map_or_else(|| Project::new(root), |data| Project::with_data(root, data));
    Some((project, Overrides { max_concurrent, poll_interval }))
}

/// Outer `None`: it is there and no number.
fn number(word: Option<&OsString>) -> Option<Option<u64>> {
    match word.map(OsString::as_os_str) {
        None => Some(None),
        Some(word) if word == OsStr::new(ABSENT) => Some(None),
        Some(word) => word.to_str()?.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for project in [Project::new("/home/me/a b"), Project::with_data("/mnt/a b", "/home/me/data")] {
            written_is_read(&project);
        }
    }

    fn written_is_read(project: &Project) {
        for overrides in [
            Overrides::default(),
            Overrides { max_concurrent: Some(7), poll_interval: None },
            Overrides { max_concurrent: None, poll_interval: Some(Duration::from_millis(250)) },
        ] {
            let words = arguments(project, overrides);
            assert_eq!(words[0], WORD);
            assert_eq!(read(&words[1..]), Some((project.clone(), overrides)));
        }
    }

    #[test]
    fn what_makes_no_sense_ends_it_for_good() {
        let code = |words: &[&str]| dispatch(&words.iter().map(OsString::from).collect::<Vec<_>>(), |_, _| 5);
        assert_eq!(code(&["apexd", WORD, "/p", "3", "-"]), Some(5));
        assert_eq!(code(&["apexd", WORD, "/p"]), Some(5));
        assert_eq!(code(&["apexd", WORD, "/p", "3", "-", "-", "later"]), Some(5));
        for wrong in [
            &["apexd", WORD][..],
            &["apexd", WORD, "relative", "-", "-"],
            &["apexd", WORD, "/p", "x", "-"],
            &["apexd", WORD, "/p", "-", "-", "data"],
        ] {
            assert_eq!(code(wrong), Some(Exit::Config.code()), "{wrong:?}");
        }
        assert_eq!(code(&["apexd", "-g"]), None);
        assert_eq!(code(&["apexd"]), None);
    }
}
