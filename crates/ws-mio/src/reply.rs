//! The means to answer an event while it lies in the receive buffer.

use bytes::Bytes;
use ws_proto::{CloseCode, Instant, Kind, Message, PreparedMessage, Rsv, SendError, Source};

use crate::output::{Limit, Output};

/// Answers one event, which it comes with: see [`WebSocket::next`](crate::WebSocket::next) and
/// [`next_chunk`](crate::WebSocket::next_chunk).
///
/// Everything is queued, and leaves at the end of the turn. The first message or fragment is always taken, whatever
/// waits: nothing is received while much waits, so that an echo can neither lose a message nor let them pile up.
/// Further ones are refused beyond the send limit; and so is the first behind a source, for which receiving does not
/// wait.
#[derive(Debug)]
pub struct Reply<'ws> {
    output: &'ws mut Output,
    now: Instant,
    limit: Limit,
}

impl<'ws> Reply<'ws> {
    #[inline]
    pub(crate) const fn new(output: &'ws mut Output, now: Instant) -> Self {
        Self { output, now, limit: Limit::Lifted }
    }

    /// Queues a message. The payload is copied; it may be the one that was received.
    ///
    /// # Errors
    ///
    /// `Closing` after a close; `MessageInProgress` inside a fragmented message; `Full` beyond the send limit, but
    /// never for the first message, unless it waits for a source.
    #[inline]
    pub fn send(&mut self, message: Message<'_>) -> Result<(), SendError> {
        let limit = self.take_limit();
        self.output.send(limit, message)
    }

    /// Queues a message with reserved bits, whose payload an extension of yours made.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `ReservedBits` if `Config::allowed_rsv` does not have them.
    pub fn send_with_rsv(&mut self, rsv: Rsv, kind: Kind, payload: &[u8]) -> Result<(), SendError> {
        let limit = self.take_limit();
        self.output.send_with_rsv(limit, rsv, kind, payload)
    }

    /// Queues a message whose payload is owned. A server does not copy a large one.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; the payload comes back.
    pub fn send_owned(&mut self, kind: Kind, payload: Bytes) -> Result<(), (SendError, Bytes)> {
        let limit = self.take_limit();
        self.output.send_owned(limit, kind, payload)
    }

    /// Queues a message that was made ready once for many connections: see
    /// [`WebSocket::send_prepared`](crate::WebSocket::send_prepared).
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn send_prepared(&mut self, message: &PreparedMessage<Bytes>) -> Result<(), SendError> {
        let limit = self.take_limit();
        self.output.send_prepared(limit, message)
    }

    /// Whether messages that are begun from now on are compressed, where permessage-deflate was agreed on.
    #[cfg(feature = "deflate")]
    pub fn set_compression(&mut self, on: bool) {
        self.output.connection.set_compression(on);
    }

    /// Queues a part of a message, `fin` with the last. The parts of a text need not end at a character.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; `MessageInProgress` if an unfinished message is of the other
    /// kind.
    pub fn send_fragment(&mut self, kind: Kind, bytes: &[u8], fin: bool) -> Result<(), SendError> {
        let limit = self.take_limit();
        self.output.send_fragment(limit, kind, bytes, fin)
    }

    /// Queues a message that `source` gives piece by piece: see
    /// [`WebSocket::send_source`](crate::WebSocket::send_source).
    ///
    /// # Errors
    ///
    /// As there: within the send limit, also for the first message. The source comes back.
    pub fn send_source<S: Source + Send + 'static>(
        &mut self,
        kind: Kind,
        source: S,
    ) -> Result<(), (SendError, S)> {
        self.output.send_source(Rsv::NONE, kind, source)
    }

    /// Queues a ping. The answer is `Event::Pong` with the same payload.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Full` if pings before it wait for the transport; `Closing` after a
    /// close.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.output.ping(payload)
    }

    /// Queues a pong. Pings are answered already, unless `Config::automatic_pong` is off.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Closing` after a close.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.output.pong(payload)
    }

    /// Begins the closing handshake: the Close frame goes out behind what is queued. See
    /// [`WebSocket::close`](crate::WebSocket::close).
    ///
    /// # Errors
    ///
    /// `InvalidCloseCode` for codes that must not be sent, `ReasonTooLong` beyond 123 bytes, and `Closing` if the
    /// connection is closing or failed.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.output.close(self.now, code, reason)
    }

    /// Begins the closing handshake at once: what is queued is dropped.
    ///
    /// # Errors
    ///
    /// As for [`close`](Self::close); but what is queued is dropped all the same.
    pub fn close_now(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.output.close_now(self.now, code, reason)
    }

    /// The reserved bits of the message that is answered.
    pub const fn received_rsv(&self) -> Rsv {
        self.output.connection.received_rsv()
    }

    /// Whether the message that is answered was compressed.
    #[cfg(feature = "deflate")]
    pub const fn received_compressed(&self) -> bool {
        self.output.connection.received_compressed()
    }

    /// The kind of the message that is answered; by its opcode, also if it has reserved bits.
    pub const fn received_kind(&self) -> Kind {
        self.output.connection.received_kind()
    }

    #[inline]
    fn take_limit(&mut self) -> Limit {
        core::mem::replace(&mut self.limit, Limit::Applies)
    }
}
