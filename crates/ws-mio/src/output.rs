//! Everything that is sent goes through here, from outside a turn and as an answer alike.

use bytes::Bytes;
use ws_proto::{
    CloseCode, Connection, Instant, Kind, Message, Outbound as _, Rsv, SendError, SendQueue, State,
};

/// How much the application may queue, unless it says otherwise.
const SEND_LIMIT: usize = 1 << 20;
/// Output beyond this is written before more is received; and while the transport does not take it, nothing is
/// received. So what waits is bounded however fast the peer sends: by this and the answer to one message.
const ENOUGH_OUTPUT: usize = 64 << 10;

/// The connection, and what it is to send.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) connection: Connection,
    pub(crate) tx: SendQueue<Bytes>,
    pub(crate) send_limit: usize,
}

/// Whether what is sent has to keep within the send limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    Applies,
    /// The first answer to what was received is always taken.
    Lifted,
}

impl Output {
    pub(crate) const fn new(connection: Connection, tx: SendQueue<Bytes>) -> Self {
        Self { connection, tx, send_limit: SEND_LIMIT }
    }

    pub(crate) fn send(&mut self, limit: Limit, message: Message<'_>) -> Result<(), SendError> {
        self.check(limit, message.as_bytes().len())?;
        self.connection.send(&mut self.tx, message)
    }

    pub(crate) fn send_with_rsv(
        &mut self,
        limit: Limit,
        rsv: Rsv,
        kind: Kind,
        payload: &[u8],
    ) -> Result<(), SendError> {
        self.check(limit, payload.len())?;
        self.connection.send_with_rsv(&mut self.tx, rsv, kind, payload)
    }

    pub(crate) fn send_owned(
        &mut self,
        limit: Limit,
        kind: Kind,
        payload: Bytes,
    ) -> Result<(), (SendError, Bytes)> {
        match self.check(limit, payload.len()) {
            Ok(()) => self.connection.send_owned(&mut self.tx, kind, payload),
            Err(error) => Err((error, payload)),
        }
    }

    pub(crate) fn send_fragment(
        &mut self,
        limit: Limit,
        kind: Kind,
        bytes: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        self.check(limit, bytes.len())?;
        self.connection.send_fragment(&mut self.tx, kind, bytes, fin)
    }

    pub(crate) fn begin_message(&mut self, rsv: Rsv, kind: Kind) -> Result<(), SendError> {
        self.connection.begin_message_with_rsv(rsv, kind)
    }

    pub(crate) fn write_message(&mut self, bytes: &[u8]) -> Result<usize, SendError> {
        let n = bytes.len().min(self.room());
        if n == 0 && !bytes.is_empty() && self.connection.is_message_in_progress() {
            self.check_open()?;
            return Err(SendError::Full);
        }
        self.connection.write_message(&mut self.tx, &bytes[..n])
    }

    pub(crate) fn finish_message(&mut self) -> Result<(), SendError> {
        self.connection.finish_message(&mut self.tx)
    }

    pub(crate) fn abort_message(&mut self, now: Instant) {
        self.connection.abort_message(now);
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.connection.ping(payload)
    }

    pub(crate) fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.connection.pong(payload)
    }

    pub(crate) fn close(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.connection.close(now, code, reason)
    }

    pub(crate) fn close_now(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.connection.close_now(now, code, reason)
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        self.tx.buffered_amount()
    }

    pub(crate) fn queued_messages(&self) -> usize {
        self.tx.queued_messages()
    }

    pub(crate) fn has_enough(&self) -> bool {
        self.buffered_amount() > ENOUGH_OUTPUT
    }

    pub(crate) fn wants_transmit(&self) -> bool {
        self.connection.wants_transmit(&self.tx)
    }

    /// How much payload the next piece of a message may have.
    fn room(&self) -> usize {
        match self.buffered_amount() {
            0 => self.send_limit.max(1),
            waiting => self.send_limit.saturating_sub(waiting),
        }
    }

    /// Whether a message with so much payload may be queued.
    fn check(&self, limit: Limit, payload: usize) -> Result<(), SendError> {
        self.check_open()?;
        let waiting = self.buffered_amount();
        if limit == Limit::Applies && waiting > 0 && waiting.saturating_add(payload) > self.send_limit {
            return Err(SendError::Full);
        }
        Ok(())
    }

    fn check_open(&self) -> Result<(), SendError> {
        if self.connection.state() == State::Open { Ok(()) } else { Err(SendError::Closing) }
    }
}
