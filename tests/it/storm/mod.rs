//! apexd is killed over and over while tasks of every sort run, wait and are tried again, while it is replaced, and while
//! clients are killed as well: nothing that was promised changes.

mod clients;
mod feed;
pub mod oracle;
pub mod probe;
mod soak;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::storm::clients::Client;
use crate::storm::oracle::{Ledger, Loss};
use crate::support::{World, eventually, long, process_state, signal};

/// So often is apexd killed, and so many tasks are added for each of these.
const KILLS: u32 = 50;
const TASKS_PER_KILL: u32 = 4;
/// So many clients work at once.
const CLIENTS: u64 = 3;

const CONFIG: &str = "[daemon]\nmax_concurrent = 4\n[resources]\ngpu = [0, 1]\n[queues.one]\nslots = 1\n[shutdown]\nkill_grace = \"200ms\"\n";

/// So often is somebody killed where the guardian is killed as well.
const KILLS_OF_ALL: u32 = 15;

/// A pseudo-random number generator, so that what was rolled in a run that failed can be rolled again.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A world in which everything happens at once.
pub struct Storm {
    pub world: World,
    pub ledger: Mutex<Ledger>,
    pub kills: AtomicU32,
    pub added: AtomicU32,
    /// Nobody rages any more, perhaps because something went wrong.
    pub is_over: AtomicBool,
}

impl Storm {
    fn new(may_lose: Loss) -> Storm {
        let world = World::with_config(CONFIG);
        probe::install(&world.root());
        world.apex(["daemon", "start"]).expect(0);
        let ledger = Mutex::new(Ledger { may_lose, limits: (4, 1), ..Ledger::default() });
        Storm { world, ledger, kills: AtomicU32::new(0), added: AtomicU32::new(0), is_over: AtomicBool::new(false) }
    }

    /// Kills apexd so many times, each at another moment of its life.
    fn rage(&self, kills: u32, dice: &mut Dice) {
        let guardian = self.world.guardian_pid();
        while self.kills.load(Ordering::SeqCst) < kills {
            // Most of the time it has come to serving, and is in the midst of something; else it has just begun. Never
            // twice in a row: who does not come to serving for five times is given up.
            let has_served = !self.kills.load(Ordering::SeqCst).is_multiple_of(3);
            if has_served {
                eventually("it serves", || self.world.apex(["daemon", "status"]).code == 0);
            }
            std::thread::park_timeout(Duration::from_micros(dice.roll(60_000)));
            eventually("there is one to kill", || {
                let pid = apexd_of(guardian);
                pid.is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
            });
            self.kills.fetch_add(1, Ordering::SeqCst);
        }
        assert_eq!(self.world.guardian_pid(), guardian, "the guardian was there all the time");
    }

    /// Kills apexd, the guardian, or both at once, so many times.
    fn rage_at_all(&self, kills: u32, dice: &mut Dice) {
        while self.kills.load(Ordering::SeqCst) < kills {
            eventually("it serves", || self.world.apex(["daemon", "status"]).code == 0);
            std::thread::park_timeout(Duration::from_micros(dice.roll(60_000)));
            let guardian = self.world.guardian_pid();
            let apexd = apexd_of(guardian);
            let victims = match dice.roll(4) {
                0 => [apexd, None],
                1 => [Some(guardian), apexd],
                _ => [Some(guardian), None],
            };
            for victim in victims.into_iter().flatten() {
                let _ = kill(Pid::from_raw(victim), Signal::SIGKILL);
            }
            self.kills.fetch_add(1, Ordering::SeqCst);
        }
        // Where both were killed, nobody was left who could let go on what was paused.
        for pid in self.world.processes() {
            if process_state(pid) == Some('T') {
                signal(pid, Signal::SIGCONT);
            }
        }
    }

    /// Lets clients work while somebody rages, then asks the oracle.
    fn play(self, kills: u32, rage: impl FnOnce(&Storm)) {
        let began = Instant::now();
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let storm = &self;
                scope.spawn(move || Client::new(storm, number).work(kills * TASKS_PER_KILL, TASKS_PER_KILL));
            }
            let _over = Over(&self.is_over);
            rage(&self);
        });
        let raged = began.elapsed();
        let ledger = self.ledger.into_inner().unwrap();
        let wrong = oracle::check(&self.world, &ledger);
        let (tasks, wrongs) = (ledger.probes.len(), wrong.len());
        eprintln!("{kills} kills over {tasks} tasks in {raged:?}, {:?} altogether: {wrongs} wrong", began.elapsed());
        assert!(wrong.is_empty(), "\n{}\n{}", self.world.log(), wrong.join("\n"));
    }
}

/// Says that it is over, also when a panic ends it.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Returns the apexd that a guardian has at the moment.
///
/// Source: proc_pid_task_tid_children(5).
pub fn apexd_of(guardian: i32) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{guardian}/task/{guardian}/children")).ok()?;
    let is_apexd =
        |pid: &&str| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "apexd\n");
    children.split_whitespace().find(is_apexd)?.parse().ok()
}

/// The long form, `APEX_LONG=20`, is a thousand kills over four thousand tasks.
#[test]
fn killing_apexd_at_any_moment_changes_nothing_that_was_promised() {
    let kills = KILLS * long();
    Storm::new(Loss::Nothing).play(kills, |storm| storm.rage(kills, &mut Dice(0xA9E)));
}

#[test]
fn killing_the_guardian_as_well_loses_only_what_nobody_could_know_of() {
    let kills = KILLS_OF_ALL * long();
    Storm::new(Loss::Everything).play(kills, |storm| storm.rage_at_all(kills, &mut Dice(0x6D)));
}
