//! WebSocket (RFC 6455) endpoints over mio.

mod error;
mod link;
mod reply;
mod timeouts;
mod transport;
mod websocket;

pub use error::Error;
pub use reply::Reply;
pub use timeouts::Timeouts;
pub use transport::Transport;
pub use websocket::WebSocket;
pub use ws_proto::{
    Clock, CloseCode, CloseFrame, Config, Event, Instant, Kind, MaskKeys, Message, Role, SendError, State,
};
