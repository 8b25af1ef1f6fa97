//! What the store promises, verb by verb: each is handed on to the tables.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use tokio::sync::watch;
use uuid::Uuid;

use crate::domain::attempt::Stream;
use crate::domain::change::Change;
use crate::domain::id::{AssignmentId, Seq, TaskId};
use crate::domain::queue::Queue;
use crate::domain::schedule::Schedule;
use crate::domain::task::{Environment, Task};
use crate::domain::time::Timestamp;
use crate::store::hook::HookRan;
use crate::store::memory::{Entry, Memory};
use crate::store::queue::{PauseQueues, PerQueue, QueueCount, SetQueue, SteerQueues, WeighQueue};
use crate::store::schedule::{
    AddSchedule, EditSchedule, Fire, Fired, PauseSchedules, PerSchedule, RemoveSchedules, ResumeSchedules, RunSchedule,
    ScheduleNotEdited,
};
use crate::store::task::{
    Add, AddMany, Added, AddedMany, Cancel, Cancelled, Claim, Claimed, Counts, Due, EditTask, Ended, Expire, Expired,
    Finish, Finished, Holdings, InFlight, Move, NotEdited, NotMoved, NotTold, Pause, PerTask, Progress, Prune, Renew,
    Start, Steer, TaskFilter, TaskPage, TellProgress, Unclaim,
};
use crate::store::{ChangeStore, HookStore, QueueStore, Reply, ScheduleStore, Store, TaskStore};

