//! What is in `.apex/`: whose it is, who else may read it, and whether it is what it should be.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::doctor::{Check, Facts, quoted};
use crate::cli::render::counted;

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A plain file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A socket.
    Socket,
    /// A named pipe.
    Fifo,
    /// A device.
    Device,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::File => "plain file",
            Self::Directory => "directory",
            Self::Link => "symbolic link",
            Self::Socket => "socket",
            Self::Fifo => "named pipe",
            Self::Device => "device",
        }
    }
}

/// Something in `.apex/`, not followed if it is a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `.apex/`, or the directory that holds the data of a project whose `.apex/` is on a network file system.
    pub dir: Arc<Path>,
    /// Where, from there on; empty for that itself.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Whose it is, as uid.
    pub owner: u32,
    /// Its permissions.
    pub mode: u32,
    /// It is `daemon.pid`, and holds something else than a pid.
    pub is_foreign_text: bool,
}

impl Entry {
    fn shown(&self) -> String {
        let dir = if self.dir.ends_with(".apex") { Path::new(".apex") } else { &self.dir };
        format!("`{}`", dir.join(&self.path).components().as_path().display())
    }
}

/// Returns what should stand at `path`, from `.apex/` on; `None` for what is not apex's.
pub fn expected(path: &Path) -> Option<Kind> {
    let names: Vec<&str> = path.iter().map(|name| name.to_str()).collect::<Option<_>>()?;
    match names.as_slice() {
        [] | ["output" | "input"] | ["output", _] => Some(Kind::Directory),
        ["output", _, _] | ["input", _] => Some(Kind::File),
        ["daemon.sock"] => Some(Kind::Socket),
        ["config.toml" | ".gitignore" | "location" | "guardian.exits"] => Some(Kind::File),
        ["daemon.pid" | "daemon.lock" | "daemon.failed" | "daemon.log"] => Some(Kind::File),
        [name]
            if *name == "apex.db"
                || ["apex.db-", "apex.db.backup-", "apex.db.damaged-"].iter().any(|begin| name.starts_with(begin)) =>
        {
            Some(Kind::File)
        }
        [name] => {
            let number = name.strip_prefix("daemon.log.")?;
            number.bytes().all(|byte| byte.is_ascii_digit()).then_some(Kind::File)
        }
        _ => None,
    }
}

/// Says what is not the user's alone.
pub(super) fn permissions(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "permissions";
    let (mut foreign, mut closed, mut open, mut open_inside) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for entry in &facts.entries {
        // A link has no permissions of its own.
        if entry.owner != facts.user {
            foreign.push(entry);
        } else if entry.kind == Kind::Link {
        } else if entry.mode & needed(entry.kind) != needed(entry.kind) {
            closed.push(entry);
        } else if entry.mode & 0o077 != 0 {
            if entry.path.as_os_str().is_empty() { open.push(entry) } else { open_inside.push(entry) }
        }
    }
    let mut checks = Vec::new();
    if let Some((first, more)) = first_of(&foreign) {
        checks.push(Check::wrong(
            NAME,
            format!("{} belongs to user {}, not to user {} who asks{more}", first.shown(), first.owner, facts.user),
            format!("take it back with `sudo chown -R {} {}`", facts.user, quoted(&first.dir)),
        ));
    }
    if let Some((first, more)) = first_of(&closed) {
        checks.push(Check::wrong(
            NAME,
            format!("{} is closed to its owner (mode {:04o}){more}", first.shown(), first.mode),
            format!("open it with `chmod -R u+rwX {}`", quoted(&first.dir)),
        ));
    }
    let private = |entry: &Entry| format!("make it yours alone with `chmod -R go= {}`", quoted(&entry.dir));
    if let Some((first, _)) = first_of(&open) {
        checks.push(Check::wrong(
            NAME,
            format!("{} is open to other users (mode {:04o}); it should have mode 0700", first.shown(), first.mode),
            private(first),
        ));
    }
    if let Some((first, more)) = first_of(&open_inside) {
        checks.push(Check::warning(
            NAME,
            format!("{} has permissions for other users (mode {:04o}){more}", first.shown(), first.mode),
            private(first),
        ));
    }
    if checks.is_empty() {
        let looked_at = counted(facts.entries.len().saturating_sub(1) as u64, "file");
        let cut = if facts.is_cut { "; further ones were not looked at" } else { "" };
        checks.push(Check::fine(NAME, format!("`.apex` and {looked_at} in it are yours alone{cut}")));
    }
    checks
}

/// What apex itself must be allowed to do with it.
fn needed(kind: Kind) -> u32 {
    if kind == Kind::Directory { 0o700 } else { 0o600 }
}

/// Returns the first one, and how many more there are in words.
fn first_of<'a>(entries: &[&'a Entry]) -> Option<(&'a Entry, String)> {
    let first = entries.first()?;
    let more = entries.len() - 1;
    Some((first, if more == 0 { String::new() } else { format!(", and {more} more") }))
}

/// Says what stands in the place of something else.
pub(super) fn places(facts: &Facts) -> Vec<Check> {
    let wrong = |entry: &Entry| Some(Check::wrong("files", in_the_way(entry)?, move_away(entry)));
    let checks: Vec<Check> = facts.entries.iter().filter_map(wrong).collect();
    if checks.is_empty() { vec![Check::fine("files", "everything is what it should be")] } else { checks }
}

/// Returns what is wrong if something stands in the place of something else.
pub fn in_the_way(entry: &Entry) -> Option<String> {
    let expected = expected(&entry.path)?;
    // Settings may be kept elsewhere: they are only read, and by their owner's wish.
    let may_be_link = expected == Kind::File && entry.path == Path::new("config.toml");
    if entry.kind == expected {
        return entry.is_foreign_text.then(|| format!("{} is in the way: apex did not write it", entry.shown()));
    }
    (!may_be_link || entry.kind != Kind::Link).then(|| {
        let (is, should) = (entry.kind.as_str(), expected.as_str());
        format!("{} is in the way: it is a {is} and should be a {should}", entry.shown())
    })
}

/// Returns what to do with it.
pub fn move_away(entry: &Entry) -> String {
    let path = entry.dir.join(&entry.path);
    format!("move it away with `mv {} {}`", quoted(&path), quoted(&away(&path)))
}

/// Returns where something that is in the way is moved.
pub(super) fn away(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".old");
    PathBuf::from(name)
}
