//! What can go wrong: [`Error`] is the peer's doing or the network's, [`SendError`] is the caller's.

use thiserror::Error as ThisError;

use crate::close_code::CloseCode;

/// Why a connection failed: a fault of the peer, or of the way to it.
///
/// Every variant is fatal and sticky: the connection accepts nothing more, and asking again gives the same error. What
/// is left to do is to go on transmitting until [`transport_action`] says that the transport can be closed, so that
/// the Close frame with [`close_code`] reaches the peer.
///
/// [`transport_action`]: crate::Connection::transport_action
/// [`close_code`]: Self::close_code
#[derive(Clone, Copy, Debug, Eq, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A compressed message cannot be inflated (RFC 7692 section 7.2.2). Close code 1007.
    ///
    /// Also if the messages before it were, and the peer's idea of the context is another than ours: then it is a
    /// fault of the peer's library.
    #[error("the peer sent a compressed message that cannot be inflated")]
    InvalidDeflate,
    /// Text or a close reason is not UTF-8 (RFC 6455 section 8.1). Close code 1007.
    #[error("the peer sent text that is not UTF-8")]
    InvalidUtf8,
    /// A message is larger than allowed, or than the receive buffer can ever hold. Close code 1009.
    ///
    /// Raise `Config::max_message_size` or `Config::max_frame_size`, or give `RecvBuf` more storage, if such messages
    /// are to be received whole.
    #[error(
        "the peer sent a message over the limit of {limit} bytes (max_message_size, max_frame_size or the buffer)"
    )]
    MessageTooBig {
        /// The limit that it exceeds, in bytes.
        limit: u64,
    },
    /// The peer violated RFC 6455. Close code 1002.
    #[error("the peer violated the protocol: {0}")]
    Protocol(#[from] ProtocolError),
    /// A deadline passed. See the reason for whether and with which code a Close frame goes out.
    #[error("timed out: {0}")]
    Timeout(TimeoutReason),
    /// A message has more fragments than allowed. Close code 1008.
    ///
    /// Raise `Config::max_fragments` if the peer has a reason to send so many.
    #[error("the peer sent a message of more than {limit} fragments (max_fragments)")]
    TooManyFragments {
        /// The limit that it exceeds.
        limit: u32,
    },
    /// The transport ended before the closing handshake did (1006). There is nobody left to send a Close frame to.
    #[error("the connection ended without a closing handshake")]
    UnexpectedEof,
}

impl Error {
    /// The code of the Close frame that answers this error, unless one had been sent already; `None` where none is
    /// sent.
    pub const fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::InvalidDeflate | Self::InvalidUtf8 => Some(CloseCode::INVALID_PAYLOAD),
            Self::MessageTooBig { .. } => Some(CloseCode::MESSAGE_TOO_BIG),
            Self::Protocol(_) => Some(CloseCode::PROTOCOL_ERROR),
            Self::Timeout(reason) => reason.close_code(),
            Self::TooManyFragments { .. } => Some(CloseCode::POLICY_VIOLATION),
            Self::UnexpectedEof => None,
        }
    }
}

/// Which rule of RFC 6455 the peer violated.
///
/// All but the two about the body of a Close frame are noticed at the header byte that breaks the rule, before any
/// payload arrives.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ThisError)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The body of a Close frame is one byte long; it is empty, or begins with a code of two bytes (section 5.5.1).
    #[error("a Close frame with a body of one byte")]
    CloseBodyTooShort,
    /// A control frame announces more than 125 bytes (section 5.5).
    #[error("a control frame of more than 125 bytes")]
    ControlFrameTooLong,
    /// A new message begins inside a fragmented one (section 5.4).
    #[error("a new message inside a fragmented one")]
    ExpectedContinuation,
    /// A control frame without FIN (section 5.5).
    #[error("a fragmented control frame")]
    FragmentedControlFrame,
    /// A Close frame carries a code that must not be on the wire (section 7.4).
    #[error("a Close frame with the code {0}")]
    InvalidCloseCode(u16),
    /// A 64-bit length with the most significant bit set (section 5.2).
    #[error("a length with the most significant bit set")]
    LengthTooLarge,
    /// A server sent a masked frame (section 5.1).
    #[error("a masked frame from a server")]
    MaskedFrame,
    /// A length that a shorter encoding could express (section 5.2).
    #[error("a length that is not in its shortest form")]
    NonMinimalLength,
    /// A reserved bit that no extension gave a meaning, or on a frame that must not carry it (section 5.2).
    #[error("a reserved bit that was not negotiated")]
    ReservedBits,
    /// An opcode that the RFC reserves (section 5.2).
    #[error("the reserved opcode {0}")]
    ReservedOpcode(u8),
    /// A continuation frame with no message to continue (section 5.4).
    #[error("a continuation frame outside a message")]
    UnexpectedContinuation,
    /// A client sent a frame that is not masked (section 5.1).
    #[error("an unmasked frame from a client")]
    UnmaskedFrame,
}

