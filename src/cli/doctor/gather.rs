//! Looks at everything that is judged. Nothing is changed, and no link is followed.
//!
//! Linux only: `/proc`.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, User, access, geteuid};

use crate::cli::command::daemon::{install, reason};
use crate::cli::command::lock::{self, Guardian};
use crate::cli::command::trust;
use crate::cli::connect;
use crate::cli::doctor::files::{expected, in_the_way, move_away};
use crate::cli::doctor::{Answer, Daemon, Database, Entry, Facts, Installed, Kind, Limits, Space, Temporary};
use crate::cli::error::Failure;
use crate::cli::session::{Session, block_on, now};
use crate::cli::unit::Supervisor;
use crate::config::{self, Config, Overrides};
use crate::domain::error::ErrorKind;
use crate::domain::id::Seq;
use crate::guardian;
use crate::paths::Project;
use crate::rpc::client;
use crate::store::{self, sqlite};

/// Most things that are looked at in `.apex/`.
const ENTRIES_MAX: usize = 100_000;
/// Longest time that the daemon may take to answer, unless `--deadline` says otherwise.
const ASK_FOR: Duration = Duration::from_secs(2);

/// Looks at a project and the machine it is on.
pub fn facts(session: &Session, project: &Project) -> Result<Facts, Failure> {
    let (mut all, mut is_cut) = entries(project.dir());
    if project.data() != project.dir() {
        let (data, is_data_cut) = entries(project.data());
        all.extend(data);
        is_cut |= is_data_cut;
    }
    let (daemon, from_daemon) = daemon(session, project)?;
    let (configuration, settings) = match config::load(&project.config_file(), Overrides::default()) {
        Ok(settings) => (None, settings),
        Err(error) => (Some(Failure::from(error).as_problem().message), Config::default()),
    };
    let database = database(project);
    let missing_queues = match &database {
        Ok(None) => settings.missing_queues(&[]),
        Ok(Some(database)) if database.faults.is_empty() => settings.missing_queues(&database.queues),
        // What is there cannot be told.
        _ => Vec::new(),
    };
    Ok(Facts {
        user: geteuid().as_raw(),
        now: now(),
        version: env!("CARGO_PKG_VERSION"),
        data: project.data().to_owned(),
        entries: all,
        is_cut,
        limits: limits(daemon.guardian),
        daemon,
        database,
        untrusted: trust::is_untrusted(project).ok(),
        configuration,
        missing_queues,
        max_concurrent: from_daemon.unwrap_or(settings.daemon.max_concurrent),
        space: space(project.data()),
        filesystem: fs::read_to_string("/proc/self/mountinfo")
            .ok()
            .and_then(|mounts| filesystem_in(&mounts, project.data())),
        not_writable: not_writable(project),
        temporary: temporary(),
        unit: unit(project),
    })
}

/// Returns what stands in the way of a daemon that is to be started, directly in `.apex/`.
///
/// Errors: something that is not what it should be. It was neither followed nor touched.
pub fn nothing_is_in_the_way(project: &Project) -> Result<(), Failure> {
    let dir: Arc<Path> = project.data().into();
    let inside = fs::read_dir(&dir).into_iter().flatten().flatten();
    // The database is looked at by whoever opens it.
    let is_database = |name: &OsString| name.as_encoded_bytes().starts_with(b"apex.db");
    for name in inside.map(|entry| entry.file_name()).filter(|name| !is_database(name)) {
        let entry = expected(Path::new(&name)).and_then(|_| entry(&dir, Path::new(&name)));
        if let Some((entry, why)) = entry.and_then(|entry| in_the_way(&entry).map(|why| (entry, why))) {
            return Err(Failure::new(ErrorKind::Conflict, why).with_hint(move_away(&entry)));
        }
    }
    Ok(())
}

