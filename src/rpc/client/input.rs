//! Giving running tasks something to read.

use crate::domain::id::TaskId;
use crate::domain::input::{Input, Size, Taken};
use crate::rpc::client::{Client, Error, Repeat, within};
use crate::rpc::convert::input;

impl Client {
    /// Gives a running task something to read, and returns what it has taken by then.
    ///
    /// Repeated when the connection breaks, for [`super::Options::reconnect_for`]: each byte is given once all the same.
    pub async fn send_input(&self, wish: &Input) -> Result<Taken, Error> {
        let request = input::to_proto(wish);
        let response = self.call(Repeat::WhileReconnecting, |allowed| {
            let (mut service, request) = (self.task_service(), within(allowed, request.clone()));
            async move { service.send_input(request).await }
        });
        Ok(input::taken_from_proto(&response.await?))
    }

    /// Gives the terminal of a running task a size, and returns the one it had.
    pub async fn resize(&self, task: TaskId, size: Size) -> Result<Size, Error> {
        let response = self.call(Repeat::WhileReconnecting, |allowed| {
            let (mut service, request) = (self.task_service(), within(allowed, input::resize_to_proto(task, size)));
            async move { service.resize_terminal(request).await }
        });
        Ok(input::size_from_proto(&response.await?)?)
    }

    /// Returns how long the daemon may wait for a task to take what it is sent, so that its answer is there in time.
    pub fn patience(&self) -> std::time::Duration {
        self.options.deadline.mul_f64(0.9)
    }
}
