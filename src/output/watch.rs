//! Learning that a file has grown. One inotify instance serves all readers of a process: a user has only 128 of them.
//!
//! Source: inotify(7), `/proc/sys/fs/inotify/max_user_instances`.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// How often a file is looked at where inotify is refused.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Hands out what wakes readers. Takes nothing from the system until somebody reads.
#[derive(Debug)]
pub(super) struct Watcher {
    running: Mutex<Option<Arc<Running>>>,
    /// What wakes.
    flags: AddWatchFlags,
}

impl Default for Watcher {
    fn default() -> Self {
        Self { running: Mutex::default(), flags: AddWatchFlags::IN_MODIFY }
    }
}

#[derive(Debug)]
struct Running {
    inotify: AsyncFd<Instance>,
    watched: Mutex<HashMap<WatchDescriptor, Watched>>,
    reading: Mutex<Option<AbortHandle>>,
}

#[derive(Debug)]
struct Instance(Inotify);

impl AsRawFd for Instance {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[derive(Debug)]
struct Watched {
    sender: watch::Sender<()>,
    readers: usize,
}

/// Wakes one reader of one file.
#[derive(Debug)]
pub(super) struct Growth {
    by: Option<(Arc<Running>, WatchDescriptor, watch::Receiver<()>)>,
}

impl Watcher {
    /// Makes one that wakes each reader once, and costs nothing after that however much is written.
    pub(super) fn once() -> Self {
        Self { running: Mutex::default(), flags: AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_ONESHOT }
    }

    /// Begins to watch an open file. If the system refuses, the reader looks from time to time instead.
    pub(super) fn watch(&self, file: &File) -> Growth {
        Growth { by: self.try_watch(file).ok() }
    }

    fn try_watch(&self, file: &File) -> io::Result<(Arc<Running>, WatchDescriptor, watch::Receiver<()>)> {
        let running = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            match &*running {
                Some(running) => running.clone(),
                None => running.insert(Running::start()?).clone(),
            }
        };
        // By the descriptor, not the name: the name may just be changing.
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let mut watched = running.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let descriptor = running.inotify.get_ref().0.add_watch(&path, self.flags)?;
        let entry = watched.entry(descriptor).or_insert_with(|| Watched { sender: watch::Sender::new(()), readers: 0 });
        entry.readers += 1;
        let receiver = entry.sender.subscribe();
        drop(watched);
        Ok((running, descriptor, receiver))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running
            && let Some(reading) = running.reading.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            reading.abort();
        }
    }
}

impl Running {
    fn start() -> io::Result<Arc<Self>> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let running = Arc::new(Self {
            // SAFETY: `Instance` owns the descriptor, always names the same one, and closes it only when it is dropped.
            inotify: unsafe { AsyncFd::register(Instance(inotify)) }?,
            watched: Mutex::new(HashMap::new()),
            reading: Mutex::new(None),
        });
        let task = tokio::spawn(pass_on(running.clone()));
        *running.reading.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        Ok(running)
    }

    /// Reads events and wakes those who wait for them, until the system has no more for now.
    fn drain(&self) -> io::Result<()> {
        let events = match self.inotify.get_ref().0.read_events() {
            Ok(events) => events,
            Err(Errno::EAGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(errno) => return Err(errno.into()),
        };
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                watched.values().for_each(|entry| entry.sender.send_replace(()));
            } else if let Some(entry) = watched.get(&event.wd) {
                entry.sender.send_replace(());
            }
        }
        Ok(())
    }
}

/// Passes events on until the watcher, which owns the task that runs this, is gone.
async fn pass_on(running: Arc<Running>) {
    loop {
        let Ok(mut ready) = running.inotify.readable().await else { return };
        if let Ok(Err(_)) = ready.try_io(|_| running.drain()) {
            return;
        }
    }
}

impl Growth {
    /// Waits until the file may have grown since the last call, or since the watch began.
    pub(super) async fn next(&mut self) {
        match &mut self.by {
            Some((_, _, receiver)) => {
                if receiver.changed().await.is_err() {
                    self.by = None;
                }
            }
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        let Some((running, descriptor, _)) = self.by.take() else { return };
        let mut watched = running.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = watched.get_mut(&descriptor) {
            entry.readers -= 1;
            if entry.readers == 0 {
                watched.remove(&descriptor);
                // Gone with the file, if not by this.
                let _ = running.inotify.get_ref().0.rm_watch(descriptor);
            }
        }
    }
}
