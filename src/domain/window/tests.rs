use proptest::prelude::*;

use super::*;

/// Vienna's rules, whatever the machine knows of zones: the hour from 2:00 is skipped on 2026-03-29 and comes twice,
/// from 2:00 to 3:00, on 2026-10-25. Both are Sundays.
const VIENNA: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
/// Skips the last hour of 2026-03-28, a Saturday, and goes through that of 2026-10-24 twice.
const NUUK: &str = "<-02>2<-01>,M3.5.0/-1,M10.5.0/0";

fn zone(rules: &str) -> Zone {
    Zone { name: None, rules: TimeZone::posix(rules).unwrap() }
}

fn window(name: &str, days: &[&str], from: &str, to: &str, most: Option<u32>) -> Window {
    Window {
        name: name.to_owned(),
        days: Days::parse(days).unwrap(),
        from: Clock::parse(from).unwrap(),
        to: Clock::parse(to).unwrap(),
        zone: zone(VIENNA),
        max_concurrent: most,
        pause: Vec::new(),
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<Instant>().unwrap().as_millisecond())
}

/// Each time at which `windows` change between two instants, on their clock, and those that are open from then on.
fn changes(windows: &[Window], from: &str, until: &str) -> Vec<String> {
    let (all, until) = (Windows::of(windows), at(until));
    let mut found = Vec::new();
    let mut now = at(from);
    while let Some(next) = all.at(now).next.filter(|next| next.at <= until) {
        assert!(next.at > now, "{next:?}");
        now = next.at;
        let local = Instant::from_millisecond(now.0).unwrap().to_zoned(windows[0].zone.rules.clone());
        let open: Vec<String> = all.at(now).open.into_iter().map(|open| open.name).collect();
        found.push(format!("{} {}", local.strftime("%a %H:%M%:z"), open.join("+")).trim_end().to_owned());
    }
    found
}

#[test]
fn a_window_opens_and_closes_on_its_days() {
    let day = window("day", &["mon-fri"], "09:00", "18:00", Some(1));
    assert_eq!(
        changes(&[day], "2026-11-27T12:00:00Z", "2026-12-01T12:00:00Z"),
        ["Fri 18:00+01:00", "Mon 09:00+01:00 day", "Mon 18:00+01:00", "Tue 09:00+01:00 day"]
    );
}

#[test]
fn one_that_goes_over_midnight_belongs_to_the_day_on_which_it_opens() {
    let night = window("night", &["fri"], "22:00", "06:00", Some(8));
    assert_eq!(
        changes(&[night], "2026-11-26T12:00:00Z", "2026-12-03T12:00:00Z"),
        ["Fri 22:00+01:00 night", "Sat 06:00+01:00"]
    );
}

#[test]
fn whole_days_in_a_row_are_one_opening_and_all_days_have_no_end() {
    let weekend = window("weekend", &["sat-sun"], "00:00", "24:00", Some(8));
    assert_eq!(
        changes(std::slice::from_ref(&weekend), "2026-11-26T12:00:00Z", "2026-12-03T12:00:00Z"),
        ["Sat 00:00+01:00 weekend", "Mon 00:00+01:00"]
    );
    let stands = Windows::of(&[weekend]).at(at("2026-11-28T12:00:00Z"));
    assert_eq!(stands.open[0].closes_at, Some(at("2026-11-29T23:00:00Z")));
    let always =
        Windows::of(&[window("always", &["mon-sun"], "00:00", "24:00", Some(2))]).at(at("2026-11-28T12:00:00Z"));
    assert_eq!((always.open[0].closes_at, always.next, always.open.len()), (None, None, 1));
    let chain =
        [window("a", &["mon-sun"], "00:00", "12:00", Some(1)), window("b", &["mon-sun"], "12:00", "24:00", Some(2))];
    let noon = Windows::of(&chain).at(at("2026-11-28T10:00:00Z")).next.unwrap();
    assert_eq!((noon.at, noon.opens, noon.closes), (at("2026-11-28T11:00:00Z"), vec!["b".into()], vec!["a".into()]));
}

