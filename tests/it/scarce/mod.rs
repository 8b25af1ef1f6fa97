//! Scarcity: no room on the disk, no descriptors, no processes. New work is refused by name, what is stored and what runs
//! is kept, and when the cause is gone work goes on by itself.
//!
//! Each test makes its own shortage, in a process of its own that it starts for that ([`inside`]): the machine and the
//! other tests notice nothing. Where a machine does not allow that, the test fails and says so.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::World;

mod descriptors;
mod disk;
mod processes;

/// Says to a test that it is the process that was started for it.
const INSIDE: &str = "APEX_TEST_INSIDE";

/// A mount namespace of one's own, with or without being root.
pub const NAMESPACE: &[&str] = &["unshare", "-Urm"];

/// Runs the body of the test `name` (the full one) in a process of its own, which `wrapper` starts: in a namespace, under
/// a limit, as another user. Its temporary files are gone afterwards.
pub fn inside(name: &str, wrapper: &[&str], body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let place = tempfile::Builder::new().prefix("apex-").tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads", "1"]);
    let run = command.env(INSIDE, "1").env("TMPDIR", place.path()).output();
    let run = run.unwrap_or_else(|error| panic!("cannot run `{}`: {error}", wrapper[0]));
    let (stdout, stderr) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && stdout.contains("1 passed"), "{wrapper:?}: {}\n{stdout}\n{stderr}", run.status);
}

/// Puts a file system of its own there, in memory, as small as `options` say.
pub fn mount(path: &Path, options: &str) {
    std::fs::create_dir_all(path).unwrap();
    let run =
        Command::new("mount").args(["-t", "tmpfs", "-o", &format!("mode=0700,{options}"), "apex"]).arg(path).output();
    let run = run.unwrap();
    assert!(run.status.success(), "{run:?}");
}

/// A project that is alone on a small disk, with this configuration; no daemon runs.
pub fn small_disk(size: &str, config: &str) -> World {
    let world = World::bare();
    mount(&world.root(), &format!("size={size}"));
    world.apex(["init"]).expect(0);
    std::fs::write(world.dot_apex().join("config.toml"), config).unwrap();
    world
}

/// Takes up what is left of a disk, but for `spare` bytes. What is returned is to be removed to end the shortage.
pub fn fill(directory: &Path, spare: u64) -> PathBuf {
    let path = directory.join("fill");
    let mut file = std::fs::File::options().append(true).create(true).open(&path).unwrap();
    loop {
        match file.write_all(&[1; 4096]) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
            Err(error) => panic!("{error}"),
        }
    }
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(spare)).unwrap();
    path
}

/// Changes the soft limit of a process; `None` makes it what it was, as high as it may be.
pub fn set_limit(pid: i32, resource: nix::sys::resource::Resource, soft: Option<u64>) {
    let mut limit = nix::libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain system calls; both pointers are null or to a variable of ours.
    let done = unsafe {
        let got = nix::libc::prlimit(pid, resource as _, std::ptr::null(), &raw mut limit);
        limit.rlim_cur = soft.unwrap_or(limit.rlim_max);
        got | nix::libc::prlimit(pid, resource as _, &raw const limit, std::ptr::null_mut())
    };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

/// A shell line that runs until there is a file `go` beside the project, which is on another disk.
pub const UNTIL_GO: &str = "while [ ! -e ../go ]; do sleep 0.01; done";

/// Ends every task that runs [`UNTIL_GO`].
pub fn go(world: &World) {
    std::fs::write(world.root().with_file_name("go"), "").unwrap();
}

/// Adds tasks until one is refused, and returns the error.
pub fn refused_add(world: &World) -> serde_json::Value {
    for _ in 0..500 {
        let run = world.apex(["add", "--json", "--hold", "--", "true"]);
        if run.code != 0 {
            assert_eq!(run.code, 1, "{run:?}");
            return run.error();
        }
    }
    panic!("nothing was refused");
}
