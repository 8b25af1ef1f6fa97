//! Settings that have changed.

use crate::domain::setting::ChangedSetting;
use crate::rpc::proto;

pub(in crate::rpc) fn to_proto(changed: Vec<ChangedSetting>) -> proto::ReloadResponse {
    let changed = changed.into_iter().map(|ChangedSetting { key, from, to, needs_restart }| proto::ChangedSetting {
        key,
        from,
        to,
        needs_restart,
    });
    proto::ReloadResponse { changed: changed.collect() }
}

pub(in crate::rpc) fn from_proto(response: proto::ReloadResponse) -> Vec<ChangedSetting> {
    let changed = response.changed.into_iter();
    changed
        .map(|proto::ChangedSetting { key, from, to, needs_restart }| ChangedSetting { key, from, to, needs_restart })
        .collect()
}