/// Which deadline passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ThisError)]
#[non_exhaustive]
pub enum TimeoutReason {
    /// The closing handshake did not complete within `Config::close_timeout`. The transport is closed at once.
    #[error("the peer did not complete the closing handshake")]
    Close,
    /// No data arrived for `Config::idle_timeout`. Close code 1001.
    #[error("no data arrived")]
    Idle,
    /// No pong answered a keepalive ping within `Config::pong_timeout`. Close code 1011 is queued, and the transport is
    /// closed at once: a peer that does not answer is not waited for.
    #[error("the peer did not answer a ping")]
    Pong,
    /// The transport accepted no output for `Config::write_stall_timeout`. The transport is closed at once.
    #[error("the peer stopped reading")]
    WriteStall,
}

impl TimeoutReason {
    const fn close_code(self) -> Option<CloseCode> {
        match self {
            Self::Idle => Some(CloseCode::GOING_AWAY),
            Self::Pong => Some(CloseCode::INTERNAL_ERROR),
            Self::Close | Self::WriteStall => None,
        }
    }
}

/// Why a command was refused: the caller's fault, or the state of the connection.
///
/// None is fatal, nothing was written, and the connection is as it was; but for what a [`Source`](crate::Source) did
/// wrong in the middle of a message: see [`pull_message`](crate::Connection::pull_message).
#[derive(Clone, Copy, Debug, Eq, PartialEq, ThisError)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing, closed or failed; it takes no more messages. Stop sending.
    #[error("the connection is closing")]
    Closing,
    /// The payload of a ping or pong is longer than 125 bytes (RFC 6455 section 5.5). Send less.
    #[error("a control frame carries at most 125 bytes")]
    ControlFrameTooLong,
    /// The output has no room now. Transmit first, then send again.
    #[error("the send buffer is full")]
    Full,
    /// This code must not be sent (RFC 6455 section 7.4). See [`CloseCode::is_sendable`].
    #[error("{0} must not be sent in a Close frame")]
    InvalidCloseCode(CloseCode),
    /// The fragments of a text message are not UTF-8 together (RFC 6455 section 5.6). Send other bytes, or close: what
    /// was sent of the message stands.
    #[error("text must be UTF-8")]
    InvalidUtf8,
    /// A fragmented message is not finished; messages do not interleave (RFC 6455 section 5.4). Send its last fragment
    /// first, with the kind it began with.
    #[error("a fragmented message is not finished")]
    MessageInProgress,
    /// The message does not fit even an empty output buffer of fixed size. Send fragments that do.
    #[error("the message is larger than the send buffer")]
    MessageTooBig,
    /// No message was begun that this could be a piece of. Call `begin_message` first.
    #[error("no message was begun")]
    NoMessage,
    /// A close reason is longer than 123 bytes (RFC 6455 section 5.5). Shorten it at a character boundary.
    #[error("a close reason carries at most 123 bytes")]
    ReasonTooLong,
    /// Reserved bits that `Config::allowed_rsv` does not have. Negotiate an extension, and allow them.
    #[error("reserved bits that are not allowed")]
    ReservedBits,
    /// A source of pieces failed, or claimed more than it was offered. The message is given up, and the connection
    /// closes with 1011: the one error here after which nothing more can be sent.
    #[error("the source of a message failed")]
    SourceFailed,
}
