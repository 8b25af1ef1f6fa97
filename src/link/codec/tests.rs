use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::adoption::Child;
use crate::domain::id::AssignmentId;
use crate::domain::identity::GuardianId;
use crate::domain::outcome::{Exit, ExitStatus, Usage};
use crate::domain::task::{Limit, Resource};
use crate::domain::time::{Moment, Timestamp};
use crate::link::{Keep, Kept, Scope, Spawn, SpawnStep};

mod rubbish;

fn assignment() -> impl Strategy<Value = AssignmentId> {
    any::<u128>().prop_map(|n| AssignmentId(Uuid::from_u128(n)))
}

fn string() -> impl Strategy<Value = OsString> {
    vec(any::<u8>(), 0..20).prop_map(OsString::from_vec)
}

fn path() -> impl Strategy<Value = PathBuf> {
    string().prop_map(PathBuf::from)
}

fn spawn() -> impl Strategy<Value = Spawn> {
    let resource = proptest::sample::select(Resource::ALL.to_vec());
    let limit = (resource, any::<Option<u64>>()).prop_map(|(resource, soft)| Limit { resource, soft });
    let what = (path(), vec(string(), 0..4), vec((string(), string()), 0..4), path());
    let files = (option::of(path()), path(), option::of(path()));
    let kept = prop_oneof![Just(Kept::Pipe), Just(Kept::Terminal)];
    let keep = option::of((path(), kept).prop_map(|(socket, kept)| Keep { socket, kept }));
    (assignment(), what, any::<u32>(), vec(limit, 0..4), files, keep).prop_map(
        |(assignment, (program, argv, env, cwd), umask, limits, (stdin, stdout, stderr), keep)| Spawn {
            assignment,
            program,
            argv,
            env,
            cwd,
            umask,
            limits,
            stdin,
            stdout,
            stderr,
            keep,
        },
    )
}

/// Any order.
pub(crate) fn order() -> impl Strategy<Value = Order> {
    let duration = (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(s, ns)| Duration::new(s, ns));
    let scope = prop_oneof![Just(Scope::Leader), Just(Scope::Session), Just(Scope::Everything)];
    prop_oneof![
        any::<u16>().prop_map(|version| Order::Hello { version }),
        Just(Order::Ready),
        duration.prop_map(|kill_grace| Order::Policy { kill_grace }),
        spawn().prop_map(|spawn| Order::Spawn(Box::new(spawn))),
        (assignment(), any::<i32>(), scope).prop_map(|(assignment, signal, scope)| Order::Signal {
            assignment,
            signal,
            scope
        }),
        assignment().prop_map(|assignment| Order::Forget { assignment }),
        Just(Order::Draining),
        Just(Order::Present),
        path().prop_map(|binary| Order::Replace { binary }),
        any::<u64>().prop_map(|until| Order::Grace { until: Moment(until) }),
        child().prop_map(Order::Adopt),
    ]
}

fn exit() -> impl Strategy<Value = Exit> {
    let status = prop_oneof![any::<i32>().prop_map(ExitStatus::Code), any::<i32>().prop_map(ExitStatus::Signal)];
    let usage = (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(max_rss_bytes, user_ms, system_ms)| Usage {
        max_rss_bytes,
        user_ms,
        system_ms,
    });
    (status, option::of(usage), any::<i64>(), any::<bool>(), any::<bool>()).prop_map(
        |(status, usage, at, leftovers, stopped)| Exit { status, usage, at: Timestamp(at), leftovers, stopped },
    )
}

fn child() -> impl Strategy<Value = Child> {
    (assignment(), any::<u32>(), any::<u64>(), any::<i64>(), option::of(exit())).prop_map(
        |(assignment, pid, start_ticks, started_at, exit)| Child {
            assignment,
            pid,
            start_ticks,
            started_at: Timestamp(started_at),
            exit,
        },
    )
}

fn fact() -> impl Strategy<Value = Fact> {
    let step = proptest::sample::select(vec![
        SpawnStep::Fork,
        SpawnStep::Chdir,
        SpawnStep::Stdin,
        SpawnStep::Output,
        SpawnStep::Exec,
        SpawnStep::Setup,
        SpawnStep::Terminal,
    ]);
    let welcome = (any::<u16>(), any::<u128>(), any::<u32>(), any::<i64>(), any::<u32>(), any::<u32>());
    prop_oneof![
        welcome.prop_map(|(version, guardian, guardian_pid, started_at, restarts, stop_requests)| Fact::Welcome {
            version,
            guardian: GuardianId(Uuid::from_u128(guardian)),
            guardian_pid,
            started_at: Timestamp(started_at),
            restarts,
            stop_requests,
        }),
        child().prop_map(Fact::Child),
        Just(Fact::Complete),
        child().prop_map(Fact::Spawned),
        (assignment(), step, any::<i32>()).prop_map(|(assignment, step, errno)| Fact::NotSpawned {
            assignment,
            step,
            errno
        }),
        (assignment(), exit()).prop_map(|(assignment, exit)| Fact::Exited { assignment, exit }),
        (assignment(), any::<i32>(), any::<i32>()).prop_map(|(assignment, signal, errno)| Fact::Signalled {
            assignment,
            signal,
            errno
        }),
        any::<u32>().prop_map(|requests| Fact::Terminate { requests }),
        Just(Fact::Reload),
        Just(Fact::Ask),
        Just(Fact::Keeps),
        (any::<Option<u64>>(), any::<bool>(), any::<Option<u64>>()).prop_map(|(nofile, supervised, until)| {
            Fact::Terms { nofile, supervised, grace_until: until.map(Moment) }
        }),
        assignment().prop_map(|assignment| Fact::Doubtful { assignment }),
        (assignment(), any::<i64>()).prop_map(|(assignment, at)| Fact::Gone { assignment, at: Timestamp(at) }),
    ]
}

