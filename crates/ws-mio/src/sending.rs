//! Sending: messages, whole and in pieces; control frames; the closing handshake.

use bytes::Bytes;
use ws_proto::{CloseCode, Instant, Kind, Message, PreparedMessage, Rsv, SendError, Source};

use crate::output::Limit;
use crate::websocket::WebSocket;

impl<IO> WebSocket<IO> {
    /// Queues a message, to leave with the next turn. The payload is copied.
    ///
    /// To answer a message while it lies in the receive buffer, use [`Reply::send`](crate::Reply::send).
    ///
    /// # Errors
    ///
    /// `Full` beyond the send limit, unless nothing waits; `Closing` after a close; `MessageInProgress` inside a
    /// message that is sent in pieces. Nothing is queued then.
    pub fn send(&mut self, message: Message<'_>) -> Result<(), SendError> {
        self.output.send(Limit::Applies, message)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a message with reserved bits on its first frame, for an extension of yours that gives them a meaning
    /// and made the payload; that is not checked to be UTF-8. `Config::allowed_rsv` says which bits there may be,
    /// both ways.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `ReservedBits` if `Config::allowed_rsv` does not have them.
    pub fn send_with_rsv(&mut self, rsv: Rsv, kind: Kind, payload: &[u8]) -> Result<(), SendError> {
        self.output.send_with_rsv(Limit::Applies, rsv, kind, payload)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a message whose payload is owned, to leave with the next turn. A server does not copy a large one;
    /// clones of one `Bytes`, sent over many connections, are held once.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; the payload comes back.
    pub fn send_owned(&mut self, kind: Kind, payload: Bytes) -> Result<(), (SendError, Bytes)> {
        self.output.send_owned(Limit::Applies, kind, payload)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a message that was made ready once for many connections, to leave with the next turn. On a server it waits
    /// by reference; a client has to mask, which copies. See [`PreparedMessage`].
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn send_prepared(&mut self, message: &PreparedMessage<Bytes>) -> Result<(), SendError> {
        self.output.send_prepared(Limit::Applies, message)?;
        self.link.set_more();
        Ok(())
    }

    /// Whether messages that are begun from now on are compressed, where permessage-deflate was agreed on. Default:
    /// yes. See [`Connection::set_compression`](ws_proto::Connection::set_compression).
    ///
    /// What waits behind a source is compressed or not as this is set when its turn comes.
    #[cfg(feature = "deflate")]
    pub fn set_compression(&mut self, on: bool) {
        self.output.connection.set_compression(on);
    }

    /// Queues a part of a message, `fin` with the last: all of it or nothing. The parts of a text need not end at a
    /// character.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; `MessageInProgress` if an unfinished message is of the other
    /// kind.
    pub fn send_fragment(&mut self, kind: Kind, bytes: &[u8], fin: bool) -> Result<(), SendError> {
        self.output.send_fragment(Limit::Applies, kind, bytes, fin)?;
        self.link.set_more();
        Ok(())
    }

    /// Begins a message that is sent in pieces as they become known: with [`write_message`](Self::write_message) and
    /// [`finish_message`](Self::finish_message). Its size need not be known, nor be within any limit.
    ///
    /// Nothing is queued before the first piece. Until the message is finished no other can be sent; control frames
    /// can.
    ///
    /// ```
    /// # use ws_mio::{Kind, SendError, WebSocket};
    /// # fn send<IO>(ws: &mut WebSocket<IO>) -> Result<(), SendError> {
    /// ws.begin_message(Kind::Text)?;
    /// let written = ws.write_message(b"as much as the send limit lets in")?;
    /// // ... turns, in which it leaves; then the next pieces ...
    /// ws.finish_message()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `MessageInProgress` or `Closing`.
    pub fn begin_message(&mut self, kind: Kind) -> Result<(), SendError> {
        self.output.begin_message(Rsv::NONE, kind)
    }

    /// The same as [`begin_message`](Self::begin_message) with reserved bits on the first frame.
    ///
    /// # Errors
    ///
    /// `MessageInProgress` or `Closing`, and `ReservedBits` if `Config::allowed_rsv` does not have them.
    pub fn begin_message_with_rsv(&mut self, rsv: Rsv, kind: Kind) -> Result<(), SendError> {
        self.output.begin_message(rsv, kind)
    }

    /// Queues as much of `bytes` as the send limit has room for, as the next fragment of the message, and says how
    /// much that was: at least one byte of any. Write the rest when there is room again: after later turns.
    ///
    /// # Errors
    ///
    /// `Full` if there is no room; `InvalidUtf8` if a text is none; `NoMessage` without
    /// [`begin_message`](Self::begin_message); `Closing` after a close. Nothing is queued then.
    pub fn write_message(&mut self, bytes: &[u8]) -> Result<usize, SendError> {
        let n = self.output.write_message(bytes)?;
        self.link.set_more();
        Ok(n)
    }

    /// Queues all that was written of the message so far. Only of a compressed message something is held back: up to 16
    /// KiB of it, which compresses better.
    ///
    /// # Errors
    ///
    /// `NoMessage` or `Closing`.
    pub fn flush_message(&mut self) -> Result<(), SendError> {
        self.output.flush_message()?;
        self.link.set_more();
        Ok(())
    }

    /// Finishes the message, with an empty final fragment. The send limit does not hold it back.
    ///
    /// # Errors
    ///
    /// `InvalidUtf8` if a text stops inside a character; `NoMessage` or `Closing`. Nothing is queued then.
    pub fn finish_message(&mut self) -> Result<(), SendError> {
        self.output.finish_message()?;
        self.link.set_more();
        Ok(())
    }

    /// Gives the message up. If a piece of it is queued or sent, there is no way to tell the peer but to close the
    /// connection, with 1011; otherwise nothing happened. Without a message, nothing happens.
    pub fn abort_message(&mut self, now: Instant) {
        self.output.abort_message(now);
        self.link.set_more();
    }

    /// Queues a message that `source` gives piece by piece: a file, a generator, another connection. What is sent
    /// afterwards waits behind it; control frames go between its fragments.
    ///
    /// The source is asked within turns, while fewer than 16 KiB wait and writing is not paused. When it answers
    /// `Pull::Pending`, it is asked no more, and the connection does not wait to be writable for its sake, until
    /// [`resume_source`](Self::resume_source). It is dropped as soon as it is not needed any more: when it is
    /// finished or failed, with [`close`](Self::close) and [`close_now`](Self::close_now), with the peer's Close
    /// frame, or with the connection.
    ///
    /// A source that fails, claims more than it was offered, or gives a text that is none, ends the connection with
    /// 1011; [`next`](Self::next) gives [`Error::Source`](crate::Error::Source).
    ///
    /// ```
    /// # use ws_mio::{Kind, Pull, WebSocket};
    /// # fn send<IO>(ws: &mut WebSocket<IO>, mut file: std::fs::File) {
    /// use std::io::Read as _;
    ///
    /// let sent = ws.send_source(Kind::Binary, move |room: &mut [u8]| match file.read(room) {
    ///     Ok(0) => Pull::Last(0),
    ///     Ok(n) => Pull::Data(n),
    ///     Err(_) => Pull::Failed,
    /// });
    /// # drop(sent);
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), where a source counts some 64 bytes against the send limit. The source comes back.
    pub fn send_source<S: Source + Send + 'static>(
        &mut self,
        kind: Kind,
        source: S,
    ) -> Result<(), (SendError, S)> {
        self.send_source_with_rsv(Rsv::NONE, kind, source)
    }

    /// The same as [`send_source`](Self::send_source) with reserved bits on the first frame.
    ///
    /// # Errors
    ///
    /// As for [`send_source`](Self::send_source), and `ReservedBits` if `Config::allowed_rsv` does not have them.
    pub fn send_source_with_rsv<S: Source + Send + 'static>(
        &mut self,
        rsv: Rsv,
        kind: Kind,
        source: S,
    ) -> Result<(), (SendError, S)> {
        self.output.send_source(rsv, kind, source)?;
        self.link.set_more();
        Ok(())
    }

