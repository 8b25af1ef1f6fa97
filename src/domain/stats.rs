//! How tasks went: how many, how many of them well, how long they waited and ran. In bounded memory, however many there are.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::task::State;

/// By what tasks are put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// All of them.
    All,
    /// By their names.
    Name,
    /// By their queues.
    Queue,
    /// By their schedules.
    Schedule,
    /// By the values of their labels with this key.
    Label(String),
}

/// A task that has ended, as far as it counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub state: State,
    /// How long it waited before its last attempt; `None` if it never started.
    pub waiting: Option<Duration>,
    /// How long that took.
    pub running: Option<Duration>,
}

/// What is known of some tasks together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many have ended.
    pub count: u64,
    /// Of these, those that succeeded.
    pub succeeded: u64,
    /// Of these, those that failed, timed out, were lost or interrupted.
    pub failed: u64,
    /// How long they waited.
    pub waiting: Spread,
    /// How long they ran.
    pub running: Spread,
}

/// Tasks that have something in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What; `None` if they have nothing of that sort.
    pub key: Option<String>,
    /// What is known of them.
    pub tally: Tally,
}

/// What of the groups is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    /// Those with the most tasks, the largest first.
    pub groups: Vec<Group>,
    /// How many more there are.
    pub more: u64,
}

impl Tally {
    /// Counts a task.
    pub fn add(&mut self, ended: Ended) {
        self.count += 1;
        match ended.state {
            State::Succeeded => self.succeeded += 1,
            State::Failed | State::TimedOut | State::Lost | State::Interrupted => self.failed += 1,
            _ => {}
        }
        if let Some(waiting) = ended.waiting {
            self.waiting.add(waiting);
        }
        if let Some(running) = ended.running {
            self.running.add(running);
        }
    }

    /// Returns which part succeeded of those that ran to an end of their own, from 0 to 1; `None` if none did.
    pub fn success_rate(&self) -> Option<f64> {
        let all = self.succeeded + self.failed;
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        (all > 0).then(|| self.succeeded as f64 / all as f64)
    }
}

impl Groups {
    /// Adds a group, and keeps the `most` largest.
    pub fn push(&mut self, group: Group, most: usize) {
        if group.tally.count == 0 {
            return;
        }
        let at = self.groups.partition_point(|known| known.tally.count >= group.tally.count);
        self.groups.insert(at, group);
        if self.groups.len() > most {
            self.groups.pop();
            self.more += 1;
        }
    }
}

/// So much finer than by powers of two lengths of time are told apart: by 1/64, or some 1.6 %.
const STEPS: u32 = 6;

/// How lengths of time are spread: how many there are of about the same, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread {
    counts: BTreeMap<u16, u64>,
    all: u64,
}

impl Spread {
    /// Counts a length of time.
    pub fn add(&mut self, length: Duration) {
        let ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        *self.counts.entry(bucket(ms)).or_default() += 1;
        self.all += 1;
    }

    /// Returns the length of time that `percent` of them do not exceed, to within 1.6 %; `None` if there are none.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let rank = (self.all.checked_mul(percent)?.div_ceil(100)).max(1);
        let mut seen = 0;
        let found = self.counts.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        found.map(|(bucket, _)| Duration::from_millis(middle(*bucket)))
    }
}

/// Below 128 ms each has its own; above, each power of two has 64.
fn bucket(ms: u64) -> u16 {
    if ms < 2 << STEPS {
        return u16::try_from(ms).unwrap_or(u16::MAX);
    }
    let power = ms.ilog2() - STEPS;
    let within = (ms >> power) - (1 << STEPS);
    u16::try_from((u64::from(power) << STEPS) + (1 << STEPS) + within).unwrap_or(u16::MAX)
}

fn middle(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < 2 << STEPS {
        return bucket;
    }
    let power = (bucket >> STEPS) - 1;
    let first = ((bucket & ((1 << STEPS) - 1)) + (1 << STEPS)) << power;
    first + ((1 << power) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_near_those_of_all_of_them() {
        let mut spread = Spread::default();
        assert_eq!(spread.percentile(50), None);
        for ms in 1..=1_000_u64 {
            spread.add(Duration::from_millis(ms * ms));
        }
        for (percent, exact) in [(1, 100_u64), (50, 250_000), (95, 902_500), (100, 1_000_000)] {
            let near = u64::try_from(spread.percentile(percent).unwrap().as_millis()).unwrap();
            assert!(near.abs_diff(exact) * 60 <= exact, "{percent}: {near} {exact}");
        }
        let mut one = Spread::default();
        one.add(Duration::from_millis(7));
        assert_eq!(
            (one.percentile(50), one.percentile(95)),
            (Some(Duration::from_millis(7)), Some(Duration::from_millis(7)))
        );
    }

    #[test]
    fn every_length_has_a_bucket_near_it() {
        let mut last = 0;
        for ms in
            (0..300).chain((8..63).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + (1 << (power - 1))]))
        {
            let near = middle(bucket(ms));
            assert!(near.abs_diff(ms) <= ms / 64, "{ms} {near}");
            assert!(bucket(ms) >= last || ms < 300, "{ms}");
            last = bucket(ms);
        }
        assert!(middle(bucket(u64::MAX)) > u64::MAX / 2);
    }

    #[test]
    fn of_the_groups_the_largest_are_kept() {
        let mut groups = Groups::default();
        for (key, count) in [("a", 1), ("b", 5), ("c", 0), ("d", 3), ("e", 5)] {
            let tally = Tally { count, ..Tally::default() };
            groups.push(Group { key: Some(key.to_owned()), tally }, 3);
        }
        let keys: Vec<_> = groups.groups.iter().filter_map(|group| group.key.as_deref()).collect();
        assert_eq!((keys, groups.more), (vec!["b", "e", "d"], 1));
    }
}
