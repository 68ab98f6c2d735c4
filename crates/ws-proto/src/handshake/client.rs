//! The client's side: sending a request and verifying the response, RFC 6455 section 4.1.

use core::fmt;

use super::Agreement;
use super::accept_key::{AcceptKey, key_from_nonce};
use super::error::HandshakeError;
use super::extensions;
use super::fields::{Names, Once, as_token, has_token};
use super::head::HeadReader;
use super::http::Kind;
use super::limits::HandshakeLimits;
use super::output::{HeadWriter, check_headers, is_field_value, is_handshake_header};
use super::server_response::ServerResponse;
use super::uri::Uri;
use crate::buf::outbound::Outbound;
use crate::buf::recv::RecvBuf;
use crate::buf::storage::Storage;
#[cfg(feature = "deflate")]
use crate::deflate::{DeflateConfig, DeflateOffer};
use crate::grammar::is_token;
use crate::time::Instant;

/// What a client asks for.
///
/// ```
/// use ws_proto::handshake::{ClientRequest, Uri};
///
/// let request = ClientRequest::new(Uri::parse("ws://example.com/chat")?)
///     .subprotocols(&["chat.v2", "chat.v1"])
///     .headers(&[("Authorization", "Bearer abc")])
///     .require_subprotocol(true);
/// # Ok::<(), ws_proto::handshake::HandshakeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct ClientRequest<'a> {
    uri: Uri<'a>,
    subprotocols: &'a [&'a str],
    headers: &'a [(&'a str, &'a str)],
    origin: Option<&'a str>,
    require_subprotocol: bool,
    #[cfg(feature = "deflate")]
    deflate: extensions::Deflate<'a>,
}

impl<'a> ClientRequest<'a> {
    /// Asks for the resource at `uri`, and nothing in particular.
    pub const fn new(uri: Uri<'a>) -> Self {
        Self {
            uri,
            subprotocols: &[],
            headers: &[],
            origin: None,
            require_subprotocol: false,
            #[cfg(feature = "deflate")]
            deflate: extensions::Deflate { config: None, offers: &[] },
        }
    }

    /// Offers subprotocols, the most preferred first. Each a token, none twice (RFC 6455 section 4.1).
    ///
    /// Default: none.
    #[must_use]
    pub const fn subprotocols(mut self, subprotocols: &'a [&'a str]) -> Self {
        self.subprotocols = subprotocols;
        self
    }

    /// Sends these headers as well. Not those of the handshake: `Host`, `Origin` (see
    /// [`origin`](Self::origin)), `Connection`, `Content-Length`, `Transfer-Encoding`, `Upgrade`, and all
    /// that begin with `Sec-WebSocket-`.
    ///
    /// Default: none.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Self {
        self.headers = headers;
        self
    }

    /// Says on behalf of which origin the connection is made, like `https://example.com`: what a browser
    /// sends.
    ///
    /// Default: none. RFC 6455 section 4.1 asks for it "if the request is coming from a browser client" only.
    #[must_use]
    pub const fn origin(mut self, origin: &'a str) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Whether it is an error if the server chooses none of the subprotocols offered.
    ///
    /// Default: no, as RFC 6455 section 4.1 allows it. Browsers do not.
    #[must_use]
    pub const fn require_subprotocol(mut self, yes: bool) -> Self {
        self.require_subprotocol = yes;
        self
    }

    /// Offers permessage-deflate (RFC 7692) as [`DeflateConfig::offer`] has it, unless
    /// [`deflate_offers`](Self::deflate_offers) has other offers.
    ///
    /// [`Agreement::deflate`] tells whether the server accepted it, and with which parameters. A client that
    /// cannot do without closes the connection with 1010 if it did not.
    ///
    /// Default: not offered. Compression costs memory and time for each connection, and lets sizes tell about
    /// secrets that are sent together with what somebody else chose.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate.config = Some(config);
        self
    }

    /// Offers permessage-deflate with these parameters, the most preferred first, in place of what the four
    /// negotiated settings of the [configuration](Self::deflate) say; which, if there is none, is the default one.
    ///
    /// Default: none, the one offer that the configuration leads to.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate_offers(mut self, offers: &'a [DeflateOffer]) -> Self {
        if self.deflate.config.is_none() && !offers.is_empty() {
            self.deflate.config = Some(DeflateConfig::new());
        }
        self.deflate.offers = offers;
        self
    }

    /// The configuration with which permessage-deflate is offered, if it is.
    #[cfg(feature = "deflate")]
    pub const fn deflate_config(&self) -> Option<DeflateConfig> {
        self.deflate.config
    }

    /// What is asked for.
    pub const fn uri(&self) -> Uri<'a> {
        self.uri
    }

    fn check(&self) -> Result<(), HandshakeError> {
        for (n, subprotocol) in self.subprotocols.iter().enumerate() {
            // "... and MUST all be unique strings" (RFC 6455 section 4.1).
            if !is_token(subprotocol.as_bytes()) || self.subprotocols.iter().take(n).any(|s| s == subprotocol)
            {
                return Err(HandshakeError::SubprotocolNotAllowed);
            }
        }
        if self.origin.is_some_and(|origin| origin.is_empty() || !is_field_value(origin)) {
            return Err(HandshakeError::InvalidHeader);
        }
        check_headers(self.headers, |name| {
            is_handshake_header(name) || ["Host", "Origin"].iter().any(|own| name.eq_ignore_ascii_case(own))
        })
    }

    fn queue<O: Outbound>(&self, key: &[u8], tx: &mut O) -> Result<(), HandshakeError> {
        let mut head = HeadWriter::new(tx)?;
        head.text("GET ");
        head.display(&self.uri.resource());
        head.text(" HTTP/1.1\r\n");
        head.display_field("Host", &self.uri.host_header());
        head.field("Upgrade", "websocket");
        head.field("Connection", "Upgrade");
        head.field_bytes("Sec-WebSocket-Key", key);
        head.field("Sec-WebSocket-Version", "13");
        if let Some(origin) = self.origin {
            head.field("Origin", origin);
        }
        if let Some((first, rest)) = self.subprotocols.split_first() {
            head.text("Sec-WebSocket-Protocol: ");
            head.text(first);
            for subprotocol in rest {
                head.text(", ");
                head.text(subprotocol);
            }
            head.text("\r\n");
        }
        #[cfg(feature = "deflate")]
        self.deflate.with_offers(|offers| {
            if !offers.is_empty() {
                head.display_field(extensions::NAME, &offers);
            }
        });
        head.fields(self.headers);
        head.finish()
    }
}

