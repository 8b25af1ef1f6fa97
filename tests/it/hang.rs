//! The daemon is watched for hanging, and one that does not hang is left alone.

use serde_json::json;

use crate::support::World;

#[test]
fn a_daemon_that_answers_is_not_aborted_however_impatient_its_guardian() {
    let mut world = World::new();
    world.set_variable("APEX_PATIENCE_MS", "1000");
    world.apex(["daemon", "start"]).expect(0);
    let pid = world.apexd_pid();
    // A read does not concern the loop, so that it has to be asked; the rest makes it speak by itself.
    for n in 0..5 {
        let id = world.add(&format!("sleep 0.2; exit {n}"));
        assert_eq!(world.ended(id)["exit_code"], json!(n));
        world.apex(["task", "list"]).expect(0);
    }
    let status = world.status();
    assert_eq!((&status["pid"], &status["restarts"]), (&json!(pid), &json!(0)));
    assert!(!world.log().contains("aborting"), "{}", world.log());
}
