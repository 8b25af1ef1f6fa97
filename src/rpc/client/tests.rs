//! Against a daemon of a few lines that breaks off when it is told to.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::Streaming;
use tonic::transport::Server;
use uuid::Uuid;

use super::*;
use crate::domain::attempt::Stream;
use crate::domain::change::{Actor, Change, ChangeKind};
use crate::domain::error::ErrorKind;
use crate::domain::id::{Seq, TaskUuid};
use crate::domain::prune::{Prune, Pruned};
use crate::domain::query::TaskFilter;
use crate::domain::selection::{Deed, Selection, Span};
use crate::domain::task::{Environment, NewTask, State, Task, TaskSpec};
use crate::domain::time::Timestamp;
use crate::rpc::convert;
use crate::rpc::proto;
use crate::rpc::proto::event_service_server::{EventService, EventServiceServer};
use crate::rpc::proto::log_service_server::{LogService, LogServiceServer};
use crate::rpc::proto::read_output_response::What;
use crate::rpc::proto::task_service_server::{TaskService, TaskServiceServer};
use crate::rpc::status;

const SHORT: Options =
    Options { deadline: Duration::from_millis(100), reconnect_for: Duration::from_secs(30), waiter: None };

type Sent<T> = ReceiverStream<Result<T, Status>>;

/// What the daemon knows, and what it was asked.
#[derive(Default)]
struct Memory {
    tasks: Mutex<BTreeMap<Uuid, Task>>,
    adds: AtomicUsize,
    /// The first add is stored and never answered.
    is_add_cut: bool,
    stored: Notify,
    begun: Notify,
    reads: AtomicUsize,
    watches: AtomicUsize,
    events: Mutex<Vec<proto::ReadEventsRequest>>,
    uploaded: Mutex<Vec<Option<Vec<u8>>>>,
    connections: Mutex<Vec<OwnedFd>>,
}

impl Memory {
    /// Breaks every connection off, as the end of the daemon does.
    fn cut(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            let _ = shutdown(connection.as_raw_fd(), Shutdown::Both);
        }
    }
}

#[derive(Clone)]
struct Daemon(Arc<Memory>);

/// A daemon behind a socket, for one test.
struct World {
    dir: tempfile::TempDir,
    memory: Arc<Memory>,
    server: tokio::task::JoinHandle<()>,
}

impl World {
    fn new(memory: Memory) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = tokio::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let memory = Arc::new(memory);
        let (daemon, known) = (Daemon(memory.clone()), memory.clone());
        let incoming = UnixListenerStream::new(listener).map(move |stream| {
            let stream: UnixStream = stream?;
            known.connections.lock().unwrap().push(stream.as_fd().try_clone_to_owned()?);
            Ok::<_, std::io::Error>(stream)
        });
        let server = async move {
            let router = Server::builder()
                .add_service(TaskServiceServer::new(daemon.clone()))
                .add_service(EventServiceServer::new(daemon.clone()))
                .add_service(LogServiceServer::new(daemon));
            router.serve_with_incoming(incoming).await.unwrap();
        };
        Self { dir, memory, server: tokio::spawn(server) }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    async fn client(&self) -> Client {
        Client::connect(&self.socket(), Options::default()).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn stream<T: Send + 'static>(messages: Vec<Result<T, Status>>) -> Response<Sent<T>> {
    let (sender, receiver) = mpsc::channel(messages.len().max(1));
    for message in messages {
        sender.try_send(message).unwrap_or_else(|_| unreachable!("the channel is long enough"));
    }
    Response::new(ReceiverStream::new(receiver))
}

fn problem() -> Problem {
    Problem::no_such_task(7)
}

fn id(n: u64) -> TaskId {
    TaskId::new(n).unwrap()
}

fn new_task() -> NewTask {
    let spec = TaskSpec::command(vec!["true".into()], "/".into());
    NewTask { uuid: TaskUuid(Uuid::from_u128(9)), spec, env: Environment::default(), hold: false, parent: None }
}

fn task_in(n: u64, state: State) -> Task {
    let new = new_task();
    Task {
        id: id(n),
        uuid: new.uuid,
        spec: new.spec,
        env_names: [].into(),
        state,
        reason_code: None,
        reason: None,
        position: 0,
        parent: None,
        schedule: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
        attempt: 0,
        failures: 0,
        slot: None,
        cancel_requested_at: None,
        started_at: None,
        ended_at: None,
        exit: None,
        told: None,
        expected: None,
        time_left: None,
        attempts: Vec::new(),
    }
}

#[tonic::async_trait]
impl TaskService for Daemon {
    async fn add_task(
        &self,
        request: Request<proto::AddTaskRequest>,
    ) -> Result<Response<proto::AddTaskResponse>, Status> {
        let new = convert::task::new_from_proto(request.into_inner()).unwrap();
        let (task, created) = {
            let mut tasks = self.0.tasks.lock().unwrap();
            let (count, created) = (tasks.len() as u64, !tasks.contains_key(&new.uuid.0));
            (tasks.entry(new.uuid.0).or_insert(task_in(count + 1, State::Queued)).clone(), created)
        };
        if self.0.adds.fetch_add(1, Ordering::SeqCst) == 0 && self.0.is_add_cut {
            self.0.stored.notify_one();
            std::future::pending::<()>().await;
        }
        let added = crate::domain::query::Added { task, created };
        Ok(Response::new(convert::task::added_to_proto(added)))
    }

