//! Man pages and completions as files in `packaging/`, made from the commands themselves.
//!
//! `APEX_BLESS=1 cargo test --lib cli::args::pages` writes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap_complete::Shell;
use clap_mangen::Man;

use super::command;
use crate::cli::complete;

/// Returns the page of a command and of all below it, by file name.
///
/// They bear no date: that of a build would make every build another one. The blank keeps its place, which the next
/// word would take.
fn man_pages(command: &clap::Command, pages: &mut BTreeMap<String, Vec<u8>>) {
    let man = Man::new(command.clone()).date(" ").source("apex").manual("apex manual");
    let mut page = Vec::new();
    man.render(&mut page).unwrap();
    pages.insert(man.get_filename(), page);
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        man_pages(below, pages);
    }
}

fn completions() -> BTreeMap<String, Vec<u8>> {
    [("apex.bash", Shell::Bash), ("_apex", Shell::Zsh), ("apex.fish", Shell::Fish)]
        .map(|(name, shell)| (name.to_owned(), complete::script(shell)))
        .into()
}

/// Compares what is in a directory of `packaging/` with what is to be there, or writes it if that was asked for.
fn expect_in(directory: &str, expected: &BTreeMap<String, Vec<u8>>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(directory);
    if std::env::var_os("APEX_BLESS").is_some() {
        // Anew, so that what is gone from the commands goes here too.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        for (name, content) in expected {
            fs::write(directory.join(name), content).unwrap();
        }
    }
    let there = fs::read_dir(&directory).map(|entries| entries.map(|entry| entry.unwrap()).collect());
    let there: BTreeMap<String, Vec<u8>> = there
        .unwrap_or_else(|_| Vec::new())
        .into_iter()
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    let names = expected.keys().chain(there.keys());
    let stale: Vec<&String> = names.filter(|name| expected.get(*name) != there.get(*name)).collect();
    let hint = "write them with `APEX_BLESS=1 cargo test --lib cli::args::pages`";
    assert!(stale.is_empty(), "not as the commands are: {stale:?}; {hint}");
}

#[test]
fn the_man_pages_are_as_the_commands_are() {
    let mut pages = BTreeMap::new();
    let mut root = command();
    root.build();
    man_pages(&root, &mut pages);
    for name in ["apex.1", "apex-task-add.1", "apex-daemon-install.1"] {
        assert!(pages.contains_key(name), "{name}");
    }
    let add = String::from_utf8(pages["apex-task-add.1"].clone()).unwrap();
    assert!(add.contains("\\-\\-split\\-output"), "the flags of commands that are built late are missing: {add}");
    expect_in("man", &pages);
}

#[test]
fn the_completions_are_those_that_are_printed() {
    expect_in("completions", &completions());
}
