use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};

use super::*;
use crate::domain::error::{ErrorKind, Problem};

/// A directory for projects and one for the per-user things, apart from each other.
struct World {
    dir: tempfile::TempDir,
    places: Places,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        let places = Places::new(dir.path().join("state"));
        Self { dir, places }
    }

    fn work(&self) -> PathBuf {
        fs::canonicalize(self.dir.path().join("work")).unwrap()
    }

    fn discover(&self, how: How, cwd: &Path) -> Result<Found, Error> {
        discover(&how, cwd, &self.places)
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn init_makes_a_private_project_and_enters_it() {
    let world = World::new();
    let made = init(&world.work(), &world.places).unwrap();
    assert_eq!(made.created, Created::New);
    assert!(made.not_registered.is_none());
    let project = made.project;
    assert_eq!(project.root(), world.work());
    assert_eq!(mode(project.dir()), 0o700);
    assert_eq!(fs::read_to_string(project.config_file()).unwrap(), crate::config::TEMPLATE);
    assert_eq!(fs::read_to_string(project.dir().join(".gitignore")).unwrap(), "*\n");
    assert_eq!(mode(&project.config_file()), 0o600);
    assert_eq!(mode(&project.dir().join(".gitignore")), 0o600);
    let entries: Vec<_> = fs::read_dir(world.places.registry_dir()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(fs::read_to_string(&entries[0]).unwrap(), format!("{}\n", world.work().display()));
    assert_eq!((mode(&entries[0]), mode(&world.places.registry_dir())), (0o600, 0o700));
}

#[test]
fn init_again_changes_nothing_and_completes_what_is_missing() {
    let world = World::new();
    let project = init(&world.work(), &world.places).unwrap().project;
    fs::write(project.config_file(), "[daemon]\n").unwrap();
    assert_eq!(init(&world.work(), &world.places).unwrap().created, Created::Already);
    assert_eq!(fs::read_to_string(project.config_file()).unwrap(), "[daemon]\n");
    fs::remove_file(project.config_file()).unwrap();
    let again = init(&world.work(), &world.places).unwrap();
    assert_eq!(again.created, Created::Completed(vec![project.config_file()]));
    assert_eq!(fs::read_dir(world.places.registry_dir()).unwrap().count(), 1);
}

#[test]
fn init_refuses_what_is_in_the_way() {
    let world = World::new();
    let missing = world.work().join("missing");
    assert!(matches!(init(&missing, &world.places), Err(Error::NoDirectory(_))));
    let file = world.work().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(init(&file, &world.places), Err(Error::NotADirectory(_))));
    let dot = world.work().join(DIR_NAME);
    fs::write(&dot, "mine").unwrap();
    assert!(matches!(init(&world.work(), &world.places), Err(Error::NotADirectory(path)) if path == dot));
    assert_eq!(fs::read_to_string(&dot).unwrap(), "mine");
}

#[test]
fn what_init_cannot_finish_it_takes_back() {
    let world = World::new();
    fs::create_dir(world.work().join(DIR_NAME)).unwrap();
    let dir = world.work().join(DIR_NAME);
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
    // A name that is taken by a link is not written through; it counts as there.
    symlink("/nowhere/at/all", dir.join("config.toml")).unwrap();
    let made = init(&world.work(), &world.places).unwrap();
    assert_eq!(made.created, Created::Completed(vec![dir.join(".gitignore")]));
    // The per-user place is a file: the project is there all the same, and the reason is told.
    let places = Places::new(world.work().join("file"));
    fs::write(world.work().join("file"), "").unwrap();
    assert!(init(&world.work(), &places).unwrap().not_registered.is_some());
}

#[test]
fn the_nearest_project_upwards_is_found() {
    let world = World::new();
    let inner = world.work().join("a/b/c");
    fs::create_dir_all(&inner).unwrap();
    init(&world.work(), &world.places).unwrap();
    let found = world.discover(How::Walk, &inner).unwrap();
    assert_eq!((found.project.root(), found.fallback), (world.work().as_path(), false));
    init(&world.work().join("a"), &world.places).unwrap();
    assert_eq!(world.discover(How::Walk, &inner).unwrap().project.root(), world.work().join("a"));
}

#[test]
fn without_a_project_the_per_user_one_is_made_and_told() {
    let world = World::new();
    let found = world.discover(How::Walk, &world.work()).unwrap();
    assert!(found.fallback);
    assert_eq!(found.project, world.places.global());
    for above in found.project.dir().ancestors().take(4) {
        assert_eq!(mode(above), 0o700, "{}", above.display());
    }
    let asked = world.discover(How::Global, &world.work()).unwrap();
    assert_eq!((asked.project, asked.fallback), (found.project, false));
}

#[test]
fn a_directory_that_was_named_must_be_a_project() {
    let world = World::new();
    let named = |path: &str| world.discover(How::At(path.into()), &world.work()).unwrap_err();
    let error = named(".");
    assert!(matches!(&error, Error::NotAProject { root } if *root == world.work()));
    let problem = Problem::from(&error);
    assert_eq!(problem.kind, ErrorKind::NotFound);
    assert!(problem.hint.unwrap().contains("`apex init "));
    assert!(matches!(named("missing"), Error::NoDirectory(_)));
    fs::write(world.work().join("file"), "").unwrap();
    assert!(matches!(named("file"), Error::NotADirectory(_)));
    init(&world.work(), &world.places).unwrap();
    let found = world.discover(How::At("../work/.".into()), &world.work()).unwrap();
    assert_eq!(found.project.root(), world.work());
}

#[test]
fn what_cannot_be_trusted_is_refused_by_name() {
    let world = World::new();
    let inner = world.work().join("inner");
    fs::create_dir(&inner).unwrap();
    init(&world.work(), &world.places).unwrap();
    let dot = inner.join(DIR_NAME);

    fs::write(&dot, "").unwrap();
    assert!(matches!(world.discover(How::Walk, &inner), Err(Error::NotADirectory(path)) if path == dot));
    fs::remove_file(&dot).unwrap();

    symlink(world.work().join(DIR_NAME), &dot).unwrap();
    assert!(matches!(world.discover(How::Walk, &inner), Err(Error::Symlink(path)) if path == dot));
    fs::remove_file(&dot).unwrap();

    fs::create_dir(&dot).unwrap();
    for wrong in [0o770, 0o707, 0o777, 0o1777, 0o720] {
        fs::set_permissions(&dot, Permissions::from_mode(wrong)).unwrap();
        let error = world.discover(How::Walk, &inner).unwrap_err();
        assert!(matches!(&error, Error::Writable { mode, .. } if *mode == wrong), "{error}");
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.hint().unwrap().contains("chmod go-w"));
    }
    fs::set_permissions(&dot, Permissions::from_mode(0o755)).unwrap();
    assert!(world.discover(How::Walk, &inner).is_ok());
}

