//! What the shells complete, asked as they ask.

use std::process::Command;

use crate::contract::shell;
use crate::support::World;

/// Returns what bash would offer for the words up to the cursor, as it breaks them; what is glued together begins with `+`.
fn offered(world: &World, words: &[&str]) -> Vec<String> {
    let line = words.iter().fold(String::new(), |line, word| match word.strip_prefix('+') {
        Some(word) => line + word,
        None if line.is_empty() => (*word).to_owned(),
        None => format!("{line} {word}"),
    });
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.trim_start_matches('+'))).collect();
    let current = quoted.last().unwrap();
    let ask = format!(
        "mkdir -p bin; ln -sf \"$apex\" bin/apex; PATH=$PWD/bin:$PATH; source <(apex completions bash); COMP_LINE='{line}'; \
         COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; _apex apex {current} ''; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words.len() - 1,
    );
    std::fs::write(world.path("ask"), ask).unwrap();
    let answer = shell(world, "bash ask").expect(0);
    assert_eq!(answer.stderr, "", "{answer:?}");
    answer.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Row: names and projects / completions, values
#[test]
fn ids_are_those_to_which_the_command_can_do_something() {
    let world = World::started();
    world.apex(["queue", "add", "gpu"]).expect(0);
    world.ended(world.add_with(&["-n", "build a", "-l", "team=core"], "true"));
    world.ended(world.add_with(&["-n", "bad", "-l", "team=web"], "exit 3"));
    world.add_with(&["--hold"], "true");
    world.apex(["schedule", "add", "nightly", "--cron", "30 3 * * *", "--", "true"]).expect(0);
    assert_eq!(offered(&world, &["apex", "cancel", ""]), ["3"]);
    assert_eq!(offered(&world, &["apex", "task", "retry", ""]), ["2"]);
    assert_eq!(offered(&world, &["apex", "logs", ""]), ["2", "1"], "the newest first");
    assert_eq!(offered(&world, &["apex", "task", "rm", "1,"]), ["1,2", "1,1"]);
    let flags = offered(&world, &["apex", "task", "pause", ""]);
    assert!(!flags.is_empty() && flags.iter().all(|word| word.starts_with('-')), "nothing runs: {flags:?}");
    assert_eq!(offered(&world, &["apex", "task", "show", "3"]), ["3"]);
    assert_eq!(offered(&world, &["apex", "ls", "--name", "b"]), ["bad", "build\\ a"]);
    assert_eq!(offered(&world, &["apex", "ls", "-Q", ""]), ["default", "gpu"]);
    assert_eq!(offered(&world, &["apex", "ls", "--label", "te"]), ["team", "team=core", "team=web"]);
    assert_eq!(offered(&world, &["apex", "ls", "--label", "team", "+=", "+c"]), ["core"], "bash breaks at `=`");
    assert_eq!(offered(&world, &["apex", "queue", "pause", "g"]), ["gpu"]);
    assert_eq!(offered(&world, &["apex", "schedule", "show", ""]), ["nightly"]);
    assert_eq!(offered(&world, &["apex", "ls", "--state", "su"]), ["succeeded"]);
    assert_eq!(offered(&world, &["apex", "-C", "/nowhere", "cancel", "3"]), [""; 0]);
    // The same without a daemon, which nobody starts.
    world.apex(["daemon", "stop"]).expect(0);
    assert_eq!(offered(&world, &["apex", "cancel", ""]), ["3"]);
    world.apex(["daemon", "status"]).expect(3);
}

/// Row: names and projects / completions, values
#[test]
fn what_a_task_is_stands_beside_its_number() {
    let world = World::started();
    world.add_with(&["--hold", "-n", "later"], "true");
    for (shell, kind, line) in [("fish", "-", "1\theld later: "), ("zsh", "-", "1\theld later: ")] {
        let answer = world.apex(["__complete", shell, kind, "--", "apex", "cancel", ""]).expect(0);
        assert!(answer.stdout.starts_with(&format!("none\n{line}")), "{answer:?}");
    }
    world.add_with(&["--hold"], "true");
    let listed = world.apex(["__complete", "bash", "63", "--", "apex", "cancel", ""]).expect(0);
    assert!(listed.stdout.contains("1  (held later: "), "{listed:?}");
}

