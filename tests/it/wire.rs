//! A client that uses nothing of ours but the `.proto`.

use crate::support::World;

/// What the `.proto` says, as any generator would make it.
#[allow(clippy::all, reason = "generated from the .proto: what is in it depends on the generator")]
pub mod apex {
    include!(concat!(env!("OUT_DIR"), "/apex.v1.rs"));
}

/// Opens a connection to the daemon of a project.
async fn connect(world: &World) -> tonic::transport::Channel {
    let socket = world.dot_apex().join("daemon.sock");
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { tokio::net::UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
    });
    tonic::transport::Endpoint::from_static("http://apex").connect_with_connector(connector).await.unwrap()
}

/// The request to add a shell line.
fn shell_line(line: &str) -> apex::AddTaskRequest {
    apex::AddTaskRequest {
        uuid: uuid::Uuid::new_v4().to_string(),
        spec: Some(apex::TaskSpec {
            argv: vec![line.into()],
            shell: true,
            cwd: b"/".to_vec(),
            ..apex::TaskSpec::default()
        }),
        ..apex::AddTaskRequest::default()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Adds a shell line many times over one connection, and returns the id of the last task.
pub fn add_many(world: &World, line: &str, count: usize) -> u64 {
    block_on(async {
        let mut tasks = apex::task_service_client::TaskServiceClient::new(connect(world).await);
        let mut last = 0;
        for _ in 0..count {
            last = tasks.add_task(shell_line(line)).await.unwrap().into_inner().task.unwrap().id;
        }
        last
    })
}

/// Sends the same add of a shell line again and again, and returns the id that each answer has.
pub fn add_again(world: &World, line: &str, count: usize) -> Vec<u64> {
    let request = apex::AddTaskRequest {
        spec: Some(apex::TaskSpec {
            cwd: std::os::unix::ffi::OsStrExt::as_bytes(world.root().as_os_str()).to_vec(),
            ..shell_line(line).spec.unwrap()
        }),
        ..shell_line(line)
    };
    block_on(async {
        let mut ids = Vec::new();
        for _ in 0..count {
            // As after a broken connection.
            let mut tasks = apex::task_service_client::TaskServiceClient::new(connect(world).await);
            ids.push(tasks.add_task(request.clone()).await.unwrap().into_inner().task.unwrap().id);
        }
        ids
    })
}

/// One that asks for the output of a task, and takes nothing of it.
pub struct Deaf {
    _pieces: tonic::Streaming<apex::ReadOutputResponse>,
    _runtime: tokio::runtime::Runtime,
}

impl Deaf {
    /// Asks; the answer has begun to come.
    pub fn begin(world: &World, id: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let pieces = runtime.block_on(async {
            let mut logs = apex::log_service_client::LogServiceClient::new(connect(world).await);
            let follow = apex::ReadOutputRequest { task_id: id, follow: true, ..apex::ReadOutputRequest::default() };
            logs.read_output(follow).await.unwrap().into_inner()
        });
        Self { _pieces: pieces, _runtime: runtime }
    }
}

/// Returns what is served about a task, as bytes on the wire, to a client that does not ask for its environment's values.
pub fn served(world: &World, id: u64) -> Vec<u8> {
    use prost::Message as _;
    block_on(async {
        let channel = connect(world).await;
        let mut tasks = apex::task_service_client::TaskServiceClient::new(channel.clone());
        let mut events = apex::event_service_client::EventServiceClient::new(channel);
        let task = tasks.get_task(apex::GetTaskRequest { id, show_env: false }).await.unwrap().into_inner();
        let list = tasks.list_tasks(apex::ListTasksRequest::default()).await.unwrap().into_inner();
        let mut stream = events.read_events(apex::ReadEventsRequest::default()).await.unwrap().into_inner();
        let mut changes = Vec::new();
        while let Some(change) = stream.message().await.unwrap() {
            changes.extend(change.encode_to_vec());
        }
        assert!(task.task.as_ref().unwrap().env_names.contains(&"AMBIENT".to_owned()));
        [task.encode_to_vec(), list.encode_to_vec(), changes].concat()
    })
}

/// Spoils one field of a request, and says what the answer names if that is certainly refused.
type Spoil = fn(&mut apex::AddTaskRequest, u64) -> Option<&'static str>;

fn spec(request: &mut apex::AddTaskRequest) -> &mut apex::TaskSpec {
    request.spec.as_mut().unwrap()
}

/// What is always wrong.
const WRONG: &[Spoil] = &[
    |request, _| {
        request.uuid = "x".repeat(100);
        Some("`uuid`")
    },
    |request, _| {
        request.spec = None;
        Some("`spec`")
    },
    |request, _| {
        request.parent = Some(0);
        Some("task id")
    },
    |request, _| {
        spec(request).argv = Vec::new();
        Some("command")
    },
    |request, _| {
        spec(request).argv.push(b"second".to_vec());
        Some("shell line")
    },
    |request, _| {
        spec(request).argv[0].push(0);
        Some("argument 0")
    },
    |request, _| {
        spec(request).cwd = b"\xff\0".to_vec();
        Some("working directory")
    },
    |request, _| {
        spec(request).name = Some("7-9".to_owned());
        Some("name `7-9`")
    },
    |request, _| {
        spec(request).name = Some("n".repeat(1 << 16));
        Some("name `n")
    },
    |request, _| {
        spec(request).labels.insert("a=b".to_owned(), String::new());
        Some("label `a=b`")
    },
    |request, _| {
        spec(request).umask = Some(u32::MAX);
        Some("umask")
    },
    |request, _| {
        spec(request).retry = Some(apex::RetryPolicy::default());
        Some("attempt")
    },
    |request, _| {
        spec(request).kill_signal = Some(i32::MIN);
        Some("`-2147483648`")
    },
    |request, _| {
        spec(request).after = vec![0];
        Some("`0` is not a task id")
    },
    |request, _| {
        let source = Some(apex::stdin::Source::Upload("../../etc/passwd".to_owned()));
        spec(request).stdin = Some(apex::Stdin { source });
        Some("`stdin.upload`")
    },
    |request, _| {
        let source = Some(apex::stdin::Source::File(b"relative".to_vec()));
        spec(request).stdin = Some(apex::Stdin { source });
        Some("input file `relative`")
    },
    |request, _| {
        request.env = vec![apex::EnvironmentVariable { name: b"A=B".to_vec(), value: Vec::new() }];
        Some("environment variable `A=B`")
    },
];

/// What may be taken or refused; `n` is a number at a bound.
const STRANGE: &[Spoil] = &[
    |request, n| {
        spec(request).timeout_ms = Some(n);
        None
    },
    |request, n| {
        spec(request).kill_grace_ms = Some(n);
        None
    },
    |request, n| {
        spec(request).run_at_ms = Some(n.cast_signed());
        None
    },
    |request, n| {
        spec(request).priority = n.cast_signed() as i32;
        None
    },
    |request, n| {
        spec(request).after_any = vec![n];
        None
    },
    |request, n| {
        request.parent = Some(n);
        None
    },
    |request, n| {
        spec(request).argv = vec![b"exit 1".to_vec()];
        let retry = apex::RetryPolicy {
            max_attempts: n as u32,
            delay_ms: n,
            max_delay_ms: n.wrapping_mul(3),
            exponential: n % 2 == 0,
            on_codes: vec![n.cast_signed() as i32],
            rerun_on_interrupt: true,
        };
        spec(request).retry = Some(retry);
        None
    },
    |request, n| {
        let limit = |resource: &str| apex::ResourceLimit { resource: resource.to_owned(), soft: Some(n) };
        spec(request).limits = ["nofile", "core", "nonsense", "nofile"].map(limit).to_vec();
        None
    },
    |request, n| {
        spec(request).name = Some(format!("\u{1b}]0;{n}\u{7}\u{202e}"));
        spec(request).labels.insert("\u{9b}2J".to_owned(), "\0".repeat(9));
        None
    },
    |request, n| {
        spec(request).queue = format!("../{n}");
        None
    },
    |request, n| {
        spec(request).key = Some(format!("../{n}\n"));
        None
    },
    |request, n| {
        spec(request).cwd = [b"/".repeat(n as usize % 5_000), b"nowhere".to_vec()].concat();
        None
    },
    |request, _| {
        let source = Some(apex::stdin::Source::Upload(uuid::Uuid::nil().to_string()));
        spec(request).stdin = Some(apex::Stdin { source });
        None
    },
];

/// Sends requests to add a task with fields at their bounds and beyond: what is certainly wrong is refused by name, the
/// rest is answered in whatever way.
pub fn add_boundaries(world: &World, count: u32) {
    let bounds =
        [0, 1, 2, 255, 1 << 31, (1 << 32) - 1, 1 << 53, 1 << 62, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX];
    let spoils: Vec<&Spoil> = WRONG.iter().chain(STRANGE).collect();
    block_on(async {
        let mut tasks = apex::task_service_client::TaskServiceClient::new(connect(world).await);
        let wrong = WRONG.iter().map(|spoil| vec![spoil]);
        let strange = STRANGE.iter().flat_map(|spoil| bounds.map(|_| vec![spoil]));
        // Then several at once.
        let mixed = (0..count as usize).map(|n| vec![spoils[n * 7 % spoils.len()], spoils[n * 13 % spoils.len()]]);
        for (n, spoils) in wrong.chain(strange).chain(mixed).enumerate() {
            let mut request = shell_line("true");
            let mut named = None;
            for spoil in &spoils {
                if request.spec.is_some() {
                    named = spoil(&mut request, bounds[n % bounds.len()]);
                }
            }
            // One may mend what another has spoilt.
            let named = named.filter(|_| spoils.len() == 1);
            match tasks.add_task(request).await {
                Ok(_) => assert_eq!(named, None, "it was taken"),
                Err(status) => {
                    assert_ne!(status.code(), tonic::Code::Internal, "{status:?}");
                    assert_ne!(status.code(), tonic::Code::Unknown, "{status:?}");
                    if let Some(name) = named {
                        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
                        assert!(status.message().contains(name), "{name}: {status:?}");
                    }
                    assert!(!status.message().is_empty());
                }
            }
        }
    });
}

#[test]
fn forty_lines_and_the_proto_add_follow_and_cancel() {
    let world = World::started();
    block_on(async {
        use apex::log_service_client::LogServiceClient;
        use apex::read_output_response::What;
        use apex::task_service_client::TaskServiceClient;
        let channel = connect(&world).await;
        let mut tasks = TaskServiceClient::new(channel.clone());
        let mut logs = LogServiceClient::new(channel);
        let added = tasks.add_task(shell_line("echo one; echo two; exit 5")).await.unwrap().into_inner();
        let id = added.task.unwrap().id;
        let follow = apex::ReadOutputRequest { task_id: id, follow: true, ..apex::ReadOutputRequest::default() };
        let mut pieces = logs.read_output(follow).await.unwrap().into_inner();
        let (mut output, mut code) = (Vec::new(), None);
        while let Some(piece) = pieces.message().await.unwrap() {
            match piece.what {
                Some(What::Chunk(chunk)) => output.extend(chunk.data),
                Some(What::Ended(task)) => code = task.exit,
                None => {}
            }
        }
        assert_eq!(output, b"one\ntwo\n");
        assert_eq!(code.unwrap().how, Some(apex::exit_status::How::Code(5)));

        let sleeper = tasks.add_task(shell_line("sleep 1000")).await.unwrap().into_inner().task.unwrap().id;
        let cancel = apex::CancelTasksRequest { ids: vec![sleeper, 99], reason: None };
        let results = tasks.cancel_tasks(cancel).await.unwrap().into_inner().results;
        assert!(results[0].problem.is_none());
        assert_eq!(results[1].problem.as_ref().unwrap().kind, "not_found");
        let watch = apex::WatchTasksRequest { ids: vec![sleeper], until: vec![], waiter: None };
        let mut states = tasks.watch_tasks(watch).await.unwrap().into_inner();
        let mut last = None;
        while let Some(answer) = states.message().await.unwrap() {
            last = answer.task;
        }
        assert_eq!(last.unwrap().state(), apex::TaskState::Cancelled);
    });
}
