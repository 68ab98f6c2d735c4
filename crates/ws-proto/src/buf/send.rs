//! Output as one contiguous run of encoded frames.

use core::fmt;

use super::outbound::{Frame, NoRoom, Outbound, Slices, sealed};
use super::run::{Run, Unfilled};
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
    run: Run<S>,
    // INVARIANT: frame_left <= run.len()
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
            run: Run::new(storage),
            frame_left: 0,
            front_ends_message: false,
            messages: 0,
            limit: usize::MAX,
        }
    }

    /// Sets how many bytes may wait. A message that would exceed this is `SendError::Full`, unless nothing waits: then
    /// it is taken however large it is, so that a limit never makes a message impossible to send.
    ///
    /// Default: what the storage holds; 1 MiB for `SendBuf::default`.
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Whether nothing waits here.
    pub const fn is_empty(&self) -> bool {
        self.run.is_empty()
    }

    /// The present size of the storage in bytes.
    pub fn capacity(&self) -> usize {
        self.run.capacity()
    }

    /// Gives memory back if the storage can shrink and nothing waits in it: to `size` bytes, 0 included.
    pub fn shrink(&mut self, size: usize) {
        self.run.shrink(size);
    }

    /// Gives the storage back. What waits in it is lost.
    pub fn into_storage(self) -> S {
        self.run.into_storage()
    }

    fn clear(&mut self) {
        self.run.clear();
        self.frame_left = 0;
        self.messages = 0;
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
        let waiting = self.run.len();
        let Some(needed) = waiting.checked_add(bytes) else { return Err(NoRoom::Now) };
        if needed > self.run.max_len() {
            return Err(if bytes > self.run.max_len() { NoRoom::Never } else { NoRoom::Now });
        }
        if needed > self.limit && waiting > 0 {
            return Err(NoRoom::Now);
        }
        self.run.reserve(bytes);
        Ok(())
    }

    #[inline]
    fn push_frame(&mut self, frame: Frame<'_>) {
        frame.write(self.run.push(frame.size()));
        self.messages += usize::from(frame.ends_message);
    }

    #[inline]
    fn take_room(&mut self, size: usize) -> Option<&mut [u8]> {
        if self.run.len() + size > self.limit {
            return None;
        }
        let room = self.run.push_at_hand(size)?;
        self.messages += 1;
        Some(room)
    }

    fn room(&self) -> usize {
        let waiting = self.run.len();
        // A limit makes no frame impossible.
        let limit = if waiting == 0 { self.limit.max(MAX_HEADER_SIZE + 1) } else { self.limit };
        limit.min(self.run.max_len()).saturating_sub(waiting)
    }

    fn push_with(&mut self, size: usize, write: &mut dyn FnMut(&mut [u8]) -> (usize, bool)) {
        let waiting = self.run.len();
        let mut unfilled = Unfilled { keep: waiting, run: &mut self.run };
        let (used, ends_message) = write(unfilled.run.push(size));
        debug_assert!(used <= size);
        unfilled.keep = waiting + used;
        drop(unfilled);
        self.messages += usize::from(ends_message);
    }

    fn push_preamble(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.reserve(bytes.len())?;
        self.run.push(bytes.len()).copy_from_slice(bytes);
        // Treated as the rest of a frame, so that nothing comes in between.
        self.frame_left += bytes.len();
        self.front_ends_message = false;
        Ok(())
    }

    fn truncate_preamble(&mut self, len: usize) {
        debug_assert_eq!(self.frame_left, self.run.len());
        self.run.truncate(len);
        self.frame_left = self.run.len();
        if self.is_empty() {
            self.clear();
        }
    }

    #[inline]
    fn buffered(&self) -> usize {
        self.run.len()
    }

    fn messages(&self) -> usize {
        self.messages
    }

    #[inline]
    fn frame_left(&self) -> usize {
        self.frame_left
    }

    #[inline]
    fn contiguous(&self) -> Option<&[u8]> {
        Some(self.run.bytes()).filter(|bytes| !bytes.is_empty())
    }

    #[inline]
    fn slices<'s>(&'s self, from: usize, to: usize, slices: &mut Slices<'s>) {
        slices.push(&self.run.bytes()[from..to]);
    }

    #[inline]
    fn consume(&mut self, n: usize) {
        if n >= self.run.len() {
            return self.clear();
        }
        let mut left = n;
        while left > 0 {
            if self.frame_left == 0 {
                // Only here, where the transport took a part of the output, are frames looked at again.
                let Some(frame) = encoded_frame(self.run.bytes()) else {
                    debug_assert!(false, "only whole frames are queued");
                    return self.clear();
                };
                self.frame_left = frame.size;
                self.front_ends_message = frame.ends_message;
            }
            let step = left.min(self.frame_left);
            self.run.consume(step);
            self.frame_left -= step;
            left -= step;
            if self.frame_left == 0 {
                self.messages -= usize::from(self.front_ends_message);
            }
        }
    }

    fn discard_frames(&mut self) {
        self.run.truncate(self.frame_left);
        self.messages = usize::from(self.frame_left > 0 && self.front_ends_message);
        if self.frame_left == 0 {
            self.clear();
        }
    }
}

impl<S: Storage> fmt::Debug for SendBuf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBuf")
            .field("buffered", &self.run.len())
            .field("messages", &self.messages)
            .field("capacity", &self.capacity())
            .finish()
    }
}
