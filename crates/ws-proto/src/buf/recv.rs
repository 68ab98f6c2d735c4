//! The receive buffer: bytes from the transport, and the message that is put together from them.

use core::fmt;

use super::storage::Storage;
use crate::utf8::{InvalidUtf8, Utf8Validator};
use crate::wire::header::MAX_CONTROL_FRAME;

/// The first size of storage that grows, and the room that a read is offered at first.
#[cfg_attr(not(feature = "alloc"), allow(dead_code))]
const FIRST_SIZE: usize = 4 << 10;
/// How far storage grows only because reads fill it; a large message takes it further. With less, several messages of
/// 16 KiB that come together take a read more than they need, which costs more than the memory: it is the thread's, and
/// the connection's only as long as something is in it.
const MAX_READ: usize = 128 << 10;
/// From here on it grows to the end of a large frame at once.
const LARGE: usize = 64 << 10;
/// Room behind a large frame, so that the read that completes it leaves some, and is not followed by one in vain.
const BEHIND_FRAME: usize = 4 << 10;
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
/// A message of one frame is never moved: it is unmasked where it was received and delivered from there. The payload of
/// a later fragment is moved once, behind the fragments before it. Consuming a message moves a cursor; bytes move down
/// only when room is needed.
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

/// The part of the buffer that an event refers to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivered {
    pub(super) start: usize,
    pub(super) end: usize,
    // INVARIANT: set only for bytes that the UTF-8 validator has accepted from the first to the last.
    pub(super) utf8: bool,
    /// They are among what was inflated, and not in the storage.
    #[cfg(feature = "deflate")]
    pub(super) inflated: bool,
    pub(super) number: EventNumber,
}