    async fn upload_tasks(
        &self,
        _: Request<tonic::Streaming<proto::UploadTasksRequest>>,
    ) -> Result<Response<proto::UploadTasksResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn add_tasks(&self, _: Request<proto::AddTasksRequest>) -> Result<Response<proto::AddTasksResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_task(&self, _: Request<proto::GetTaskRequest>) -> Result<Response<proto::GetTaskResponse>, Status> {
        Err(status::from_problem(problem()))
    }

    /// More than a message may usually be.
    async fn list_tasks(
        &self,
        _: Request<proto::ListTasksRequest>,
    ) -> Result<Response<proto::ListTasksResponse>, Status> {
        let mut task = task_in(1, State::Queued);
        task.reason = Some("x".repeat(1 << 20));
        let tasks = vec![convert::task::to_proto(task); 8];
        Ok(Response::new(proto::ListTasksResponse { tasks, cut: true }))
    }

    type WatchTasksStream = Sent<proto::WatchTasksResponse>;

    /// Begins with how it stands each time; breaks off twice.
    async fn watch_tasks(
        &self,
        _: Request<proto::WatchTasksRequest>,
    ) -> Result<Response<Self::WatchTasksStream>, Status> {
        let tell = |state| Ok(proto::WatchTasksResponse { task: Some(convert::task::to_proto(task_in(1, state))) });
        let broken = Err(Status::unavailable("the daemon is being replaced"));
        Ok(stream(match self.0.watches.fetch_add(1, Ordering::SeqCst) {
            0 => vec![tell(State::Queued), broken],
            1 => vec![tell(State::Queued), tell(State::Running), broken],
            _ => vec![tell(State::Running), tell(State::Succeeded)],
        }))
    }

    async fn send_input(
        &self,
        _: Request<proto::SendInputRequest>,
    ) -> Result<Response<proto::SendInputResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn resize_terminal(
        &self,
        _: Request<proto::ResizeTerminalRequest>,
    ) -> Result<Response<proto::ResizeTerminalResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn steer_tasks(
        &self,
        _: Request<proto::SteerTasksRequest>,
    ) -> Result<Response<proto::SteerTasksResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn edit_task(&self, _: Request<proto::EditTaskRequest>) -> Result<Response<proto::EditTaskResponse>, Status> {
        Err(status::from_problem(problem()))
    }

    async fn move_task(&self, _: Request<proto::MoveTaskRequest>) -> Result<Response<proto::MoveTaskResponse>, Status> {
        Err(status::from_problem(problem()))
    }

    async fn tell_progress(
        &self,
        _: Request<proto::TellProgressRequest>,
    ) -> Result<Response<proto::TellProgressResponse>, Status> {
        Err(status::from_problem(problem()))
    }

