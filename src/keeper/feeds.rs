//! What is still to be given to the task, and what became of what was: decisions without looking at anything.
//!
//! One feed after the other, in the order in which they came, so that the bytes of two that send at once do not mix. How
//! much was taken is remembered: whoever lost its connection, and sends the same again, goes on where it was.

use std::collections::VecDeque;

use uuid::Uuid;

use crate::link::keeper::{Feed, Told};

/// Of so many that sent last it is known how much was taken.
const KNOWN_MAX: usize = 256;

/// Who asks: a connection, by a number that is not used again.
pub(super) type Asker = u64;

/// What is to be given to the task next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    Nothing,
    Bytes(&'a [u8]),
    /// The end of the input.
    End,
}

#[derive(Debug)]
struct Waiting {
    asker: Asker,
    feed: Feed,
    /// So many bytes of the piece were taken.
    done: usize,
}

impl Waiting {
    fn taken(&self) -> u64 {
        self.feed.at.saturating_add(self.done as u64)
    }
}

/// What somebody has sent so far.
#[derive(Debug)]
struct Known {
    id: Uuid,
    taken: u64,
    /// With the end of the input.
    ended: bool,
}

/// All that is to be given to a task.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    waiting: VecDeque<Waiting>,
    known: VecDeque<Known>,
    /// Nothing more can be given.
    closed: bool,
    answers: Vec<(Asker, Told)>,
}

impl Feeds {
    /// Takes in a piece.
    pub(super) fn take_in(&mut self, asker: Asker, feed: Feed) {
        let known = self.known.iter().find(|known| known.id == feed.id);
        let before = known.map_or(feed.at, |known| known.taken.max(feed.at)) - feed.at;
        let done = usize::try_from(before).unwrap_or(usize::MAX).min(feed.bytes.len());
        let has_ended = known.is_some_and(|known| known.ended);
        let waiting = Waiting { asker, feed, done };
        if waiting.done == waiting.feed.bytes.len() && (has_ended || !waiting.feed.eof) {
            let ended = has_ended && waiting.feed.eof;
            self.answers.push((asker, Told::Fed { taken: waiting.taken(), closed: false, ended }));
        } else if self.closed {
            self.answers.push((asker, Told::Fed { taken: waiting.taken(), closed: true, ended: false }));
        } else {
            self.waiting.push_back(waiting);
        }
    }

