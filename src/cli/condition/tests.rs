use super::*;
use crate::domain::condition::{Comparison, DEPTH_MAX, Term};
use crate::domain::field::Value;

/// 2026-01-15, a Thursday, 10:30 in Vienna: an hour ahead of UTC.
fn now() -> Zoned {
    "2026-01-15T10:30:00+01:00[Europe/Vienna]".parse().expect("a valid instant")
}

fn read(text: &str) -> Term {
    parse(text, &now()).unwrap_or_else(|error| panic!("{text}: {error}")).checked().unwrap().term
}

fn wrong(text: &str) -> String {
    let error = parse(text, &now()).expect_err(text);
    let pointer = error.pointer().map(|lines| lines.join("\n")).unwrap_or_default();
    format!("{error}\n{pointer}\n{}", error.hint().unwrap_or_default())
}

fn number(field: Field, how: Comparison, value: i64) -> Term {
    Term::Test { field, how, value: Value::Number(value) }
}

fn text(field: Field, how: Comparison, value: &str) -> Term {
    Term::Test { field, how, value: Value::Text(value.to_owned()) }
}

fn is(field: Field, value: &str) -> Term {
    text(field, Comparison::Equal, value)
}

fn not(term: Term) -> Term {
    Term::Not(Box::new(term))
}

#[test]
fn and_is_stronger_than_or_and_not_than_both() {
    let (a, b, c) = (is(Field::Name, "a"), is(Field::Name, "b"), is(Field::Name, "c"));
    let all = Term::All;
    assert_eq!(read("name=a or name=b and name=c"), Term::Any(vec![a.clone(), all(vec![b.clone(), c.clone()])]));
    assert_eq!(read("(name=a or name=b) and name=c"), all(vec![Term::Any(vec![a.clone(), b.clone()]), c.clone()]));
    assert_eq!(read("not name=a AND name=b"), all(vec![not(a.clone()), b.clone()]));
    assert_eq!(read("not (name=a and name=b)"), not(all(vec![a.clone(), b.clone()])));
    assert_eq!(read("not not name=a"), a);
    assert_eq!(read("name=a and (name=b and name=c)"), all(vec![a, b, c]), "one layer of the same");
}

#[test]
fn every_sort_of_value_is_read() {
    use Comparison::*;
    assert_eq!(
        read("state=failed and queue=gpu and duration>10m"),
        Term::All(vec![is(Field::State, "failed"), is(Field::Queue, "gpu"), number(Field::Duration, Greater, 600_000)])
    );
    assert_eq!(read("state=failed,lost"), Term::Any(vec![is(Field::State, "failed"), is(Field::State, "lost")]));
    assert_eq!(read("state!=failed,lost"), not(read("state=failed,lost")));
    assert_eq!(read("name ~ build-*"), text(Field::Name, Matches, "build-*"));
    assert_eq!(read("name!~'a b'"), not(text(Field::Name, Matches, "a b")));
    assert_eq!(read("label.team == \"it's\""), is(Field::Label("team".to_owned()), "it's"));
    assert_eq!(read("label.team"), Term::Has(Field::Label("team".to_owned())));
    assert_eq!(read("not name"), not(Term::Has(Field::Name)));
    assert_eq!(read("priority>=-5"), number(Field::Priority, GreaterOrEqual, -5));
    assert_eq!(read("exit_code!=0"), not(number(Field::ExitCode, Equal, 0)));
    assert_eq!(read("signal=KILL"), number(Field::Signal, Equal, 9));
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    assert_eq!(read("ended > 10m ago"), number(Field::Ended, Greater, at("2026-01-15T09:20:00Z")));
    assert_eq!(
        read("created<yesterday 9am and name=x"),
        Term::All(vec![number(Field::Created, Less, at("2026-01-14T08:00:00Z")), is(Field::Name, "x")])
    );
    assert_eq!(read("due<in 1h"), number(Field::Due, Less, at("2026-01-15T10:30:00Z")));
    assert_eq!(read("age>1h"), number(Field::Created, Less, at("2026-01-15T08:30:00Z")));
    assert_eq!(
        read("started_at>=2026-01-15T08:00:00Z"),
        number(Field::Started, GreaterOrEqual, at("2026-01-15T08:00:00Z"))
    );
}

