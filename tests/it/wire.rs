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
        let watch = apex::WatchTasksRequest { ids: vec![sleeper], until: vec![] };
        let mut states = tasks.watch_tasks(watch).await.unwrap().into_inner();
        let mut last = None;
        while let Some(answer) = states.message().await.unwrap() {
            last = answer.task;
        }
        assert_eq!(last.unwrap().state(), apex::TaskState::Cancelled);
    });
}
