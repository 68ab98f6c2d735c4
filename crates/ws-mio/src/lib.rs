//! WebSocket (RFC 6455) endpoints over mio.

mod accepting;
mod connecting;
mod endpoint;
mod error;
mod link;
mod parts;
mod reply;
mod timeouts;
mod transport;
mod websocket;

pub use accepting::{Accepting, Answer, accept};
pub use connecting::{Connecting, connect, connect_with};
pub use endpoint::{Endpoint, Step};
pub use error::Error;
pub use reply::Reply;
pub use timeouts::Timeouts;
pub use transport::Transport;
pub use websocket::WebSocket;
pub use ws_proto::handshake;
pub use ws_proto::{
    Clock, CloseCode, CloseFrame, Config, Event, Instant, Kind, MaskKeys, Message, Role, SendError, State,
};
