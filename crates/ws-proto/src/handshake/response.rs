//! A server's response that does not lead to a WebSocket.

use core::fmt;

use super::error::HandshakeError;
use super::fields::Names;
use super::output::{HeadWriter, check_headers, is_handshake_header, status_line};
use crate::buf::outbound::Outbound;

/// A response other than 101: a page, a redirect, a refusal.
///
/// `Connection: close` and `Content-Length` are added, and with 426 what the client should upgrade to; they
/// must not be among the headers.
///
/// ```
/// use ws_proto::handshake::Response;
///
/// let response = Response::new(401).headers(&[("WWW-Authenticate", "Bearer")]).body(b"who are you?");
/// ```
#[derive(Clone, Copy)]
pub struct Response<'a> {
    /// The status, 200 to 599.
    pub status: u16,
    /// Headers beyond those that are added.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body. None with 204 and 304.
    pub body: &'a [u8],
}

impl<'a> Response<'a> {
    /// A response without headers of its own and without a body.
    pub const fn new(status: u16) -> Self {
        Self { status, headers: &[], body: &[] }
    }

    /// Sets the headers.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Self {
        self.headers = headers;
        self
    }

    /// Sets the body.
    #[must_use]
    pub const fn body(mut self, body: &'a [u8]) -> Self {
        self.body = body;
        self
    }

    pub(super) fn queue<O: Outbound>(&self, head_only: bool, tx: &mut O) -> Result<(), HandshakeError> {
        // RFC 9110 sections 15.3.5 and 15.4.5: these have no content, and 204 must not give its length
        // either.
        let bodiless = matches!(self.status, 204 | 304);
        if !matches!(self.status, 200..=599) || bodiless && !self.body.is_empty() {
            return Err(HandshakeError::InvalidResponse(self.status));
        }
        check_headers(self.headers, is_handshake_header)?;

        let mut head = HeadWriter::new(tx)?;
        status_line(&mut head, self.status);
        if !bodiless {
            head.display_field("Content-Length", &self.body.len());
        }
        head.fields(self.headers);
        head.finish_with_body(if head_only { &[] } else { self.body })
    }
}

/// Without the values of headers and the body, which are often secret.
impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &Names(self.headers))
            .field("body_len", &self.body.len())
            .finish()
    }
}
