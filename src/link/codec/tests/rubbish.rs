//! Frames that are cut, torn, shuffled or made up.

use super::*;
use crate::link::codec::field::Field;

/// What comes of feeding bytes: the messages, how many frames were skipped, and the error after which nothing is read.
fn take_in<M: Message>(reader: &mut Reader<M>, bytes: &[u8]) -> (Vec<M>, usize, Option<Error>) {
    let (mut messages, mut skipped) = (Vec::new(), 0);
    reader.feed(bytes);
    loop {
        match reader.next_message() {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, skipped, None),
            Err(Error::UnknownKind { .. } | Error::Malformed { .. }) => skipped += 1,
            Err(error @ (Error::TooLong { .. } | Error::Empty)) => return (messages, skipped, Some(error)),
        }
    }
}

fn encoded<M: Message>(messages: &[M]) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for message in messages {
        encode(message, &mut bytes).unwrap();
        ends.push(bytes.len());
    }
    (bytes, ends)
}

/// A frame of a kind that no version has had so far.
fn unknown() -> impl Strategy<Value = Vec<u8>> {
    (200..=255_u8, vec(any::<u8>(), 0..50)).prop_map(|(kind, fields)| {
        let mut bytes = u32::try_from(fields.len() + 1).unwrap().to_le_bytes().to_vec();
        bytes.push(kind);
        bytes.extend(fields);
        bytes
    })
}

/// Understands no more memory than was fed, and whatever it understood it says again in the same bytes.
fn survives<M: Message + std::fmt::Debug + PartialEq>(bytes: &[u8]) {
    let mut reader = Reader::<M>::default();
    let (messages, _, _) = take_in(&mut reader, bytes);
    assert!(reader.buffer.capacity() <= 2 * bytes.len() + 64, "{} for {}", reader.buffer.capacity(), bytes.len());
    for message in messages {
        let mut again = Vec::new();
        encode(&message, &mut again).unwrap();
        assert!(bytes.windows(again.len()).any(|window| window == again), "{message:?} came from other bytes");
    }
}

proptest! {
    #[test]
    fn a_stream_that_is_cut_anywhere_yields_the_whole_frames_before_and_the_rest_later(
        orders in vec(order(), 1..4), cut in any::<proptest::sample::Index>()
    ) {
        let (bytes, ends) = encoded(&orders);
        let cut = cut.index(bytes.len() + 1);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let mut reader = Reader::<Order>::default();
        prop_assert_eq!(take_in(&mut reader, &bytes[..cut]), (orders[..whole].to_vec(), 0, None));
        prop_assert_eq!(take_in(&mut reader, &bytes[cut..]), (orders[whole..].to_vec(), 0, None));
    }

    #[test]
    fn kinds_of_later_versions_hide_nothing(facts in vec((fact(), unknown()), 0..5), piece in 1..50_usize) {
        let mut bytes = Vec::new();
        for (fact, unknown) in &facts {
            bytes.extend(unknown);
            encode(fact, &mut bytes).unwrap();
        }
        let mut reader = Reader::<Fact>::default();
        let (mut messages, mut skipped) = (Vec::new(), 0);
        for piece in bytes.chunks(piece) {
            let (more, passed_over, end) = take_in(&mut reader, piece);
            messages.extend(more);
            skipped += passed_over;
            prop_assert_eq!(end, None);
        }
        prop_assert_eq!(skipped, facts.len());
        prop_assert_eq!(messages, facts.into_iter().map(|(fact, _)| fact).collect::<Vec<_>>());
    }

    #[test]
    fn a_byte_that_is_another_one_does_no_harm(
        orders in vec(order(), 1..4), facts in vec(fact(), 1..4), at in any::<proptest::sample::Index>(), byte in any::<u8>()
    ) {
        let (mut bytes, _) = encoded(&orders);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        survives::<Order>(&bytes);
        let (mut bytes, _) = encoded(&facts);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        survives::<Fact>(&bytes);
    }

    #[test]
    fn frames_that_are_put_together_from_parts_of_others_do_no_harm(
        orders in vec(order(), 2..4), from in any::<proptest::sample::Index>(), to in any::<proptest::sample::Index>()
    ) {
        let (bytes, _) = encoded(&orders);
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        let mut torn = bytes[..from].to_vec();
        torn.extend(&bytes[to..]);
        survives::<Order>(&torn);
        survives::<Fact>(&torn);
    }

    #[test]
    fn rubbish_of_any_length_does_no_harm(bytes in vec(any::<u8>(), 0..3_000)) {
        survives::<Order>(&bytes);
        survives::<Fact>(&bytes);
    }
}

#[test]
fn a_count_that_only_claims_to_be_large_takes_neither_memory_nor_time() {
    let claim = u32::MAX.to_le_bytes();
    assert_eq!(<Vec<u8> as Field>::take(&mut Input(&claim)), None);
    assert_eq!(<Vec<(OsString, OsString)> as Field>::take(&mut Input(&claim)), None);
    assert_eq!(<OsString as Field>::take(&mut Input(&claim)), None);
    // In a frame: a start with four thousand million arguments.
    let mut bytes = vec![0; 5];
    (Uuid::from_u128(1), PathBuf::from("/bin/true")).put(&mut bytes);
    bytes.extend(claim);
    bytes[4] = 4;
    let length = u32::try_from(bytes.len() - 4).unwrap();
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    let mut reader = Reader::<Order>::default();
    reader.feed(&bytes);
    assert_eq!(reader.next_message(), Err(Error::Malformed { kind: 4 }));
}
