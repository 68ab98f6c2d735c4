//! What the last event refers to, until a byte of it moves or changes.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use super::RecvBuf;
use crate::buf::storage::Storage;
#[cfg(feature = "alloc")]
use crate::buf::storage::sealed::Sealed as _;
use crate::buf::text;

/// The part of the buffer that an event refers to.
#[derive(Clone, Copy, Debug)]
pub(in crate::buf) struct Delivered {
    pub(in crate::buf) start: usize,
    pub(in crate::buf) end: usize,
    // INVARIANT: set only for bytes that the UTF-8 validator has accepted from the first to the last.
    pub(in crate::buf) utf8: bool,
    /// They are among what was inflated, and not in the storage.
    #[cfg(feature = "deflate")]
    pub(in crate::buf) inflated: bool,
    pub(in crate::buf) number: EventNumber,
}

impl Delivered {
    pub(super) const NONE: Self = Self {
        start: 0,
        end: 0,
        utf8: false,
        #[cfg(feature = "deflate")]
        inflated: false,
        number: EventNumber(0),
    };
}

/// Which event of a buffer it was: that is all that is handed about of it. Comes round after 2^32 events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct EventNumber(u32);

impl<S: Storage> RecvBuf<S> {
    /// What an event refers to is about to move or change.
    #[inline]
    pub(in crate::buf) fn forget_delivered(&mut self) {
        self.delivered = Delivered { number: self.delivered.number, ..Delivered::NONE };
    }

    /// Takes a whole frame that is no part of a message that is put together: passes over its header, and delivers its
    /// payload. If it is text, it was checked.
    #[inline]
    pub(crate) fn deliver_whole(&mut self, header: usize, payload: usize, utf8: bool) -> EventNumber {
        debug_assert!(header + payload <= self.filled - self.parsed);
        let start = self.parsed + header;
        let end = start + payload;
        self.parsed = end;
        self.delivered = self.next_delivered(start, end, utf8);
        self.delivered.number
    }

    /// Ends the message: it is what the next event refers to, and dead once the buffer is used again.
    #[inline]
    pub(crate) fn deliver_message(&mut self, text: bool) -> EventNumber {
        let utf8 = text && self.unchecked == 0 && self.ends_with_character();
        self.deliver(self.message_end, utf8);
        self.begin_region();
        self.delivered.number
    }

    /// The message so far is what the next event refers to, and dead once the buffer is used again; the beginning of a
    /// character, if it is text, is held back and goes on being the message. `None` if that leaves nothing.
    #[inline]
    pub(crate) fn deliver_piece(&mut self, text: bool) -> Option<EventNumber> {
        let utf8 = text && self.unchecked == 0;
        let held_back = if utf8 { self.utf8.unfinished() } else { 0 };
        let end = self.message_end.saturating_sub(held_back).max(self.message_start);
        if end == self.message_start {
            return None;
        }
        self.deliver(end, utf8);
        if utf8 {
            self.message_start = end;
        } else {
            self.begin_region();
        }
        Some(self.delivered.number)
    }

    /// The message up to `end` is what the next event refers to.
    #[inline]
    fn deliver(&mut self, end: usize, utf8: bool) {
        self.delivered = self.next_delivered(self.message_start, end, utf8);
    }

    #[inline]
    pub(in crate::buf) const fn next_delivered(&self, start: usize, end: usize, utf8: bool) -> Delivered {
        Delivered {
            start,
            end,
            utf8,
            #[cfg(feature = "deflate")]
            inflated: false,
            number: EventNumber(self.delivered.number.0.wrapping_add(1)),
        }
    }

    /// The bytes that an event refers to; none if the buffer was used since.
    #[inline]
    pub(crate) fn delivered(&self, number: EventNumber) -> &[u8] {
        let what = &self.delivered;
        if number != what.number {
            return &[];
        }
        #[cfg(feature = "deflate")]
        if what.inflated {
            return self.inflated.as_ref().map_or(&[], |inflated| inflated.bytes(what));
        }
        &self.storage.bytes()[what.start..what.end]
    }

    /// The same as text; empty as well if what is there was not checked to be text.
    #[inline]
    pub(crate) fn delivered_text(&self, number: EventNumber) -> &str {
        if !self.delivered.utf8 {
            return "";
        }
        text::from_checked(self.delivered(number))
    }
}

/// From how many bytes on a message is worth a buffer of its own. To copy a smaller one costs less.
#[cfg(feature = "alloc")]
const TAKE_FROM: usize = 64 << 10;
/// How much may have arrived behind it, which has to be copied then.
#[cfg(feature = "alloc")]
const COPY_BEHIND: usize = 8 << 10;

#[cfg(feature = "alloc")]
impl RecvBuf<Vec<u8>> {
    /// The storage with what an event refers to, if that is worth it; what was received behind it stays in the buffer.
    pub(crate) fn take_delivered(&mut self, number: EventNumber) -> Option<Taken> {
        let Delivered { start, end, utf8, .. } = self.delivered;
        let len = self.delivered(number).len();
        // What was inflated lies elsewhere; a message that is kept for long does not keep more than twice its size.
        let lies_here = len == end - start && !self.is_inflated();
        let is_most = len >= TAKE_FROM && len >= self.capacity() / 2;
        if !lies_here || !is_most || self.message_len() > 0 || self.unparsed().len() > COPY_BEHIND {
            return None;
        }
        let behind = self.parsed..self.filled;
        let storage = core::mem::take(&mut self.storage);
        self.reset();
        self.extend_from_slice(&storage[behind]);
        Some(Taken { storage, start, end, utf8 })
    }

    const fn is_inflated(&self) -> bool {
        #[cfg(feature = "deflate")]
        return self.delivered.inflated;
        #[cfg(not(feature = "deflate"))]
        false
    }
}

/// Storage that was taken out of a buffer, and the part of it that an event referred to.
#[cfg(feature = "alloc")]
pub(crate) struct Taken {
    storage: Vec<u8>,
    start: usize,
    end: usize,
    // INVARIANT: as that of `Delivered`; nothing changes the bytes any more.
    utf8: bool,
}

#[cfg(feature = "alloc")]
impl Taken {
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    /// The same as text; empty if it was not checked to be that.
    #[inline]
    pub(crate) fn text(&self) -> &str {
        if self.utf8 { text::from_checked(self.bytes()) } else { "" }
    }
}

/// Whoever needs a buffer next has the memory.
#[cfg(feature = "alloc")]
impl Drop for Taken {
    fn drop(&mut self) {
        self.storage.shrink(0);
    }
}