    /// Each page is one task, three in all.
    async fn prune_tasks(
        &self,
        request: Request<proto::PruneTasksRequest>,
    ) -> Result<Response<proto::PruneTasksResponse>, Status> {
        let id = request.into_inner().below.map_or(3, |below| below.id - 1);
        let next = (id > 1).then_some(proto::EndedTask { ended_at_ms: 5, id });
        let (needed, hooks) = (u64::from(id == 2), u64::from(id != 2));
        Ok(Response::new(proto::PruneTasksResponse { removed: 1, needed, hooks, next }))
    }

    /// Each page is one task, three in all.
    async fn select_tasks(
        &self,
        request: Request<proto::SelectTasksRequest>,
    ) -> Result<Response<proto::SelectTasksResponse>, Status> {
        let id = request.into_inner().after.unwrap_or(0) + 1;
        Ok(Response::new(proto::SelectTasksResponse { ids: vec![id], next: Some(id).filter(|id| *id < 3) }))
    }

    async fn cancel_tasks(
        &self,
        request: Request<proto::CancelTasksRequest>,
    ) -> Result<Response<proto::TaskResults>, Status> {
        let ids = convert::task_ids(&request.into_inner().ids).unwrap();
        let results = ids.into_iter().map(|id| match id.get() {
            1 => (id, Ok(false)),
            2 => (id, Ok(true)),
            _ => (id, Err(problem())),
        });
        Ok(Response::new(convert::query::results_to_proto(results.collect())))
    }

    /// Never answers.
    async fn kill_tasks(&self, _: Request<proto::KillTasksRequest>) -> Result<Response<proto::TaskResults>, Status> {
        std::future::pending().await
    }

    /// Does not know what this is.
    async fn release_tasks(
        &self,
        _: Request<proto::ReleaseTasksRequest>,
    ) -> Result<Response<proto::TaskResults>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn hold_tasks(&self, _: Request<proto::HoldTasksRequest>) -> Result<Response<proto::TaskResults>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn pause_tasks(&self, _: Request<proto::PauseTasksRequest>) -> Result<Response<proto::TaskResults>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn resume_tasks(
        &self,
        _: Request<proto::ResumeTasksRequest>,
    ) -> Result<Response<proto::TaskResults>, Status> {
        Err(Status::unimplemented(""))
    }

    /// Task 1 can be retried, and is all that failed.
    async fn retry_tasks(
        &self,
        request: Request<proto::RetryTasksRequest>,
    ) -> Result<Response<proto::TaskResults>, Status> {
        let request = request.into_inner();
        let ids = if request.failed { vec![id(1)] } else { convert::task_ids(&request.ids).unwrap() };
        let results = ids.into_iter().map(|id| (id, if id.get() == 1 { Ok(false) } else { Err(problem()) }));
        Ok(Response::new(convert::query::results_to_proto(results.collect())))
    }

    async fn remove_tasks(
        &self,
        _: Request<proto::RemoveTasksRequest>,
    ) -> Result<Response<proto::TaskResults>, Status> {
        Err(Status::unimplemented(""))
    }
}

fn change(seq: u64) -> Change {
    Change {
        seq: Seq(seq),
        at: Timestamp(1),
        kind: ChangeKind::Added,
        task: TaskId::new(seq),
        queue: None,
        schedule: None,
        attempt: None,
        from: None,
        to: Some(State::Queued),
        by: Actor::Daemon,
        reason: None,
        progress: None,
    }
}

#[tonic::async_trait]
impl EventService for Daemon {
    type ReadEventsStream = Sent<proto::ReadEventsResponse>;