/// Which event of a buffer it was: that is all that is handed about of it. Comes round after 2^32 events.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct EventNumber(u32);

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
            delivered: Delivered {
                start: 0,
                end: 0,
                utf8: false,
                #[cfg(feature = "deflate")]
                inflated: false,
                number: EventNumber(0),
            },
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
    pub fn spare_mut(&mut self) -> &mut [u8] {
        self.make_room();
        &mut self.storage.bytes_mut()[self.filled..]
    }

    /// Says that the first `n` bytes of the spare room now hold received bytes.
    ///
    /// More than there is room for is a mistake of the caller's or a lying transport; the surplus is ignored.
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

    /// What an event refers to is about to move or change.
    #[inline]
    pub(super) fn forget_delivered(&mut self) {
        self.delivered = Delivered { number: self.delivered.number, ..Delivered::default() };
    }

    /// What the storage holds is nothing worth keeping.
    fn reset(&mut self) {
        self.forget_delivered();
        self.parsed = 0;
        self.filled = 0;
        self.frame_end = 0;
        self.begin_region();
    }

    /// Makes spare room: by forgetting what is dead, by moving what is not together, by growing; in this order.
    fn make_room(&mut self) {
        self.forget_delivered();
        if self.live() == 0 {
            self.reset();
        }
        let len = self.capacity();
        // A frame that fits where it lies needs no more room.
        let is_tight = |buffer: &Self| {
            len - buffer.filled < len / 4 && !(buffer.filled + 1..=len).contains(&buffer.frame_end)
        };
        // Moving is worth while only for a good deal of room; and a fixed buffer near its end has to anyway.
        if is_tight(self) || len == self.filled {
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

    // What the connection does with the buffer.

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

    /// Passes over `n` unparsed bytes: a header, or something that nobody wants.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.filled - self.parsed);
        self.forget_delivered();
        self.parsed = (self.parsed + n).min(self.filled);
    }

    /// Passes over all unparsed bytes and forgets the unfinished message.
    pub(crate) fn discard(&mut self) {
        self.reset();
        self.begin_message();
    }

    /// Forgets the unfinished message; unparsed bytes stay.
    pub(crate) fn discard_message(&mut self) {
        self.forget_delivered();
        self.begin_message();
    }

    /// Begins a message at the first unparsed byte, so that its first frame need not move.
    #[inline]
    pub(crate) fn begin_message(&mut self) {
        #[cfg(feature = "deflate")]
        self.discard_inflated();
        self.begin_region();
    }

    #[inline]
    fn begin_region(&mut self) {
        self.message_start = self.parsed;
        self.message_end = self.parsed;
        self.unchecked = 0;
        self.utf8 = Utf8Validator::new();
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

    /// Takes the next `n` unparsed bytes into the message. They are the last ones of what comes back, to be unmasked and
    /// moved to its front by whoever called, in one pass; the other number is how far, mostly not at all.
    ///
    /// ```text
    ///   before  | message |  hole  | unparsed      |
    ///                     |  from  | n bytes | these come back, and belong to the message from the hole on
    /// ```
    #[inline]
    pub(crate) fn append_to_message(&mut self, n: usize) -> (&mut [u8], usize) {
        debug_assert!(n <= self.filled - self.parsed);
        self.forget_delivered();
        if self.message_start == self.message_end {
            // Nothing before it: the message may as well begin here.
            self.message_start = self.parsed;
            self.message_end = self.parsed;
        }
        let (from, to) = (self.parsed, self.message_end);
        self.message_end += n;
        self.parsed += n;
        self.unchecked += n;
        (&mut self.storage.bytes_mut()[to..from + n], from - to)
    }

    /// The first `n` bytes of the message were compressed, and are inflated.
    #[cfg(feature = "deflate")]
    pub(super) fn consume_compressed(&mut self, n: usize) {
        self.message_start += n.min(self.message_len());
        self.unchecked = self.unchecked.min(self.message_len());
        if self.message_len() == 0 {
            self.begin_region();
        }
    }

    /// Checks what was taken into the message since this was last asked: as text that goes on from what is before it.
    /// Of what is not, the part before the fault stays.
    ///
    /// The last `ascii` bytes of it are known to be ASCII; if that is all of it, it is not looked at again.
    #[inline]
    pub(crate) fn check_text(&mut self, ascii: usize) -> Result<(), InvalidUtf8> {
        let from = self.message_end - self.unchecked;
        let seen = ascii == self.unchecked && self.ends_with_character();
        self.unchecked = 0;
        if seen {
            return Ok(());
        }
        let checked = self.utf8.update(&self.storage.bytes()[from..self.message_end]);
        checked.inspect_err(|fault| self.message_end = from + fault.valid_up_to)
    }

    /// Whether the message, as far as it was checked, does not stop inside a character.
    #[inline]
    pub(crate) fn ends_with_character(&self) -> bool {
        self.utf8.finish().is_ok()
    }

    /// The bytes that were received and not yet looked at, to be unmasked where they lie.
    #[inline]
    pub(crate) fn unparsed_mut(&mut self) -> &mut [u8] {
        &mut self.storage.bytes_mut()[self.parsed..self.filled]
    }

    /// Takes a whole frame that is no part of a message that is put together: passes over its header, and delivers its
    /// payload. If it is text, it was checked.
    #[inline]
    pub(crate) fn deliver_whole(&mut self, header: usize, payload: usize, utf8: bool) -> EventNumber {
        debug_assert!(header + payload <= self.filled - self.parsed);
        let start = self.parsed + header;
        let end = start + payload;
        self.parsed = end;
        self.delivered = self.next_delivered(start, end, utf8);
        self.delivered.number
    }

    /// Ends the message: it is what the next event refers to, and dead once the buffer is used again.
    #[inline]
    pub(crate) fn deliver_message(&mut self, text: bool) -> EventNumber {
        let utf8 = text && self.unchecked == 0 && self.ends_with_character();
        self.deliver(self.message_end, utf8);
        self.begin_region();
        self.delivered.number
    }

    /// The message so far is what the next event refers to, and dead once the buffer is used again; the beginning of a
    /// character, if it is text, is held back and goes on being the message. `None` if that leaves nothing.
    #[inline]
    pub(crate) fn deliver_piece(&mut self, text: bool) -> Option<EventNumber> {
        let utf8 = text && self.unchecked == 0;
        let held_back = if utf8 { self.utf8.unfinished() } else { 0 };
        let end = self.message_end.saturating_sub(held_back).max(self.message_start);
        if end == self.message_start {
            return None;
        }
        self.deliver(end, utf8);
        if utf8 {
            self.message_start = end;
        } else {
            self.begin_region();
        }
        Some(self.delivered.number)
    }

    /// The message up to `end` is what the next event refers to.
    #[inline]
    fn deliver(&mut self, end: usize, utf8: bool) {
        self.delivered = self.next_delivered(self.message_start, end, utf8);
    }

    #[inline]
    pub(super) const fn next_delivered(&self, start: usize, end: usize, utf8: bool) -> Delivered {
        Delivered {
            start,
            end,
            utf8,
            #[cfg(feature = "deflate")]
            inflated: false,
            number: EventNumber(self.delivered.number.0.wrapping_add(1)),
        }
    }

    /// The bytes that an event refers to; none if the buffer was used since.
    #[inline]
    pub(crate) fn delivered(&self, number: EventNumber) -> &[u8] {
        let what = &self.delivered;
        if number != what.number {
            return &[];
        }
        #[cfg(feature = "deflate")]
        if what.inflated {
            return self.inflated.as_ref().map_or(&[], |inflated| inflated.bytes(what));
        }
        &self.storage.bytes()[what.start..what.end]
    }

    /// The same as text; empty as well if what is there was not checked to be text.
    #[inline]
    pub(crate) fn delivered_text(&self, number: EventNumber) -> &str {
        if !self.delivered.utf8 {
            return "";
        }
        super::text::from_checked(self.delivered(number))
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