impl TaskStore for Memory {
    fn add(&self, add: Add) -> Reply<'_, Added> {
        self.call(move |tables| tables.add(&add))
    }

    fn add_many(&self, add: AddMany) -> Reply<'_, AddedMany> {
        self.call(move |tables| tables.add_many(&add))
    }

    fn task(&self, id: TaskId) -> Reply<'_, Option<Task>> {
        self.call(move |tables| Ok(tables.tasks.get(&id).map(Entry::whole).map(|task| tables.with_expected(task))))
    }

    fn environment(&self, id: TaskId) -> Reply<'_, Option<Environment>> {
        self.call(move |tables| Ok(tables.tasks.get(&id).map(|entry| Environment::clone(&entry.env))))
    }

    fn tasks(&self, filter: TaskFilter) -> Reply<'_, TaskPage> {
        self.call(move |tables| Ok(tables.list(&filter)))
    }

    fn select(&self, filter: TaskFilter) -> Reply<'_, Vec<TaskId>> {
        self.call(move |tables| Ok(tables.list(&filter).tasks.into_iter().map(|task| task.id).collect()))
    }

    fn uploads(&self) -> Reply<'_, HashSet<Uuid>> {
        self.call(|tables| Ok(tables.uploads()))
    }

    fn counts(&self) -> Reply<'_, Counts> {
        self.call(|tables| Ok(tables.counts()))
    }

    fn claim(&self, claim: Claim) -> Reply<'_, Vec<Claimed>> {
        self.call(move |tables| Ok(tables.claim(&claim)))
    }

    fn holdings(&self) -> Reply<'_, Holdings> {
        self.call(|tables| Ok(tables.holdings()))
    }

    fn start(&self, start: Start) -> Reply<'_, ()> {
        self.call(move |tables| tables.start(&start))
    }

    fn unclaim(&self, unclaim: Unclaim) -> Reply<'_, ()> {
        self.call(move |tables| tables.unclaim(&unclaim))
    }

    fn finish(&self, finish: Finish) -> Reply<'_, Finished> {
        self.call(move |tables| tables.finish(&finish))
    }

    fn cancel(&self, cancel: Cancel) -> Reply<'_, PerTask<Cancelled>> {
        self.call(move |tables| Ok(tables.cancel(&cancel)))
    }

    fn hold(&self, hold: Steer) -> Reply<'_, PerTask<()>> {
        self.call(move |tables| Ok(tables.hold(&hold)))
    }

    fn release(&self, release: Steer) -> Reply<'_, PerTask<()>> {
        self.call(move |tables| Ok(tables.release(&release)))
    }

    fn pause(&self, pause: Pause) -> Reply<'_, PerTask<AssignmentId>> {
        self.call(move |tables| Ok(tables.pause(&pause)))
    }

    fn resume(&self, resume: Pause) -> Reply<'_, PerTask<AssignmentId>> {
        self.call(move |tables| Ok(tables.resume(&resume)))
    }

    fn retry(&self, retry: Steer) -> Reply<'_, PerTask<()>> {
        self.call(move |tables| Ok(tables.retry(&retry)))
    }

    fn remove(&self, remove: Steer) -> Reply<'_, PerTask<()>> {
        self.call(move |tables| Ok(tables.remove(&remove)))
    }

    fn edit(&self, wish: EditTask) -> Reply<'_, Result<Task, NotEdited>> {
        self.call(move |tables| tables.edit(&wish))
    }

    fn move_task(&self, wish: Move) -> Reply<'_, Result<Task, NotMoved>> {
        self.call(move |tables| Ok(tables.move_task(&wish)))
    }

    fn tell_progress(&self, tell: TellProgress) -> Reply<'_, Result<Progress, NotTold>> {
        self.call(move |tables| Ok(tables.tell_progress(&tell)))
    }

    fn ended(&self, prune: Prune, limit: usize) -> Reply<'_, Vec<Ended>> {
        self.call(move |tables| Ok(tables.ended(&prune, limit)))
    }

    fn expire(&self, expire: Expire) -> Reply<'_, Expired> {
        self.call(move |tables| Ok(tables.expire(expire)))
    }

    fn due(&self, now: Timestamp) -> Reply<'_, Due> {
        self.call(move |tables| Ok(tables.due(now)))
    }

    fn settle(&self, now: Timestamp) -> Reply<'_, bool> {
        self.call(move |tables| Ok(tables.settle(now)))
    }

    fn distrust(&self, now: Timestamp) -> Reply<'_, usize> {
        self.call(move |tables| Ok(tables.distrust(now)))
    }

    fn trust(&self, now: Timestamp) -> Reply<'_, usize> {
        self.call(move |tables| Ok(tables.trust(now)))
    }

    fn renew(&self, renew: Renew) -> Reply<'_, Vec<InFlight>> {
        self.call(move |tables| Ok(tables.renew(&renew)))
    }

    fn litter(&self, after: Option<PathBuf>, limit: usize) -> Reply<'_, Vec<PathBuf>> {
        self.call(move |tables| Ok(tables.litter(after.as_deref(), limit)))
    }

    fn tidied(&self, paths: Vec<PathBuf>) -> Reply<'_, ()> {
        self.call(move |tables| {
            tables.tidied(&paths);
            Ok(())
        })
    }

    fn in_flight(&self) -> Reply<'_, Vec<InFlight>> {
        self.call(|tables| Ok(tables.in_flight()))
    }

    fn keep_hash(&self, assignment: AssignmentId, stream: Stream, sha256: [u8; 32]) -> Reply<'_, ()> {
        self.call(move |tables| {
            tables.keep_hash(assignment, stream, sha256);
            Ok(())
        })
    }
}

impl QueueStore for Memory {
    fn queues(&self) -> Reply<'_, Vec<Queue>> {
        self.call(|tables| Ok(tables.all_queues()))
    }

    fn queue_counts(&self) -> Reply<'_, Vec<QueueCount>> {
        self.call(|tables| Ok(tables.queue_counts()))
    }

    fn add_queue(&self, add: SetQueue) -> Reply<'_, Queue> {
        self.call(move |tables| tables.add_queue(&add))
    }

    fn set_queue(&self, set: SetQueue) -> Reply<'_, Queue> {
        self.call(move |tables| tables.set_queue(&set))
    }

    fn weigh_queue(&self, weigh: WeighQueue) -> Reply<'_, Queue> {
        self.call(move |tables| tables.weigh_queue(&weigh))
    }

    fn configure_weights(&self, weights: BTreeMap<String, u32>, now: Timestamp) -> Reply<'_, ()> {
        self.call(move |tables| {
            tables.configure_weights(&weights, now);
            Ok(())
        })
    }

    fn pause_queues(&self, pause: PauseQueues) -> Reply<'_, PerQueue> {
        self.call(move |tables| Ok(tables.pause_queues(&pause)))
    }

    fn resume_queues(&self, resume: SteerQueues) -> Reply<'_, PerQueue> {
        self.call(move |tables| Ok(tables.resume_queues(&resume)))
    }

    fn remove_queues(&self, remove: SteerQueues) -> Reply<'_, PerQueue> {
        self.call(move |tables| Ok(tables.remove_queues(&remove)))
    }

    fn configure_queues(&self, slots: BTreeMap<String, u32>, now: Timestamp) -> Reply<'_, ()> {
        self.call(move |tables| {
            tables.configure_queues(&slots, now);
            Ok(())
        })
    }
}

