//! What was agreed.

use core::fmt;

use super::response::DeflateResponse;
use super::window_bits::WindowBits;

/// What client and server agreed on for permessage-deflate: the four parameters of RFC 7692 section 7.1, with what
/// holds where one was not negotiated.
///
/// Each is about the compressor of one side, and about what the other side's decompressor may therefore forget.
///
/// On the client's side the hints of its own offer are included: a client that says that it is not going to use context
/// takeover, or not more than a certain window, keeps to that even if the response does not mention it. A server that
/// uses this crate always mentions it, so that both sides have the same here.
///
/// `Display` is for people and logs, in the form of the header. What is sent in a response depends on the offer, and is
/// written by [`DeflateResponse`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct DeflateParams {
    /// The server compresses each message with an empty window (section 7.1.1.1). Default: no, it goes on with the
    /// window of the message before.
    pub server_no_context_takeover: bool,
    /// The client compresses each message with an empty window (section 7.1.1.2). Default: no.
    pub client_no_context_takeover: bool,
    /// The largest window that the server compresses with (section 7.1.2.1). Default: 15.
    pub server_max_window_bits: WindowBits,
    /// The largest window that the client compresses with (section 7.1.2.2). Default: 15.
    pub client_max_window_bits: WindowBits,
}

/// All that differs from the defaults, as in `permessage-deflate; client_max_window_bits=10`.
impl fmt::Display for DeflateParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unless_default = |bits| (bits != WindowBits::MAX).then_some(bits);
        let response = DeflateResponse {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: unless_default(self.server_max_window_bits),
            client_max_window_bits: unless_default(self.client_max_window_bits),
        };
        response.fmt(f)
    }
}
