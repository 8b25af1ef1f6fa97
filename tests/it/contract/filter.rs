//! Conditions on tasks, the columns of lists, and their order.

use crate::contract::listed;
use crate::support::World;

/// A few tasks: a succeeded, two failed, and two held ones.
fn filled() -> World {
    let world = World::started();
    world.apex(["queue", "add", "gpu"]).expect(0);
    world.ended(world.add_with(&["-n", "build-a", "-l", "team=x"], "true"));
    world.ended(world.add_with(&["-n", "build-b", "-Q", "gpu", "-p", "5"], "exit 3"));
    world.ended(world.add_with(&["-l", "team=y", "-p", "-1"], "exit 4"));
    world.add_with(&["--hold", "-n", "later", "-p", "9"], "true");
    world.add_with(&["--hold", "-Q", "gpu"], "true");
    world
}

/// Row: commands on tasks / task list --filter
#[test]
fn a_list_is_of_what_a_condition_holds_for() {
    let world = filled();
    for (condition, ids) in [
        ("state=failed and queue=gpu and duration<10m", &[2_u64][..]),
        ("exit_code=3,4", &[2, 3]),
        ("not (state=failed or queue=gpu)", &[1, 4]),
        ("name~build-* and label.team", &[1]),
        ("label.team!=x and priority<0", &[3]),
        ("created < yesterday or age > 1h", &[]),
        ("ended > 1h ago", &[1, 2, 3]),
        ("id>=4", &[4, 5]),
        ("duration>10m", &[]),
    ] {
        assert_eq!(listed(&world, &["--filter", condition]), ids, "{condition}");
    }
    assert_eq!(listed(&world, &["--filter", "priority>0", "-Q", "gpu"]), [2], "beside other flags");
    let none = world.apex(["task", "list", "--filter", "id>99"]).expect(0);
    assert!(none.stderr.contains("no tasks match"), "{none:?}");
}

/// Row: commands on tasks / task list --filter, wrong
#[test]
fn what_is_wrong_with_a_condition_is_pointed_at() {
    let world = World::new();
    let wrong = world.apex(["task", "list", "--filter", "queue=gpu and state=faild"]).expect(2);
    let lines: Vec<&str> = wrong.stderr.lines().collect();
    assert_eq!(lines[0], "error: invalid value `queue=gpu and state=faild` for `--filter`");
    assert!(lines[1].starts_with("  caused by: at column 21: `faild` is no state"), "{wrong:?}");
    assert_eq!(
        lines[2..],
        ["    queue=gpu and state=faild", "                        ^^^^^", "  hint: write it like `state=failed`"]
    );
    let told = world.apex(["task", "list", "--json", "--filter", "stat=failed"]).expect(2).error();
    assert_eq!(told["kind"], "invalid");
    assert!(told["message"].as_str().unwrap().contains("at column 1: `stat` is not a field"), "{told}");
    assert_eq!(told["hint"], "did you mean `state`");
    for condition in ["", "state=", "(state=failed", "priority>high", "name='x", "created>10m", "state=failed queue=x"]
    {
        world.apex(["task", "list", "--filter", condition]).expect(2);
    }
}

/// Row: commands on tasks / --filter
#[test]
fn commands_are_done_to_what_a_condition_holds_for() {
    let world = filled();
    let done = world.apex(["task", "cancel", "--filter", "priority>0"]).expect(0);
    assert_eq!(done.stderr, "task 4 cancelled\n", "what has ended is left alone");
    let done = world.apex(["task", "release", "4-9", "--filter", "queue=gpu"]).expect(0);
    assert_eq!(done.stderr, "task 5 released\n");
    world.apex(["task", "wait", "--filter", "queue=gpu"]).expect(1);
    let again = world.apex(["task", "retry", "--filter", "state=succeeded and label.team"]).expect(0);
    assert_eq!(again.stderr, "task 1 will run again\n", "states that were asked for there");
    world.apex(["task", "rm", "--filter", "name=nobody"]).expect(4);
    assert_eq!(listed(&world, &["--all"]), [1, 2, 3, 4, 5]);
}

/// Row: commands on tasks / task list --sort
#[test]
fn a_list_comes_in_the_order_that_was_asked_for() {
    let world = filled();
    assert_eq!(listed(&world, &["--sort", "priority"]), [3, 1, 5, 2, 4]);
    assert_eq!(listed(&world, &["--sort", "priority:desc", "--limit", "2"]), [4, 2]);
    assert_eq!(listed(&world, &["--sort", "exit_code:desc"]), [3, 2, 1, 5, 4], "what has none is last");
    assert_eq!(listed(&world, &["--sort", "label.team", "--limit", "2", "--all"]), [1, 3]);
    assert_eq!(listed(&world, &["--sort", "id:desc", "--filter", "state=failed"]), [3, 2]);
    let cut = world.apex(["task", "list", "--sort", "priority", "--limit", "1"]).expect(0);
    assert!(cut.stderr.contains("left out"), "{cut:?}");
    for (wrong, hint) in [("prioriti", "--sort priority"), ("command", "--sort"), ("id:down", "--sort id")] {
        let refused = world.apex(["task", "list", "--sort", wrong]).expect(2);
        assert!(refused.stderr.contains("label.KEY") && refused.stderr.contains(hint), "{refused:?}");
    }
}

/// Row: commands on tasks / task list --columns
#[test]
fn a_table_has_the_columns_that_were_asked_for() {
    let world = filled();
    let table = world.apex(["task", "list", "--columns", "state,id,label.team,command", "--filter", "id<3"]).expect(0);
    let rows: Vec<Vec<&str>> = table.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["STATE", "ID", "TEAM", "COMMAND"]);
    assert_eq!(rows[1][..3], ["succeeded", "1", "x"]);
    assert_eq!(rows[2][..3], ["failed", "2", "-"]);
    let wrong = world.apex(["task", "list", "--columns", "id,durration"]).expect(2);
    assert!(wrong.stderr.contains("columns are id, state") && wrong.stderr.contains("duration"), "{wrong:?}");
    for flag in ["--json", "--quiet"] {
        let useless = world.apex(["task", "list", "--columns", "id", flag]).expect(2);
        assert!(useless.stderr.contains(flag) && useless.stderr.contains("--columns"), "{useless:?}");
    }
}
