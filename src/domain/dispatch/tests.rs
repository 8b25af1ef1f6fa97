use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::resource::{Amount, Capacity, Pool};

const RESERVE_AFTER: Duration = Duration::from_secs(30);

fn pools() -> Pools {
    let pool = |name: &str, capacity| (name.to_owned(), Pool::new(capacity));
    Pools(BTreeMap::from([
        pool("gpu", Capacity::Indices(BTreeSet::from([0, 1, 2, 3]))),
        pool("licence", Capacity::Amount(Amount::Count(2))),
        pool("mem", Capacity::Amount(Amount::Bytes(24))),
    ]))
}

fn id(number: u64) -> TaskId {
    TaskId::new(number).unwrap()
}

fn rank(number: u64) -> Rank {
    Rank { priority: Reverse(0), position: i64::try_from(number).unwrap(), id: id(number) }
}

fn line(lane: usize, needs: &str, tasks: &[u64]) -> Line {
    Line { lane, needs: Needs::parse(needs).unwrap(), tasks: tasks.iter().map(|number| rank(*number)).collect() }
}

/// A stage with queues without limits, on which some tasks run.
struct Stage {
    slots: usize,
    lanes: Vec<Lane>,
    short: BTreeMap<TaskId, Timestamp>,
    runners: Vec<Runner>,
    now: Timestamp,
}

impl Stage {
    fn new(slots: usize, lanes: usize) -> Self {
        let lanes = vec![Lane { slots: 0, active: 0, weight: None }; lanes];
        Self { slots, lanes, short: BTreeMap::new(), runners: Vec::new(), now: Timestamp(0) }
    }

    fn run(&mut self, number: u64, lane: usize, granted: &str) {
        self.lanes[lane].active += 1;
        let granted = Granted::parse(granted).unwrap();
        self.runners.push(Runner { rank: rank(number), lane: Some(lane), claimed_at: self.now, granted });
    }

    fn end(&mut self, number: u64) {
        let place = self.runners.iter().position(|runner| runner.rank.id == id(number)).unwrap();
        let lane = self.runners.remove(place).lane.unwrap();
        self.lanes[lane].active -= 1;
    }

    /// Returns who starts; they run from then on.
    fn choose(&mut self, lines: &[Line]) -> Vec<u64> {
        let pools = pools();
        let room = Room {
            slots: self.slots,
            free_slots: self.slots - self.runners.len(),
            lanes: self.lanes.clone(),
            pools: &pools,
            free: Free::of(&pools, self.runners.iter().map(|runner| &runner.granted)),
            short: &self.short,
            reserve_after: RESERVE_AFTER,
            runners: self.runners.clone(),
            now: self.now,
        };
        let choice = choose(room, lines);
        self.short.extend(choice.short.iter().map(|id| (*id, self.now)));
        for (line, id, granted) in &choice.taken {
            self.short.remove(id);
            self.run(id.get(), lines[*line].lane, &granted.to_string());
        }
        choice.taken.iter().map(|(_, id, _)| id.get()).collect()
    }
}

#[test]
fn a_small_one_passes_a_big_one_until_that_reserves() {
    let mut stage = Stage::new(9, 1);
    stage.run(1, 0, "gpu=#0");
    let waiting = |small: &[u64]| [line(0, "gpu=4", &[2]), line(0, "gpu=1", small), line(0, "", &[50])];
    assert_eq!(stage.choose(&waiting(&[3])), [3, 50]);
    stage.now = Timestamp(29_999);
    assert_eq!(stage.choose(&waiting(&[4])), [4, 50]);
    stage.now = Timestamp(30_000);
    assert_eq!(stage.choose(&waiting(&[5])), [50], "what needs none of it passes");
    stage.end(1);
    stage.end(3);
    assert_eq!(stage.choose(&waiting(&[5])), [50]);
    stage.end(4);
    assert_eq!(stage.choose(&waiting(&[5])), [2, 50]);
}

