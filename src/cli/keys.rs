//! The keys that leave a terminal, found among what is typed.

/// What detaches unless something else is said: one key, which programs have little use for.
pub const DETACH_KEYS: &str = "ctrl-\\";

/// The longest row of keys.
const KEYS_MAX: usize = 8;

/// Keys that are typed one after the other, as the bytes they give; none if nothing detaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys {
    bytes: Vec<u8>,
    name: String,
}

/// Why keys cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// There is no such key.
    #[error(
        "keys are `ctrl-a` to `ctrl-z`, `ctrl-` and one of `@[\\]^_`, and single characters, with commas, or `none`"
    )]
    Key,
    /// Too many.
    #[error("at most {KEYS_MAX} keys in a row")]
    Many,
}

impl Keys {
    /// Reads keys as they are typed on the command line.
    pub fn parse(text: &str) -> Result<Self, InvalidKeys> {
        if text == "none" {
            return Ok(Self { bytes: Vec::new(), name: text.to_owned() });
        }
        let bytes = text.split(',').map(key).collect::<Option<Vec<u8>>>().ok_or(InvalidKeys::Key)?;
        if bytes.len() > KEYS_MAX {
            return Err(InvalidKeys::Many);
        }
        Ok(Self { bytes, name: text.to_owned() })
    }

    /// Returns how they are told to people; `None` if nothing detaches.
    pub fn name(&self) -> Option<&str> {
        (!self.bytes.is_empty()).then_some(self.name.as_str())
    }
}

fn key(name: &str) -> Option<u8> {
    let lower = name.to_ascii_lowercase();
    match (lower.strip_prefix("ctrl-"), name.as_bytes()) {
        (Some(key), _) => match key.as_bytes() {
            [letter @ b'a'..=b'z'] => Some(letter - b'a' + 1),
            [sign @ (b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] => Some(sign - b'@'),
            _ => None,
        },
        (None, [character @ 0x20..=0x7e]) => Some(*character),
        _ => None,
    }
}

/// Looks for the keys among what is typed.
#[derive(Debug)]
pub struct Scanner {
    keys: Vec<u8>,
    /// So many of them were typed last, and are kept back.
    matched: usize,
}

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed {
    /// What goes to the task.
    pub bytes: Vec<u8>,
    /// Then the keys were typed.
    pub detached: bool,
}

impl Scanner {
    /// Looks for these keys.
    pub fn new(keys: &Keys) -> Self {
        Self { keys: keys.bytes.clone(), matched: 0 }
    }

    /// Takes in what is typed.
    pub fn pass(&mut self, typed: &[u8]) -> Typed {
        let mut bytes = Vec::with_capacity(typed.len() + self.matched);
        for byte in typed {
            loop {
                if self.keys.get(self.matched) == Some(byte) {
                    self.matched += 1;
                    if self.matched == self.keys.len() {
                        self.matched = 0;
                        return Typed { bytes, detached: true };
                    }
                    break;
                }
                if self.matched == 0 {
                    bytes.push(*byte);
                    break;
                }
                // The first one kept back goes on; what follows may begin the row anew.
                let kept = self.keys[..self.matched].to_vec();
                bytes.push(kept[0]);
                self.matched = (0..kept.len())
                    .rev()
                    .find(|length| kept[kept.len() - length..] == self.keys[..*length])
                    .unwrap_or(0);
                bytes.extend(&kept[1..kept.len() - self.matched]);
            }
        }
        Typed { bytes, detached: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Keys {
        Keys::parse(text).unwrap()
    }

    fn typed(bytes: &[u8], detached: bool) -> Typed {
        Typed { bytes: bytes.to_vec(), detached }
    }

    #[test]
    fn keys_are_read() {
        assert_eq!(keys(DETACH_KEYS).bytes, [0x1c]);
        assert_eq!(keys("ctrl-p,ctrl-Q").bytes, [16, 17]);
        assert_eq!(keys("ctrl-a,d").bytes, [1, b'd']);
        assert_eq!((keys("none").bytes.len(), keys("none").name()), (0, None));
        assert_eq!(keys("ctrl-p,ctrl-q").name(), Some("ctrl-p,ctrl-q"));
        for wrong in ["", "ctrl-", "ctrl-1", "alt-x", "ü", "ab", "ctrl-p,"] {
            assert_eq!(Keys::parse(wrong), Err(InvalidKeys::Key), "{wrong:?}");
        }
        assert_eq!(Keys::parse("a,a,a,a,a,a,a,a,a"), Err(InvalidKeys::Many));
    }

    #[test]
    fn one_key_detaches_at_once() {
        let mut scanner = Scanner::new(&keys(DETACH_KEYS));
        assert_eq!(scanner.pass(b"abc"), typed(b"abc", false));
        assert_eq!(scanner.pass(b"d\x1ce"), typed(b"d", true));
        let mut never = Scanner::new(&keys("none"));
        assert_eq!(never.pass(b"d\x1ce"), typed(b"d\x1ce", false));
    }

    #[test]
    fn what_only_begins_like_the_keys_is_passed_on() {
        let mut scanner = Scanner::new(&keys("a,a,b"));
        assert_eq!(scanner.pass(b"a"), typed(b"", false));
        assert_eq!(scanner.pass(b"x"), typed(b"ax", false));
        assert_eq!(scanner.pass(b"aaab"), typed(b"a", true));
        assert_eq!(scanner.pass(b"aaa"), typed(b"a", false));
        assert_eq!(scanner.pass(b"b"), typed(b"", true));
        let mut docker = Scanner::new(&keys("ctrl-p,ctrl-q"));
        assert_eq!(docker.pass(b"\x10"), typed(b"", false));
        assert_eq!(docker.pass(b"\x10"), typed(b"\x10", false));
        assert_eq!(docker.pass(b"\x11"), typed(b"", true));
    }
}
