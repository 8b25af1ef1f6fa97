//! What can stand in a line.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::cli::error::Failure;
use crate::domain::error::ErrorKind;

/// The names of all fields, in the order in which the help has them.
pub const NAMES: [&str; 34] = [
    "ref",
    "argv",
    "shell",
    "name",
    "labels",
    "queue",
    "priority",
    "after",
    "after_any",
    "at",
    "in",
    "hold",
    "retries",
    "retry_delay",
    "retry_backoff",
    "retry_max_delay",
    "retry_on",
    "on_interrupt",
    "timeout",
    "output_limit",
    "nice",
    "cpus",
    "rlimits",
    "memory",
    "cpu_limit",
    "kill_signal",
    "kill_grace",
    "cwd",
    "env",
    "stdin",
    "split_output",
    "key",
    "needs",
    "hooks",
];

/// How much alike a name must be to one of a field; 1 is the same.
const ALIKE_MIN: f64 = 0.75;

/// What stands in a line, each value under the name of its field. What is null is not there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    pub(super) reference: Option<Text<'a>>,
    pub(super) argv: Option<Vec<Text<'a>>>,
    pub(super) shell: Option<Text<'a>>,
    pub(super) name: Option<Text<'a>>,
    pub(super) labels: Option<BTreeMap<String, Option<String>>>,
    pub(super) queue: Option<Text<'a>>,
    pub(super) priority: Option<i32>,
    pub(super) after: Option<Texts<'a>>,
    pub(super) after_any: Option<Texts<'a>>,
    pub(super) at: Option<Text<'a>>,
    pub(super) delay: Option<Text<'a>>,
    pub(super) hold: Option<bool>,
    pub(super) retries: Option<u32>,
    pub(super) retry_delay: Option<Text<'a>>,
    pub(super) retry_backoff: Option<Text<'a>>,
    pub(super) retry_max_delay: Option<Text<'a>>,
    pub(super) retry_on: Option<Texts<'a>>,
    pub(super) on_interrupt: Option<Text<'a>>,
    pub(super) timeout: Option<Text<'a>>,
    pub(super) output_limit: Option<Text<'a>>,
    pub(super) nice: Option<Text<'a>>,
    pub(super) cpus: Option<Text<'a>>,
    pub(super) rlimits: Option<Texts<'a>>,
    pub(super) memory: Option<Text<'a>>,
    pub(super) cpu_limit: Option<Text<'a>>,
    pub(super) kill_signal: Option<Text<'a>>,
    pub(super) kill_grace: Option<Text<'a>>,
    pub(super) cwd: Option<Text<'a>>,
    pub(super) env: Option<BTreeMap<String, String>>,
    pub(super) stdin: Option<Text<'a>>,
    pub(super) split_output: Option<bool>,
    pub(super) key: Option<Text<'a>>,
    pub(super) needs: Option<BTreeMap<String, Text<'a>>>,
    pub(super) hooks: Option<BTreeMap<String, String>>,
}

impl<'a> Fields<'a> {
    /// Reads a line.
    ///
    /// Errors: it is no JSON, no object, or has a field that there is not, twice, or with what cannot be in it.
    pub fn read(line: &'a [u8]) -> Result<Self, Failure> {
        let text = std::str::from_utf8(line).map_err(|error| {
            let message = format!("not UTF-8 at column {}", error.valid_up_to() + 1);
            Failure::new(ErrorKind::Invalid, message)
        })?;
        if !text.starts_with('{') {
            let message = format!("no JSON object: found `{}` at column 1", beginning(text));
            return Err(Failure::new(ErrorKind::Invalid, message).with_hint(A_LINE));
        }
        serde_json::from_str(text).map_err(|error| {
            let words = error.to_string();
            // There is only one line, and its number is that of the file.
            let (what, column) = words.split_once(" at line 1 column ").unwrap_or((&words, ""));
            let column = column.split(' ').next().unwrap_or_default();
            let place = if column.is_empty() { String::new() } else { format!(" at column {column}") };
            let failure = |message| Failure::new(ErrorKind::Invalid, message);
            // The field stands in front.
            let (field, why) = what.rsplit_once("`: ").map_or(("", what), |(field, _)| what.split_at(field.len() + 3));
            if error.classify() != serde_json::error::Category::Data || is_of_syntax(why) {
                let found = column.parse().ok().and_then(|column: usize| text.get(column.checked_sub(1)?..));
                let why = syntax(why, found.filter(|found| !found.is_empty()));
                return failure(format!("no JSON: {field}{why}{place}")).with_hint(A_LINE);
            }
            let failure = failure(format!("{field}{}{place}", type_in_words(why)));
            match unknown_in(what).and_then(nearest) {
                Some(name) => {
                    failure.with_hint(format!("there is `{name}`; see all of them with `apex task add --help`"))
                }
                None => failure,
            }
        })
    }
}

