//! The environment of a task: what it takes over, what is set for it, and what is never stored.
//!
//! Values are in no message of this room.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::cli::error::Failure;
use crate::domain::error::ErrorKind;
use crate::domain::task::Environment;

/// Variables by name and value.
pub type Variables = Vec<(OsString, OsString)>;

/// What the flags of an add say about the environment.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `--env`, in order: `KEY=VALUE`, or `KEY` to take its value over.
    pub set: &'a [OsString],
    /// `--env-file`, in order.
    pub files: &'a [PathBuf],
    /// `--clean-env`.
    pub clean: bool,
}

/// Returns the environment of a task that is added by a process whose own environment is `ambient`: that without
/// variables named `APEX_*`, under the files, under what is set by hand. Later ones win, and keep the earlier place.
/// Names for which `is_excluded` holds are left out, wherever they come from, and returned beside it if they were asked
/// for by name.
///
/// Errors: a file that cannot be read or understood; a variable to take over that is not there; a name that is none.
pub fn collect(
    ambient: &[(OsString, OsString)],
    asked: Asked<'_>,
    is_excluded: impl Fn(&OsStr) -> bool,
) -> Result<(Environment, Vec<OsString>), Failure> {
    let mut variables = Variables::new();
    if !asked.clean {
        let kept = ambient.iter().filter(|(name, _)| !name.as_bytes().starts_with(b"APEX_") && !is_excluded(name));
        variables.extend(kept.cloned());
    }
    let mut by_hand = Variables::new();
    for file in asked.files {
        let text = std::fs::read(file)
            .map_err(|error| Failure::io(format!("cannot read the env file `{}`", file.display()), &error))?;
        by_hand.extend(parse_file(&text, file)?);
    }
    for pair in asked.set {
        by_hand.push(parse_flag(pair, ambient)?);
    }
    let mut left_out = Vec::new();
    for (name, value) in by_hand {
        if is_excluded(&name) {
            left_out.push(name);
        } else if let Some(known) = variables.iter_mut().find(|(known, _)| *known == name) {
            known.1 = value;
        } else {
            variables.push((name, value));
        }
    }
    let environment = Environment(variables);
    environment.check()?;
    Ok((environment, left_out))
}

fn parse_flag(pair: &OsStr, ambient: &[(OsString, OsString)]) -> Result<(OsString, OsString), Failure> {
    let bytes = pair.as_bytes();
    if let Some(at) = bytes.iter().position(|byte| *byte == b'=') {
        let (name, value) = (&bytes[..at], &bytes[at + 1..]);
        return Ok((OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(value).to_owned()));
    }
    let found = ambient.iter().find(|(name, _)| name == pair).cloned();
    found.ok_or_else(|| {
        let name = pair.to_string_lossy();
        Failure::usage(format!("cannot take variable `{name}` over: it is not set here"))
            .with_hint(format!("set it with `--env {name}=VALUE`"))
    })
}

/// Reads an env file: a `KEY=VALUE` a line, with or without `export` before it; lines that are empty or begin with `#`
/// do not count. A value may stand in single quotes, as it is, or in double quotes, with `\n`, `\t`, `\"`, `\\` and
/// `\$`; without quotes it goes to the end of the line, blanks at both ends cut off.
///
/// Errors: name file and line; the line itself, which may hold a secret, is not repeated.
pub fn parse_file(text: &[u8], path: &Path) -> Result<Variables, Failure> {
    let mut variables = Variables::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let wrong = |fault: Fault| {
            let place = format!("env file `{}`, line {}", path.display(), index + 1);
            Failure::new(ErrorKind::Invalid, format!("{place}: {}", fault.in_words()))
        };
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let line = line.strip_prefix(b"export ").unwrap_or(line).trim_ascii_start();
        let at = line.iter().position(|byte| *byte == b'=').ok_or_else(|| wrong(Fault::NoEquals))?;
        let name = line[..at].trim_ascii_end();
        let is_name = |byte: &u8| byte.is_ascii_graphic() && !b"\"'`$\\".contains(byte);
        if name.is_empty() || !name.iter().all(is_name) {
            return Err(wrong(Fault::Name));
        }
        let value = parse_value(line[at + 1..].trim_ascii_start()).map_err(wrong)?;
        variables.push((OsString::from_vec(name.to_vec()), OsString::from_vec(value)));
    }
    Ok(variables)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NoEquals,
    Name,
    Quote,
    AfterQuote,
    Escape,
}

impl Fault {
    fn in_words(self) -> &'static str {
        match self {
            Self::NoEquals => "expected `KEY=VALUE`",
            Self::Name => "what stands before the `=` is no name of a variable",
            Self::Quote => "the quote is not closed on this line",
            Self::AfterQuote => "nothing but a comment may follow the closing quote",
            Self::Escape => "a `\\` in double quotes stands before `n`, `t`, `\"`, `\\` or `$`",
        }
    }
}

fn parse_value(text: &[u8]) -> Result<Vec<u8>, Fault> {
    let (value, rest) = match text.first() {
        Some(b'\'') => {
            let end = text[1..].iter().position(|byte| *byte == b'\'').ok_or(Fault::Quote)?;
            (text[1..=end].to_vec(), &text[end + 2..])
        }
        Some(b'"') => double_quoted(&text[1..])?,
        _ => return Ok(text.to_vec()),
    };
    let rest = rest.trim_ascii_start();
    if rest.is_empty() || rest.starts_with(b"#") { Ok(value) } else { Err(Fault::AfterQuote) }
}

