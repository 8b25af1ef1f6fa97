//! What `doctor` found: a line for each thing, and below what is not right a line that says what to do.

use anstyle::{AnsiColor, Style};

use crate::cli::doctor::{Check, Standing};
use crate::cli::render::counted;
use crate::cli::render::sheet::Sheet;
use crate::domain::text::neutralize;

/// Returns the lines, none wider than `width`; above them, `with_heading`, how many there are of each kind.
pub fn report(checks: &[&Check], with_heading: bool, width: Option<usize>) -> String {
    let mut sheet = Sheet::new();
    if with_heading {
        sheet.heading("doctor", summary(checks));
    }
    for check in checks {
        let (word, style) = match check.standing {
            Standing::Fine => ("ok", AnsiColor::Green.on_default()),
            Standing::Warning => ("warning", AnsiColor::Yellow.on_default()),
            Standing::Wrong => ("wrong", AnsiColor::Red.on_default()),
        };
        let style: Style = style;
        sheet.fact(check.name, format!("{style}{word}{style:#}: {}", neutralize(&check.message)));
        if let Some(hint) = &check.hint {
            sheet.item(format!("hint: {}", neutralize(hint)));
        }
    }
    sheet.draw(width)
}

fn summary(checks: &[&Check]) -> String {
    let count = |standing| checks.iter().filter(|check| check.standing == standing).count() as u64;
    match (count(Standing::Wrong), count(Standing::Warning)) {
        (0, 0) => "all is well".to_owned(),
        (0, warnings) => counted(warnings, "warning"),
        (wrong, 0) => counted(wrong, "problem"),
        (wrong, warnings) => format!("{}, {}", counted(wrong, "problem"), counted(warnings, "warning")),
    }
}
