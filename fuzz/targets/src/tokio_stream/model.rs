//! What each end queued for the other, and what the other made of it: once, in order, nothing in between.

use std::collections::BTreeSet;

use ws_proto::Kind;
use ws_tokio::Message;

/// One direction.
#[derive(Debug)]
pub(super) struct Queued {
    messages: Vec<(Message, Fate)>,
    /// How many of them the other end may be through with. Echoes can be alike, so that which of them was passed over
    /// may show only later.
    through: BTreeSet<usize>,
    /// Parts of a message, the last still to come.
    pub(super) fragments: Option<(Kind, Vec<u8>)>,
    /// Something may have been dropped on purpose.
    pub(super) dropped: bool,
}

/// What is known of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    /// Queued.
    Certain,
    /// Queued or not: the future was dropped before it said so.
    Unknown,
}

impl Queued {
    /// A call was polled and, as like as not, dropped: `Some` if it was done.
    pub(super) fn note<E>(&mut self, message: Message, outcome: Option<&Result<(), E>>) {
        match outcome {
            Some(Ok(())) => self.messages.push((message, Fate::Certain)),
            None => self.messages.push((message, Fate::Unknown)),
            Some(Err(_)) => {}
        }
    }

    /// The other end reports this message; `skipping` if it may have passed over some.
    pub(super) fn check(&mut self, message: &Message, skipping: bool) {
        let before = core::mem::take(&mut self.through);
        for &through in &before {
            for (position, (queued, fate)) in self.messages.iter().enumerate().skip(through) {
                if queued == message {
                    self.through.insert(position + 1);
                }
                if !skipping && *fate == Fate::Certain {
                    break;
                }
            }
        }
        assert!(
            !self.through.is_empty(),
            "{message:?} was never sent, is here again, or one before it is lost: behind {before:?} of {:?}",
            self.messages
        );
    }

    /// Whether all that was certainly queued has been reported.
    pub(super) fn is_done(&self) -> bool {
        self.through.iter().any(|&n| self.messages[n..].iter().all(|(_, fate)| *fate == Fate::Unknown))
    }
}

impl Default for Queued {
    fn default() -> Self {
        Self { messages: Vec::new(), through: BTreeSet::from([0]), fragments: None, dropped: false }
    }
}

/// Message number `number`: no two that are made here are alike.
pub(super) fn message(number: usize, kind: Kind, len: usize) -> Message {
    match kind {
        Kind::Binary => Message::binary(bytes(number, len)),
        Kind::Text => Message::text(text(number, len)),
    }
}

pub(super) fn text(number: usize, len: usize) -> String {
    format!("{number} {}", "é".repeat(len / 2))
}

pub(super) fn bytes(number: usize, len: usize) -> Vec<u8> {
    let mut bytes = (number as u32).to_be_bytes().to_vec();
    bytes.resize(4 + len, number as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const DONE: Option<&Result<(), ()>> = Some(&Ok(()));

    fn is_accepted(queued: &mut Queued, numbers: &[usize], skipping: bool) -> bool {
        let check = |&number: &usize| queued.check(&message(number, Kind::Binary, 0), skipping);
        catch_unwind(AssertUnwindSafe(|| numbers.iter().for_each(check))).is_ok()
    }

    #[test]
    fn the_model_notices_what_is_lost_repeated_or_out_of_order() {
        for (received, skipping, accepted, done) in [
            (&[1, 2, 3][..], false, true, true),
            (&[1, 3], false, true, true),
            (&[1, 2], false, true, false),
            (&[2, 3], true, true, true),
            (&[2, 3], false, false, false),
            (&[1, 1], true, false, false),
            (&[2, 1], true, false, false),
            (&[4], true, false, false),
        ] {
            let mut queued = Queued::default();
            queued.note(message(1, Kind::Binary, 0), DONE);
            queued.note::<()>(message(2, Kind::Binary, 0), None);
            queued.note(message(3, Kind::Binary, 0), DONE);
            assert_eq!(is_accepted(&mut queued, received, skipping), accepted, "{received:?}");
            assert_eq!(queued.is_done(), done, "{received:?}");
        }
    }

    #[test]
    fn of_two_messages_that_are_alike_either_may_have_been_passed_over() {
        let mut queued = Queued::default();
        for number in [1, 1, 2] {
            queued.note(message(number, Kind::Binary, 0), DONE);
        }
        assert!(is_accepted(&mut queued, &[1], true));
        assert!(is_accepted(&mut queued, &[2], false), "the first was passed over");
        assert!(queued.is_done());
    }
}