/// What a line has to be.
const A_LINE: &str = "a line is an object such as `{\"argv\":[\"cargo\",\"test\"]}`; see all that can be in it with `apex task add --help`";

/// So many characters are shown of what was found.
const FOUND_CHARS: usize = 20;

/// Returns how what was found begins.
fn beginning(text: &str) -> String {
    let shown: String = text.chars().take(FOUND_CHARS).collect();
    if shown.len() < text.len() { format!("{shown}…") } else { shown }
}

/// Returns whether the parser complains of signs, also where it was reading a field.
fn is_of_syntax(why: &str) -> bool {
    why.starts_with("EOF while") || why.starts_with("expected ") || why.starts_with("trailing ")
}

/// Returns in words of people what the parser says of signs; `found` is what stands there.
fn syntax(why: &str, found: Option<&str>) -> String {
    if let Some(what) = why.strip_prefix("EOF while parsing ") {
        let what =
            if what == "a value" { "a value is still to come" } else { return format!("the line ends within {what}") };
        return format!("the line ends where {what}");
    }
    let expected = match why {
        "expected value" => "expected a value",
        "key must be a string" => "expected a key in double quotes",
        "trailing characters" => "expected the end of the line",
        "trailing comma" => "a comma stands in front of the end",
        "invalid number" => "a number cannot be read",
        why => why,
    };
    match found {
        Some(found) => format!("{expected}, found `{}`", beginning(found)),
        None => expected.to_owned(),
    }
}

/// Returns in words of people what the parser says of a value of another type.
fn type_in_words(why: &str) -> String {
    let Some((found, expected)) = why.strip_prefix("invalid type: ").and_then(|types| types.split_once(", expected "))
    else {
        return why.to_owned();
    };
    let found = match found {
        "sequence" => "a list",
        "map" => "an object",
        found => found.strip_prefix("string ").or_else(|| found.strip_prefix("boolean ")).unwrap_or(found),
    };
    let expected = match expected {
        "a sequence" => "a list",
        "a map" => "an object",
        "a string" => "a text",
        "a boolean" => "`true` or `false`",
        "i32" | "u32" | "u64" | "i64" => "a whole number",
        expected => expected,
    };
    format!("expected {expected}, found {found}")
}

/// Begins the message about a field that there is not.
const UNKNOWN: &str = "unknown field `";

fn unknown_in(message: &str) -> Option<&str> {
    message.strip_prefix(UNKNOWN)?.strip_suffix('`')
}

fn nearest(name: &str) -> Option<&'static str> {
    let alike = |known: &&str| strsim::jaro_winkler(name, known);
    NAMES.into_iter().filter(|known| alike(known) >= ALIKE_MIN).max_by(|a, b| alike(a).total_cmp(&alike(b)))
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        let mut seen = [false; NAMES.len()];
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            let Some(at) = NAMES.iter().position(|known| *known == name) else {
                return Err(A::Error::custom(format_args!("{UNKNOWN}{name}`")));
            };
            if std::mem::replace(&mut seen[at], true) {
                return Err(A::Error::custom(format_args!("field `{name}` is there twice")));
            }
            let map = &mut map;
            let taken = match NAMES[at] {
                "ref" => take(map, &mut fields.reference),
                "argv" => take(map, &mut fields.argv),
                "shell" => take(map, &mut fields.shell),
                "name" => take(map, &mut fields.name),
                "labels" => take(map, &mut fields.labels),
                "queue" => take(map, &mut fields.queue),
                "priority" => take(map, &mut fields.priority),
                "after" => take(map, &mut fields.after),
                "after_any" => take(map, &mut fields.after_any),
                "at" => take(map, &mut fields.at),
                "in" => take(map, &mut fields.delay),
                "hold" => take(map, &mut fields.hold),
                "retries" => take(map, &mut fields.retries),
                "retry_delay" => take(map, &mut fields.retry_delay),
                "retry_backoff" => take(map, &mut fields.retry_backoff),
                "retry_max_delay" => take(map, &mut fields.retry_max_delay),
                "retry_on" => take(map, &mut fields.retry_on),
                "on_interrupt" => take(map, &mut fields.on_interrupt),
                "timeout" => take(map, &mut fields.timeout),
                "output_limit" => take(map, &mut fields.output_limit),
                "nice" => take(map, &mut fields.nice),
                "cpus" => take(map, &mut fields.cpus),
                "rlimits" => take(map, &mut fields.rlimits),
                "memory" => take(map, &mut fields.memory),
                "cpu_limit" => take(map, &mut fields.cpu_limit),
                "kill_signal" => take(map, &mut fields.kill_signal),
                "kill_grace" => take(map, &mut fields.kill_grace),
                "cwd" => take(map, &mut fields.cwd),
                "env" => take(map, &mut fields.env),
                "stdin" => take(map, &mut fields.stdin),
                "split_output" => take(map, &mut fields.split_output),
                "key" => take(map, &mut fields.key),
                "needs" => take(map, &mut fields.needs),
                _ => take(map, &mut fields.hooks),
            };
            taken.map_err(|error| A::Error::custom(format_args!("`{name}`: {error}")))?;
        }
        Ok(fields)
    }
}

