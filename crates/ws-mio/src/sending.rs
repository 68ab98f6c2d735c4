//! Sending: messages, control frames and the closing handshake.

use bytes::Bytes;
use ws_proto::{CloseCode, Instant, Kind, Message, Outbound as _, SendError};

use crate::websocket::WebSocket;

impl<IO> WebSocket<IO> {
    /// Queues a message, to leave with the next turn. The payload is copied.
    ///
    /// To answer a message while it lies in the receive buffer, use [`Reply::send`](crate::Reply::send).
    ///
    /// # Errors
    ///
    /// `Full` beyond the send limit, unless nothing waits; `Closing` after a close; `MessageInProgress` inside a fragmented
    /// message. Nothing is queued then.
    pub fn send(&mut self, message: Message<'_>) -> Result<(), SendError> {
        self.check_limit(message.as_bytes().len())?;
        self.connection.send(&mut self.tx, message)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a message whose payload is owned, to leave with the next turn. A server does not copy a large one; clones of
    /// one `Bytes`, sent over many connections, are held once.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; the payload comes back.
    pub fn send_owned(&mut self, kind: Kind, payload: Bytes) -> Result<(), (SendError, Bytes)> {
        if let Err(error) = self.check_limit(payload.len()) {
            return Err((error, payload));
        }
        self.connection.send_owned(&mut self.tx, kind, payload)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a part of a message, `fin` with the last. The parts of a text need not end at a character.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; `MessageInProgress` if an unfinished message is of the other kind.
    pub fn send_fragment(&mut self, kind: Kind, bytes: &[u8], fin: bool) -> Result<(), SendError> {
        self.check_limit(bytes.len())?;
        self.connection.send_fragment(&mut self.tx, kind, bytes, fin)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a ping. The answer is `Event::Pong` with the same payload. Keepalive pings need none of this: see
    /// `Config::ping_interval`.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Full` if pings before it wait for the transport; `Closing` after a close.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.connection.ping(payload)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a pong: one that no ping asked for, or the answer to one if `Config::automatic_pong` is off.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Closing` after a close.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.connection.pong(payload)?;
        self.link.set_more();
        Ok(())
    }

    /// Begins the closing handshake: the Close frame goes out behind what is queued. The peer has `Config::close_timeout`.
    ///
    /// # Errors
    ///
    /// `InvalidCloseCode` for codes that must not be sent, `ReasonTooLong` beyond 123 bytes, and `Closing` if the connection
    /// is closing or failed.
    pub fn close(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.connection.close(now, code, reason)?;
        self.link.set_more();
        Ok(())
    }

    /// Begins the closing handshake at once: what is queued is dropped.
    ///
    /// # Errors
    ///
    /// As for [`close`](Self::close); but what is queued is dropped all the same.
    pub fn close_now(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.link.set_more();
        self.connection.close_now(now, code, reason)
    }

    /// Sets how many bytes may wait before [`send`](Self::send) and its kin refuse with `SendError::Full`. One message is
    /// taken however large if nothing waits.
    ///
    /// Default: 1 MiB. It is what one peer that reads slowly may cost.
    pub const fn set_send_limit(&mut self, bytes: usize) {
        self.send_limit = bytes;
    }

    fn check_limit(&self, payload: usize) -> Result<(), SendError> {
        let waiting = self.tx.buffered_amount();
        if waiting > 0 && waiting.saturating_add(payload) > self.send_limit {
            return Err(SendError::Full);
        }
        Ok(())
    }
}