/// Without the values of headers, which are often secret.
impl fmt::Debug for ClientRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("uri", &self.uri)
            .field("subprotocols", &self.subprotocols)
            .field("headers", &Names(self.headers))
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// The opening handshake of a client: sends a request, and waits for the response within limits of size and
/// time.
///
/// It holds state only, and no lifetime: the request waits in the send buffer, the response stays in the
/// receive buffer.
///
/// RFC 6455 section 4.1 demands two things that are beyond one connection and therefore the caller's: at most
/// one handshake at a time with the same address, and a wait before connecting again after a failure (section
/// 7.2.3; [`ReconnectDelay`](super::ReconnectDelay) computes it). Section 4.1 also forbids to send anything before
/// the response is there.
///
/// ```text
///          ┌─────────┐  empty line   ┌──────────┐  finish   ┌─────────────────┐
///  start   │ reading │ ────────────► │ response │ ────────► │ Connection::new │
///  ──────► │         │               │          │           └─────────────────┘
///          └─────────┘               └──────────┘
///               │  a fault, a limit, the   │  not 101, or not valid: error
///               │  deadline: error         ▼
///               └─────────────────────► close
/// ```
#[derive(Clone, Debug)]
pub struct ClientHandshake {
    reader: HeadReader,
    expected: AcceptKey,
}

impl ClientHandshake {
    /// Queues the request. Transmit it with [`poll_transmit`](super::poll_transmit).
    ///
    /// `nonce` is 16 random bytes, fresh for each connection (RFC 6455 section 4.1: "The nonce MUST be
    /// selected randomly for each connection"). The deadline counts from `now`.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidHeader`], [`HandshakeError::ReservedHeader`] or
    /// [`HandshakeError::SubprotocolNotAllowed`] if the request cannot be sent, [`HandshakeError::Full`] or
    /// [`HandshakeError::OutputTooSmall`] if it does not fit. Nothing is queued then.
    pub fn start<O: Outbound>(
        request: &ClientRequest<'_>,
        nonce: [u8; 16],
        limits: HandshakeLimits,
        now: Instant,
        tx: &mut O,
    ) -> Result<Self, HandshakeError> {
        request.check()?;
        let key = key_from_nonce(&nonce);
        request.queue(&key, tx)?;
        Ok(Self {
            reader: HeadReader::new(Kind::Response, limits, now),
            expected: AcceptKey::answering(&key),
        })
    }

