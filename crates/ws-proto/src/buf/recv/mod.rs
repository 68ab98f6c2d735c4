//! The receive buffer: bytes from the transport, and the message that is put together from them.

mod delivered;
mod message;
mod room;

use core::fmt;

pub(super) use self::delivered::Delivered;
pub(crate) use self::delivered::EventNumber;
#[cfg(feature = "alloc")]
pub(crate) use self::delivered::Taken;
use self::room::FIRST_SIZE;
use super::storage::Storage;
use crate::utf8::Utf8Validator;
use crate::wire::header::MAX_CONTROL_FRAME;

/// A fixed buffer holds, beside an unfinished message, the control frame that may come between its fragments.
pub(crate) const RESERVED: usize = MAX_CONTROL_FRAME;

/// Where received bytes wait, and where messages are put together from them.
///
/// The storage is the caller's: an array, a slice, or a `Vec` that grows with what was received, never with what was
/// announced. Its content, in this order:
///
/// ```text
///   0        message.start   message.end   parsed        filled          len
///   | dead   | message       | hole        | unparsed    | spare         |
///              unmasked and    headers and   as received   room for the
///              checked so far  control frames              next read
/// ```
///
/// A message is unmasked where it was received and delivered from there. The payload of a later fragment is moved once,
/// behind the fragments before it. Consuming a message moves a cursor; what is left before the next read moves down only
/// if room is needed, or if it is little.
///
/// ```
/// use ws_proto::RecvBuf;
///
/// let mut rx = RecvBuf::new([0_u8; 1024]);
/// let read = {
///     let spare = rx.spare_mut(); // hand this to `read`
///     spare[..2].copy_from_slice(&[0x81, 0x80]);
///     2
/// };
/// rx.commit(read);
/// assert_eq!(rx.unparsed(), [0x81, 0x80]);
/// ```
pub struct RecvBuf<S> {
    pub(super) storage: S,
    // INVARIANT: message.start <= message.end <= parsed <= filled <= storage.len()
    pub(super) message_start: usize,
    pub(super) message_end: usize,
    /// How many of the last bytes of the message were not checked to be text.
    unchecked: usize,
    // INVARIANT: has accepted exactly the bytes of the message but the unchecked ones. It is here and not in the
    // connection, so that whoever passes another buffer in the middle of a message gets no text that nobody checked.
    utf8: Utf8Validator,
    parsed: usize,
    filled: usize,
    /// Up to where the first frame of the message that is being received reaches, or will; possibly far beyond the
    /// storage. Nothing but `filled` says how much of it is there.
    frame_end: usize,
    /// What the last event refers to. Forgotten before any byte moves or changes.
    pub(super) delivered: Delivered,
    /// What came out of compressed messages; nothing before the first of them.
    #[cfg(feature = "deflate")]
    pub(super) inflated: Option<alloc::boxed::Box<super::inflated::Inflated>>,
    /// The last read filled all the room it was offered, so that there is probably more.
    read_filled: bool,
}

impl<S: Storage> RecvBuf<S> {
    /// A buffer of fixed size needs at least this many bytes for any traffic at all: the largest control frame.
    ///
    /// With a fixed size of `n`, messages of one frame may have up to `n` bytes, fragmented ones up to `n - MIN_SIZE`,
    /// for a control frame may come between two fragments; `Error::MessageTooBig` says that one had more.
    pub const MIN_SIZE: usize = RESERVED;

    /// An empty buffer in `storage`; what the storage holds is not read.
    pub const fn new(storage: S) -> Self {
        Self {
            storage,
            message_start: 0,
            message_end: 0,
            unchecked: 0,
            utf8: Utf8Validator::new(),
            parsed: 0,
            filled: 0,
            frame_end: 0,
            delivered: Delivered::NONE,
            #[cfg(feature = "deflate")]
            inflated: None,
            read_filled: false,
        }
    }

    /// The room for the next read. Say with [`commit`](Self::commit) how much of it was filled.
    ///
    /// It is empty only if a buffer of fixed size is full of bytes that were not yet received from: call
    /// [`Connection::receive`](crate::Connection::receive) until it gives `None` before each read, and it never is.
    /// Take care otherwise: a read into an empty slice returns 0, which looks like the end of the stream.
    #[inline]
    pub fn spare_mut(&mut self) -> &mut [u8] {
        if self.live() == 0 && !self.read_filled && self.capacity() >= FIRST_SIZE {
            // As mostly: all was received, and there is room enough for more of the like.
            self.reset();
        } else {
            self.make_room();
        }
        &mut self.storage.bytes_mut()[self.filled..]
    }

