//! Time windows, as they stand.

use crate::domain::time::Timestamp;
use crate::domain::window::{NextChange, OpenWindow, Standing};
use crate::rpc::proto;

/// Nothing goes over the wire where there are no windows.
pub(in crate::rpc) fn to_proto(standing: Standing) -> Option<proto::Windows> {
    if standing == Standing::default() {
        return None;
    }
    let open = standing.open.into_iter().map(|window| proto::OpenWindow {
        name: window.name,
        opened_at_ms: window.opened_at.0,
        closes_at_ms: window.closes_at.map(|at| at.0),
        time_zone: window.time_zone,
        max_concurrent: window.max_concurrent,
        pause: window.pause,
    });
    let next = standing.next.map(|next| proto::WindowChange {
        at_ms: next.at.0,
        time_zone: next.time_zone,
        opens: next.opens,
        closes: next.closes,
    });
    Some(proto::Windows { open: open.collect(), next })
}

pub(in crate::rpc) fn from_proto(windows: Option<proto::Windows>) -> Standing {
    let windows = windows.unwrap_or_default();
    let open = windows.open.into_iter().map(|window| OpenWindow {
        name: window.name,
        opened_at: Timestamp(window.opened_at_ms),
        closes_at: window.closes_at_ms.map(Timestamp),
        time_zone: window.time_zone,
        max_concurrent: window.max_concurrent,
        pause: window.pause,
    });
    let next = windows.next.map(|next| NextChange {
        at: Timestamp(next.at_ms),
        time_zone: next.time_zone,
        opens: next.opens,
        closes: next.closes,
    });
    Standing { open: open.collect(), next }
}