/// Feeds `bytes` in pieces of `piece` bytes and returns every message.
fn read<M: Message>(bytes: &[u8], piece: usize) -> Vec<M> {
    let mut reader = Reader::default();
    let mut messages = Vec::new();
    for bytes in bytes.chunks(piece) {
        reader.feed(bytes);
        while let Some(message) = reader.next_message().unwrap() {
            messages.push(message);
        }
    }
    messages
}

/// Reads whatever can be read of `bytes`, which are no frames.
fn read_rubbish<M: Message>(bytes: &[u8]) {
    let mut reader = Reader::<M>::default();
    reader.feed(bytes);
    loop {
        match reader.next_message() {
            Ok(Some(_)) | Err(Error::UnknownKind { .. } | Error::Malformed { .. }) => {}
            Ok(None) | Err(Error::TooLong { .. } | Error::Empty) => return,
        }
    }
}

proptest! {
    #[test]
    fn every_order_comes_out_as_it_went_in(orders in vec(order(), 0..5), piece in 1..50_usize) {
        let mut bytes = Vec::new();
        for order in &orders {
            encode(order, &mut bytes).unwrap();
        }
        prop_assert_eq!(read::<Order>(&bytes, piece), orders);
    }

    #[test]
    fn every_fact_comes_out_as_it_went_in(facts in vec(fact(), 0..5), piece in 1..50_usize) {
        let mut bytes = Vec::new();
        for fact in &facts {
            encode(fact, &mut bytes).unwrap();
        }
        prop_assert_eq!(read::<Fact>(&bytes, piece), facts);
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_rubbish::<Order>(&bytes);
        read_rubbish::<Fact>(&bytes);
    }

    #[test]
    fn arbitrary_fields_behind_a_right_header_are_refused_without_a_panic(
        kind in 0..120_u8, fields in vec(any::<u8>(), 0..200)
    ) {
        let mut bytes = u32::try_from(fields.len() + 1).unwrap().to_le_bytes().to_vec();
        bytes.push(kind);
        bytes.extend(fields);
        read_rubbish::<Order>(&bytes);
        read_rubbish::<Fact>(&bytes);
    }

    #[test]
    fn a_frame_that_lost_or_gained_a_byte_is_malformed(order in order(), lose in any::<bool>()) {
        let mut bytes = Vec::new();
        encode(&order, &mut bytes).unwrap();
        let kind = bytes[4];
        if lose { bytes.pop(); } else { bytes.push(0); }
        let length = u32::try_from(bytes.len() - 4).unwrap();
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        let mut reader = Reader::<Order>::default();
        reader.feed(&bytes);
        let expected = if length == 0 { Error::Empty } else { Error::Malformed { kind } };
        prop_assert_eq!(reader.next_message(), Err(expected));
    }
}

#[test]
fn an_unknown_kind_is_named_and_skipped() {
    let mut bytes = vec![3, 0, 0, 0, 200, 1, 2];
    encode(&Order::Ready, &mut bytes).unwrap();
    let mut reader = Reader::<Order>::default();
    reader.feed(&bytes);
    assert_eq!(reader.next_message(), Err(Error::UnknownKind { kind: 200 }));
    assert_eq!(reader.next_message(), Ok(Some(Order::Ready)));
    assert_eq!(reader.next_message(), Ok(None));
}

#[test]
fn a_frame_that_is_too_long_is_refused_at_both_ends_and_takes_no_memory() {
    let binary = PathBuf::from(OsString::from_vec(vec![b'x'; FRAME_BYTES_MAX]));
    let mut out = vec![1, 2, 3];
    let error = encode(&Order::Replace { binary }, &mut out).unwrap_err();
    assert_eq!(error, Error::TooLong { bytes: FRAME_BYTES_MAX + 5 });
    assert_eq!(out, [1, 2, 3]);
    let mut reader = Reader::<Order>::default();
    reader.feed(&u32::MAX.to_le_bytes());
    let bytes = usize::try_from(u32::MAX).unwrap();
    assert_eq!(reader.next_message(), Err(Error::TooLong { bytes }));
    assert_eq!(reader.next_message(), Err(Error::TooLong { bytes }));
    reader.feed(&[4]);
    assert!(reader.buffer.capacity() < 1024);
}

/// The numbers are the contract between versions: a guardian outlives the apexd it was started with.
#[test]
fn kinds_and_layout_stay_as_they_are() {
    let bytes = |message: &Order| {
        let mut out = Vec::new();
        encode(message, &mut out).unwrap();
        out
    };
    assert_eq!(bytes(&Order::Hello { version: 0x0102 }), [3, 0, 0, 0, 1, 2, 1]);
    assert_eq!(bytes(&Order::Ready), [1, 0, 0, 0, 2]);
    assert_eq!(bytes(&Order::Draining), [1, 0, 0, 0, 7]);
    let binary = PathBuf::from("/b");
    assert_eq!(bytes(&Order::Replace { binary }), [7, 0, 0, 0, 8, 2, 0, 0, 0, b'/', b'b']);
    let mut out = Vec::new();
    encode(&Fact::Terminate { requests: 2 }, &mut out).unwrap();
    encode(&Fact::Reload, &mut out).unwrap();
    assert_eq!(out, [5, 0, 0, 0, 72, 2, 0, 0, 0, 1, 0, 0, 0, 73]);
}
