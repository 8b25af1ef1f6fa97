//! The text of a systemd unit.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::cli::unit::Unspeakable;
use crate::cli::unit::template::fill;
use crate::domain::text::neutralize;

const TEMPLATE: &str = include_str!("../../../packaging/apex.service");

/// Returns the unit `name` that runs `binary` for the project at `root`.
///
/// Errors: [`Unspeakable::Program`].
pub(super) fn text(
    name: &str,
    binary: &Path,
    root: &Path,
    places: &[(&'static str, OsString)],
) -> Result<String, Unspeakable> {
    let path = binary.as_os_str().as_bytes();
    // Source: `string_is_safe` in systemd's basic/string-util.c; also seen with systemd 252.
    if path.iter().any(|byte| byte.is_ascii_control() || b"\"'\\".contains(byte)) {
        return Err(Unspeakable::Program(binary.display().to_string()));
    }
    Ok(fill(TEMPLATE, |word| match word {
        "name" => Some(name.to_owned()),
        "project" => Some(description(root)),
        // Variables are not looked for in the path of the program, so its `$` is not doubled.
        "binary" => Some(quoted(path, false)),
        "root" => Some(quoted(root.as_os_str().as_bytes(), true)),
        "places" => Some(places.iter().map(|(name, value)| assignment(name, value.as_bytes())).collect()),
        _ => None,
    }))
}

/// Returns a further line that sets a variable. One that systemd would not take is left out: it says nothing then.
///
/// Source: systemd.exec(5), "Environment="; what has control characters in it or is no UTF-8 is ignored there.
fn assignment(name: &str, value: &[u8]) -> String {
    let is_text = str::from_utf8(value).is_ok_and(|text| !text.contains(char::is_control));
    if !is_text {
        return String::new();
    }
    // Variables are not looked for here, so a `$` is not doubled.
    format!("\nEnvironment={}", quoted(&[name.as_bytes(), b"=", value].concat(), false))
}

/// Returns a word of a command line in double quotes.
///
/// Shape: `\` and `"` get a backslash, `%` (a specifier) is doubled, and `$` (a variable) too if `in_arguments`; what is
/// no printable text is written as `\xHH`.
/// Source: systemd.service(5), "Command lines"; systemd.syntax(7), "Quoting"; systemd.unit(5), "Specifiers".
fn quoted(bytes: &[u8], in_arguments: bool) -> String {
    let mut word = String::with_capacity(bytes.len() + 2);
    word.push('"');
    let escape = |word: &mut String, bytes: &[u8]| {
        for byte in bytes {
            write!(word, "\\x{byte:02x}").expect("writing to a String cannot fail");
        }
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => word.extend(['\\', c]),
                '%' => word.push_str("%%"),
                '$' if in_arguments => word.push_str("$$"),
                c if c.is_control() => escape(&mut word, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => word.push(c),
            }
        }
        escape(&mut word, chunk.invalid());
    }
    word.push('"');
    word
}

/// Returns the program that a unit of this text starts, if it stands there as [`text`] writes it.
pub(super) fn program_in(text: &str) -> Option<PathBuf> {
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=\""))?;
    let word = line.split('"').next()?;
    let (mut bytes, mut rest) = (Vec::with_capacity(word.len()), word.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let (byte, left) = match (first, after) {
            (b'%', [b'%', after @ ..]) => (b'%', after),
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                (u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?, after)
            }
            (byte, after) => (*byte, after),
        };
        bytes.push(byte);
        rest = left;
    }
    Some(PathBuf::from(OsString::from_vec(bytes)))
}

