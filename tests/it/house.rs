//! The plan of the house holds: who may import whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each room (or root file) may name of the crate. `rpc/client` stands for itself: a client knows no server.
fn plan() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        // Which is empty in a release: what a safeguard in `domain` is worth must be shown as well.
        ("domain", &["fault"][..]),
        ("fault", &[]),
        ("units", &[]),
        ("exit", &["domain"]),
        ("paths", &["config", "domain", "fault"]),
        ("config", &["domain", "fault", "units"]),
        ("link", &["domain", "fault"]),
        ("telemetry", &["config", "domain", "fault"]),
        ("view", &["domain", "fault"]),
        ("store", &["domain", "fault"]),
        ("process", &["domain", "fault", "link"]),
        ("output", &["domain", "fault"]),
        ("engine", &["domain", "fault", "link", "output", "process", "store"]),
        ("rpc", &["domain", "engine", "fault", "output", "telemetry", "units", "view"]),
        ("rpc/client", &["domain", "rpc", "units"]),
        ("guardian", &["domain", "exit", "fault", "link", "paths", "units"]),
        ("keeper", &["domain", "link"]),
        (
            "daemon",
            &[
                "config",
                "domain",
                "engine",
                "exit",
                "fault",
                "guardian",
                "link",
                "output",
                "paths",
                "process",
                "rpc",
                "store",
                "telemetry",
            ],
        ),
        (
            "cli",
            &[
                "config",
                "daemon",
                "domain",
                "exit",
                "fault",
                "guardian",
                "keeper",
                "paths",
                "rpc",
                "store",
                "telemetry",
                "units",
                "view",
            ],
        ),
        ("lib", &["cli", "daemon", "exit"]),
    ])
}

/// Returns the rooms of the crate that a source text names, with the line; comments are left out, and so is
/// its module of tests, which may build what they need.
fn named_rooms(text: &str) -> Vec<(usize, String)> {
    let mut rooms = Vec::new();
    let mut in_tests = false;
    for (index, line) in text.lines().enumerate() {
        in_tests = (in_tests || line == "mod tests {") && line != "}";
        if in_tests {
            continue;
        }
        let code = line.split("//").next().unwrap_or_default();
        for part in code.split("crate::").skip(1) {
            let room: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !room.is_empty() {
                rooms.push((index + 1, room));
            }
        }
    }
    rooms
}

/// Returns the room a source file stands in.
fn room_of(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    match parts.as_slice() {
        [first, second, ..] if first == "rpc" && (second == "client" || second == "client.rs") => {
            "rpc/client".to_owned()
        }
        [first, ..] => first.trim_end_matches(".rs").to_owned(),
        [] => String::new(),
    }
}

/// Returns what a file does against the plan.
fn offences(path: &Path, text: &str) -> Vec<String> {
    let plan = plan();
    let room = room_of(path);
    let Some(allowed) = plan.get(room.as_str()) else {
        return vec![format!("{}: room `{room}` is not in the plan", path.display())];
    };
    named_rooms(text)
        .into_iter()
        .filter(|(_, named)| *named != room && !allowed.contains(&named.as_str()))
        .map(|(line, named)| format!("{}:{line}: `{room}` may not use `{named}`", path.display()))
        .collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_imports_only_what_the_plan_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the sources were not found");
    let found: Vec<String> = files
        .iter()
        .filter(|path| path.file_name().is_some_and(|name| name != "main.rs"))
        .filter(|path| !path.iter().any(|part| part == "tests" || part == "tests.rs"))
        .flat_map(|path| offences(path.strip_prefix(&root).unwrap(), &std::fs::read_to_string(path).unwrap()))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_plan_has_no_circle() {
    let plan = plan();
    fn reaches(plan: &BTreeMap<&str, &[&str]>, from: &str, to: &str, depth: usize) -> bool {
        depth > 0 && plan.get(from).is_some_and(|next| next.iter().any(|n| *n == to || reaches(plan, n, to, depth - 1)))
    }
    for room in plan.keys() {
        // A client is part of the wire; that is the one door between the two.
        let from = if *room == "rpc/client" { continue } else { room };
        assert!(!reaches(&plan, from, from, plan.len()), "`{room}` imports itself by a detour");
    }
}

#[test]
fn what_the_plan_forbids_is_found() {
    let offence = |path: &str, text: &str| offences(Path::new(path), text);
    assert_eq!(
        offence("domain/task.rs", "use crate::store::Store;"),
        ["domain/task.rs:1: `domain` may not use `store`"]
    );
    assert_eq!(offence("cli/ui.rs", "\nuse crate::engine;"), ["cli/ui.rs:2: `cli` may not use `engine`"]);
    assert_eq!(
        offence("rpc/client/mod.rs", "use crate::engine::Handle;"),
        ["rpc/client/mod.rs:1: `rpc/client` may not use `engine`"]
    );
    assert_eq!(offence("attic/x.rs", ""), ["attic/x.rs: room `attic` is not in the plan"]);
    assert!(offence("domain/task.rs", "// not crate::store\nuse crate::domain::id;").is_empty());
    let after_tests = "mod tests {\n    use crate::engine;\n}\nuse crate::store::Store;\n";
    assert_eq!(offence("domain/task.rs", after_tests), ["domain/task.rs:4: `domain` may not use `store`"]);
}
