//! Coming from wslay or Net::WebSocket::EV: examples, and what is different.
//!
//! Both call back; here [`WebSocket::next`] gives what happened, and the loop is yours. What is called how is
//! [in the table](crate#coming-from-wslay-or-netwebsocketev).
//!
//! # An echo without buffering
//!
//! ```
//! use ws_mio::{Chunk, Error, Event, Instant, Transport, WebSocket};
//!
//! // buffering => 0; in on_frame_recv_start, on_frame_recv_chunk, on_frame_recv_end:
//! fn turn<IO: Transport>(ws: &mut WebSocket<IO>, now: Instant) -> Result<(), Error> {
//!     while let Some((event, mut reply)) = ws.next_chunk(now)? {
//!         let kind = reply.received_kind();
//!         match event {
//!             Event::Data(Chunk::FrameStart(header)) => println!("a frame of {} bytes", header.len),
//!             Event::Data(Chunk::Data(piece)) => {
//!                 let _ = reply.send_fragment(kind, piece.as_bytes(), false);
//!             }
//!             Event::Data(Chunk::FrameEnd { fin: true }) => {
//!                 let _ = reply.send_fragment(kind, &[], true);
//!             }
//!             Event::Close(close) => println!("closed with {}: {}", close.code, close.reason),
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # A message from a callback
//!
//! ```
//! # use std::collections::VecDeque;
//! # use std::sync::{Arc, Mutex};
//! use ws_mio::{Kind, Pull, SendError, WebSocket};
//!
//! // queue_fragmented(sub { ... }, WS_TEXT_FRAME): what another part of the program finds out by and by.
//! fn send<IO>(ws: &mut WebSocket<IO>, found: Arc<Mutex<VecDeque<String>>>) -> Result<(), SendError> {
//!     ws.send_source(Kind::Text, move |room: &mut [u8]| {
//!         let Ok(mut found) = found.lock() else { return Pull::Failed };
//!         match found.pop_front() {
//!             None => Pull::Pending, // and ws.resume_source() when there is more
//!             Some(line) if line.len() > room.len() => Pull::Failed,
//!             Some(line) if line.is_empty() => Pull::Last(0),
//!             Some(line) => {
//!                 room[..line.len()].copy_from_slice(line.as_bytes());
//!                 Pull::Data(line.len())
//!             }
//!         }
//!     })
//!     .map_err(|(error, _source)| error)
//! }
//! ```
//!
//! # Waiting until all is sent, then closing
//!
//! ```
//! use ws_mio::{CloseCode, Flow, Instant, SendError, WebSocket};
//!
//! // $ws->wait(sub { $ws->close(1000, "done") }):
//! fn begin<IO>(ws: &mut WebSocket<IO>) {
//!     ws.notify_drained();
//! }
//!
//! fn after_turn<IO>(ws: &mut WebSocket<IO>, now: Instant) -> Result<(), SendError> {
//!     while let Some(flow) = ws.poll_flow() {
//!         if flow == Flow::Drained {
//!             ws.close(now, CloseCode::NORMAL, "done")?;
//!         }
//!     }
//!     if let Some(outcome) = ws.outcome() {
//!         println!("{outcome}"); // on_close
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What is different
//!
//! * A close flushes first; what is queued before is not lost, but for sources, which may take any time. Whoever waits for
//!   everything to be sent is told if it was not.
//! * A peer's violation is noticed at the header byte that breaks the rule, goes out as a Close frame with its code, and is an
//!   [`Error`] of [`WebSocket::next`], once.
//! * Nothing is allocated because a peer announces it; pongs, and what waits to be sent, are bounded.
//! * A turn ends when the transport would block, or when it has done enough and the connection is due again by itself; so
//!   an edge-triggered loop does not hang.
//! * Masking keys are seeded by the operating system.
//! * Nothing calls back, so that a connection can be dropped anywhere, whatever it is doing; sources go with it.

#[cfg(doc)]
use crate::{Error, WebSocket};