    /// Has changes up to number 6, of which those up to 2 are forgotten and one is of another version; breaks off twice,
    /// and is stopped while it is followed.
    async fn read_events(
        &self,
        request: Request<proto::ReadEventsRequest>,
    ) -> Result<Response<Self::ReadEventsStream>, Status> {
        use proto::read_events_response::What;
        let request = request.into_inner();
        let told = |what| Ok(proto::ReadEventsResponse { what: Some(what) });
        let event = |seq| told(What::Event(convert::event::to_proto(change(seq))));
        let foreign = |seq| {
            let kind = "task.praised".to_owned();
            told(What::Event(proto::Event { kind, ..convert::event::to_proto(change(seq)) }))
        };
        let broken = Err(Status::unavailable("the daemon is being replaced"));
        let stopped = Problem::new(ErrorKind::Unavailable, "the daemon was stopped");
        let times = {
            let mut events = self.0.events.lock().unwrap();
            events.push(request);
            events.len()
        };
        Ok(stream(match (times, request.since, request.follow) {
            (1, None, true) => vec![told(What::Cursor(4)), broken],
            (1, ..) => vec![told(What::Cursor(0)), told(What::Gap(2)), broken],
            (2, Some(2), _) => vec![told(What::Cursor(2)), event(3), foreign(4), broken],
            (2, Some(4), true) => vec![told(What::Cursor(4)), event(5), Err(status::from_problem(stopped))],
            (_, Some(4), false) => vec![told(What::Cursor(4)), event(5), event(6)],
            unexpected => unreachable!("{unexpected:?}"),
        }))
    }
}

/// What attempt `number` wrote to `stream`.
fn written(number: u32, stream: Stream) -> Vec<u8> {
    (0..100).flat_map(|line| format!("{line} {} {number}\n", stream.as_str()).into_bytes()).collect()
}

/// Notes that an upload broke off, which ends its handler wherever it is.
struct BreaksOff {
    memory: Arc<Memory>,
    is_whole: bool,
}

impl Drop for BreaksOff {
    fn drop(&mut self) {
        if !self.is_whole {
            self.memory.uploaded.lock().unwrap().push(None);
            self.memory.stored.notify_one();
        }
    }
}

#[tonic::async_trait]
impl LogService for Daemon {
    type ReadOutputStream = Sent<proto::ReadOutputResponse>;

    /// Sends a few pieces from where the client was, then breaks off: in good order, or by cutting the connection while
    /// pieces are under way. The first piece overlaps what the client has.
    async fn read_output(
        &self,
        request: Request<proto::ReadOutputRequest>,
    ) -> Result<Response<Self::ReadOutputStream>, Status> {
        let request = request.into_inner();
        let call = self.0.reads.fetch_add(1, Ordering::SeqCst);
        if request.task_id == 7 {
            return Err(status::from_problem(problem()));
        }
        if request.task_id == 8 {
            let stopped = Problem::new(ErrorKind::Unavailable, "the daemon was stopped");
            return Ok(stream(vec![Err(status::from_problem(stopped))]));
        }
        if request.task_id == 9 && request.in_place {
            let file = proto::OutputFile { path: b"/nowhere/9.1.out.part".to_vec(), device: 1, inode: 1 };
            let stream_of = i32::from(convert::attempt::stream_to_proto(Stream::Stdout));
            let (data, file) = (Vec::new(), Some(file));
            let chunk = proto::OutputChunk { attempt: 1, stream: stream_of, offset: 0, data, length: 7, file };
            return Ok(stream(vec![Ok(proto::ReadOutputResponse { what: Some(What::Chunk(chunk)) })]));
        }
        let first = request.from.iter().map(|from| from.attempt).min().unwrap_or(1);
        let mut messages = Vec::new();
        'all: for number in first..=2 {
            for kind in [Stream::Stdout, Stream::Stderr] {
                let wire = i32::from(convert::attempt::stream_to_proto(kind));
                let known = request.from.iter().find(|from| (from.attempt, from.stream) == (number, wire));
                let known = known.map_or(0, |from| usize::try_from(from.offset).unwrap());
                let chunk = |from: usize, to: usize| {
                    let data = written(number, kind)[from..to].to_vec();
                    let offset = from as u64;
                    let chunk =
                        proto::OutputChunk { attempt: number, stream: wire, offset, data, length: 0, file: None };
                    Ok(proto::ReadOutputResponse { what: Some(What::Chunk(chunk)) })
                };
                messages.push(chunk(known, known));
                let mut from = known.saturating_sub(5);
                while from < written(number, kind).len() {
                    let to = (from + 101).min(written(number, kind).len());
                    messages.push(chunk(from, to));
                    from = to;
                    if messages.len() > 6 {
                        break 'all;
                    }
                }
            }
        }
        if messages.len() > 6 {
            if call.is_multiple_of(2) {
                messages.push(Err(Status::unavailable("the daemon is being replaced")));
            } else {
                let memory = self.0.clone();
                tokio::spawn(async move { memory.cut() });
            }
        } else {
            let ended = convert::task::to_proto(task_in(request.task_id, State::Succeeded));
            messages.push(Ok(proto::ReadOutputResponse { what: Some(What::Ended(ended)) }));
        }
        Ok(stream(messages))
    }

