//! What the connection needs of a place where output waits.

// The interface of a sealed trait: public for the compiler, out of reach for anybody else.
#![allow(unnameable_types)]

use crate::wire::header::EncodedHeader;
use crate::wire::mask;

/// How many slices one [`Transmit`](crate::Transmit) offers at most. Enough to empty any [`SendBuf`](crate::SendBuf)
/// and a good deal of a `SendQueue` in one vectored write.
pub const MAX_SLICES: usize = 16;

/// A place where encoded frames wait to be transmitted: [`SendBuf`](crate::SendBuf), or with the feature `alloc`
/// `SendQueue`. Sealed.
pub trait Outbound: sealed::Sealed {
    /// How many bytes wait here, frame headers included.
    fn buffered_amount(&self) -> usize {
        self.buffered()
    }

    /// How many messages wait here, the one that is partly transmitted included; not one whose last piece is still to
    /// be queued, and no control frames.
    fn queued_messages(&self) -> usize {
        self.messages()
    }
}

/// There is no room, now or ever.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoRoom {
    Never,
    Now,
}

pub(crate) mod sealed {
    use super::{Frame, NoRoom, Slices};

    /// The operations behind `Outbound`.
    pub trait Sealed {
        /// Whether `bytes` more may be queued; makes the room if so.
        fn reserve(&mut self, bytes: usize) -> Result<(), NoRoom>;
        /// Queues a frame for which room was reserved.
        fn push_frame(&mut self, frame: Frame<'_>);
        /// Makes `size` bytes of room that is at hand those of a frame that is a whole message, to be written by the
        /// caller. `None` says no more than that it takes more to queue it, or is too much.
        fn take_room(&mut self, size: usize) -> Option<&mut [u8]>;
        /// How many bytes may be queued now.
        fn room(&self) -> usize;
        /// Lets `write` encode a frame into `size` bytes, for which room was reserved; it says how many it used, if
        /// any, and whether the frame ends a message.
        fn push_with(&mut self, size: usize, write: &mut dyn FnMut(&mut [u8]) -> (usize, bool));
        /// Queues bytes that are no frame, ahead of all frames: the opening handshake.
        fn push_preamble(&mut self, bytes: &[u8]) -> Result<(), NoRoom>;
        /// Takes back the preamble's bytes beyond the first `len` waiting.
        fn truncate_preamble(&mut self, len: usize);
        fn buffered(&self) -> usize;
        fn messages(&self) -> usize;
        /// How many bytes of the front frame are left, if a part of it is transmitted already; else 0. Nothing may
        /// come between these and what was before them.
        fn frame_left(&self) -> usize;
        /// Adds the waiting bytes `from..to`, counted from the front, to `slices`, as far as there is room.
        fn slices<'s>(&'s self, from: usize, to: usize, slices: &mut Slices<'s>);
        /// The first `n` waiting bytes are transmitted.
        fn consume(&mut self, n: usize);
        /// Drops all that waits but the rest of a frame that is partly transmitted.
        fn discard_frames(&mut self);
    }
}

/// A data frame to be queued.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'p> {
    pub(crate) header: EncodedHeader,
    pub(crate) masking_key: Option<[u8; 4]>,
    pub(crate) payload: &'p [u8],
    pub(crate) ends_message: bool,
}

impl Frame<'_> {
    pub(crate) fn size(&self) -> usize {
        self.header.as_slice().len() + self.payload.len()
    }

    /// Writes the frame into `out`, which is as long as the frame: one pass over the payload.
    #[inline]
    pub(crate) fn write(&self, out: &mut [u8]) {
        let size = self.header.as_slice().len();
        if let Some(front) = out.first_chunk_mut() {
            // Of a fixed length, which is done without a call. What is too much of it is written over.
            *front = self.header.bytes();
        } else {
            out[..size].copy_from_slice(self.header.as_slice());
        }
        let body = &mut out[size..];
        match self.masking_key {
            Some(key) => mask::copy(key, self.payload, body),
            None => body.copy_from_slice(self.payload),
        }
    }
}

/// The slices to transmit next, in order; dereferences to `[&[u8]]`.
#[derive(Clone, Copy, Debug)]
pub struct Slices<'s> {
    slices: [&'s [u8]; MAX_SLICES],
    len: usize,
}

impl<'s> Slices<'s> {
    pub(crate) const fn new() -> Self {
        Self { slices: [&[]; MAX_SLICES], len: 0 }
    }

    /// Adds a slice, if it is not empty and there is room; says whether there is room for another.
    #[inline]
    pub(crate) fn push(&mut self, slice: &'s [u8]) -> bool {
        if !slice.is_empty() && self.len < MAX_SLICES {
            self.slices[self.len] = slice;
            self.len += 1;
        }
        self.len < MAX_SLICES
    }

    /// The same as the standard library's vectored writes want them.
    #[cfg(feature = "std")]
    pub fn to_io_slices(&self) -> ([std::io::IoSlice<'s>; MAX_SLICES], usize) {
        (self.slices.map(std::io::IoSlice::new), self.len)
    }
}

impl<'s> core::ops::Deref for Slices<'s> {
    type Target = [&'s [u8]];

    fn deref(&self) -> &Self::Target {
        &self.slices[..self.len]
    }
}
