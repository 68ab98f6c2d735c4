//! The closing handshake, RFC 6455 section 7, and failing, section 7.1.7.

use super::Connection;
use super::control::CloseBody;
use crate::close_code::CloseCode;
use crate::error::{Error, SendError, TimeoutReason};
use crate::time::Instant;

impl Connection {
    /// Begins the closing handshake: the Close frame goes out behind the data that is queued.
    ///
    /// From now on nothing more can be sent, and data that arrives is discarded; [`receive`](Self::receive) is still to
    /// be called, until it has given `Event::Close` or an error. The peer has `Config::close_timeout` to answer.
    ///
    /// With [`CloseCode::NO_STATUS`] and no reason, the Close frame is empty.
    ///
    /// # Errors
    ///
    /// `InvalidCloseCode` for codes that must not be sent, `ReasonTooLong` beyond 123 bytes, and `Closing` if a Close
    /// frame was queued before or the connection failed.
    pub fn close(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let body = self.close_body(code, reason)?;
        self.queue_close(now, code, &body);
        Ok(())
    }

    /// Whether [`close`](Self::close) would take this code and reason now. For an adapter that has something to
    /// clear out of the way before it closes.
    ///
    /// # Errors
    ///
    /// As for [`close`](Self::close).
    pub fn check_close(&self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.close_body(code, reason).map(drop)
    }

    /// Begins the closing handshake at once: data and pings that are queued are dropped, the Close frame goes out
    /// behind no more than the rest of a frame that is partly transmitted.
    ///
    /// # Errors
    ///
    /// As for [`close`](Self::close); but if a Close frame is queued already and not yet on its way, the data before
    /// it is dropped all the same.
    pub fn close_now(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let result = self.close(now, code, reason);
        if self.close.is_queued() {
            self.discard_output = true;
            self.outbox.discard_frames();
        }
        result
    }

    /// Says that the transport ended on the peer's side: a read returned 0, or failed for good.
    ///
    /// First receive until there is nothing left in the buffer. After a complete closing handshake this is how
    /// the connection ends.
    ///
    /// # Errors
    ///
    /// `Error::UnexpectedEof` if the peer had not sent a Close frame; or the error with which the connection failed
    /// before.
    pub fn receive_eof(&mut self) -> Result<(), Error> {
        self.eof = true;
        if self.peer_close.is_none() && self.error.is_none() {
            self.error = Some(Error::UnexpectedEof);
            self.update_short_ways();
            self.abort();
        }
        self.error.map_or(Ok(()), Err)
    }

    /// Says that the transport failed, in either direction: nothing more can be transmitted.
    ///
    /// If reading is still possible, read and receive what the peer sent before, and say this then. The connection is
    /// over: [`transport_action`](Self::transport_action) is to close.
    ///
    /// # Errors
    ///
    /// As for [`receive_eof`](Self::receive_eof).
    pub fn transport_failed(&mut self) -> Result<(), Error> {
        let result = self.receive_eof();
        self.abort();
        result
    }

    /// Fails the connection, once: the Close frame with the right code goes out behind what is queued, and nothing
    /// after it.
    ///
    /// The answers to what the peer sent before its fault are not held back from it. What is queued is bounded, and so
    /// is the time for it.
    pub(super) fn fail(&mut self, now: Instant, error: Error) {
        if self.error.is_some() {
            return;
        }
        self.error = Some(error);
        self.update_short_ways();
        self.release_deflate();
        // Section 7.1.7: "An endpoint SHOULD send a Close frame with an appropriate status code before proceeding". One
        // that waits for data to go out first gives way to it.
        if let Some(code) = error.close_code()
            && self.close.is_replaceable()
            && self.peer_close.is_none()
        {
            self.close.withdraw();
            self.queue_close(now, code, &CloseBody::new(code.as_u16(), "").unwrap_or(CloseBody::EMPTY));
        }
        self.start_closing_timer(now);
        if let Error::Timeout(TimeoutReason::Close | TimeoutReason::Pong | TimeoutReason::WriteStall) = error
        {
            // A peer that does not react: no more than the Close frame is tried.
            self.discard_output = true;
            self.outbox.discard_frames();
            self.abort();
        }
    }

    /// The peer is not waited for any longer.
    pub(super) fn abort(&mut self) {
        self.aborted = true;
        self.release_deflate();
        self.keepalive.due = false;
        self.timers.stop_all();
    }

    /// The peer's Close frame arrived, with this body.
    pub(super) fn handle_peer_close(&mut self, now: Instant, code: CloseCode, reason: &str) {
        self.peer_close = Some(code);
        self.update_short_ways();
        self.start_closing_timer(now);
        if self.close.is_queued() {
            return;
        }
        self.closed_by_peer = true;
        if self.config.automatic_close {
            // Section 5.5.1: "When sending a Close frame in response, the endpoint typically echos the status code it
            // received."
            let body = if code == CloseCode::NO_STATUS {
                CloseBody::EMPTY
            } else {
                CloseBody::new(code.as_u16(), reason).unwrap_or(CloseBody::EMPTY)
            };
            self.queue_close(now, code, &body);
        }
    }

    fn close_body(&self, code: CloseCode, reason: &str) -> Result<CloseBody, SendError> {
        if self.close.is_queued() || self.error.is_some() {
            return Err(SendError::Closing);
        }
        if code == CloseCode::NO_STATUS && reason.is_empty() {
            return Ok(CloseBody::EMPTY);
        }
        if !code.is_sendable() {
            return Err(SendError::InvalidCloseCode(code));
        }
        CloseBody::new(code.as_u16(), reason).ok_or(SendError::ReasonTooLong)
    }

    fn queue_close(&mut self, now: Instant, code: CloseCode, body: &CloseBody) {
        let key = self.role.next_key();
        self.close.queue(body.as_slice(), key);
        self.local_close = Some(code);
        self.update_short_ways();
        self.start_closing_timer(now);
    }
}
