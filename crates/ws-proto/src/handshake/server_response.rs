//! A server's response as a client received it.

use core::fmt;

use super::fields::Headers;
use super::http::{self, StatusLine};

/// The head of an HTTP response, in the receive buffer, and what already arrived behind it.
#[derive(Clone, Copy)]
pub struct ServerResponse<'b> {
    line: StatusLine<'b>,
    headers: Headers<'b>,
    body: &'b [u8],
}

impl<'b> ServerResponse<'b> {
    /// From a complete head; `None` if the bytes are something else.
    pub(super) fn parse(head: &'b [u8], body: &'b [u8]) -> Option<Self> {
        let line = StatusLine::parse(head).ok()?;
        Some(Self { line, headers: Headers::new(http::field_lines(head)), body })
    }

    /// The status; 101 if the server accepts. Interim responses, as 103 is one, are passed over.
    pub fn status(&self) -> u16 {
        self.line.status
    }

    /// The words behind the status; empty if there are none or they are not UTF-8. Never to be relied on.
    pub fn reason(&self) -> &'b str {
        core::str::from_utf8(self.line.reason).unwrap_or("")
    }

    /// The value of the first header of this name, whose case does not matter; without white space around it.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers.first(name)
    }

    /// All headers, in their order.
    pub fn headers(&self) -> Headers<'b> {
        self.headers
    }

    /// The bytes that already arrived behind the head: the beginning of the body of a refusal, as it is on
    /// the wire, and perhaps not all of it. Behind a 101 these are frames.
    pub fn body_prefix(&self) -> &'b [u8] {
        self.body
    }

    pub(super) fn version(&self) -> (u8, u8) {
        self.line.version
    }
}

/// The status and the names of the headers: values are often secret.
impl fmt::Debug for ServerResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerResponse")
            .field("status", &self.status())
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
