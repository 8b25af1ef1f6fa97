//! Fills a project with more tasks than anybody would add one by one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use apex::domain::attempt::{Output, Stream};
use apex::domain::change::Actor;
use apex::domain::id::{AssignmentId, TaskUuid};
use apex::domain::identity::{BootId, GuardianId};
use apex::domain::outcome::{ExitStatus, Outcome};
use apex::domain::task::{Environment, NewTask, TaskSpec};
use apex::domain::time::Timestamp;
use apex::rpc::client::{Client, Options};
use apex::store::sqlite::{Sqlite, open};
use apex::store::task::{Add, Claim, Finish, Terms};
use apex::store::{Store as _, TaskStore as _};
use sha2::{Digest as _, Sha256};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::place::Place;
use crate::world::World;

/// So many at once: what the store commits together.
const GROUP: usize = 256;
/// One in so many tasks has a name and a label.
const NAMED: usize = 1_000;
/// The name and the label of those.
pub const NAME: &str = "nightly";
/// The first tasks that are ready only sleep: one of them takes the only slot, and another one after every restart.
pub const SLEEPERS: usize = 64;

/// Where tasks of a filled project run: a directory that is there, whichever project the database is put into.
const ANYWHERE: &str = "/";

/// Returns a runtime of one thread.
pub fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Adds tasks to a project whose daemon runs: from a list if its command line takes one, else one by one over one connection.
pub fn add(world: &World, argv: &[&str], count: usize) -> anyhow::Result<()> {
    if world.knows("--from") {
        let list = list(&world.place, argv, count)?;
        let mut command = world.command(&["task", "add", "--from", "-"]);
        let status = command.stdin(File::open(list)?).stdout(Stdio::null()).status()?;
        anyhow::ensure!(status.success(), "{status}: {command:?}");
        return Ok(());
    }
    let task = |_| new_task(argv, world.root(), &environment(&world.place));
    let socket = world.file("daemon.sock");
    runtime()?.block_on(async {
        let client = Client::connect(&socket, Options::default()).await?;
        in_groups(count, |index| {
            let (client, task) = (client.clone(), task(index));
            async move { client.add(&task).await.map(drop).context("add") }
        })
        .await
    })
}

/// Writes a list of tasks for `task add --from` and returns its path.
pub fn list(place: &Place, argv: &[&str], count: usize) -> anyhow::Result<std::path::PathBuf> {
    let path = place.path("tasks.jsonl");
    let line = serde_json::json!({ "argv": argv }).to_string() + "\n";
    fs::write(&path, line.repeat(count))?;
    Ok(path)
}

/// Lets the default queue grow by so many tasks. The daemon runs before and after, and with its only slot taken.
pub fn grow(world: &World, count: usize) -> anyhow::Result<()> {
    if world.knows("--from") {
        return add(world, &["/bin/true"], count);
    }
    world.stop()?;
    store(world, 0, count)?;
    world.start()
}

/// Puts the database of a full project into one whose daemon does not run: so many tasks that have ended, and as many that
/// are queued. To make it takes minutes, so it is kept for the next time, until a migration is changed or added.
pub fn full(world: &World, size: usize, directory: &Path) -> anyhow::Result<()> {
    let kept = directory.join(format!("full-{size}-{}.db", fingerprint()?));
    if !kept.exists() {
        store(world, size, size)?;
        fs::create_dir_all(directory)?;
        // Under another name first: half of one is not to be found there.
        let part = kept.with_extension("part");
        fs::copy(world.file("apex.db"), &part)?;
        fs::rename(part, kept)?;
        return Ok(());
    }
    fs::copy(kept, world.file("apex.db"))?;
    // It is not the one that was made here.
    world.say(&["trust"]).map(drop)
}

/// Returns what changes with the schema of the database.
fn fingerprint() -> anyhow::Result<String> {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite/migrations");
    let mut paths = fs::read_dir(migrations)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    let mut hash = Sha256::new();
    for path in paths {
        hash.update(fs::read(path)?);
    }
    Ok(hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect())
}

