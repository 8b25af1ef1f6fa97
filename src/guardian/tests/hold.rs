use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use super::world::{World, places};
use crate::guardian::hold::{Hold, pid_in, replace_file};
use crate::guardian::{EXIT_GAVE_UP, Error};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_held_is_only_the_owners_and_goes_but_for_the_lock() {
    let world = World::new();
    let places = world.places();
    let mut hold = Hold::take(places).unwrap();
    assert_eq!([mode(&places.lock), mode(&places.socket), mode(&places.pid_file)], [0o600; 3]);
    assert_eq!(fs::read_to_string(&places.pid_file).unwrap(), format!("{}\n", std::process::id()));
    UnixStream::connect(&places.socket).unwrap();
    hold.release();
    world.expect_left(&["daemon.lock"]);
}

#[test]
fn a_second_one_is_refused_with_the_pid_of_the_first_and_changes_nothing() {
    let world = World::new();
    let places = world.places();
    let mut hold = Hold::take(places).unwrap();
    let inode = fs::metadata(&places.socket).unwrap().ino();
    fs::write(&places.failed, "still here").unwrap();
    let error = Hold::take(places).unwrap_err();
    assert!(matches!(error, Error::AlreadyRunning { pid: Some(pid), .. } if pid == std::process::id()));
    assert_eq!(error.exit_code(), EXIT_GAVE_UP);
    assert_eq!(fs::metadata(&places.socket).unwrap().ino(), inode);
    assert!(places.failed.exists());
    fs::write(&places.pid_file, "rubbish").unwrap();
    assert!(matches!(Hold::take(places).unwrap_err(), Error::AlreadyRunning { pid: None, .. }));
    hold.release();
    drop(hold);
    assert!(places.pid_file.exists(), "it is not ours any more");
    Hold::take(places).unwrap().release();
}

#[test]
fn a_lock_file_that_was_removed_lets_nobody_in() {
    let world = World::new();
    let places = world.places();
    let mut hold = Hold::take(places).unwrap();
    fs::remove_file(&places.lock).unwrap();
    assert!(matches!(Hold::take(places).unwrap_err(), Error::AlreadyRunning { pid: Some(_), .. }));
    UnixStream::connect(&places.socket).unwrap();
    hold.release();
    drop(hold);
    Hold::take(places).unwrap().release();
}

#[test]
fn what_a_dead_guardian_left_is_replaced() {
    let world = World::new();
    let places = world.places();
    drop(UnixListener::bind(&places.socket).unwrap());
    fs::write(&places.pid_file, "1\n").unwrap();
    fs::write(places.dir.join("daemon.pid.tmp"), "half").unwrap();
    drop(UnixListener::bind(places.dir.join("daemon.sock.tmp")).unwrap());
    fs::write(&places.failed, "an old reason\n").unwrap();
    let mut hold = Hold::take(places).unwrap();
    assert_eq!(pid_in(&places.pid_file), Some(std::process::id()));
    assert!(!places.failed.exists());
    UnixStream::connect(&places.socket).unwrap();
    hold.release();
    world.expect_left(&["daemon.lock"]);
}

#[test]
fn what_is_no_socket_is_named_and_left_alone() {
    let makes: [fn(&Path); 3] = [
        |path| fs::write(path, "mine").unwrap(),
        |path| fs::create_dir(path).unwrap(),
        |path| symlink("/nowhere", path).unwrap(),
    ];
    for make in makes {
        let world = World::new();
        let places = world.places();
        make(&places.socket);
        let before = fs::symlink_metadata(&places.socket).unwrap().ino();
        let error = Hold::take(places).unwrap_err();
        assert!(error.to_string().contains(places.socket.to_str().unwrap()));
        assert!(matches!(error, Error::InTheWay { .. }));
        assert_eq!(fs::symlink_metadata(&places.socket).unwrap().ino(), before);
        assert!(!places.pid_file.exists());
    }
}

#[test]
fn a_lock_that_is_a_link_is_refused() {
    let world = World::new();
    symlink(world.file("elsewhere"), &world.places().lock).unwrap();
    let error = Hold::take(world.places()).unwrap_err();
    assert!(matches!(error, Error::InTheWay { found: "a symbolic link", .. }), "{error}");
    assert!(!world.file("elsewhere").exists());
}

#[test]
fn a_path_too_long_for_a_socket_works() {
    let world = World::new();
    let dir = world.file(&"d".repeat(120)).join("e".repeat(120));
    fs::create_dir_all(&dir).unwrap();
    let places = places(world.directory.path(), &dir);
    let mut hold = Hold::take(&places).unwrap();
    assert_eq!(mode(&places.socket), 0o600);
    // By the short way that a client takes too.
    std::os::unix::fs::symlink(&dir, world.file("short")).unwrap();
    UnixStream::connect(world.file("short").join("daemon.sock")).unwrap();
    hold.release();
    assert!(!places.socket.exists());
}

#[test]
fn the_socket_of_another_one_is_not_removed() {
    let world = World::new();
    let places = world.places();
    let mut hold = Hold::take(places).unwrap();
    fs::rename(&places.dir, world.file("moved")).unwrap();
    fs::create_dir(&places.dir).unwrap();
    let mut other = Hold::take(places).unwrap();
    fs::write(&places.pid_file, "1\n").unwrap();
    hold.release();
    UnixStream::connect(&places.socket).unwrap();
    assert_eq!(pid_in(&places.pid_file), Some(1));
    other.release();
}

#[test]
fn a_file_is_replaced_as_a_whole_or_not_at_all() {
    let world = World::new();
    let path = world.file("file");
    replace_file(world.directory.path(), &path, b"one").unwrap();
    replace_file(world.directory.path(), &path, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(mode(&path), 0o600);
    fs::create_dir(world.file("directory")).unwrap();
    replace_file(world.directory.path(), &world.file("directory"), b"three").unwrap_err();
    assert!(!world.file("directory.tmp").exists());
}
