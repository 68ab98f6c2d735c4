//! Output as a queue that copies small payloads and keeps large ones where they are.

use alloc::collections::VecDeque;
use core::fmt;

use super::outbound::{Frame, NoRoom, Outbound, Slices, sealed};
use super::run::{Run, Unfilled};
use super::send::DEFAULT_LIMIT;
use crate::wire::header::{EncodedHeader, MAX_HEADER_SIZE, encoded_frame};

/// A payload up to this size is copied: cheaper than a slice of its own in a vectored write.
pub(crate) const COPY_UP_TO: usize = 1 << 10;
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
///   copied   | header | payload | header |              | header | payload |
///   parts                                 | payload: B  |
///            └─ copied_before of the part ┘
/// ```
pub struct SendQueue<B> {
    copied: Run<alloc::vec::Vec<u8>>,
    parts: VecDeque<Part<B>>,
    // INVARIANT: the sum of `copied_before` of all parts
    copied_in_parts: usize,
    buffered: usize,
    frame_left: usize,
    front_ends_message: bool,
    messages: usize,
    limit: usize,
}

/// A payload of its own, never empty, and how many copied bytes wait before it and behind the part before; or with none
/// before it a whole frame, whose header is in front of its payload.
struct Part<B> {
    copied_before: usize,
    /// From where on it waits: what is before that is transmitted, or room that was not needed.
    start: usize,
    payload: B,
}

impl<B: AsRef<[u8]>> Part<B> {
    fn waiting(&self) -> &[u8] {
        self.payload.as_ref().get(self.start..).unwrap_or(&[])
    }
}

