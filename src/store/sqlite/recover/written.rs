//! Which tasks wrote something, as the names of their files tell: `output/<id/1000>/<id>.<attempt>.<ending>`.

use std::fs;
use std::path::Path;

use crate::domain::id::TaskId;

/// How many tasks share a directory.
const TASKS_PER_DIRECTORY: u64 = 1000;

/// Returns the highest number of a task of which there is a file below `output`.
///
/// Shape: a name that apex does not give tells nothing. What cannot be read counts as not there.
pub(super) fn highest(output: &Path) -> Option<TaskId> {
    let directories = fs::read_dir(output).ok()?.flatten();
    let directories = directories.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let numbered = directories.filter_map(|entry| Some((number(entry.file_name().to_str()?)?, entry.path())));
    let files = |(directory, path): (u64, _)| {
        let names = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let ids = names.filter_map(|name| number(name.to_str()?.split_once('.')?.0));
        ids.filter(|id| id / TASKS_PER_DIRECTORY == directory).max()
    };
    TaskId::new(numbered.filter_map(files).max()?)
}

fn number(text: &str) -> Option<u64> {
    // As a number is written: `+7` and `007` are names of somebody else.
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_apex_gives_count() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(highest(&dir.path().join("absent")), None);
        for name in
            ["0/7.1.log", "0/12.2.err.part", "1/1001.1.out", "0/1002.1.log", "1/01999.1.log", "9/note", "x/5.1.log"]
        {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(highest(dir.path()), TaskId::new(1001));
        fs::remove_dir_all(dir.path().join("1")).unwrap();
        assert_eq!(highest(dir.path()), TaskId::new(12));
    }
}
