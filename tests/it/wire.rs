//! A client that uses nothing of ours but the `.proto`.

use crate::support::World;

/// What the `.proto` says, as any generator would make it.
#[allow(clippy::all, reason = "generated from the .proto: what is in it depends on the generator")]
mod apex {
    include!(concat!(env!("OUT_DIR"), "/apex.v1.rs"));
}

#[test]
fn forty_lines_and_the_proto_add_follow_and_cancel() {
    let world = World::started();
    let socket = world.dot_apex().join("daemon.sock");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        use apex::log_service_client::LogServiceClient;
        use apex::read_output_response::What;
        use apex::task_service_client::TaskServiceClient;
        let connector = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { tokio::net::UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
        });
        let endpoint = tonic::transport::Endpoint::from_static("http://apex");
        let channel = endpoint.connect_with_connector(connector).await.unwrap();
        let mut tasks = TaskServiceClient::new(channel.clone());
        let mut logs = LogServiceClient::new(channel);
        let request = |line: &str| apex::AddTaskRequest {
            uuid: uuid::Uuid::new_v4().to_string(),
            spec: Some(apex::TaskSpec {
                argv: vec![line.into()],
                shell: true,
                cwd: b"/".to_vec(),
                ..apex::TaskSpec::default()
            }),
            ..apex::AddTaskRequest::default()
        };

        let added = tasks.add_task(request("echo one; echo two; exit 5")).await.unwrap().into_inner();
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

        let sleeper = tasks.add_task(request("sleep 1000")).await.unwrap().into_inner().task.unwrap().id;
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
