//! Problems as gRPC statuses, and back.
//!
//! A status that carries a [`Problem`] is the daemon's own answer and final. One without comes from the transport, or
//! from a daemon that is being replaced. That is the difference by which clients decide to come back.

use prost::Message as _;
use tonic::{Code, Status};

use crate::domain::error::{ErrorKind, Problem};
use crate::rpc::convert::query::{problem_from_proto, problem_to_proto};
use crate::rpc::proto;

/// Longest message in bytes. A status travels in headers, of which peers take 16 KiB, and percent-encoding and base64
/// make it up to four times as long.
const MESSAGE_BYTES_MAX: usize = 2048;
/// Longest hint, and longest id, in bytes.
const HINT_BYTES_MAX: usize = 512;

const PROBLEM_URL: &str = "type.googleapis.com/apex.v1.Problem";

/// google.rpc.Status, as far as it is used here.
///
/// Source: google/rpc/status.proto; written out because it would be the only message of its package.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// google.protobuf.Any.
#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// Returns the gRPC code for a kind of failure.
pub(super) fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Conflict => Code::FailedPrecondition,
        ErrorKind::Exhausted => Code::ResourceExhausted,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Denied => Code::PermissionDenied,
        ErrorKind::Internal => Code::Internal,
    }
}

/// Returns the status that carries `problem`; texts that are too long for it are cut, with `…` at the end.
pub(super) fn from_problem(mut problem: Problem) -> Status {
    cut(&mut problem.message, MESSAGE_BYTES_MAX);
    for text in [&mut problem.hint, &mut problem.id].into_iter().flatten() {
        cut(text, HINT_BYTES_MAX);
    }
    let code = code(problem.kind);
    let message = problem.message.clone();
    let value = problem_to_proto(problem).encode_to_vec();
    let details = vec![Any { type_url: PROBLEM_URL.to_owned(), value }];
    let status = RpcStatus { code: code.into(), message: message.clone(), details };
    Status::with_details(code, message, status.encode_to_vec().into())
}

/// Returns the problem that a status carries; `None` if it carries none, or something else.
pub(super) fn to_problem(status: &Status) -> Option<Problem> {
    let details = RpcStatus::decode(status.details()).ok()?.details;
    let any = details.into_iter().find(|any| any.type_url.ends_with("/apex.v1.Problem"))?;
    proto::Problem::decode(any.value.as_slice()).ok().map(problem_from_proto)
}

fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max - '…'.len_utf8()));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_survive_the_wire_as_headers() {
        for kind in ErrorKind::ALL {
            let problem =
                Problem::new(kind, "größe `\u{1b}[31m`\nand more").with_hint("try `apex version`").with_id("12");
            let headers = http_headers(&from_problem(problem.clone()));
            let back = Status::from_header_map(&headers).unwrap();
            assert_eq!(back.code(), code(kind));
            assert_eq!(to_problem(&back), Some(problem));
        }
    }

    #[test]
    fn the_longest_problem_fits_into_the_headers_that_peers_take() {
        let long = "ä".repeat(1 << 20);
        let problem = Problem::new(ErrorKind::Invalid, &long).with_hint(&long).with_id(&long);
        let status = from_problem(problem);
        let headers = http_headers(&status);
        // Each header counts 32 bytes more than its name and value: RFC 9113, 6.5.2.
        let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(size < 16 * 1024, "{size}");
        assert!(to_problem(&status).unwrap().message.ends_with("ä…"));
    }

    #[test]
    fn what_is_no_problem_is_none() {
        assert_eq!(to_problem(&Status::unavailable("gone")), None);
        assert_eq!(to_problem(&Status::with_details(Code::Internal, "x", vec![0xff, 0xff].into())), None);
        let other = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value: Vec::new() };
        let details = RpcStatus { code: 14, message: String::new(), details: vec![other] }.encode_to_vec();
        assert_eq!(to_problem(&Status::with_details(Code::Unavailable, "x", details.into())), None);
    }

    fn http_headers(status: &Status) -> tonic::codegen::http::HeaderMap {
        let mut headers = tonic::codegen::http::HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        headers
    }
}
