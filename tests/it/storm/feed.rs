//! Whether the feed of changes tells a story that can have happened.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// A moment is taken before the transaction that stores it, so two that were under way together may have them in the
/// other order.
const SLACK: SignedDuration = SignedDuration::from_secs(1);

/// The moves between states that the architecture's table allows.
fn moves() -> BTreeSet<(String, String)> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap();
    let table = text.split("<!-- states and events: begin -->").nth(1).unwrap();
    let table = table.split("<!-- states and events: end -->").next().unwrap();
    let mut rows = table.lines().filter(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells
    });
    let states = rows.next().unwrap();
    let mut moves = BTreeSet::new();
    for row in rows.skip(1) {
        for (from, to) in states.iter().zip(&row).skip(1) {
            if !["–", "="].contains(to) {
                moves.insert(((*from).to_owned(), (*to).to_owned()));
            }
        }
    }
    assert!(moves.len() > 30, "the table was not found");
    moves
}

/// Returns what is wrong with the changes, oldest first, of tasks that stand in these states now.
pub fn check(events: &[Value], states: &BTreeMap<u64, String>) -> Vec<String> {
    let moves = moves();
    let mut wrong = Vec::new();
    let mut last_seq = 0;
    let mut last: BTreeMap<u64, (Timestamp, String)> = BTreeMap::new();
    let mut claimed: BTreeSet<u64> = BTreeSet::new();
    let mut ended: BTreeSet<(u64, u64)> = BTreeSet::new();
    for event in events {
        let seq = event["seq"].as_u64().unwrap_or(0);
        if seq <= last_seq {
            wrong.push(format!("change {seq} comes after {last_seq}"));
        }
        last_seq = seq;
        let Some(task) = event["task"].as_u64() else { continue };
        let text = |key: &str| event[key].as_str().map(str::to_owned);
        let at: Timestamp = text("at").unwrap_or_default().parse().unwrap();
        let (from, to) = (text("from"), text("to").unwrap_or_default());
        match (last.get(&task), &from) {
            (None, None) => {}
            (Some((_, known)), Some(from)) if known == from => {
                // What is claimed shows as it was before, but a claim takes the slot.
                let stands = if claimed.contains(&task) { "running" } else { from };
                if stands != to && *from != to && !moves.contains(&(stands.to_owned(), to.clone())) {
                    wrong.push(format!("no such move: {event}"));
                }
            }
            (known, _) => wrong.push(format!("the task was {known:?} before: {event}")),
        }
        if last.get(&task).is_some_and(|(before, _)| before.duration_since(at) > SLACK) {
            wrong.push(format!("before its predecessor, {:?}: {event}", last.get(&task)));
        }
        last.insert(task, (at, to));
        match event["kind"].as_str() {
            Some("task.claimed") => _ = claimed.insert(task),
            Some("task.cancel_requested" | "task.hashed" | "task.progress") => {}
            _ => _ = claimed.remove(&task),
        }
        if event["kind"] == "task.ended" && !ended.insert((task, event["attempt"].as_u64().unwrap_or(0))) {
            wrong.push(format!("an attempt ended twice: {event}"));
        }
    }
    for (task, state) in states {
        let told = last.get(task).map(|(_, to)| to);
        if told != Some(state) {
            wrong.push(format!("task {task} is {state}, and the last change says {told:?}"));
        }
    }
    wrong
}