#[test]
fn only_the_owner_may_use_it() {
    let path = Path::new("/p/.apex");
    assert!(discover::check(path, 1000, 0o40700, 1000).is_ok());
    assert!(discover::check(path, 1000, 0o40755, 1000).is_ok());
    let error = discover::check(path, 1000, 0o40700, 0).unwrap_err();
    assert_eq!(error.to_string(), "`/p/.apex` belongs to user 1000, not to user 0 who asks");
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[test]
fn names_that_are_not_utf_8_work() {
    let world = World::new();
    let root = world.work().join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&root).unwrap();
    let project = init(&root, &world.places).unwrap().project;
    assert_eq!(world.discover(How::Walk, &root).unwrap().project, project);
    let entry = fs::read_dir(world.places.registry_dir()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::read(entry).unwrap(), [root.as_os_str().as_bytes(), b"\n"].concat());
}

#[test]
fn a_short_path_is_the_plain_one_and_a_long_one_works_as_well() {
    let world = World::new();
    let short = Project::new("/p");
    assert_eq!(short_socket(&short).unwrap().path(), short.socket());
    let mut root = world.work();
    for _ in 0..4 {
        root.push("a-rather-long-name-of-a-directory-such-as-build-systems-make");
    }
    fs::create_dir_all(&root).unwrap();
    let project = init(&root, &world.places).unwrap().project;
    assert!(project.socket().as_os_str().len() > 2 * SOCKET_BYTES_MAX);
    let bound = short_socket(&project).unwrap();
    let listener = UnixListener::bind(&bound).unwrap();
    drop(bound);
    assert!(project.socket().exists());
    let address = short_socket(&project).unwrap();
    assert!(address.path().as_os_str().len() <= SOCKET_BYTES_MAX);
    let _client = UnixStream::connect(&address).unwrap();
    listener.accept().unwrap();
}

#[test]
fn the_longest_plain_path_fits_an_address() {
    let world = World::new();
    let base = world.work();
    let room = SOCKET_BYTES_MAX - base.as_os_str().len() - "/.apex/daemon.sock".len() - 1;
    for (length, plain) in [(room, true), (room + 1, false)] {
        let root = base.join("x".repeat(length));
        fs::create_dir(&root).unwrap();
        let project = init(&root, &world.places).unwrap().project;
        let address = short_socket(&project).unwrap();
        assert_eq!(address.path() == project.socket(), plain, "{length}");
        UnixListener::bind(&address).unwrap();
    }
}

#[test]
fn the_umask_makes_nothing_wider_or_narrower() {
    for umask in [0, 0o777] {
        let world = World::new();
        let (work, places) = (world.work(), world.places.clone());
        // A umask of its own for one thread, so that no other test sees it.
        let made = std::thread::spawn(move || {
            // SAFETY: both calls take plain numbers and concern only this thread, which ends here.
            let own = unsafe { nix::libc::unshare(nix::libc::CLONE_FS) };
            assert_eq!(own, 0);
            // SAFETY: as above.
            unsafe { nix::libc::umask(umask) };
            init(&work, &places).unwrap().project
        });
        let project = made.join().unwrap();
        assert_eq!(mode(project.dir()), 0o700, "{umask:o}");
        assert_eq!(mode(&project.config_file()), 0o600, "{umask:o}");
        assert_eq!(mode(&world.places.registry_dir()), 0o700, "{umask:o}");
    }
}
