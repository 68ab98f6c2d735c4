//! WebSocket (RFC 6455) for tokio: the state machine of [`ws_proto`] over any `AsyncRead + AsyncWrite`.
//!
//! A server accepts on a transport that a client opened, and echoes:
//!
//! ```no_run
//! use ws_tokio::ws_proto::Event;
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:9001").await?;
//!     while let Ok((stream, _)) = listener.accept().await {
//!         tokio::spawn(async move {
//!             let mut ws = ws_tokio::accept(stream, Default::default()).await?;
//!             while let Some((event, mut reply)) = ws.next().await? {
//!                 if let Event::Data(message) = event { reply.send(message).await?; }
//!             }
//!             Ok::<_, ws_tokio::Error>(())
//!         });
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A client connects, and uses owned messages:
//!
//! ```
//! use ws_tokio::ws_proto::{CloseCode, Config};
//! use ws_tokio::{Message, connect};
//!
//! # async fn serve(listener: tokio::net::TcpListener) -> Result<(), ws_tokio::Error> {
//! #     let (stream, _) = listener.accept().await?;
//! #     let mut ws = ws_tokio::accept(stream, Config::default()).await?;
//! #     while let Some(message) = ws.recv().await? {
//! #         if message.is_data() { ws.send(message).await?; }
//! #     }
//! #     Ok(())
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ws_tokio::Error> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("ws://{}/chat", listener.local_addr()?);
//! # let server = tokio::spawn(serve(listener));
//! let mut ws = connect(&url, Config::default()).await?;
//! ws.send(Message::text("hello")).await?;
//! while let Some(message) = ws.recv().await? {
//!     if message.is_data() {
//!         assert_eq!(message.as_text(), Some("hello"));
//!         break;
//!     }
//! }
//! ws.close(CloseCode::NORMAL, "").await?;
//! # server.await.unwrap()
//! # }
//! ```
//!
//! # What is where
//!
//! | to | use |
//! |---|---|
//! | accept, or connect over TCP | [`accept`], [`connect`] |
//! | look at the request first; choose a subprotocol; answer with a page | [`receive_request`] |
//! | connect with headers, subprotocols, limits | [`connect_with`] |
//! | connect over TLS, a proxy, a pipe | [`connect_over`] |
//! | take over from hyper or axum | [`WebSocket::from_upgraded`] |
//! | receive without copying, and answer | [`WebSocket::next`] and [`Reply`] |
//! | receive and send owned messages | [`WebSocket::recv`], [`WebSocket::send`], `Stream`, `Sink` |
//! | receive a message of any size in pieces | [`WebSocket::next_chunk`], or [`WebSocket::next_message`] with `AsyncRead` |
//! | send a message of any size in pieces | [`WebSocket::begin_message`] with `AsyncWrite`, [`WebSocket::send_reader`], [`WebSocket::send_stream`] |
//! | receive and send in two tasks | [`WebSocket::split`] |
//! | set limits and timeouts | [`ws_proto::Config`], [`ws_proto::handshake::HandshakeLimits`] |
//!
//! Deadlines follow tokio's clock, and so stand still where a test pauses it.
//!
//! # Coming from tungstenite
//!
//! In short; with code in [`coming_from_tungstenite`].
//!
//! | there | here |
//! |---|---|
//! | `accept_async(stream)`, `connect_async(url)` | [`accept`], [`connect`]; they take a [`Config`](ws_proto::Config) |
//! | `accept_hdr_async` with a callback | [`receive_request`], then [`IncomingRequest::accept`] or [`IncomingRequest::respond`] |
//! | `IntoClientRequest`, headers put together by hand | [`ClientRequest`](ws_proto::handshake::ClientRequest): adds the mandatory headers itself |
//! | `WebSocketConfig::max_message_size` of 64 MiB | [`Config::max_message_size`](ws_proto::Config::max_message_size) of 1 MiB, frames included |
//! | `Message::Text(Utf8Bytes)`, `Message::Binary(Bytes)` | the same |
//! | `ws.next().await` of `StreamExt` | [`WebSocket::recv`], which is cancel-safe; or `StreamExt` |
//! | `StreamExt::split`, with a lock across awaits | [`WebSocket::split`], without |
//! | errors `ConnectionClosed`, `AlreadyClosed` after a clean close | `None` |
//! | waiting for the peer's Close for ever | at most [`Config::close_timeout`](ws_proto::Config::close_timeout) |
//! | pings by hand | on by default: [`Config::ping_interval`](ws_proto::Config::ping_interval) |

mod accept;
mod connect;
mod driver;
mod error;
mod exchange;
mod lent;
mod message;
mod message_reader;
mod message_writer;
mod reply;
mod socket;
mod split;
mod stream;
mod timer;
mod utf8_bytes;
mod waiters;

pub use accept::{IncomingRequest, accept, receive_request};
pub use connect::{Accepted, connect, connect_over, connect_with};
pub use error::{Error, Rejection};
/// How a connection ended: from [`WebSocket::outcome`].
pub type Outcome<'a> = ws_proto::Outcome<'a, Error>;
pub use message::{CloseFrame, Message};
pub use message_reader::{MessageReader, ReceiveChunks};
pub use message_writer::{MessageWriter, SendPieces};
pub use reply::Reply;
pub use socket::WebSocket;
pub use split::{ReuniteError, WebSocketReader, WebSocketWriter};
pub use utf8_bytes::Utf8Bytes;
/// The core, of which this crate's interface uses many types.
pub use ws_proto;

#[doc = include_str!("coming_from_tungstenite.md")]
pub mod coming_from_tungstenite {}

/// The README's server compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
