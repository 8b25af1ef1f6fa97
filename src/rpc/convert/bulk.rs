//! Many tasks that are added together, on the wire and in the file in which they wait.

use std::fs::File;
use std::io::{self, BufReader, Read as _};

use prost::Message as _;
use uuid::Uuid;

use crate::domain::id::{TaskId, TaskUuid};
use crate::domain::query::{AddedMany, Run};
use crate::domain::task::{BulkTask, Environment, InvalidSpec, Limit};
use crate::engine::{Bulk, Tasks};
use crate::rpc::convert::task::{
    env_from_proto, env_to_proto, limit_from_proto, limit_to_proto, spec_from_proto, spec_to_proto,
};
use crate::rpc::convert::{Error, Result, task_id, uuid};
use crate::rpc::proto;

pub(in crate::rpc) fn task_to_proto(task: BulkTask) -> proto::BulkTask {
    let mut spec = spec_to_proto(task.spec);
    // The same for all: see `proto::AddTasksRequest`.
    (spec.umask, spec.limits) = (None, Vec::new());
    proto::BulkTask {
        line: task.line,
        spec: Some(spec),
        env: env_to_proto(task.env),
        hold: task.hold,
        after_places: task.after_places,
        after_any_places: task.after_any_places,
    }
}

pub(in crate::rpc) fn task_from_proto(task: proto::BulkTask) -> Result<BulkTask> {
    Ok(BulkTask {
        line: task.line,
        spec: spec_from_proto(task.spec.ok_or(Error::Missing("spec"))?)?,
        env: env_from_proto(task.env),
        hold: task.hold,
        after_places: task.after_places,
        after_any_places: task.after_any_places,
    })
}

pub(in crate::rpc) fn bulk_from_proto(request: proto::AddTasksRequest) -> Result<Bulk> {
    let umask = request.umask.unwrap_or(0o077);
    if umask > 0o777 {
        return Err(InvalidSpec::Umask(umask).into());
    }
    let bulk = Bulk {
        uuid: TaskUuid(uuid("uuid", &request.uuid)?),
        upload: uuid("upload", &request.upload)?,
        env: env_from_proto(request.env),
        umask,
        limits: request.limits.into_iter().filter_map(limit_from_proto).collect(),
        parent: request.parent.map(task_id).transpose()?,
    };
    bulk.env.check()?;
    Ok(bulk)
}

pub(in crate::rpc) fn to_proto(
    uuid: TaskUuid,
    upload: Uuid,
    env: Environment,
    umask: u32,
    limits: Vec<Limit>,
    parent: Option<TaskId>,
) -> proto::AddTasksRequest {
    proto::AddTasksRequest {
        uuid: uuid.at(0).to_string(),
        upload: upload.to_string(),
        env: env_to_proto(env),
        umask: Some(umask),
        limits: limits.into_iter().map(limit_to_proto).collect(),
        parent: parent.map(TaskId::get),
    }
}

pub(in crate::rpc) fn added_to_proto(added: AddedMany) -> proto::AddTasksResponse {
    let run = |run: Run| proto::AddedRun {
        place: run.place,
        first_id: run.first.get(),
        count: run.count,
        created: run.created,
    };
    proto::AddTasksResponse { runs: added.runs.into_iter().map(run).collect(), untrusted: added.untrusted }
}

pub(in crate::rpc) fn added_from_proto(response: proto::AddTasksResponse) -> Result<AddedMany> {
    let run = |run: proto::AddedRun| {
        Ok(Run { place: run.place, first: task_id(run.first_id)?, count: run.count, created: run.created })
    };
    let runs = response.runs.into_iter().map(run).collect::<Result<_>>()?;
    Ok(AddedMany { runs, untrusted: response.untrusted })
}

/// Appends a task to `buffer` as it stands in the file in which it waits: the length in bytes (32 bits, little endian),
/// then the message.
///
/// Errors: it is larger than a request may be.
pub(in crate::rpc) fn write(task: &proto::BulkTask, buffer: &mut Vec<u8>) -> io::Result<()> {
    let length = u32::try_from(task.encoded_len()).map_err(io::Error::other)?;
    buffer.extend_from_slice(&length.to_le_bytes());
    task.encode(buffer).map_err(io::Error::other)
}

/// Reads the tasks from the file in which they wait.
pub(in crate::rpc) fn read(file: File) -> Tasks {
    let mut file = BufReader::with_capacity(64 << 10, file);
    let mut buffer = Vec::new();
    let next = move || {
        let mut length = [0; 4];
        match file.read(&mut length[..1]) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => return Some(Err(error)),
        }
        let mut task = || {
            file.read_exact(&mut length[1..])?;
            buffer.resize(u32::from_le_bytes(length) as usize, 0);
            file.read_exact(&mut buffer)?;
            let task = proto::BulkTask::decode(buffer.as_slice()).map_err(io::Error::other)?;
            task_from_proto(task).map_err(io::Error::other)
        };
        Some(task())
    };
    Box::new(std::iter::from_fn(next))
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;
    use crate::domain::task::TaskSpec;

    #[test]
    fn what_waits_in_a_file_reads_back() {
        let task = |line| BulkTask {
            line,
            spec: TaskSpec { queue: "gpu".to_owned(), ..TaskSpec::command(vec!["a".into(), "".into()], "/".into()) },
            env: Environment(vec![("A".into(), "1".into())]),
            hold: line == 2,
            after_places: vec![0; usize::from(line == 2)],
            after_any_places: Vec::new(),
        };
        let tasks = [task(1), task(2)];
        let mut buffer = Vec::new();
        for task in &tasks {
            write(&task_to_proto(task.clone()), &mut buffer).unwrap();
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&buffer).unwrap();
        file.rewind().unwrap();
        let found: Vec<BulkTask> = read(file.try_clone().unwrap()).map(|task| task.unwrap()).collect();
        assert_eq!(found, tasks);

        file.set_len(buffer.len() as u64 - 1).unwrap();
        file.rewind().unwrap();
        let found: Vec<bool> = read(file).map(|task| task.is_ok()).take(2).collect();
        assert_eq!(found, [true, false], "what is cut off is no end");
    }
}
