//! WebSocket (RFC 6455) as a pure state machine: bytes in, events out; messages in, bytes out.
//!
//! This crate does no I/O, reads no clock and needs no allocator. It decides everything that the protocol has to
//! decide; whoever uses it moves bytes, and says what time it is. `ws-mio` and `ws-tokio` do that for their event
//! loops; with this crate alone you do it for yours: epoll, io_uring, a game loop, a microcontroller.
//!
//! # The run loop
//!
//! A [`Connection`] with a [`RecvBuf`] for what arrives and a [`SendBuf`] for what is to leave. An echo server on a
//! blocking transport shows the whole of it; with a non-blocking one, step 5 becomes "wait until the transport is
//! readable, or writable if [`wants_transmit`](Connection::wants_transmit), or the deadline has come". The example
//! `epoll_echo` is that, step by step, for many sockets on Linux.
//!
//! ```
//! use ws_proto::{Config, Connection, Error, Event, Instant, RecvBuf, Role, SendBuf, TransportAction};
//!
//! # fn shut_down_write(_: &mut impl Transport) {}
//! # trait Transport { fn read(&mut self, spare: &mut [u8], until: Option<Instant>) -> usize; fn write(&mut self, bytes: &[u8]) -> usize; }
//! fn serve(io: &mut impl Transport, clock: impl Fn() -> Instant) -> Result<(), Error> {
//!     // 1. The opening handshake is over: see the module `handshake`, or any HTTP library.
//!     let mut conn = Connection::new(Role::Server, Config::default(), clock());
//!     let mut rx = RecvBuf::new([0; 4096]);
//!     let mut tx = SendBuf::new([0; 4200]);
//!
//!     loop {
//!         let now = clock();
//!         // 2. Deadlines that have passed take effect.
//!         conn.handle_timeout(now);
//!
//!         // 3. Take every event out of what has arrived, and answer while it lies there. An error is told
//!         //    at the end, when the peer knows it too.
//!         while let Ok(Some(event)) = conn.receive(now, &mut rx) {
//!             if let Event::Data(message) = event {
//!                 let _ = conn.send(&mut tx, message);
//!             }
//!         }
//!
//!         // 4. Transmit what waits, in the order that the core gives it.
//!         while let Some(mut transmit) = conn.poll_transmit(now, &mut tx) {
//!             let written = io.write(transmit.slices()[0]);
//!             transmit.advance(written);
//!         }
//!         match conn.transport_action(&tx) {
//!             TransportAction::Keep => {}
//!             TransportAction::ShutdownWrite => shut_down_write(io),
//!             TransportAction::Close => return conn.error().map_or(Ok(()), Err),
//!         }
//!
//!         // 5. Wait for more, until the next deadline.
//!         match io.read(rx.spare_mut(), conn.poll_timeout()) {
//!             0 => { let _ = conn.receive_eof(); }
//!             n => rx.commit(n),
//!         }
//!     }
//! }
//! # struct Script(Vec<Vec<u8>>, Vec<u8>);
//! # impl Transport for Script {
//! #     fn read(&mut self, spare: &mut [u8], _: Option<Instant>) -> usize {
//! #         let bytes = self.0.pop().unwrap_or_default();
//! #         spare[..bytes.len()].copy_from_slice(&bytes);
//! #         bytes.len()
//! #     }
//! #     fn write(&mut self, bytes: &[u8]) -> usize { self.1.extend_from_slice(bytes); bytes.len() }
//! # }
//! # let mut io = Script(vec![vec![0x88, 0x80, 0, 0, 0, 0], vec![0x81, 0x82, 0, 0, 0, 0, b'h', b'i']], vec![]);
//! # serve(&mut io, || Instant::ZERO).unwrap();
//! # assert_eq!(io.1, [0x81, 2, b'h', b'i', 0x88, 0]);
//! ```
//!
//! # What it guarantees
//!
//! * **Nothing grows because a peer wants it to.** Limits are checked on the frame header, before the payload; memory
//!   grows with bytes received, not with lengths announced; control frames have a fixed place.
//! * **No call-order rules.** Any method at any time; polls can be repeated; an early or late timeout is harmless.
//! * **One end.** An error is sticky. At most one Close frame goes out, with the code that belongs to the cause, and
//!   nothing after it but pongs.
//! * **A payload is touched once.** It is unmasked and checked as it arrives, where it lies, and delivered from there.
//! * **However the bytes are cut**, the events and the output are the same.
//!
//! # Features
//!
//! All are additive; none changes what another does. Default: none.
//!
//! | feature | adds |
//! |---|---|
//! | `alloc` | buffers that grow (`Vec<u8>`), `SendQueue` for owned payloads |
//! | `std` | `Clock`, slices as `IoSlice`; implies `alloc` |
//! | `deflate` | permessage-deflate (RFC 7692); implies `alloc` |
//! | `handshake` | the opening handshake of both roles, without an allocator |

#![no_std]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_alloc, clippy::std_instead_of_core)]
#[cfg(any(test, feature = "alloc"))]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod buf;
mod close_code;
mod config;
mod conn;
#[cfg(feature = "deflate")]
pub mod deflate;
mod error;
mod event;
#[cfg(any(feature = "deflate", feature = "handshake"))]
mod grammar;
#[cfg(feature = "handshake")]
pub mod handshake;
#[cfg(feature = "alloc")]
mod outcome;
#[cfg(feature = "alloc")]
mod owned;
mod rsv;
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
#[cfg(feature = "alloc")]
pub use conn::PreparedMessage;
pub use conn::{Connection, Pull, Pulled, Role, Source, State, Transmit, TransportAction};
pub use error::{Error, ProtocolError, SendError, TimeoutReason};
pub use event::{Chunk, CloseFrame, Event, FrameHeader, Kind, Message, Ready, ReadyChunk};
#[cfg(feature = "alloc")]
pub use outcome::{Ending, Outcome, Side};
#[cfg(feature = "alloc")]
pub use owned::OwnedMessage;
pub use rsv::Rsv;
#[cfg(feature = "std")]
pub use time::Clock;
pub use time::Instant;
pub use wire::header::MAX_HEADER_SIZE;
pub use wire::mask_key::MaskKeys;
