//! WebSocket (RFC 6455) endpoints over [mio]: readiness in, events out, interest out.
//!
//! For programs that own their loop. Nothing here waits, starts threads or asks the clock, and nothing here decides
//! about the protocol: that is [`ws_proto`], which this crate feeds from any non-blocking [`Transport`], with any
//! number of connections in one `Poll`.
//!
//! # Echo
//!
//! A whole server, with a thread for each connection:
//!
//! ```no_run
//! use mio::{Events, Poll, Token, net::TcpStream};
//! use ws_mio::handshake::{AcceptOptions, HandshakeLimits};
//! use ws_mio::{Clock, Config, Endpoint, Error, Event, Step};
//!
//! fn echo(stream: TcpStream) -> Result<(), Error> {
//!     let (mut poll, mut events, clock) = (Poll::new()?, Events::with_capacity(8), Clock::new());
//!     let mut endpoint = Endpoint::accept(stream, HandshakeLimits::default(), Config::default(), clock.now());
//!     while !endpoint.is_closed() {
//!         endpoint.register(poll.registry(), Token(0))?;
//!         let timeout = endpoint.poll_timeout().map(|at| at.saturating_duration_since(clock.now()));
//!         poll.poll(&mut events, timeout)?;
//!         events.iter().for_each(|event| endpoint.handle_event(event));
//!         endpoint.handle_timeout(clock.now());
//!         while let Some(step) = endpoint.next(clock.now())? {
//!             match step {
//!                 Step::Request(_, answer) => drop(answer.accept(&AcceptOptions::default())),
//!                 Step::Event(Event::Data(message), mut reply) => drop(reply.send(message)),
//!                 Step::Event(..) => {}
//!             }
//!         }
//!     }
//!     Ok(())
//! }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = std::net::TcpListener::bind("127.0.0.1:9001")?;
//! # for stream in listener.incoming() {
//! #     let stream = stream?;
//! #     stream.set_nonblocking(true)?;
//! #     std::thread::spawn(move || echo(TcpStream::from_std(stream)));
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! The same for any number of connections on one thread:
//!
//! ```no_run
//! use mio::{Events, Interest, Poll, Token, net::TcpListener};
//! use ws_mio::handshake::{AcceptOptions, HandshakeLimits};
//! use ws_mio::{Clock, Config, Endpoint, Event, Step, Timeouts};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(256));
//! let (mut endpoints, mut timeouts, clock) = (slab::Slab::new(), Timeouts::new(), Clock::new());
//! let mut listener = TcpListener::bind("127.0.0.1:9001".parse()?)?;
//! poll.registry().register(&mut listener, Token(usize::MAX), Interest::READABLE)?;
//! loop {
//!     poll.poll(&mut events, timeouts.poll_duration(clock.now()))?;
//!     let now = clock.now();
//!     while let Ok((io, _)) = listener.accept() {
//!         let endpoint = Endpoint::accept(io, HandshakeLimits::default(), Config::default(), now);
//!         timeouts.set(Token(endpoints.insert(endpoint)), Some(now)); // due for its first turn
//!     }
//!     for event in &events {
//!         let Some(endpoint) = endpoints.get_mut(event.token().0) else { continue };
//!         endpoint.handle_event(event);
//!         timeouts.set(event.token(), Some(now));
//!     }
//!     for token in timeouts.expired(now) {
//!         let endpoint: &mut Endpoint<_> = &mut endpoints[token.0];
//!         endpoint.handle_timeout(now);
//!         while let Ok(Some(step)) = endpoint.next(now) {
//!             match step {
//!                 Step::Request(_, answer) => drop(answer.accept(&AcceptOptions::default())),
//!                 Step::Event(Event::Data(message), mut reply) => drop(reply.send(message)),
//!                 Step::Event(..) => {}
//!             }
//!         }
//!         endpoint.register(poll.registry(), token)?;
//!         timeouts.set(token, endpoint.poll_timeout());
//!         if endpoint.is_closed() {
//!             endpoints.remove(token.0);
//!         }
//!     }
//! }
//! # }
//! ```
//!
//! # The loop, step by step
//!
//! A connection is driven in turns, which are the same whatever caused them. Here is one connection on a thread of its
//! own; the example `mio_echo_server` has many on each thread, and shuts them down in good order.
//!
//! ```
//! use std::io;
//! use mio::{Events, Poll, Token, net::TcpStream};
//! use ws_mio::{Clock, Config, Error, Event, Message, Role, WebSocket};
//!
//! /// Serves `stream`, whose opening handshake was done elsewhere; `leftover` was read behind it.
//! fn serve(stream: TcpStream, leftover: &[u8]) -> Result<(), Error> {
//!     const SOCKET: Token = Token(0);
//!     let clock = Clock::new();
//!     let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
//!     let mut ws = WebSocket::from_upgraded(stream, Role::Server, Config::default(), clock.now(), leftover);
//!     let mut outcome = Ok(());
//!     loop {
//!         // 1. The time, once a turn.
//!         let now = clock.now();
//!         // 2. Deadlines that passed. Too early does no harm, so there is no need to find out whether any did.
//!         ws.handle_timeout(now);
//!         // 3. Events, until the turn is over, and the answers to them. Bytes move in and out meanwhile.
//!         loop {
//!             match ws.next(now) {
//!                 Ok(Some((Event::Data(Message::Text(text)), mut reply))) => {
//!                     // `text` lies in the receive buffer while it is answered.
//!                     reply.send(Message::Text(text)).map_err(io::Error::other)?;
//!                 }
//!                 Ok(Some((Event::Data(Message::Binary(_)), mut reply))) => {
//!                     let _ = reply.close(ws_mio::CloseCode::UNSUPPORTED_DATA, "text only");
//!                 }
//!                 Ok(Some((Event::Close(close), _))) => println!("closed: {}", close.code),
//!                 Ok(Some((Event::Ping(_) | Event::Pong(_), _))) => {}
//!                 Ok(None) => break,
//!                 // The outcome; but the peer is still to be told.
//!                 Err(error) => outcome = Err(error),
//!             }
//!         }
//!         // 4. All is over: drop it.
//!         if ws.is_closed() {
//!             return outcome;
//!         }
//!         // 5. The registration follows what the connection waits for now.
//!         ws.register(poll.registry(), SOCKET)?;
//!         // 6. Sleep until something happens, or a deadline comes; which is at once if the turn left something.
//!         let timeout = ws.poll_timeout().map(|deadline| deadline.saturating_duration_since(clock.now()));
//!         match poll.poll(&mut events, timeout) {
//!             Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
//!             result => result?,
//!         }
//!         // 7. Readiness.
//!         for event in &events {
//!             ws.handle_event(event);
//!         }
//!     }
//! }
//! ```
//!
//! # What it takes care of
//!
//! * **Edges.** mio reports readiness once. A turn goes on until the transport would block, or has done enough for now; then
//!   the connection is due at once, by [`poll_timeout`](WebSocket::poll_timeout), and needs no event.
//! * **Fairness.** One turn reads, writes and reports a bounded amount, whatever the peer does.
//! * **Backpressure.** While a peer does not read, nothing is received from it, so that answers neither pile up nor get
//!   lost. What else is sent has a limit.
//! * **Batches.** Answers leave at the end of the turn, many messages in one system call.
//! * **The end.** The Close frame arrives: the writing side is ended, and the reading side drained, before the transport is
//!   closed; all within deadlines that the peer cannot extend.
//! * **Memory.** An idle connection holds no buffers; those of a thread take turns with one.
//!
//! # Sending and receiving in pieces
//!
//! | | whole messages | in pieces |
//! |---|---|---|
//! | receive | [`WebSocket::next`] | [`WebSocket::next_chunk`] |
//! | send what is there | [`send`](WebSocket::send), [`send_owned`](WebSocket::send_owned) | [`begin_message`](WebSocket::begin_message), [`write_message`](WebSocket::write_message), [`finish_message`](WebSocket::finish_message) |
//! | send what is asked for when there is room | | [`send_source`](WebSocket::send_source) |
//!
//! # Coming from wslay or Net::WebSocket::EV
//!
//! Everything that they offer is here. [`migration`] has examples, and says what is different.
//!
//! | there | what it did | here |
//! |---|---|---|
//! | `Server->new`, `Client->new`, `wslay_event_context_server_init`, `wslay_event_context_client_init` | took over a non-blocking socket behind a handshake done elsewhere | [`WebSocket::from_upgraded`] with a [`Role`], which has no default; bytes that were read behind the HTTP head are handed over and not lost |
//! | no handshake | left it to the HTTP library | likewise; or [`accept`], [`connect`], [`Endpoint`], which nothing else needs |
//! | `buffering => 1`, `wslay_event_config_set_no_buffering(ctx, 0)` | put messages together | [`WebSocket::next`] |
//! | `buffering => 0`, `wslay_event_config_set_no_buffering(ctx, 1)` | gave messages in pieces, of any size | [`WebSocket::next_chunk`]; control frames are whole. Both ways can be mixed |
//! | `max_recv_size`, `wslay_event_config_set_max_recv_msg_length` | limited messages | [`Config::max_message_size`] and [`Config::max_frame_size`], checked on the header, never for control frames |
//! | `on_msg_recv`, `on_msg_recv_callback`: `rsv, opcode, msg, status_code` | gave a message or a control frame | [`Event::Data`], [`Event::Ping`], [`Event::Pong`], [`Event::Close`]; text is `&str`; [`Reply::received_rsv`], [`Reply::received_kind`] |
//! | `on_frame_recv_start(fin, rsv, opcode, len)` | told of the header of a frame | [`Chunk::FrameStart`], before any payload |
//! | `on_frame_recv_chunk(data)` | gave a part of the payload | [`Chunk::Data`]; text in whole characters |
//! | `on_frame_recv_end()` | told of the end of a frame | [`Chunk::FrameEnd`], with `fin` at the end of the message |
//! | `on_close(code)` | told of the end, with a code | [`Event::Close`] when the peer's Close frame arrives; [`WebSocket::outcome`] when all is over: who, both codes, both reasons, clean or not, the error |
//! | `wslay_event_get_status_code_received`, `wslay_event_get_status_code_sent` | gave the codes | [`peer_close`](WebSocket::peer_close), [`local_close`](WebSocket::local_close) |
//! | `wslay_event_get_close_received`, `wslay_event_get_close_sent` | told how far the closing handshake is | [`state`](WebSocket::state), [`is_clean`](WebSocket::is_clean) |
//! | `genmask(len)`, `genmask_callback` | made masking keys | [`MaskKeys`]: unpredictable by default, or a generator of yours, asked once a frame |
//! | `queue_msg(msg, opcode)`, `wslay_event_queue_msg` | queued a message or a control frame | [`send`](WebSocket::send), [`send_owned`](WebSocket::send_owned), [`ping`](WebSocket::ping), [`pong`](WebSocket::pong); as an answer, [`Reply`] |
//! | `queue_msg_ex(msg, opcode, rsv)`, `wslay_event_queue_msg_ex` | the same with reserved bits | [`send_with_rsv`](WebSocket::send_with_rsv) |
//! | `wslay_event_config_set_allowed_rsv_bits` | allowed reserved bits to come in | [`Config::allowed_rsv`], both ways |
//! | `queue_fragmented(cb)`, `wslay_event_queue_fragmented_msg`: `DATA`, `EOF`, `ERROR` | asked a callback for the pieces of a message | [`send_source`](WebSocket::send_source) with a [`Source`], which answers [`Pull::Data`], [`Pull::Last`], [`Pull::Pending`] until [`resume_source`](WebSocket::resume_source), or [`Pull::Failed`] |
//! | `wslay_event_queue_fragmented_msg_ex` | the same with reserved bits | [`send_source_with_rsv`](WebSocket::send_source_with_rsv) |
//! | — | | pieces as you have them: [`begin_message`](WebSocket::begin_message), [`write_message`](WebSocket::write_message), [`finish_message`](WebSocket::finish_message), [`abort_message`](WebSocket::abort_message); or [`send_fragment`](WebSocket::send_fragment) |
//! | control frames overtake data | | the same, between frames |
//! | `wait(cb)` | told when all is sent | [`notify_drained`](WebSocket::notify_drained), then [`Flow::Drained`] or [`Flow::Lost`] from [`poll_flow`](WebSocket::poll_flow); [`is_drained`](WebSocket::is_drained) |
//! | `queued_count`, `wslay_event_get_queued_msg_count` | counted waiting messages | [`queued_messages`](WebSocket::queued_messages) |
//! | `wslay_event_get_queued_msg_length` | counted waiting bytes | [`buffered_amount`](WebSocket::buffered_amount); [`set_water_marks`](WebSocket::set_water_marks) and [`set_send_limit`](WebSocket::set_send_limit) watch and bound it |
//! | `start_read`, `stop_read` | paused reading | [`resume_reading`](WebSocket::resume_reading), [`pause_reading`](WebSocket::pause_reading) |
//! | `start_write`, `stop_write` | paused writing | [`resume_writing`](WebSocket::resume_writing), [`pause_writing`](WebSocket::pause_writing) |
//! | `start`, `stop` | paused both | both |
//! | `shutdown_read`, `wslay_event_shutdown_read` | ended reading for good | [`stop_receiving`](WebSocket::stop_receiving), without half-closing TCP: control frames are served on |
//! | `shutdown_write`, `wslay_event_shutdown_write` | ended writing for good | [`stop_sending`](WebSocket::stop_sending), likewise |
//! | `wslay_event_get_read_enabled`, `wslay_event_get_write_enabled` | told whether it goes on | [`state`](WebSocket::state), [`is_closed`](WebSocket::is_closed) |
//! | `close(code, reason)`, `wslay_event_queue_close` | closed, dropping what was queued | [`close`](WebSocket::close), behind what is queued; [`close_now`](WebSocket::close_now), before it. Reasons up to 123 bytes; [`CloseCode::NO_STATUS`] for an empty one |
//! | the close echo, the pong | automatic | automatic, unless [`Config::automatic_close`] and [`Config::automatic_pong`] say otherwise |
//! | a timer against peers that hold the connection after a Close | left to you | [`Config::close_timeout`], and [`Config::write_stall_timeout`] for those that stop reading |
//! | a `Closed` object, used again | died | `SendError::Closing`, and the payload comes back |
//! | `wslay_event_want_read`, `wslay_event_want_write` | told what to wait for | [`WebSocket::interest`], [`WebSocket::register`] |
//! | `wslay_event_recv`, `wslay_event_send` | did the work | [`WebSocket::next`] does both |
//! | `recv_callback`, `send_callback` | did the input and output | [`Transport`], for TCP and Unix sockets there already |

mod accepting;
mod backlog;
mod connecting;
mod endpoint;
mod error;
mod flow;
mod lent;
mod link;
pub mod migration;
mod output;
mod parts;
mod rare;
mod reply;
mod sending;
mod timeouts;
mod transport;
mod turn;
mod websocket;

pub use accepting::{Accepting, Answer, accept};
pub use connecting::{Connecting, connect, connect_with};
pub use endpoint::{Endpoint, Step};
pub use error::Error;
pub use flow::Flow;
/// How a connection ended: from [`WebSocket::outcome`].
pub type Outcome<'a> = ws_proto::Outcome<'a, Error>;
pub use reply::Reply;
pub use timeouts::Timeouts;
pub use transport::Transport;
pub use websocket::WebSocket;
#[cfg(feature = "deflate")]
pub use ws_proto::deflate;
pub use ws_proto::handshake;
pub use ws_proto::{
    Chunk, Clock, CloseCode, CloseFrame, Config, Event, FrameHeader, Instant, Kind, MaskKeys, Message,
    PreparedMessage, Pull, Role, Rsv, SendError, Side, Source, State,
};
