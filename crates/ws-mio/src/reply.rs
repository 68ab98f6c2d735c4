//! The means to answer an event while it lies in the receive buffer.

use bytes::Bytes;
use ws_proto::{CloseCode, Connection, Instant, Kind, Message, Outbound as _, SendError, SendQueue};

/// Answers one event, which it comes with: see [`WebSocket::next`](crate::WebSocket::next).
///
/// Everything is queued, and leaves at the end of the turn. The first message is always taken, whatever waits: nothing is
/// received while much waits, so that an echo can neither lose a message nor let them pile up. Further ones are
/// refused beyond the send limit.
#[derive(Debug)]
pub struct Reply<'ws> {
    connection: &'ws mut Connection,
    tx: &'ws mut SendQueue<Bytes>,
    send_limit: usize,
    now: Instant,
    is_first: bool,
}

impl<'ws> Reply<'ws> {
    pub(crate) const fn new(
        connection: &'ws mut Connection,
        tx: &'ws mut SendQueue<Bytes>,
        send_limit: usize,
        now: Instant,
    ) -> Self {
        Self { connection, tx, send_limit, now, is_first: true }
    }

    /// Queues a message. The payload is copied; it may be the one that was received.
    ///
    /// # Errors
    ///
    /// `Closing` after a close; `MessageInProgress` inside a fragmented message; `Full` beyond the send limit, but never
    /// for the first message.
    pub fn send(&mut self, message: Message<'_>) -> Result<(), SendError> {
        self.check_limit(message.as_bytes().len())?;
        self.connection.send(self.tx, message)
    }

    /// Queues a message whose payload is owned. A server does not copy a large one.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; the payload comes back.
    pub fn send_owned(&mut self, kind: Kind, payload: Bytes) -> Result<(), (SendError, Bytes)> {
        if let Err(error) = self.check_limit(payload.len()) {
            return Err((error, payload));
        }
        self.connection.send_owned(self.tx, kind, payload)
    }

    /// Queues a message that `source` gives piece by piece: see [`WebSocket::send_source`](crate::WebSocket::send_source).
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
    /// `ControlFrameTooLong` beyond 125 bytes; `Full` if pings before it wait for the transport; `Closing` after a close.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.connection.ping(payload)
    }

    /// Queues a pong. Pings are answered already, unless `Config::automatic_pong` is off.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Closing` after a close.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.connection.pong(payload)
    }

    /// Begins the closing handshake: the Close frame goes out behind what is queued.
    ///
    /// # Errors
    ///
    /// `InvalidCloseCode` for codes that must not be sent, `ReasonTooLong` beyond 123 bytes, and `Closing` if the connection
    /// is closing or failed.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.connection.close(self.now, code, reason)
    }

    /// Begins the closing handshake at once: what is queued is dropped.
    ///
    /// # Errors
    ///
    /// As for [`close`](Self::close); but what is queued is dropped all the same.
    pub fn close_now(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.connection.close_now(self.now, code, reason)
    }

    fn check_limit(&mut self, payload: usize) -> Result<(), SendError> {
        let waiting = self.tx.buffered_amount();
        if !self.is_first && waiting > 0 && waiting.saturating_add(payload) > self.send_limit {
            return Err(SendError::Full);
        }
        self.is_first = false;
        Ok(())
    }
}
