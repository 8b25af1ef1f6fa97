//! The bytes of [`Ask`] and [`Told`], by the rules of the link.

use super::field::{Field, Input};
use super::{Message, sealed};
use crate::domain::input::Size;
use crate::link::keeper::{Ask, Feed, Told};

impl Message for Ask {}
impl Message for Told {}

impl Field for Size {
    fn put(&self, out: &mut Vec<u8>) {
        self.rows.put(out);
        self.columns.put(out);
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        Some(Self { rows: Field::take(input)?, columns: Field::take(input)? })
    }
}

impl sealed::Fields for Ask {
    fn put(&self, out: &mut Vec<u8>) -> u8 {
        match self {
            Self::Feed(Feed { id, at, bytes, eof }) => {
                id.put(out);
                at.put(out);
                bytes.put(out);
                eof.put(out);
                1
            }
            Self::Enough => 2,
            Self::Resize(size) => (3, size.put(out)).0,
            Self::End => 4,
        }
    }

    fn take(kind: u8, input: &mut Input<'_>) -> Option<Option<Self>> {
        let mut fields = || {
            Some(match kind {
                1 => Self::Feed(Feed {
                    id: Field::take(input)?,
                    at: Field::take(input)?,
                    bytes: Field::take(input)?,
                    eof: Field::take(input)?,
                }),
                2 => Self::Enough,
                3 => Self::Resize(Field::take(input)?),
                _ => Self::End,
            })
        };
        matches!(kind, 1..=4).then(&mut fields)
    }
}

impl sealed::Fields for Told {
    fn put(&self, out: &mut Vec<u8>) -> u8 {
        match self {
            Self::Fed { taken, closed, ended } => {
                taken.put(out);
                closed.put(out);
                // An older keeper does not know of `ended`, and always says 65.
                if *ended { 67 } else { 65 }
            }
            Self::Size(size) => (66, size.put(out)).0,
        }
    }

    fn take(kind: u8, input: &mut Input<'_>) -> Option<Option<Self>> {
        let mut fields = || {
            Some(match kind {
                65 | 67 => Self::Fed { taken: Field::take(input)?, closed: Field::take(input)?, ended: kind == 67 },
                _ => Self::Size(Field::take(input)?),
            })
        };
        matches!(kind, 65..=67).then(&mut fields)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::link::codec::{Reader, encode};

    fn ask() -> impl Strategy<Value = Ask> {
        let feed = (any::<u128>(), any::<u64>(), any::<Vec<u8>>(), any::<bool>());
        prop_oneof![
            feed.prop_map(|(id, at, bytes, eof)| Ask::Feed(Feed { id: Uuid::from_u128(id), at, bytes, eof })),
            Just(Ask::Enough),
            (any::<u16>(), any::<u16>()).prop_map(|(rows, columns)| Ask::Resize(Size { rows, columns })),
            Just(Ask::End),
        ]
    }

    fn told() -> impl Strategy<Value = Told> {
        prop_oneof![
            (any::<u64>(), any::<bool>(), any::<bool>()).prop_map(|(taken, closed, ended)| Told::Fed {
                taken,
                closed,
                ended
            }),
            (any::<u16>(), any::<u16>()).prop_map(|(rows, columns)| Told::Size(Size { rows, columns })),
        ]
    }

    fn again<M: Message>(message: &M) -> Option<M> {
        let mut bytes = Vec::new();
        encode(message, &mut bytes).unwrap();
        let mut reader = Reader::default();
        reader.feed(&bytes);
        reader.next_message().unwrap()
    }

    proptest! {
        #[test]
        fn what_is_said_comes_out_as_it_went_in(ask in ask(), told in told()) {
            prop_assert_eq!(again(&ask), Some(ask));
            prop_assert_eq!(again(&told), Some(told));
        }
    }
}