#[test]
fn on_the_night_in_which_an_hour_is_skipped() {
    let table: &[(&str, &str, &[&str])] = &[
        // From the gap, to it, over it, in it.
        ("02:30", "06:00", &["Sun 03:00+02:00 x", "Sun 06:00+02:00"]),
        ("01:00", "02:30", &["Sun 01:00+01:00 x", "Sun 03:00+02:00"]),
        ("01:30", "03:30", &["Sun 01:30+01:00 x", "Sun 03:30+02:00"]),
        ("02:10", "02:40", &[]),
        ("02:00", "03:00", &[]),
        ("03:00", "03:30", &["Sun 03:00+02:00 x", "Sun 03:30+02:00"]),
    ];
    for (from, to, expected) in table {
        let found =
            changes(&[window("x", &["sun"], from, to, Some(1))], "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z");
        assert_eq!(found, *expected, "{from} {to}");
    }
    // It opens again a week later.
    let skipped = Windows::of(&[window("x", &["sun"], "02:10", "02:40", Some(1))]);
    assert_eq!(skipped.at(at("2026-03-28T12:00:00Z")).next.unwrap().at, at("2026-04-05T00:10:00Z"));
}

#[test]
fn on_the_night_in_which_an_hour_comes_twice() {
    let table: &[(&str, &str, &[&str])] = &[
        // Each time is the first one of its name.
        ("02:30", "06:00", &["Sun 02:30+02:00 x", "Sun 06:00+01:00"]),
        ("01:00", "02:30", &["Sun 01:00+02:00 x", "Sun 02:30+02:00"]),
        ("01:30", "03:00", &["Sun 01:30+02:00 x", "Sun 03:00+01:00"]),
        ("02:10", "02:40", &["Sun 02:10+02:00 x", "Sun 02:40+02:00"]),
        ("03:00", "03:30", &["Sun 03:00+01:00 x", "Sun 03:30+01:00"]),
    ];
    for (from, to, expected) in table {
        let found =
            changes(&[window("x", &["sun"], from, to, Some(1))], "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z");
        assert_eq!(found, *expected, "{from} {to}");
    }
    let halves = [window("a", &["sun"], "00:00", "02:30", Some(1)), window("b", &["sun"], "02:30", "24:00", Some(2))];
    let found = changes(&halves, "2026-10-24T12:00:00Z", "2026-10-25T22:00:00Z");
    assert_eq!(found, ["Sun 00:00+02:00 a", "Sun 02:30+02:00 b"], "those that follow one another do so in that night");
}

#[test]
fn a_day_that_ends_in_a_gap() {
    let mut late = window("late", &["sat"], "22:00", "23:30", Some(1));
    late.zone = zone(NUUK);
    assert_eq!(
        changes(&[late], "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"),
        ["Sat 22:00-02:00 late", "Sun 00:00-01:00"]
    );
}

#[test]
fn the_lowest_limit_holds_and_pauses_add_up() {
    let mut gpu = window("gpu", &["mon-sun"], "08:00", "20:00", None);
    gpu.pause = vec!["gpu".into(), "big".into()];
    let mut big = window("big", &["mon-sun"], "10:00", "22:00", Some(4));
    big.pause = vec!["big".into()];
    let stands = Windows::of(&[gpu, big, window("day", &["mon-sun"], "09:00", "18:00", Some(1))]);
    let stands = stands.at(at("2026-11-30T11:00:00Z"));
    assert_eq!((stands.max_concurrent(3), stands.max_concurrent(0)), (1, 0));
    assert_eq!(stands.tightest().map(|(open, most)| (open.name.as_str(), most)), Some(("day", 1)));
    assert_eq!(stands.paused(), ["big", "gpu"]);
    assert_eq!(stands.pauses("big").map(|open| open.name.as_str()), Some("big"), "it closes last");
    assert_eq!(stands.pauses("default"), None);
    let none = Windows::none().at(at("2026-11-30T11:00:00Z"));
    assert_eq!((none.max_concurrent(3), none.tightest(), &none.next), (3, None, &None));
}

