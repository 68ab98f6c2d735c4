//! What can be wrong with a header that negotiates.

use thiserror::Error as ThisError;

use crate::close_code::CloseCode;

/// What is wrong with a `Sec-WebSocket-Extensions` header, or with one element of it.
///
/// A server declines an offer that has such a defect and looks at the next one. A client fails the connection: it
/// closes the transport, or says why with [`close_code`](Self::close_code) if it has a connection by then.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ThisError)]
#[non_exhaustive]
pub enum NegotiationError {
    /// A parameter that needs a value has none, one that has none has a value, or the value is no number of bits: 8
    /// to 15 in decimal digits, without leading zeros and without quotes (RFC 7692 section 7.1).
    #[error("a parameter of permessage-deflate has an invalid value")]
    InvalidValue,
    /// Not the grammar of RFC 6455 section 9.1. A quoted string whose content is no token is such a case.
    #[error("the Sec-WebSocket-Extensions header is malformed")]
    Malformed,
    /// The response lacks a parameter that the offer demands: `server_no_context_takeover`, or
    /// `server_max_window_bits` (RFC 7692 sections 7.1.1.1 and 7.1.2.1: a server accepts such an offer "by
    /// including" it).
    #[error("the response lacks a parameter that the offer demands")]
    MissingParameter,
    /// The response uses permessage-deflate twice, while one of the offers can be accepted.
    #[error("permessage-deflate is accepted more than once")]
    RepeatedExtension,
    /// The same parameter twice (RFC 7692 section 7).
    #[error("a parameter of permessage-deflate is repeated")]
    RepeatedParameter,
    /// The response has a window larger than the offer allows.
    #[error("a window larger than the offer allows")]
    TooManyWindowBits,
    /// The response uses an extension that was not offered (RFC 6455 section 4.1).
    #[error("an extension that was not offered")]
    UnexpectedExtension,
    /// The response has `client_max_window_bits`, and the offer does not (RFC 7692 section 7.1.2.2).
    #[error("a parameter of permessage-deflate that was not offered")]
    UnexpectedParameter,
    /// A parameter that RFC 7692 does not define.
    #[error("an unknown parameter of permessage-deflate")]
    UnknownParameter,
}

impl NegotiationError {
    /// The code with which a client closes the connection that it fails for this reason:
    /// [`MANDATORY_EXTENSION`](CloseCode::MANDATORY_EXTENSION), 1010 (RFC 6455 section 7.4.1).
    pub const fn close_code(self) -> CloseCode {
        CloseCode::MANDATORY_EXTENSION
    }
}
