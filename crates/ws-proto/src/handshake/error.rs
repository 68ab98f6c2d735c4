//! What can go wrong in the opening handshake, and which HTTP status answers it.

use thiserror::Error as ThisError;

use super::output::{HeadWriter, status_line};
use super::uri::UriError;
use crate::buf::outbound::Outbound;
use crate::close_code::CloseCode;
#[cfg(feature = "deflate")]
use crate::deflate::NegotiationError;

/// Why an opening handshake failed.
///
/// Each variant says whose fault it is. The *client's* and the *server's* are faults of the peer, and fatal:
/// a server answers with [`respond`](Self::respond) and closes the connection, a client closes it. The
/// *caller's* are mistakes in what this side was told to send: nothing was queued, and the call can be made
/// again with other arguments.
///
/// What is read is reported once and for ever: after an error of `poll_receive` that call gives the same
/// again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ThisError)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The client's fault: an upgrade with a body, that is with `Transfer-Encoding` or a `Content-Length`
    /// other than 0. What follows could be taken for a body by one recipient and for frames by the next.
    /// Status 400.
    #[error("an upgrade request with a body")]
    Body,
    /// The output has no room now. Transmit what waits there, then call again. Status 503.
    #[error("the send buffer is full")]
    Full,
    /// The peer's fault: the head is larger than [`max_head_size`], or than a receive buffer of fixed size.
    /// Status 431.
    ///
    /// [`max_head_size`]: super::HandshakeLimits::max_head_size
    #[error("a head of more than {limit} bytes (max_head_size or the buffer)")]
    HeadTooLarge {
        /// The limit that it exceeds, in bytes.
        limit: usize,
    },
    /// The peer's fault: a version that knows no upgrades (RFC 6455 section 4.2.1: "an HTTP/1.1 or higher GET
    /// request"). Status 400 for HTTP/1.0, else 505.
    #[error("HTTP/{major}.{minor} where HTTP/1.1 is needed")]
    HttpVersion {
        /// The digit before the dot.
        major: u8,
        /// The digit behind the dot.
        minor: u8,
    },
    /// The caller asked for the outcome before the head was complete. Read more first. Status 500.
    #[error("the head is not complete")]
    Incomplete,
    /// The server's fault: not exactly one `Sec-WebSocket-Accept`, or not the one that answers our key (RFC
    /// 6455 section 4.1). What answered does not speak WebSocket, or answers somebody else.
    #[error("the Sec-WebSocket-Accept is missing, repeated or wrong")]
    InvalidAccept,
    /// The server's fault: its answer to an offer of permessage-deflate has a defect, or answers none of the
    /// offers (RFC 7692 section 7). Close the connection: what the server sends could not be read.
    #[cfg(feature = "deflate")]
    #[error("invalid negotiation of permessage-deflate: {0}")]
    InvalidExtension(NegotiationError),
    /// The caller's fault: a header whose name is no token, or whose value has a control character or is not
    /// ASCII; it could end the header and begin another. Status 500.
    #[error("a header to be sent has an invalid name or value")]
    InvalidHeader,
    /// The client's fault: `Host` is missing, or is no host and port, or does not agree with an absolute
    /// request target (RFC 6455 section 4.2.1, RFC 9112 section 3.2). Status 400.
    #[error("the Host is missing or invalid")]
    InvalidHost,
    /// The client's fault: `Sec-WebSocket-Key` is missing, or not 16 bytes in base64 (RFC 6455 section
    /// 4.2.1). Status 400.
    #[error("the Sec-WebSocket-Key is missing or invalid")]
    InvalidKey,
    /// The caller's fault: a response that HTTP does not allow here, which is status 101 or another below 200
    /// or above 599, or a body with 204 or 304. Status 500.
    #[error("a response with the status {0} that cannot be sent")]
    InvalidResponse(u16),
    /// The peer's fault: `Sec-WebSocket-Protocol` has something that is no token, or the same twice (RFC 6455
    /// section 4.1: "MUST all be unique strings"), or more than 32. Status 400.
    #[error("the Sec-WebSocket-Protocol is malformed")]
    InvalidSubprotocol,
    /// The client's fault: the request target is neither a path nor an absolute URI. Status 400.
    #[error("an invalid request target")]
    InvalidTarget,
    /// The caller's fault: the URI cannot be connected to. Status 500.
    #[error("an invalid URI: {0}")]
    InvalidUri(#[from] UriError),
    /// The peer's fault: not HTTP/1.1 as RFC 9112 has it. Status 400.
    #[error("malformed HTTP: {0}")]
    Malformed(#[from] HttpFault),
    /// The client's fault: an upgrade has to be a GET (RFC 6455 section 4.2.1). Status 405.
    #[error("the method is not GET")]
    MethodNotAllowed,
    /// The peer's fault: `Connection` does not list `upgrade` (RFC 6455 sections 4.1 and 4.2.1). Often it is
    /// a proxy in between that removed it. Status 400.
    #[error("the Connection header does not list \"upgrade\"")]
    MissingConnection,
    /// The server's fault: none of the subprotocols offered was chosen, and
    /// [`require_subprotocol`](super::ClientRequest::require_subprotocol) wants one.
    #[error("the server chose no subprotocol")]
    MissingSubprotocol,
    /// The peer's fault: `Upgrade` does not list `websocket` (RFC 6455 sections 4.1 and 4.2.1). For a server
    /// this is a plain HTTP request: see [`Request::is_upgrade`](super::Request::is_upgrade). Status 426.
    #[error("the Upgrade header does not list \"websocket\"")]
    NotAnUpgrade,
    /// The client's fault: the origin is not one of those allowed, or there are two (RFC 6455 section 10.2).
    /// Status 403.
    #[error("the Origin is not allowed")]
    OriginRefused,
    /// The caller's fault: what is to be sent does not fit even the empty output, or its limit. Give it more
    /// room. Status 500.
    #[error("the send buffer is too small")]
    OutputTooSmall,
    /// The server answered with another status than 101. Its response is there to be looked at:
    /// [`ClientHandshake::response`](super::ClientHandshake::response). Redirects and authentication are the
    /// caller's to follow, on a new connection.
    #[error("the server answered with status {status}")]
    Rejected {
        /// The status of the response.
        status: u16,
    },
    /// The client's fault: `Host`, `Sec-WebSocket-Key` or `Sec-WebSocket-Version` more than once, so that two
    /// recipients may differ in which they take. Status 400.
    #[error("a header that must be there once is repeated")]
    RepeatedHeader,
    /// The caller's fault: one of the headers to be sent is one that the handshake itself sends, or leaves
    /// out on purpose. Status 500.
    #[error("a header to be sent is reserved for the handshake")]
    ReservedHeader,
    /// The peer's fault: the first line is longer than [`max_request_line`]. Status 414.
    ///
    /// [`max_request_line`]: super::HandshakeLimits::max_request_line
    #[error("a first line of more than {limit} bytes (max_request_line)")]
    StartLineTooLong {
        /// The limit that it exceeds, in bytes.
        limit: usize,
    },
    /// The caller's fault: the subprotocol to be agreed on is not one that the client offered (RFC 6455
    /// section 4.2.2), or those to be offered are not unique tokens. Status 500.
    #[error("a subprotocol that cannot be sent")]
    SubprotocolNotAllowed,
    /// The head was not complete within [`timeout`](super::HandshakeLimits::timeout). Status 408.
    #[error("the head did not arrive in time")]
    Timeout,
    /// The peer's fault: more headers than [`max_fields`](super::HandshakeLimits::max_fields). Status 431.
    #[error("more than {limit} headers (max_fields)")]
    TooManyFields {
        /// The limit that it exceeds.
        limit: usize,
    },
    /// The connection ended before the head was complete. Status 400, if the peer still listens.
    #[error("the connection ended inside the opening handshake")]
    UnexpectedEof,
    /// The server's fault: it uses an extension that was not offered (RFC 6455 section 4.1).
    #[error("the server uses an extension that was not offered")]
    UnexpectedExtension,
    /// The server's fault: it chose a subprotocol that was not offered, or more than one (RFC 6455 section
    /// 4.1).
    #[error("the server chose a subprotocol that was not offered")]
    UnexpectedSubprotocol,
    /// The client's fault: `Sec-WebSocket-Version` is missing, or not `13` (RFC 6455 sections 4.2.1 and 4.4).
    /// Status 426, and the version that is understood.
    #[error("the Sec-WebSocket-Version is not 13")]
    UnsupportedVersion,
}

impl HandshakeError {
    /// The HTTP status with which a server answers this error. Errors that only a client meets, and mistakes
    /// of the caller's, are 500.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Body
            | Self::HttpVersion { major: 1, .. }
            | Self::InvalidHost
            | Self::InvalidKey
            | Self::InvalidSubprotocol
            | Self::InvalidTarget
            | Self::Malformed(_)
            | Self::MissingConnection
            | Self::RepeatedHeader
            | Self::UnexpectedEof => 400,
            Self::OriginRefused => 403,
            Self::MethodNotAllowed => 405,
            Self::Timeout => 408,
            Self::StartLineTooLong { .. } => 414,
            Self::NotAnUpgrade | Self::UnsupportedVersion => 426,
            Self::HeadTooLarge { .. } | Self::TooManyFields { .. } => 431,
            Self::Full => 503,
            Self::HttpVersion { .. } => 505,
            _ => 500,
        }
    }

    /// The code of a Close frame that tells the server why the client fails the connection, for errors behind
    /// which there would be a WebSocket that could carry it: 1010 for [`UnexpectedExtension`] and
    /// `InvalidExtension`, and `None` for all others.
    ///
    /// To close the transport at once is as good: RFC 6455 section 7.1.7 asks for a Close frame only once the
    /// connection is established.
    ///
    /// [`UnexpectedExtension`]: Self::UnexpectedExtension
    pub const fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::UnexpectedExtension => Some(CloseCode::MANDATORY_EXTENSION),
            #[cfg(feature = "deflate")]
            Self::InvalidExtension(error) => Some(error.close_code()),
            _ => None,
        }
    }

    /// Queues the response that answers this error, for a server. Transmit it with
    /// [`poll_transmit`](super::poll_transmit), then close the connection: what else arrives on it is not to
    /// be looked at.
    ///
    /// The response has no body. It says `Connection: close`; with 405, `Allow: GET`; with 426, which
    /// protocol and version is understood (RFC 6455 section 4.4, RFC 9110 section 15.5.22).
    ///
    /// # Errors
    ///
    /// [`Full`](Self::Full) or [`OutputTooSmall`](Self::OutputTooSmall), with nothing queued. Just close,
    /// then.
    pub fn respond<O: Outbound>(&self, tx: &mut O) -> Result<(), Self> {
        let mut head = HeadWriter::new(tx)?;
        status_line(&mut head, self.status());
        if self.status() == 405 {
            head.field("Allow", "GET");
        }
        head.field("Content-Length", "0");
        head.finish()
    }
}

