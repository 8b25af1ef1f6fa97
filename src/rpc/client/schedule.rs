//! Schedules: how they stand, and steering them.

use crate::domain::error::Problem;
use crate::domain::id::TaskUuid;
use crate::domain::query::{Added, PerSchedule};
use crate::domain::schedule::{NewSchedule, Schedule, ScheduleEdit};
use crate::rpc::client::version::Noting;
use crate::rpc::client::{ANSWER_BYTES_MAX, Client, Error, Repeat, within};
use crate::rpc::convert::{schedule, task};
use crate::rpc::proto;
use crate::rpc::proto::schedule_service_client::ScheduleServiceClient;

impl Client {
    fn schedule_service(&self) -> ScheduleServiceClient<Noting> {
        ScheduleServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Returns all schedules, by name.
    pub async fn schedules(&self) -> Result<Vec<Schedule>, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.schedule_service();
            async move { service.list_schedules(within(allowed, proto::ListSchedulesRequest {})).await }
        });
        let schedules = response.await?.schedules.into_iter().map(schedule::from_proto);
        Ok(schedules.collect::<Result<_, _>>()?)
    }

    /// Returns a schedule.
    pub async fn schedule(&self, name: &str) -> Result<Schedule, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.schedule_service();
            let request = within(allowed, proto::GetScheduleRequest { name: name.to_owned() });
            async move { service.get_schedule(request).await }
        });
        Ok(schedule::required(response.await?.schedule)?)
    }

    /// Adds a schedule; tells as well whether it adds nothing because nobody has accepted the project yet. Not repeated when the connection breaks: one that is there already is a conflict.
    pub async fn add_schedule(&self, new: &NewSchedule) -> Result<(Schedule, bool), Error> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.schedule_service();
            let request = within(allowed, schedule::new_to_proto(new.clone()));
            async move { service.add_schedule(request).await }
        });
        let response = response.await?;
        Ok((schedule::required(response.schedule)?, response.untrusted))
    }

    /// Adds a task of a schedule at once. Repeated when the connection breaks: the task is there once.
    pub async fn run_schedule(&self, name: &str, uuid: TaskUuid) -> Result<Added, Error> {
        let response = self.call(Repeat::WhileReconnecting, |allowed| {
            let mut service = self.schedule_service();
            let message = proto::RunScheduleRequest { name: name.to_owned(), uuid: uuid.to_string() };
            async move { service.run_schedule(within(allowed, message)).await }
        });
        Ok(task::added_from_proto(response.await?)?)
    }

    /// Lets schedules add nothing until they are resumed.
    pub async fn pause_schedules(&self, names: &[String]) -> Result<PerSchedule<Problem>, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.schedule_service();
            let request = within(allowed, proto::PauseSchedulesRequest { names: names.to_vec() });
            async move { service.pause_schedules(request).await }
        });
        Ok(schedule::results_from_proto(response.await?))
    }

    /// Lets paused schedules add tasks again.
    pub async fn resume_schedules(&self, names: &[String]) -> Result<PerSchedule<Problem>, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.schedule_service();
            let request = within(allowed, proto::ResumeSchedulesRequest { names: names.to_vec() });
            async move { service.resume_schedules(request).await }
        });
        Ok(schedule::results_from_proto(response.await?))
    }

    /// Changes a schedule. Not repeated when the connection breaks: what was changed already is not what it was.
    pub async fn edit_schedule(&self, wish: &ScheduleEdit) -> Result<Schedule, Error> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.schedule_service();
            let request = within(allowed, schedule::edit_to_proto(wish.clone()));
            async move { service.edit_schedule(request).await }
        });
        Ok(schedule::required(response.await?.schedule)?)
    }

    /// Removes schedules. Not repeated when the connection breaks: one that is gone is not found any more.
    pub async fn remove_schedules(&self, names: &[String]) -> Result<PerSchedule<Problem>, Error> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.schedule_service();
            let request = within(allowed, proto::RemoveSchedulesRequest { names: names.to_vec() });
            async move { service.remove_schedules(request).await }
        });
        Ok(schedule::results_from_proto(response.await?))
    }
}