#[test]
fn what_fits_beside_the_big_one_passes_it() {
    let mut stage = Stage::new(9, 1);
    stage.run(1, 0, "gpu=#0+1");
    stage.choose(&[line(0, "gpu=3", &[2])]);
    stage.now = Timestamp(40_000);
    // One of four is left beside it, and only one.
    assert_eq!(stage.choose(&[line(0, "gpu=3", &[2]), line(0, "gpu=1", &[3, 4])]), [3]);
    assert_eq!(stage.choose(&[line(0, "gpu=3", &[2]), line(0, "gpu=1", &[4])]), [0_u64; 0]);
    stage.end(1);
    assert_eq!(stage.choose(&[line(0, "gpu=3", &[2]), line(0, "gpu=1", &[4])]), [2]);
}

#[test]
fn a_slot_is_kept_for_it_too() {
    let mut stage = Stage::new(3, 2);
    stage.run(1, 0, "gpu=#0");
    stage.choose(&[line(0, "gpu=4", &[2])]);
    stage.now = Timestamp(30_000);
    let lines = [line(0, "gpu=4", &[2]), line(1, "", &[3, 4, 5])];
    assert_eq!(stage.choose(&lines), [3, 4]);
    stage.end(1);
    assert_eq!(stage.choose(&[line(0, "gpu=4", &[2]), line(1, "", &[5])]), [2]);
}

#[test]
fn who_comes_before_it_is_not_held_up_by_it() {
    let mut stage = Stage::new(9, 1);
    stage.run(1, 0, "gpu=#0");
    stage.choose(&[line(0, "gpu=4", &[5])]);
    stage.now = Timestamp(60_000);
    assert_eq!(stage.choose(&[line(0, "gpu=4", &[5]), line(0, "gpu=2", &[4, 6])]), [4]);
}

#[test]
fn one_that_never_fits_reserves_nothing() {
    let mut stage = Stage::new(9, 1);
    stage.short.insert(id(1), Timestamp(-99_000));
    let lines = [line(0, "gpu=5", &[1]), line(0, "gpu=4", &[2])];
    assert_eq!(stage.choose(&lines), [2]);
    assert_eq!(stage.choose(&[line(0, "tpu=1", &[3])]), [0_u64; 0]);
    assert!(!stage.short.contains_key(&id(3)));
}

