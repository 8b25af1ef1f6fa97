//! The terminal that somebody sits at, in a mode in which every key goes through.

use std::io::{self, IsTerminal as _};

use nix::libc;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use crate::domain::input::Size;

/// Returns whether somebody sits at a terminal: it is what is read, and what is written to.
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Returns how large the terminal is; `None` if it does not say.
///
/// Source: ioctl_tty(2).
pub fn size() -> Option<Size> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ fills in the structure it is given, which lives until the call returns.
    let result = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_row > 0 && size.ws_col > 0).then_some(Size { rows: size.ws_row, columns: size.ws_col })
}

/// The terminal while every key goes through. It is as it was when this is dropped, however that comes about.
#[derive(Debug)]
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// Lets every key through from now on.
    pub fn begin() -> io::Result<Self> {
        let raw = Self { before: tcgetattr(io::stdin())? };
        raw.again()?;
        Ok(raw)
    }

    /// Does so once more: whoever had the terminal in between may have set it back.
    pub fn again(&self) -> io::Result<()> {
        let mut modes = self.before.clone();
        cfmakeraw(&mut modes);
        Ok(tcsetattr(io::stdin(), SetArg::TCSANOW, &modes)?)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // What was typed and not read is not for whoever reads next. A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.before);
    }
}
