//! What the store promises, verb by verb: each is handed on to the writer or to a reader.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

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
use crate::store::queue::{PauseQueues, PerQueue, QueueCount, SetQueue, SteerQueues, WeighQueue};
use crate::store::schedule::{
    AddSchedule, EditSchedule, Fire, Fired, PauseSchedules, PerSchedule, RemoveSchedules, ResumeSchedules, RunSchedule,
    ScheduleNotEdited,
};
use crate::store::sqlite::writer::{Closed, Message};
use crate::store::sqlite::{Sqlite, fault, list, read, schedule, step, verb};
use crate::store::task::{
    Add, AddMany, Added, AddedMany, Cancel, Cancelled, Claim, Claimed, Counts, Due, EditTask, Ended, Expire, Expired,
    Finish, Finished, Holdings, InFlight, Move, NotEdited, NotMoved, NotTold, Pause, PerTask, Progress, Prune, Renew,
    Start, Steer, Step, Steps, TaskFilter, TaskPage, TellProgress, Unclaim,
};
use crate::store::{ChangeStore, Error, HookStore, QueueStore, Reply, ScheduleStore, Store, TaskStore};

impl TaskStore for Sqlite {
    fn add(&self, add: Add) -> Reply<'_, Added> {
        self.take_on(move |part| part.add(&add))
    }

    fn add_many(&self, add: AddMany) -> Reply<'_, AddedMany> {
        self.take_on(move |part| part.add_many(&add))
    }

    fn task(&self, id: TaskId) -> Reply<'_, Option<Task>> {
        self.read(move |db| read::whole_task(db, id))
    }

    fn environment(&self, id: TaskId) -> Reply<'_, Option<Environment>> {
        self.read(move |db| Ok(read::environment(db, id)?.map(Arc::unwrap_or_clone)))
    }

    fn tasks(&self, filter: TaskFilter) -> Reply<'_, TaskPage> {
        self.read(move |db| list::tasks(db, &filter))
    }

    fn select(&self, filter: TaskFilter) -> Reply<'_, Vec<TaskId>> {
        self.read(move |db| Ok(list::ids(db, &filter)?.0.into_iter().collect()))
    }

    fn uploads(&self) -> Reply<'_, HashSet<Uuid>> {
        self.read(read::uploads)
    }

    fn counts(&self) -> Reply<'_, Counts> {
        self.read(read::counts)
    }

    fn claim(&self, claim: Claim) -> Reply<'_, Vec<Claimed>> {
        self.take_on(move |part| part.claim(&claim))
    }

    fn holdings(&self) -> Reply<'_, Holdings> {
        self.read(read::holdings)
    }

    fn start(&self, start: Start) -> Reply<'_, ()> {
        self.write(move |part| part.start(&start))
    }

    fn unclaim(&self, unclaim: Unclaim) -> Reply<'_, ()> {
        self.write(move |part| part.unclaim(&unclaim))
    }

    fn finish(&self, finish: Finish) -> Reply<'_, Finished> {
        self.write(move |part| part.finish(&finish))
    }

    fn steps(&self, steps: Vec<Step>) -> Steps<'_> {
        Box::pin(async move {
            let (jobs, answers): (Vec<_>, Vec<_>) = steps.into_iter().map(step::begin).unzip();
            // If nobody is there to do them, nobody answers.
            let _ = self.writes.send(Message::Work(jobs)).await;
            let mut stepped = Vec::with_capacity(answers.len());
            for answer in answers {
                stepped.push(answer.wait().await);
            }
            stepped
        })
    }

    fn cancel(&self, cancel: Cancel) -> Reply<'_, PerTask<Cancelled>> {
        self.write(move |part| part.cancel(&cancel))
    }

    fn hold(&self, hold: Steer) -> Reply<'_, PerTask<()>> {
        self.write(move |part| part.hold(&hold))
    }

    fn release(&self, release: Steer) -> Reply<'_, PerTask<()>> {
        self.write(move |part| part.release(&release))
    }

    fn pause(&self, pause: Pause) -> Reply<'_, PerTask<AssignmentId>> {
        self.write(move |part| part.pause(&pause))
    }

    fn resume(&self, resume: Pause) -> Reply<'_, PerTask<AssignmentId>> {
        self.write(move |part| part.resume(&resume))
    }

    fn retry(&self, retry: Steer) -> Reply<'_, PerTask<()>> {
        self.take_on(move |part| part.retry(&retry))
    }

    fn remove(&self, remove: Steer) -> Reply<'_, PerTask<()>> {
        Box::pin(async move {
            let pending = self.pending().await?;
            self.write(move |part| part.remove(&remove, &pending)).await
        })
    }

    fn edit(&self, wish: EditTask) -> Reply<'_, Result<Task, NotEdited>> {
        self.take_on(move |part| part.edit(&wish))
    }

    fn move_task(&self, wish: Move) -> Reply<'_, Result<Task, NotMoved>> {
        self.write(move |part| part.move_task(&wish))
    }

    fn tell_progress(&self, tell: TellProgress) -> Reply<'_, Result<Progress, NotTold>> {
        self.take_on(move |part| part.tell_progress(&tell))
    }

    fn ended(&self, prune: Prune, limit: usize) -> Reply<'_, Vec<Ended>> {
        self.read(move |db| list::ended(db, &prune, limit))
    }

    fn expire(&self, expire: Expire) -> Reply<'_, Expired> {
        Box::pin(async move {
            let pending = self.pending().await?;
            self.write(move |part| part.expire(expire, &pending)).await
        })
    }

    fn due(&self, now: Timestamp) -> Reply<'_, Due> {
        self.write(move |part| part.due(now))
    }

    fn settle(&self, now: Timestamp) -> Reply<'_, bool> {
        self.write(move |part| part.settle(now))
    }

    fn distrust(&self, now: Timestamp) -> Reply<'_, usize> {
        self.write(move |part| part.distrust(now))
    }

    fn trust(&self, now: Timestamp) -> Reply<'_, usize> {
        self.write(move |part| part.trust(now))
    }

    fn renew(&self, renew: Renew) -> Reply<'_, Vec<InFlight>> {
        self.write(move |part| part.renew(&renew))
    }

    fn litter(&self, after: Option<PathBuf>, limit: usize) -> Reply<'_, Vec<PathBuf>> {
        self.read(move |db| verb::litter(db, after.as_deref(), limit))
    }

    fn tidied(&self, paths: Vec<PathBuf>) -> Reply<'_, ()> {
        self.write(move |part| part.tidied(&paths))
    }

    fn in_flight(&self) -> Reply<'_, Vec<InFlight>> {
        self.read(read::in_flight)
    }

    fn keep_hash(&self, assignment: AssignmentId, stream: Stream, sha256: [u8; 32]) -> Reply<'_, ()> {
        self.take_on(move |part| part.keep_hash(assignment, stream, &sha256))
    }
}

