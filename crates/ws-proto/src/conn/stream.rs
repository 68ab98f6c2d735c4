//! Sending messages in pieces: pushed by the caller, or pulled from a source.

use super::send::First;
use super::{Connection, Flush};
use crate::buf::outbound::Outbound;
use crate::close_code::CloseCode;
use crate::error::SendError;
use crate::event::Kind;
use crate::rsv::Rsv;
use crate::time::Instant;
use crate::utf8::Utf8Validator;
use crate::wire::header::EncodedHeader;
use crate::wire::mask;

/// How much a source is asked for at once.
pub(super) const MAX_PULL: usize = 16 << 10;

/// What is known of a message that is being sent in pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing {
    pub(super) unfinished: Option<Unfinished>,
    utf8: Utf8Validator,
}

/// A message whose last piece is still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unfinished {
    kind: Kind,
    rsv: Rsv,
    /// A frame of it was queued.
    has_frames: bool,
    compressed: bool,
}

impl Outgoing {
    pub(super) const fn new() -> Self {
        Self { unfinished: None, utf8: Utf8Validator::new() }
    }
}

impl Unfinished {
    const fn first(self) -> First {
        if self.has_frames {
            First::CONTINUATION
        } else {
            let rsv = if self.compressed { self.rsv.union(Rsv::RSV1) } else { self.rsv };
            First { opcode: self.kind.opcode(), rsv }
        }
    }

    /// Whether the payload is text, and not what an extension made of it.
    fn is_checked(self) -> bool {
        self.kind == Kind::Text && self.rsv.is_empty()
    }
}

/// Where a message comes from that is not there as a whole: a file, another connection, a generator.
///
/// It is asked for the next piece whenever the output has room. Any `FnMut(&mut [u8]) -> Pull` is a source:
///
/// ```
/// use ws_proto::{Config, Connection, Instant, Kind, Pull, Pulled, Role, SendBuf};
///
/// # fn main() -> Result<(), ws_proto::SendError> {
/// let mut conn = Connection::new(Role::Server, Config::default(), Instant::ZERO);
/// let mut tx = SendBuf::new([0; 64]);
/// let mut pieces = ["Hel", "lo"].into_iter().peekable();
/// let mut source = |room: &mut [u8]| {
///     let Some(piece) = pieces.next() else { return Pull::Failed };
///     room[..piece.len()].copy_from_slice(piece.as_bytes());
///     if pieces.peek().is_some() { Pull::Data(piece.len()) } else { Pull::Last(piece.len()) }
/// };
///
/// conn.begin_message(Kind::Text)?;
/// assert_eq!(conn.pull_message(Instant::ZERO, &mut tx, &mut source)?, Pulled::Fragment);
/// assert_eq!(conn.pull_message(Instant::ZERO, &mut tx, &mut source)?, Pulled::Finished);
/// let transmit = conn.poll_transmit(Instant::ZERO, &mut tx).unwrap();
/// assert_eq!(transmit.slices()[0], b"\x01\x03Hel\x80\x02lo");
/// # Ok(())
/// # }
/// ```
pub trait Source {
    /// Writes the next piece to the front of `room`, which is never empty, and says how much that was.
    ///
    /// More than there is room for is an error, and not cut off.
    fn pull(&mut self, room: &mut [u8]) -> Pull;
}

impl<F: FnMut(&mut [u8]) -> Pull> Source for F {
    fn pull(&mut self, room: &mut [u8]) -> Pull {
        self(room)
    }
}

/// What a [`Source`] has.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Pull {
    /// So many bytes, and there may be more. None at all counts as [`Pending`](Self::Pending).
    Data(usize),
    /// It failed: the message cannot be finished, and the connection closes with 1011.
    Failed,
    /// So many bytes, possibly none, and they are the last.
    Last(usize),
    /// Nothing now. It is not asked again before somebody says that it is worth while.
    Pending,
}