#[test]
fn queues_have_the_share_of_their_weight() {
    let mut stage = Stage::new(8, 3);
    stage.lanes[0].weight = Some(3);
    let lines = [line(0, "", &[1, 2, 3, 4, 5, 6, 7, 8]), line(1, "", &[11, 12, 13]), line(2, "", &[])];
    stage.choose(&lines);
    assert_eq!([stage.lanes[0].active, stage.lanes[1].active], [6, 2]);
    // Without weights it is the order alone.
    let mut stage = Stage::new(8, 3);
    assert_eq!(stage.choose(&lines), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_turn_of_another_queue_does_not_put_off_what_reserves() {
    let mut stage = Stage::new(9, 2);
    (stage.lanes[0].weight, stage.lanes[1].weight) = (Some(1), Some(9));
    stage.run(1, 0, "gpu=#0");
    let lines = |small: &[u64]| [line(0, "gpu=4", &[2]), line(1, "gpu=1", small)];
    assert_eq!(stage.choose(&lines(&[3])), [3]);
    stage.now = Timestamp(30_000);
    assert_eq!(stage.choose(&lines(&[4])), [0_u64; 0]);
}

/// A task of the long play. Needs are plain numbers: gpu, licence, mem.
#[derive(Debug, Clone)]
struct Played {
    rank: Rank,
    lane: usize,
    needs: [u64; 3],
    length: i64,
}

const TOTAL: [u64; 3] = [4, 2, 24];
const LANES: usize = 50;
const SLOTS: usize = 24;

impl Played {
    fn needs(&self) -> Needs {
        let [gpu, licence, mem] = self.needs;
        let all = [("gpu", Amount::Count(gpu)), ("licence", Amount::Count(licence)), ("mem", Amount::Bytes(mem))];
        Needs::of(all.into_iter().filter(|(_, need)| need.get() > 0).map(|(name, need)| (name.to_owned(), need)))
            .unwrap()
    }
}

fn limit(lane: usize) -> usize {
    [0, 1, 2, 5][lane % 4]
}

#[derive(Debug, Clone)]
struct Running {
    task: Played,
    claimed_at: i64,
    ends_at: i64,
}

/// The same rule, looked at task by task, with nothing remembered from one to the next.
fn brute_force(
    queued: &[Played],
    running: &[Running],
    short: &BTreeMap<TaskId, Timestamp>,
    now: i64,
) -> (Vec<TaskId>, BTreeSet<TaskId>) {
    let mut running = running.to_vec();
    let mut queued = queued.to_vec();
    queued.sort_by_key(|task| task.rank);
    let (mut taken, mut is_short) = (Vec::new(), BTreeSet::new());
    let mut reserving: Vec<(Played, i64)> = Vec::new();
    for task in queued {
        if running.len() == SLOTS {
            break;
        }
        let limit_of = |lane: usize| if limit(lane) == 0 { usize::MAX } else { limit(lane) };
        let is_full = running.iter().filter(|other| other.task.lane == task.lane).count() >= limit_of(task.lane);
        let used = |at: usize| running.iter().map(|other| other.task.needs[at]).sum::<u64>();
        let is_wanting = (0..3).any(|at| used(at) + task.needs[at] > TOTAL[at]);
        if is_wanting && !is_full {
            is_short.insert(task.rank.id);
        }
        let fits_beside = |(big, since): &(Played, i64)| {
            let passed = |other: &&Running| other.claimed_at >= *since && other.task.rank > big.rank;
            let passed: Vec<&Running> = running.iter().filter(passed).collect();
            let in_lane = passed.iter().filter(|other| other.task.lane == big.lane).count();
            passed.len() + 2 <= SLOTS
                && (task.lane != big.lane || in_lane + 2 <= limit_of(big.lane))
                && (0..3).filter(|at| task.needs[*at] > 0 && big.needs[*at] > 0).all(|at| {
                    passed.iter().map(|other| other.task.needs[at]).sum::<u64>() + task.needs[at] + big.needs[at]
                        <= TOTAL[at]
                })
        };
        if !is_full && !is_wanting && reserving.iter().all(fits_beside) {
            taken.push(task.rank.id);
            running.push(Running { task, claimed_at: now, ends_at: 0 });
        } else {
            let since = short.get(&task.rank.id).map(|since| since.0 + 30_000);
            reserving.extend(since.filter(|since| *since <= now).map(|since| (task, since)));
        }
    }
    (taken, is_short)
}

/// What a life came to.
#[derive(Debug, Default)]
struct Lived {
    ended: usize,
    reserved: usize,
    passed: usize,
}

/// Plays tasks from their add to their end, and compares every choice.
fn live(tasks: Vec<Played>, backlog: usize) -> Lived {
    let (pools, mut lived) = (pools(), Lived::default());
    let (mut queued, mut running) = (Vec::<Played>::new(), Vec::<(Running, Granted)>::new());
    let mut short = BTreeMap::<TaskId, Timestamp>::new();
    let (mut to_come, mut now) = (tasks.into_iter(), 0_i64);
    loop {
        queued.extend(to_come.by_ref().take(backlog.saturating_sub(queued.len())));
        if queued.is_empty() && running.is_empty() {
            return lived;
        }
        let mut lines = BTreeMap::<(usize, Needs), Vec<Rank>>::new();
        for task in &queued {
            lines.entry((task.lane, task.needs())).or_default().push(task.rank);
        }
        let lines = lines.into_iter().map(|((lane, needs), mut tasks)| {
            tasks.sort_unstable();
            Line { lane, needs, tasks }
        });
        let lines: Vec<Line> = lines.collect();
        let active = |lane: usize| running.iter().filter(|(other, _)| other.task.lane == lane).count();
        let runner = |(other, granted): &(Running, Granted)| Runner {
            rank: other.task.rank,
            lane: Some(other.task.lane),
            claimed_at: Timestamp(other.claimed_at),
            granted: granted.clone(),
        };
        let lane = |lane| Lane { slots: u32::try_from(limit(lane)).unwrap(), active: active(lane), weight: None };
        let room = Room {
            slots: SLOTS,
            free_slots: SLOTS - running.len(),
            lanes: (0..LANES).map(lane).collect(),
            pools: &pools,
            free: Free::of(&pools, running.iter().map(|(_, granted)| granted)),
            short: &short,
            reserve_after: RESERVE_AFTER,
            runners: running.iter().map(runner).collect(),
            now: Timestamp(now),
        };
        let choice = choose(room, &lines);
        let before: Vec<Running> = running.iter().map(|(running, _)| running.clone()).collect();
        let (expected, is_short) = brute_force(&queued, &before, &short, now);
        let taken: Vec<TaskId> = choice.taken.iter().map(|(_, id, _)| *id).collect();
        assert_eq!(taken, expected, "no slot is idle while something may run, and nobody runs who may not");
        for id in &choice.short {
            assert!(is_short.contains(id), "{id} does not wait for a resource");
            short.insert(*id, Timestamp(now));
        }
        for (_, id, granted) in choice.taken {
            let place = queued.iter().position(|task| task.rank.id == id).unwrap();
            let task = queued.swap_remove(place);
            lived.passed += usize::from(queued.iter().any(|other| other.rank < task.rank));
            short.remove(&id);
            let ends_at = now + task.length;
            running.push((Running { task, claimed_at: now, ends_at }, granted));
        }
        let mut pieces = BTreeSet::new();
        for (_, granted) in &running {
            if let Some(Grant::Indices(indices)) = granted.0.get("gpu") {
                indices.iter().for_each(|index| assert!(pieces.insert(*index), "piece {index} was given twice"));
            }
        }
        for (at, total) in TOTAL.iter().enumerate() {
            assert!(running.iter().map(|(other, _)| other.task.needs[at]).sum::<u64>() <= *total);
        }
        // Nothing that passed the first one that reserves stands in its way: it waits for what ran before, or for what comes
        // before it. Those behind it wait for it, too.
        let since =
            |task: &Played| short.get(&task.rank.id).map(|since| since.0 + 30_000).filter(|since| *since <= now);
        let reserving = queued.iter().filter_map(|task| Some((task, since(task)?)));
        lived.reserved += reserving.clone().count();
        if let Some((task, since)) = reserving.min_by_key(|(task, _)| task.rank) {
            let in_front = |other: &Running| other.claimed_at < since || other.task.rank < task.rank;
            assert!(running.iter().any(|(other, _)| in_front(other)), "{task:?} waits for what passed it");
        }
        now = running.iter().map(|(other, _)| other.ends_at).min().unwrap();
        let left = running.len();
        running.retain(|(other, _)| other.ends_at > now);
        lived.ended += left - running.len();
    }
}

fn played(count: u64, seed: u64) -> Vec<Played> {
    // A small generator is enough to be different, and the same each time.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = move |most: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % most
    };
    let needs = [[0, 0, 0], [1, 0, 0], [4, 0, 0], [0, 1, 2], [0, 0, 5], [2, 0, 20], [0, 2, 0], [3, 1, 8]];
    let task = |number| Played {
        rank: Rank { priority: Reverse(i32::try_from(below(40) / 39).unwrap()), ..rank(number) },
        lane: usize::try_from(below(LANES as u64)).unwrap(),
        needs: needs[usize::try_from(below(needs.len() as u64)).unwrap()],
        length: 1 + i64::try_from(if below(9) == 0 { below(90_000) } else { below(9_000) }).unwrap(),
    };
    (1..=count).map(task).collect()
}

#[test]
fn ten_thousand_tasks_in_fifty_queues_are_dealt_with_as_by_brute_force() {
    let lived = live(played(10_000, 7), 120);
    assert_eq!(lived.ended, 10_000, "no big one waits for ever");
    assert!(lived.reserved > 100 && lived.passed > 1_000, "{lived:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn every_choice_is_that_of_brute_force(seed in any::<u64>(), backlog in 1_usize..90) {
        prop_assert_eq!(live(played(250, seed), backlog).ended, 250);
    }
}