    /// Says that the first `n` bytes of the spare room now hold received bytes.
    ///
    /// More than there is room for is a mistake of the caller's or a lying transport; the surplus is ignored.
    #[inline]
    pub fn commit(&mut self, n: usize) {
        let spare = self.storage.bytes().len() - self.filled;
        self.read_filled = n >= spare && n > 0;
        self.filled += n.min(spare);
    }

    /// Copies received bytes into the buffer, as many as there is room for, and says how many those were.
    ///
    /// For bytes that came another way than by reading into [`spare_mut`](Self::spare_mut): left over behind an HTTP
    /// request that someone else parsed, or taken from a ring.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) -> usize {
        let mut copied = 0;
        while copied < bytes.len() {
            let spare = self.spare_mut();
            let n = spare.len().min(bytes.len() - copied);
            if n == 0 {
                break;
            }
            spare[..n].copy_from_slice(&bytes[copied..copied + n]);
            self.commit(n);
            copied += n;
        }
        copied
    }

    /// Whether nothing is kept here: no received byte and no part of a message.
    pub fn is_empty(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.has_inflated() {
            return false;
        }
        self.live() == 0
    }

    /// The bytes that were received and not yet looked at.
    pub fn unparsed(&self) -> &[u8] {
        &self.storage.bytes()[self.parsed..self.filled]
    }

    /// The bytes that were received and not yet looked at, to be unmasked where they lie.
    #[inline]
    pub(crate) fn unparsed_mut(&mut self) -> &mut [u8] {
        &mut self.storage.bytes_mut()[self.parsed..self.filled]
    }

    /// The present size of the storage in bytes.
    pub fn capacity(&self) -> usize {
        self.storage.bytes().len()
    }

    /// Gives memory back if the storage can shrink and nothing is kept in it: to `size` bytes, 0 included.
    ///
    /// For a connection that has gone idle. The next [`spare_mut`](Self::spare_mut) makes room again. With `std`, a `Vec` that
    /// shrinks to nothing is kept by the thread for the next one that grows: up to eight of at most 128 KiB, and larger ones of
    /// 16 MiB together. So that costs next to nothing, and all idle connections of a thread together hold no more than that.
    pub fn shrink(&mut self, size: usize) {
        if !self.is_empty() {
            return;
        }
        #[cfg(feature = "deflate")]
        if self.inflated.is_some() {
            self.reset();
            self.inflated = None;
        }
        if self.capacity() > size {
            self.reset();
            self.storage.shrink(size);
        }
    }

    /// Gives the storage back. Bytes not yet received from are lost: see [`unparsed`](Self::unparsed).
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// How many bytes are kept.
    const fn live(&self) -> usize {
        self.message_len() + (self.filled - self.parsed)
    }

    /// What the storage holds is nothing worth keeping.
    fn reset(&mut self) {
        self.forget_delivered();
        self.parsed = 0;
        self.filled = 0;
        self.frame_end = 0;
        self.begin_region();
    }

    /// How many bytes of `needed`, message included, fit if everything dead is forgotten.
    pub(crate) fn can_hold(&self, needed: u64) -> bool {
        needed <= self.storage.max_len() as u64
    }

    /// The limit that the storage itself puts on messages.
    pub(crate) fn max_len(&self) -> usize {
        self.storage.max_len()
    }

    /// The length of the message so far, without what was given in pieces.
    pub(crate) const fn message_len(&self) -> usize {
        self.message_end - self.message_start
    }

    /// Whether no further byte can be received until one is consumed.
    pub(crate) fn is_stuck(&self) -> bool {
        self.live() >= self.storage.max_len()
    }
}

#[cfg(feature = "alloc")]
impl Default for RecvBuf<alloc::vec::Vec<u8>> {
    /// An empty buffer that grows as bytes arrive. It takes no memory before the first
    /// [`spare_mut`](Self::spare_mut).
    fn default() -> Self {
        Self::new(alloc::vec::Vec::new())
    }
}

/// The sizes, not the bytes: what was received does not belong into logs.
impl<S: Storage> fmt::Debug for RecvBuf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvBuf")
            .field("message", &(self.message_end - self.message_start))
            .field("unparsed", &(self.filled - self.parsed))
            .field("capacity", &self.capacity())
            .finish()
    }
}
