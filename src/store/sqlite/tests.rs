mod condition;
mod damage;
mod durability;
mod group;
mod migration;
mod model;
mod plans;
mod reading;
mod recovery;
mod retention;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::domain::time::Timestamp;
use crate::store::Store;
use crate::store::conformance::world::World;
use crate::store::conformance::{Fresh, conformance};
use crate::store::sqlite::writer::Message;
use crate::store::sqlite::{Sqlite, open};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn fresh() -> Fresh {
    let dir = TempDir::new().unwrap();
    let store = open(&dir.path().join("apex.db"), NOW).unwrap().store;
    (store, Box::new(dir))
}

conformance!(fresh);

impl Sqlite {
    /// Does something with the writer's connection, between two transactions.
    async fn on_writer<T: Send + 'static>(&self, look: impl FnOnce(&mut Connection) -> T + Send + 'static) -> T {
        let (reply, answer) = oneshot::channel();
        let look = Box::new(move |db: &mut Connection| reply.send(look(db)).ok().unwrap());
        self.writes.send(Message::Probe(look)).await.ok().unwrap();
        answer.await.unwrap()
    }
}

/// A directory with a database in it.
struct Place {
    dir: TempDir,
    opened: AtomicU64,
}

impl Place {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), opened: AtomicU64::new(0) }
    }

    fn db(&self) -> PathBuf {
        self.dir.path().join("apex.db")
    }

    fn open(&self) -> (Arc<Sqlite>, World) {
        let store = open(&self.db(), NOW).unwrap().store;
        let world =
            World::counting_from(Arc::clone(&store) as Arc<dyn Store>, self.opened.fetch_add(1 << 20, Relaxed) + 1);
        (store, world)
    }

    /// A database with a few tasks, closed.
    async fn used() -> Self {
        let place = Self::new();
        let (store, world) = place.open();
        for _ in 0..3 {
            world.queued_task().await;
        }
        world.run(0).await;
        store.close().await.unwrap();
        place
    }

    /// What stands in the directory, with its content.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap_or_default()))
            .collect();
        files.sort();
        files
    }

    fn names(&self) -> Vec<String> {
        self.files().into_iter().map(|(name, _)| name).collect()
    }

    /// Copies the files as a crash would leave them: now, without a word to whoever has them open.
    fn crashed(&self) -> Self {
        let place = Self::new();
        for (name, content) in self.files().into_iter().filter(|(name, _)| !name.ends_with("-shm")) {
            std::fs::write(place.dir.path().join(name), content).unwrap();
        }
        place
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}
