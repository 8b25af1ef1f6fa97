//! Attempts, their outputs and their ends.

use std::time::Duration;

use crate::domain::attempt::{Attempt, Output, Stream};
use crate::domain::id::AssignmentId;
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::{ExitStatus, ReasonCode, Usage};
use crate::domain::resource::{Amount, Grant, Granted};
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::rpc::convert::{Error, Result, path, path_bytes, uuid};
use crate::rpc::proto;

/// `starting` is an inner matter: on the wire it is `running`.
pub(in crate::rpc) fn state_to_proto(state: State) -> proto::TaskState {
    use proto::TaskState as Wire;
    match state {
        State::Scheduled => Wire::Scheduled,
        State::Blocked => Wire::Blocked,
        State::Held => Wire::Held,
        State::Queued => Wire::Queued,
        State::Starting | State::Running => Wire::Running,
        State::Paused => Wire::Paused,
        State::Retrying => Wire::Retrying,
        State::Succeeded => Wire::Succeeded,
        State::Failed => Wire::Failed,
        State::TimedOut => Wire::TimedOut,
        State::Cancelled => Wire::Cancelled,
        State::Skipped => Wire::Skipped,
        State::Interrupted => Wire::Interrupted,
        State::Lost => Wire::Lost,
    }
}

pub(in crate::rpc) fn state_from_proto(field: &'static str, state: i32) -> Result<State> {
    use proto::TaskState as Wire;
    match Wire::try_from(state) {
        Ok(Wire::Scheduled) => Ok(State::Scheduled),
        Ok(Wire::Blocked) => Ok(State::Blocked),
        Ok(Wire::Held) => Ok(State::Held),
        Ok(Wire::Queued) => Ok(State::Queued),
        Ok(Wire::Running) => Ok(State::Running),
        Ok(Wire::Paused) => Ok(State::Paused),
        Ok(Wire::Retrying) => Ok(State::Retrying),
        Ok(Wire::Succeeded) => Ok(State::Succeeded),
        Ok(Wire::Failed) => Ok(State::Failed),
        Ok(Wire::TimedOut) => Ok(State::TimedOut),
        Ok(Wire::Cancelled) => Ok(State::Cancelled),
        Ok(Wire::Skipped) => Ok(State::Skipped),
        Ok(Wire::Interrupted) => Ok(State::Interrupted),
        Ok(Wire::Lost) => Ok(State::Lost),
        Ok(Wire::Unspecified) | Err(_) => Err(Error::Unknown { field, value: state }),
    }
}

pub(in crate::rpc) fn stream_to_proto(stream: Stream) -> proto::OutputStream {
    match stream {
        Stream::Merged => proto::OutputStream::Merged,
        Stream::Stdout => proto::OutputStream::Stdout,
        Stream::Stderr => proto::OutputStream::Stderr,
    }
}

pub(in crate::rpc) fn stream_from_proto(stream: i32) -> Result<Stream> {
    match proto::OutputStream::try_from(stream) {
        Ok(proto::OutputStream::Merged) => Ok(Stream::Merged),
        Ok(proto::OutputStream::Stdout) => Ok(Stream::Stdout),
        Ok(proto::OutputStream::Stderr) => Ok(Stream::Stderr),
        Ok(proto::OutputStream::Unspecified) | Err(_) => Err(Error::Unknown { field: "stream", value: stream }),
    }
}

pub(super) fn exit_to_proto(exit: ExitStatus) -> proto::ExitStatus {
    use proto::exit_status::How;
    let how = match exit {
        ExitStatus::Code(code) => How::Code(code),
        ExitStatus::Signal(signal) => How::Signal(signal),
    };
    proto::ExitStatus { how: Some(how) }
}

/// An exit status of a sort that a later version may have added is not known.
pub(super) fn exit_from_proto(exit: proto::ExitStatus) -> Option<ExitStatus> {
    use proto::exit_status::How;
    exit.how.map(|how| match how {
        How::Code(code) => ExitStatus::Code(code),
        How::Signal(signal) => ExitStatus::Signal(signal),
    })
}

pub(super) fn reason_code(word: Option<String>) -> Option<ReasonCode> {
    word.as_deref().and_then(ReasonCode::from_word)
}

