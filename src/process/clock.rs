//! Timers of the kernel: one that notices jumps of the wall clock (somebody sets it, or the machine wakes up), and one that
//! wakes once, at the moment it was set to. The runtime's own timers wake up on the way as well.

use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::pin::Pin;
use std::time::Duration;

use nix::libc;
use tokio::io::unix::AsyncFd;

use crate::domain::time::Moment;

/// Watches the wall clock, by a timer that never runs out and is cancelled by every jump.
///
/// Source: timerfd_create(2), `TFD_TIMER_CANCEL_ON_SET`.
#[derive(Debug)]
pub struct ClockWatch(AsyncFd<OwnedFd>);

impl ClockWatch {
    /// Begins to watch. Must be called within a runtime.
    ///
    /// Errors: why the kernel gives no such timer.
    pub fn new() -> io::Result<Self> {
        let watch = Self(timer(libc::CLOCK_REALTIME)?);
        watch.arm()?;
        Ok(watch)
    }

    fn arm(&self) -> io::Result<()> {
        let never = libc::timespec { tv_sec: i64::MAX, tv_nsec: 0 };
        set(&self.0, libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET, never)
    }

    /// Resolves when the clock has jumped.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn jumped(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(has_run_out) {
                Err(_would_block) => {}
                Ok(Ok(())) => return self.arm(),
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ECANCELED) => return self.arm(),
                Ok(Err(error)) => return Err(error),
            }
        }
    }
}

/// Wakes at moments of the clock that stands still while the machine sleeps, [`monotonic_now`](super::monotonic_now).
#[derive(Debug)]
pub struct Alarm {
    timer: AsyncFd<OwnedFd>,
    /// What it is set to.
    at: Option<Moment>,
}

impl Alarm {
    /// Makes one that is not set. Must be called within a runtime.
    ///
    /// Errors: why the kernel gives no such timer.
    pub fn new() -> io::Result<Self> {
        Ok(Self { timer: timer(libc::CLOCK_MONOTONIC)?, at: None })
    }

    async fn wait(&mut self, at: Option<Moment>) -> io::Result<()> {
        if self.at != at {
            // All zero is never; timerfd_settime(2).
            let ms = at.map_or(0, |at| at.0.max(1));
            let seconds = libc::time_t::try_from(ms / 1_000).unwrap_or(libc::time_t::MAX);
            let rest = libc::c_long::try_from(ms % 1_000).unwrap_or(0) * 1_000_000;
            set(&self.timer, libc::TFD_TIMER_ABSTIME, libc::timespec { tv_sec: seconds, tv_nsec: rest })?;
            self.at = at;
        }
        loop {
            let mut ready = self.timer.readable().await?;
            if let Ok(answer) = ready.try_io(has_run_out) {
                self.at = None;
                return answer;
            }
        }
    }
}

impl crate::link::machine::Alarm for Alarm {
    fn until(&mut self, at: Option<Moment>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if self.wait(at).await.is_err() {
                // Waking too often is better than never again.
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        })
    }
}

/// How long to wait where the kernel's timer fails, which none has been seen to.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

fn timer(clock: libc::clockid_t) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the call makes a descriptor or fails.
    let timer = unsafe {
        let fd = libc::timerfd_create(clock, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    // SAFETY: the descriptor is owned by what is handed over, and is closed with it.
    Ok(unsafe { AsyncFd::register(timer) }?)
}

fn set(timer: &AsyncFd<OwnedFd>, flags: libc::c_int, at: libc::timespec) -> io::Result<()> {
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let at = libc::itimerspec { it_interval: zero, it_value: at };
    // SAFETY: `at` is valid for the call, and nothing is asked back.
    match unsafe { libc::timerfd_settime(timer.as_raw_fd(), flags, &raw const at, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns whether a timer has run out, which is heard once; `WouldBlock` if it has not.
fn has_run_out(timer: &AsyncFd<OwnedFd>) -> io::Result<()> {
    let mut count = 0_u64;
    // SAFETY: a timer is read as eight bytes, and `count` has room for them.
    match unsafe { libc::read(timer.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::machine::Alarm as _;
    use crate::process::monotonic_now;

    #[tokio::test]
    async fn an_alarm_wakes_at_the_moment_it_was_set_to_last() {
        let mut alarm = Alarm::new().unwrap();
        let now = monotonic_now();
        let soon = now + Duration::from_millis(20);
        tokio::select! {
            () = alarm.until(Some(now + Duration::from_secs(3600))) => panic!("an hour is not over"),
            () = tokio::task::yield_now() => {}
        }
        alarm.until(Some(soon)).await;
        assert!(monotonic_now() >= soon);
        // What is over is told at once, and one that rang can be set to the same moment again.
        alarm.until(Some(soon)).await;
        alarm.until(Some(Moment(0))).await;
        let never = tokio::time::timeout(Duration::from_millis(20), alarm.until(None)).await;
        assert!(never.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_nobody_sets_tells_nothing() {
        let watch = ClockWatch::new().unwrap();
        let jumped = tokio::time::timeout(Duration::from_secs(3600), watch.jumped()).await;
        assert!(jumped.is_err(), "{jumped:?}");
    }
}
