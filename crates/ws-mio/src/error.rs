//! Why a connection ended otherwise than by a closing handshake.

use std::io;

use ws_proto::handshake::HandshakeError;

/// Why a connection failed. Given once; afterwards the connection only winds up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The opening handshake failed. A server has queued the HTTP response that says so.
    #[error("the opening handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    /// The transport failed, or one of its operations did what it must not. There is nothing left to do.
    #[error("the transport failed: {0}")]
    Io(#[from] io::Error),
    /// The peer violated the protocol or a limit, left without a closing handshake, or missed a deadline. The Close
    /// frame that says so goes out while the connection is served on, until it is closed.
    #[error(transparent)]
    Protocol(#[from] ws_proto::Error),
    /// The source of a message failed or claimed more than it was offered (`SendError::SourceFailed`), or gave a text
    /// that is none (`SendError::InvalidUtf8`). The message cannot be finished; a Close frame with 1011 goes out.
    #[error("a message could not be sent: {0}")]
    Source(ws_proto::SendError),
}

impl Error {
    /// One to give away, and one to keep.
    pub(crate) fn duplicate(&self) -> Self {
        match self {
            Self::Handshake(error) => Self::Handshake(*error),
            Self::Io(error) => Self::Io(match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            }),
            Self::Protocol(error) => Self::Protocol(*error),
            Self::Source(error) => Self::Source(*error),
        }
    }
}
