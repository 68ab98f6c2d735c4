//! The server's side: receiving a request, RFC 6455 section 4.2.

use super::error::HandshakeError;
use super::head::HeadReader;
use super::http::Kind;
use super::limits::HandshakeLimits;
use super::request::Request;
use crate::buf::recv::RecvBuf;
use crate::buf::storage::Storage;
use crate::time::Instant;

/// The opening handshake of a server: waits for a request, of whatever kind, within limits of size and time.
///
/// It holds state only: the request stays in the receive buffer, where [`Request`] looks at it. The methods
/// are of the same kinds as those of [`Connection`](crate::Connection), and may be called in any order:
///
/// * **inputs**: [`poll_receive`](Self::poll_receive) after each read, [`receive_eof`](Self::receive_eof),
///   [`handle_timeout`](Self::handle_timeout);
/// * **polls**: [`poll_timeout`](Self::poll_timeout);
/// * **getters**: [`request`](Self::request).
///
/// ```text
///                                            accept    ┌─────────────────┐
///   ┌─────────┐  empty line   ┌─────────┐ ───────────► │ Connection::new │
///   │ reading │ ────────────► │ request │              └─────────────────┘
///   └─────────┘               └─────────┘  respond     ┌─────────────────┐
///        │                         └─────────────────► │ poll_transmit,  │
///        └────────────────────────────────────────────►│ then close      │
///          a fault, a limit, the deadline: error,      └─────────────────┘
///          respond
/// ```
#[derive(Clone, Debug)]
pub struct ServerHandshake {
    reader: HeadReader,
}

impl ServerHandshake {
    /// Begins to wait for a request; its deadline counts from `now`.
    pub fn new(limits: HandshakeLimits, now: Instant) -> Self {
        Self { reader: HeadReader::new(Kind::Request, limits, now) }
    }

    /// Looks at the bytes that arrived. `true` means that the head of a request is complete, and
    /// [`request`](Self::request) gives it; `false`, that more has to be read.
    ///
    /// Each byte is looked at once here, and once more by `httparse` when the head is complete. Bytes behind
    /// the head stay in [`RecvBuf::unparsed`].
    ///
    /// # Errors
    ///
    /// The first fault, limit or deadline, at the byte where it shows; from then on always the same.
    /// [`HandshakeError::respond`] answers it.
    pub fn poll_receive<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
    ) -> Result<bool, HandshakeError> {
        self.reader.poll_receive(now, rx)
    }

    /// The request, if it is complete.
    ///
    /// It lies in `rx`, and is there until that is used for something else: read into, or received from.
    pub fn request<'b, S: Storage>(&self, rx: &'b RecvBuf<S>) -> Option<Request<'b>> {
        Request::parse(self.reader.head(rx)?)
    }

    /// [`poll_receive`](Self::poll_receive) and [`request`](Self::request) in one: `None` if more has to be
    /// read.
    ///
    /// # Errors
    ///
    /// As [`poll_receive`](Self::poll_receive).
    pub fn receive<'b, S: Storage>(
        &mut self,
        now: Instant,
        rx: &'b mut RecvBuf<S>,
    ) -> Result<Option<Request<'b>>, HandshakeError> {
        Ok(if self.poll_receive(now, rx)? { self.request(rx) } else { None })
    }

    /// Says that the transport ended. Before the head is complete this is an error, which is given back and
    /// from then on by [`poll_receive`](Self::poll_receive) too. Behind a complete head it changes nothing,
    /// although the error is given back: nobody will talk WebSocket, but the peer may still read a response.
    pub fn receive_eof(&mut self) -> HandshakeError {
        self.reader.receive_eof()
    }

    /// Says what time it is. Once the deadline has passed without a complete head,
    /// [`poll_receive`](Self::poll_receive) gives [`HandshakeError::Timeout`]. Early or repeated calls do no
    /// harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.reader.handle_timeout(now);
    }

    /// The deadline, if there is one and the head is not complete.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.reader.poll_timeout()
    }
}
