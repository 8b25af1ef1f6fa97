//! The program: `apex`, or `apexd` by the name it is called by.
//!
//! On Linux it begins where the C library does, with what it needs of what Rust's own beginning does. The rest is reading
//! `/proc/self/maps` to find the end of the stack, and preparing another one for saying that the end was reached: a tenth
//! of what an add costs. A process that recurses for ever dies by SIGSEGV without it too, and the guardian tells so.

#![cfg_attr(all(target_os = "linux", target_env = "gnu", not(test)), no_main)]

#[cfg(not(all(target_os = "linux", target_env = "gnu", not(test))))]
fn main() {
    std::process::exit(apex::main(std::env::args_os().collect()))
}

#[cfg(all(target_os = "linux", target_env = "gnu", not(test)))]
mod start {
    use std::ffi::{c_char, c_int};
    use std::fs::OpenOptions;
    use std::os::fd::{BorrowedFd, IntoRawFd};
    use std::panic::catch_unwind;

    use nix::fcntl::{FcntlArg, fcntl};
    use nix::sys::signal::{SigHandler, Signal, signal};

    /// What a program ends with that panicked.
    const PANICKED: c_int = 101;

    /// Where the C library begins. The words are in [`std::env::args_os`] already.
    #[unsafe(no_mangle)]
    extern "C" fn main(_count: c_int, _words: *const *const c_char) -> c_int {
        open_missing();
        // SAFETY: ignoring is no handler, so nothing can be called at a bad moment.
        let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
        let code = catch_unwind(|| apex::main(std::env::args_os().collect()));
        std::process::exit(code.unwrap_or(PANICKED))
    }

    /// Opens what is closed of standard input, output and error: the next file that is opened would be taken for it.
    fn open_missing() {
        for number in 0..=2 {
            // SAFETY: it is only asked whether it is open.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            if fcntl(descriptor, FcntlArg::F_GETFD).is_err() {
                // It gets the lowest number that is free, which is this one.
                let _ = OpenOptions::new().read(true).write(true).open("/dev/null").map(IntoRawFd::into_raw_fd);
            }
        }
    }
}
