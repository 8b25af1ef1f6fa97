//! Signals to the guardian itself.

use std::io;

use nix::libc::{self, c_int};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The last signal there is on Linux.
const SIGNAL_MAX: c_int = 64;

/// Returns the signals that this process ignores.
pub(super) fn ignored() -> Vec<c_int> {
    (1..=SIGNAL_MAX).filter(|signal| is_ignored(*signal)).collect()
}

/// The kernel's structure, whose first word is the action; larger than on any architecture, and all zeros is the
/// default action. The C library's own call is of no use: it refuses the two signals that it keeps for itself, and
/// whoever started us may have ignored these too.
///
/// Source: rt_sigaction(2), "C library/kernel differences".
type Action = [usize; 16];

/// The size of the kernel's signal set, in bytes.
const SET_BYTES: usize = 8;

fn is_ignored(signal: c_int) -> bool {
    let mut action: Action = [0; 16];
    let none = std::ptr::null::<Action>();
    // SAFETY: the answer has room, and nothing is changed.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, none, &raw mut action, SET_BYTES) };
    result == 0 && action[0] == libc::SIG_IGN
}

/// Gives a signal that was ignored its default action. Async-signal-safe.
pub(super) fn set_default(signal: c_int) {
    let action: Action = [0; 16];
    let none = std::ptr::null_mut::<Action>();
    // SAFETY: a valid action; no handler is lost, since there was none.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, none, SET_BYTES) };
}

/// Takes back what was inherited from whoever started this process: ignored signals and the mask. With SIGCHLD ignored
/// every exit status would be lost. SIGPIPE stays ignored, which is Rust's own doing.
pub(super) fn reset() -> io::Result<()> {
    reset_to(&SigSet::empty())
}

fn reset_to(mask: &SigSet) -> io::Result<()> {
    for signal in ignored().into_iter().filter(|signal| *signal != libc::SIGPIPE) {
        set_default(signal);
    }
    Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(mask), None)?)
}

/// Resets like [`reset`], except that the signals the guardian listens to are blocked, and returns the descriptor that
/// tells them. One that is pending already is told, too.
pub(super) fn listen() -> io::Result<SignalFd> {
    let mut listened = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD] {
        listened.add(signal);
    }
    // First, so that there is no moment in which one of them would end this process.
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&listened), None)?;
    reset_to(&listened)?;
    Ok(SignalFd::with_flags(&listened, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}
