//! Notices jumps of the wall clock: somebody sets it, or the machine wakes up.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::libc;
use tokio::io::unix::AsyncFd;

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
        // SAFETY: the call makes a descriptor or fails.
        let timer = unsafe {
            let fd = libc::timerfd_create(libc::CLOCK_REALTIME, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        // SAFETY: the descriptor is owned by what is handed over, and is closed with it.
        let watch = Self(unsafe { AsyncFd::register(timer) }?);
        watch.arm()?;
        Ok(watch)
    }

    fn arm(&self) -> io::Result<()> {
        let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let never = libc::itimerspec { it_interval: zero, it_value: libc::timespec { tv_sec: i64::MAX, tv_nsec: 0 } };
        let flags = libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET;
        // SAFETY: `never` is valid for the call, and nothing is asked back.
        match unsafe { libc::timerfd_settime(self.0.as_raw_fd(), flags, &raw const never, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Resolves when the clock has jumped.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn jumped(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let answer = ready.try_io(|timer| {
                let mut count = 0_u64;
                // SAFETY: a timer is read as eight bytes, and `count` has room for them.
                match unsafe { libc::read(timer.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) } {
                    0.. => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            });
            match answer {
                Err(_would_block) => {}
                Ok(Ok(())) => return self.arm(),
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ECANCELED) => return self.arm(),
                Ok(Err(error)) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_nobody_sets_tells_nothing() {
        let watch = ClockWatch::new().unwrap();
        let jumped = tokio::time::timeout(Duration::from_secs(3600), watch.jumped()).await;
        assert!(jumped.is_err(), "{jumped:?}");
    }
}