    /// Looks at the bytes that arrived. `true` means that the head of a response is complete: go on with
    /// [`finish`](Self::finish). `false` means that more has to be read.
    ///
    /// Each byte is looked at once here, and once more by `httparse` when the head is complete. Bytes behind
    /// the head stay in [`RecvBuf::unparsed`]: a server may send frames together with its response.
    ///
    /// # Errors
    ///
    /// The first fault, limit or deadline, at the byte where it shows; from then on always the same.
    pub fn poll_receive<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
    ) -> Result<bool, HandshakeError> {
        self.reader.poll_receive(now, rx)
    }

    /// The response, if it is complete, whatever its status.
    ///
    /// It lies in `rx`, and is there until that is used for something else: read into, or received from.
    pub fn response<'b, S: Storage>(&self, rx: &'b RecvBuf<S>) -> Option<ServerResponse<'b>> {
        ServerResponse::parse(self.reader.head(rx)?, rx.unparsed())
    }

    /// Verifies the response against the request, which must be the one of [`start`](Self::start).
    ///
    /// After that the connection is a WebSocket: `Connection::new(Role::Client(keys), ..)` with the same
    /// receive buffer and the same `tx`.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Rejected`] for another status than 101, with the response still at hand;
    /// [`HandshakeError::Incomplete`] if there is no response, or no longer; and otherwise the first of the
    /// checks of RFC 6455 section 4.1 that fails. Close the connection, then.
    pub fn finish<'b, S: Storage>(
        &self,
        request: &ClientRequest<'_>,
        rx: &'b RecvBuf<S>,
    ) -> Result<Agreement<'b>, HandshakeError> {
        let response = self.response(rx).ok_or(HandshakeError::Incomplete)?;
        if response.status() != 101 {
            return Err(HandshakeError::Rejected { status: response.status() });
        }
        let (major, minor) = response.version();
        if major != 1 || minor == 0 {
            return Err(HandshakeError::HttpVersion { major, minor });
        }

        let (mut upgrade, mut connection) = (false, false);
        let (mut accept, mut subprotocol) = (Once::Absent, Once::Absent);
        for (name, value) in response.headers() {
            match name {
                _ if name.eq_ignore_ascii_case("Upgrade") => upgrade |= has_token(value, "websocket"),
                _ if name.eq_ignore_ascii_case("Connection") => connection |= has_token(value, "upgrade"),
                _ if name.eq_ignore_ascii_case("Sec-WebSocket-Accept") => accept.add(value),
                _ if name.eq_ignore_ascii_case("Sec-WebSocket-Protocol") => subprotocol.add(value),
                _ => {}
            }
        }
        if !upgrade {
            return Err(HandshakeError::NotAnUpgrade);
        }
        if !connection {
            return Err(HandshakeError::MissingConnection);
        }
        // The encoding is case-sensitive: compared exactly, "ignoring any leading and trailing whitespace".
        if accept.get() != Some(self.expected.as_bytes()) {
            return Err(HandshakeError::InvalidAccept);
        }
        #[cfg(feature = "deflate")]
        let deflate = request.deflate.verify(response.headers())?;
        #[cfg(not(feature = "deflate"))]
        extensions::check_none(response.headers())?;
        let subprotocol = match subprotocol {
            Once::Absent if request.require_subprotocol && !request.subprotocols.is_empty() => {
                return Err(HandshakeError::MissingSubprotocol);
            }
            Once::Absent => None,
            Once::Present(value) => Some(
                as_token(value)
                    .filter(|chosen| request.subprotocols.contains(chosen))
                    .ok_or(HandshakeError::UnexpectedSubprotocol)?,
            ),
            Once::Repeated => return Err(HandshakeError::UnexpectedSubprotocol),
        };
        Ok(Agreement {
            subprotocol,
            #[cfg(feature = "deflate")]
            deflate,
        })
    }

    /// Says that the transport ended. Before the head is complete this is an error, which is given back and
    /// from then on by [`poll_receive`](Self::poll_receive) too. Behind a complete head it changes nothing,
    /// although the error is given back: the response can still be looked at.
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
