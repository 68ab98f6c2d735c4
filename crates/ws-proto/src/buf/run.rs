//! A contiguous run of bytes in storage: added behind, taken in front.

use super::storage::Storage;

/// How far into a run of a certain size the first bytes are written, where there is an allocator.
///
/// Large buffers begin alike in their pages. A payload that is copied from the front of one to behind a header at the front
/// of another would be 1 to 63 bytes further into its page than before, where some processors copy (`rep movsb`, as the C
/// library does from 4 KiB on) many times slower than anywhere else. Behind the lead and a header of four bytes it is 64
/// bytes further, at the beginning of a cache line.
const LEAD: usize = if cfg!(feature = "alloc") { 60 } else { 0 };
/// From this size on.
const LARGE: usize = 4 << 10;

/// What both kinds of output write to.
///
/// ```text
///   0            start             end       len
///   | taken      | waits           | spare   |
/// ```
///
/// Spare room is initialised memory, so that it is written once and not zeroed before.
pub(super) struct Run<S> {
    storage: S,
    // INVARIANT: start <= end <= storage.len()
    start: usize,
    end: usize,
}

impl<S: Storage> Run<S> {
    pub(super) const fn new(storage: S) -> Self {
        Self { storage, start: 0, end: 0 }
    }

    /// Makes spare room of `bytes`, as far as the storage can.
    #[inline]
    pub(super) fn reserve(&mut self, bytes: usize) {
        if self.capacity() - self.end < bytes {
            self.make_room(bytes);
        }
    }

    /// The next `len` bytes, to be written; room for them was reserved.
    #[inline]
    pub(super) fn push(&mut self, len: usize) -> &mut [u8] {
        let from = self.end;
        self.end += len;
        &mut self.storage.bytes_mut()[from..self.end]
    }

    /// The next `len` bytes, to be written, if there is so much spare room.
    #[inline]
    pub(super) fn push_at_hand(&mut self, len: usize) -> Option<&mut [u8]> {
        let end = self.end + len;
        let room = self.storage.bytes_mut().get_mut(self.end..end)?;
        self.end = end;
        Some(room)
    }

    /// Takes back all but the first `len` bytes that wait.
    pub(super) fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start + len);
    }

    /// The first `n` bytes are not needed any more.
    #[inline]
    pub(super) fn consume(&mut self, n: usize) {
        self.start = self.end.min(self.start + n);
    }

    pub(super) fn clear(&mut self) {
        self.begin(if self.capacity() > LARGE { LEAD } else { 0 });
    }

    /// Nothing waits; what comes first is written to `at`.
    const fn begin(&mut self, at: usize) {
        self.start = at;
        self.end = at;
    }

    /// Gives memory back if the storage can shrink and nothing waits: to `size` bytes.
    pub(super) fn shrink(&mut self, size: usize) {
        if self.is_empty() && self.capacity() > size {
            self.begin(0);
            self.storage.shrink(size);
        }
    }

    /// What waits.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.storage.bytes()[self.start..self.end]
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn capacity(&self) -> usize {
        self.storage.bytes().len()
    }

    /// How many bytes could wait at most.
    #[inline]
    pub(super) fn max_len(&self) -> usize {
        self.storage.max_len()
    }

    pub(super) fn into_storage(self) -> S {
        self.storage
    }

    #[cold]
    fn make_room(&mut self, bytes: usize) {
        let waiting = self.len();
        let has_lead = waiting == 0 && bytes > LARGE && LEAD + bytes <= self.storage.max_len();
        // Move only if at least as much is gained as is moved, so that the cost stays in proportion; but storage that
        // cannot grow has no choice.
        if has_lead {
            self.begin(LEAD);
        } else if self.start >= waiting || self.end + bytes > self.storage.max_len() {
            self.storage.bytes_mut().copy_within(self.start..self.end, 0);
            self.start = 0;
            self.end = waiting;
        }
        let needed = self.end + bytes;
        if needed > self.capacity() {
            let doubled = self.capacity().saturating_mul(2).min(self.storage.max_len());
            self.storage.grow(needed.max(doubled));
        }
    }
}

/// Takes back what was pushed and not filled, also if filling it panics.
pub(super) struct Unfilled<'r, S: Storage> {
    /// How many bytes of all that wait are to be kept.
    pub(super) keep: usize,
    pub(super) run: &'r mut Run<S>,
}

impl<S: Storage> Drop for Unfilled<'_, S> {
    fn drop(&mut self) {
        self.run.truncate(self.keep);
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_large_frame_has_its_payload_on_a_line_each_time_if_the_storage_has_room_for_that() {
        const FRAME: usize = 4 + LARGE;
        let mut run = Run::new(Vec::new());
        run.reserve(FRAME);
        for _ in 0..3 {
            let payload = run.push_at_hand(FRAME).map(|frame| frame[4..].as_ptr().addr());
            assert_eq!(payload, Some(run.storage.as_ptr().addr() + 64));
            assert_eq!((run.len(), run.capacity()), (FRAME, LEAD + FRAME));
            run.clear();
        }
        run.shrink(100);
        assert_eq!((run.len(), run.capacity()), (0, 100));
        // What just fits has no lead, whatever was there before.
        let mut run = Run::new([0; FRAME]);
        for _ in 0..3 {
            run.reserve(FRAME);
            assert!(run.push_at_hand(FRAME).is_some());
            assert_eq!((run.start, run.end), (0, FRAME));
            run.clear();
        }
    }
}
