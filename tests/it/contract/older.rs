//! A daemon of an earlier version, as far as a client can tell: it knows one call, and its version is 0.0.1.

use std::convert::Infallible;
use std::task::{Context, Poll};

use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::support::World;
use crate::wire::apex::{GetStatusRequest, GetStatusResponse, ListTasksRequest, ListTasksResponse};

/// Serves the daemon's service without most of it. Written out, because one that is generated would have to know every
/// call there is.
#[derive(Debug, Clone)]
struct Older;

impl NamedService for Older {
    const NAME: &'static str = "apex.v1.DaemonService";
}

impl Service<http::Request<Body>> for Older {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            if request.uri().path().ends_with("/GetStatus") {
                return Ok(Grpc::new(ProstCodec::default()).unary(Older, request).await);
            }
            Ok(Status::unimplemented("").into_http())
        })
    }
}

impl UnaryService<GetStatusRequest> for Older {
    type Response = GetStatusResponse;
    type Future = BoxFuture<Response<GetStatusResponse>, Status>;

    fn call(&mut self, _: Request<GetStatusRequest>) -> Self::Future {
        let status = GetStatusResponse {
            pid: std::process::id(),
            guardian_pid: std::process::id(),
            version: "0.0.1".to_owned(),
            max_concurrent: 3,
            ..GetStatusResponse::default()
        };
        Box::pin(async move { Ok(Response::new(status)) })
    }
}

/// The same daemon's tasks: it can list them, and there are none.
#[derive(Debug, Clone)]
struct OlderTasks;

impl NamedService for OlderTasks {
    const NAME: &'static str = "apex.v1.TaskService";
}

impl Service<http::Request<Body>> for OlderTasks {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            if !request.uri().path().ends_with("/ListTasks") {
                return Ok(Status::unimplemented("").into_http());
            }
            let mut response = Grpc::new(ProstCodec::default()).unary(OlderTasks, request).await;
            response.headers_mut().insert("apex-version", http::HeaderValue::from_static("0.0.1"));
            Ok(response)
        })
    }
}

impl UnaryService<ListTasksRequest> for OlderTasks {
    type Response = ListTasksResponse;
    type Future = BoxFuture<Response<ListTasksResponse>, Status>;

    fn call(&mut self, _: Request<ListTasksRequest>) -> Self::Future {
        Box::pin(async { Ok(Response::new(ListTasksResponse::default())) })
    }
}

/// Serves a world in place of its daemon, for as long as what comes back is there.
fn serve(world: &World) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let socket = world.dot_apex().join("daemon.sock");
    let listener = runtime.block_on(async { UnixListener::bind(socket).unwrap() });
    let server = tonic::transport::Server::builder().add_service(Older).add_service(OlderTasks);
    runtime.spawn(async move { server.serve_with_incoming(UnixListenerStream::new(listener)).await });
    runtime
}

/// Row: names and projects / older daemon
#[test]
fn an_older_daemon_is_named_once_and_what_it_does_not_know_is_1() {
    let world = World::new();
    let _daemon = serve(&world);
    let status = world.apex(["daemon", "status"]).expect(0);
    assert_eq!(status.stderr.matches("apex daemon restart").count(), 1, "{status:?}");
    assert!(status.stderr.contains("0.0.1"), "{status:?}");
    for args in [&["ls"][..], &["--json", "ls"]] {
        let list = world.apex(args).expect(0);
        assert_eq!(list.stderr.matches("apex daemon restart").count(), 1, "{list:?}");
        assert!(list.stderr.contains("0.0.1"), "{list:?}");
    }
    let checks = world.apex(["--json", "doctor"]).json();
    let version = checks.as_array().unwrap().iter().find(|check| check["name"] == "version").unwrap();
    assert_eq!(version["status"], "warn", "{version}");
    assert!(version["hint"].as_str().unwrap().contains("apex daemon restart"), "{version}");
    for args in [&["task", "show", "1"][..], &["schedule", "edit", "nightly", "--set", "every=1h"]] {
        let unknown = world.apex([&["--json"], args].concat()).expect(1);
        assert!(unknown.error()["hint"].as_str().unwrap().contains("apex daemon restart"), "{unknown:?}");
    }
}