impl QueueStore for Sqlite {
    fn queues(&self) -> Reply<'_, Vec<Queue>> {
        self.read(read::queues)
    }

    fn queue_counts(&self) -> Reply<'_, Vec<QueueCount>> {
        self.read(read::queue_counts)
    }

    fn add_queue(&self, add: SetQueue) -> Reply<'_, Queue> {
        self.take_on(move |part| part.add_queue(&add))
    }

    fn set_queue(&self, set: SetQueue) -> Reply<'_, Queue> {
        self.write(move |part| part.set_queue(&set))
    }

    fn weigh_queue(&self, weigh: WeighQueue) -> Reply<'_, Queue> {
        self.write(move |part| part.weigh_queue(&weigh))
    }

    fn configure_weights(&self, weights: BTreeMap<String, u32>, now: Timestamp) -> Reply<'_, ()> {
        self.write(move |part| part.configure_weights(&weights, now))
    }

    fn pause_queues(&self, pause: PauseQueues) -> Reply<'_, PerQueue> {
        self.write(move |part| part.pause_queues(&pause))
    }

    fn resume_queues(&self, resume: SteerQueues) -> Reply<'_, PerQueue> {
        self.write(move |part| part.resume_queues(&resume))
    }

    fn remove_queues(&self, remove: SteerQueues) -> Reply<'_, PerQueue> {
        self.write(move |part| part.remove_queues(&remove))
    }

    fn configure_queues(&self, slots: BTreeMap<String, u32>, now: Timestamp) -> Reply<'_, ()> {
        self.write(move |part| part.configure_queues(&slots, now))
    }
}