#[test]
fn those_that_contradict_one_another_are_found_with_the_time() {
    let day = window("day", &["mon-fri"], "09:00", "18:00", Some(1));
    let conflict_of = |days: &[&str], from, to, most| {
        let other = window("other", days, from, to, most);
        conflict(&other, &day).map(|conflict| format!("{} {}", conflict.day, conflict.clock))
    };
    let found = |text: &str| Some(text.to_owned());
    assert_eq!(conflict_of(&["mon-fri"], "18:00", "09:00", Some(8)), None, "they follow one another");
    assert_eq!(conflict_of(&["sat-sun"], "00:00", "24:00", Some(8)), None);
    assert_eq!(conflict_of(&["sun"], "18:00", "09:01", Some(8)), found("mon 09:00"));
    assert_eq!(conflict_of(&["wed"], "17:59", "20:00", Some(8)), found("wed 17:59"));
    assert_eq!(conflict_of(&["wed"], "12:00", "13:00", Some(1)), None, "both say the same");
    assert_eq!(conflict_of(&["wed"], "12:00", "13:00", None), None, "one says nothing");
    let mut far = window("far", &["mon-fri"], "20:00", "21:00", Some(8));
    assert_eq!(conflict(&far, &day), None);
    far.zone = zone("NZST-12NZDT,M9.5.0,M4.1.0/3");
    assert!(conflict(&far, &day).is_some(), "in one half of the year only");
}

#[test]
fn names_can_be_typed() {
    for good in ["day", "a", "büro", "v1.2", "7"] {
        assert_eq!(check_window_name(good), Ok(()));
    }
    let long = "x".repeat(65);
    for wrong in ["", "a b", "-x", "a,b", "a\n", &long] {
        assert_eq!(check_window_name(wrong), Err(InvalidWindow::Name(wrong.to_owned())));
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 128, ..Default::default() })]

    /// Nothing changes before the next change, and something does then.
    #[test]
    fn between_two_changes_all_stays_as_it_is(
        hours in proptest::collection::vec((0_u16..1_440, 1_u16..=1_440, 0_usize..7, 0_usize..7), 1..4),
        rules in proptest::sample::select(vec![VIENNA, NUUK]),
        start in 1_767_225_600_000_i64..1_798_761_600_000,
        part in 0.0..1.0_f64,
    ) {
        let words = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let windows: Vec<Window> = hours.iter().enumerate().filter(|(_, (from, to, ..))| from != to).map(|(n, (from, to, first, last))| {
            let text = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
            let days = format!("{}-{}", words[*first], words[*last]);
            let window = window(&n.to_string(), &[&days], &text(*from), &text(*to), Some(u32::from(*from)));
            Window { zone: zone(rules), ..window }
        }).collect();
        let all = Windows::of(&windows);
        let stands = all.at(Timestamp(start));
        if let Some(next) = &stands.next {
            prop_assert!(next.at.0 > start);
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "any moment in between will do")]
            let between = Timestamp(start + ((next.at.0 - start - 1) as f64 * part) as i64);
            prop_assert_eq!(&all.at(between).open, &stands.open);
            prop_assert_eq!(&all.at(Timestamp(next.at.0 - 1)).open, &stands.open);
            let names = |stands: &Standing| stands.open.iter().map(|open| open.name.clone()).collect::<Vec<_>>();
            let then = names(&all.at(next.at));
            for name in &next.closes {
                prop_assert!(!then.contains(name), "{name} {then:?}");
            }
            for name in &next.opens {
                prop_assert!(then.contains(name), "{name} {then:?}");
            }
        }
        for open in &stands.open {
            prop_assert!(open.opened_at.0 <= start && open.closes_at.is_none_or(|at| at.0 > start));
        }
    }
}
