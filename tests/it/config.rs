//! Settings: what is in force and why, whether it is right, and how it is changed.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use crate::support::{Run, World, run};

/// Writes the user's own file.
fn write_user_file(world: &World, text: &str) -> PathBuf {
    let directory = world.root().parent().unwrap().join("config/apex");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("config.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn file(world: &World) -> PathBuf {
    world.dot_apex().join("config.toml")
}

/// Runs `config edit` with a shell script as the editor, which has the file as `$1`.
fn edit(world: &World, script: &str) -> Run {
    let path = world.path("my editor.sh");
    std::fs::write(&path, script).unwrap();
    let mut command = world.command(["config", "edit"]);
    command.env("EDITOR", format!("sh '{}'", path.display()));
    run(command)
}

fn drafts(world: &World) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(world.dot_apex()).unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("config.edit-")).collect()
}

#[test]
fn what_is_in_force_is_shown_with_where_it_comes_from() {
    let world = World::with_config("[daemon]\nmax_concurrent = 6\n");
    let user = write_user_file(&world, "[daemon]\nmax_concurrent = 5\n\npoll_interval = \"1s\"\n");
    let mut show = world.command(["config", "show", "--origin"]);
    show.env("APEX_LOG_LEVEL", "warn");
    let shown = run(show).expect(0).stdout;
    let expected = format!(
        "[daemon]\npoll_interval = \"1s\"   # {}:4\nmax_concurrent = 6     # {}:2\nlog_level = \"warn\"     # APEX_LOG_LEVEL\n",
        user.display(),
        file(&world).display()
    );
    assert!(shown.contains(&expected), "{shown}");
    let leftovers = shown.lines().find(|line| line.starts_with("leftovers = \"kill\" "));
    assert!(leftovers.is_some_and(|line| line.ends_with("# default")), "{shown}");

    let plain = world.apex(["config", "show"]).expect(0).stdout;
    std::fs::write(file(&world), &plain).unwrap();
    assert_eq!(world.apex(["config", "show"]).expect(0).stdout, plain, "it says the same when it is pasted");

    let json = world.apex(["config", "show", "--json"]).expect(0).json();
    assert_eq!((&json["daemon"]["poll_interval"], &json["daemon"]["max_concurrent"]), (&json!("1s"), &json!(6)));
    let json = world.apex(["config", "show", "--json", "--origin"]).expect(0).json();
    assert_eq!(json["client"]["auto_start"]["value"], json!(true));
    assert!(world.processes().is_empty(), "no daemon is needed for that");
}

#[test]
fn a_check_names_the_files_or_what_is_wrong_with_them() {
    let world = World::new();
    let checked = world.apex(["config", "check"]).expect(0);
    assert_eq!(checked.stdout, format!("configuration is valid (`{}`)\n", file(&world).display()));
    let user = write_user_file(&world, "[log]\nkeep = 1\n");
    let json = world.apex(["config", "check", "--json"]).expect(0).json();
    assert_eq!(json, json!({"valid": true, "files": [user, file(&world)], "warnings": []}));

    std::fs::write(&user, "[log]\n\nkeeep = 1\n").unwrap();
    let wrong = world.apex(["config", "check"]).expect(1);
    assert!(wrong.stdout.is_empty(), "{wrong:?}");
    let message = format!("`{}`, line 3: unknown key `log.keeep`; the nearest is `log.keep`", user.display());
    assert!(wrong.stderr.contains(&message), "{wrong:?}");
    let error = world.apex(["config", "check", "--json"]).expect(1).error();
    assert_eq!((error["kind"].as_str(), error["message"].as_str()), (Some("invalid"), Some(message.as_str())));

    std::fs::remove_file(user).unwrap();
    let mut check = world.command(["config", "check"]);
    check.env("APEX_MAX_CONCURRENT", "many");
    let wrong = run(check).expect(1);
    assert!(wrong.stderr.contains("environment variable `APEX_MAX_CONCURRENT`"), "{wrong:?}");
    assert!(world.processes().is_empty());
}

#[test]
fn an_edited_file_takes_the_place_of_the_old_one_and_stays_private() {
    let world = World::new();
    let changed = edit(&world, "printf '[daemon]\\nmax_concurrent = 9\\n' > \"$1\" && chmod 644 \"$1\"").expect(0);
    assert!(changed.stdout.contains("config.toml` changed"), "{changed:?}");
    assert_eq!(std::fs::read_to_string(file(&world)).unwrap(), "[daemon]\nmax_concurrent = 9\n");
    assert_eq!(std::fs::metadata(file(&world)).unwrap().permissions().mode() & 0o777, 0o600);

    world.apex(["daemon", "start"]).expect(0);
    let changed = edit(&world, "echo '[daemon]' > \"$1\"").expect(0);
    assert!(changed.stderr.contains("apex daemon reload"), "{changed:?}");
    world.apex(["daemon", "stop"]).expect(0);

    let mut again = world.command(["config", "edit", "--json"]);
    again.env("VISUAL", "true --wait").env("EDITOR", "false");
    assert_eq!(run(again).expect(0).json(), json!({"changed": false, "file": file(&world)}));
    assert!(drafts(&world).is_empty());
    assert!(world.processes().is_empty());
}

#[test]
fn a_wrong_edit_changes_nothing_and_is_kept() {
    let world = World::new();
    let before = std::fs::read_to_string(file(&world)).unwrap();
    let wrong = edit(&world, "printf '[daemon]\\nmax_concurent = 9\\n' > \"$1\"").expect(1);
    let kept = drafts(&world);
    assert_eq!(kept.len(), 1);
    for part in ["line 2", "`daemon.max_concurrent`", kept[0].to_str().unwrap()] {
        assert!(wrong.stderr.contains(part), "{part} {wrong:?}");
    }
    assert_eq!(std::fs::read_to_string(&kept[0]).unwrap(), "[daemon]\nmax_concurent = 9\n");
    assert_eq!(std::fs::read_to_string(file(&world)).unwrap(), before);

    std::fs::remove_file(&kept[0]).unwrap();
    let gave_up = edit(&world, "exit 3").expect(1);
    assert!(gave_up.stderr.contains("`sh`"), "{gave_up:?}");
    let mut none = world.command(["config", "edit"]);
    none.env("EDITOR", "no-such-editor");
    let none = run(none).expect(1);
    assert!(none.stderr.contains("`no-such-editor`") && none.stderr.contains("EDITOR="), "{none:?}");
    assert!(drafts(&world).is_empty(), "what says nothing new is not kept");
}