impl ScheduleStore for Memory {
    fn schedules(&self) -> Reply<'_, Vec<Schedule>> {
        self.call(|tables| Ok(tables.all_schedules()))
    }

    fn schedule(&self, name: String) -> Reply<'_, Option<Schedule>> {
        self.call(move |tables| Ok(tables.schedule_named(&name)))
    }

    fn due_schedules(&self, now: Timestamp, limit: usize) -> Reply<'_, Vec<Schedule>> {
        self.call(move |tables| Ok(tables.due_schedules(now, limit)))
    }

    fn add_schedule(&self, add: AddSchedule) -> Reply<'_, Schedule> {
        self.call(move |tables| tables.add_schedule(&add))
    }

    fn fire(&self, fires: Vec<Fire>, now: Timestamp) -> Reply<'_, Vec<Fired>> {
        self.call(move |tables| Ok(tables.fire(&fires, now)))
    }

    fn run_schedule(&self, run: RunSchedule) -> Reply<'_, Added> {
        self.call(move |tables| tables.run_schedule(&run))
    }

    fn pause_schedules(&self, pause: PauseSchedules) -> Reply<'_, PerSchedule> {
        self.call(move |tables| Ok(tables.pause_schedules(&pause)))
    }

    fn resume_schedules(&self, resume: ResumeSchedules) -> Reply<'_, PerSchedule> {
        self.call(move |tables| Ok(tables.resume_schedules(&resume)))
    }

    fn edit_schedule(&self, wish: EditSchedule) -> Reply<'_, Result<Schedule, ScheduleNotEdited>> {
        self.call(move |tables| tables.edit_schedule(&wish))
    }

    fn remove_schedules(&self, remove: RemoveSchedules) -> Reply<'_, PerSchedule> {
        self.call(move |tables| Ok(tables.remove_schedules(&remove)))
    }
}

impl HookStore for Memory {
    fn hook_cursors(&self) -> Reply<'_, BTreeMap<String, Seq>> {
        self.call(|tables| Ok(tables.hooks.clone()))
    }

    fn hooks_ahead(&self) -> Reply<'_, BTreeSet<Seq>> {
        self.call(|tables| Ok(tables.hooks_ahead.clone()))
    }

    fn hooks_to_come(&self, ids: Vec<TaskId>) -> Reply<'_, Vec<TaskId>> {
        self.call(move |tables| Ok(ids.into_iter().filter(|id| tables.hook_to_come(*id).is_some()).collect()))
    }

    fn set_hooks(&self, hooks: Vec<(String, bool)>) -> Reply<'_, BTreeMap<String, Seq>> {
        self.call(move |tables| Ok(tables.set_hooks(&hooks)))
    }

    fn hook_ran(&self, ran: HookRan) -> Reply<'_, ()> {
        self.call(move |tables| {
            tables.hook_ran(&ran);
            Ok(())
        })
    }
}

impl ChangeStore for Memory {
    fn oldest(&self) -> Reply<'_, Option<Seq>> {
        self.call(|tables| Ok(tables.changes.first().map(|change| change.seq)))
    }

    fn changes(&self, since: Seq, limit: usize) -> Reply<'_, Vec<Change>> {
        self.call(move |tables| {
            let from = tables.changes.partition_point(|change| change.seq <= since);
            Ok(tables.changes[from..].iter().take(limit).cloned().collect())
        })
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.last.subscribe()
    }
}

impl Store for Memory {
    fn close(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            self.lock().closed = true;
            Ok(())
        })
    }
}