    async fn upload_stdin(
        &self,
        request: Request<Streaming<proto::UploadStdinRequest>>,
    ) -> Result<Response<proto::UploadStdinResponse>, Status> {
        let mut pieces = request.into_inner();
        let mut all = Vec::new();
        let mut watched = BreaksOff { memory: self.0.clone(), is_whole: false };
        while let Some(piece) = pieces.message().await? {
            all.extend(piece.data);
            watched.is_whole |= piece.last;
            self.0.begun.notify_one();
        }
        let bytes = all.len() as u64;
        if watched.is_whole {
            self.0.uploaded.lock().unwrap().push(Some(all));
        }
        Ok(Response::new(proto::UploadStdinResponse { upload: Uuid::from_u128(5).to_string(), bytes }))
    }

    type ReadDaemonLogStream = Sent<proto::ReadDaemonLogResponse>;

    async fn read_daemon_log(
        &self,
        _: Request<proto::ReadDaemonLogRequest>,
    ) -> Result<Response<Self::ReadDaemonLogStream>, Status> {
        Ok(stream(vec![Ok(proto::ReadDaemonLogResponse { line: "Daemon started".to_owned() })]))
    }
}

#[tokio::test]
async fn a_listener_that_never_accepts_is_given_the_deadline_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let _listener = UnixListener::bind(&socket).unwrap();
    let client = Client::connect(&socket, SHORT).await.unwrap();
    let began = Instant::now();
    let error = client.status().await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { after } if after == SHORT.deadline), "{error}");
    assert!((SHORT.deadline..SHORT.deadline * 20).contains(&began.elapsed()));
    assert!(!error.answered());
    assert_eq!(error.problem().message, "the daemon does not answer within 100ms");

    let error = client.add(&new_task()).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
    let error = client.watch(&[id(1)], &[]).next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
    let error = client.upload_stdin(tokio::io::empty()).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
}

#[tokio::test]
async fn a_listener_whose_backlog_is_full_is_given_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = timeout(SHORT.deadline, socket::connect(&socket, me())).await {
        waiting.push(stream);
    }
    let error = Client::connect(&socket, SHORT).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
}

fn me() -> u32 {
    nix::unistd::geteuid().as_raw()
}

#[tokio::test]
async fn nothing_is_sent_to_a_daemon_of_another_user() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let error = Client::connect_to(&socket, SHORT, me() + 1).await.unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    assert_eq!((error.kind(), error.answered()), (ErrorKind::Denied, false));
    let (mut stream, _) = listener.accept().unwrap();
    let mut received = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut received).unwrap();
    assert_eq!(received, b"");
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let error = Client::connect(&dir.path().join("s"), SHORT).await.unwrap_err();
    assert!(matches!(error, Error::NotRunning { .. }), "{error}");
    let problem = error.problem();
    assert_eq!(problem.kind, ErrorKind::Unavailable);
    assert_eq!(problem.message, "the daemon is not running");
    assert_eq!(problem.hint.as_deref(), Some("start it with `apex daemon start`"));
}

