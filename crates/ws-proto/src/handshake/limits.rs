//! The limits of the opening handshake, each default with its reason.

use core::time::Duration;

use super::http::MAX_FIELDS;
use crate::config::Millis;

/// What the peer's head may cost, in size and in time. The same on both sides.
///
/// ```
/// use core::time::Duration;
/// use ws_proto::handshake::HandshakeLimits;
///
/// let limits = HandshakeLimits::default().max_head_size(4 << 10).timeout(Some(Duration::from_secs(5)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HandshakeLimits {
    pub(super) max_head_size: usize,
    pub(super) max_request_line: usize,
    pub(super) max_fields: usize,
    pub(super) timeout: Millis,
}

impl HandshakeLimits {
    /// The defaults, as [`Default`] gives them, in a `const` context.
    pub const fn new() -> Self {
        Self {
            max_head_size: 16 << 10,
            max_request_line: 8192,
            max_fields: MAX_FIELDS,
            timeout: Millis::from_secs(10),
        }
    }

    /// The largest head, in bytes: the first line, all headers, and the empty line at the end.
    ///
    /// Default: 16 KiB, which holds the cookies and tokens of browsers. A receive buffer of fixed size limits
    /// it further.
    #[must_use]
    pub const fn max_head_size(mut self, bytes: usize) -> Self {
        self.max_head_size = bytes;
        self
    }

    /// The longest first line, in bytes without its line end: request line or status line.
    ///
    /// Default: 8,192. RFC 9112 section 3 recommends that "all HTTP senders and recipients support, at a
    /// minimum, request-line lengths of 8000 octets".
    #[must_use]
    pub const fn max_request_line(mut self, bytes: usize) -> Self {
        self.max_request_line = bytes;
        self
    }

    /// The largest number of headers. It can only be lowered: more than 100 counts as 100, which is what fits
    /// the fixed room on the stack that they are parsed in.
    ///
    /// Default: 100; browsers send about 20.
    #[must_use]
    pub const fn max_fields(mut self, fields: usize) -> Self {
        self.max_fields = if fields < MAX_FIELDS { fields } else { MAX_FIELDS };
        self
    }

    /// How long the peer's head may take, from the moment the handshake begins. Absolute: no byte extends it.
    ///
    /// Default: 10 seconds, enough for a bad mobile connection, and little enough that connections which say
    /// nothing do not pile up. `None` waits for ever.
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = Millis::from_duration(timeout);
        self
    }
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self::new()
    }
}
