//! The list of rows and the tests that claim them, held against one another.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a line of a test's docs begins with.
const MARK: &str = "/// Row: ";

/// Returns the rows of the list as `table / key`, in lower case, and what is wrong with the list itself.
///
/// Shape: `## Table`, and below it a `- key: what must hold` for each row; a key holds no colon followed by a blank.
fn rows_of(list: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut rows, mut wrong, mut table) = (BTreeSet::new(), Vec::new(), None);
    for line in list.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            table = Some(name.trim().to_lowercase());
        } else if let Some(text) = line.strip_prefix("- ") {
            match (&table, text.split_once(": ")) {
                (Some(table), Some((key, holds))) if !holds.trim().is_empty() => {
                    let row = format!("{table} / {}", key.trim().to_lowercase());
                    if !rows.insert(row.clone()) {
                        wrong.push(format!("listed twice: {row}"));
                    }
                }
                _ => wrong.push(format!("no row of a table: {line}")),
            }
        }
    }
    (rows, wrong)
}

/// Returns the rows that the tests of a source text claim, and what claims one without being a test.
fn claims_of(file: &str, source: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut claims, mut wrong) = (BTreeSet::new(), Vec::new());
    let mut pending = Vec::new();
    for line in source.lines() {
        if let Some(row) = line.trim_start().strip_prefix(MARK) {
            pending.push(row.trim().to_lowercase());
        } else if line.trim_start() == "#[test]" {
            claims.extend(pending.drain(..));
        } else if !line.trim_start().starts_with("///") {
            wrong.extend(pending.drain(..).map(|row| format!("claimed by what is no test, in {file}: {row}")));
        }
    }
    (claims, wrong)
}

/// Returns all that is wrong between a list and the sources that claim its rows.
fn faults(list: &str, sources: &[(String, String)]) -> Vec<String> {
    let (rows, mut wrong) = rows_of(list);
    let mut claimed = BTreeSet::new();
    for (file, source) in sources {
        let (claims, without_test) = claims_of(file, source);
        wrong.extend(claims.difference(&rows).map(|row| format!("no such row, in {file}: {row}")));
        wrong.extend(without_test);
        claimed.extend(claims);
    }
    wrong.extend(rows.difference(&claimed).map(|row| format!("without a test: {row}")));
    wrong
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/contract")
}

fn sources() -> Vec<(String, String)> {
    let files = std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let sources = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    sources.map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_row_has_a_test_and_every_claim_a_row() {
    let list = std::fs::read_to_string(directory().join("rows.md")).unwrap();
    let sources = sources();
    assert!(sources.len() > 3, "{sources:?}");
    let wrong = faults(&list, &sources);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_is_missing_unknown_or_there_twice_is_found() {
    let list = "# Rows\n\n## Exit codes\n- 0: done\n- 75: it goes on\n\n## Streams\n- end: one line, exit 3\n";
    let source = |text: &str| vec![("x.rs".to_owned(), text.to_owned())];
    let all = format!(
        "{MARK}exit codes / 0\n{MARK}Exit codes / 75\n/// More.\n#[test]\nfn a() {{}}\n{MARK}streams / end\n#[test]\n"
    );
    assert_eq!(faults(list, &source(&all)), Vec::<String>::new());

    let without = all.replace("Exit codes / 75", "exit codes / 0");
    assert_eq!(faults(list, &source(&without)), ["without a test: exit codes / 75"]);
    let unknown = all.replace("streams / end", "streams / begin");
    assert_eq!(
        faults(list, &source(&unknown)),
        ["no such row, in x.rs: streams / begin", "without a test: streams / end"]
    );
    let no_test = all.replace("#[test]\nfn a", "fn a");
    let found = faults(list, &source(&no_test));
    assert!(found.contains(&"claimed by what is no test, in x.rs: exit codes / 75".to_owned()), "{found:?}");
    assert!(found.contains(&"without a test: exit codes / 0".to_owned()), "{found:?}");

    let twice = format!("{list}- End: again\n");
    assert_eq!(faults(&twice, &source(&all)), ["listed twice: streams / end"]);
    let odd = format!("- 1: before any table\n{list}- without a word\n");
    assert_eq!(
        faults(&odd, &source(&all)),
        ["no row of a table: - 1: before any table", "no row of a table: - without a word"]
    );
}
