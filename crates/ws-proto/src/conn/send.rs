//! Sending: messages in, frames queued.

use super::Connection;
use crate::buf::outbound::{Frame, NoRoom, Outbound};
use crate::error::SendError;
use crate::event::{Kind, Message};
use crate::rsv::Rsv;
use crate::utf8::is_utf8;
use crate::wire::header::{EncodedHeader, MAX_CONTROL_PAYLOAD, Opcode};
use crate::wire::short::ShortHeader;

impl From<NoRoom> for SendError {
    fn from(no_room: NoRoom) -> Self {
        match no_room {
            NoRoom::Never => Self::MessageTooBig,
            NoRoom::Now => Self::Full,
        }
    }
}

impl Kind {
    pub(super) const fn opcode(self) -> Opcode {
        match self {
            Self::Binary => Opcode::Binary,
            Self::Text => Opcode::Text,
        }
    }
}

/// What the first of the frames to be queued has beside its payload; the others are continuations.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    pub(super) opcode: Opcode,
    pub(super) rsv: Rsv,
}

impl First {
    pub(super) const CONTINUATION: Self = Self { opcode: Opcode::Continuation, rsv: Rsv::NONE };

    pub(super) const fn new(kind: Kind) -> Self {
        Self { opcode: kind.opcode(), rsv: Rsv::NONE }
    }
}

impl Connection {
    /// Queues a message: as one frame, or as several if it is longer than `Config::fragment_size`. The payload is
    /// copied once, and masked on the way if this is a client.
    ///
    /// Nothing is transmitted yet; see [`poll_transmit`](Self::poll_transmit).
    ///
    /// # Errors
    ///
    /// `Full`, `MessageTooBig`, `MessageInProgress` or `Closing`. Nothing is queued then.
    #[inline]
    pub fn send<O: Outbound>(&mut self, tx: &mut O, message: Message<'_>) -> Result<(), SendError> {
        self.send_bytes(tx, message.kind(), message.as_bytes())
    }

    /// The same with bytes that are UTF-8 if this is text.
    #[inline]
    pub(super) fn send_bytes<O: Outbound>(
        &mut self,
        tx: &mut O,
        kind: Kind,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        if self.send_short(tx, kind, bytes) { Ok(()) } else { self.send_other(tx, kind, bytes) }
    }

    /// Queues a message the short way, if that leads anywhere.
    #[inline]
    pub(super) fn send_short<O: Outbound>(&mut self, tx: &mut O, kind: Kind, bytes: &[u8]) -> bool {
        debug_assert_eq!(self.short_ways, self.short_ways_now());
        if bytes.len() >= usize::from(self.short_ways.send_below) {
            return false;
        }
        let header = ShortHeader::new(kind.opcode(), bytes.len());
        if self.role.is_client() {
            return self.send_short_masked(tx, header, bytes);
        }
        let Some(out) = tx.take_room(header.size(false) + bytes.len()) else { return false };
        header.write_frame(bytes, out);
        true
    }

    /// The same for a client. Not inlined, as there is more to it.
    #[inline(never)]
    fn send_short_masked<O: Outbound>(&mut self, tx: &mut O, header: ShortHeader, bytes: &[u8]) -> bool {
        if let Some(out) = tx.take_room(header.size(true) + bytes.len())
            && let Some(key) = self.role.next_key()
        {
            header.write_masked_frame(key, bytes, out);
            return true;
        }
        false
    }

    /// What is not short, or finds no room at hand. Not inlined, so that the short way stays short.
    #[inline(never)]
    fn send_other<O: Outbound>(&mut self, tx: &mut O, kind: Kind, bytes: &[u8]) -> Result<(), SendError> {
        self.check_message()?;
        if self.compresses(bytes.len()) {
            return self.push_compressed(tx, kind, bytes);
        }
        self.push_message(tx, First::new(kind), bytes, true)
    }

    /// The same as [`send`](Self::send) with reserved bits on the first frame, for an extension that gives them a
    /// meaning and made the payload; it is not checked. Only with [`Rsv::NONE`] it is what it says, and text has to be
    /// UTF-8. It is not compressed.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), `ReservedBits` if `Config::allowed_rsv` does not have them or permessage-deflate
    /// has taken one, and `InvalidUtf8`.
    /// Nothing is queued then.
    pub fn send_with_rsv<O: Outbound>(
        &mut self,
        tx: &mut O,
        rsv: Rsv,
        kind: Kind,
        payload: &[u8],
    ) -> Result<(), SendError> {
        self.check_message()?;
        self.check_payload(rsv, kind, payload)?;
        self.push_message(tx, First { opcode: kind.opcode(), rsv }, payload, true)
    }

