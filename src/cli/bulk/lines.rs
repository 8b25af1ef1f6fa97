//! Lines of a text that is never held as a whole.

use std::io::{self, BufRead};

/// Longest line, in bytes. What a process can be given as arguments and variables is shorter.
///
/// Source: execve(2): 2 MiB with the usual stack limit, of which a line may need more to write it down.
pub const LINE_BYTES_MAX: usize = 4 << 20;

/// Why a line cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is longer than a line may be; the rest of it was not read.
    #[error("longer than the {} MiB that a line may have", LINE_BYTES_MAX >> 20)]
    Long {
        /// Its number, from 1.
        line: u64,
    },
}

/// Reads line after line.
#[derive(Debug)]
pub struct Lines<R> {
    source: R,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Begins with the first line.
    pub fn of(source: R) -> Self {
        Self { source, buffer: Vec::new(), number: 0 }
    }

    /// Returns the next line that has something in it, without blanks at both ends, and its number from 1; `None` at the
    /// end. A line may end in `\r\n`, the last one in nothing, and a byte order mark before the first is passed over.
    pub fn next_line(&mut self) -> Result<Option<(u64, &[u8])>, Error> {
        loop {
            self.buffer.clear();
            if !self.read()? {
                return Ok(None);
            }
            self.number += 1;
            let mark: &[u8] = if self.number == 1 { b"\xef\xbb\xbf" } else { b"" };
            if !self.buffer.strip_prefix(mark).unwrap_or(&self.buffer).trim_ascii().is_empty() {
                let line = self.buffer.strip_prefix(mark).unwrap_or(&self.buffer);
                return Ok(Some((self.number, line.trim_ascii())));
            }
        }
    }

    /// Reads a line with its end into the buffer; `false` if there is none.
    fn read(&mut self) -> Result<bool, Error> {
        loop {
            let piece = match self.source.fill_buf() {
                Ok(piece) => piece,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if piece.is_empty() {
                return Ok(!self.buffer.is_empty());
            }
            let end = piece.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let taken = end.unwrap_or(piece.len());
            if self.buffer.len() + taken > LINE_BYTES_MAX {
                return Err(Error::Long { line: self.number + 1 });
            }
            self.buffer.extend_from_slice(&piece[..taken]);
            self.source.consume(taken);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<(u64, String)> {
        // A small buffer, so that lines are put together of pieces.
        let mut lines = Lines::of(io::BufReader::with_capacity(3, text));
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next_line().unwrap() {
            found.push((number, String::from_utf8(line.to_vec()).unwrap()));
        }
        found
    }

    #[test]
    fn every_sort_of_end_is_one() {
        let expected =
            |lines: &[(u64, &str)]| lines.iter().map(|(n, line)| (*n, (*line).to_owned())).collect::<Vec<_>>();
        assert_eq!(all(b""), []);
        assert_eq!(all(b"\n \r\n\t\n"), []);
        assert_eq!(all(b"one\ntwo"), expected(&[(1, "one"), (2, "two")]));
        assert_eq!(all(b"\xef\xbb\xbfone\r\n\r\n  two  \r\n"), expected(&[(1, "one"), (3, "two")]));
        assert_eq!(all(b"\xef\xbb\xbf\nx"), expected(&[(2, "x")]));
    }

    #[test]
    fn a_long_line_is_not_read_to_its_end() {
        struct Endless;
        impl io::Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                buffer.fill(b'x');
                Ok(buffer.len())
            }
        }
        let text = io::Read::chain(&b"short\n"[..], Endless);
        let mut lines = Lines::of(io::BufReader::new(text));
        assert_eq!(lines.next_line().unwrap(), Some((1, &b"short"[..])));
        let error = lines.next_line().unwrap_err();
        assert!(matches!(error, Error::Long { line: 2 }), "{error:?}");
        assert_eq!(error.to_string(), "longer than the 4 MiB that a line may have");
    }
}