pub(super) fn to_proto(attempt: Attempt) -> proto::Attempt {
    proto::Attempt {
        number: attempt.number,
        assignment_id: attempt.assignment.0.to_string(),
        worker_id: attempt.owner.0.to_string(),
        state: state_to_proto(attempt.state).into(),
        claimed_at_ms: attempt.claimed_at.0,
        lease_until_ms: attempt.lease_until.0,
        slot: attempt.slot,
        process: attempt.identity.map(|identity| proto::ProcessIdentity {
            boot_id: identity.boot.0.to_string(),
            pid: identity.pid,
            start_ticks: identity.start_ticks,
        }),
        started_at_ms: attempt.started_at.map(|at| at.0),
        ended_at_ms: attempt.ended_at.map(|at| at.0),
        exit: attempt.exit.map(exit_to_proto),
        reason_code: attempt.reason_code.map(|code| code.as_str().to_owned()),
        reason: attempt.reason,
        usage: attempt.usage.map(|usage| proto::Usage {
            max_rss_bytes: usage.max_rss_bytes,
            user_ms: usage.user_ms,
            system_ms: usage.system_ms,
        }),
        outputs: attempt.outputs.into_iter().map(output_to_proto).collect(),
        granted: attempt.granted.0.into_iter().map(grant_to_proto).collect(),
    }
}

pub(super) fn from_proto(attempt: proto::Attempt) -> Result<Attempt> {
    Ok(Attempt {
        number: attempt.number,
        assignment: AssignmentId(uuid("attempt.assignment_id", &attempt.assignment_id)?),
        owner: GuardianId(uuid("attempt.worker_id", &attempt.worker_id)?),
        state: state_from_proto("attempt.state", attempt.state)?,
        claimed_at: Timestamp(attempt.claimed_at_ms),
        lease_until: Timestamp(attempt.lease_until_ms),
        slot: attempt.slot,
        granted: Granted(attempt.granted.into_iter().map(grant_from_proto).collect()),
        identity: attempt.process.map(identity_from_proto).transpose()?,
        started_at: attempt.started_at_ms.map(Timestamp),
        ended_at: attempt.ended_at_ms.map(Timestamp),
        exit: attempt.exit.and_then(exit_from_proto),
        reason_code: reason_code(attempt.reason_code),
        reason: attempt.reason,
        usage: attempt.usage.map(|usage| Usage {
            max_rss_bytes: usage.max_rss_bytes,
            user_ms: usage.user_ms,
            system_ms: usage.system_ms,
        }),
        // The daemon's own business: it is not on the wire.
        paused_at: None,
        paused_for: Duration::ZERO,
        outputs: attempt.outputs.into_iter().map(output_from_proto).collect::<Result<_>>()?,
    })
}

fn grant_to_proto((name, grant): (String, Grant)) -> proto::ResourceGrant {
    let (amount, is_size) = (grant.number(), matches!(grant, Grant::Amount(Amount::Bytes(_))));
    let indices = match grant {
        Grant::Amount(_) => Vec::new(),
        Grant::Indices(indices) => indices,
    };
    proto::ResourceGrant { name, amount, is_size, indices }
}

fn grant_from_proto(grant: proto::ResourceGrant) -> (String, Grant) {
    let proto::ResourceGrant { name, amount, is_size, indices } = grant;
    let grant = if indices.is_empty() { Grant::Amount(Amount::new(amount, is_size)) } else { Grant::Indices(indices) };
    (name, grant)
}

fn identity_from_proto(process: proto::ProcessIdentity) -> Result<ProcessIdentity> {
    let boot = BootId(uuid("attempt.process.boot_id", &process.boot_id)?);
    Ok(ProcessIdentity { boot, pid: process.pid, start_ticks: process.start_ticks })
}

fn output_to_proto(output: Output) -> proto::Output {
    proto::Output {
        stream: stream_to_proto(output.stream).into(),
        path: path_bytes(&output.path),
        bytes: output.bytes,
        sha256: output.sha256.map(Vec::from),
    }
}

fn output_from_proto(output: proto::Output) -> Result<Output> {
    let sha256 = output.sha256.map(|hash| {
        let length = hash.len();
        <[u8; 32]>::try_from(hash).map_err(|_| Error::Hash(length))
    });
    Ok(Output {
        stream: stream_from_proto(output.stream)?,
        path: path(output.path),
        bytes: output.bytes,
        sha256: sha256.transpose()?,
    })
}