fn take<'de, A: MapAccess<'de>, T: Deserialize<'de>>(map: &mut A, field: &mut Option<T>) -> Result<(), A::Error> {
    *field = map.next_value()?;
    Ok(())
}

/// A text, or a number as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }
}

/// Several texts or numbers, or a single one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts<'a>(pub Vec<Text<'a>>);

impl<'de> Deserialize<'de> for Texts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Texts<'de>, E> {
        TextVisitor.visit_borrowed_str(text).map(|text| Texts(vec![text]))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Texts<'de>, E> {
        TextVisitor.visit_str(text).map(|text| Texts(vec![text]))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Texts<'de>, E> {
        TextVisitor.visit_u64(number).map(|text| Texts(vec![text]))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Texts<'de>, E> {
        TextVisitor.visit_i64(number).map(|text| Texts(vec![text]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts<'de>, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element()? {
            texts.push(text);
        }
        Ok(Texts(texts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        Fields::read(line.as_bytes()).unwrap_err().problem.message
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field_and_column() {
        for (line, message) in [
            ("[1]", "no JSON object: found `[1]` at column 1"),
            ("hello, this is no JSON", "no JSON object: found `hello, this is no JS…` at column 1"),
            ("{", "no JSON: the line ends within an object at column 1"),
            ("{} {}", "no JSON: expected the end of the line, found `{}` at column 4"),
            ("{argv:[]}", "no JSON: expected a key in double quotes, found `argv:[]}` at column 2"),
            ("{\"argv\":[\"a\" \"b\"]}", "no JSON: `argv`: expected `,` or `]`, found `\"b\"]}` at column 14"),
            ("{\"argv\":[\"a\"", "no JSON: `argv`: the line ends within a list at column 12"),
            ("{\"argv\":\"a\"}", "`argv`: expected a list, found \"a\" at column 11"),
            ("{\"priority\":\"high\"}", "`priority`: expected a whole number, found \"high\" at column 18"),
            ("{\"name\":\"a\",\"name\":\"b\"}", "field `name` is there twice at column 18"),
            ("{\"naem\":\"a\"}", "unknown field `naem` at column 7"),
        ] {
            let found = refused(line);
            assert_eq!(found.split(" at column").next(), message.split(" at column").next(), "{line}");
            assert!(found.contains(" at column ") && !found.contains("line 1"), "{found}");
        }
        let unknown = Fields::read(b"{\"naem\":\"a\"}").unwrap_err();
        assert!(unknown.problem.hint.is_some_and(|hint| hint.contains("`name`")));
        assert_eq!(Fields::read(b"{\"name\":\"\xff\"}").unwrap_err().problem.message, "not UTF-8 at column 10");
    }

    #[test]
    fn numbers_and_single_values_are_taken_as_they_are_meant() {
        let line = r#"{"after":12,"retry_on":[1,75],"kill_signal":9,"timeout":"1h","name":null,"shell":"a\nb"}"#;
        let fields = Fields::read(line.as_bytes()).unwrap();
        let text = |text: &'static str| Text(text.into());
        assert_eq!(fields.after, Some(Texts(vec![text("12")])));
        assert_eq!(fields.retry_on, Some(Texts(vec![text("1"), text("75")])));
        assert_eq!((fields.kill_signal, fields.timeout), (Some(text("9")), Some(text("1h"))));
        assert_eq!((fields.name, fields.shell), (None, Some(text("a\nb"))));
    }
}
