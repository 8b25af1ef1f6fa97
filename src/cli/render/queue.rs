//! Queues: the list, and why nothing of one is started.

use crate::cli::render::instant::moment;
use crate::cli::render::table::{Align, Cell, Column, Table, cut};
use crate::domain::queue::{Queue, QueuePause};
use crate::domain::task::DEFAULT_QUEUE;
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;

/// What a name may take at least.
const NAME_WIDTH_MIN: usize = 10;

/// Returns the table of `queues`; `-` stands for no limit but the daemon's.
pub fn list(queues: &[Queue], now: Timestamp, width: Option<usize>) -> String {
    let has_weights = queues.iter().any(|queue| queue.weight.is_some());
    let mut columns = vec![Column::new("NAME", Align::Left), Column::new("SLOTS", Align::Right).expendable(1)];
    columns.extend(has_weights.then_some(Column::new("WEIGHT", Align::Right).expendable(5)));
    columns.extend([
        Column::new("RUNNING", Align::Right).expendable(2),
        Column::new("QUEUED", Align::Right).expendable(3),
        Column::new("WAITING", Align::Right).expendable(4),
        Column::new("STATE", Align::Left),
    ]);
    let mut table = Table::new(columns);
    for queue in queues {
        let slots = if queue.slots == 0 { "-".to_owned() } else { queue.slots.to_string() };
        let weight = queue.weight.map_or_else(|| "-".to_owned(), |weight| weight.to_string());
        let mut row = vec![Cell::new(name(queue, width)), Cell::new(slots)];
        row.extend(has_weights.then(|| Cell::new(weight)));
        row.extend([
            Cell::new(queue.active.to_string()),
            Cell::new(queue.queued.to_string()),
            Cell::new(queue.waiting.to_string()),
            Cell::new(queue.pause.as_ref().map_or_else(|| "open".to_owned(), |pause| paused(pause, now))),
        ]);
        table.push(row);
    }
    table.draw(width)
}

/// Returns the lines of the status screen for `queues`, a line each; `None` if the default one is all there is, and
/// nothing about it is out of the ordinary. Of more than `most` those are left together in the last line in which least goes on.
pub fn overview(queues: &[Queue], most: usize, now: Timestamp, width: Option<usize>) -> Option<String> {
    let ordinary = |queue: &Queue| queue.name == DEFAULT_QUEUE && queue.slots == 0 && queue.pause.is_none();
    if queues.iter().all(ordinary) {
        return None;
    }
    let mut table = Table::new(vec![
        Column::new("NAME", Align::Left),
        Column::new("USED", Align::Left),
        Column::new("QUEUED", Align::Left).expendable(1),
        Column::new("STATE", Align::Left),
    ])
    .indented(2);
    let (shown, others) = apart(queues, most);
    for queue in shown {
        let used = match queue.slots {
            0 => format!("{} running", queue.active),
            slots => format!("{} of {slots} slots used", queue.active),
        };
        table.push(vec![
            Cell::new(name(queue, width)),
            Cell::new(used),
            Cell::new(format!("{} queued", queue.queued)),
            Cell::new(queue.pause.as_ref().map(|pause| paused(pause, now)).unwrap_or_default()),
        ]);
    }
    if !others.is_empty() {
        let sum = |of: fn(&Queue) -> u64| others.iter().map(|queue| of(queue)).sum::<u64>();
        table.push(vec![
            Cell::new(format!("{} more", others.len())),
            Cell::new(format!("{} running", sum(|queue| queue.active))),
            Cell::new(format!("{} queued", sum(|queue| queue.queued))),
            Cell::new("see them with `apex queue list`"),
        ]);
    }
    Some(table.draw(width))
}

/// Returns the queues that are shown, and those that there is no room for: first those in which nothing goes on, then those in
/// which nothing runs. Paused ones are shown rather than any other.
fn apart(queues: &[Queue], most: usize) -> (Vec<&Queue>, Vec<&Queue>) {
    if queues.len() <= most {
        return (queues.iter().collect(), Vec::new());
    }
    let rank = |queue: &Queue| match queue {
        Queue { pause: Some(_), .. } => 0,
        Queue { active: 1.., .. } => 1,
        Queue { queued: 1.., .. } => 2,
        _ => 3,
    };
    let mut places: Vec<usize> = (0..queues.len()).collect();
    places.sort_by_key(|place| rank(&queues[*place]));
    places.truncate(most.saturating_sub(1));
    places.sort_unstable();
    let shown = places.iter().map(|place| &queues[*place]).collect();
    let is_other = |(place, _): &(usize, &Queue)| !places.contains(place);
    (shown, queues.iter().enumerate().filter(is_other).map(|(_, queue)| queue).collect())
}

/// Returns the name of a queue, cut where it would leave no room for what is said of it.
fn name(queue: &Queue, width: Option<usize>) -> String {
    let name = neutralize(&queue.name);
    width.map_or_else(|| name.to_string(), |width| cut(&name, (width / 3).max(NAME_WIDTH_MIN)))
}

/// Returns why and until when nothing of a queue is started: `paused until 2026-01-15T11:30:00+00:00 (in 56m55s): why`.
pub fn paused(pause: &QueuePause, now: Timestamp) -> String {
    let until = pause.until.map(|at| format!(" until {}", moment(at, now))).unwrap_or_default();
    let reason = pause.reason.as_deref().map(|reason| format!(": {}", neutralize(reason))).unwrap_or_default();
    format!("paused{until}{reason}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples::{NOW, paused_queue};

    #[test]
    fn queues_in_which_nothing_goes_on_are_left_out_first() {
        let queue = |name: &str, active, queued| {
            let mut queue = paused_queue();
            (queue.name, queue.active, queue.queued, queue.pause, queue.slots) =
                (name.to_owned(), active, queued, None, 2);
            queue
        };
        let mut queues = vec![queue("a", 0, 0), queue("b", 0, 7), queue("c", 1, 0), queue("d", 0, 0), queue("e", 0, 2)];
        queues.push(queue("f", 0, 4));
        let text = overview(&queues, 4, NOW, None).unwrap();
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string(), @r"
          b       0 of 2 slots used  7 queued
          c       1 of 2 slots used  0 queued
          e       0 of 2 slots used  2 queued
          3 more  0 running          4 queued  see them with `apex queue list`
        ");
    }

    #[test]
    fn lists_of_queues_fit_narrow_terminals() {
        let long = Queue { name: "a-rather-long-name-for-a-queue-of-a-terminal".to_owned(), ..paused_queue() };
        let queues = [Queue { name: "default".to_owned(), ..Queue::default() }, paused_queue(), long];
        for width in 40..120 {
            for text in [Some(list(&queues, NOW, Some(width))), overview(&queues, usize::MAX, NOW, Some(width))] {
                let text = anstream::adapter::strip_str(&text.unwrap()).to_string();
                let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
                assert!(widest <= width, "{width}:\n{text}");
            }
        }
        let whole = anstream::adapter::strip_str(&list(&queues, NOW, None)).to_string();
        assert!(whole.contains("a-rather-long-name-for-a-queue-of-a-terminal"), "{whole}");
        let narrow = anstream::adapter::strip_str(&list(&queues[..1], NOW, Some(40))).to_string();
        assert_eq!(narrow.lines().next(), Some("NAME     SLOTS  RUNNING  QUEUED  STATE"), "{narrow}");
    }
}
