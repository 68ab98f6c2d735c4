//! Output as one contiguous run of encoded frames.

use core::fmt;

use super::outbound::{Frame, NoRoom, Outbound, Slices, sealed};
use super::storage::Storage;
use crate::wire::header::{MAX_HEADER_SIZE, encoded_frame};

/// How much may wait in storage that grows, unless the caller says otherwise.
#[cfg(feature = "alloc")]
pub(crate) const DEFAULT_LIMIT: usize = 1 << 20;

/// Where output waits as one contiguous run of encoded frames; needs no allocator.
///
/// ```text
///   0            start        start + frame_left                end       len
///   | transmitted | rest of the | whole frames                  | spare   |
///                 | front frame |
///                               └─ control frames go in between here
/// ```
///
/// With storage of fixed size, what does not fit is `SendError::Full` until there is room, or
/// `SendError::MessageTooBig` if there never can be. With a `Vec`, it is [`limit`](Self::limit) that bounds what
/// waits.
pub struct SendBuf<S> {
    storage: S,
    // INVARIANT: start <= end <= storage.len(), and start + frame_left <= end
    start: usize,
    end: usize,
    frame_left: usize,
    /// Whether the front frame, of which `frame_left` bytes are left, is the last of a message.
    front_ends_message: bool,
    messages: usize,
    limit: usize,
}

impl<S: Storage> SendBuf<S> {
    /// An empty buffer in `storage`; what the storage holds is not read.
    pub const fn new(storage: S) -> Self {
        Self {
            storage,
            start: 0,
            end: 0,
            frame_left: 0,
            front_ends_message: false,
            messages: 0,
            limit: usize::MAX,
        }
    }

    /// Sets how many bytes may wait. A message that would exceed this is `SendError::Full`, unless nothing waits: then
    /// it is taken however large it is, so that a limit never makes a message impossible to send.
    ///
    /// Default: what the storage holds; 1 MiB for [`SendBuf::default`].
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Whether nothing waits here.
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The present size of the storage in bytes.
    pub fn capacity(&self) -> usize {
        self.storage.bytes().len()
    }

    /// Gives memory back if the storage can shrink and nothing waits in it: to `size` bytes, 0 included.
    pub fn shrink(&mut self, size: usize) {
        if self.is_empty() && self.capacity() > size {
            self.storage.shrink(size);
        }
    }

    /// Gives the storage back. What waits in it is lost.
    pub fn into_storage(self) -> S {
        self.storage
    }

    fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.frame_left = 0;
        self.messages = 0;
    }

    /// Room for `bytes` behind what waits: there already, or by moving that to the front, or by growing.
    fn make_room(&mut self, bytes: usize) {
        if self.capacity() - self.end >= bytes {
            return;
        }
        let waiting = self.end - self.start;
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

#[cfg(feature = "alloc")]
impl Default for SendBuf<alloc::vec::Vec<u8>> {
    /// An empty buffer that grows, with a limit of 1 MiB. It takes no memory before the first message.
    fn default() -> Self {
        Self::new(alloc::vec::Vec::new()).limit(DEFAULT_LIMIT)
    }
}

impl<S: Storage> Outbound for SendBuf<S> {}

impl<S: Storage> sealed::Sealed for SendBuf<S> {
    #[inline]
    fn reserve(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let waiting = self.end - self.start;
        let Some(needed) = waiting.checked_add(bytes) else { return Err(NoRoom::Now) };
        if needed > self.storage.max_len() {
            return Err(if bytes > self.storage.max_len() { NoRoom::Never } else { NoRoom::Now });
        }
        if needed > self.limit && waiting > 0 {
            return Err(NoRoom::Now);
        }
        self.make_room(bytes);
        Ok(())
    }

    #[inline]
    fn push_frame(&mut self, frame: Frame<'_>) {
        let end = self.end + frame.size();
        frame.write(&mut self.storage.bytes_mut()[self.end..end]);
        self.end = end;
        self.messages += usize::from(frame.ends_message);
    }

    fn room(&self) -> usize {
        let waiting = self.end - self.start;
        // A limit makes no frame impossible.
        let limit = if waiting == 0 { self.limit.max(MAX_HEADER_SIZE + 1) } else { self.limit };
        limit.min(self.storage.max_len()).saturating_sub(waiting)
    }

    fn push_with(&mut self, size: usize, write: &mut dyn FnMut(&mut [u8]) -> (usize, bool)) {
        let (used, ends_message) = write(&mut self.storage.bytes_mut()[self.end..self.end + size]);
        debug_assert!(used <= size);
        self.end += used;
        self.messages += usize::from(ends_message);
    }

    fn push_preamble(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.reserve(bytes.len())?;
        let end = self.end + bytes.len();
        self.storage.bytes_mut()[self.end..end].copy_from_slice(bytes);
        self.end = end;
        // Treated as the rest of a frame, so that nothing comes in between.
        self.frame_left += bytes.len();
        self.front_ends_message = false;
        Ok(())
    }

    fn truncate_preamble(&mut self, len: usize) {
        debug_assert_eq!(self.frame_left, self.end - self.start);
        self.end = self.end.min(self.start + len);
        self.frame_left = self.end - self.start;
        if self.is_empty() {
            self.clear();
        }
    }

    #[inline]
    fn buffered(&self) -> usize {
        self.end - self.start
    }

    fn messages(&self) -> usize {
        self.messages
    }

    #[inline]
    fn frame_left(&self) -> usize {
        self.frame_left
    }

    #[inline]
    fn slices<'s>(&'s self, from: usize, to: usize, slices: &mut Slices<'s>) {
        slices.push(&self.storage.bytes()[self.start + from..self.start + to]);
    }

    #[inline]
    fn consume(&mut self, n: usize) {
        if n >= self.end - self.start {
            return self.clear();
        }
        let mut left = n;
        while left > 0 {
            if self.frame_left == 0 {
                // Only here, where the transport took a part of the output, are frames looked at again.
                let Some(frame) = encoded_frame(&self.storage.bytes()[self.start..self.end]) else {
                    debug_assert!(false, "only whole frames are queued");
                    return self.clear();
                };
                self.frame_left = frame.size;
                self.front_ends_message = frame.ends_message;
            }
            let step = left.min(self.frame_left);
            self.start += step;
            self.frame_left -= step;
            left -= step;
            if self.frame_left == 0 {
                self.messages -= usize::from(self.front_ends_message);
            }
        }
    }

    fn discard_frames(&mut self) {
        self.end = self.start + self.frame_left;
        self.messages = usize::from(self.frame_left > 0 && self.front_ends_message);
        if self.frame_left == 0 {
            self.clear();
        }
    }
}

/// The sizes, not the bytes: what is sent does not belong into logs.
impl<S: Storage> fmt::Debug for SendBuf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBuf")
            .field("buffered", &(self.end - self.start))
            .field("messages", &self.messages)
            .field("capacity", &self.capacity())
            .finish()
    }
}
