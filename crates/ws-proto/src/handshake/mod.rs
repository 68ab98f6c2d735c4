//! The opening handshake of RFC 6455 section 4, both roles, without I/O and without an allocator.
//!
//! It works in the buffers of the connection that follows: what arrived is read in the
//! [`RecvBuf`](crate::RecvBuf), what is to be sent is queued in the [`SendBuf`](crate::SendBuf) or
//! `SendQueue`, and bytes behind the handshake are where the connection looks for them. Heads are limited in
//! size and number of headers and by an absolute deadline: see [`HandshakeLimits`].
//!
//! Of extensions there is permessage-deflate, with the feature `deflate` and where it is asked for
//! (`AcceptOptions::deflate`, `ClientRequest::deflate`); `Agreement::deflate` has what was agreed. A server ignores
//! offers of all others, and a client fails if the server uses one that it did not offer.
//!
//! # A server
//!
//! ```
//! use ws_proto::handshake::{AcceptOptions, HandshakeError, HandshakeLimits, ServerHandshake, poll_transmit};
//! use ws_proto::{Config, Connection, Instant, RecvBuf, Role, SendBuf};
//!
//! # fn read(spare: &mut [u8]) -> usize {
//! #     let request = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
//! #         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
//! #         Origin: http://server.example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
//! #         Sec-WebSocket-Version: 13\r\n\r\n";
//! #     spare[..request.len()].copy_from_slice(request);
//! #     request.len()
//! # }
//! # fn now() -> Instant { Instant::ZERO }
//! let mut rx = RecvBuf::new([0; 2048]);
//! let mut tx = SendBuf::new([0; 1024]);
//! let mut handshake = ServerHandshake::new(HandshakeLimits::default(), now());
//!
//! let outcome = loop {
//!     // 1. Read. The end of the stream goes to `handshake.receive_eof()`, a deadline to `handle_timeout(now)`.
//!     let n = read(rx.spare_mut());
//!     rx.commit(n);
//!     // 2. Look at it; 3. answer a request.
//!     match handshake.receive(now(), &mut rx) {
//!         Ok(None) => continue,
//!         Ok(Some(request)) => {
//!             let mut options = AcceptOptions::new();
//!             if let Some(chosen) = request.subprotocols().find(|offered| *offered == "chat") {
//!                 options = options.subprotocol(chosen);
//!             }
//!             break request.accept(&options, &mut tx);
//!         }
//!         Err(error) => break Err(error),
//!     }
//! };
//! match outcome {
//!     // 4. The response waits in `tx`, and goes out before the first frame.
//!     Ok(agreement) => {
//!         assert_eq!(agreement.subprotocol, Some("chat"));
//!         let mut connection = Connection::new(Role::Server, Config::default(), now());
//!         let transmit = connection.poll_transmit(now(), &mut tx).unwrap();
//!         assert!(transmit.slices()[0].starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
//!     }
//!     // 5. Or tell the client what is wrong, transmit that, and close.
//!     Err(error) => {
//!         error.respond(&mut tx)?;
//!         while let Some(mut transmit) = poll_transmit(&mut tx) {
//!             let written = transmit.slices()[0].len();
//!             transmit.advance(written);
//!         }
//! #       panic!("{error}");
//!     }
//! }
//! # Ok::<(), HandshakeError>(())
//! ```
//!
//! # A client
//!
//! ```
//! use ws_proto::handshake::{ClientHandshake, ClientRequest, HandshakeError, HandshakeLimits, Uri};
//! use ws_proto::handshake::poll_transmit;
//! use ws_proto::{Config, Connection, Instant, MaskKeys, RecvBuf, Role, SendBuf};
//!
//! # fn read(spare: &mut [u8]) -> usize {
//! #     let response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//! #         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
//! #     spare[..response.len()].copy_from_slice(response);
//! #     response.len()
//! # }
//! # fn now() -> Instant { Instant::ZERO }
//! let mut rx = RecvBuf::new([0; 2048]);
//! let mut tx = SendBuf::new([0; 1024]);
//!
//! // 1. Queue the request and write it.
//! let request = ClientRequest::new(Uri::parse("ws://server.example.com/chat")?);
//! let nonce = *b"the sample nonce"; // 16 random bytes, fresh ones each time
//! let mut handshake = ClientHandshake::start(&request, nonce, HandshakeLimits::default(), now(), &mut tx)?;
//! while let Some(mut transmit) = poll_transmit(&mut tx) {
//!     let written = transmit.slices()[0].len(); // write them
//!     transmit.advance(written);
//! }
//! // 2. Read until the response is there. End of file and deadline as above.
//! while !handshake.poll_receive(now(), &mut rx)? {
//!     let n = read(rx.spare_mut());
//!     rx.commit(n);
//! }
//! // 3. Verify it. A response other than 101 is `Rejected`, and `handshake.response(&rx)` has the details.
//! let agreement = handshake.finish(&request, &rx)?;
//! assert_eq!(agreement.subprotocol, None);
//! // 4. From here on it is a WebSocket, with the same buffers.
//! let keys = MaskKeys::from_seed([7; 32]); // 32 random bytes
//! let connection = Connection::new(Role::Client(keys), Config::default(), now());
//! # Ok::<(), HandshakeError>(())
//! ```

#![forbid(unsafe_code)]

mod accept_key;
mod client;
mod error;
mod extensions;
mod fields;
mod head;
mod http;
mod limits;
mod origin;
mod output;
mod reconnect;
mod request;
mod response;
mod server;
mod server_response;
mod uri;

pub use client::{ClientHandshake, ClientRequest};
pub use error::{HandshakeError, HttpFault};
pub use fields::Headers;
pub use limits::HandshakeLimits;
pub use origin::OriginPolicy;
pub use output::{TransmitHead, poll_transmit};
pub use reconnect::ReconnectDelay;
pub use request::{AcceptOptions, Request};
pub use response::Response;
pub use server::ServerHandshake;
pub use server_response::ServerResponse;
pub use uri::{Uri, UriError};

#[cfg(feature = "deflate")]
use crate::deflate::DeflateParams;

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Agreement<'a> {
    /// The subprotocol, if one was chosen (RFC 6455 section 1.9).
    pub subprotocol: Option<&'a str>,
    /// The parameters of permessage-deflate, if it was agreed on (RFC 7692). Give them to the connection.
    #[cfg(feature = "deflate")]
    pub deflate: Option<DeflateParams>,
}
