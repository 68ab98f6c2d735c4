//! placeholder
mod accept;
mod connect;
mod driver;
mod error;
mod exchange;
mod message;
mod reply;
mod socket;
mod stream;
mod timer;
mod utf8_bytes;

pub use accept::{IncomingRequest, accept, receive_request};
pub use connect::{Accepted, connect, connect_over, connect_with};
pub use error::{Error, Rejection};
pub use message::{CloseFrame, Message};
pub use reply::Reply;
pub use socket::WebSocket;
pub use utf8_bytes::Utf8Bytes;
/// The core, of which this crate's interface uses many types.
pub use ws_proto;
