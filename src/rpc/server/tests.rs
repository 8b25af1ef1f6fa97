//! The server between real clients and a real engine, whose guardian is played by the test.

use std::io::Write as _;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use crate::domain::adoption::Child;
use crate::domain::attempt::{Attempt, Stream};
use crate::domain::change::Actor;
use crate::domain::id::{AssignmentId, Seq, TaskId, TaskUuid};
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::{Exit, ExitStatus, Outcome, StopCause};
use crate::domain::query::TaskFilter;
use crate::domain::task::{Environment, NewTask, OnInterrupt, State, Stdin, TaskSpec};
use crate::domain::time::{Moment, Timestamp};
use crate::engine::{Ended, Engine, Guardian, RuntimeAlarm, Settings, Setup, World as Machine};
use crate::link::{Fact, Order, Spawn};
use crate::output::{Files, Outputs};
use crate::rpc::client::{Cancelled, Client, DaemonLogRequest, Follow, FollowRequest, Options, Piece};
use crate::rpc::proto;
use crate::rpc::proto::log_service_client::LogServiceClient;
use crate::store::memory::Memory;
use crate::store::task::{Claim, Finish, Start};
use crate::store::{ChangeStore as _, TaskStore as _};

const LINGER: Duration = Duration::from_millis(250);
/// What is far too long for anything here, on the slowest machine.
const FOR_EVER: Duration = Duration::from_secs(60);

struct World {
    dir: tempfile::TempDir,
    store: Arc<Memory>,
    handle: Handle,
    orders: mpsc::UnboundedReceiver<Order>,
    facts: mpsc::Sender<Fact>,
    engine: JoinHandle<Ended>,
    server: JoinHandle<Result<(), Error>>,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Memory::new());
        let (order_sender, mut orders) = mpsc::unbounded_channel();
        let (facts, fact_receiver) = mpsc::channel(64);
        let second = Duration::from_secs(1);
        let setup = Setup {
            store: store.clone(),
            outputs: Outputs::new(dir.path().to_owned()),
            orders: Box::new(move |order| drop(order_sender.send(order))),
            facts: fact_receiver,
            guardian: Guardian {
                id: GuardianId(Uuid::from_u128(1)),
                pid: 1,
                started_at: Timestamp(0),
                restarts: 0,
                stop_requests: 0,
                grace_until: None,
                doubtful: Vec::new(),
                children: Vec::new(),
                boot: BootId(Uuid::from_u128(7)),
                keeps: true,
            },
            last_words: Vec::new(),
            settings: Settings {
                max_concurrent: 3,
                poll_interval: 5 * second,
                grace: 30 * second,
                kill_grace: second,
                leftovers: crate::domain::attempt::Leftovers::Kill,
                keep_for: None,
                pools: Arc::default(),
                reserve_after: Duration::from_secs(30),
                windows: crate::domain::window::Windows::none(),
            },
            project: dir.path().to_owned(),
            socket: dir.path().join("s"),
            alarm: Box::new(RuntimeAlarm(moment)),
            world: Machine { now, moment, is_alive: |_| false, started: |_| None },
            trusted: true,
        };
        let (engine, handle) = Engine::start(setup).await.unwrap();
        assert!(matches!(orders.recv().await, Some(Order::Policy { .. })));
        let listener = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let options = ServerOptions { log_file: dir.path().join("daemon.log"), linger: LINGER };
        let mut closing = handle.closing();
        let shutdown = async move { drop(closing.wait_for(|closing| *closing != Closing::Open).await) };
        let server = tokio::spawn(serve(listener, handle.clone(), options, shutdown));
        Self { dir, store, handle, orders, facts, engine: tokio::spawn(engine.run()), server }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.dir.path().join("s"), Options::default()).await.unwrap()
    }

    /// Takes the order to start a process, makes its files and says that it runs.
    async fn spawn(&mut self) -> Spawn {
        let spawn = loop {
            match self.orders.recv().await.unwrap() {
                Order::Spawn(spawn) => break spawn,
                Order::Forget { .. } | Order::Draining => {}
                other => panic!("no order to start: {other:?}"),
            }
        };
        write(&spawn.stdout, "");
        if let Some(stderr) = &spawn.stderr {
            write(stderr, "");
        }
        let child = Child { assignment: spawn.assignment, pid: 4711, start_ticks: 9, started_at: now(), exit: None };
        self.facts.send(Fact::Spawned(child)).await.unwrap();
        *spawn
    }

    async fn exit(&self, spawn: &Spawn, code: i32) {
        let status = ExitStatus::Code(code);
        let exit = Exit { status, usage: None, at: now(), leftovers: false, stopped: false };
        self.facts.send(Fact::Exited { assignment: spawn.assignment, exit }).await.unwrap();
    }

    /// Stops the daemon, whose running tasks end by themselves, and returns how long that took.
    async fn end(self, running: &[Spawn]) -> Duration {
        let began = Instant::now();
        self.handle.stop(Some(FOR_EVER), "a test").await.unwrap();
        for spawn in running {
            self.exit(spawn, 0).await;
        }
        timeout_at(began + FOR_EVER, self.engine).await.expect("the engine ends").unwrap();
        timeout_at(began + FOR_EVER, self.server).await.expect("the server ends").unwrap().unwrap();
        began.elapsed()
    }
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

