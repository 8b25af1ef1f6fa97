//! What is on the screen of a task's terminal, made out from what was written to it.

use std::panic::{self, AssertUnwindSafe};

use vt100::{MouseProtocolMode, Parser};

use crate::domain::input::Size;

/// The emulator knows no smaller terminal than one of so many lines and columns.
const SIDE_MIN: u16 = 2;

/// A terminal that nobody sees.
pub struct Screen(Parser);

impl Screen {
    /// Makes an empty one.
    pub fn new(size: Size) -> Self {
        Self(Parser::new(size.rows.max(SIDE_MIN), size.columns.max(SIDE_MIN), 0))
    }

    /// Takes in what is written to it. What it cannot make out leaves it empty.
    pub fn write(&mut self, bytes: &[u8]) {
        // A task may write whatever it likes, and whoever looks at it must not end by that. Nor is anything said of it in
        // the middle of what is on the screen.
        let said = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let done = panic::catch_unwind(AssertUnwindSafe(|| self.0.process(bytes)));
        panic::set_hook(said);
        if done.is_err() {
            let (rows, columns) = self.0.screen().size();
            self.0 = Parser::new(rows, columns, 0);
        }
    }

    /// Gives it another size.
    pub fn resize(&mut self, size: Size) {
        self.0.screen_mut().set_size(size.rows.max(SIDE_MIN), size.columns.max(SIDE_MIN));
    }

    /// Returns what makes a real terminal of `size` look like it. What that showed before is pushed up.
    pub fn draw(&self, size: Size) -> Vec<u8> {
        let screen = self.0.screen();
        let mut bytes = b"\x1b[m".to_vec();
        if screen.alternate_screen() {
            bytes.extend(b"\x1b[?1049h");
        } else {
            bytes.extend(format!("\x1b[{};1H", size.rows).as_bytes());
            bytes.extend(b"\n".repeat(size.rows.into()));
        }
        bytes.extend(screen.state_formatted());
        bytes
    }

    /// Returns what takes back what a task has changed about the terminal, so that whoever has it next finds it as usual.
    pub fn reset(&self) -> Vec<u8> {
        let screen = self.0.screen();
        let mut text = "\x1b[m".to_owned();
        if screen.mouse_protocol_mode() != MouseProtocolMode::None {
            text.push_str("\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l");
        }
        if screen.bracketed_paste() {
            text.push_str("\x1b[?2004l");
        }
        if screen.application_cursor() {
            text.push_str("\x1b[?1l");
        }
        if screen.application_keypad() {
            text.push_str("\x1b>");
        }
        if screen.hide_cursor() {
            text.push_str("\x1b[?25h");
        }
        if screen.alternate_screen() {
            text.push_str("\x1b[?1049l");
            return text.into_bytes();
        }
        // What is told next comes below all that is there.
        let (_, columns) = screen.size();
        let last =
            screen.rows(0, columns).enumerate().filter(|(_, row)| !row.trim().is_empty()).map(|(at, _)| at).last();
        let (row, column) = screen.cursor_position();
        match last {
            Some(last) if last > usize::from(row) => text.push_str(&format!("\x1b[{};1H\r\n", last + 1)),
            _ if column > 0 => text.push_str("\r\n"),
            _ => text.push('\r'),
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { rows: 4, columns: 20 };

    fn screen(bytes: &[u8]) -> Screen {
        let mut screen = Screen::new(SIZE);
        screen.write(bytes);
        screen
    }

    /// Draws one on another, which must then look the same.
    fn drawn(bytes: &[u8]) -> (String, String, Screen) {
        let (from, mut to) = (screen(bytes), screen(b"$ apex task attach 1\r\n"));
        to.write(&from.draw(SIZE));
        (from.0.screen().contents(), to.0.screen().contents(), to)
    }

    #[test]
    fn what_was_written_is_drawn() {
        for bytes in [
            &b"one\r\ntwo"[..],
            b"\x1b[31mred\x1b[m and \x1b[1mbold\x1b[m",
            b"1\r\n2\r\n3\r\n4\r\n5\r\n6",
            b"\x1b[?1049h\x1b[2;5Hfull screen\x1b[?25l",
            b"torn \x1b[3",
        ] {
            let (from, to, screen) = drawn(bytes);
            assert_eq!(from, to, "{bytes:?}");
            assert_eq!(screen.0.screen().alternate_screen(), bytes.starts_with(b"\x1b[?1049h"));
        }
    }

    #[test]
    fn what_was_changed_is_taken_back() {
        let mut changed = screen(b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1h\x1b=\x1b[?1002h\x1b[31mx");
        let reset = changed.reset();
        changed.write(&reset);
        let after = changed.0.screen();
        assert!(!after.alternate_screen() && !after.hide_cursor() && !after.bracketed_paste());
        assert!(!after.application_cursor() && !after.application_keypad());
        assert_eq!(after.mouse_protocol_mode(), MouseProtocolMode::None);
        assert_eq!(screen(b"plain\r\n").reset(), b"\x1b[m\r");
        assert_eq!(screen(b"half a line").reset(), b"\x1b[m\r\n");
        assert_eq!(screen(b"1\r\n2\r\n3\x1b[H").reset(), b"\x1b[m\x1b[3;1H\r\n", "it comes below what is there");
    }

    #[test]
    fn it_takes_another_size() {
        let mut screen = screen(b"one\r\ntwo");
        screen.resize(Size { rows: 10, columns: 40 });
        assert_eq!(screen.0.screen().contents(), "one\ntwo");
        Screen::new(Size { rows: 0, columns: 0 }).write(b"no size at all");
    }
}
