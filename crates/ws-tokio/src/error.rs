//! What can go wrong, and a handshake that the server refused.

use core::fmt;
use std::io;

use ws_proto::SendError;
use ws_proto::handshake::HandshakeError;

/// Why something failed.
///
/// [`Send`](Self::Send) is about one call; the connection goes on. Everything else ends the connection: it is reported
/// once, by whichever call comes first, and after that there is nothing more to receive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol, exceeded a limit or missed a deadline. It has been told with a Close frame as far
    /// as it listened.
    #[error(transparent)]
    Connection(#[from] ws_proto::Error),
    /// The opening handshake is not one. A server has already answered with the status that belongs to the error.
    #[error("opening handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// The transport failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server answered the opening handshake with something other than 101.
    #[error("the server refused the opening handshake with status {}", .0.status)]
    Rejected(Box<Rejection>),
    /// The call was wrong, or came after the connection began to close. Nothing was sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl Error {
    /// One to give away, and one to keep.
    pub(crate) fn duplicate(&self) -> Self {
        match self {
            Self::Connection(error) => Self::Connection(*error),
            Self::Handshake(error) => Self::Handshake(*error),
            Self::Io(error) => Self::Io(match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            }),
            Self::Rejected(rejection) => Self::Rejected(rejection.clone()),
            Self::Send(error) => Self::Send(*error),
        }
    }
}

/// The response of a server that did not accept the opening handshake.
#[derive(Clone, Eq, PartialEq)]
pub struct Rejection {
    /// The status code, such as 401 or 302.
    pub status: u16,
    /// The header fields, in their order; names as they were sent.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What of the body had arrived together with the head. The rest is not waited for.
    pub body_prefix: Vec<u8>,
}

/// The status and the names of the headers: values are often secret.
impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("status", &self.status)
            .field("headers", &Names(&self.headers))
            .field("body_prefix_len", &self.body_prefix.len())
            .finish()
    }
}

/// Header fields for debug output: their names.
pub(crate) struct Names<'a>(pub(crate) &'a [(String, Vec<u8>)]);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// For the traits of `std::io` and tokio: the error itself if it is one of theirs, else one that holds it.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            Error::Connection(ws_proto::Error::UnexpectedEof) => io::ErrorKind::UnexpectedEof.into(),
            other => Self::other(other),
        }
    }
}