fn moment() -> Moment {
    Moment(u64::try_from(now().0).unwrap())
}

fn write(path: &std::path::Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn new_task() -> NewTask {
    let spec = TaskSpec::command(vec!["/bin/true".into()], "/".into());
    NewTask { uuid: TaskUuid(Uuid::new_v4()), spec, env: Environment::default(), hold: false, parent: None }
}

fn of(task: TaskId) -> FollowRequest {
    FollowRequest { task, attempt: None, streams: Vec::new(), tail_lines: None, follow: true }
}

/// Reads until `text` has come, in whatever pieces.
async fn expect(follow: &mut Follow, of: (u32, Stream), text: &str) {
    let mut received = Vec::new();
    while received.len() < text.len() {
        match follow.next().await.unwrap().unwrap() {
            Piece::Chunk { attempt, stream, data, .. } => {
                assert_eq!((attempt, stream), of);
                received.extend(data);
            }
            Piece::Ended(_) => panic!("ended after {received:?}"),
        }
    }
    assert_eq!(String::from_utf8(received).unwrap(), text);
}

async fn expect_end(follow: &mut Follow) -> State {
    match follow.next().await.unwrap().unwrap() {
        Piece::Ended(task) => {
            assert!(follow.next().await.is_none());
            task.state
        }
        other => panic!("no end: {other:?}"),
    }
}

async fn everything(mut follow: Follow) -> String {
    let mut all = Vec::new();
    while let Some(piece) = follow.next().await {
        match piece.unwrap() {
            Piece::Chunk { data, .. } => all.extend(data),
            Piece::Ended(_) => {}
        }
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn output_is_followed_from_before_the_start_to_the_end() {
    let mut world = World::new().await;
    let client = world.client().await;
    let mut new = new_task();
    new.hold = true;
    let id = client.add(&new).await.unwrap().task.id;
    let mut follow = client.follow(of(id));
    let mut late = client.follow(of(id));
    let reading = tokio::spawn(async move {
        expect(&mut follow, (1, Stream::Merged), "one\n").await;
        follow
    });
    assert_eq!(client.release(&[id]).await.unwrap(), [(id, Ok(()))]);
    let spawn = world.spawn().await;
    write(&spawn.stdout, "one\n");
    let mut follow = reading.await.unwrap();
    write(&spawn.stdout, "two\n");
    expect(&mut follow, (1, Stream::Merged), "two\n").await;
    write(&spawn.stdout, "three");
    world.exit(&spawn, 0).await;
    expect(&mut follow, (1, Stream::Merged), "three").await;
    assert_eq!(expect_end(&mut follow).await, State::Succeeded);
    expect(&mut late, (1, Stream::Merged), "one\ntwo\nthree").await;
    assert_eq!(expect_end(&mut late).await, State::Succeeded);
}

/// Runs attempts by hand, in the place of the engine: what follows an attempt is up to the store.
struct Hands {
    store: Arc<Memory>,
    outputs: Outputs,
}

impl Hands {
    async fn start(&self, number: u128) -> (Attempt, Files) {
        let claim = Claim {
            owner: GuardianId(Uuid::from_u128(1)),
            boot: BootId(Uuid::from_u128(7)),
            assignments: vec![AssignmentId(Uuid::from_u128(number))],
            after: Vec::new(),
            shut: Vec::new(),
            now: now(),
            lease_until: now(),
            terms: crate::store::task::Terms::default(),
        };
        let claimed = self.store.claim(claim).await.unwrap().remove(0);
        let files = self.outputs.prepare(claimed.task.id, claimed.attempt.number, true).unwrap();
        write(&files.stdout, "");
        write(files.stderr.as_ref().unwrap(), "");
        let identity = ProcessIdentity { boot: BootId(Uuid::from_u128(7)), pid: 4711, start_ticks: 9 };
        let start = Start { assignment: claimed.attempt.assignment, identity, at: now() };
        self.store.start(start).await.unwrap();
        (claimed.attempt, files)
    }

    async fn end(&self, id: TaskId, attempt: &Attempt, stop: Option<StopCause>) {
        let outputs = self.outputs.seal(id, attempt.number, true).unwrap();
        let outcome = Outcome::of_exit(ExitStatus::Code(3), stop, None, now());
        let assignment = attempt.assignment;
        let finish = Finish { assignment, outcome, outputs, started: None, jitter: 1.0, now: now() };
        assert!(self.store.finish(finish).await.unwrap().recorded);
    }
}

#[tokio::test]
async fn each_attempt_is_sent_to_its_end_before_the_next() {
    let mut world = World::new().await;
    world.engine.abort();
    assert!((&mut world.engine).await.unwrap_err().is_cancelled());
    let hands = Hands { store: world.store.clone(), outputs: world.handle.outputs().clone() };
    let client = world.client().await;
    let mut new = new_task();
    new.spec.split_output = true;
    new.spec.retry.on_interrupt = OnInterrupt::Rerun;
    let id = client.add(&new).await.unwrap().task.id;
    let mut follow = client.follow(of(id));
    let mut errors = client.follow(FollowRequest { streams: vec![Stream::Stderr], ..of(id) });
    for number in 1..=2 {
        let (attempt, files) = hands.start(number.into()).await;
        write(&files.stdout, "out\n");
        expect(&mut follow, (number, Stream::Stdout), "out\n").await;
        write(files.stderr.as_ref().unwrap(), "err\n");
        expect(&mut follow, (number, Stream::Stderr), "err\n").await;
        expect(&mut errors, (number, Stream::Stderr), "err\n").await;
        hands.end(id, &attempt, (number == 1).then_some(StopCause::Drain)).await;
    }
    assert_eq!(expect_end(&mut follow).await, State::Failed);
    assert_eq!(expect_end(&mut errors).await, State::Failed);

    let read = |attempt, tail_lines| FollowRequest { attempt, tail_lines, follow: false, ..of(id) };
    assert_eq!(everything(client.follow(read(Some(1), None))).await, "out\nerr\n");
    assert_eq!(everything(client.follow(FollowRequest { attempt: Some(1), ..of(id) })).await, "out\nerr\n");
    let error = client.follow(read(Some(3), None)).next().await.unwrap().unwrap_err();
    assert_eq!(error.problem().message, format!("task `{id}` has no attempt `3`"));
}

#[tokio::test]
async fn what_is_there_is_read_without_waiting_for_more() {
    let mut world = World::new().await;
    let client = world.client().await;
    let id = client.add(&new_task()).await.unwrap().task.id;
    let read = |tail_lines| FollowRequest { tail_lines, follow: false, ..of(id) };
    let spawn = world.spawn().await;
    assert_eq!(everything(client.follow(read(None))).await, "");
    let lines: String = (0..100_000).map(|line| format!("{line}\n")).collect();
    write(&spawn.stdout, &lines);
    assert_eq!(everything(client.follow(read(None))).await, lines);
    assert_eq!(everything(client.follow(read(Some(2)))).await, "99998\n99999\n");
    let mut follow = client.follow(FollowRequest { tail_lines: Some(1), ..of(id) });
    expect(&mut follow, (1, Stream::Merged), "99999\n").await;
    world.exit(&spawn, 0).await;
    assert_eq!(expect_end(&mut follow).await, State::Succeeded);
}

#[tokio::test]
async fn a_watch_tells_how_tasks_go_on_until_all_have_ended() {
    let mut world = World::new().await;
    let client = world.client().await;
    let mut held = new_task();
    held.hold = true;
    let held = client.add(&held).await.unwrap().task.id;
    let mut watch = client.watch(&[held], &[]);
    assert_eq!(watch.next().await.unwrap().unwrap().state, State::Held);
    let mut until = client.watch(&[held, held], &[State::Running]);
    client.release(&[held]).await.unwrap();
    let spawn = world.spawn().await;
    let seen = loop {
        let task = watch.next().await.unwrap().unwrap();
        if task.started_at.is_some() {
            break task;
        }
    };
    assert_eq!((seen.state, seen.attempts.len()), (State::Running, 1));
    let mut last = None;
    while let Some(task) = until.next().await {
        last = Some(task.unwrap().state);
    }
    assert_eq!(last, Some(State::Running));
    world.exit(&spawn, 0).await;
    assert_eq!(watch.next().await.unwrap().unwrap().state, State::Succeeded);
    assert!(watch.next().await.is_none());

    let unknown = TaskId::new(99).unwrap();
    let mut watch = client.watch(&[held, unknown], &[]);
    assert_eq!(watch.next().await.unwrap().unwrap().state, State::Succeeded);
    let error = watch.next().await.unwrap().unwrap_err();
    assert_eq!(error.problem(), Problem::no_such_task(unknown));
}

#[tokio::test]
async fn verbs_do_what_the_engine_does_and_tell_its_problems() {
    let mut world = World::new().await;
    let client = world.client().await;
    let mut new = new_task();
    new.env = Environment(vec![("A".into(), "1".into())]);
    let added = client.add(&new).await.unwrap();
    assert!(added.created);
    assert!(!client.add(&new).await.unwrap().created);
    let id = added.task.id;
    let _spawn = world.spawn().await;
    let unknown = TaskId::new(99).unwrap();

    let (task, env) = client.task(id, true).await.unwrap();
    assert_eq!((&*task.env_names, env), (&["A".to_owned()][..], Some(new.env)));
    assert_eq!(client.task(id, false).await.unwrap().1, None);
    let error = client.task(unknown, false).await.unwrap_err();
    assert_eq!(error.problem(), Problem::no_such_task(unknown));
    let running = TaskFilter { states: vec![State::Running], ..TaskFilter::default() };
    assert_eq!(client.tasks(&running).await.unwrap().tasks.len(), 1);

    let results = client.release(&[id, unknown]).await.unwrap();
    assert_eq!(results[0].1.as_ref().unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(results[1], (unknown, Err(Problem::no_such_task(unknown))));
    let mut held = new_task();
    (held.hold, held.parent) = (true, Some(id));
    let held = client.add(&held).await.unwrap().task.id;
    let results = client.cancel(&[held, unknown], None).await.unwrap();
    assert_eq!(results, [(held, Ok(Cancelled::Ended)), (unknown, Err(Problem::no_such_task(unknown)))]);
    let error = client.cancel(&[], None).await.unwrap_err();
    assert_eq!((error.kind(), error.answered()), (ErrorKind::Invalid, true));
    let error = client.kill(&[id], 99).await.unwrap_err();
    assert_eq!(error.problem().message, "`99` is not a signal (a number from 1 to 64)");

    let status = client.status().await.unwrap();
    assert_eq!((status.pid, status.active, status.counts.of(State::Running)), (std::process::id(), 1, 1));
    let problem = client.reload().await.unwrap_err().problem();
    assert_eq!(problem.message, "there is no configuration to read again");
    let error = client.restart(std::path::Path::new("relative")).await.unwrap_err();
    assert_eq!((error.kind(), error.answered()), (ErrorKind::Invalid, true));

    let actors: Vec<Actor> = world.store.changes(Seq(0), 100).await.unwrap().into_iter().map(|c| c.by).collect();
    assert_eq!(actors[0], Actor::Cli(std::process::id()));
    assert!(actors.contains(&Actor::Task(id)));
}

#[tokio::test]
async fn uploads_are_there_in_full_or_not_at_all() {
    let world = World::new().await;
    let client = world.client().await;
    let input = vec![b'x'; 3_000_000];
    let upload = client.upload_stdin(input.as_slice()).await.unwrap();
    assert_eq!(std::fs::read(world.handle.outputs().upload_path(upload)).unwrap(), input);
    let mut new = new_task();
    new.spec.stdin = Stdin::Upload(upload);
    client.add(&new).await.unwrap();

    let endpoint = tonic::transport::Endpoint::from_static("http://apex.localhost");
    let socket = world.dir.path().join("s");
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
    });
    let mut service = LogServiceClient::new(endpoint.connect_with_connector(connector).await.unwrap());
    let half = proto::UploadStdinRequest { data: b"half".to_vec(), last: false };
    let status = service.upload_stdin(tokio_stream::iter([half])).await.unwrap_err();
    let problem = status::to_problem(&status).unwrap();
    assert_eq!(problem.message, "the upload ended without its last piece");
    assert_eq!(std::fs::read_dir(world.dir.path().join("input")).unwrap().count(), 1);
}

#[tokio::test]
async fn the_daemons_own_log_is_read_and_followed() {
    let world = World::new().await;
    let client = world.client().await;
    let log = world.dir.path().join("daemon.log");
    write(&log, "[2026-01-15T10:30:00.000Z] [INFO] one\n[2026-01-15T10:30:01.000Z] [WARN] two\n");
    let warnings = DaemonLogRequest { level: Some("warn".to_owned()), ..DaemonLogRequest::default() };
    let mut lines = client.daemon_log(warnings).await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap(), "[2026-01-15T10:30:01.000Z] [WARN] two");
    assert!(lines.next().await.is_none());
    let tail = DaemonLogRequest { tail_lines: Some(1), follow: true, ..DaemonLogRequest::default() };
    let mut lines = client.daemon_log(tail).await.unwrap();
    // With the last line that was there the log has been opened: what is written from here on is new.
    assert_eq!(lines.next().await.unwrap().unwrap(), "[2026-01-15T10:30:01.000Z] [WARN] two");
    write(&log, "[2026-01-15T10:30:02.000Z] [INFO] three\n");
    assert_eq!(lines.next().await.unwrap().unwrap(), "[2026-01-15T10:30:02.000Z] [INFO] three");
    let wrong = DaemonLogRequest { level: Some("loud".to_owned()), ..DaemonLogRequest::default() };
    let error = client.daemon_log(wrong).await.unwrap_err();
    assert_eq!(error.problem().message, "`loud` is not a level (error, warn, info, debug or trace)");
    world.end(&[]).await;
    let error = loop {
        match lines.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.problem().message, "the daemon was stopped");
}

#[tokio::test]
async fn clients_that_say_nothing_read_nothing_or_wait_do_not_hold_the_end() {
    let mut world = World::new().await;
    let client = world.client().await;
    let id = client.add(&new_task()).await.unwrap().task.id;
    let spawn = world.spawn().await;
    write(&spawn.stdout, &"x".repeat(8 << 20));
    let silent = UnixStream::connect(world.dir.path().join("s")).await.unwrap();
    let mut stammering = UnixStream::connect(world.dir.path().join("s")).await.unwrap();
    stammering.write_all(b"PRI * HTT").await.unwrap();
    let mut watch = client.watch(&[id], &[]);
    watch.next().await.unwrap().unwrap();
    let mut held = new_task();
    held.hold = true;
    let held = client.add(&held).await.unwrap().task.id;
    let (mut waiting, mut listening) = (client.watch(&[held], &[]), client.follow(of(held)));
    waiting.next().await.unwrap().unwrap();
    let listening = tokio::spawn(async move { listening.next().await });
    // Another connection, so that its window is its own.
    let deaf_client = world.client().await;
    let mut deaf = deaf_client.follow(of(id));
    assert!(matches!(deaf.next().await, Some(Ok(Piece::Chunk { .. }))));

    let took = world.end(&[spawn]).await;
    assert!(took < LINGER * 8, "{took:?}");
    let mut last = None;
    while let Some(task) = watch.next().await {
        last = Some(task.unwrap().state);
    }
    assert_eq!(last, Some(State::Succeeded), "who listens is told the end");
    for error in [waiting.next().await.unwrap().unwrap_err(), listening.await.unwrap().unwrap().unwrap_err()] {
        assert_eq!(error.problem().message, "the daemon was stopped");
    }
    drop((silent, stammering, deaf));
}

#[tokio::test]
async fn with_nobody_there_the_server_ends_at_once() {
    let world = World::new().await;
    let idle = world.client().await;
    idle.status().await.unwrap();
    let took = world.end(&[]).await;
    assert!(took < LINGER, "{took:?}");
}

fn doors() -> accept::Doors {
    accept::Doors { closing: CancellationToken::new(), cut: CancellationToken::new() }
}

#[tokio::test]
async fn another_user_is_sent_away_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let listener = tokio::net::UnixListener::bind(dir.path().join("s")).unwrap();
    let (accepted, mut incoming) = mpsc::channel(1);
    let other = nix::unistd::geteuid().as_raw() + 1;
    let accepting = tokio::spawn(async move { accept::accept(&listener, other, 9, doors(), accepted).await });
    for _ in 0..3 {
        let mut stream = UnixStream::connect(dir.path().join("s")).await.unwrap();
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
    }
    assert!(incoming.try_recv().is_err());
    accepting.abort();
}