/// What came of asking a [`Source`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Pulled {
    /// The message is finished; the source is not needed any more.
    Finished,
    /// A fragment was queued. Ask again.
    Fragment,
    /// The source has nothing now. Ask again when it has, and not before: there is no use in being writable meanwhile.
    Pending,
}

impl Connection {
    /// Queues a part of a message, `fin` with the last. The parts of a text need not end at a character.
    ///
    /// Frame boundaries carry no meaning for the peer (RFC 6455 section 5.4). Control frames may be sent between
    /// fragments, and other messages not.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; `MessageInProgress` if an unfinished message is of the other
    /// kind. Nothing is queued then.
    pub fn send_fragment<O: Outbound>(
        &mut self,
        tx: &mut O,
        kind: Kind,
        bytes: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        self.check_open()?;
        let before = self.outgoing;
        match before.unfinished {
            // As a whole it can be too small to be worth it.
            None => self.begin(kind, Rsv::NONE, if fin { self.compresses(bytes.len()) } else { true }),
            Some(unfinished) if unfinished.kind == kind => {}
            Some(_) => return Err(SendError::MessageInProgress),
        }
        let flush = if fin { Flush::Finish } else { Flush::Sync };
        self.push_piece(tx, bytes, flush).inspect_err(|_| self.set_outgoing(before))
    }

    /// Begins a message that is sent in pieces: with [`write_message`](Self::write_message) and
    /// [`finish_message`](Self::finish_message), or from a [`Source`] with [`pull_message`](Self::pull_message).
    ///
    /// Nothing is queued before the first piece. Until the message is finished no other can be sent; control frames
    /// can. It counts in [`Outbound::queued_messages`] from when its last piece is queued.
    ///
    /// # Errors
    ///
    /// `MessageInProgress` or `Closing`.
    pub fn begin_message(&mut self, kind: Kind) -> Result<(), SendError> {
        self.begin_message_with_rsv(Rsv::NONE, kind)
    }

    /// The same as [`begin_message`](Self::begin_message) with reserved bits on the first frame.
    ///
    /// # Errors
    ///
    /// `MessageInProgress` or `Closing`, and `ReservedBits` if `Config::allowed_rsv` does not have them.
    pub fn begin_message_with_rsv(&mut self, rsv: Rsv, kind: Kind) -> Result<(), SendError> {
        self.check_message()?;
        self.check_rsv(rsv)?;
        self.begin(kind, rsv, true);
        Ok(())
    }

    /// Queues as much of `bytes` as there is room for, and as one frame of `Config::fragment_size` takes, as the next
    /// piece of the message, and says how much that was: at least one byte of any.
    ///
    /// # Errors
    ///
    /// `Full` if there is no room now, `MessageTooBig` if the output cannot hold a single byte with its header (of 2
    /// bytes, 6 for a client), `InvalidUtf8`, `NoMessage` without [`begin_message`](Self::begin_message), or
    /// `Closing`. Nothing is queued then, and the message is as it was.
    pub fn write_message<O: Outbound>(&mut self, tx: &mut O, bytes: &[u8]) -> Result<usize, SendError> {
        let unfinished = self.check_unfinished()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let n = if unfinished.compressed {
            self.compressible(tx, bytes.len())?
        } else {
            bytes.len().min(self.room(tx)?)
        };
        self.push_piece(tx, &bytes[..n], Flush::None)?;
        Ok(n)
    }

    /// Finishes the message: with an empty final frame, as what was written is queued already.
    ///
    /// # Errors
    ///
    /// `Full` if there is no room, `InvalidUtf8` if a text stops inside a character, `NoMessage` or `Closing`. Nothing
    /// is queued then.
    pub fn finish_message<O: Outbound>(&mut self, tx: &mut O) -> Result<(), SendError> {
        self.check_unfinished()?;
        self.push_piece(tx, &[], Flush::Finish)
    }

