//! Output as a queue that copies small payloads and keeps large ones where they are.

use alloc::collections::VecDeque;
use core::fmt;

use super::outbound::{Frame, NoRoom, Outbound, Slices, sealed};
use super::send::DEFAULT_LIMIT;
use crate::wire::header::{EncodedHeader, MAX_HEADER_SIZE, encoded_frame};

/// A payload up to this size is copied: cheaper than a slice of its own in a vectored write.
const COPY_UP_TO: usize = 1 << 10;
/// The same for a payload that others hold as well: what a part of its own costs in memory.
const COPY_SHARED_UP_TO: usize = 128;

/// Where output waits if payloads are owned: small ones are copied behind each other, large ones stay where they are
/// and are written from there.
///
/// `B` is anything that holds bytes and keeps them still, the same ones each time that it is asked: `Bytes`,
/// `Arc<[u8]>`, `Vec<u8>`, `&'static [u8]`. A server sends an owned payload without copying it, so that one message to
/// many connections is held once. A client has to mask, which copies.
///
/// ```text
///   copied:  | header | payload | header |    | header | payload |
///   parts:   | Copied(n)                 | Owned(B) | Copied(m)  |
/// ```
pub struct SendQueue<B> {
    copied: alloc::vec::Vec<u8>,
    /// How much of `copied` is transmitted.
    start: usize,
    parts: VecDeque<Part<B>>,
    /// How much of the front part, if it is owned, is transmitted.
    owned_start: usize,
    buffered: usize,
    frame_left: usize,
    front_ends_message: bool,
    messages: usize,
    limit: usize,
}

enum Part<B> {
    /// The next bytes of `copied`.
    Copied(usize),
    /// A payload of its own; never empty.
    Owned(B),
}

impl<B: AsRef<[u8]>> SendQueue<B> {
    /// An empty queue with a limit of 1 MiB. It takes no memory before the first message.
    pub const fn new() -> Self {
        Self {
            copied: alloc::vec::Vec::new(),
            start: 0,
            parts: VecDeque::new(),
            owned_start: 0,
            buffered: 0,
            frame_left: 0,
            front_ends_message: false,
            messages: 0,
            limit: DEFAULT_LIMIT,
        }
    }

    /// Sets how many bytes may wait, owned payloads included. A message that would exceed this is `SendError::Full`,
    /// unless nothing waits: then it is taken however large it is.
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Whether nothing waits here.
    pub const fn is_empty(&self) -> bool {
        self.buffered == 0
    }

    /// Gives all memory back if nothing waits.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            self.copied = alloc::vec::Vec::new();
            self.parts = VecDeque::new();
        }
    }

    /// Queues a frame around a payload that stays where it is. Not for clients, whose payloads are masked.
    pub(crate) fn push_owned(&mut self, header: EncodedHeader, payload: B, ends_message: bool) {
        let len = payload.as_ref().len();
        if len <= COPY_UP_TO {
            let frame = Frame { header, masking_key: None, payload: payload.as_ref(), ends_message };
            return sealed::Sealed::push_frame(self, frame);
        }
        self.push_part(header, payload, ends_message);
    }

    /// Queues a message around a payload that others hold as well.
    pub(crate) fn push_shared(&mut self, header: EncodedHeader, payload: &B)
    where
        B: Clone,
    {
        if payload.as_ref().len() <= COPY_SHARED_UP_TO {
            let frame = Frame { header, masking_key: None, payload: payload.as_ref(), ends_message: true };
            return sealed::Sealed::push_frame(self, frame);
        }
        self.push_part(header, payload.clone(), true);
    }

    fn push_part(&mut self, header: EncodedHeader, payload: B, ends_message: bool) {
        let len = payload.as_ref().len();
        self.push_copied(header.as_slice());
        self.parts.push_back(Part::Owned(payload));
        self.buffered += len;
        self.messages += usize::from(ends_message);
    }

    fn push_copied(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
        self.count_copied(bytes.len());
    }

    fn count_copied(&mut self, len: usize) {
        self.buffered += len;
        match self.parts.back_mut() {
            Some(Part::Copied(n)) => *n += len,
            _ => self.parts.push_back(Part::Copied(len)),
        }
    }

    fn clear(&mut self) {
        self.copied.clear();
        self.start = 0;
        self.parts.clear();
        self.owned_start = 0;
        self.buffered = 0;
        self.frame_left = 0;
        self.messages = 0;
    }

    /// Passes over `n` bytes, whichever parts they lie in.
    fn skip(&mut self, mut n: usize) {
        self.buffered -= n;
        while n > 0 {
            let done = match self.parts.front_mut() {
                Some(Part::Copied(len)) => {
                    let step = n.min(*len);
                    *len -= step;
                    self.start += step;
                    n -= step;
                    *len == 0
                }
                Some(Part::Owned(payload)) => {
                    let left = payload.as_ref().len().saturating_sub(self.owned_start);
                    let step = n.min(left);
                    self.owned_start += step;
                    n -= step;
                    step == left
                }
                None => return,
            };
            if done {
                self.owned_start = 0;
                self.parts.pop_front();
            }
        }
    }
}

impl<B: AsRef<[u8]>> Default for SendQueue<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: AsRef<[u8]>> Outbound for SendQueue<B> {}

