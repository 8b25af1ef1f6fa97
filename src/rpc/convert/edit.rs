//! What is to become of a task that has not started.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use crate::domain::edit::Edit;
use crate::rpc::convert::task::{env_from_proto, env_to_proto, spec_from_proto, spec_to_proto};
use crate::rpc::convert::{Error, Result, task_id};
use crate::rpc::proto;

pub(in crate::rpc) fn to_proto(edit: Edit) -> proto::EditTaskRequest {
    proto::EditTaskRequest {
        id: edit.id.get(),
        base: Some(spec_to_proto(edit.base)),
        spec: Some(spec_to_proto(edit.spec)),
        set_env: env_to_proto(edit.set_env),
        unset_env: edit.unset_env.into_iter().map(OsString::into_vec).collect(),
    }
}

pub(in crate::rpc) fn from_proto(request: proto::EditTaskRequest) -> Result<Edit> {
    Ok(Edit {
        id: task_id(request.id)?,
        base: spec_from_proto(request.base.ok_or(Error::Missing("base"))?)?,
        spec: spec_from_proto(request.spec.ok_or(Error::Missing("spec"))?)?,
        set_env: env_from_proto(request.set_env),
        unset_env: request.unset_env.into_iter().map(OsString::from_vec).collect(),
    })
}
