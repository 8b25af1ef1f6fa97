//! How much of the machine a task may use.

use crate::domain::task::{Confinement, CpuSet, Resource, Rlimit};
use crate::rpc::convert::{Error, Result};
use crate::rpc::proto;

pub(super) fn to_proto(confinement: Confinement) -> Option<proto::Confinement> {
    if confinement.is_empty() {
        return None;
    }
    let rlimits = confinement.rlimits.into_iter().map(|limit| proto::ProcessLimit {
        resource: limit.resource.as_str().to_owned(),
        soft: limit.soft,
        hard: limit.hard,
    });
    Some(proto::Confinement {
        nice: confinement.nice,
        cpus: confinement.cpus.map(|cpus| cpus.to_string()),
        rlimits: rlimits.collect(),
        memory_bytes: confinement.memory,
        cpu_millis: confinement.cpu_millis,
    })
}

/// What this version does not know is refused: nobody is to believe in a limit that is not there.
pub(super) fn from_proto(confinement: proto::Confinement) -> Result<Confinement> {
    let cpus =
        |text: String| CpuSet::parse(&text).ok_or(Error::Invalid { field: "task.spec.confinement.cpus", value: text });
    let rlimit = |limit: proto::ProcessLimit| match Resource::from_word(&limit.resource) {
        Some(resource) => Ok(Rlimit { resource, soft: limit.soft, hard: limit.hard }),
        None => Err(Error::Invalid { field: "task.spec.confinement.rlimits", value: limit.resource }),
    };
    Ok(Confinement {
        nice: confinement.nice,
        cpus: confinement.cpus.map(cpus).transpose()?,
        rlimits: confinement.rlimits.into_iter().map(rlimit).collect::<Result<_>>()?,
        memory: confinement.memory_bytes,
        cpu_millis: confinement.cpu_millis,
    })
}
