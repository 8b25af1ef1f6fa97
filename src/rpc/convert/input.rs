//! What is given to a running task to read, and how large its terminal is.

use std::time::Duration;

use crate::domain::id::TaskId;
use crate::domain::input::{Input, Size, Taken};
use crate::rpc::convert::{Error, Result, ms, task_id, uuid};
use crate::rpc::proto;

pub(in crate::rpc) fn to_proto(input: &Input) -> proto::SendInputRequest {
    proto::SendInputRequest {
        task_id: input.task.get(),
        send: input.send.to_string(),
        offset: input.at,
        data: input.bytes.clone(),
        line: input.line,
        eof: input.eof,
        wait_ms: ms(input.within),
    }
}

pub(in crate::rpc) fn from_proto(request: proto::SendInputRequest) -> Result<Input> {
    Ok(Input {
        task: task_id(request.task_id)?,
        send: uuid("send", &request.send)?,
        at: request.offset,
        bytes: request.data,
        line: request.line,
        eof: request.eof,
        within: Duration::from_millis(request.wait_ms),
    })
}

pub(in crate::rpc) fn taken_to_proto(taken: Taken) -> proto::SendInputResponse {
    proto::SendInputResponse { taken: taken.bytes, whole: taken.whole, closed: taken.closed }
}

pub(in crate::rpc) fn taken_from_proto(response: &proto::SendInputResponse) -> Taken {
    Taken { bytes: response.taken, whole: response.whole, closed: response.closed }
}

pub(in crate::rpc) fn resize_to_proto(id: TaskId, size: Size) -> proto::ResizeTerminalRequest {
    proto::ResizeTerminalRequest { task_id: id.get(), rows: size.rows.into(), columns: size.columns.into() }
}

pub(in crate::rpc) fn resize_from_proto(request: proto::ResizeTerminalRequest) -> Result<(TaskId, Size)> {
    Ok((task_id(request.task_id)?, size(request.rows, request.columns)?))
}

pub(in crate::rpc) fn size_to_proto(size: Size) -> proto::ResizeTerminalResponse {
    proto::ResizeTerminalResponse { rows: size.rows.into(), columns: size.columns.into() }
}

pub(in crate::rpc) fn size_from_proto(response: &proto::ResizeTerminalResponse) -> Result<Size> {
    size(response.rows, response.columns)
}

fn size(rows: u32, columns: u32) -> Result<Size> {
    let one = |field, count: u32| {
        u16::try_from(count).map_err(|_| Error::Unknown { field, value: i32::try_from(count).unwrap_or(i32::MAX) })
    };
    Ok(Size { rows: one("rows", rows)?, columns: one("columns", columns)? })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_is_sent_comes_out_as_it_went_in() {
        let input = Input {
            task: TaskId::new(7).unwrap(),
            send: Uuid::from_u128(5),
            at: 9,
            bytes: b"x".to_vec(),
            line: true,
            eof: true,
            within: Duration::from_millis(70),
        };
        assert_eq!(from_proto(to_proto(&input)), Ok(input));
        let taken = Taken { bytes: 3, whole: false, closed: true };
        assert_eq!(taken_from_proto(&taken_to_proto(taken)), taken);
        let (id, size) = (TaskId::new(7).unwrap(), Size { rows: 24, columns: 80 });
        assert_eq!(resize_from_proto(resize_to_proto(id, size)), Ok((id, size)));
        assert_eq!(size_from_proto(&size_to_proto(size)), Ok(size));
        let large = proto::ResizeTerminalRequest { task_id: 7, rows: 70_000, columns: 1 };
        assert!(resize_from_proto(large).is_err());
    }
}