impl<B: AsRef<[u8]>> sealed::Sealed for SendQueue<B> {
    fn reserve(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let Some(needed) = self.buffered.checked_add(bytes) else { return Err(NoRoom::Now) };
        if needed > self.limit && self.buffered > 0 {
            return Err(NoRoom::Now);
        }
        // Move what waits to the front of the vector when most of the vector is transmitted.
        if self.start > 0 && self.start >= self.copied.len() - self.start {
            self.copied.drain(..self.start);
            self.start = 0;
        }
        Ok(())
    }

    #[inline]
    fn push_frame(&mut self, frame: Frame<'_>) {
        let (from, size) = (self.copied.len(), frame.size());
        if frame.masking_key.is_none() {
            self.copied.extend_from_slice(frame.header.as_slice());
            self.copied.extend_from_slice(frame.payload);
        } else {
            self.copied.resize(from + size, 0);
            frame.write(&mut self.copied[from..]);
        }
        self.count_copied(size);
        self.messages += usize::from(frame.ends_message);
    }

    fn room(&self) -> usize {
        // A limit makes no frame impossible.
        let limit = if self.buffered == 0 { self.limit.max(MAX_HEADER_SIZE + 1) } else { self.limit };
        limit.saturating_sub(self.buffered)
    }

    fn push_with(&mut self, size: usize, write: &mut dyn FnMut(&mut [u8]) -> (usize, bool)) {
        let from = self.copied.len();
        let copied = Unfilled { from, bytes: &mut self.copied };
        copied.bytes.resize(from + size, 0);
        let (used, ends_message) = write(&mut copied.bytes[from..]);
        copied.keep(used);
        if used > 0 {
            self.count_copied(used);
        }
        self.messages += usize::from(ends_message);
    }

    fn push_preamble(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.reserve(bytes.len())?;
        self.push_copied(bytes);
        self.frame_left += bytes.len();
        self.front_ends_message = false;
        Ok(())
    }

    fn truncate_preamble(&mut self, len: usize) {
        let surplus = self.buffered.saturating_sub(len);
        self.copied.truncate(self.copied.len() - surplus);
        if let Some(Part::Copied(n)) = self.parts.back_mut() {
            *n -= surplus;
        }
        self.buffered -= surplus;
        self.frame_left = self.buffered;
        if self.buffered == 0 {
            self.clear();
        }
    }

    #[inline]
    fn buffered(&self) -> usize {
        self.buffered
    }

    fn messages(&self) -> usize {
        self.messages
    }

    #[inline]
    fn frame_left(&self) -> usize {
        self.frame_left
    }

    fn slices<'s>(&'s self, from: usize, to: usize, slices: &mut Slices<'s>) {
        let (mut at, mut copied_at, mut owned_start) = (0, self.start, self.owned_start);
        for part in &self.parts {
            let bytes = match part {
                Part::Copied(len) => {
                    copied_at += len;
                    &self.copied[copied_at - len..copied_at]
                }
                Part::Owned(payload) => payload.as_ref().get(owned_start..).unwrap_or(&[]),
            };
            owned_start = 0;
            let (skip, take) = (from.saturating_sub(at), to.saturating_sub(at));
            if skip < bytes.len() && !slices.push(&bytes[skip..take.min(bytes.len())]) {
                return;
            }
            at += bytes.len();
            if at >= to {
                return;
            }
        }
    }

    fn consume(&mut self, n: usize) {
        if n >= self.buffered {
            return self.clear();
        }
        let mut left = n;
        while left > 0 {
            if self.frame_left == 0 {
                // A header is always copied, and whole. It is another one, or none, only if a payload was not of the
                // same length each time; what is counted here goes by the lengths that it had.
                let Some(frame) = encoded_frame(self.copied.get(self.start..).unwrap_or(&[])) else {
                    return self.clear();
                };
                self.frame_left = frame.size.min(self.buffered);
                self.front_ends_message = frame.ends_message;
            }
            let step = left.min(self.frame_left);
            self.skip(step);
            self.frame_left -= step;
            left -= step;
            if self.frame_left == 0 {
                self.messages = self.messages.saturating_sub(usize::from(self.front_ends_message));
            }
        }
    }

    fn discard_frames(&mut self) {
        if self.frame_left == 0 {
            return self.clear();
        }
        // The rest of the front frame lies in at most three parts: header and payload copied, or one of each.
        let mut keep = self.frame_left;
        let (mut parts, mut copied) = (0, self.start);
        let mut owned_start = self.owned_start;
        for part in &mut self.parts {
            if keep == 0 {
                break;
            }
            parts += 1;
            match part {
                Part::Copied(len) => {
                    *len = keep.min(*len);
                    keep -= *len;
                    copied += *len;
                }
                Part::Owned(payload) => {
                    keep = keep.saturating_sub(payload.as_ref().len().saturating_sub(owned_start));
                }
            }
            owned_start = 0;
        }
        self.parts.truncate(parts);
        self.copied.truncate(copied);
        self.buffered = self.frame_left;
        self.messages = usize::from(self.front_ends_message);
    }
}

/// Takes back room that was not used, also if whoever was to fill it panics.
struct Unfilled<'c> {
    from: usize,
    bytes: &'c mut alloc::vec::Vec<u8>,
}

impl Unfilled<'_> {
    fn keep(mut self, used: usize) {
        self.from += used;
    }
}

impl Drop for Unfilled<'_> {
    fn drop(&mut self) {
        self.bytes.truncate(self.from);
    }
}

/// The sizes, not the bytes: what is sent does not belong into logs.
impl<B> fmt::Debug for SendQueue<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendQueue")
            .field("buffered", &self.buffered)
            .field("messages", &self.messages)
            .field("parts", &self.parts.len())
            .finish()
    }
}