#[tokio::test]
async fn who_finds_no_place_is_told_so_and_gets_one_when_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let listener = tokio::net::UnixListener::bind(dir.path().join("s")).unwrap();
    let (accepted, mut incoming) = mpsc::channel(1);
    let me = nix::unistd::geteuid().as_raw();
    let accepting = tokio::spawn(async move { accept::accept(&listener, me, 1, doors(), accepted).await });
    let _first = UnixStream::connect(dir.path().join("s")).await.unwrap();
    let first = incoming.recv().await.unwrap().unwrap();
    for _ in 0..20 {
        let client = Client::connect(&dir.path().join("s"), Options::default()).await.unwrap();
        let error = client.status().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exhausted, "{error:?}");
        assert!(error.answered());
        let problem = error.problem();
        assert!(problem.message.contains("connections") && problem.hint.is_some(), "{problem:?}");
    }
    drop(first);
    let _second = UnixStream::connect(dir.path().join("s")).await.unwrap();
    incoming.recv().await.unwrap().unwrap();
    accepting.abort();
}

#[tokio::test]
async fn who_says_nothing_for_ten_seconds_is_sent_away() {
    let dir = tempfile::tempdir().unwrap();
    let listener = tokio::net::UnixListener::bind(dir.path().join("s")).unwrap();
    let (accepted, mut incoming) = mpsc::channel(1);
    let me = nix::unistd::geteuid().as_raw();
    let accepting = tokio::spawn(async move { accept::accept(&listener, me, 9, doors(), accepted).await });
    let mut client = UnixStream::connect(dir.path().join("s")).await.unwrap();
    client.write_all(b"PRI").await.unwrap();
    let mut connection = incoming.recv().await.unwrap().unwrap();
    tokio::time::pause();
    let mut preface = [0; 24];
    assert_eq!(connection.read(&mut preface).await.unwrap(), 3);
    let began = Instant::now();
    let error = connection.read(&mut preface).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(began.elapsed() >= Duration::from_secs(9));
    accepting.abort();
}

