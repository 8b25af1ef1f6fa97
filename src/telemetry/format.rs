//! What a line of the log looks like: `[2026-01-15T10:30:00.000Z] [INFO] message key=value`.
//!
//! An event is one line, whatever is in it: control and bidirectional characters, line ends included, are written as
//! escapes. A value that is empty or has white space, a quote, a backslash, `=` or an escape in it stands in double
//! quotes, with `\"` and `\\` for a quote and a backslash. Fields of the spans around an event follow its own.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::level::Level;
use crate::domain::text::{is_unsafe, neutralize};
use crate::domain::time::Timestamp;

/// Formats each event as one line.
pub struct Lines {
    clock: fn() -> Timestamp,
}

impl Lines {
    /// Makes a formatter that takes the time of an event from `clock`.
    pub fn new(clock: fn() -> Timestamp) -> Self {
        Self { clock }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let metadata = event.metadata();
        out.write_str(&head((self.clock)(), Level::from(*metadata.level())))?;
        out.write_str(&neutralize(&said.message))?;
        // Without a message the head's space is the one before the first field.
        let fields = if said.message.is_empty() { said.fields.trim_start() } else { &said.fields };
        out.write_str(fields)?;
        if !is_own(metadata.target()) {
            write!(out, " target={}", metadata.target())?;
        }
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>().filter(|fields| !fields.is_empty()) {
                write!(out, " {}", fields.trim_start())?;
            }
        }
        out.write_char('\n')
    }
}

/// Formats the fields of a span like those of an event.
pub struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, mut out: Writer<'w>, fields: R) -> fmt::Result {
        let mut said = Said::default();
        fields.record(&mut said);
        out.write_str(said.fields.trim_start())
    }
}

/// Returns a whole line, line end included, as an event with this message and no fields would be written.
pub fn line(at: Timestamp, level: Level, message: &str) -> String {
    let mut line = head(at, level);
    line.push_str(&neutralize(message));
    line.push('\n');
    line
}

/// Returns whether events of this target are apex's own, not those of a crate below.
pub fn is_own(target: &str) -> bool {
    target.strip_prefix("apex").is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns what the machine's clock says.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Instants that no calendar has (after the year 9999) are shown as 1970.
fn head(at: Timestamp, level: Level) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    format!("[{at:.3}] [{}] ", level.label())
}

/// The message of an event and its other fields, the latter formatted, each with a space before it.
#[derive(Default)]
struct Said {
    message: String,
    fields: String,
}

impl Said {
    fn put(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
            return;
        }
        self.fields.push(' ');
        self.fields.push_str(field.name().trim_start_matches("r#"));
        self.fields.push('=');
        let is_bare = |c: char| !(c.is_whitespace() || is_unsafe(c) || matches!(c, '"' | '\\' | '='));
        if !value.is_empty() && value.chars().all(is_bare) {
            self.fields.push_str(value);
        } else {
            self.fields.push('"');
            self.fields.push_str(&neutralize(&value.replace('\\', "\\\\").replace('"', "\\\"")));
            self.fields.push('"');
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // A value that fails to format itself is shown as far as it got: a log must not panic.
        let _ = write!(text, "{value:?}");
        self.put(field, &text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = String::new();
        let mut next = Some(value);
        while let Some(error) = next {
            let _ = write!(text, "{}{error}", if text.is_empty() { "" } else { ": " });
            next = error.source();
        }
        self.put(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};

    use tracing::{error, info, info_span, warn};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Page {
        type Writer = Page;

        fn make_writer(&'a self) -> Page {
            self.clone()
        }
    }

    /// What is logged by `say` at half past ten.
    fn logged(say: impl FnOnce()) -> String {
        let page = Page::default();
        let subscriber = tracing_subscriber::fmt()
            .event_format(Lines::new(|| Timestamp(1_768_473_000_000)))
            .fmt_fields(Fields)
            .with_writer(page.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, say);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_time_level_message_and_then_the_fields() {
        let text = logged(|| {
            info!(task_id = 12, elapsed_ms = 40.5, ok = true, "Task {} completed", 12);
            warn!("two words");
            error!(target: "apex", code = %"x-1");
        });
        assert_eq!(
            text,
            "[2026-01-15T10:30:00.000Z] [INFO] Task 12 completed task_id=12 elapsed_ms=40.5 ok=true\n\
             [2026-01-15T10:30:00.000Z] [WARN] two words\n\
             [2026-01-15T10:30:00.000Z] [ERROR] code=x-1\n"
        );
    }

    #[test]
    fn values_that_could_be_taken_for_something_else_are_quoted() {
        let text = logged(|| info!(a = "", b = "x y", c = "say \"no\"", d = "k=v", e = "c:\\d", r#type = "ü", "m"));
        let fields = r#"a="" b="x y" c="say \"no\"" d="k=v" e="c:\\d" type=ü"#;
        assert_eq!(text, format!("[2026-01-15T10:30:00.000Z] [INFO] m {fields}\n"));
    }

    #[test]
    fn nothing_that_is_logged_steers_a_terminal_or_makes_a_second_line() {
        let evil = "a\u{1b}]0;title\u{7}\u{1b}[31m\u{9b}2J\u{202e}b\r\n[2026-01-15T10:30:00.000Z] [INFO] forged\u{7f}";
        let text = logged(|| {
            let span = info_span!("attempt", name = evil);
            let _inside = span.enter();
            info!(value = evil, shown = %evil, debugged = ?evil, "{evil}");
        });
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(!text.trim_end_matches('\n').chars().any(is_unsafe), "{text:?}");
        assert!(text.contains(r#"name="a\u001b]0;title\u0007"#), "{text}");
    }

    #[test]
    fn errors_are_told_with_their_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open")]
        struct Outer(#[source] io::Error);
        let outer = Outer(io::Error::other("disk is full"));
        let text = logged(|| error!(error = &outer as &(dyn Error + 'static), "failed"));
        assert!(text.ends_with("failed error=\"cannot open: disk is full\"\n"), "{text}");
    }

    #[test]
    fn spans_and_strangers_are_named_after_the_events_own_fields() {
        let text = logged(|| {
            let outer = info_span!("attempt", task_id = 7, attempt = tracing::field::Empty);
            outer.record("attempt", 2);
            let _inside = outer.enter();
            warn!(target: "h2::codec", left = 1, "odd frame");
        });
        assert!(text.ends_with("[WARN] odd frame left=1 target=h2::codec task_id=7 attempt=2\n"), "{text}");
        assert!(is_own("apex") && is_own("apex::engine") && !is_own("apexes") && !is_own("h2::apex"));
    }
}