    /// Queues all that was written of the message so far. If it is not compressed, that is so anyway; a compressed one
    /// is held back otherwise until there are 16 KiB of it or it is finished, as each flush costs a few bytes and some
    /// of the compression.
    ///
    /// # Errors
    ///
    /// `Full` if there is no room, `NoMessage` or `Closing`.
    pub fn flush_message<O: Outbound>(&mut self, tx: &mut O) -> Result<(), SendError> {
        let unfinished = self.check_unfinished()?;
        if unfinished.compressed { self.push_piece(tx, &[], Flush::Sync) } else { Ok(()) }
    }

    /// Gives up the message. If a piece of it is queued, that cannot be taken back, and there is no way to tell the
    /// peer but to close the connection with 1011; otherwise nothing happened.
    pub fn abort_message(&mut self, now: Instant) {
        let Some(unfinished) = self.outgoing.unfinished else { return };
        self.set_outgoing(Outgoing::new());
        if unfinished.compressed {
            self.forget_compressed();
        }
        if unfinished.has_frames {
            // If it closes already, that is as good.
            let _ = self.close(now, CloseCode::INTERNAL_ERROR, "");
        }
    }

    /// Asks `source` for the next piece of the message and queues it. The source writes where the output waits, so that
    /// nothing is copied.
    ///
    /// Call this while it gives `Fragment`, when there is room; after `Finished` and after an error other than `Full`,
    /// the source is not needed any more.
    ///
    /// # Errors
    ///
    /// `Full`, `MessageTooBig`, `NoMessage` or `Closing` as for [`write_message`](Self::write_message); the source
    /// was not asked then. `SourceFailed` if the source failed or claimed more than it was offered, and `InvalidUtf8`
    /// if it gave what is no text: the message is given up, and the connection closes with 1011, whether any of the
    /// message was queued or not. Who wants to go on gives up with [`abort_message`](Self::abort_message) before the
    /// first piece.
    pub fn pull_message<O: Outbound, S: Source + ?Sized>(
        &mut self,
        now: Instant,
        tx: &mut O,
        source: &mut S,
    ) -> Result<Pulled, SendError> {
        let unfinished = self.check_unfinished()?;
        let result = if unfinished.compressed {
            self.pull_compressed(tx, source)
        } else {
            self.pull_plain(tx, source, unfinished)
        };
        // What has no room was not asked for.
        if let Err(error) = result
            && !matches!(error, SendError::Full | SendError::MessageTooBig)
        {
            self.set_outgoing(Outgoing::new());
            // If it closes already, that is as good.
            let _ = self.close(now, CloseCode::INTERNAL_ERROR, "");
        }
        result
    }

    fn pull_plain<O: Outbound, S: Source + ?Sized>(
        &mut self,
        tx: &mut O,
        source: &mut S,
        unfinished: Unfinished,
    ) -> Result<Pulled, SendError> {
        let masked = self.role.is_client();
        let room = self.room(tx)?.min(MAX_PULL);
        let reserved = EncodedHeader::size_for(room, masked);
        tx.reserve(reserved + room)?;

        let Self { outgoing, role, .. } = &mut *self;
        let mut result = Ok(Pulled::Pending);
        tx.push_with(reserved + room, &mut |out: &mut [u8]| {
            let (n, fin) = match pull_from(source, &mut out[reserved..]) {
                Ok(Some(pulled)) => pulled,
                Ok(None) => return (0, false),
                Err(error) => {
                    result = Err(error);
                    return (0, false);
                }
            };
            let payload = reserved..reserved + n;
            if unfinished.is_checked() {
                let utf8 = &mut outgoing.utf8;
                let checked = utf8.update(&out[payload.clone()]);
                if checked.and_then(|()| if fin { utf8.finish() } else { Ok(()) }).is_err() {
                    result = Err(SendError::InvalidUtf8);
                    return (0, false);
                }
            }
            let key = role.next_key();
            if let Some(key) = key {
                mask::apply(key, &mut out[payload.clone()]);
            }
            let first = unfinished.first();
            let header = EncodedHeader::new(fin, first.rsv, first.opcode, n, key);
            // A piece much smaller than the room may have a shorter header.
            let header = header.as_slice();
            if header.len() < reserved {
                out.copy_within(payload, header.len());
            }
            out[..header.len()].copy_from_slice(header);
            result = Ok(if fin { Pulled::Finished } else { Pulled::Fragment });
            (header.len() + n, fin)
        });
        match result {
            Ok(Pulled::Finished) => self.set_outgoing(Outgoing::new()),
            Ok(Pulled::Fragment) => {
                self.outgoing.unfinished = Some(Unfinished { has_frames: true, ..unfinished });
            }
            Ok(Pulled::Pending) | Err(_) => {}
        }
        result
    }

