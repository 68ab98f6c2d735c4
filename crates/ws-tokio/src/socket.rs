//! The WebSocket itself.

use core::future::poll_fn;
use core::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{CloseCode, Config, Connection, Event, Kind, Ready, RecvBuf, Role, SendError, SendQueue};

use crate::driver::Driver;
use crate::error::Error;
use crate::message::Message;
use crate::reply::Reply;
use crate::timer::Timer;
use crate::waiters::Half;

/// A WebSocket over any `AsyncRead + AsyncWrite`.
///
/// Made by [`accept`](crate::accept), [`connect`](crate::connect) or [`from_upgraded`](Self::from_upgraded). There are two
/// ways to use it, which can be mixed:
///
/// * borrowing: [`next`](Self::next) gives an event, which lies in the receive buffer, and a [`Reply`] to answer it;
/// * owned: [`recv`](Self::recv) and [`send`](Self::send) with [`Message`], and the traits `Stream` and `Sink`.
///
/// **Receive to keep it alive.** Pings, the closing handshake and all deadlines are served while one of the methods that
/// receive is awaited; sending alone serves the deadlines only. Every method can be cancelled, see there.
///
/// **The end.** [`next`](Self::next) and [`recv`](Self::recv) report the peer's Close frame, and after that `None` once the
/// connection is wound up: our answer sent, the writing side shut down, the peer's end awaited, all within
/// `Config::close_timeout`. A connection that fails gives one error in place of `None`, likewise when it is wound up. Do not drop it
/// before, or the peer may never see why it ended.
#[derive(Debug)]
pub struct WebSocket<IO> {
    pub(crate) rx: RecvBuf<Vec<u8>>,
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
        Self { rx, driver: Driver::new(io, conn, tx, timer) }
    }

    /// How many bytes of messages were queued and are not yet with the transport, what was added to frame them included.
    pub fn buffered_amount(&self) -> usize {
        self.driver.buffered_amount()
    }

    /// The connection, for everything that it can be asked: its state, both close codes, its error.
    pub const fn connection(&self) -> &Connection {
        &self.driver.conn
    }

    /// The transport.
    pub const fn get_ref(&self) -> &IO {
        &self.driver.io
    }

    /// The transport, to set options on. Reading or writing it breaks the connection.
    pub const fn get_mut(&mut self) -> &mut IO {
        &mut self.driver.io
    }

    /// Gives the transport back. What is queued or was received and not yet asked for is lost.
    pub fn into_inner(self) -> IO {
        self.driver.io
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> WebSocket<IO> {
    /// Waits for the next event and gives it together with the means to answer it; `None` when the connection is over.
    ///
    /// The event borrows the receive buffer, and the [`Reply`] everything else, so that the answer can be sent while the
    /// event is in use:
    ///
    /// ```
    /// # use tokio::io::{AsyncRead, AsyncWrite};
    /// # use ws_tokio::{Error, WebSocket, ws_proto::Event};
    /// async fn echo<IO: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocket<IO>) -> Result<(), Error> {
    ///     while let Some((event, mut reply)) = ws.next().await? {
    ///         if let Event::Data(message) = event {
    ///             reply.send(message).await?;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// While it waits, everything that is queued goes out, pings are answered, and deadlines are kept.
    ///
    /// # Errors
    ///
    /// Why the connection failed, once; then `None`.
    ///
    /// # Cancel safety
    ///
    /// Safe: no event is lost if the future is dropped before it is ready.
    pub async fn next(&mut self) -> Result<Option<(Event<'_>, Reply<'_, IO>)>, Error> {
        let ready = poll_fn(|cx| self.poll_receive(cx, Half::Receive)).await?;
        Ok(ready.map(|ready| (ready.event(&self.rx), Reply::new(&mut self.driver))))
    }

    /// Waits for the next message, and gives a copy that is owned; `None` when the connection is over.
    ///
    /// # Errors
    ///
    /// Why the connection failed, once; then `None`.
    ///
    /// # Cancel safety
    ///
    /// Safe: no message is lost if the future is dropped before it is ready.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        Ok(self.next().await?.map(|(event, _)| event.into()))
    }

    /// Sends a message: queues it, and waits until it and all before it are with the transport.
    ///
    /// To send several at once, [`feed`](Self::feed) them and [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if it cannot be sent; any other if the connection ended before.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is either not queued at all, or queued whole and sent
    /// with what comes next; never in part, and never twice.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues a message; waits only while the queue is full. It goes out when the connection next waits for anything.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is not queued.
    pub async fn feed(&mut self, message: Message) -> Result<(), Error> {
        self.reply().send_owned(message).await
    }

    /// Sends a part of a message, `fin` with the last: queues it, and waits only while the queue is full. Other messages
    /// can be sent only after the last part (`SendError::MessageInProgress`).
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the part is not queued.
    pub async fn send_fragment(&mut self, kind: Kind, bytes: &[u8], fin: bool) -> Result<(), Error> {
        self.reply().send_fragment(kind, bytes, fin).await
    }

    /// Waits until everything that was queued is with the transport.
    ///
    /// # Errors
    ///
    /// If the connection ends before.
    ///
    /// # Cancel safety
    ///
    /// Safe: what is queued stays queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.driver.poll_flush(cx)).await
    }

    /// Closes the connection: what is queued goes out, then a Close frame, and this waits until the peer has answered and the
    /// transport is wound up, within `Config::close_timeout`. Messages that arrive meanwhile are discarded.
    ///
    /// If the connection is closing already, waits for the end of that.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code that must not be sent or a reason beyond 123 bytes, and nothing has happened then; any
    /// other if the connection failed.
    ///
    /// # Cancel safety
    ///
    /// Safe: the closing handshake has begun when this is first polled, and goes on with the next call that receives.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        match self.driver.close(code, reason) {
            Ok(()) | Err(SendError::Closing) => {}
            Err(error) => return Err(error.into()),
        }
        self.drain().await
    }

    /// Closes the connection without sending what is queued; otherwise as [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// As for [`close`](Self::close).
    ///
    /// # Cancel safety
    ///
    /// As for [`close`](Self::close).
    pub async fn close_now(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        match self.driver.conn.close_now(self.driver.timer.now(), code, reason) {
            Ok(()) | Err(SendError::Closing) => {}
            Err(error) => return Err(error.into()),
        }
        self.drain().await
    }

    async fn drain(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_drain(cx)).await
    }

    /// Receives, and discards, until the connection is over; on behalf of the half that sends.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while core::task::ready!(self.poll_receive(cx, Half::Send)?).is_some() {}
        Poll::Ready(Ok(()))
    }

    fn reply(&mut self) -> Reply<'_, IO> {
        Reply::new(&mut self.driver)
    }

    /// What everything that receives comes down to: gives an event from the buffer if there is one; writes what is
    /// queued if not; reads; and serves the deadlines.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        half: Half,
    ) -> Poll<Result<Option<Ready>, Error>> {
        let Self { rx, driver } = self;
        if driver.done {
            return Poll::Ready(Ok(None));
        }
        loop {
            driver.check_deadlines(Some(rx));
            // An error is sticky; it is told when the connection is wound up and the peer knows it.
            if let Ok(Some(ready)) = driver.conn.poll_receive(driver.timer.now(), rx) {
                if driver.conn.should_transmit() {
                    let waker = driver.waiters.register(half, cx);
                    let cx = &mut Context::from_waker(&waker);
                    // Pongs are waiting in numbers: let them out before they have to replace each other.
                    let _ = driver.poll_write(cx);
                }
                return Poll::Ready(Ok(Some(ready)));
            }
            let waker = driver.waiters.register(half, cx);
            let cx = &mut Context::from_waker(&waker);
            // Nothing to answer is left, so this is when the answers go out: together.
            let _ = driver.poll_write(cx);
            if driver.poll_wind_up(cx).is_ready() {
                driver.finish();
                *rx = RecvBuf::default();
                return Poll::Ready(driver.take_error().map_or(Ok(None), Err));
            }
            if driver.poll_read(cx, rx).is_ready() {
                continue;
            }
            if driver.timer.poll(cx, driver.conn.poll_timeout()).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