/// Puts tasks into a project whose daemon does not run: so many that have ended, and so many that are queued. The
/// store of apex itself does that, as if a daemon had.
fn store(world: &World, ended: usize, queued: usize) -> anyhow::Result<()> {
    let path = world.file("apex.db");
    let env = environment(&world.place);
    runtime()?.block_on(async {
        let store = open(&path, now())?.store;
        in_groups(ended, |index| {
            let task = marked(index, new_task(&["/bin/true"], ANYWHERE, &env));
            put(Arc::clone(&store), task)
        })
        .await?;
        let mut left = ended;
        while left > 0 {
            left -= end_some(&store, left.min(GROUP)).await?;
        }
        in_groups(queued, |index| {
            let is_sleeper = index < SLEEPERS;
            let argv: &[&str] = if is_sleeper { &["/bin/sleep", "1000000"] } else { &["/bin/true"] };
            let mut task = marked(index, new_task(argv, ANYWHERE, &env));
            task.spec.priority = i32::from(is_sleeper);
            put(Arc::clone(&store), task)
        })
        .await?;
        store.close().await?;
        Ok(())
    })
}

/// Claims tasks and records that they have ended; returns how many.
async fn end_some(store: &Arc<Sqlite>, most: usize) -> anyhow::Result<usize> {
    let assignments = (0..most).map(|_| AssignmentId(Uuid::now_v7())).collect();
    let (owner, boot) = (GuardianId(Uuid::from_u128(1)), BootId(Uuid::from_u128(2)));
    let (after, shut, terms) = (Vec::new(), Vec::new(), Terms::default());
    let claimed =
        store.claim(Claim { owner, boot, assignments, after, shut, now: now(), lease_until: now(), terms }).await?;
    anyhow::ensure!(!claimed.is_empty(), "nothing was claimed");
    in_groups(claimed.len(), |index| {
        let (id, assignment) = (claimed[index].task.id.get(), claimed[index].attempt.assignment);
        let path = format!("output/{}/{id}.1.log", id / 1_000).into();
        let finish = Finish {
            assignment,
            outcome: Outcome::of_exit(ExitStatus::Code(0), None, None, now()),
            outputs: vec![Output { stream: Stream::Merged, path, bytes: 0, sha256: None }],
            started: None,
            jitter: 1.0,
            now: now(),
        };
        let store = Arc::clone(store);
        async move { store.finish(finish).await.map(drop).context("finish") }
    })
    .await?;
    Ok(claimed.len())
}

async fn put(store: Arc<Sqlite>, task: NewTask) -> anyhow::Result<()> {
    store.add(Add { task, by: Actor::Cli(1), now: now(), untrusted: false }).await?;
    Ok(())
}

fn marked(index: usize, mut task: NewTask) -> NewTask {
    if index.is_multiple_of(NAMED) {
        task.spec.name = Some(format!("{NAME}-{index}"));
        task.spec.labels.insert(NAME.to_owned(), String::new());
    }
    task
}

/// Makes a task as the command line would.
pub fn new_task(argv: &[&str], directory: impl AsRef<Path>, env: &Environment) -> NewTask {
    let argv = argv.iter().map(OsString::from).collect();
    let spec = TaskSpec::command(argv, directory.as_ref().to_owned());
    NewTask { uuid: TaskUuid(Uuid::now_v7()), spec, env: env.clone(), hold: false, parent: None }
}

/// Returns the environment of everything in a place.
pub fn environment(place: &Place) -> Environment {
    Environment(place.environment().into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

/// Does something so often, many at once.
async fn in_groups<F>(count: usize, mut start: impl FnMut(usize) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    for index in 0..count {
        under_way.spawn(start(index));
        if under_way.len() == GROUP || index + 1 == count {
            while let Some(done) = under_way.join_next().await {
                done??;
            }
        }
    }
    Ok(())
}
