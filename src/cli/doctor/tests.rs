use std::time::Duration;

use super::gather::{filesystem_in, limit_in};
use super::*;
use crate::cli::render::doctor::report;
use crate::store::Error;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn entry(path: &str, kind: Kind, mode: u32) -> Entry {
    Entry { dir: Path::new("/p/.apex").into(), path: path.into(), kind, owner: 1000, mode, is_foreign_text: false }
}

/// A project in which nothing is wrong, and whose daemon runs.
fn well() -> Facts {
    Facts {
        user: 1000,
        now: NOW,
        version: "0.2.0",
        data: "/p/.apex".into(),
        entries: vec![
            entry("", Kind::Directory, 0o700),
            entry("apex.db", Kind::File, 0o600),
            entry("daemon.sock", Kind::Socket, 0o600),
        ],
        is_cut: false,
        daemon: Daemon {
            answer: Answer::Status { guardian: 12, version: "0.2.0".to_owned(), is_draining: false },
            is_locked: true,
            guardian: Some(12),
            named: Some(12),
            left: vec!["daemon.pid", "daemon.sock"],
            stopped: Vec::new(),
            failed: None,
        },
        database: Ok(Some(Database { newest: Some(NOW), ..Database::default() })),
        untrusted: Some(false),
        configuration: None,
        missing_queues: Vec::new(),
        max_concurrent: 3,
        space: Some(Space {
            bytes: 100 << 30,
            bytes_free: 50 << 30,
            files: 1_000_000,
            files_free: 900_000,
            is_read_only: false,
        }),
        filesystem: Some("ext4".to_owned()),
        limits: Limits { descriptors: Some(1024), processes_left: None },
        not_writable: Vec::new(),
        temporary: Temporary { path: "/tmp".into(), fault: None },
        unit: None,
    }
}

/// Returns what is not as it should be after a change.
fn found(change: impl FnOnce(&mut Facts)) -> Vec<Check> {
    let mut facts = well();
    change(&mut facts);
    examine(&facts).into_iter().filter(|check| check.standing != Standing::Fine).collect()
}