#[tokio::test]
async fn what_was_cut_off_by_the_client_is_done_all_the_same() {
    let world = World::new().await;
    let (go, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let service = Service {
        handle: world.handle.clone(),
        work: TaskTracker::new(),
        log_file: world.dir.path().join("daemon.log"),
        files: Arc::new(Semaphore::new(2)),
        logs: Arc::new(Semaphore::new(1)),
    };
    let (done, mut is_done) = watch::channel(false);
    let job = {
        let (go, gate) = (go.clone(), gate.clone());
        async move {
            go.notify_one();
            gate.notified().await;
            done.send_replace(true);
            Ok(())
        }
    };
    tokio::select! {
        _ = service.whole(job) => panic!("it waits"),
        () = go.notified() => {}
    }
    gate.notify_one();
    is_done.wait_for(|done| *done).await.unwrap();
}

#[tokio::test]
async fn health_and_descriptions_are_served() {
    use tonic_health::pb::health_client::HealthClient;
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::{ServerReflectionRequest, server_reflection_request::MessageRequest};

    let world = World::new().await;
    let socket = world.dir.path().join("s");
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
    });
    let endpoint = tonic::transport::Endpoint::from_static("http://apex.localhost");
    let channel = endpoint.connect_with_connector(connector).await.unwrap();
    for noun in ["Task", "Queue", "Event", "Log", "Daemon"] {
        let service = format!("apex.v1.{noun}Service");
        let request = HealthCheckRequest { service: service.clone() };
        let response = HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner();
        assert_eq!(response.status(), ServingStatus::Serving, "{service}");
        let message_request = Some(MessageRequest::FileContainingSymbol(service));
        let request = ServerReflectionRequest { host: String::new(), message_request };
        let mut reflection = ServerReflectionClient::new(channel.clone());
        let answers = reflection.server_reflection_info(tokio_stream::iter([request]));
        let answer = answers.await.unwrap().into_inner().message().await.unwrap().unwrap();
        assert!(format!("{answer:?}").contains("FileDescriptorResponse"), "{answer:?}");
    }
}
