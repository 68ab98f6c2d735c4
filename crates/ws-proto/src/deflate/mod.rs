//! permessage-deflate, the compression of messages of RFC 7692.
//!
//! # Negotiation
//!
//! It is opt-in for both roles. With this crate's opening handshake (feature `handshake`), give
//! `AcceptOptions::deflate` or `ClientRequest::deflate` a [`DeflateConfig`], and look for what was agreed in
//! `Agreement::deflate`. The rest of this section is what that does, and what whoever has an opening handshake of
//! their own (an HTTP library's, or one over HTTP/2) does with the same types: values of headers in, values of headers
//! out, nothing allocated.
//!
//! A client sends its offers, in order of preference, and holds the response against them:
//!
//! ```
//! use ws_proto::deflate::{DeflateConfig, DeflateOffers};
//!
//! let offers = [DeflateConfig::new().offer()];
//! let offers = DeflateOffers::new(&offers);
//! assert_eq!(offers.to_string(), "permessage-deflate; client_max_window_bits"); // Sec-WebSocket-Extensions
//!
//! // The values of all headers of that name in the response.
//! let params = offers.verify([&b"permessage-deflate; client_max_window_bits=10"[..]])?;
//! assert_eq!(params.unwrap().client_max_window_bits.get(), 10);
//!
//! // What answers no offer fails the connection, with 1010.
//! let error = offers.verify([&b"permessage-deflate; client_max_window_bits=7"[..]]).unwrap_err();
//! assert_eq!(error.close_code().as_u16(), 1010);
//! # Ok::<(), ws_proto::deflate::NegotiationError>(())
//! ```
//!
//! A server takes the first offer that it can, and declines those with a defect:
//!
//! ```
//! use ws_proto::deflate::DeflateConfig;
//!
//! // The values of all headers of that name in the request.
//! let values =
//!     ["x-other, permessage-deflate; server_max_window_bits=99", "permessage-deflate; client_max_window_bits"];
//! let response = DeflateConfig::new().accept(values.map(str::as_bytes)).unwrap();
//! assert_eq!(response.to_string(), "permessage-deflate"); // Sec-WebSocket-Extensions
//! assert_eq!(response.params().client_max_window_bits.get(), 15);
//! ```
//!
//! Each of the four parameters is about the compressor of one side:
//!
//! | parameter | in an offer | in a response |
//! |---|---|---|
//! | `server_no_context_takeover` | a demand | there if demanded; may come unasked |
//! | `client_no_context_takeover` | a hint: the client will do so in any case | a demand; may come unasked |
//! | `server_max_window_bits` | a demand, with a value | the same or a smaller value; may come unasked |
//! | `client_max_window_bits` | may be demanded; a value is a hint | a demand, not above the hint; only if offered |
//!
//! What is written in any other way than RFC 7692 section 7.1 has it is a defect: unknown and repeated parameters, a
//! value where none belongs or none where one belongs, numbers outside of 8 to 15, with leading zeros, or in quotes.
//!
//! # On a connection
//!
//! Adapters switch it on by themselves where it was agreed on; with a bare connection,
//! [`Connection::enable_deflate`](crate::Connection::enable_deflate) does. From then on messages are compressed and
//! inflated without further ado, whole or in pieces, and the limits of [`Config`](crate::Config) hold for what comes out.
//! What cannot be inflated fails the connection with 1007.
//!
//! [`Connection::set_compression`](crate::Connection::set_compression) switches for the messages to come;
//! [`DeflateConfig::min_size`] keeps small ones plain; one that would not shrink is sent as it is. A
//! [`PreparedMessage`](crate::PreparedMessage) is compressed once for any number of connections. In a message that is
//! sent in pieces, [`Connection::flush_message`](crate::Connection::flush_message) lets the peer see all that was written
//! so far.
//!
//! Compression tells an eavesdropper something about the content by its length. Do not compress secrets in one message
//! with what an attacker may choose.
//!
//! # What it costs
//!
//! A connection that agreed on it costs less than 512 bytes more than another before its first compressed message. While
//! a message is received or sent, a state of the codec is in use, which all connections of a thread share; each thread
//! keeps up to four of a kind. Behind it stays, without context takeover, nothing. With context takeover:
//!
//! * for receiving, the last bytes of the peer's messages, up to its window;
//! * for sending, the whole state of the codec, which is what the window and the memory level make it.
//!
//! | window bits | memory level | sending | receiving |
//! |---|---|---|---|
//! | 15 | 8 | 372 KiB | 33 KiB |
//! | 15 | 5 | 274 KiB | 33 KiB |
//! | 15 | 1 | 260 KiB | 33 KiB |
//! | 12 | 5 | 162 KiB | 5 KiB |
//! | 10 | 5 | 150 KiB | 2 KiB |
//! | 9 | 1 | 134 KiB | 1 KiB |
//! | 8 | 1 | 134 KiB | 1 KiB |
//!
//! A server of many connections therefore does well to ask for
//! [`server_no_context_takeover`](DeflateConfig::server_no_context_takeover).
//!
//! For a window of 8 bits, 256 bytes, the encoder uses its smallest, of 9 bits, in which it never refers back further than
//! 250 bytes. What is received may refer back up to 32 KiB within a message, whatever was agreed on, and as far as the
//! agreed window into those before it.
//!
//! Without `std` there are no threads to share in: states are made for each message, and come from the C library's
//! `malloc`, `calloc` and `free`, which have to be there.

#![forbid(unsafe_code)]

mod codec;
mod config;
pub(crate) mod deflater;
mod extensions;
mod history;
pub(crate) mod inflater;
mod negotiation_error;
mod offer;
mod parameters;
mod params;
pub(crate) mod pool;
mod response;
mod window_bits;
mod zlib;

pub use config::DeflateConfig;
pub use negotiation_error::NegotiationError;
pub use offer::{ClientMaxWindowBits, DeflateOffer, DeflateOffers};
pub use params::DeflateParams;
pub use response::DeflateResponse;
pub use window_bits::WindowBits;
