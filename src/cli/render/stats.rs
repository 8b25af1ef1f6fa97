//! How tasks went.

use std::time::Duration;

use crate::cli::render::table::{Align, Cell, Column, Table};
use crate::domain::stats::{By, Group};
use crate::domain::text::neutralize;
use crate::units::format_elapsed;

/// Returns a line for each group. Where space is short what they have in common is cut.
pub fn table(by: &By, groups: &[Group], width: Option<usize>) -> String {
    let title = match by {
        By::All => "TASKS".to_owned(),
        By::Name => "NAME".to_owned(),
        By::Queue => "QUEUE".to_owned(),
        By::Schedule => "SCHEDULE".to_owned(),
        By::Label(key) => neutralize(key).to_uppercase(),
    };
    let number = |title| Column::new(title, Align::Right);
    let columns = vec![
        Column::titled(title, Align::Left),
        number("COUNT"),
        number("SUCCESS"),
        number("WAIT P50").expendable(2),
        number("WAIT P95").expendable(1),
        number("RUN P50"),
        number("RUN P95"),
    ];
    let mut table = Table::new(columns).cutting(0);
    let length = |length: Option<Duration>| Cell::new(length.map_or_else(|| "-".to_owned(), format_elapsed));
    for Group { key, tally } in groups {
        let key = match (by, key) {
            (By::All, _) => "all".to_owned(),
            (_, Some(key)) => neutralize(key).into_owned(),
            (_, None) => "-".to_owned(),
        };
        let success = tally.success_rate().map_or_else(|| "-".to_owned(), percent);
        table.push(vec![
            Cell::new(key),
            Cell::new(tally.count.to_string()),
            Cell::new(success),
            length(tally.waiting.percentile(50)),
            length(tally.waiting.percentile(95)),
            length(tally.running.percentile(50)),
            length(tally.running.percentile(95)),
        ]);
    }
    table.draw(width)
}

/// Never rounded up to all of them.
fn percent(rate: f64) -> String {
    format!("{:.1}%", (rate * 1_000.0).floor() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::stats::{Ended, Tally};
    use crate::domain::task::State;

    #[test]
    fn every_group_has_a_line() {
        let mut tally = Tally::default();
        for n in 0..1_000_u64 {
            let state = if n == 0 { State::Failed } else { State::Succeeded };
            let (waiting, running) = (Some(Duration::from_millis(n)), Some(Duration::from_secs(n)));
            tally.add(Ended { state, waiting, running });
        }
        let skipped = Ended { state: State::Skipped, waiting: None, running: None };
        let mut none = Tally::default();
        none.add(skipped);
        let groups = [Group { key: Some("a rather long name".to_owned()), tally }, Group { key: None, tally: none }];
        let plain = |width| anstream::adapter::strip_str(&table(&By::Name, &groups, width)).to_string();
        insta::assert_snapshot!(plain(None), @r"
        NAME                COUNT  SUCCESS  WAIT P50  WAIT P95  RUN P50  RUN P95
        a rather long name   1000    99.9%     498ms     948ms    8m17s   15m46s
        -                       1        -         -         -        -        -
        ");
        assert!(plain(Some(60)).lines().all(|line| line.chars().count() <= 60), "{}", plain(Some(60)));
    }
}
