use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use uuid::Uuid;

use super::*;
use crate::domain::id::AssignmentId;
use crate::link::Spawn;
use crate::link::codec::FRAME_BYTES_MAX;

/// The guardian's end, which does what the test says.
struct Script {
    socket: StdUnixStream,
    reader: Reader<Order>,
}

impl Script {
    fn begin() -> (Link, mpsc::Receiver<Fact>, Self) {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        let (link, facts) = Link::take(theirs.into()).unwrap();
        (link, facts, Self { socket: ours, reader: Reader::default() })
    }

    fn tell(&mut self, facts: &[Fact]) {
        let mut bytes = Vec::new();
        for fact in facts {
            encode(fact, &mut bytes).unwrap();
        }
        self.socket.write_all(&bytes).unwrap();
    }

    fn next_order(&mut self) -> Option<Order> {
        let mut bytes = [0; 4096];
        loop {
            if let Some(order) = self.reader.next_message().unwrap() {
                return Some(order);
            }
            let count = self.socket.read(&mut bytes).unwrap();
            if count == 0 {
                return None;
            }
            self.reader.feed(&bytes[..count]);
        }
    }
}

fn welcome(version: u16) -> Fact {
    Fact::Welcome {
        version,
        guardian: GuardianId(Uuid::from_u128(7)),
        guardian_pid: 12,
        started_at: Timestamp(5),
        restarts: 1,
        stop_requests: 2,
    }
}

fn child(n: u128) -> Child {
    let assignment = AssignmentId(Uuid::from_u128(n));
    Child { assignment, pid: 9, start_ticks: 8, started_at: Timestamp(7), exit: None }
}

#[tokio::test]
async fn a_handshake_collects_all_children_and_leaves_the_news() {
    let (link, mut facts, mut guardian) = Script::begin();
    guardian.tell(&[welcome(VERSION), Fact::Child(child(1)), Fact::Child(child(2)), Fact::Complete, Fact::Reload]);
    let held = handshake(&link, &mut facts).await.unwrap();
    assert_eq!((held.guardian_pid, held.restarts, held.stop_requests), (12, 1, 2));
    assert_eq!(held.children, [child(1), child(2)]);
    assert_eq!(facts.recv().await, Some(Fact::Reload));
    link.close().await;
    assert_eq!(guardian.next_order(), Some(Order::Hello { version: VERSION }));
    assert_eq!(guardian.next_order(), None, "the link is closed");
}

#[tokio::test]
async fn a_guardian_that_is_gone_or_out_of_order_is_an_error() {
    for (said, expected) in [
        (vec![], "the guardian is gone"),
        (vec![welcome(VERSION), Fact::Child(child(1))], "the guardian is gone"),
        (vec![Fact::Complete], "the guardian did not answer the hello in order"),
        (vec![welcome(VERSION), Fact::Reload], "the guardian did not answer the hello in order"),
        (vec![welcome(9)], "the guardian speaks version 9 of the link, not 1"),
    ] {
        let (link, mut facts, mut guardian) = Script::begin();
        guardian.tell(&said);
        drop(guardian);
        assert_eq!(handshake(&link, &mut facts).await.unwrap_err().to_string(), expected);
    }
}

#[tokio::test]
async fn orders_arrive_in_order_and_flush_says_when() {
    let (link, _facts, mut guardian) = Script::begin();
    let orders = link.orders();
    for n in 0..500 {
        orders.send(Order::Forget { assignment: AssignmentId(Uuid::from_u128(n)) });
    }
    orders.flush().await;
    for n in 0..500 {
        let assignment = AssignmentId(Uuid::from_u128(n));
        assert_eq!(guardian.next_order(), Some(Order::Forget { assignment }));
    }
}

#[tokio::test]
async fn when_the_guardian_is_gone_the_facts_end_and_nobody_hangs() {
    let (link, mut facts, guardian) = Script::begin();
    drop(guardian);
    assert_eq!(facts.recv().await, None);
    link.send(Order::Ready);
    link.orders().flush().await;
    link.send(Order::Ready);
    link.orders().flush().await;
    link.close().await;
}

#[tokio::test]
async fn a_spawn_too_long_for_a_frame_is_answered_like_one_too_long_for_exec() {
    let (link, mut facts, mut guardian) = Script::begin();
    let assignment = AssignmentId(Uuid::from_u128(3));
    let spawn = Spawn {
        assignment,
        program: PathBuf::from("/bin/true"),
        argv: vec!["x".repeat(FRAME_BYTES_MAX).into()],
        env: Vec::new(),
        cwd: PathBuf::from("/"),
        umask: 0o22,
        limits: Vec::new(),
        stdin: None,
        stdout: PathBuf::from("/dev/null"),
        stderr: None,
        keep: None,
    };
    link.send(Order::Spawn(Box::new(spawn)));
    link.send(Order::Ready);
    let refused = Fact::NotSpawned { assignment, step: SpawnStep::Exec, errno: libc::E2BIG };
    assert_eq!(facts.recv().await, Some(refused));
    link.orders().flush().await;
    assert_eq!(guardian.next_order(), Some(Order::Ready));
}

#[tokio::test]
async fn what_is_unknown_is_skipped_and_what_is_damaged_ends_the_facts() {
    let (_link, mut facts, mut guardian) = Script::begin();
    guardian.socket.write_all(&[2, 0, 0, 0, 250, 1]).unwrap();
    guardian.tell(&[Fact::Reload]);
    guardian.socket.write_all(&[1, 0, 0, 0, 66]).unwrap();
    guardian.tell(&[Fact::Reload]);
    assert_eq!(facts.recv().await, Some(Fact::Reload));
    assert_eq!(facts.recv().await, None);
}
