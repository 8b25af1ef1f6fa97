//! Globs as SQLite's GLOB operator reads them, for backends that are not SQLite.

/// Returns whether `text` matches `pattern`.
///
/// Shape: `*` is anything, `?` one character, `[a-z]` one of a set, `[^a-z]` one not in it; `]` first in a set stands for
/// itself; a set that is not closed matches nothing.
/// Source: sqlite.org/lang_expr.html, "The LIKE, GLOB, REGEXP, MATCH, and extract operators".
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where to go on if what follows the last `*` does not fit: that star, and the first place it has not swallowed.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&'*') {
            p += 1;
            star = Some((p, t));
            continue;
        }
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(_), Some(c)) => one(&pattern[p..], *c),
            _ => None,
        };
        if let Some(used) = step {
            p += used;
            t += 1;
        } else if let Some((after, from)) = star.filter(|(_, from)| *from < text.len()) {
            star = Some((after, from + 1));
            (p, t) = (after, from + 1);
        } else {
            return false;
        }
    }
}

/// Returns how much of `pattern` matches `c`, which is not a star; `None` if it does not match.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern[0] {
        '?' => Some(1),
        '[' => set(pattern, c),
        other => (other == c).then_some(1),
    }
}

fn set(pattern: &[char], c: char) -> Option<usize> {
    let mut at = 1;
    let negated = pattern.get(at) == Some(&'^');
    if negated {
        at += 1;
    }
    let mut seen = false;
    let mut low: Option<char> = None;
    if pattern.get(at) == Some(&']') {
        seen = c == ']';
        at += 1;
    }
    loop {
        let now = *pattern.get(at)?;
        if now == ']' {
            return (seen != negated).then_some(at + 1);
        }
        let high = pattern.get(at + 1).filter(|next| **next != ']');
        if let (Some(from), '-', Some(to)) = (low, now, high) {
            seen |= (from..=*to).contains(&c);
            low = None;
            at += 2;
        } else {
            seen |= now == c;
            low = Some(now);
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_as_people_write_them() {
        for (pattern, text) in
            [("*", ""), ("a*c", "abbc"), ("?", "ä"), ("[a-c]x", "bx"), ("[^a]", "b"), ("*.rs", "a.rs")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "A"), ("?", ""), ("[a", "a"), ("a*c", "acb"), ("[^a]", "a"), ("", "x")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn sqlite_agrees(pattern in "[ab*?\\[\\]^c-]{0,8}", text in "[abc\\]^-]{0,6}") {
            let db = rusqlite::Connection::open_in_memory().unwrap();
            let theirs: bool = db.query_row("SELECT ?2 GLOB ?1", [&pattern, &text], |row| row.get(0)).unwrap();
            proptest::prop_assert_eq!(matches(&pattern, &text), theirs);
        }
    }
}