/// Returns what is in `.apex/` as far as it is apex's, and whether there was more.
fn entries(dir: &Path) -> (Vec<Entry>, bool) {
    let dir: Arc<Path> = dir.into();
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::new()]);
    found.extend(entry(&dir, Path::new("")));
    while let Some(directory) = open.pop() {
        // One that cannot be read says so by its permissions.
        let Ok(inside) = fs::read_dir(dir.join(&directory)) else { continue };
        for name in inside.flatten().map(|entry| entry.file_name()) {
            let path = directory.join(name);
            let Some(kind) = expected(&path) else { continue };
            let Some(entry) = entry(&dir, &path) else { continue };
            if found.len() == ENTRIES_MAX {
                return (found, true);
            }
            if kind == Kind::Directory && entry.kind == Kind::Directory {
                open.push(path);
            }
            found.push(entry);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    (found, false)
}

fn entry(dir: &Arc<Path>, path: &Path) -> Option<Entry> {
    let metadata = fs::symlink_metadata(dir.join(path)).ok()?;
    let kind = match metadata.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_symlink() => Kind::Link,
        kind if kind.is_socket() => Kind::Socket,
        kind if kind.is_fifo() => Kind::Fifo,
        _ => Kind::Device,
    };
    let is_foreign_text = kind == Kind::File && path == Path::new("daemon.pid") && !is_pid_file(&dir.join(path));
    Some(Entry {
        dir: Arc::clone(dir),
        path: path.to_owned(),
        kind,
        owner: metadata.uid(),
        mode: metadata.mode() & 0o7777,
        is_foreign_text,
    })
}

/// Returns whether a file holds a pid, or nothing: it may have been cut off by a power cut.
fn is_pid_file(path: &Path) -> bool {
    let mut text = Vec::new();
    let read = lock::open(path).and_then(|file| file.take(32).read_to_end(&mut text));
    // What cannot be read, permissions tell.
    read.is_err() || text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'\n')
}

/// Returns how the daemon stands, and how many tasks it runs at once if it says so.
fn daemon(session: &Session, project: &Project) -> Result<(Daemon, Option<u32>), Failure> {
    let after = session.deadline().unwrap_or(ASK_FOR);
    let asked = block_on(async {
        Ok(match connect::within(project, client::Options { deadline: after, ..client::Options::default() }).await {
            Ok(connection) => connection.client.status().await,
            Err(error) => Err(error),
        })
    })?;
    let mut max_concurrent = None;
    let answer = match asked {
        Ok(status) => {
            max_concurrent = Some(status.max_concurrent);
            let is_draining = status.draining;
            Answer::Status { guardian: status.guardian_pid, version: status.version, is_draining }
        }
        Err(client::Error::NoAnswer { after }) => Answer::Silence(after),
        // What stands in the socket's place is told with all the other files.
        Err(client::Error::NotRunning { .. } | client::Error::Broken { .. } | client::Error::InTheWay { .. }) => {
            Answer::Nobody
        }
        Err(error) => {
            let problem = error.problem();
            Answer::Refused(problem.message, problem.hint)
        }
    };
    let guardian = Guardian::find(project).map(|guardian| guardian.pid);
    // What a daemon has left; what somebody put in its place is told with all the other files.
    let dir: Arc<Path> = project.data().into();
    let is_left = |name: &str| entry(&dir, Path::new(name)).is_some_and(|entry| in_the_way(&entry).is_none());
    let daemon = Daemon {
        answer,
        is_locked: lock::is_held(project).unwrap_or(false),
        guardian,
        named: guardian::pid_in(&project.pid_file()),
        left: ["daemon.pid", "daemon.sock"].into_iter().filter(|name| is_left(name)).collect(),
        stopped: guardian.map(stopped).unwrap_or_default(),
        failed: reason(&project.failed_file()),
    };
    Ok((daemon, max_concurrent))
}

/// Returns which of guardian and apexd were stopped by a signal.
///
/// Source: proc_pid_stat(5), proc_tid_children(5).
fn stopped(guardian: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{guardian}/task/{guardian}/children")).unwrap_or_default();
    let is_apexd = |pid: &u32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).nth(1) == Some(crate::cli::apexd::WORD.as_bytes())
    };
    let apexd = children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(is_apexd);
    let is_stopped = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
    };
    std::iter::once(guardian).chain(apexd).filter(is_stopped).collect()
}

fn database(project: &Project) -> Result<Option<Database>, store::Error> {
    let Some(mut reader) = sqlite::open_reader(&project.database())? else { return Ok(None) };
    let faults = reader.check()?;
    if !faults.is_empty() {
        return Ok(Some(Database { faults, ..Database::default() }));
    }
    let before_last = Seq(reader.last_seq()?.0.saturating_sub(1));
    let newest = reader.changes(before_last, 1)?.first().map(|change| change.at);
    let queues = reader.queues()?.into_iter().map(|queue| queue.name).collect();
    let failed_hooks = reader.failed_hooks()?;
    Ok(Some(Database { newest, faults, queues, failed_hooks }))
}