impl<B: AsRef<[u8]>> SendQueue<B> {
    /// An empty queue with a limit of 1 MiB. It takes no memory before the first message.
    pub const fn new() -> Self {
        Self {
            copied: Run::new(alloc::vec::Vec::new()),
            parts: VecDeque::new(),
            copied_in_parts: 0,
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

    /// How much memory it takes at present, in bytes, without that of owned payloads.
    pub fn capacity(&self) -> usize {
        self.copied.capacity() + self.parts.capacity() * size_of::<Part<B>>()
    }

    /// Gives memory back if nothing waits: to about `size` bytes, 0 included.
    pub fn shrink(&mut self, size: usize) {
        if self.is_empty() {
            self.copied.shrink(size);
            self.parts.shrink_to(size.saturating_sub(self.copied.capacity()) / size_of::<Part<B>>());
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
        // Of a fixed length, which is done without a call; what is too much of it is taken back.
        let (waiting, size) = (self.copied.len(), header.as_slice().len());
        self.copied.reserve(EncodedHeader::ROOM);
        self.copied.push(EncodedHeader::ROOM).copy_from_slice(&header.bytes());
        self.copied.truncate(waiting + size);
        self.buffered += size + payload.as_ref().len();
        self.push_behind_copied(payload, 0, ends_message);
    }

    /// Queues a frame that is a whole message and lies in `frame` from `start` on, header and all; room for it was
    /// reserved.
    pub(crate) fn push_in_place(&mut self, frame: B, start: usize) {
        self.buffered += frame.as_ref().len().saturating_sub(start);
        self.push_behind_copied(frame, start, true);
    }

    fn push_behind_copied(&mut self, payload: B, start: usize, ends_message: bool) {
        let copied_before = self.copied.len() - self.copied_in_parts;
        self.parts.push_back(Part { copied_before, start, payload });
        self.copied_in_parts = self.copied.len();
        self.messages += usize::from(ends_message);
    }

    fn clear(&mut self) {
        self.copied.clear();
        self.parts.clear();
        self.copied_in_parts = 0;
        self.buffered = 0;
        self.frame_left = 0;
        self.messages = 0;
    }

    fn all_slices<'s>(&'s self, slices: &mut Slices<'s>) {
        self.visit(|bytes| slices.push(bytes));
    }

    /// Calls `visit` with all that waits, in order, until it says that this is enough.
    #[inline(always)]
    fn visit<'s>(&'s self, mut visit: impl FnMut(&'s [u8]) -> bool) {
        let mut copied = self.copied.bytes();
        for part in &self.parts {
            let (before, rest) = copied.split_at(part.copied_before);
            copied = rest;
            if !(visit(before) && visit(part.waiting())) {
                return;
            }
        }
        visit(copied);
    }

    /// The first `n` bytes of all that wait are transmitted.
    fn skip(&mut self, mut n: usize) {
        self.buffered -= n;
        while let Some(front) = self.parts.front_mut() {
            let copied = n.min(front.copied_before);
            self.copied.consume(copied);
            front.copied_before -= copied;
            self.copied_in_parts -= copied;
            n -= copied;
            if n == 0 {
                return;
            }
            let left = front.waiting().len();
            let owned = n.min(left);
            front.start += owned;
            n -= owned;
            if owned < left {
                return;
            }
            self.parts.pop_front();
        }
        self.copied.consume(n);
    }
}

impl<B: AsRef<[u8]>> Default for SendQueue<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: AsRef<[u8]>> Outbound for SendQueue<B> {}

impl<B: AsRef<[u8]>> sealed::Sealed for SendQueue<B> {
    #[inline]
    fn reserve(&mut self, bytes: usize) -> Result<(), NoRoom> {
        match self.buffered.checked_add(bytes) {
            Some(needed) if needed <= self.limit || self.buffered == 0 => Ok(()),
            _ => Err(NoRoom::Now),
        }
    }

    #[inline]
    fn push_frame(&mut self, frame: Frame<'_>) {
        let size = frame.size();
        self.copied.reserve(size);
        frame.write(self.copied.push(size));
        self.buffered += size;
        self.messages += usize::from(frame.ends_message);
    }

    #[inline]
    fn take_room(&mut self, size: usize) -> Option<&mut [u8]> {
        if self.buffered + size > self.limit {
            return None;
        }
        let room = self.copied.push_at_hand(size)?;
        self.buffered += size;
        self.messages += 1;
        Some(room)
    }

    fn room(&self) -> usize {
        // A limit makes no frame impossible.
        let limit = if self.buffered == 0 { self.limit.max(MAX_HEADER_SIZE + 1) } else { self.limit };
        limit.saturating_sub(self.buffered)
    }

    fn push_with(&mut self, size: usize, write: &mut dyn FnMut(&mut [u8]) -> (usize, bool)) {
        let waiting = self.copied.len();
        self.copied.reserve(size);
        let mut unfilled = Unfilled { keep: waiting, run: &mut self.copied };
        let (used, ends_message) = write(unfilled.run.push(size));
        unfilled.keep = waiting + used;
        drop(unfilled);
        self.buffered += used;
        self.messages += usize::from(ends_message);
    }

    fn push_preamble(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.reserve(bytes.len())?;
        self.copied.reserve(bytes.len());
        self.copied.push(bytes.len()).copy_from_slice(bytes);
        self.buffered += bytes.len();
        self.frame_left += bytes.len();
        self.front_ends_message = false;
        Ok(())
    }

    fn truncate_preamble(&mut self, len: usize) {
        self.copied.truncate(len);
        self.buffered = self.copied.len();
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

    #[inline]
    fn contiguous(&self) -> Option<&[u8]> {
        Some(self.copied.bytes()).filter(|bytes| !bytes.is_empty() && self.parts.is_empty())
    }

    fn slices<'s>(&'s self, from: usize, to: usize, slices: &mut Slices<'s>) {
        if from == 0 && to == self.buffered {
            return self.all_slices(slices);
        }
        let mut at = 0;
        self.visit(|bytes| {
            let (skip, take) = (from.saturating_sub(at), to.saturating_sub(at));
            at += bytes.len();
            skip >= bytes.len() || slices.push(&bytes[skip..take.clamp(skip, bytes.len())])
        });
    }

    fn consume(&mut self, n: usize) {
        if n >= self.buffered {
            return self.clear();
        }
        let mut left = n;
        while left > 0 {
            if self.frame_left == 0 {
                // A header is whole, and copied, or in front of its payload. It is another one, or none, only if a
                // payload was not of the same length each time; what is counted here goes by the lengths that it had.
                let front = match self.parts.front() {
                    Some(part) if part.copied_before == 0 => part.waiting(),
                    _ => self.copied.bytes(),
                };
                let Some(frame) = encoded_frame(front) else {
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
        // The rest of the front frame is copied; or it is a payload of its own, and what waits of the header before it.
        match self.parts.front() {
            Some(front) if front.copied_before < self.frame_left => {
                self.copied_in_parts = front.copied_before;
                self.copied.truncate(self.copied_in_parts);
                self.parts.truncate(1);
            }
            _ => {
                self.copied.truncate(self.frame_left);
                self.parts.clear();
                self.copied_in_parts = 0;
            }
        }
        self.buffered = self.frame_left;
        self.messages = usize::from(self.front_ends_message);
    }
}

impl<B> fmt::Debug for SendQueue<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendQueue")
            .field("buffered", &self.buffered)
            .field("messages", &self.messages)
            .field("parts", &self.parts.len())
            .finish()
    }
}
