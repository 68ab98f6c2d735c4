//! What each end queued for the other, and what the other made of it: once, in order, nothing in between.

use ws_proto::Kind;
use ws_tokio::Message;

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Queued {
    messages: Vec<(Message, Fate)>,
    /// How many of them the other end is through with.
    next: usize,
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
        loop {
            let Some((queued, fate)) = self.messages.get(self.next) else {
                panic!("{message:?} was never sent, or is here again")
            };
            self.next += 1;
            if queued == message {
                return;
            }
            assert!(skipping || *fate == Fate::Unknown, "{queued:?} is lost, {message:?} comes instead");
        }
    }

    /// Whether all that was certainly queued has been reported.
    pub(super) fn is_done(&self) -> bool {
        self.messages[self.next..].iter().all(|(_, fate)| *fate == Fate::Unknown)
    }
}

/// Message number `number`: no two are alike.
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
