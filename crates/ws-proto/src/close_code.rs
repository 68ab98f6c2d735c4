//! The status codes of a Close frame.

use core::fmt;

/// A status code of RFC 6455 section 7.4: why a connection ends.
///
/// A newtype, not an enum: applications and registries add codes, and a match with a fallback arm reads the same.
///
/// ```
/// use ws_proto::CloseCode;
///
/// assert!(CloseCode::from(4001).is_sendable()); // 4000 to 4999 belong to applications
/// assert!(!CloseCode::NO_STATUS.is_sendable()); // 1005 exists only as a value
/// assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001 going away");
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection has been fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server going down, or a browser leaving the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer violated the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data this endpoint cannot accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the Close frame carried no code. A value only, never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection ended without a Close frame. A value only, never on the wire.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that is not of the type announced, as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a policy of this endpoint was violated.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client needs an extension that the server did not agree to. Sent by clients.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition kept this endpoint from fulfilling the request.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (IANA registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later (IANA registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid response from upstream (IANA registry).
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. A value only, never on the wire.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// The number on the wire.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Whether a Close frame may carry this code: 1000 to 1003, 1007 to 1014 and 3000 to 4999.
    ///
    /// The same rule holds for what is received; anything else is a protocol error (RFC 6455 section 7.4.2).
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// The registry's words for the code, or what its range is for.
    pub const fn description(self) -> &'static str {
        match self.0 {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1005 => "no status code",
            1006 => "abnormal closure",
            1007 => "invalid payload data",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "mandatory extension missing",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS handshake failed",
            3000..=3999 => "registered",
            4000..=4999 => "private use",
            _ => "reserved",
        }
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.description())
    }
}
