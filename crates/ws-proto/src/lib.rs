//! WebSocket (RFC 6455) as a pure state machine.
#![no_std]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_alloc, clippy::std_instead_of_core)]
#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod buf;
mod close_code;
mod config;
mod conn;
mod error;
mod event;
#[cfg(feature = "handshake")]
pub mod handshake;
mod time;
mod utf8;
mod wire;

pub use buf::outbound::{MAX_SLICES, Outbound, Slices};
#[cfg(feature = "alloc")]
pub use buf::queue::SendQueue;
pub use buf::recv::RecvBuf;
pub use buf::send::SendBuf;
pub use buf::storage::Storage;
pub use close_code::CloseCode;
pub use config::Config;
pub use conn::{Connection, Role, State, Transmit, TransportAction};
pub use error::{Error, ProtocolError, SendError, TimeoutReason};
pub use event::{CloseFrame, Event, Kind, Message, Ready};
#[cfg(feature = "std")]
pub use time::Clock;
pub use time::Instant;
pub use wire::mask_key::MaskKeys;
