//! Nine: without room on the disk new work is refused by name, what is stored and what runs is kept, and when there is
//! room again work goes on by itself.

use crate::scarce::{NAMESPACE, UNTIL_GO, fill, go, inside, refused_add, small_disk};
use crate::support::{eventually, process_state};

#[test]
fn how_a_task_ended_on_a_full_disk_is_recorded_when_there_is_room() {
    inside("promises::p09_scarcity::how_a_task_ended_on_a_full_disk_is_recorded_when_there_is_room", NAMESPACE, || {
        // So small that no room is kept back.
        let world = small_disk("1m", "");
        world.apex(["daemon", "start"]).expect(0);
        let runs = world.add(&format!("{UNTIL_GO}; exit 3"));
        world.until_state(runs, "running");
        let pid = i32::try_from(world.show(runs)["attempts"][0]["pid"].as_i64().unwrap()).unwrap();
        let filled = fill(&world.root(), 0);
        assert_eq!(refused_add(&world)["kind"], "exhausted");
        go(&world);
        // Only then is there room again: else nobody would have met with a full disk.
        let is_refused = || world.log().contains("Cannot record the end of task");
        eventually("its end was offered to the store", || process_state(pid).is_none() || is_refused());
        std::fs::remove_file(filled).unwrap();
        // What is not recorded is not forgotten: the process stays until then.
        eventually("it is recorded or forgotten", || world.state(runs) != "running" || process_state(pid).is_none());
        let ended = world.show(runs);
        assert_eq!((&ended["state"], &ended["exit_code"]), (&"failed".into(), &3.into()));
        world.ended(world.add("true"));
    });
}