#[tokio::test]
async fn an_add_that_was_cut_off_after_it_was_stored_is_one_task() {
    let world = World::new(Memory { is_add_cut: true, ..Memory::default() });
    let client = world.client().await;
    let new = new_task();
    let (added, ()) = tokio::join!(client.add(&new), async {
        world.memory.stored.notified().await;
        world.memory.cut();
    });
    let added = added.unwrap();
    assert_eq!((added.task.id, added.created), (id(1), false));
    assert_eq!(world.memory.tasks.lock().unwrap().len(), 1);
    assert_eq!(world.memory.adds.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_task_too_large_for_a_request_is_refused_before_it_is_sent() {
    let world = World::new(Memory::default());
    let mut new = new_task();
    new.spec.argv.push("x".repeat(REQUEST_BYTES_MAX).into());
    let error = world.client().await.add(&new).await.unwrap_err();
    assert_eq!((error.kind(), error.answered()), (ErrorKind::Invalid, true));
    assert_eq!(world.memory.adds.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn output_is_followed_over_broken_connections_without_a_gap_or_a_repetition() {
    follow_to_the_end(3).await;
}

#[tokio::test]
async fn what_is_in_a_file_that_cannot_be_opened_here_is_asked_for() {
    follow_to_the_end(9).await;
}

/// Follows a task whose connection breaks again and again, and expects all that it wrote, once.
async fn follow_to_the_end(task: u64) {
    let world = World::new(Memory::default());
    let request = FollowRequest { task: id(task), attempt: None, streams: Vec::new(), tail_lines: None, follow: true };
    let mut follow = world.client().await.follow(request);
    let mut all: BTreeMap<(u32, Stream), Vec<u8>> = BTreeMap::new();
    let mut ended = None;
    while let Some(piece) = follow.next().await {
        match piece.unwrap() {
            Piece::Chunk { attempt, stream, offset, data } => {
                let so_far = all.entry((attempt, stream)).or_default();
                assert_eq!((so_far.len() as u64, data.is_empty()), (offset, false));
                so_far.extend(data);
            }
            Piece::Ended(task) => ended = Some(task),
        }
    }
    assert_eq!(ended.unwrap().state, State::Succeeded);
    for (number, stream) in [(1, Stream::Stdout), (1, Stream::Stderr), (2, Stream::Stdout), (2, Stream::Stderr)] {
        assert_eq!(all.remove(&(number, stream)), Some(written(number, stream)), "{number} {stream:?}");
    }
    assert!(all.is_empty());
    assert!(world.memory.reads.load(Ordering::SeqCst) > 4, "the connection was broken");
}

#[tokio::test]
async fn a_watch_tells_each_change_once_over_broken_connections() {
    let world = World::new(Memory::default());
    let mut watch = world.client().await.watch(&[id(1)], &[]);
    let mut states = Vec::new();
    while let Some(task) = watch.next().await {
        states.push(task.unwrap().state);
    }
    assert_eq!(states, [State::Queued, State::Running, State::Succeeded]);
    assert_eq!(world.memory.watches.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn events_are_told_once_and_in_order_over_broken_connections() {
    let world = World::new(Memory::default());
    let mut events = world.client().await.events(Some(Seq(0)), false);
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        told.push(event.unwrap());
    }
    let changes = [3, 5, 6].map(|seq| Event::Change(Box::new(change(seq))));
    assert_eq!(told, [vec![Event::Gap(Seq(2))], changes.to_vec()].concat());
}

#[tokio::test]
async fn events_that_are_still_to_come_are_not_missed_before_the_first_one_came() {
    let world = World::new(Memory::default());
    let mut events = world.client().await.events(None, true);
    assert_eq!(events.next().await.unwrap().unwrap(), Event::Change(Box::new(change(5))));
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!(error.problem().message, "the daemon was stopped");
    assert!(events.next().await.is_none());
    let asked: Vec<_> = world.memory.events.lock().unwrap().iter().map(|request| request.since).collect();
    assert_eq!(asked, [None, Some(4)]);
}

#[tokio::test]
async fn the_daemons_own_no_is_final() {
    let world = World::new(Memory::default());
    let client = world.client().await;
    let error = client.task(id(7), true).await.unwrap_err();
    assert!(error.answered());
    assert_eq!(error.problem(), problem());
    let of =
        |task| FollowRequest { task: id(task), attempt: None, streams: Vec::new(), tail_lines: None, follow: true };
    let mut follow = client.follow(of(7));
    assert_eq!(follow.next().await.unwrap().unwrap_err().problem(), problem());
    assert!(follow.next().await.is_none(), "after an error there is nothing");
    let mut follow = client.follow(of(8));
    let error = follow.next().await.unwrap().unwrap_err();
    assert_eq!(error.problem().message, "the daemon was stopped");
    assert_eq!(world.memory.reads.load(Ordering::SeqCst), 2, "nobody came back");
}

#[tokio::test]
async fn a_stream_whose_daemon_was_stopped_ends_at_once() {
    let world = World::new(Memory::default());
    let client = world.client().await;
    let mut watch = client.watch(&[id(1)], &[]);
    assert_eq!(watch.next().await.unwrap().unwrap().state, State::Queued);
    world.server.abort();
    while !world.server.is_finished() {
        tokio::task::yield_now().await;
    }
    std::fs::remove_file(world.socket()).unwrap();
    world.memory.cut();
    let began = Instant::now();
    let error = loop {
        match watch.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::NotRunning { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn commands_are_answered_for_each_task() {
    let world = World::new(Memory::default());
    let results = world.client().await.cancel(&[id(2), id(1), id(7)], Some("enough")).await.unwrap();
    let expected = [(id(2), Ok(Cancelled::Asked)), (id(1), Ok(Cancelled::Ended)), (id(7), Err(problem()))];
    assert_eq!(results, expected);
    let results = world.client().await.retry(&[id(1), id(2)]).await.unwrap();
    assert_eq!(results, [(id(1), Ok(())), (id(2), Err(problem()))]);
    assert_eq!(world.client().await.retry_failed().await.unwrap(), [(id(1), Ok(()))]);
}

#[tokio::test]
async fn ids_are_asked_for_until_there_are_no_more_and_older_daemons_are_named() {
    let world = World::new(Memory::default());
    let all = Selection { spans: vec![Span::all()], ..Selection::default() };
    assert_eq!(world.client().await.select(&all).await.unwrap(), [id(1), id(2), id(3)]);
    let pruned = world.client().await.prune(&Prune::default()).await.unwrap();
    assert_eq!(pruned, Pruned { removed: 3, needed: 1, hooks: 2, next: None });
    let refused = world.client().await.steer(&all, &Deed::Hold, None).await.unwrap_err();
    assert!(refused.to_string().contains("older"), "{refused}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_waited_for_until_the_deadline() {
    let world = World::new(Memory::default());
    let client = Client::connect(&world.socket(), SHORT).await.unwrap();
    let error = client.kill(&[id(1)], 9).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
}

#[tokio::test]
async fn a_daemon_that_does_not_know_the_request_is_older() {
    let world = World::new(Memory::default());
    let client = world.client().await;
    for error in [
        client.release(&[id(1)]).await.unwrap_err(),
        client.status().await.unwrap_err(),
        client.queues().await.unwrap_err(),
    ] {
        assert!(error.answered(), "{error}");
        assert!(error.problem().hint.unwrap().contains("apex daemon restart"));
    }
}

#[tokio::test]
async fn lists_may_be_longer_than_a_usual_message() {
    let world = World::new(Memory::default());
    let page = world.client().await.tasks(&TaskFilter::default()).await.unwrap();
    assert_eq!((page.tasks.len(), page.cut), (8, true));
}

#[tokio::test]
async fn uploads_arrive_whole_or_break_off() {
    let world = World::new(Memory::default());
    let client = world.client().await;
    let input: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    assert_eq!(client.upload_stdin(input.as_slice()).await.unwrap(), Uuid::from_u128(5));
    assert_eq!(world.memory.uploaded.lock().unwrap().pop(), Some(Some(input)));
    world.memory.begun.notified().await;

    // A source that fails when the daemon has its first piece.
    let begun = ReceiverStream::new({
        let (sender, receiver) = mpsc::channel(2);
        sender.try_send(Ok(&b"some"[..])).unwrap();
        let memory = world.memory.clone();
        tokio::spawn(async move {
            memory.begun.notified().await;
            sender.send(Err(std::io::Error::from_raw_os_error(5))).await
        });
        receiver
    });
    let error = client.upload_stdin(tokio_util::io::StreamReader::new(begun)).await.unwrap_err();
    assert!(matches!(error, Error::Input { .. }), "{error}");
    world.memory.stored.notified().await;
    assert_eq!(world.memory.uploaded.lock().unwrap().pop(), Some(None), "the daemon was not led to believe it whole");
}

#[tokio::test]
async fn the_daemons_log_is_read_line_by_line() {
    let world = World::new(Memory::default());
    let mut log = world.client().await.daemon_log(DaemonLogRequest::default()).await.unwrap();
    assert_eq!(log.next().await.unwrap().unwrap(), "Daemon started");
    assert!(log.next().await.is_none());
}