#[test]
fn what_is_wrong_is_pointed_at() {
    insta::assert_snapshot!(wrong("queue=gpu and state=faild"), @r"
    at column 21: `faild` is no state; states are scheduled, blocked, held, queued, running, paused, retrying, succeeded, failed, timed_out, cancelled, skipped, interrupted, lost
    queue=gpu and state=faild
                        ^^^^^
    write it like `state=failed`
    ");
    insta::assert_snapshot!(wrong("\u{6f22}\u{5b57}=1"), @r"
    at column 1: `漢字` is not a field; fields are id, state, queue, name, priority, exit_code, signal, reason_code, reason, key, schedule, parent, slot, attempt, failures, created, updated, due, started, ended, duration, age, label.KEY
    漢字=1
    ^^^^
    labels are `label.KEY`
    ");
    for (text, column, told) in [
        ("", 0, "nothing in it"),
        ("  ", 0, "nothing in it"),
        ("stat=failed", 1, "did you mean `state`"),
        ("label=x", 1, "label.team=core"),
        ("state=", 7, "a value for `state` is missing"),
        ("state=and", 7, "in quotes"),
        ("state=failed and", 17, "a field is missing"),
        ("and state=failed", 1, "a field is missing"),
        ("state=failed or or name=x", 17, "a field is missing"),
        ("state=failed queue=gpu", 14, "only `and`, `or` or the end"),
        ("name=a b", 8, "in quotes"),
        ("(state=failed", 1, "not closed"),
        ("state=failed)", 13, "no parenthesis was opened"),
        ("name='a", 6, "the quote `'` is not closed"),
        ("!name=a", 1, "write `not`"),
        ("name=a && name=b", 8, "write `and`"),
        ("name=a || name=b", 8, "write `or`"),
        ("state>failed", 6, "`=` and `!=`"),
        ("state~fail*", 6, "`=` and `!=`"),
        ("name<b", 5, "`~`"),
        ("duration=10m", 9, "`<`"),
        ("created=today", 8, "`<`"),
        ("duration>10", 10, "has no unit"),
        ("priority>high", 10, "not a whole number"),
        ("priority<1,2", 11, "several values"),
        ("created>10m", 9, "created>'10m ago'"),
        ("due<10m", 5, "due<'in 10m'"),
        ("ended>soon", 7, "is not a time"),
        ("signal=TREM", 8, "TERM"),
        ("age", 4, "missing"),
    ] {
        let error = wrong(text);
        assert!(error.contains(told), "{text}: {error}");
        let place = if column == 0 { String::new() } else { format!("at column {column}: ") };
        assert!(error.starts_with(&place), "{text}: {error}");
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_is_sent() {
    let many = |n: usize| vec!["id=1"; n].join(" or ");
    assert!(parse(&many(TESTS_MAX), &now()).is_ok());
    assert!(wrong(&many(TESTS_MAX + 1)).contains("too many"));
    assert!(wrong(&format!("id={}", vec!["1"; TESTS_MAX + 1].join(","))).contains("too many"));
    for (open, close) in [("(", ")"), ("not ", ""), ("(name=a or name=b and (", "))")] {
        let deep = |n: usize| format!("{}id=1{}", open.repeat(n), close.repeat(n));
        assert!(wrong(&deep(1_000)).contains("layers"), "{open}");
        for n in 1..DEPTH_MAX {
            // Whatever is read is also sent.
            if let Ok(condition) = parse(&deep(n), &now()) {
                assert!(condition.checked().is_ok(), "{n} {open}");
            }
        }
        assert!(parse(&deep(3), &now()).is_ok());
    }
}

proptest::proptest! {
    #[test]
    fn nothing_that_is_typed_panics_or_points_beyond_it(
        text in "((state|name|age|label\\.x|due|id|zz|not|and|or|\\(|\\)|=|!=|<|~|,|'|\"|!|&|10m|failed|5|\u{6f22}|\u{1b}) ?){0,12}",
        anything in "\\PC{0,30}",
    ) {
        for text in [text, anything] {
            match parse(&text, &now()) {
                Ok(condition) => proptest::prop_assert!(condition.checked().is_ok()),
                Err(error) => {
                    let length = text.chars().count();
                    proptest::prop_assert!(error.at.start <= error.at.end && error.at.end <= length, "{:?}", error);
                    let _ = (error.to_string(), error.hint(), error.pointer());
                }
            }
        }
    }
}