/// Returns the value and what follows its closing quote.
fn double_quoted(text: &[u8]) -> Result<(Vec<u8>, &[u8]), Fault> {
    let mut value = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return Ok((value, &text[at + 1..])),
            b'\\' => {
                at += 1;
                value.push(match text.get(at).ok_or(Fault::Quote)? {
                    b'n' => b'\n',
                    b't' => b'\t',
                    literal @ (b'"' | b'\\' | b'$') => *literal,
                    _ => return Err(Fault::Escape),
                });
            }
            literal => value.push(*literal),
        }
        at += 1;
    }
    Err(Fault::Quote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn pairs(variables: &[(OsString, OsString)]) -> Vec<(String, String)> {
        variables.iter().map(|(k, v)| (k.to_string_lossy().into_owned(), v.to_string_lossy().into_owned())).collect()
    }

    fn parsed(text: &str) -> Vec<(String, String)> {
        pairs(&parse_file(text.as_bytes(), Path::new("vars")).unwrap())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn ambient() -> Variables {
        [("PATH", "/bin"), ("HOME", "/root"), ("APEX_TASK_ID", "7"), ("TOKEN", "planted")]
            .map(|(k, v)| (k.into(), v.into()))
            .to_vec()
    }

    #[test]
    fn every_form_of_a_line() {
        let text = "# comment\n\nA=1\n export B = two words \nC=\"x \\\"y\\\" \\\\ \\n\\t\\$\"\nD='as \\n is' # why\nE=\nF=a#b\nG=a=b\r\n";
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "x \"y\" \\ \n\t$"),
            ("D", "as \\n is"),
            ("E", ""),
            ("F", "a#b"),
            ("G", "a=b"),
        ];
        assert_eq!(parsed(text), expected.map(|(k, v)| pair(k, v)));
    }

    #[test]
    fn what_is_wrong_is_named_by_file_and_line_and_never_repeated() {
        for (line, part) in [
            ("planted", "KEY=VALUE"),
            ("=planted", "no name"),
            ("A B=planted", "no name"),
            ("A=\"planted", "not closed"),
            ("A='planted", "not closed"),
            ("A=\"planted\\", "not closed"),
            ("A='x' planted", "closing quote"),
            ("A=\"\\planted\"", "`\\`"),
        ] {
            let failure = parse_file(format!("# first\n{line}\n").as_bytes(), Path::new("vars")).unwrap_err();
            let message = failure.problem.message;
            assert!(message.starts_with("env file `vars`, line 2: ") && message.contains(part), "{line}: {message}");
            assert!(!message.contains("planted"), "{message}");
            assert_eq!(failure.exit, Exit::Refused);
        }
    }

    #[test]
    fn files_go_over_what_is_there_and_flags_over_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("vars");
        std::fs::write(&file, "HOME=/file\nFROM_FILE=1\nBOTH=file\n").unwrap();
        let set = ["BOTH=flag".into(), "APEX_X=given".into()];
        let asked = Asked { set: &set, files: std::slice::from_ref(&file), clean: false };
        let (env, left_out) = collect(&ambient(), asked, |_| false).unwrap();
        let expected = [
            ("PATH", "/bin"),
            ("HOME", "/file"),
            ("TOKEN", "planted"),
            ("FROM_FILE", "1"),
            ("BOTH", "flag"),
            ("APEX_X", "given"),
        ];
        assert_eq!(pairs(&env.0), expected.map(|(k, v)| pair(k, v)));
        assert!(left_out.is_empty());

        let set = ["PATH".into()];
        let (env, _) = collect(&ambient(), Asked { set: &set, files: &[], clean: true }, |_| false).unwrap();
        assert_eq!(pairs(&env.0), [pair("PATH", "/bin")]);
    }

    #[test]
    fn what_is_excluded_is_not_taken_and_said_if_it_was_asked_for() {
        let is_excluded = |name: &OsStr| name == "TOKEN";
        let none = Asked { set: &[], files: &[], clean: false };
        let (env, left_out) = collect(&ambient(), none, is_excluded).unwrap();
        assert_eq!(env.names(), ["PATH", "HOME"]);
        assert!(left_out.is_empty(), "nobody asked for it by name");
        let set = ["TOKEN=x".into()];
        let (env, left_out) = collect(&ambient(), Asked { set: &set, ..none }, is_excluded).unwrap();
        assert_eq!((env.names().len(), left_out), (2, vec!["TOKEN".into()]));
    }

    #[test]
    fn what_cannot_be_set_is_refused() {
        let refuse = |flag: &str| {
            let set = [flag.into()];
            collect(&ambient(), Asked { set: &set, files: &[], clean: false }, |_| false).unwrap_err()
        };
        assert!(refuse("MISSING").in_words().contains("`MISSING`"));
        assert_eq!(refuse("MISSING").exit, Exit::Usage);
        assert_eq!(refuse("=x").exit, Exit::Usage);
        let none = PathBuf::from("/nowhere/vars");
        let asked = Asked { set: &[], files: std::slice::from_ref(&none), clean: false };
        let failure = collect(&ambient(), asked, |_| false).unwrap_err();
        assert!(failure.in_words().contains("/nowhere/vars") && failure.exit == Exit::Refused, "{failure:?}");
    }
}
