//! Where compressed messages are inflated to: a part of the receive buffer, made when the first of them arrives.
//!
//! The message region of the buffer holds the compressed bytes then, unmasked, until the inflater has taken them:
//!
//! ```text
//!   storage   | dead | compressed bytes | hole | unparsed | spare |
//!                         │ inflate
//!                         ▼
//!   inflated  | dead | message, checked to be text | room |
//!             0      start                         end    most
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::recv::{Delivered, EventNumber, RecvBuf};
use super::storage::Storage;
use crate::deflate::inflater::Inflater;
use crate::deflate::pool;
use crate::error::Error;
use crate::utf8::Utf8Validator;

/// The first room for output, and the step in which it is taken into use: a message need not be long.
const FIRST_SIZE: usize = 4 << 10;
const STEP: usize = 64 << 10;
/// Up to this limit the room is made as large as it may get at once when it has to exceed a step. Doubling would hold
/// one and a half times the limit for the moment of the last move.
const SMALL_LIMIT: usize = 1 << 20;

/// The bytes that were inflated and not yet delivered.
#[derive(Debug)]
pub(crate) struct Inflated {
    /// All of it is initialised; its length is the room there is.
    bytes: Vec<u8>,
    // INVARIANT: start <= end <= bytes.len()
    start: usize,
    end: usize,
    // INVARIANT: has accepted exactly the bytes from `start` to `end`, unless some were not checked.
    utf8: Utf8Validator,
    unchecked: bool,
}

impl Inflated {
    fn new() -> Self {
        Self { bytes: pool::take_room(), start: 0, end: 0, utf8: Utf8Validator::new(), unchecked: false }
    }

    fn begin(&mut self) {
        self.start = 0;
        self.end = 0;
        self.utf8 = Utf8Validator::new();
        self.unchecked = false;
    }

    const fn len(&self) -> usize {
        self.end - self.start
    }

    /// The room for more, so that there are at most `most` bytes; empty if there are.
    fn spare(&mut self, most: usize) -> &mut [u8] {
        if self.start > 0 {
            // No more than the beginning of a character, when a message is received in pieces.
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.bytes.len() && self.end < most {
            self.grow(most);
        }
        let end = self.bytes.len().min(most).max(self.end);
        &mut self.bytes[self.end..end]
    }

    fn grow(&mut self, most: usize) {
        let len = self.bytes.len();
        let wanted = len.saturating_add(len.clamp(FIRST_SIZE, STEP)).min(most);
        if wanted > self.bytes.capacity() {
            let capacity = if wanted > STEP && most <= SMALL_LIMIT + 1 {
                most
            } else {
                wanted.max(self.bytes.capacity().saturating_mul(2)).min(most)
            };
            self.bytes.reserve_exact(capacity - len);
        }
        self.bytes.resize(wanted, 0);
    }

    /// The first `n` bytes of the room are inflated now. Of text that is not UTF-8, what is right stays.
    fn commit(&mut self, n: usize, text: bool) -> Result<(), Error> {
        let new = self.end..self.end + n;
        self.end = new.end;
        if !text {
            self.unchecked |= n > 0;
            return Ok(());
        }
        self.utf8.update(&self.bytes[new.clone()]).map_err(|fault| {
            self.end = new.start + fault.valid_up_to;
            Error::InvalidUtf8
        })
    }

    pub(super) fn bytes(&self, what: &Delivered) -> &[u8] {
        self.bytes.get(what.start..what.end).unwrap_or(&[])
    }
}

impl Drop for Inflated {
    fn drop(&mut self) {
        pool::give_room(core::mem::take(&mut self.bytes));
    }
}

impl<S: Storage> RecvBuf<S> {
    /// Inflates what there is of the message's compressed bytes, up to `most` bytes that wait to be delivered; `last`
    /// if no more compressed bytes follow. Says whether it got through; otherwise there may be more to inflate.
    ///
    /// What was right before a fault is there to be delivered.
    pub(crate) fn inflate(
        &mut self,
        inflater: &mut Inflater,
        last: bool,
        most: usize,
        text: bool,
    ) -> Result<bool, Error> {
        self.forget_delivered();
        loop {
            let inflated = self.inflated.get_or_insert_with(|| Box::new(Inflated::new()));
            let room = inflated.spare(most);
            let offered = room.len();
            if offered == 0 {
                return Ok(false);
            }
            let input = &self.storage.bytes()[self.message_start..self.message_end];
            let step = inflater.inflate(input, last, room).map_err(|_| Error::InvalidDeflate)?;
            inflated.commit(step.produced.min(offered), text)?;
            self.consume_compressed(step.consumed);
            // Where all the room was used, the inflater may hold back more.
            if step.finished || (!last && self.message_len() == 0 && step.produced < offered) {
                return Ok(true);
            }
        }
    }

    /// Forgets what was inflated: of a message that nobody wants, whose compressed bytes the inflater has to see all
    /// the same.
    pub(crate) fn discard_inflated(&mut self) {
        self.forget_delivered();
        if let Some(inflated) = &mut self.inflated {
            inflated.begin();
        }
    }

    /// Whether something inflated waits to be delivered.
    pub(super) fn has_inflated(&self) -> bool {
        self.inflated.as_ref().is_some_and(|inflated| inflated.len() > 0)
    }

    /// As [`ends_with_character`](Self::ends_with_character), of what was inflated.
    pub(crate) fn inflated_ends_with_character(&self) -> bool {
        self.inflated.as_ref().is_none_or(|inflated| inflated.utf8.finish().is_ok())
    }

    /// As [`deliver_message`](Self::deliver_message), of what was inflated.
    pub(crate) fn deliver_inflated(&mut self, text: bool) -> EventNumber {
        self.delivered = self.next_delivered(0, 0, text);
        if let Some(inflated) = &mut self.inflated {
            let utf8 = text && !inflated.unchecked && inflated.utf8.finish().is_ok();
            let (start, end) = (inflated.start, inflated.end);
            self.delivered = Delivered { start, end, utf8, inflated: true, ..self.delivered };
            inflated.begin();
        }
        self.delivered.number
    }

    /// As [`deliver_piece`](Self::deliver_piece), of what was inflated.
    pub(crate) fn deliver_inflated_piece(&mut self, text: bool) -> Option<EventNumber> {
        let inflated = self.inflated.as_mut()?;
        let utf8 = text && !inflated.unchecked;
        let held_back = if utf8 { inflated.utf8.unfinished() } else { 0 };
        let (start, end) = (inflated.start, inflated.end.saturating_sub(held_back));
        if end <= start {
            return None;
        }
        if utf8 {
            inflated.start = end;
        } else {
            inflated.begin();
        }
        self.delivered = Delivered { inflated: true, ..self.next_delivered(start, end, utf8) };
        Some(self.delivered.number)
    }
}