    /// Whether a message was begun with [`begin_message`](Self::begin_message) or
    /// [`send_fragment`](Self::send_fragment) and is not finished.
    pub const fn is_message_in_progress(&self) -> bool {
        self.outgoing.unfinished.is_some()
    }

    /// `compressed` if it is to be where that is agreed on; with reserved bits it never is.
    fn begin(&mut self, kind: Kind, rsv: Rsv, compressed: bool) {
        let compressed = compressed && rsv.is_empty() && self.compresses(usize::MAX);
        let unfinished = Some(Unfinished { kind, rsv, has_frames: false, compressed });
        self.set_outgoing(Outgoing { unfinished, utf8: Utf8Validator::new() });
    }

    fn set_outgoing(&mut self, outgoing: Outgoing) {
        self.outgoing = outgoing;
        self.update_short_ways();
    }

    fn check_unfinished(&self) -> Result<Unfinished, SendError> {
        self.check_open()?;
        self.outgoing.unfinished.ok_or(SendError::NoMessage)
    }

    /// How much payload the next frame may have.
    fn room<O: Outbound>(&self, tx: &O) -> Result<usize, SendError> {
        match EncodedHeader::max_payload(tx.room(), self.role.is_client()) {
            // Nothing has to go first: there is never more room than now.
            0 if tx.buffered() == 0 => Err(SendError::MessageTooBig),
            0 => Err(SendError::Full),
            room => Ok(room.min(self.config.fragment_size)),
        }
    }

    /// Queues the next piece of the unfinished message, all or nothing. Only what is compressed can be held back.
    pub(super) fn push_piece<O: Outbound>(
        &mut self,
        tx: &mut O,
        bytes: &[u8],
        flush: Flush,
    ) -> Result<(), SendError> {
        let unfinished = self.check_unfinished()?;
        let fin = flush == Flush::Finish;
        let mut utf8 = self.outgoing.utf8;
        if unfinished.is_checked() {
            let checked = utf8.update(bytes).and_then(|()| if fin { utf8.finish() } else { Ok(()) });
            checked.map_err(|_| SendError::InvalidUtf8)?;
        }
        let first = unfinished.first();
        let is_frame = if unfinished.compressed {
            self.push_compressed_piece(tx, first, bytes, flush)?
        } else {
            self.push_message(tx, first, bytes, fin)?;
            true
        };
        let has_frames = unfinished.has_frames || is_frame;
        let unfinished = if fin { None } else { Some(Unfinished { has_frames, ..unfinished }) };
        self.set_outgoing(Outgoing { unfinished, utf8 });
        Ok(())
    }
}

/// Asks a source for as much as `room` takes: how much came, and whether it was the last; `None` if there is nothing
/// now.
pub(super) fn pull_from<S: Source + ?Sized>(
    source: &mut S,
    room: &mut [u8],
) -> Result<Option<(usize, bool)>, SendError> {
    match source.pull(room) {
        Pull::Pending | Pull::Data(0) => Ok(None),
        Pull::Data(n) if n <= room.len() => Ok(Some((n, false))),
        Pull::Last(n) if n <= room.len() => Ok(Some((n, true))),
        Pull::Data(_) | Pull::Failed | Pull::Last(_) => Err(SendError::SourceFailed),
    }
}