/// Returns it in words, a line for what and one for what to do.
fn told(change: impl FnOnce(&mut Facts)) -> String {
    let checks = found(change);
    let lines = checks.iter().map(|check| {
        let hint = check.hint.as_deref().unwrap_or("nothing to do");
        format!("{} {}: {}\n  {hint}", check.standing.as_str(), check.name, check.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn gone(facts: &mut Facts) {
    facts.daemon = Daemon {
        answer: Answer::Nobody,
        is_locked: false,
        guardian: None,
        named: None,
        left: Vec::new(),
        ..facts.daemon.clone()
    };
}

#[test]
fn where_all_is_well_every_check_says_so_once() {
    let checks = examine(&well());
    let names: Vec<&str> = checks.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        [
            "permissions",
            "files",
            "output",
            "config",
            "daemon",
            "version",
            "database",
            "trust",
            "hooks",
            "disk",
            "filesystem",
            "limits",
            "clock",
            "temporary",
            "unit",
            "lingering",
        ]
    );
    for check in &checks {
        assert_eq!((check.standing, &check.hint), (Standing::Fine, &None), "{check:?}");
    }
    assert!(found(gone).is_empty(), "a daemon that does not run is started when it is needed");
}

#[test]
fn permissions_and_files_in_words() {
    let put = |entry: Entry| told(move |facts| facts.entries.push(entry));
    insta::assert_snapshot!(told(|facts| facts.entries[0].mode = 0o755), @r"
    fail permissions: `.apex` is open to other users (mode 0755); it should have mode 0700
      make it yours alone with `chmod -R go= /p/.apex`
    ");
    insta::assert_snapshot!(put(entry("output/0/1.1.log", Kind::File, 0o644)), @r"
    warn permissions: `.apex/output/0/1.1.log` has permissions for other users (mode 0644)
      make it yours alone with `chmod -R go= /p/.apex`
    ");
    insta::assert_snapshot!(put(entry("output/0", Kind::Directory, 0o400)), @r"
    fail permissions: `.apex/output/0` is closed to its owner (mode 0400)
      open it with `chmod -R u+rwX /p/.apex`
    ");
    let foreign = told(|facts| {
        facts.entries[1].dir = Path::new("/it's/data").into();
        facts.entries[1].owner = 0;
        facts.entries[2].owner = 0;
    });
    insta::assert_snapshot!(foreign, @r#"
    fail permissions: `/it's/data/apex.db` belongs to user 0, not to user 1000 who asks, and 1 more
      take it back with `sudo chown -R 1000 '/it'\''s/data'`
    "#);
    insta::assert_snapshot!(put(entry("output", Kind::Link, 0o777)), @r"
    fail files: `.apex/output` is in the way: it is a symbolic link and should be a directory
      move it away with `mv /p/.apex/output /p/.apex/output.old`
    ");
    insta::assert_snapshot!(put(entry("daemon.pid", Kind::Fifo, 0o600)), @r"
    fail files: `.apex/daemon.pid` is in the way: it is a named pipe and should be a plain file
      move it away with `mv /p/.apex/daemon.pid /p/.apex/daemon.pid.old`
    ");
    let foreign = Entry { is_foreign_text: true, ..entry("daemon.pid", Kind::File, 0o600) };
    insta::assert_snapshot!(put(foreign), @r"
    fail files: `.apex/daemon.pid` is in the way: apex did not write it
      move it away with `mv /p/.apex/daemon.pid /p/.apex/daemon.pid.old`
    ");
}

#[test]
fn every_name_is_known_and_nothing_else_is_looked_at() {
    for (path, kind) in [
        ("", Some(Kind::Directory)),
        ("config.toml", Some(Kind::File)),
        ("daemon.sock", Some(Kind::Socket)),
        ("daemon.log.3", Some(Kind::File)),
        ("daemon.log.old", None),
        ("apex.db-wal", Some(Kind::File)),
        ("apex.db.backup-2", Some(Kind::File)),
        ("apex.db.old", None),
        ("output", Some(Kind::Directory)),
        ("output/0", Some(Kind::Directory)),
        ("output/0/1.1.log", Some(Kind::File)),
        ("input/x", Some(Kind::File)),
        ("notes.txt", None),
    ] {
        assert_eq!(files::expected(Path::new(path)), kind, "{path}");
    }
    let link = entry("config.toml", Kind::Link, 0o777);
    assert_eq!(files::in_the_way(&link), None, "settings may be kept elsewhere");
}

#[test]
fn the_daemon_in_words() {
    let answers = |answer: Answer| told(move |facts| facts.daemon.answer = answer);
    insta::assert_snapshot!(answers(Answer::Silence(Duration::from_secs(2))), @r"
    fail daemon: it runs (pid 12) and does not answer within 2s
      see what it does with `apex daemon logs`; end it with `apex daemon stop --force`
    ");
    let stopped = told(|facts| {
        facts.daemon.answer = Answer::Silence(Duration::from_secs(2));
        facts.daemon.stopped = vec![12, 13];
    });
    insta::assert_snapshot!(stopped, @r"
    fail daemon: it was stopped by a signal and answers nobody (pid 12 13)
      let it go on with `kill -CONT 12 13`
    ");
    insta::assert_snapshot!(answers(Answer::Nobody), @r"
    fail daemon: it lives (pid 12), but nobody listens on `.apex/daemon.sock`: that was removed or replaced
      end it with `apex daemon stop`; the next start makes the socket anew
    ");
    insta::assert_snapshot!(answers(Answer::Refused("no".to_owned(), None)), @r"
    fail daemon: no
      see what it says with `apex daemon logs`
    ");
    let left = told(|facts| {
        gone(facts);
        facts.daemon.left = vec!["daemon.pid", "daemon.sock"];
    });
    insta::assert_snapshot!(left, @r"
    warn daemon: it does not run; one that was killed left `.apex/daemon.pid` and `.apex/daemon.sock`
      nothing needs to be done: the next `apex daemon start` makes that anew
    ");
    let in_the_way = told(|facts| {
        gone(facts);
        facts.entries.push(entry("daemon.pid", Kind::Link, 0o777));
    });
    insta::assert_snapshot!(in_the_way, @r"
    fail files: `.apex/daemon.pid` is in the way: it is a symbolic link and should be a plain file
      move it away with `mv /p/.apex/daemon.pid /p/.apex/daemon.pid.old`
    warn daemon: it does not run, and cannot be started while something is in its way
      move that away first: see what is said of the files
    ");
    let gave_up = told(|facts| {
        gone(facts);
        facts.daemon.failed = Some("no room".to_owned());
    });
    insta::assert_snapshot!(gave_up, @r"
    fail daemon: it gave up: no room
      mend that, then `apex daemon start`
    ");
    let unnamed = told(|facts| facts.daemon.named = None);
    insta::assert_snapshot!(unnamed, @r"
    warn daemon: it runs (pid 12), but `.apex/daemon.pid` does not name it
      make that anew with `apex daemon stop`, then `apex daemon start`
    ");
    let draining = Answer::Status { guardian: 12, version: "0.2.0".to_owned(), is_draining: true };
    insta::assert_snapshot!(answers(draining), @r"
    warn daemon: it drains (pid 12): it ends, and takes no new task
      wait for its end with `apex daemon stop`
    ");
    let of = |version: &str| Answer::Status { guardian: 12, version: version.to_owned(), is_draining: false };
    insta::assert_snapshot!(answers(of("0.1.9")), @r"
    warn version: the daemon is of version 0.1.9, this program of 0.2.0
      replace the daemon with `apex daemon restart`
    ");
    insta::assert_snapshot!(answers(of("0.3.0")), @r"
    warn version: the daemon is of version 0.3.0, this program of 0.2.0
      use the newer program, or put this one in the daemon's place with `apex daemon restart`
    ");
}

#[test]
fn the_store_in_words() {
    let path = || PathBuf::from("/p/.apex/apex.db");
    let error = |error: Error| told(move |facts| facts.database = Err(error));
    insta::assert_snapshot!(error(Error::Newer { path: path(), found: 9, known: 3 }), @r"
    fail database: a newer apex wrote it: it has schema 9, this one knows 3
      use the newer apex
    ");
    insta::assert_snapshot!(error(Error::Older { path: path(), found: 1, known: 3 }), @r"
    warn database: an older apex wrote it: it has schema 1, this one has 3
      the next `apex daemon start` copies it and brings it up to date
    ");
    for (wrong, next) in [
        (Error::Foreign { path: path(), application_id: 7 }, "mv /p/.apex/apex.db /p/.apex/apex.db.old"),
        (Error::NotAFile { path: path() }, "mv /p/.apex/apex.db /p/.apex/apex.db.old"),
        (Error::NotADatabase { path: path() }, "apex db recover"),
        (Error::Damaged { path: path(), what: "table `task`".to_owned(), source: None }, "apex db recover"),
    ] {
        let told = error(wrong);
        assert!(told.starts_with("fail database: ") && told.contains(next), "{told}");
    }
    let faults = vec!["row 7 missing from index".to_owned()];
    insta::assert_snapshot!(told(|facts| facts.database = Ok(Some(Database { faults, ..Database::default() }))), @r"
    fail database: it is damaged: row 7 missing from index
      save what can be read with `apex db recover`, or put a backup in its place
    ");
    insta::assert_snapshot!(told(|facts| facts.untrusted = Some(true)), @r"
    fail trust: the project came from elsewhere, and nothing of it is run
      look at its tasks with `apex ls --all`, then accept it with `apex trust`
    ");
    insta::assert_snapshot!(told(|facts| facts.configuration = Some("`c`, line 2: no".to_owned())), @r"
    fail config: `c`, line 2: no
      mend it, and see whether it is right with `apex config check`
    ");
}

#[test]
fn room_is_little_where_it_is_little_in_both_ways() {
    let of = |bytes: u64, bytes_free: u64, files: u64, files_free: u64| {
        let space = Space { bytes, bytes_free, files, files_free, is_read_only: false };
        found(move |facts| facts.space = Some(space)).first().map(|check| check.standing)
    };
    const GIB: u64 = 1 << 30;
    for (space, expected) in [
        ((100 * GIB, 2 * GIB, 0, 0), None),
        ((100 * GIB, GIB / 2, 0, 0), Some(Standing::Warning)),
        ((2 * GIB, GIB / 2, 0, 0), None),
        ((2 * GIB, GIB / 20, 0, 0), Some(Standing::Warning)),
        ((2 * GIB, GIB / 200, 0, 0), Some(Standing::Wrong)),
        ((100 * GIB, 50 * GIB, 1_000_000, 40_000), None),
        ((100 * GIB, 50 * GIB, 1_000_000, 5_000), Some(Standing::Warning)),
        ((100 * GIB, 50 * GIB, 1_000_000, 9), Some(Standing::Wrong)),
    ] {
        let (bytes, bytes_free, files, files_free) = space;
        assert_eq!(of(bytes, bytes_free, files, files_free), expected, "{space:?}");
    }
}

#[test]
fn the_machine_in_words() {
    let space = |change: fn(&mut Space)| told(move |facts| facts.space.iter_mut().for_each(change));
    insta::assert_snapshot!(space(|space| space.bytes_free = 300 << 20), @r"
    warn disk: there is little room left: 300.0 MiB of 100.0 GiB are free
      make room: `apex task rm` removes ended tasks with all they wrote
    ");
    insta::assert_snapshot!(space(|space| space.bytes_free = 0), @r"
    fail disk: there is no room left: 0 bytes of 100.0 GiB are free
      make room: `apex task rm` removes ended tasks with all they wrote
    ");
    insta::assert_snapshot!(space(|space| space.files_free = 7), @r"
    fail disk: only 7 more files can be made, whatever room there is
      make room: `apex task rm` removes ended tasks with all they wrote
    ");
    insta::assert_snapshot!(space(|space| space.is_read_only = true), @r"
    fail disk: the file system of `.apex` is read-only
      make it writable, or use a project elsewhere
    ");
    insta::assert_snapshot!(told(|facts| facts.filesystem = Some("nfs4".to_owned())), @r"
    fail filesystem: `/p/.apex` is on a network file system (nfs4), where the database can be damaged
      let `XDG_STATE_HOME` name a directory on a local disk
    ");
    let limits = told(|facts| {
        facts.max_concurrent = 200;
        facts.limits = Limits { descriptors: Some(256), processes_left: Some(40) };
    });
    insta::assert_snapshot!(limits, @r"
    warn limits: 256 open files are few for 200 tasks at once (`ulimit -n`)
      start the daemon with more: `ulimit -n 1728 && apex daemon start`
    warn limits: only 40 more processes are allowed to you, which is few for 200 tasks at once (`ulimit -u`)
      start the daemon with a higher `ulimit -u`, or lower `max_concurrent` with `apex config edit`
    ");
    insta::assert_snapshot!(told(|facts| facts.now = Timestamp(0)), @r"
    fail clock: the clock says 1970-01-01T00:00:00.000Z, which has passed
      set the clock (`timedatectl` says how it stands)
    ");
    let ahead = Ok(Some(Database { newest: Some(NOW + Duration::from_secs(7200)), ..Database::default() }));
    insta::assert_snapshot!(told(|facts| facts.database = ahead), @r"
    warn clock: the clock is 2h00m behind the newest event: it was set back, or was ahead then
      set the clock (`timedatectl` says how it stands)
    ");
    insta::assert_snapshot!(told(|facts| facts.temporary.fault = Some("it is not there".to_owned())), @r"
    warn temporary: tasks may fail for want of temporary files: `/tmp`: it is not there
      name a directory of yours in `TMPDIR`, and add tasks with it
    ");
    let shut = vec![(PathBuf::from("/p/.apex/output"), "permission denied".to_owned())];
    insta::assert_snapshot!(told(|facts| facts.not_writable = shut), @r"
    fail output: nothing can be written into `/p/.apex/output`: permission denied
      see who may with `ls -ld /p/.apex/output`
    ");
}

#[test]
fn the_unit_in_words() {
    let unit = |is_current, program: Option<(&str, bool)>, is_lingering| {
        let program = program.map(|(path, is_there)| (PathBuf::from(path), is_there));
        let (path, this) = ("/u/apex-p-0.service".into(), "/bin/apex".into());
        told(move |facts| facts.unit = Some(Installed { path, is_current, program, this, is_lingering }))
    };
    assert_eq!(unit(true, Some(("/bin/apex", true)), Some(true)), "");
    assert_eq!(unit(true, Some(("/bin/apex", true)), None), "");
    insta::assert_snapshot!(unit(true, Some(("/bin/apex", true)), Some(false)), @r"
    warn lingering: the daemon and its tasks end when you log out, and do not start at boot
      let them with `loginctl enable-linger`; where that is denied, root does it, with your name behind
    ");
    insta::assert_snapshot!(unit(false, Some(("/old/apex", false)), None), @r"
    fail unit: `/u/apex-p-0.service` starts `/old/apex`, which is not there
      let it start this program with `apex daemon install`, or remove it with `apex daemon uninstall`
    ");
    insta::assert_snapshot!(unit(false, Some(("/old/apex", true)), None), @r"
    warn unit: `/u/apex-p-0.service` starts another program, `/old/apex`
      let it start this program with `apex daemon install`
    ");
    insta::assert_snapshot!(unit(false, Some(("/bin/apex", true)), None), @r"
    warn unit: `/u/apex-p-0.service` is not as this version writes it
      bring it up to date with `apex daemon install`; put what is your own into `systemctl --user edit`
    ");
}

#[test]
fn the_report_has_a_line_for_what_and_one_for_what_to_do() {
    let mut facts = well();
    gone(&mut facts);
    facts.untrusted = Some(true);
    facts.temporary.fault = Some("it is\u{1b}[2J not there".to_owned());
    let checks = examine(&facts);
    let shown: Vec<&Check> =
        checks.iter().filter(|check| ["daemon", "trust", "temporary"].contains(&check.name)).collect();
    let text = |width| anstream::adapter::strip_str(&report(&shown, true, width)).to_string();
    insta::assert_snapshot!(text(None), @r"
    doctor  1 problem, 1 warning
      daemon       ok: it does not run; a command that needs it starts it
      trust        wrong: the project came from elsewhere, and nothing of it is run
        hint: look at its tasks with `apex ls --all`, then accept it with `apex trust`
      temporary    warning: tasks may fail for want of temporary files: `/tmp`: it is\u001b[2J not there
        hint: name a directory of yours in `TMPDIR`, and add tasks with it
    ");
    for width in [20, 40, 80] {
        assert!(text(Some(width)).lines().all(|line| line.chars().count() <= width), "{width}");
    }
}

#[test]
fn the_file_system_is_that_of_the_deepest_mount_and_the_last_one_there() {
    let mounts = "\
22 1 0:20 / / rw - overlay overlay rw
23 22 0:21 / /home rw,relatime shared:1 - ext4 /dev/sda rw
24 23 0:22 / /home/me/my\\040share rw - nfs4 server:/x rw
25 22 0:23 / /home rw - xfs /dev/sdb rw
";
    let of = |path: &str| filesystem_in(mounts, Path::new(path));
    assert_eq!(of("/home/me/my share/p/.apex").as_deref(), Some("nfs4"));
    assert_eq!(of("/home/me/.apex").as_deref(), Some("xfs"));
    assert_eq!(of("/homes/.apex").as_deref(), Some("overlay"));
    assert_eq!(filesystem_in("", Path::new("/p")), None);
}

#[test]
fn limits_are_read_as_the_kernel_writes_them() {
    let text = "\
Limit                     Soft Limit           Hard Limit           Units
Max processes             96365                unlimited            processes
Max open files            1024                 524288               files
Max locked memory         unlimited            unlimited            bytes
";
    assert_eq!(limit_in(text, "Max open files"), Some(1024));
    assert_eq!(limit_in(text, "Max locked memory"), None);
    assert_eq!(limit_in("", "Max open files"), None);
}
