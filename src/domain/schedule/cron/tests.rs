use super::*;

/// The values of a field of a line in which the others are `*`.
fn values(field: Field, text: &str) -> Vec<u8> {
    let line: Vec<&str> = Field::ALL.iter().map(|known| if *known == field { text } else { "*" }).collect();
    let cron = Cron::parse(&line.join(" ")).unwrap_or_else(|error| panic!("{text}: {error}"));
    (0..64).filter(|value| cron.has(field, i8::try_from(*value).unwrap())).collect()
}

#[test]
fn every_form_of_a_field_is_read() {
    use Field::{Day, Hour, Minute, Month, Weekday};
    let table: [(Field, &str, Vec<u8>); 20] = [
        (Minute, "*", (0..60).collect()),
        (Minute, "0", vec![0]),
        (Minute, "07", vec![7]),
        (Minute, "59", vec![59]),
        (Minute, "*/15", vec![0, 15, 30, 45]),
        (Minute, "*/59", vec![0, 59]),
        (Minute, "*/60", vec![0]),
        (Minute, "10-20/5", vec![10, 15, 20]),
        (Minute, "1,2,2,3-4", vec![1, 2, 3, 4]),
        (Hour, "0-23", (0..24).collect()),
        (Hour, "9-17/4", vec![9, 13, 17]),
        (Day, "1,15,31", vec![1, 15, 31]),
        (Day, "*/10", vec![1, 11, 21, 31]),
        (Month, "jan,Feb,DEC", vec![1, 2, 12]),
        (Month, "jun-aug", vec![6, 7, 8]),
        (Month, "mar-12/3", vec![3, 6, 9, 12]),
        (Weekday, "mon-fri", vec![1, 2, 3, 4, 5]),
        (Weekday, "7", vec![0]),
        (Weekday, "sat-sun", vec![0, 6]),
        (Weekday, "*/2", vec![0, 2, 4, 6]),
    ];
    for (field, text, expected) in table {
        assert_eq!(values(field, text), expected, "{field} {text}");
    }
    assert_eq!(values(Weekday, "0-7"), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(values(Weekday, "5-7"), [0, 5, 6]);
    assert_eq!(values(Weekday, "*"), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn every_value_of_every_field_stands_for_itself_alone() {
    for field in Field::ALL {
        let (low, high) = field.bounds();
        for value in low..=high {
            let expected = if field == Field::Weekday { value % 7 } else { value };
            assert_eq!(values(field, &value.to_string()), [expected], "{field} {value}");
        }
        let (names, first) = field.names();
        for (place, name) in names.iter().enumerate() {
            assert_eq!(values(field, name), [first + u8::try_from(place).unwrap()]);
        }
    }
}

#[test]
fn what_is_wrong_is_named_with_its_field() {
    let value = |field, value: &str| InvalidCron::Value { field, value: value.to_owned() };
    let step = |field, value: &str| InvalidCron::Step { field, value: value.to_owned() };
    let back = |field, value: &str| InvalidCron::Backwards { field, value: value.to_owned() };
    let table = [
        ("60 * * * *", value(Field::Minute, "60")),
        ("-1 * * * *", value(Field::Minute, "-1")),
        ("+1 * * * *", value(Field::Minute, "+1")),
        ("* 24 * * *", value(Field::Hour, "24")),
        ("* * 0 * *", value(Field::Day, "0")),
        ("* * 32 * *", value(Field::Day, "32")),
        ("* * * 13 *", value(Field::Month, "13")),
        ("* * * 0 *", value(Field::Month, "0")),
        ("* * * january *", value(Field::Month, "january")),
        ("* * * * 8", value(Field::Weekday, "8")),
        ("* * * * jan", value(Field::Weekday, "jan")),
        ("mon * * * *", value(Field::Minute, "mon")),
        ("1,,2 * * * *", value(Field::Minute, "")),
        ("1- * * * *", value(Field::Minute, "1-")),
        ("1-2-3 * * * *", value(Field::Minute, "1-2-3")),
        ("*-5 * * * *", value(Field::Minute, "*-5")),
        ("** * * * *", value(Field::Minute, "**")),
        ("* * L * *", value(Field::Day, "L")),
        ("* * ? * *", value(Field::Day, "?")),
        ("* * * * 5#2", value(Field::Weekday, "5#2")),
        ("٣ * * * *", value(Field::Minute, "٣")),
        ("007 * * * *", value(Field::Minute, "007")),
        ("*/0 * * * *", step(Field::Minute, "*/0")),
        ("*/ * * * *", step(Field::Minute, "*/")),
        ("*/x * * * *", step(Field::Minute, "*/x")),
        ("*/+2 * * * *", step(Field::Minute, "*/+2")),
        ("*/2/2 * * * *", step(Field::Minute, "*/2/2")),
        ("20-10 * * * *", back(Field::Minute, "20-10")),
        ("* * * dec-jan *", back(Field::Month, "dec-jan")),
        ("* * * * fri-mon", back(Field::Weekday, "fri-mon")),
    ];
    for (line, expected) in table {
        assert_eq!(Cron::parse(line), Err(expected), "{line}");
    }
    for (line, found) in [("", 0), ("* * * *", 4), ("* * * * * *", 6), ("@daily now", 2)] {
        assert_eq!(Cron::parse(line), Err(InvalidCron::Fields { text: line.to_owned(), found }));
    }
    for word in ["@reboot", "@", "@every"] {
        assert_eq!(Cron::parse(word), Err(InvalidCron::Word(word.to_owned())));
    }
}

#[test]
fn messages_can_be_acted_upon() {
    let of = |line| Cron::parse(line).unwrap_err().to_string();
    insta::assert_snapshot!(of("* 25 * * *"), @"hour `25` is not `*`, a number from 0 to 23, a range of them like `a-b`, or a list of such with commas");
    insta::assert_snapshot!(of("5/10 * * * *"), @"minute `5/10` has a step and no range; write `5-59/…` for every so many from there on");
    insta::assert_snapshot!(of("* * * * fri-mon"), @"day of the week `fri-mon` ends before it begins");
    insta::assert_snapshot!(of("0 0 * *"), @"cron line `0 0 * *` has 4 field(s) and needs 5: minute, hour, day of the month, month, day of the week");
}

#[test]
fn words_stand_for_lines_and_are_kept() {
    for (word, line) in WORDS {
        let (of_word, of_line) = (Cron::parse(&word.to_uppercase()).unwrap(), Cron::parse(line).unwrap());
        assert_eq!((of_word.sets, of_word.goes_on), (of_line.sets, of_line.goes_on), "{word}");
        assert_eq!(of_word.as_str(), word.to_uppercase());
    }
    assert_eq!(Cron::parse("  0\t0 * *  mon ").unwrap().as_str(), "0 0 * * mon");
}

#[test]
fn either_of_two_restricted_days_is_enough() {
    let has = |line: &str, date: [i16; 3]| {
        let [year, month, day] = date;
        let date = Date::new(year, i8::try_from(month).unwrap(), i8::try_from(day).unwrap()).unwrap();
        Cron::parse(line).unwrap().has_date(date)
    };
    // 2026-11-13 is a Friday.
    let table = [
        ("0 0 13 * fri", [2026, 11, 13], true),
        ("0 0 13 * fri", [2026, 11, 20], true),
        ("0 0 13 * fri", [2026, 12, 13], true),
        ("0 0 13 * fri", [2026, 11, 14], false),
        ("0 0 * * fri", [2026, 11, 13], true),
        ("0 0 * * fri", [2026, 11, 14], false),
        ("0 0 13 * *", [2026, 12, 13], true),
        ("0 0 13 * *", [2026, 11, 20], false),
        // With a star in front both must hold.
        ("0 0 */2 * fri", [2026, 11, 13], true),
        ("0 0 */2 * fri", [2026, 11, 20], false),
        ("0 0 13 * */5", [2026, 11, 13], true),
        ("0 0 13 * */5", [2027, 1, 13], false),
        ("0 0 13 dec fri", [2026, 11, 13], false),
    ];
    for (line, date, expected) in table {
        assert_eq!(has(line, date), expected, "{line} {date:?}");
    }
}

#[test]
fn what_begins_with_a_star_in_minute_or_hour_goes_on() {
    for (line, expected) in [
        ("*/15 2 * * *", true),
        ("30 * * * *", true),
        ("0 */2 * * *", true),
        ("30 2 * * *", false),
        ("0-59 2 * * *", false),
        ("0 0-23 * * *", false),
        ("@hourly", true),
        ("@daily", false),
    ] {
        assert_eq!(Cron::parse(line).unwrap().goes_on(), expected, "{line}");
    }
}

proptest::proptest! {
    #[test]
    fn nothing_that_is_typed_panics(text in "[-0-9a-z*/,@# ]{0,40}", anything in "\\PC{0,40}") {
        let _ = (Cron::parse(&text), Cron::parse(&anything));
    }

    #[test]
    fn what_was_read_reads_the_same_again(text in "([0-9]{1,2}|\\*|\\*/[1-9]|[0-3]-[4-9]) (\\*|[0-9]|1[0-9]) (\\*|[1-9]) (\\*|[1-9]|may) (\\*|[0-7]|mon-fri)") {
        if let Ok(cron) = Cron::parse(&text) {
            proptest::prop_assert_eq!(Cron::parse(cron.as_str()), Ok(cron));
        }
    }
}
