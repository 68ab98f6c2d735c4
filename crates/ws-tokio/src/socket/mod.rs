//! The WebSocket itself: made, asked about, taken apart. What it receives and sends is in the files beside this.

mod receive;
mod send;

use bytes::Bytes;
#[cfg(feature = "deflate")]
use ws_proto::deflate::{DeflateConfig, DeflateParams};
use ws_proto::{Config, Connection, Ready, RecvBuf, Role, SendQueue};

use crate::Outcome;
use crate::driver::Driver;
use crate::lent::Lent;
use crate::split::{self, WebSocketReader, WebSocketWriter};
use crate::timer::Timer;

/// A WebSocket over any `AsyncRead + AsyncWrite`.
///
/// Made by [`accept`](crate::accept), [`connect`](crate::connect) or [`from_upgraded`](Self::from_upgraded). There are
/// two ways to use it, which can be mixed:
///
/// * borrowing: [`next`](Self::next) gives an event, which lies in the receive buffer, and a
///   [`Reply`](crate::Reply) to answer it;
/// * owned: [`recv`](Self::recv) and [`send`](Self::send) with [`Message`](crate::Message), and the traits `Stream` and
///   `Sink`.
///
/// **Receive to keep it alive.** Pings, the closing handshake and all deadlines are served while one of the methods
/// that receive is awaited; sending alone serves the deadlines only. Every method can be cancelled, see there.
///
/// **The end.** [`next`](Self::next) and [`recv`](Self::recv) report the peer's Close frame, and after that `None`
/// once the connection is wound up: our answer sent, the writing side shut down, the peer's end awaited, all within
/// `Config::close_timeout`. A connection that fails gives one error in place of `None`, likewise when it is wound up.
/// Do not drop it before, or the peer may never see why it ended.
#[derive(Debug)]
pub struct WebSocket<IO> {
    pub(crate) rx: Lent<RecvBuf<Vec<u8>>>,
    /// What `next` gave last, as long as the buffer was not used since.
    given: Option<Ready>,
    pub(crate) driver: Driver<IO>,
}

impl<IO> WebSocket<IO> {
    /// A WebSocket on a transport whose opening handshake is complete: done by hyper or axum, or over HTTP/2.
    ///
    /// `leftover` is what had arrived behind the handshake already.
    pub fn from_upgraded(io: IO, role: Role, config: Config, leftover: &[u8]) -> Self {
        let mut rx = RecvBuf::default();
        rx.extend_from_slice(leftover);
        Self::from_parts(io, role, config, rx, SendQueue::new(), Timer::new())
    }

    /// A WebSocket behind our own opening handshake, with what is left of that in the buffers.
    pub(crate) fn from_parts(
        io: IO,
        role: Role,
        config: Config,
        rx: RecvBuf<Vec<u8>>,
        tx: SendQueue<Bytes>,
        timer: Timer,
    ) -> Self {
        let conn = Connection::new(role, config, timer.now());
        Self { rx: Lent::from(rx), given: None, driver: Driver::new(io, conn, tx, timer) }
    }

    pub(crate) const fn from_halves(rx: Lent<RecvBuf<Vec<u8>>>, driver: Driver<IO>) -> Self {
        Self { rx, given: None, driver }
    }

    /// Switches permessage-deflate (RFC 7692) on, with what was agreed on in an opening handshake that was done
    /// elsewhere; before anything is received or sent. What [`accept`](crate::accept) and
    /// [`connect`](crate::connect) and their kin give has it already, if it was agreed on.
    ///
    /// See [`Connection::enable_deflate`].
    #[cfg(feature = "deflate")]
    pub fn enable_deflate(&mut self, params: DeflateParams, config: &DeflateConfig) {
        self.driver.conn.enable_deflate(params, config);
    }

    /// With what the opening handshake agreed on.
    #[cfg(feature = "deflate")]
    pub(crate) fn with_deflate(
        mut self,
        params: Option<DeflateParams>,
        config: Option<DeflateConfig>,
    ) -> Self {
        if let (Some(params), Some(config)) = (params, config) {
            self.enable_deflate(params, &config);
        }
        self
    }

    /// Whether messages that are queued from now on are compressed, where permessage-deflate was agreed on. Default:
    /// yes. See [`Connection::set_compression`].
    #[cfg(feature = "deflate")]
    pub fn set_compression(&mut self, on: bool) {
        self.driver.conn.set_compression(on);
    }

    /// How many bytes of messages were queued and are not yet with the transport, what was added to frame them
    /// included.
    pub fn buffered_amount(&self) -> usize {
        self.driver.buffered_amount()
    }

    /// How many messages were queued and are not yet with the transport, the one that is partly there included.
    pub fn queued_messages(&self) -> usize {
        self.driver.queued_messages()
    }

    /// The connection, for everything that it can be asked: its state, both close codes, its error.
    pub const fn connection(&self) -> &Connection {
        &self.driver.conn
    }

    /// How the connection ended, all in one: who closed it, both codes and reasons, and the error. `None` as long as
    /// it has not: it is there when [`next`](Self::next) or [`recv`](Self::recv) has given `None` or an error.
    pub fn outcome(&self) -> Option<Outcome<'_>> {
        self.driver.outcome()
    }

    /// The transport.
    pub const fn get_ref(&self) -> &IO {
        &self.driver.io
    }

    /// The transport, to set options on. Reading or writing it breaks the connection.
    pub const fn get_mut(&mut self) -> &mut IO {
        &mut self.driver.io
    }

    /// Two halves that can be used from two tasks: one receives, the other sends. Pings and the closing handshake are
    /// served while the reading half receives. See [`WebSocketReader::reunite`].
    pub fn split(self) -> (WebSocketReader<IO>, WebSocketWriter<IO>) {
        split::split(self.rx, self.driver)
    }

    /// Gives the transport back. What is queued or was received and not yet asked for is lost.
    pub fn into_inner(self) -> IO {
        self.driver.io
    }
}