    /// Whether a message with these reserved bits may have this payload, whatever else it is that would be in the way now.
    /// For an adapter that keeps messages back, so that what is wrong with one is said when it is taken.
    ///
    /// # Errors
    ///
    /// `ReservedBits` and `InvalidUtf8`, as for [`send_with_rsv`](Self::send_with_rsv).
    pub fn check_payload(&self, rsv: Rsv, kind: Kind, payload: &[u8]) -> Result<(), SendError> {
        self.check_rsv(rsv)?;
        if kind == Kind::Text && rsv.is_empty() && !is_utf8(payload) {
            return Err(SendError::InvalidUtf8);
        }
        Ok(())
    }

    /// Queues a ping. It overtakes data that is queued. The peer's answer is `Event::Pong` with the same payload.
    ///
    /// Keepalive pings need none of this: see `Config::ping_interval`.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Full` if pings or long pongs before it wait for the transport;
    /// `Closing` after a Close frame was queued.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check_control(payload)?;
        let role = &mut self.role;
        self.outbox.push_ping(payload, || role.next_key()).map_err(|_| SendError::Full)
    }

    /// Queues a pong that no ping asked for, or that answers one if `Config::automatic_pong` is off. It overtakes data
    /// that is queued; if there is no room it replaces pongs that wait.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Closing` after a Close frame was queued.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check_control(payload)?;
        let key = self.role.next_key();
        self.outbox.push_pong(payload, key);
        Ok(())
    }

    /// Whether the next automatic pong may have to replace one that waits. An adapter that transmits when this becomes
    /// true answers every ping of a peer that reads, instead of only the latest.
    pub fn should_transmit(&self) -> bool {
        self.outbox.is_tight()
    }

    pub(super) const fn check_open(&self) -> Result<(), SendError> {
        // After the peer's Close frame nobody listens any more; after ours nothing may follow.
        if self.close.is_queued() || self.peer_close.is_some() || self.error.is_some() {
            Err(SendError::Closing)
        } else {
            Ok(())
        }
    }

    /// Whether a new message may be sent now.
    pub(super) fn check_message(&self) -> Result<(), SendError> {
        self.check_open()?;
        if self.outgoing.unfinished.is_some() { Err(SendError::MessageInProgress) } else { Ok(()) }
    }

    pub(super) const fn check_rsv(&self, rsv: Rsv) -> Result<(), SendError> {
        let taken = self.has_deflate() && rsv.contains(Rsv::RSV1);
        if self.config.allowed_rsv.contains(rsv) && !taken { Ok(()) } else { Err(SendError::ReservedBits) }
    }

    const fn check_control(&self, payload: &[u8]) -> Result<(), SendError> {
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlFrameTooLong);
        }
        self.check_open()
    }

    /// Queues `bytes` in as many frames as `Config::fragment_size` asks for, all or none.
    #[inline]
    pub(super) fn push_message<O: Outbound>(
        &mut self,
        tx: &mut O,
        first: First,
        bytes: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        if bytes.len() <= self.config.fragment_size {
            tx.reserve(
                EncodedHeader::size_for(bytes.len(), self.role.is_client()).saturating_add(bytes.len()),
            )?;
            self.push_frame(tx, first, bytes, fin);
            return Ok(());
        }
        self.push_fragments(tx, first, bytes, fin)
    }

    #[inline(never)]
    fn push_fragments<O: Outbound>(
        &mut self,
        tx: &mut O,
        first: First,
        bytes: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        let fragment_size = self.config.fragment_size;
        tx.reserve(self.encoded_size(bytes.len()))?;
        let last = bytes.len().div_ceil(fragment_size) - 1;
        for (index, fragment) in bytes.chunks(fragment_size).enumerate() {
            let first = if index == 0 { first } else { First::CONTINUATION };
            self.push_frame(tx, first, fragment, fin && index == last);
        }
        Ok(())
    }

    /// How long `len` bytes of payload are in as many frames as `Config::fragment_size` asks for.
    #[inline]
    pub(super) fn encoded_size(&self, len: usize) -> usize {
        let masked = self.role.is_client();
        let fragment_size = self.config.fragment_size;
        let headers = if len <= fragment_size {
            EncodedHeader::size_for(len, masked)
        } else {
            let (whole, rest) = (len / fragment_size, len % fragment_size);
            let rest = if rest > 0 { EncodedHeader::size_for(rest, masked) } else { 0 };
            whole.saturating_mul(EncodedHeader::size_for(fragment_size, masked)).saturating_add(rest)
        };
        headers.saturating_add(len)
    }

    #[inline]
    fn push_frame<O: Outbound>(&mut self, tx: &mut O, first: First, payload: &[u8], fin: bool) {
        let masking_key = self.role.next_key();
        let header = EncodedHeader::new(fin, first.rsv, first.opcode, payload.len(), masking_key);
        tx.push_frame(Frame { header, masking_key, payload, ends_message: fin });
    }
}
