//! What the tests of this package share: frames built and read without the crate under test, one simulated endpoint,
//! and a pair of them with a clock and links that cut.
//!
//! Nothing here sleeps or asks what time it is. A test reads like the protocol:
//!
//! ```
//! use ws_tests::{Endpoint, ping, pong, text};
//!
//! let mut server = Endpoint::server();
//! server.hear(&[text("Hel").more(), ping("?"), cont("lo")]);
//! assert_eq!(server.events(), [ws_tests::Seen::ping("?"), ws_tests::Seen::text("Hello")]);
//! assert_eq!(server.say(), [pong("?")]);
//! # use ws_tests::cont;
//! ```
#![allow(clippy::missing_errors_doc, clippy::missing_panics_doc, clippy::panic, clippy::unwrap_used)]
#![allow(clippy::std_instead_of_alloc)]

pub mod bomb;
pub mod counting;
mod cut;
mod endpoint;
mod frame;
mod pair;
pub mod raw_peer;
mod strategy;

pub use cut::{chop, cuts, every_byte};
pub use endpoint::{Endpoint, Seen, client_role, fixed_key_role};
pub use frame::{
    Frame, FrameLength, KEY, binary, close, close_with, cont, empty_close, frame, frames, frames_and_rest,
    ping, pong, raw_close, text, wire,
};
pub use pair::{Pair, Side};
pub use strategy::{any_frame, repair};

use ws_proto::Instant;

/// `secs` seconds after the epoch, as everything here counts.
pub const fn at(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

/// `millis` milliseconds after the epoch.
pub const fn at_ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}
