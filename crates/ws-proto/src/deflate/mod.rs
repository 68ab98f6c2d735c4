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

#![forbid(unsafe_code)]

mod config;
mod extensions;
mod negotiation_error;
mod offer;
mod parameters;
mod params;
mod response;
mod window_bits;

pub use config::DeflateConfig;
pub use negotiation_error::NegotiationError;
pub use offer::{ClientMaxWindowBits, DeflateOffer, DeflateOffers};
pub use params::DeflateParams;
pub use response::DeflateResponse;
pub use window_bits::WindowBits;
