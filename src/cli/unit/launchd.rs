//! The text of a launchd agent.

use std::path::Path;

use crate::cli::unit::Unspeakable;
use crate::cli::unit::template::fill;
use crate::paths::Project;

const TEMPLATE: &str = include_str!("../../../packaging/dev.apex.plist");

/// Returns the agent `name` that runs `binary` for the project.
///
/// Errors: [`Unspeakable::Text`].
pub(super) fn text(name: &str, binary: &Path, project: &Project) -> Result<String, Unspeakable> {
    let (binary, root, log) = (escaped(binary)?, escaped(project.root())?, escaped(&project.log_file())?);
    Ok(fill(TEMPLATE, |word| match word {
        "name" => Some(name.to_owned()),
        "binary" => Some(binary.clone()),
        "root" => Some(root.clone()),
        "log" => Some(log.clone()),
        _ => None,
    }))
}

/// Returns a path as the text of an XML element.
///
/// Source: Extensible Markup Language 1.0, 2.2 "Characters" and 2.4 "Character Data".
fn escaped(path: &Path) -> Result<String, Unspeakable> {
    let unspeakable = || Unspeakable::Text(path.display().to_string());
    let text = path.to_str().ok_or_else(unspeakable)?;
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(unspeakable());
    }
    Ok(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn the_agent_says_what_it_is_to_say() {
        let project = Project::new("/Users/me/R&D <x>");
        let agent = text("dev.apex.r-d-x-0", Path::new("/opt/apex"), &project).unwrap();
        insta::assert_snapshot!(agent, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
        <plist version="1.0">
        <dict>
          <key>Label</key>
          <string>dev.apex.r-d-x-0</string>
          <key>ProgramArguments</key>
          <array>
            <string>/opt/apex</string>
            <string>daemon</string>
            <string>run</string>
            <string>-C</string>
            <string>/Users/me/R&amp;D &lt;x&gt;</string>
          </array>
          <key>RunAtLoad</key>
          <true/>
          <key>KeepAlive</key>
          <dict>
            <key>SuccessfulExit</key>
            <false/>
          </dict>
          <key>ProcessType</key>
          <string>Background</string>
          <key>AbandonProcessGroup</key>
          <true/>
          <key>ExitTimeOut</key>
          <integer>600</integer>
          <key>Umask</key>
          <integer>63</integer>
          <key>StandardErrorPath</key>
          <string>/Users/me/R&amp;D &lt;x&gt;/.apex/daemon.log</string>
        </dict>
        </plist>
        "#);
    }

    #[test]
    fn what_is_no_text_of_xml_is_refused() {
        for path in [&b"/a\nb"[..], b"/a\x1b", b"/\xff", "/\u{ffff}".as_bytes()] {
            assert!(escaped(Path::new(OsStr::from_bytes(path))).is_err(), "{path:?}");
        }
        assert_eq!(escaped(Path::new("/ä \"'&amp;")).unwrap(), "/ä \"'&amp;amp;");
    }
}