    /// Says that the source whose message is being sent has something again, after it answered `Pull::Pending`. Without
    /// such a source, nothing happens.
    pub fn resume_source(&mut self) {
        self.output.resume_source();
        self.link.set_more();
    }

    /// Queues a ping. The answer is `Event::Pong` with the same payload. Keepalive pings need none of this: see
    /// `Config::ping_interval`.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Full` if pings before it wait for the transport; `Closing` after a
    /// close.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.output.ping(payload)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a pong: one that no ping asked for, or the answer to one if `Config::automatic_pong` is off.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Closing` after a close.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.output.pong(payload)?;
        self.link.set_more();
        Ok(())
    }

    /// Begins the closing handshake: the Close frame goes out behind what is queued. The peer has
    /// `Config::close_timeout`.
    ///
    /// With [`CloseCode::NO_STATUS`] and no reason, the Close frame is empty.
    ///
    /// Sources, which may take any time, are given up; and if one is in the middle of its message, so are the messages
    /// behind it, for none may follow. To let them finish, wait for [`is_drained`](Self::is_drained) first.
    ///
    /// # Errors
    ///
    /// `InvalidCloseCode` for codes that must not be sent, `ReasonTooLong` beyond 123 bytes, and `Closing` if the
    /// connection is closing or failed.
    pub fn close(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.output.close(now, code, reason)?;
        self.link.set_more();
        Ok(())
    }

    /// Begins the closing handshake at once: what is queued is dropped, and sources are.
    ///
    /// # Errors
    ///
    /// As for [`close`](Self::close); but what is queued is dropped all the same.
    pub fn close_now(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.link.set_more();
        self.output.close_now(now, code, reason)
    }

    /// Sets how many bytes may wait before [`send`](Self::send) and its kin refuse with `SendError::Full`. One
    /// message is taken however large if nothing waits.
    ///
    /// Default: 1 MiB. It is what one peer that reads slowly may cost.
    pub const fn set_send_limit(&mut self, bytes: usize) {
        self.output.send_limit = bytes;
    }
}