impl ScheduleStore for Sqlite {
    fn schedules(&self) -> Reply<'_, Vec<Schedule>> {
        self.read(schedule::all)
    }

    fn schedule(&self, name: String) -> Reply<'_, Option<Schedule>> {
        self.read(move |db| schedule::named(db, &name))
    }

    fn due_schedules(&self, now: Timestamp, limit: usize) -> Reply<'_, Vec<Schedule>> {
        self.write(move |part| part.due_schedules(now, limit))
    }

    fn add_schedule(&self, add: AddSchedule) -> Reply<'_, Schedule> {
        self.take_on(move |part| part.add_schedule(&add))
    }

    fn fire(&self, fires: Vec<Fire>, now: Timestamp) -> Reply<'_, Vec<Fired>> {
        self.take_on(move |part| part.fire(&fires, now))
    }

    fn run_schedule(&self, run: RunSchedule) -> Reply<'_, Added> {
        self.take_on(move |part| part.run_schedule(&run))
    }

    fn pause_schedules(&self, pause: PauseSchedules) -> Reply<'_, PerSchedule> {
        self.write(move |part| part.pause_schedules(&pause))
    }

    fn resume_schedules(&self, resume: ResumeSchedules) -> Reply<'_, PerSchedule> {
        self.write(move |part| part.resume_schedules(&resume))
    }

    fn edit_schedule(&self, wish: EditSchedule) -> Reply<'_, Result<Schedule, ScheduleNotEdited>> {
        self.take_on(move |part| part.edit_schedule(&wish))
    }

    fn remove_schedules(&self, remove: RemoveSchedules) -> Reply<'_, PerSchedule> {
        self.write(move |part| part.remove_schedules(&remove))
    }
}

impl HookStore for Sqlite {
    fn hook_cursors(&self) -> Reply<'_, BTreeMap<String, Seq>> {
        self.read(read::hook_cursors)
    }

    fn hooks_ahead(&self) -> Reply<'_, BTreeSet<Seq>> {
        self.read(read::hooks_ahead)
    }

    fn hooks_to_come(&self, ids: Vec<TaskId>) -> Reply<'_, Vec<TaskId>> {
        Box::pin(async move {
            let pending = self.pending().await?;
            let to_come = move |db: &rusqlite::Connection| {
                let to_come = pending.now(db)?;
                Ok(ids.into_iter().filter(|id| to_come.of(*id).is_some()).collect())
            };
            self.read(to_come).await
        })
    }

    fn set_hooks(&self, hooks: Vec<(String, bool)>) -> Reply<'_, BTreeMap<String, Seq>> {
        self.write(move |part| part.set_hooks(&hooks))
    }

    fn hook_ran(&self, ran: HookRan) -> Reply<'_, ()> {
        self.write(move |part| part.hook_ran(&ran))
    }
}

impl ChangeStore for Sqlite {
    fn oldest(&self) -> Reply<'_, Option<Seq>> {
        self.read(read::oldest)
    }

    fn changes(&self, since: Seq, limit: usize) -> Reply<'_, Vec<Change>> {
        self.read(move |db| read::readable_changes(db, since, limit))
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.last.clone()
    }
}

impl Store for Sqlite {
    fn close(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            self.reads.close().await;
            // It may have ended already.
            let _ = self.writes.send(Message::Close).await;
            let mut closed = self.closed.clone();
            let closed = closed.wait_for(|closed| !matches!(closed, Closed::NotYet)).await;
            match closed.as_deref() {
                Ok(Closed::Failed(error)) => Err(fault::of("close", &self.path, Arc::clone(error))),
                Ok(_) => Ok(()),
                Err(_) => Err(Error::Closed),
            }
        })
    }
}