fn space(dir: &Path) -> Option<Space> {
    let found = statvfs(dir).ok()?;
    let unit = found.fragment_size();
    Some(Space {
        bytes: found.blocks().saturating_mul(unit),
        bytes_free: found.blocks_available().saturating_mul(unit),
        files: found.files(),
        files_free: found.files_available(),
        is_read_only: found.flags().contains(FsFlags::ST_RDONLY),
    })
}

/// Returns the kind of the file system that `path` is on.
///
/// Source: proc_pid_mountinfo(5); the last of several mounts on one directory is the one that is seen.
pub(super) fn filesystem_in(mounts: &str, path: &Path) -> Option<String> {
    let of = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let point = PathBuf::from(before.split(' ').nth(4)?.replace("\\040", " ").replace("\\011", "\t"));
        path.starts_with(&point).then(|| Some((point.components().count(), after.split(' ').next()?.to_owned())))?
    };
    mounts.lines().filter_map(of).max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

/// Returns the limits of the guardian, or of this process if there is none.
fn limits(guardian: Option<u32>) -> Limits {
    let of = |who: &str| fs::read_to_string(format!("/proc/{who}/limits")).ok();
    let text = guardian.and_then(|pid| of(&pid.to_string())).or_else(|| of("self")).unwrap_or_default();
    // Root may have as many as there is room for.
    let processes_left = (!geteuid().is_root()).then(|| limit_in(&text, "Max processes")).flatten();
    Limits {
        descriptors: limit_in(&text, "Max open files"),
        processes_left: processes_left.map(|limit| limit.saturating_sub(processes_of_user())),
    }
}

/// Returns the soft limit of a name; `None` for none.
///
/// Source: proc_pid_limits(5).
pub(super) fn limit_in(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn processes_of_user() -> u64 {
    let user = geteuid().as_raw();
    let is_process =
        |entry: &fs::DirEntry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
    let threads = |entry: fs::DirEntry| {
        let is_own = entry.metadata().is_ok_and(|found| found.uid() == user);
        if is_own { fs::read_dir(entry.path().join("task")).map_or(1, |threads| threads.count() as u64) } else { 0 }
    };
    fs::read_dir("/proc").map_or(0, |found| found.flatten().filter(is_process).map(threads).sum())
}

fn not_writable(project: &Project) -> Vec<(PathBuf, String)> {
    let fault = |path: PathBuf| {
        let is_directory = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
        let errno = is_directory.then(|| access(&path, AccessFlags::W_OK | AccessFlags::X_OK).err()).flatten()?;
        Some((path, errno.desc().to_lowercase()))
    };
    [project.data().to_owned(), project.output_dir()].into_iter().filter_map(fault).collect()
}

fn temporary() -> Temporary {
    let path = std::env::temp_dir();
    let fault = match fs::metadata(&path) {
        Ok(found) if !found.is_dir() => Some("it is not a directory".to_owned()),
        Ok(_) => access(&path, AccessFlags::W_OK | AccessFlags::X_OK).err().map(|errno| errno.desc().to_lowercase()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some("it is not there".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    Temporary { path, fault }
}

fn unit(project: &Project) -> Option<Installed> {
    let supervisor = Supervisor::of_this_system();
    let unit = supervisor.unit(project.root(), &supervisor.directory()?);
    let text = fs::read_to_string(&unit.path).ok()?;
    let this = std::env::current_exe().unwrap_or_default();
    let is_current = supervisor.text(&unit, &this, project, &install::places()).is_ok_and(|current| current == text);
    let program = supervisor.program_in(&text).map(|program| {
        let is_there = program.is_file();
        (program, is_there)
    });
    let is_lingering = supervisor.is_lingering().or_else(has_linger_file);
    Some(Installed { path: unit.path, is_current, program, this, is_lingering })
}

/// Returns what systemd itself goes by, where its program cannot be asked.
///
/// Source: loginctl(1), `enable-linger`.
fn has_linger_file() -> Option<bool> {
    let directory = Path::new("/var/lib/systemd/linger");
    let user = User::from_uid(geteuid()).ok()??;
    directory.is_dir().then(|| directory.join(user.name).exists())
}