/// What a client finds wrong in the extensions of a response.
#[cfg(feature = "deflate")]
impl From<NegotiationError> for HandshakeError {
    fn from(error: NegotiationError) -> Self {
        match error {
            NegotiationError::UnexpectedExtension => Self::UnexpectedExtension,
            error => Self::InvalidExtension(error),
        }
    }
}

/// Which rule of HTTP/1.1 (RFC 9112) the peer violated. Noticed at the byte that breaks the rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ThisError)]
#[non_exhaustive]
pub enum HttpFault {
    /// A CR without LF (RFC 9112 section 2.2).
    #[error("a CR without LF")]
    BareCr,
    /// An LF without CR. RFC 9112 section 2.2 lets a recipient take it for a line end, which is how two
    /// recipients come to differ on where a request ends.
    #[error("an LF without CR")]
    BareLf,
    /// A control character, NUL and DEL included.
    #[error("a control character")]
    ControlCharacter,
    /// A header without a name, with a name that is no token, or without a colon.
    #[error("an invalid header name")]
    FieldName,
    /// A header continued on the next line (RFC 9112 section 5.2: "A server that receives an obs-fold ...
    /// MUST either reject the message ... or replace" it).
    #[error("a folded header")]
    Folded,
    /// White space between the name of a header and its colon (RFC 9112 section 5.1: "A server MUST reject,
    /// with a response status code of 400").
    #[error("white space before a colon")]
    SpaceBeforeColon,
    /// The first line is no request line, or no status line.
    #[error("an invalid first line")]
    StartLine,
}