/// Returns a path for people. It may not stand at the end of a line: a backslash there would take in the next one.
fn description(root: &Path) -> String {
    neutralize(&root.to_string_lossy()).replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn the_unit_says_what_it_is_to_say() {
        let unit = text("apex-web-0.service", Path::new("/usr/bin/apex"), Path::new("/home/me/50% $x"), &[]).unwrap();
        insta::assert_snapshot!(unit, @r#"
        # Made by `apex daemon install`, which also brings it up to date. Settings of your own belong into what
        # `systemctl --user edit apex-web-0.service` opens.

        [Unit]
        Description=apex task daemon (/home/me/50%% $x)

        [Service]
        Type=notify
        NotifyAccess=main
        ExecStart="/usr/bin/apex" daemon run -C "/home/me/50%% $$x"
        ExecReload=/bin/kill -HUP $MAINPID
        UMask=0077

        # 78 says that no restart would help: another daemon is there, or the configuration is wrong.
        Restart=on-failure
        RestartSec=2
        RestartPreventExitStatus=78

        # It ends its tasks by itself. A grace that is longer than this is asked for while it goes on.
        KillMode=process
        TimeoutStopSec=90
        # A database may have to be looked through first.
        TimeoutStartSec=300

        # What one task does must not end the daemon and the other tasks.
        OOMPolicy=continue
        TasksMax=infinity
        # Each task has a control group of its own. systemd from 254 on starts the daemon beside these; an older one passes the
        # line over, and starts no new daemon while tasks with a limit of memory or processor time outlive a killed one.
        Delegate=yes
        DelegateSubgroup=apex
        # A user's systemd says this nowhere else.
        Environment=APEX_DELEGATED=yes

        [Install]
        WantedBy=default.target
        "#);
    }

    #[test]
    fn words_are_quoted_so_that_systemd_reads_them_as_they_were() {
        for (path, expected) in [
            (&b"/a b"[..], r#""/a b""#),
            (b"/50%", r#""/50%%""#),
            (b"/$HOME", r#""/$$HOME""#),
            (br#"/"a"\b"#, r#""/\"a\"\\b""#),
            (b"/it's", r#""/it's""#),
            ("/Größe".as_bytes(), r#""/Größe""#),
            (b"/a\nb\t\x7f", r#""/a\x0ab\x09\x7f""#),
            (b"/bad\xff", r#""/bad\xff""#),
            ("/\u{85}".as_bytes(), r#""/\xc2\x85""#),
        ] {
            assert_eq!(quoted(path, true), expected);
        }
        assert_eq!(quoted(b"/$a%", false), r#""/$a%%""#);
    }

    #[test]
    fn a_program_that_systemd_would_not_start_is_refused() {
        for path in ["/it's/apex", "/a\"b/apex", "/a\\b/apex", "/a\nb/apex"] {
            assert!(text("x", Path::new(path), Path::new("/p"), &[]).is_err(), "{path:?}");
        }
        assert!(text("x", Path::new(OsStr::from_bytes(b"/bad\xff %$/apex")), Path::new("/p"), &[]).is_ok());
    }

    #[test]
    fn where_the_users_files_are_is_taken_along() {
        let places = [
            ("XDG_CONFIG_HOME", "/home/me/50% \"$x\"".into()),
            ("XDG_STATE_HOME", "/s\n[Service]\nExecStart=/x".into()),
        ];
        let unit = text("x", Path::new("/apex"), Path::new("/p"), &places).unwrap();
        assert!(unit.contains("UMask=0077\nEnvironment=\"XDG_CONFIG_HOME=/home/me/50%% \\\"$x\\\"\"\n\n"), "{unit}");
        assert!(!unit.contains("STATE"), "{unit}");
    }

    #[test]
    fn the_program_is_read_as_it_was_written() {
        for path in [&b"/usr/bin/apex"[..], b"/50% $x/apex", b"/bad\xff/apex", "/Größe/apex".as_bytes()] {
            let path = Path::new(OsStr::from_bytes(path));
            let unit = text("x", path, Path::new("/p"), &[]).unwrap();
            assert_eq!(program_in(&unit).as_deref(), Some(path));
        }
        assert_eq!(program_in("[Service]\nExecStart=/usr/bin/apex daemon run\n"), None);
    }

    #[test]
    fn a_description_stays_on_its_line() {
        assert_eq!(description(Path::new("/50%\n[Service]\\")), "/50%%\\n[Service]\\");
    }
}
