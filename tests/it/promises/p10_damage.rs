//! What is damaged, newer or foreign is refused by name, and its bytes are kept.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use apex::store::sqlite;

use crate::damage::{Files, NOW, files, put};
use crate::support::World;

/// Expects that a database in this state is refused in these words, and that not a byte of it changes.
#[track_caller]
fn is_refused(directory: &Path, words: &[&str]) {
    let before = files(directory);
    let error = match sqlite::open(&directory.join("apex.db"), NOW) {
        Ok(_) => panic!("it was opened, though {words:?}"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("apex.db"), "{error}");
    assert!(words.iter().all(|word| error.contains(word)), "{error}, not {words:?}");
    assert!(files(directory) == before, "something was changed, though: {error}");
}

#[test]
fn what_is_damaged_newer_or_foreign_is_refused_and_kept() {
    let world = World::started();
    world.ended(world.add("exit 3"));
    world.apex(["daemon", "stop"]).expect(0);
    let sound = files(&world.dot_apex());
    let db = &sound["apex.db"];
    let place = tempfile::tempdir().unwrap();
    let spoilt = |at: usize, bytes: &[u8]| {
        let mut content = db.clone();
        content[at..at + bytes.len()].copy_from_slice(bytes);
        Files::from([("apex.db".to_owned(), content)])
    };
    // The root page of every table and index.
    let roots: Vec<(String, usize)> = {
        let db = rusqlite::Connection::open(world.dot_apex().join("apex.db")).unwrap();
        let mut roots = db.prepare("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 1").unwrap();
        roots.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    assert!(roots.len() > 20, "{roots:?}");
    for (name, page) in &roots {
        put(place.path(), &spoilt((page - 1) * 4096, &[0; 4096]));
        is_refused(place.path(), &["is damaged", name, "apex db recover"]);
    }
    put(place.path(), &spoilt(60, &99_u32.to_be_bytes()));
    is_refused(place.path(), &["written by a newer apex", "schema 99", "upgrade apex"]);
    put(place.path(), &spoilt(68, &7_u32.to_be_bytes()));
    is_refused(place.path(), &["another program", "0x00000007", "move it away"]);
    put(place.path(), &spoilt(0, b"-- dump of"));
    is_refused(place.path(), &["not a database", "move it away"]);
    put(place.path(), &Files::from([("apex.db".to_owned(), b"my notes\n".to_vec())]));
    is_refused(place.path(), &["not a database", "move it away"]);
    put(place.path(), &Files::from([("apex.db".to_owned(), db[..8192].to_vec())]));
    is_refused(place.path(), &["is damaged", "apex db recover"]);

    put(place.path(), &sound);
    fs::write(place.path().join("apex.db-journal"), "roll this back").unwrap();
    is_refused(place.path(), &["apex.db-journal", "move it away"]);
    fs::remove_file(place.path().join("apex.db-journal")).unwrap();
    fs::create_dir(place.path().join("apex.db-wal")).unwrap();
    is_refused(place.path(), &["apex.db-wal", "not a plain file"]);
    fs::remove_dir(place.path().join("apex.db-wal")).unwrap();
    fs::set_permissions(place.path().join("apex.db"), fs::Permissions::from_mode(0o400)).unwrap();
    is_refused(place.path(), &["read-only", "chmod u+w"]);
    fs::remove_file(place.path().join("apex.db")).unwrap();
    fs::write(place.path().join("apex.db-wal"), "what was not merged").unwrap();
    is_refused(place.path(), &["apex.db-wal", "is gone", "move the file away"]);
    fs::remove_file(place.path().join("apex.db-wal")).unwrap();

    let path = place.path().join("apex.db");
    fs::create_dir(&path).unwrap();
    is_refused(place.path(), &["not a plain file"]);
    fs::remove_dir(&path).unwrap();
    symlink(world.dot_apex().join("apex.db"), &path).unwrap();
    is_refused(place.path(), &["not a plain file"]);
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = sqlite::open(&path, NOW).unwrap_err().to_string();
    assert!(error.contains("not a plain file"), "{error}");
}

#[test]
fn a_daemon_says_what_is_wrong_with_its_database_and_gives_up_at_once() {
    let world = World::started();
    world.ended(world.add("true"));
    world.apex(["daemon", "stop"]).expect(0);
    let path = world.dot_apex().join("apex.db");
    let mut content = fs::read(&path).unwrap();
    content[4096..8192].fill(0);
    fs::write(&path, &content).unwrap();
    for args in [&["daemon", "start"][..], &["add", "--", "true"]] {
        let refused = world.apex(args).expect(3);
        assert!(refused.stderr.contains("is damaged") && refused.stderr.contains("apex db recover"), "{refused:?}");
    }
    world.apex(["daemon", "run"]).expect(78);
    world.until_empty();
    assert!(fs::read(&path).unwrap() == content, "its bytes are kept");
    let names: Vec<String> = files(&world.dot_apex()).into_keys().collect();
    assert_eq!(names, ["apex.db"]);
}
