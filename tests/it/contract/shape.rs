//! JSON as it was printed: the order of its keys kept, what differs from run to run taken out.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Keys whose values are never the same twice.
const VOLATILE: [&str; 25] = [
    "uuid",
    "cwd",
    "created_at",
    "updated_at",
    "started_at",
    "ended_at",
    "cancel_requested_at",
    "run_at",
    "at",
    "assignment_id",
    "worker_id",
    "pid",
    "guardian_pid",
    "max_rss_bytes",
    "user_ms",
    "system_ms",
    "path",
    "project",
    "socket",
    "log_file",
    "config",
    "version",
    "uptime_ms",
    "last_poll_at",
    "by",
];

/// A JSON value with the keys of its objects in their order.
#[derive(Debug)]
enum Shape {
    Null,
    Scalar { kind: &'static str, text: String },
    List(Vec<Shape>),
    Object(Vec<(String, Shape)>),
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Shape;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar { kind: "bool", text: value.to_string() })
    }

    fn visit_i64<E>(self, value: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar { kind: "number", text: value.to_string() })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar { kind: "number", text: value.to_string() })
    }

    fn visit_str<E>(self, value: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar { kind: "string", text: format!("{value:?}") })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Shape::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Shape, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Shape::Object(object))
    }
}

impl Shape {
    fn write(&self, key: &str, indent: usize, text: &mut String) {
        let inner = "  ".repeat(indent + 1);
        match self {
            Self::Null => text.push_str("null"),
            Self::Scalar { kind, .. } if VOLATILE.contains(&key) => *text += &format!("<{kind}>"),
            Self::Scalar { text: value, .. } => text.push_str(value),
            Self::List(items) if items.iter().all(|item| matches!(item, Self::Null | Self::Scalar { .. })) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    item.write(key, indent, text);
                }
                text.push(']');
            }
            Self::List(items) => {
                text.push_str("[\n");
                for item in items {
                    text.push_str(&inner);
                    item.write(key, indent + 1, text);
                    text.push('\n');
                }
                *text += &format!("{}]", "  ".repeat(indent));
            }
            Self::Object(entries) if entries.is_empty() => text.push_str("{}"),
            Self::Object(entries) => {
                text.push_str("{\n");
                for (key, value) in entries {
                    *text += &format!("{inner}{key}: ");
                    value.write(key, indent + 1, text);
                    text.push('\n');
                }
                *text += &format!("{}}}", "  ".repeat(indent));
            }
        }
    }
}

/// Returns a JSON text as lines to compare: a key a line, `<string>` or `<number>` for what is never the same twice.
#[track_caller]
pub fn shape(text: &str) -> String {
    let value: Shape = serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"));
    let mut lines = String::new();
    value.write("", 0, &mut lines);
    lines
}

#[test]
fn order_is_kept_and_what_changes_is_taken_out() {
    let text = shape(r#"{"b":1,"a":[1,"x"],"at":"now","pid":null,"list":[{"uuid":"u"}],"none":{},"empty":[]}"#);
    insta::assert_snapshot!(text, @r#"
    {
      b: 1
      a: [1, "x"]
      at: <string>
      pid: null
      list: [
        {
          uuid: <string>
        }
      ]
      none: {}
      empty: []
    }
    "#);
}
