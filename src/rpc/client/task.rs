//! Adding tasks, asking for them, steering them.

use std::collections::{BTreeMap, VecDeque};

use prost::Message as _;

use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::TaskId;
use crate::domain::progress::{Taken, Tell};
use crate::domain::query::{Added, TaskFilter, TaskPage};
use crate::domain::task::{Environment, NewTask, State, Task};
use crate::rpc::client::version::Noting;
use crate::rpc::client::{ANSWER_BYTES_MAX, Client, Error, REQUEST_BYTES_MAX, Repeat, Results, within, without_value};
use crate::rpc::convert::{plain_ids, progress, query, task};
use crate::rpc::proto;
use crate::rpc::proto::task_service_client::TaskServiceClient;

/// So many tasks are asked for at a time: neither side holds more of a long list than that on its way, and others get
/// their turn in between.
const PAGE: u32 = 1_000;

/// The longest list that the daemon puts in order; a longer one is put in order here, where all of it comes to.
const SORTED_MAX: u32 = 10_000;

/// What came of a cancel for one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It was waiting and has now ended.
    Ended,
    /// It has a process, or is about to, which was asked to stop.
    Asked,
}

impl Client {
    pub(super) fn task_service(&self) -> TaskServiceClient<Noting> {
        TaskServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Adds a task. Resolves when it is stored for good.
    ///
    /// When the connection breaks the add is repeated with the same uuid for [`super::Options::reconnect_for`]: there is
    /// one task, whether or not the first add was stored.
    ///
    /// Errors: what the daemon refuses; `invalid` without asking it if the task comes to more than 16 MiB. After
    /// [`Error::NoAnswer`] and [`Error::Broken`] the task may be there; add it again with the same uuid to find out.
    pub async fn add(&self, task: &NewTask) -> Result<Added, Error> {
        let request = task::new_to_proto(task.clone());
        let bytes = request.encoded_len();
        if bytes > REQUEST_BYTES_MAX {
            let message = format!(
                "the task comes to `{bytes}` bytes with its environment; at most {REQUEST_BYTES_MAX} are taken"
            );
            let problem = Problem::new(ErrorKind::Invalid, message).with_hint("pass large inputs with `--stdin FILE`");
            return Err(problem.into());
        }
        let response = self.call(Repeat::WhileReconnecting, |allowed| {
            let (mut service, request) = (self.task_service(), within(allowed, request.clone()));
            async move { service.add_task(request).await }
        });
        Ok(task::added_from_proto(response.await?)?)
    }

    /// Returns a task with its attempts, and the values of its environment if `show_env` asks for them.
    pub async fn task(&self, id: TaskId, show_env: bool) -> Result<(Task, Option<Environment>), Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, proto::GetTaskRequest { id: id.get(), show_env });
            async move { service.get_task(request).await }
        });
        let response = response.await?;
        let env = show_env.then(|| task::env_from_proto(response.env));
        Ok((task::required(response.task)?, env))
    }

    /// Returns the tasks that match, without their attempts. More than a page of them are not of one moment.
    pub async fn tasks(&self, filter: &TaskFilter) -> Result<TaskPage, Error> {
        let Some(sort) = &filter.sort else { return self.by_id(filter).await };
        let limit = filter.limit.unwrap_or(u32::MAX);
        if limit <= SORTED_MAX {
            let mut page = self.page(filter).await?;
            // An older daemon knows of no order.
            page.tasks.sort_by(|a, b| sort.compare(a, b));
            return Ok(page);
        }
        let mut page = self.by_id(&TaskFilter { sort: None, limit: None, ..filter.clone() }).await?;
        page.tasks.sort_by(|a, b| sort.compare(a, b));
        page.cut |= page.tasks.len() > limit as usize;
        page.tasks.truncate(limit as usize);
        Ok(page)
    }

    /// The same, by their numbers.
    async fn by_id(&self, filter: &TaskFilter) -> Result<TaskPage, Error> {
        let limit = filter.limit.unwrap_or(u32::MAX);
        if limit <= PAGE || filter.next_first {
            return self.page(filter).await;
        }
        let first = self.page(&TaskFilter { limit: Some(PAGE), ..filter.clone() }).await?;
        if first.tasks.len() < PAGE as usize {
            return Ok(first);
        }
        let Some(recent) = filter.recent.filter(|_| filter.states.is_empty()) else {
            return self.pages(filter, first, limit).await;
        };
        // Of those that have ended there is one page; what has not ended is asked for before: what ends in between is
        // then in both, and not in neither.
        let (ended, open): (Vec<State>, Vec<State>) = State::ALL.into_iter().partition(|state| state.is_ended());
        let of = |states, recent, limit| TaskFilter { states, recent, limit: Some(limit), ..filter.clone() };
        let open = of(open, None, PAGE);
        let first = self.page(&open).await?;
        let open = self.pages(&open, first, limit).await?;
        let ended = self.page(&of(ended, Some(recent), limit)).await?;
        let cut = open.cut || ended.cut;
        let all: BTreeMap<TaskId, Task> =
            open.tasks.into_iter().chain(ended.tasks).map(|task| (task.id, task)).collect();
        let surplus = all.len().saturating_sub(limit as usize);
        Ok(TaskPage { tasks: all.into_values().skip(surplus).collect(), cut: cut || surplus > 0 })
    }

    /// Goes on after the newest page, down to the oldest task or until there are `limit`.
    async fn pages(&self, filter: &TaskFilter, first: TaskPage, limit: u32) -> Result<TaskPage, Error> {
        let mut tasks = VecDeque::from(first.tasks);
        let mut cut = first.cut;
        while let Some(lowest) = tasks.front().map(|task| task.id).filter(|_| cut && tasks.len() < limit as usize) {
            let left = limit.saturating_sub(u32::try_from(tasks.len()).unwrap_or(u32::MAX)).min(PAGE);
            let next = TaskFilter { below: Some(lowest), limit: Some(left), ..filter.clone() };
            let page = self.page(&next).await?;
            if page.tasks.last().is_some_and(|task| task.id >= lowest) {
                // An older daemon knows of no pages.
                return self.page(&TaskFilter { limit: Some(limit), ..filter.clone() }).await;
            }
            cut = page.cut && !page.tasks.is_empty();
            page.tasks.into_iter().rev().for_each(|task| tasks.push_front(task));
        }
        Ok(TaskPage { tasks: tasks.into(), cut })
    }

    async fn page(&self, filter: &TaskFilter) -> Result<TaskPage, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, query::filter_to_proto(filter));
            async move { service.list_tasks(request).await }
        });
        Ok(query::page_from_proto(response.await?)?)
    }

    /// Says how far a task is. Resolves when that was taken; if `wait` holds, when it or a newer one is stored. `inside` is the task
    /// that says so. Repeated when the connection breaks: it is told as it was.
    pub async fn tell_progress(&self, tell: &Tell, wait: bool, inside: Option<TaskId>) -> Result<Taken, Error> {
        let response = self.call(Repeat::WhileReconnecting, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, progress::tell_to_proto(tell.clone(), wait, inside));
            async move { service.tell_progress(request).await }
        });
        Ok(progress::taken_from_proto(response.await?)?)
    }

    /// Cancels tasks. Resolves when the wish is stored and the signals were sent.
    pub async fn cancel(&self, ids: &[TaskId], reason: Option<&str>) -> Results<Cancelled> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.task_service();
            let message = proto::CancelTasksRequest { ids: plain_ids(ids), reason: reason.map(str::to_owned) };
            async move { service.cancel_tasks(within(allowed, message)).await }
        });
        let cancelled = |asked| if asked { Cancelled::Asked } else { Cancelled::Ended };
        let results = query::results_from_proto(response.await?)?;
        Ok(results.into_iter().map(|(id, result)| (id, result.map(cancelled))).collect())
    }

    /// Sends a signal to every process of the tasks' sessions and changes nothing else. Not repeated when the
    /// connection breaks.
    pub async fn kill(&self, ids: &[TaskId], signal: i32) -> Results<()> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, proto::KillTasksRequest { ids: plain_ids(ids), signal });
            async move { service.kill_tasks(request).await }
        });
        Ok(without_value(query::results_from_proto(response.await?)?))
    }

    /// Lets held tasks go. Not repeated when the connection breaks: a task that was let go is not held any more, which
    /// would then be an error.
    pub async fn release(&self, ids: &[TaskId]) -> Results<()> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, proto::ReleaseTasksRequest { ids: plain_ids(ids) });
            async move { service.release_tasks(request).await }
        });
        Ok(without_value(query::results_from_proto(response.await?)?))
    }
    /// Keeps waiting tasks back until they are released. Not repeated when the connection breaks.
    pub async fn hold(&self, ids: &[TaskId]) -> Results<()> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, proto::HoldTasksRequest { ids: plain_ids(ids) });
            async move { service.hold_tasks(request).await }
        });
        Ok(without_value(query::results_from_proto(response.await?)?))
    }

    /// Stops all processes in the sessions of running tasks. Resolves when that is stored and the signals were sent. Not repeated when the
    /// connection breaks.
    pub async fn pause(&self, ids: &[TaskId]) -> Results<()> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, proto::PauseTasksRequest { ids: plain_ids(ids) });
            async move { service.pause_tasks(request).await }
        });
        Ok(without_value(query::results_from_proto(response.await?)?))
    }

    /// Lets the processes of paused tasks go on. Not repeated when the connection breaks.
    pub async fn resume(&self, ids: &[TaskId]) -> Results<()> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, proto::ResumeTasksRequest { ids: plain_ids(ids) });
            async move { service.resume_tasks(request).await }
        });
        Ok(without_value(query::results_from_proto(response.await?)?))
    }

    /// Begins tasks anew that have ended. Not repeated when the connection breaks: one that has ended again meanwhile
    /// would be run once more.
    pub async fn retry(&self, ids: &[TaskId]) -> Results<()> {
        self.retry_tasks(proto::RetryTasksRequest { ids: plain_ids(ids), failed: false }).await
    }

    /// Begins all tasks anew that failed, timed out, were lost or interrupted, and tells which. Not repeated when the
    /// connection breaks.
    pub async fn retry_failed(&self) -> Results<()> {
        self.retry_tasks(proto::RetryTasksRequest { ids: Vec::new(), failed: true }).await
    }

    async fn retry_tasks(&self, message: proto::RetryTasksRequest) -> Results<()> {
        let response = self.call(Repeat::Never, |allowed| {
            let (mut service, request) = (self.task_service(), within(allowed, message.clone()));
            async move { service.retry_tasks(request).await }
        });
        Ok(without_value(query::results_from_proto(response.await?)?))
    }

    /// Forgets tasks that have ended, with all they wrote. Not repeated when the connection breaks: a task that is gone is
    /// not found any more.
    pub async fn remove(&self, ids: &[TaskId]) -> Results<()> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, proto::RemoveTasksRequest { ids: plain_ids(ids) });
            async move { service.remove_tasks(request).await }
        });
        Ok(without_value(query::results_from_proto(response.await?)?))
    }
}