/// Row: names and projects / completions, values
#[test]
fn whatever_is_wrong_is_no_word_and_makes_nothing() {
    let world = World::bare();
    for line in
        [&["apex", "cancel", ""][..], &["apex", "-g", "ls", "-Q", ""], &["apex", "--nonsense", "x", ""], &["apex"], &[]]
    {
        let answer = world.apex(["__complete", "bash", "9", "--"].iter().chain(line)).expect(0);
        assert_eq!(answer.stderr, "", "{line:?}");
    }
    assert!(!world.dot_apex().exists());
    let made = Command::new("find").arg(world.root().parent().unwrap()).args(["-name", "apex.db"]).output().unwrap();
    assert!(made.stdout.is_empty(), "{made:?}");
}

/// Row: names and projects / completions, shells
#[test]
fn bash_completes_paths_and_the_words_of_a_command_by_itself() {
    let world = World::new();
    std::fs::create_dir_all(world.path("dir one/inner")).unwrap();
    std::fs::write(world.path("tasks.jsonl"), "").unwrap();
    // As here, where readline does not help, and in the bash of macOS.
    assert_eq!(offered(&world, &["apex", "add", "--from", "ta"]), ["tasks.jsonl"]);
    assert_eq!(offered(&world, &["apex", "add", "--from", "+=", "+ta"]), ["tasks.jsonl"]);
    assert_eq!(
        offered(&world, &["apex", "init", "-Cdir"]),
        ["-Cdir one/"],
        "of a word that readline takes for no path"
    );
    assert!(offered(&world, &["apex", "run", "ech"]).contains(&"echo".to_owned()));
    assert_eq!(offered(&world, &["apex", "run", "-n", "x", "--", "ls", "ta"]), ["tasks.jsonl"]);
    assert_eq!(offered(&world, &["apex", "add", "--on-interrupt", ""]), ["stop", "rerun"]);
}

/// Row: names and projects / completions, shells
#[test]
fn fish_completes_paths_and_the_words_of_a_command_by_itself() {
    let world = World::started();
    world.add_with(&["--hold", "-n", "build a"], "true");
    world.apex(["daemon", "stop"]).expect(0);
    std::fs::create_dir_all(world.path("dir one/inner")).unwrap();
    std::fs::write(world.path("tasks.jsonl"), "").unwrap();
    // What fish offers, without what it says of it; `None` where there is no fish.
    let offered = |line: &str| {
        let ask = format!(
            "command -v fish >/dev/null || exit 9; mkdir -p bin; ln -sf \"$apex\" bin/apex; PATH=$PWD/bin:$PATH \
             exec fish --no-config -c 'apex completions fish | source; complete --do-complete \"{line}\"'"
        );
        let answer = shell(&world, &ask);
        (answer.code != 9).then(|| {
            assert_eq!(answer.stderr, "", "{line}");
            answer.stdout.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        })
    };
    let Some(ids) = offered("apex cancel ") else { return };
    assert_eq!(ids, ["1"]);
    for (line, expected) in [
        ("apex ls --columns id,na", "id,name"),
        ("apex ls --name build\\\\ ", "build a"),
        ("apex add --from ta", "tasks.jsonl"),
        ("apex add --from=ta", "--from=tasks.jsonl"),
        ("apex add --cwd dir\\\\ one/", "dir one/inner/"),
        ("apex -C d", "dir one/"),
        ("apex add -n x -- ls ta", "tasks.jsonl"),
        ("apex run ls ta", "tasks.jsonl"),
    ] {
        assert_eq!(offered(line).unwrap(), [expected], "{line}");
    }
    assert!(offered("apex -C t").unwrap().is_empty(), "it is no directory");
    assert!(offered("apex run ech").unwrap().contains(&"echo".to_owned()));
    world.apex(["daemon", "status"]).expect(3);
}
