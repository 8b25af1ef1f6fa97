//! What the shells complete, asked as they ask.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::contract::shell;
use crate::support::{Running, World, eventually};

/// Returns what bash would offer for the words up to the cursor, as it breaks them; what is glued together begins with `+`.
fn offered(world: &World, words: &[&str]) -> Vec<String> {
    shown(world, words, 9)
}

/// The same for a kind of completion (`COMP_TYPE`).
fn shown(world: &World, words: &[&str], kind: u8) -> Vec<String> {
    let line = words.iter().fold(String::new(), |line, word| match word.strip_prefix('+') {
        Some(word) => line + word,
        None if line.is_empty() => (*word).to_owned(),
        None => format!("{line} {word}"),
    });
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.trim_start_matches('+'))).collect();
    let current = quoted.last().unwrap();
    let ask = format!(
        "mkdir -p bin; ln -sf \"$apex\" bin/apex; PATH=$PWD/bin:$PATH; source <(apex completions bash); COMP_LINE='{line}'; \
         COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE={kind}; _apex apex {current} ''; \
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
    for (shell, kind) in [("fish", "-"), ("zsh", "-"), ("bash", "9")] {
        let answer = world.apex(["__complete", shell, kind, "--", "apex", "cancel", ""]).expect(0);
        assert!(answer.stdout.starts_with("none\n1\theld later: "), "{answer:?}");
    }
    for _ in 0..9 {
        world.add_with(&["--hold"], "true");
    }
    let listed = shown(&world, &["apex", "cancel", "1"], 63);
    assert!(listed[0].starts_with("10  (held: ") || listed[0].starts_with("10  (held "), "{listed:?}");
    assert!(listed[1].starts_with("1   (held later: "), "{listed:?}");
    assert_eq!(offered(&world, &["apex", "cancel", "1"]), ["10", "1"], "what can be put there is the word alone");
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

/// A shell at a keyboard, whose `apex` only notes what it is called with.
struct Typist {
    keyboard: std::fs::File,
    seen: String,
    noted: std::path::PathBuf,
    lines: u32,
    _shell: Running,
}

impl Typist {
    /// Starts a shell after these lines; `None` where it is not installed.
    fn new(world: &World, shell: &str, settings: &str) -> Option<Typist> {
        let is_there = format!("command -v {shell} >/dev/null || exit 9; mkdir -p bin; ln -sf \"$apex\" bin/apex");
        if self::shell(world, &is_there).code == 9 {
            return None;
        }
        let noted = world.path("noted");
        let start = format!(
            "n=1; PATH={bin}:$PATH; apex() {{ printf '%s\\0' \"$@\" > {noted}.new; n=$((n + 1)); mv {noted}.new {noted}; }}; \
             {settings}\nsource <(command apex completions {shell}); PS1='<$n> '\n",
            bin = world.path("bin").display(),
            noted = noted.display(),
        );
        std::fs::write(world.path(".zshrc"), &start).unwrap();
        let size = nix::pty::Winsize { ws_row: 25, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = nix::pty::openpty(Some(&size), None).unwrap();
        fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let sealed = world.command(std::iter::empty::<&str>());
        let mut command = Command::new(shell);
        match shell {
            "bash" => command.args(["--noprofile", "--rcfile", ".zshrc", "-i"]),
            _ => command.args(["-d", "-i"]),
        };
        command.current_dir(world.root()).env_clear();
        command.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TERM", "dumb").env("INPUTRC", "/dev/null").env("ZDOTDIR", world.root());
        command.stdin(pair.slave.try_clone().unwrap()).stdout(pair.slave.try_clone().unwrap()).stderr(pair.slave);
        // SAFETY: one plain system call. Else the shell would take over the terminal of whoever runs the tests.
        unsafe {
            command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?));
        }
        let shell = Running::new(command.spawn().unwrap());
        Some(Typist { keyboard: pair.master.into(), seen: String::new(), noted, lines: 0, _shell: shell })
    }

    /// Types this when asked for a line, and returns what apex was called with then.
    fn types(&mut self, keys: &str) -> Vec<String> {
        self.lines += 1;
        let prompt = format!("<{}> ", self.lines);
        eventually(&format!("{prompt} before {keys:?}"), || {
            self.look();
            self.seen.contains(&prompt)
        });
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.write_all(b"\r").unwrap();
        eventually(&format!("apex is called by {keys:?}"), || {
            self.look();
            self.noted.exists()
        });
        let noted = std::fs::read_to_string(&self.noted).unwrap();
        std::fs::remove_file(&self.noted).unwrap();
        noted.split_terminator('\0').map(str::to_owned).collect()
    }

    /// Reads what was shown until now.
    fn look(&mut self) {
        let mut bytes = [0; 4096];
        loop {
            match self.keyboard.read(&mut bytes) {
                Ok(length) => self.seen += &String::from_utf8_lossy(&bytes[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nothing at the moment, or nobody has the terminal open yet.
                Err(_) => return,
            }
        }
    }
}

/// Names that would do something if a shell ran them, each with a beginning of it as it is typed outside of quotes, within `"` and within `'`.
const HOSTILE: [(&str, [&str; 3]); 13] = [
    ("a$(touch ran)", ["a", "a", "a"]),
    ("b\"; touch ran; \"", ["b\\\"", "b\\\"", "b\""]),
    ("c'; touch ran; '", ["c\\'", "c'", "c"]),
    ("d`touch ran`", ["d\\`", "d\\`", "d`"]),
    ("e!!x!", ["e", "e", "e"]),
    ("f\\", ["f", "f", "f"]),
    ("g h=i:j k", ["g\\ h=i:", "g h=i:", "g h=i:"]),
    ("l\"", ["l", "l", "l"]),
    ("m'", ["m", "m", "m"]),
    ("$(touch ran)", ["\\$", "\\$", "$"]),
    ("~", ["\\~", "~", "~"]),
    ("o;touch ran", ["o", "o", "o"]),
    ("p&touch ran>ran|{a,b}[c]*?#", ["p", "p", "p"]),
];

/// Types beginnings of names, and the key that completes them, in every kind of quotes.
fn each_means_itself(typist: &mut Typist, world: &World, key: char) {
    for (name, typed) in HOSTILE {
        for (quote, typed) in ["", "\"", "'"].iter().zip(typed) {
            let line = format!("apex ls --name {quote}{typed}{key}");
            assert_eq!(typist.types(&line), ["ls", "--name", name], "{line:?}: {}", typist.seen);
            assert!(!world.path("ran").exists(), "{line:?}: {}", typist.seen);
        }
    }
}

/// A world with tasks of those names, and some whose names begin alike.
fn hostile() -> World {
    let world = World::started();
    let alike = ["two $x", "two \"y", "!z", "'z", "\"z", "new\nline; touch ran", "r ü;touch ran"];
    for name in HOSTILE.iter().map(|(name, _)| *name).chain(alike) {
        world.add_with(&["--hold", "-n", name, "-l", &format!("of={name}")], "true");
    }
    world.apex(["daemon", "stop"]).expect(0);
    world
}

/// Row: names and projects / completions, values
#[test]
fn bash_puts_names_there_as_what_they_are_and_runs_none() {
    let world = hostile();
    for setting in ["", "bind 'set show-all-if-ambiguous on'; bind 'set completion-ignore-case on'"] {
        let settings =
            format!("PS2='<open> '; bind '\"\\C-t\": menu-complete' '\"\\C-y\": insert-completions'; {setting}");
        let mut typist = Typist::new(&world, "bash", &settings).expect("it has bash");
        for key in ['\t', '\u{14}', '\u{19}'] {
            each_means_itself(&mut typist, &world, key);
        }
        for (typed, expected) in [
            // What all begin with does not end in half an escape.
            ("--name tw\t\\$\t", &["--name", "two $x"][..]),
            ("--name \"tw\t\\\"\t", &["--name", "two \"y"]),
            ("--name \"tw\t\"", &["--name", "two "]),
            // Readline takes a quote at the beginning for the one that is open.
            ("--name '\u{14}\u{14}", &["--name", "\"z"]),
            ("--name \"\\\"\t", &["--name", "\"z"]),
            ("--name 'c'\\''\t", &["--name", "c'; touch ran; '"]),
            ("--name \\'\t", &["--name", "'z"]),
            ("--name 't\u{19}", &["--name", "two \"y", "two $x"]),
            ("--name=\"g \t", &["--name=g h=i:j k"]),
            ("--name=g\\ h=\t", &["--name=g h=i:j k"]),
            ("--name g\" h\"=\t", &["--name", "g h=i:j k"]),
            ("--label of=a\t", &["--label", "of=a$(touch ran)"]),
            ("--label \"of=b\t", &["--label", "of=b\"; touch ran; \""]),
            ("--name r\t", &["--name", "r ü;touch ran"]),
            ("--name \"r \t", &["--name", "r ü;touch ran"]),
            ("--name new\t", &["--name", "new"]),
            ("--name $'a\t'", &["--name", "a"]),
        ] {
            assert_eq!(typist.types(&format!("apex ls {typed}"))[1..], *expected, "{typed:?}: {}", typist.seen);
            assert!(!world.path("ran").exists(), "{typed:?}: {}", typist.seen);
        }
        // Of another project, as the shell will understand where that is.
        for project in ["$HOME/project", "${HOME}/project", "\"$HOME/project\"", "~/project"] {
            let typed = typist.types(&format!("cd /; apex -C {project} ls --name g\t"));
            assert_eq!(typed[2..], ["ls", "--name", "g h=i:j k"], "{project}: {}", typist.seen);
        }
    }
}

/// Row: names and projects / completions, values
#[test]
fn zsh_puts_names_there_as_what_they_are_and_runs_none() {
    let world = hostile();
    let settings = "setopt prompt_subst bang_hist; autoload -U compinit; compinit -D -u";
    let Some(mut typist) = Typist::new(&world, "zsh", settings) else { return };
    each_means_itself(&mut typist, &world, '\t');
    for project in ["$HOME/project", "${HOME}/project", "\"$HOME/project\"", "~/project"] {
        let typed = typist.types(&format!("cd /; apex -C {project} ls --name \"g \t"));
        assert_eq!(typed[2..], ["ls", "--name", "g h=i:j k"], "{project}: {}", typist.seen);
    }
}
