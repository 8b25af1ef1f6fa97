//! The whole terminal for as long as something is watched on it: what stood there before comes back on every way out.

use std::io::{self, Write as _};

use anstream::AutoStream;

use crate::cli::error::Failure;
use crate::cli::render::wrap::columns;
use crate::cli::ui::{Target, Ui, written};

/// Another page than the one that the shell writes on, and no cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The terminal, taken until this is dropped.
pub struct Page {
    has_color: bool,
}

impl Page {
    /// Takes the terminal.
    pub fn open(ui: &Ui) -> Result<Self, Failure> {
        let page = Self { has_color: ui.has_color(Target::Stdout) };
        page.write(ENTER)?;
        Ok(page)
    }

    /// Draws lines from the top down. What there is no room for is counted in the last line.
    pub fn draw(&self, text: &str) -> Result<(), Failure> {
        let (width, height) = size().unwrap_or((80, 24));
        let lines: Vec<&str> = text.lines().collect();
        // A line that is too wide goes on in the next ones.
        let rows = |line: &str| columns(&anstream::adapter::strip_str(line).to_string()).max(1).div_ceil(width.max(1));
        let (mut shown, mut used) = (0, 0);
        while let Some(line) = lines.get(shown) {
            let room = if shown + 1 == lines.len() { height } else { height.saturating_sub(1) };
            if used + rows(line) > room {
                break;
            }
            used += rows(line);
            shown += 1;
        }
        let mut page = String::from("\x1b[H");
        for line in &lines[..shown] {
            page.push_str(line);
            page.push_str("\x1b[K\r\n");
        }
        match lines.len() - shown {
            // The last line end would move all of it up by one.
            0 => page.truncate(page.len() - if shown > 0 { 2 } else { 0 }),
            more => page.push_str(&format!("… {more} more\x1b[K")),
        }
        page.push_str("\x1b[J");
        self.write(&page)
    }

    /// Gives the terminal back, stops as the shell asked for, and takes it again when it goes on.
    pub fn suspend(&mut self) -> Result<(), Failure> {
        self.write(LEAVE)?;
        // Returns when the process goes on.
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP);
        self.write(ENTER)
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        let stdout = io::stdout().lock();
        if self.has_color {
            let mut stdout = stdout;
            return written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
        }
        // What moves the cursor stays; colours go.
        let plain = without_colors(text);
        let mut stdout = AutoStream::always_ansi(stdout);
        written(stdout.write_all(plain.as_bytes()).and_then(|()| stdout.flush()))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // The terminal may have gone.
        let _ = self.write(LEAVE);
    }
}

/// Takes away what sets colours: escapes that end with an `m`.
fn without_colors(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\x1b[") {
        plain.push_str(&rest[..at]);
        let escape = &rest[at..];
        let end = escape[2..].find(|c: char| c.is_ascii_alphabetic()).map_or(escape.len(), |end| end + 3);
        if !escape[..end].ends_with('m') {
            plain.push_str(&escape[..end]);
        }
        rest = &escape[end..];
    }
    plain + rest
}

/// Returns columns and lines of the terminal.
///
/// Source: ioctl_tty(2).
fn size() -> Option<(usize, usize)> {
    let mut size = nix::libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ fills in the structure it is given, which lives until the call returns.
    let result = unsafe { nix::libc::ioctl(nix::libc::STDOUT_FILENO, nix::libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col.into(), size.ws_row.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_what_moves_the_cursor_stays() {
        assert_eq!(without_colors("\x1b[H\x1b[1mID\x1b[0m\x1b[K\r\n漢\x1b[J"), "\x1b[HID\x1b[K\r\n漢\x1b[J");
        assert_eq!(without_colors("\x1b[?25l"), "\x1b[?25l");
    }
}
