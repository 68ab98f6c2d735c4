//! Sending compressed messages: RFC 7692 section 7.2.1.

use crate::buf::outbound::Outbound;
use crate::conn::Connection;
use crate::conn::send::First;
use crate::conn::stream::{MAX_PULL, Pulled, Source, pull_from};
use crate::deflate::deflater::Flush;
use crate::deflate::pool::Scratch;
use crate::error::SendError;
use crate::event::Kind;
use crate::rsv::Rsv;

/// How much of a message that is sent in pieces the deflater may hold back before it is flushed.
const MAX_HELD_BACK: usize = 16 << 10;

/// What `len` bytes are at most when compressed and flushed. They grow most in blocks with fixed codes, where a byte
/// can take nine bits, and in stored blocks of the smallest memory level, each with a header of five bytes.
const fn compressed_bound(len: usize) -> usize {
    len.saturating_add(len / 8).saturating_add(len / 64).saturating_add(64)
}

impl Connection {
    /// Whether a message of `len` bytes is to be compressed.
    #[inline]
    pub(in crate::conn) fn compresses(&self, len: usize) -> bool {
        self.compresses_from().is_some_and(|from| len >= from)
    }

    /// How long a message has to be to be compressed; `None` if none is.
    #[inline]
    pub(in crate::conn) fn compresses_from(&self) -> Option<usize> {
        self.deflate.as_ref().filter(|deflate| deflate.enabled).map(|deflate| deflate.min_size)
    }

    /// Compresses a whole message and queues it; as it is if that is no longer.
    pub(in crate::conn) fn push_compressed<O: Outbound>(
        &mut self,
        tx: &mut O,
        kind: Kind,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        let plain = First::new(kind);
        // Asked for first, as what finds no room must not have gone through the deflater.
        tx.reserve(self.encoded_size(bytes.len()))?;
        let Some(deflate) = &mut self.deflate else { return self.push_message(tx, plain, bytes, true) };
        let mut compressed = Scratch::take();
        deflate.deflater.deflate(bytes, Flush::Finish, &mut compressed);
        if compressed.len() < bytes.len() {
            return self.push_message(tx, First { rsv: Rsv::RSV1, ..plain }, &compressed, true);
        }
        // The peer will not see what the deflater has seen.
        deflate.deflater.release();
        self.push_message(tx, plain, bytes, true)
    }

    /// Compresses the next piece of a message and queues what comes out, all or nothing; says whether that is a frame.
    pub(in crate::conn) fn push_compressed_piece<O: Outbound>(
        &mut self,
        tx: &mut O,
        first: First,
        bytes: &[u8],
        flush: Flush,
    ) -> Result<bool, SendError> {
        tx.reserve(self.compressed_size(bytes.len()))?;
        let Some(deflate) = &mut self.deflate else { return Ok(false) };
        let mut compressed = Scratch::take();
        deflate.deflater.deflate(bytes, flush, &mut compressed);
        deflate.held_back = if flush == Flush::None { deflate.held_back + bytes.len() } else { 0 };
        let fin = flush == Flush::Finish;
        let is_frame = fin || !compressed.is_empty();
        if is_frame {
            self.push_message(tx, first, &compressed, fin)?;
        }
        Ok(is_frame)
    }

    /// Asks a source for the next piece of a message that is compressed, and flushes it.
    pub(in crate::conn) fn pull_compressed<O: Outbound, S: Source + ?Sized>(
        &mut self,
        tx: &mut O,
        source: &mut S,
    ) -> Result<Pulled, SendError> {
        let mut piece = Scratch::take();
        piece.resize(self.compressible(tx, MAX_PULL)?, 0);
        let Some((len, fin)) = pull_from(source, &mut piece)? else { return Ok(Pulled::Pending) };
        self.push_piece(tx, &piece[..len], if fin { Flush::Finish } else { Flush::Sync })?;
        Ok(if fin { Pulled::Finished } else { Pulled::Fragment })
    }

    /// How much of `len` bytes can be compressed now and queued, whatever comes out: at least one. What is held back is
    /// flushed first if it is much, or leaves no room for more.
    pub(in crate::conn) fn compressible<O: Outbound>(
        &mut self,
        tx: &mut O,
        len: usize,
    ) -> Result<usize, SendError> {
        let held_back = self.deflate.as_ref().map_or(0, |deflate| deflate.held_back);
        let is_tight = tx.reserve(self.compressed_size(1)).is_err();
        if held_back >= MAX_HELD_BACK || (held_back > 0 && is_tight) {
            self.push_piece(tx, &[], Flush::Sync)?;
        }
        let mut n = len.min(MAX_HELD_BACK);
        loop {
            match tx.reserve(self.compressed_size(n)) {
                Ok(()) => return Ok(n),
                Err(no_room) if n <= 1 => return Err(no_room.into()),
                Err(_) => n /= 2,
            }
        }
    }

    /// Forgets what was compressed: nothing that is sent later refers to it.
    pub(in crate::conn) fn forget_compressed(&mut self) {
        if let Some(deflate) = &mut self.deflate {
            deflate.deflater.release();
            deflate.held_back = 0;
        }
    }

    /// What the next `len` bytes of a message and what is held back of it are at most in the output.
    fn compressed_size(&self, len: usize) -> usize {
        let held_back = self.deflate.as_ref().map_or(0, |deflate| deflate.held_back);
        self.encoded_size(compressed_bound(len.saturating_add(held_back)))
    }
}
