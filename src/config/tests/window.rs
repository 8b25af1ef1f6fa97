use super::*;

const DAY: &str =
    "[[windows]]\nname = \"day\"\ndays = [\"mon-fri\"]\nfrom = \"9:00\"\nto = \"18:00\"\nmax_concurrent = 1\n";
const NIGHT: &str =
    "[[windows]]\nname = \"night\"\nfrom = \"18:00\"\nto = \"09:00\"\nmax_concurrent = 8\npause = [\"gpu\"]\n";

fn names(config: &Config) -> Vec<&str> {
    config.windows.iter().map(|window| window.name.as_str()).collect()
}

#[test]
fn windows_are_taken_and_shown_as_they_are_written() {
    let zoned = "[[windows]]\nname = \"w\"\ndays = [\"sat\", \"sun\"]\ntime_zone = \"UTC\"\nmax_concurrent = 0\n";
    let config = of_project(&format!("{DAY}{NIGHT}")).unwrap();
    assert_eq!(names(&config), ["day", "night"]);
    assert!(!config.windows().is_empty() && Config::default().windows().is_empty());
    for text in [format!("{DAY}{NIGHT}"), zoned.to_owned()] {
        let config = of_project(&text).unwrap();
        let shown = config.to_toml(None);
        assert_eq!(of_project(&shown).unwrap().windows, config.windows, "{shown}");
    }
    let (config, origins) = resolve_with_origins(&Layers {
        user: None,
        project: Some(file(DAY)),
        variables: &BTreeMap::new(),
        overrides: Overrides::default(),
    })
    .unwrap();
    let shown = config.to_toml(Some(&origins));
    let start = shown.find("[[windows]]").unwrap();
    insta::assert_snapshot!(shown[start..], @r#"
    [[windows]]
    name = "day"        # /p/.apex/config.toml:2
    days = ["mon-fri"]  # /p/.apex/config.toml:3
    from = "09:00"      # /p/.apex/config.toml:4
    to = "18:00"        # /p/.apex/config.toml:5
    max_concurrent = 1  # /p/.apex/config.toml:6
    "#);
    let before = Config::default();
    let keys: Vec<String> = changed(&before, &config).into_iter().map(|change| change.key).collect();
    assert_eq!(keys, ["windows.day.days", "windows.day.from", "windows.day.to", "windows.day.max_concurrent"]);
    let change = &changed(&config, &of_project(&DAY.replace("= 1", "= 2")).unwrap())[0];
    assert_eq!(
        (change.key.as_str(), change.from.as_deref(), change.to.as_deref(), change.needs_restart),
        ("windows.day.max_concurrent", Some("1"), Some("2"), false)
    );
}

#[test]
fn the_project_s_window_takes_the_place_of_the_user_s_of_the_same_name() {
    let user = Text { path: Path::new("/u/config.toml"), text: &format!("{DAY}{NIGHT}") };
    let project = format!(
        "[[windows]]\nname = \"day\"\npause = [\"gpu\"]\n{}",
        NIGHT.replace("night", "late").replace("= 8", "= 9").replace("09:00", "18:30")
    );
    let variables = BTreeMap::new();
    let resolve = |project| {
        resolve(&Layers {
            user: Some(user),
            project: Some(file(project)),
            variables: &variables,
            overrides: Overrides::default(),
        })
    };
    let error = resolve(&project).unwrap_err().to_string();
    assert_eq!(
        error,
        "`/p/.apex/config.toml`, line 8: wrong value for `windows.max_concurrent`: window `night` says 8 and \
        is open at the same time (mon 18:00); keep them apart or let both say the same"
    );
    let config = resolve(&project.replace("= 9", "= 8")).unwrap();
    assert_eq!(names(&config), ["day", "night", "late"]);
    assert_eq!((config.windows[0].max_concurrent, config.windows[0].pause.len()), (None, 1));
}

#[test]
fn wrong_windows_name_line_key_and_what_to_write() {
    let day = |from: &str, to: &str| DAY.replace(from, to);
    let table: &[(&str, &str)] = &[
        (
            &day("mon-fri", "mon-funday"),
            "line 3: wrong value for `windows.days`: `mon-funday` is no day of the week; write `mon`",
        ),
        (
            &day("\"mon-fri\"", "\"mon-fri\", \"wed\""),
            "line 3: wrong value for `windows.days`: `wed` names wed again, and the window would overlap itself",
        ),
        (&day("[\"mon-fri\"]", "[]"), "line 3: wrong value for `windows.days`: a window needs a day on which it opens"),
        (
            &day("[\"mon-fri\"]", "\"mon\""),
            "line 3: wrong value for `windows.days`: expected a list of days such as `[\"mon-fri\"]`, found a string",
        ),
        (
            &day("18:00", "9:00"),
            "line 5: wrong value for `windows.to`: `09:00` is both `from` and `to`; a whole day goes from `00:00` to `24:00`",
        ),
        (
            &day("9:00", "9 am"),
            "line 4: wrong value for `windows.from`: `9 am` is no time of the day; write it as `09:00`",
        ),
        (
            &day("9:00", "24:00"),
            "line 4: wrong value for `windows.from`: a window opens at `00:00` of a day, not at `24:00`",
        ),
        (
            &day("\"9:00\"", "9"),
            "line 4: wrong value for `windows.from`: expected a time of the day such as `\"09:00\"`, found a number",
        ),
        (&day("= 1", "= -1"), "line 6: wrong value for `windows.max_concurrent`: `-1` is not between 0 and 100000"),
        (
            &day("max_concurrent = 1", "pause = [\"a b\"]"),
            "line 6: wrong value for `windows.pause`: queue name `a b` needs",
        ),
        (
            &day("max_concurrent = 1", ""),
            "line 1: wrong value for `windows.max_concurrent`: the window changes nothing; give it `max_concurrent = 1`",
        ),
        (
            &day("max_concurrent", "max_concurent"),
            "line 6: unknown key `windows.max_concurent`; the nearest is `windows.max_concurrent`",
        ),
        (
            &day("name = \"day\"", "time_zone = \"Mars/Olympus\""),
            "line 2: wrong value for `windows.time_zone`: no time zone `Mars/Olympus` is known here; write a name such as `Europe/Vienna`",
        ),
        (
            &day("name = \"day\"", ""),
            "line 1: wrong value for `windows.name`: a window needs a name, such as `name = \"day\"`",
        ),
        (&day("\"day\"", "\"a b\""), "line 2: wrong value for `windows.name`: window name `a b` needs 1 to 64 bytes"),
        (
            &[DAY, DAY].concat(),
            "line 8: wrong value for `windows.name`: there is a window `day` before it in this file",
        ),
        (
            &[NIGHT, &day("18:00", "20:00")].concat(),
            "line 12: wrong value for `windows.max_concurrent`: window `night` says 8 and is open at the same time (mon 18:00)",
        ),
        (
            "\n[windows]\nname = \"day\"\n",
            "line 2: wrong value for `windows`: expected windows, each of them below a line `[[windows]]`, found a section",
        ),
        (
            "windows = [1]\n",
            "line 1: wrong value for `windows`: expected windows, each of them below a line `[[windows]]`, found a number",
        ),
    ];
    for (text, expected) in table {
        let error = message(text);
        assert!(error.starts_with(&format!("`/p/.apex/config.toml`, {expected}")), "{text}\n{error}");
    }
    assert!(of_variables(&[("APEX_WINDOWS_DAY", "x")]).is_ok());
}