    /// Returns what is to be given next.
    pub(super) fn next(&self) -> Next<'_> {
        match self.waiting.front() {
            None => Next::Nothing,
            Some(waiting) if waiting.done < waiting.feed.bytes.len() => {
                Next::Bytes(&waiting.feed.bytes[waiting.done..])
            }
            // What has no end was answered when its last byte was taken.
            Some(_) => Next::End,
        }
    }

    /// The task took so many bytes of what was next.
    pub(super) fn took(&mut self, count: usize) {
        let Some(waiting) = self.waiting.front_mut() else { return };
        waiting.done = waiting.done.saturating_add(count).min(waiting.feed.bytes.len());
        let (is_whole, eof) = (waiting.done == waiting.feed.bytes.len(), waiting.feed.eof);
        let (id, taken) = (waiting.feed.id, waiting.taken());
        self.remember(id, taken, false);
        if is_whole && !eof {
            self.answer_first(false, false);
        }
    }

    /// The end of the input was given.
    pub(super) fn ended(&mut self) {
        let Some(waiting) = self.waiting.front() else { return };
        let (id, taken) = (waiting.feed.id, waiting.taken());
        self.remember(id, taken, true);
        self.answer_first(false, true);
    }

    /// Nothing more can be given.
    pub(super) fn close(&mut self) {
        self.closed = true;
        while !self.waiting.is_empty() {
            self.answer_first(true, false);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns whether somebody waits for an answer.
    pub(super) fn waits(&self, asker: Asker) -> bool {
        self.waiting.iter().any(|waiting| waiting.asker == asker)
    }

    /// Somebody does not want to wait any longer.
    pub(super) fn enough(&mut self, asker: Asker) {
        let Self { waiting, answers, .. } = self;
        waiting.retain(|waiting| {
            let is_meant = waiting.asker == asker;
            if is_meant {
                answers.push((asker, Told::Fed { taken: waiting.taken(), closed: false, ended: false }));
            }
            !is_meant
        });
    }

    /// Somebody has gone.
    pub(super) fn forget(&mut self, asker: Asker) {
        self.waiting.retain(|waiting| waiting.asker != asker);
        self.answers.retain(|(other, _)| *other != asker);
    }

    /// Returns what is to be told, and to whom.
    pub(super) fn take_answers(&mut self) -> Vec<(Asker, Told)> {
        std::mem::take(&mut self.answers)
    }

    fn answer_first(&mut self, closed: bool, ended: bool) {
        if let Some(waiting) = self.waiting.pop_front() {
            self.answers.push((waiting.asker, Told::Fed { taken: waiting.taken(), closed, ended }));
        }
    }

    fn remember(&mut self, id: Uuid, taken: u64, ended: bool) {
        if let Some(known) = self.known.iter_mut().find(|known| known.id == id) {
            known.taken = known.taken.max(taken);
            known.ended |= ended;
            return;
        }
        if self.known.len() == KNOWN_MAX {
            self.known.pop_front();
        }
        self.known.push_back(Known { id, taken, ended });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(id: u128, at: u64, bytes: &str, eof: bool) -> Feed {
        Feed { id: Uuid::from_u128(id), at, bytes: bytes.as_bytes().to_vec(), eof }
    }

    fn fed(taken: u64, closed: bool) -> Told {
        Told::Fed { taken, closed, ended: false }
    }

    fn fed_and_ended(taken: u64) -> Told {
        Told::Fed { taken, closed: false, ended: true }
    }

    #[test]
    fn one_is_given_after_the_other_and_each_is_answered() {
        let mut feeds = Feeds::default();
        assert_eq!(feeds.next(), Next::Nothing);
        feeds.take_in(1, feed(1, 0, "first", false));
        feeds.take_in(2, feed(2, 0, "second", true));
        assert_eq!(feeds.next(), Next::Bytes(b"first"));
        feeds.took(3);
        assert_eq!(feeds.next(), Next::Bytes(b"st"));
        assert_eq!(feeds.take_answers(), []);
        feeds.took(2);
        assert_eq!(feeds.take_answers(), [(1, fed(5, false))]);
        feeds.took(6);
        assert_eq!(feeds.next(), Next::End);
        assert_eq!(feeds.take_answers(), []);
        feeds.ended();
        assert_eq!(feeds.take_answers(), [(2, fed_and_ended(6))]);
        feeds.close();
        feeds.take_in(3, feed(3, 0, "late", false));
        assert_eq!(feeds.take_answers(), [(3, fed(0, true))]);
        assert!(feeds.is_closed());
    }

    #[test]
    fn what_was_taken_is_not_given_again() {
        let mut feeds = Feeds::default();
        feeds.take_in(1, feed(1, 0, "abcdef", true));
        feeds.took(4);
        feeds.forget(1);
        assert_eq!(feeds.next(), Next::Nothing, "whoever sent it is gone");
        feeds.take_in(2, feed(1, 0, "abcdef", true));
        assert_eq!(feeds.next(), Next::Bytes(b"ef"));
        feeds.took(2);
        feeds.ended();
        assert_eq!(feeds.take_answers(), [(2, fed_and_ended(6))]);
        feeds.take_in(3, feed(1, 0, "abcdef", true));
        assert_eq!(feeds.take_answers(), [(3, fed_and_ended(6))], "its end, too");
        feeds.take_in(3, feed(1, 2, "cd", false));
        assert_eq!(feeds.take_answers(), [(3, fed(4, false))], "a piece before");
        assert_eq!(feeds.next(), Next::Nothing);
    }

    #[test]
    fn nobody_has_to_wait() {
        let mut feeds = Feeds::default();
        feeds.take_in(1, feed(1, 100, "abc", false));
        feeds.take_in(2, feed(2, 0, "x", false));
        feeds.took(1);
        feeds.enough(1);
        feeds.enough(1);
        assert_eq!(feeds.take_answers(), [(1, fed(101, false))]);
        assert_eq!(feeds.next(), Next::Bytes(b"x"), "the next one's turn has come");
        feeds.close();
        assert_eq!(feeds.take_answers(), [(2, fed(0, true))]);
    }

    #[test]
    fn an_end_that_was_not_given_is_not_said_to_be() {
        let mut feeds = Feeds::default();
        feeds.take_in(1, feed(1, 0, "x", false));
        feeds.take_in(2, feed(2, 0, "", true));
        feeds.enough(2);
        assert_eq!(feeds.take_answers(), [(2, fed(0, false))]);
        feeds.took(1);
        assert_eq!(feeds.next(), Next::Nothing);
    }

    #[test]
    fn nothing_is_remembered_for_ever() {
        let mut feeds = Feeds::default();
        for n in 0..=KNOWN_MAX {
            feeds.take_in(1, feed(n as u128, 0, "x", false));
            feeds.took(1);
        }
        assert_eq!(feeds.known.len(), KNOWN_MAX);
        assert_eq!(feeds.take_answers().len(), KNOWN_MAX + 1);
    }
}
