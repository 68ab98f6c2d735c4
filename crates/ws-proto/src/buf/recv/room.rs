//! Room for what is to be received: where it is made, and how far the storage grows.

use super::RecvBuf;
use crate::buf::storage::Storage;

/// The first size of storage that grows, and the room that a read is offered at first.
pub(super) const FIRST_SIZE: usize = 4 << 10;
/// How far storage grows only because reads fill it; a large message takes it further. With less, several messages of
/// 16 KiB that come together take a read more than they need, which costs more than the memory: it is the thread's, and
/// the connection's only as long as something is in it.
const MAX_READ: usize = 128 << 10;
/// What may be moved although there is room behind it.
const LITTLE: usize = 2 << 10;
/// From here on it grows to the end of a large frame at once.
const LARGE: usize = 64 << 10;
/// Room behind a large frame, so that the read that completes it leaves some, and is not followed by one in vain.
const BEHIND_FRAME: usize = 4 << 10;

impl<S: Storage> RecvBuf<S> {
    /// Makes spare room: by forgetting what is dead, by moving what is not together, by growing; in this order.
    #[inline(never)]
    pub(super) fn make_room(&mut self) {
        self.forget_delivered();
        if self.live() == 0 {
            self.reset();
        }
        let len = self.capacity();
        // A frame that fits where it lies needs no more room.
        let is_tight = |buffer: &Self| {
            len - buffer.filled < len / 4 && !(buffer.filled + 1..=len).contains(&buffer.frame_end)
        };
        // Moving is worth while only for a good deal of room, and a fixed buffer near its end has to anyway; or if there is
        // little to move, so that small messages are received at the front again, which is in the cache.
        let little = self.live() <= LITTLE && self.live() < (self.filled - self.live()) / 2;
        if little || is_tight(self) || len == self.filled {
            self.compact();
        }
        let wanted = if len < FIRST_SIZE {
            FIRST_SIZE
        } else if is_tight(self) {
            self.larger()
        } else if self.read_filled && len < MAX_READ {
            len.saturating_mul(2).min(MAX_READ)
        } else {
            return;
        };
        self.storage.grow(wanted.min(self.storage.max_len()));
        self.read_filled = false;
    }

    /// The size to grow to: twice the present one; or what takes a large frame to its end, once a third of that has
    /// arrived.
    fn larger(&self) -> usize {
        let doubled = self.capacity().saturating_mul(2);
        let whole_frame = self.frame_end.saturating_add(BEHIND_FRAME);
        let is_worth_it = self.capacity() >= LARGE && self.frame_end > self.capacity();
        if is_worth_it && whole_frame <= self.filled.saturating_mul(3) { whole_frame } else { doubled }
    }

    /// ```text
    ///   before  | dead | message | hole | unparsed | spare      |
    ///   after   | message | unparsed | spare                    |
    /// ```
    fn compact(&mut self) {
        let (start, end) = (self.message_start, self.message_end);
        let message_len = end - start;
        if start > 0 && message_len > 0 {
            self.storage.bytes_mut().copy_within(start..end, 0);
        }
        if self.parsed > message_len {
            self.storage.bytes_mut().copy_within(self.parsed..self.filled, message_len);
        }
        // The first frame of a message moves with it; or nothing of it is there yet but what is not parsed.
        self.frame_end = self.frame_end.saturating_sub(if message_len > 0 { start } else { self.parsed });
        self.filled = message_len + (self.filled - self.parsed);
        self.parsed = message_len;
        self.message_start = 0;
        self.message_end = message_len;
    }

    /// Says that a frame of `len` bytes begins at the first unparsed byte, as the first of a message, so that the rest of
    /// it can be read to where it will stay. If it would reach beyond the end of the storage, what has arrived of it moves
    /// down now, as long as that is little.
    ///
    /// ```text
    ///   before  | dead                     | unparsed | spare |
    ///   after   | unparsed | spare                     |      |
    ///           └─ len bytes ──────────────────────────┘
    /// ```
    #[inline]
    pub(crate) fn begin_frame(&mut self, len: u64) {
        let capacity = self.capacity();
        if len > (capacity - self.parsed) as u64 && self.parsed > 0 {
            self.forget_delivered();
            self.compact();
            self.begin_region();
        }
        // What does not fit into a number is as far away as the largest.
        self.frame_end = self.parsed.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
    }
}
