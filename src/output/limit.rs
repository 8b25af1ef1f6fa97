//! Noticing that a task has written more than it may.
//!
//! Nobody stands between a task and its file, so the file is looked at: at once when something is written, and then as
//! often as its growth makes sense of. While nothing is written nobody wakes up.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::domain::id::{AttemptNumber, TaskId};
use crate::output::Outputs;

/// Shortest and longest time between two looks at a file that grows.
const LOOK_MIN: Duration = Duration::from_millis(10);
const LOOK_MAX: Duration = Duration::from_secs(1);

impl Outputs {
    /// Waits until a running attempt has written at least `limit` bytes, both streams together, and returns how many it
    /// were then. Waits for ever if it ends before.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is lost but the wait.
    pub async fn reaches(&self, task: TaskId, attempt: AttemptNumber, split_output: bool, limit: u64) -> u64 {
        let mut last: Option<(u64, Instant)> = None;
        loop {
            let (bytes, mut growth) = self.watch_size(task, attempt, split_output);
            if bytes >= limit {
                return bytes;
            }
            let now = Instant::now();
            let grown = last.map(|(before, at)| (bytes.saturating_sub(before), now.duration_since(at)));
            if growth.is_empty() {
                // It has ended: its files have other names.
                return std::future::pending().await;
            }
            grows(&mut growth).await;
            drop(growth);
            last = Some((bytes, now));
            sleep(pause(limit - bytes, grown)).await;
        }
    }
}

/// Waits until one of the files has grown.
async fn grows(growth: &mut [crate::output::watch::Growth]) {
    match growth {
        [] => std::future::pending().await,
        [one] => one.next().await,
        [one, two, ..] => tokio::select! {
            () = one.next() => {}
            () = two.next() => {}
        },
    }
}

/// Returns how long to leave a growing file alone: half the time in which it reaches its limit, `left` bytes away, if it
/// goes on as it has: by so much, in that time.
fn pause(left: u64, grown: Option<(u64, Duration)>) -> Duration {
    match grown {
        Some((bytes, time)) if bytes > 0 => {
            let seconds = time.as_secs_f64() * left as f64 / bytes as f64 / 2.0;
            Duration::try_from_secs_f64(seconds).unwrap_or(LOOK_MAX).clamp(LOOK_MIN, LOOK_MAX)
        }
        _ => LOOK_MIN,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_looked_at_more_often_the_sooner_it_may_be_full() {
        let second = Duration::from_secs(1);
        assert_eq!(pause(1 << 30, None), LOOK_MIN);
        assert_eq!(pause(1 << 20, Some((1 << 20, second))), second / 2);
        assert_eq!(pause(1 << 30, Some((1 << 20, second))), LOOK_MAX);
        assert_eq!(pause(1, Some((1 << 30, second))), LOOK_MIN);
        assert_eq!(pause(1 << 30, Some((0, second))), LOOK_MIN);
    }

    #[tokio::test]
    async fn both_streams_count_and_the_end_is_no_limit() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path().to_owned());
        let task = TaskId::new(1).unwrap();
        let files = outputs.prepare(task, 1, true).unwrap();
        let open = |path: &std::path::Path| std::fs::File::create(path).unwrap();
        let (mut out, mut err) = (open(&files.stdout), open(files.stderr.as_ref().unwrap()));
        let waiting = tokio::spawn({
            let outputs = outputs.clone();
            async move { outputs.reaches(task, 1, true, 10).await }
        });
        out.write_all(b"12345").unwrap();
        tokio::task::yield_now().await;
        err.write_all(b"67890").unwrap();
        assert_eq!(waiting.await.unwrap(), 10);
        outputs.seal(task, 1, true).unwrap();
        let over = outputs.reaches(task, 1, true, 1);
        tokio::select! {
            biased;
            _ = over => panic!("an attempt that has ended writes nothing"),
            () = tokio::task::yield_now() => {}
        }
    }
}
