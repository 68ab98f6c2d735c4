//! A contiguous run of bytes in storage: added behind, taken in front.

use super::storage::Storage;

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

    pub(super) const fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Gives memory back if the storage can shrink and nothing waits: to `size` bytes.
    pub(super) fn shrink(&mut self, size: usize) {
        if self.is_empty() && self.capacity() > size {
            self.clear();
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
        // Move only if at least as much is gained as is moved, so that the cost stays in proportion; but storage that
        // cannot grow has no choice.
        if self.start >= waiting || self.end + bytes > self.storage.max_len() {
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
