//! The WebSocket itself.

use core::future::poll_fn;
use core::task::{Context, Poll};
use std::io;

use bytes::Bytes;
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(feature = "deflate")]
use ws_proto::deflate::{DeflateConfig, DeflateParams};
use ws_proto::{
    Chunk, CloseCode, Config, Connection, Event, Kind, PreparedMessage, Ready, ReadyChunk, RecvBuf, Role,
    Rsv, SendError, SendQueue,
};

use crate::Outcome;
use crate::driver::Driver;
use crate::error::Error;
use crate::lent::Lent;
use crate::message::Message;
use crate::message_reader::{self, MessageReader, ReceiveChunks};
use crate::message_writer::{self, MessageWriter, SendPieces, send_reader, send_stream};
use crate::reply::Reply;
use crate::split::{self, WebSocketReader, WebSocketWriter};
use crate::timer::Timer;
use crate::waiters::Half;

/// A WebSocket over any `AsyncRead + AsyncWrite`.
///
/// Made by [`accept`](crate::accept), [`connect`](crate::connect) or [`from_upgraded`](Self::from_upgraded). There are
/// two ways to use it, which can be mixed:
///
/// * borrowing: [`next`](Self::next) gives an event, which lies in the receive buffer, and a [`Reply`] to answer it;
/// * owned: [`recv`](Self::recv) and [`send`](Self::send) with [`Message`], and the traits `Stream` and `Sink`.
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

impl<IO: AsyncRead + AsyncWrite + Unpin> WebSocket<IO> {
    /// Waits for the next event and gives it together with the means to answer it; `None` when the connection is over.
    ///
    /// The event borrows the receive buffer, and the [`Reply`] everything else, so that the answer can be sent while
    /// the event is in use:
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
    #[allow(clippy::should_implement_trait, reason = "a future, as every `next` of an async interface")]
    pub fn next(&mut self) -> impl Future<Output = Result<Option<(Event<'_>, Reply<'_, IO>)>, Error>> {
        // By hand, since this is what every message passes through: an async function is larger, and moves more about.
        let mut this = Some(self);
        poll_fn(move |cx| {
            let Some(ws) = this.take() else { return Poll::Ready(Ok(None)) };
            match ws.poll_receive(cx, Half::Receive) {
                Poll::Ready(Ok(Some(ready))) => {
                    ws.given = Some(ready);
                    Poll::Ready(Ok(Some((ready.event(ws.rx.get()), Reply::new(&mut ws.driver)))))
                }
                Poll::Ready(Ok(None)) => Poll::Ready(Ok(None)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => {
                    this = Some(ws);
                    Poll::Pending
                }
            }
        })
    }

    /// The same as [`next`](Self::next) without putting messages together: frames begin, pieces of their payload
    /// arrive, frames end. Messages may be of any size, since `Config::max_message_size` bounds what is put together.
    /// See [`ws_proto::Connection::receive_chunk`].
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    ///
    /// # Cancel safety
    ///
    /// Safe: no event is lost if the future is dropped before it is ready.
    pub async fn next_chunk(&mut self) -> Result<Option<(Event<'_, Chunk<'_>>, Reply<'_, IO>)>, Error> {
        let ready = poll_fn(|cx| self.poll_receive_chunk(cx)).await?;
        Ok(ready.map(|ready| (ready.event(self.rx.get()), Reply::new(&mut self.driver))))
    }

    /// Waits for the next message to begin, and gives a reader for its payload, which implements `AsyncRead`; `None`
    /// when the connection is over.
    ///
    /// What is left of a message before is skipped, and so are control frames, which have been answered. A message
    /// before is also one that [`recv`](Self::recv) or [`next`](Self::next) began to receive and was cancelled.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    ///
    /// # Cancel safety
    ///
    /// Safe: no message is lost if the future is dropped before it is ready.
    pub async fn next_message(&mut self) -> Result<Option<MessageReader<'_, Self>>, Error> {
        MessageReader::next(self).await
    }

    /// Begins a message that is written in pieces, with a writer that implements `AsyncWrite`. Each write is a
    /// fragment; [`MessageWriter::finish`] or `shutdown` ends the message.
    ///
    /// Nothing is received while it is written: if that may take long, [`split`](Self::split) first, and receive
    /// beside it.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if a message is in progress already, or the connection is closing; and with `SendError::Full`
    /// if a message waits in front of the full queue, until a [`flush`](Self::flush).
    pub fn begin_message(&mut self, kind: Kind) -> Result<MessageWriter<'_, Self>, Error> {
        MessageWriter::begin(self, kind)
    }

    /// Sends what `source` has to give, up to its end, as one message, fragment by fragment as it comes, and waits
    /// until all of it is with the transport. Says how many bytes that were.
    ///
    /// While the source has nothing, pings and a Close frame of the peer are answered, as long as no data is in front
    /// of them. They are not reported by whoever receives next; data is, and waits for that.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the source fails: the message cannot be finished, and the connection closes with 1011 if any of
    /// it was queued. Otherwise as for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// Not to be continued: if the future is dropped, the message is given up, as if the source had failed.
    pub async fn send_reader<R>(&mut self, kind: Kind, source: &mut R) -> Result<u64, Error>
    where
        R: AsyncRead + Unpin + ?Sized,
    {
        send_reader(self, kind, source).await
    }

    /// Sends all that `source` yields as one message, each item a fragment or several; otherwise as
    /// [`send_reader`](Self::send_reader).
    ///
    /// # Errors
    ///
    /// As for [`send_reader`](Self::send_reader).
    ///
    /// # Cancel safety
    ///
    /// As for [`send_reader`](Self::send_reader).
    pub async fn send_stream<S, B>(&mut self, kind: Kind, source: &mut S) -> Result<u64, Error>
    where
        S: Stream<Item = io::Result<B>> + Unpin + ?Sized,
        B: AsRef<[u8]>,
    {
        send_stream(self, kind, source).await
    }

    /// Waits for the next message, and gives it owned; `None` when the connection is over.
    ///
    /// A message of 64 KiB or more mostly takes the receive buffer along, and is not copied; a smaller one is. What is
    /// taken along keeps at most twice its size of memory.
    ///
    /// # Errors
    ///
    /// Why the connection failed, once; then `None`.
    ///
    /// # Cancel safety
    ///
    /// Safe: no message is lost if the future is dropped before it is ready.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        let ready = poll_fn(|cx| self.poll_receive(cx, Half::Receive)).await?;
        Ok(ready.map(|ready| Message::received(&mut self.rx, ready)))
    }

    /// The event that [`next`](Self::next) gave last, owned: as [`recv`](Self::recv) would have given it, a large message
    /// without a copy. `None` if there was none, or something was received since, or it was taken already.
    ///
    /// So small messages can be answered while they lie in the buffer, and large ones be passed on without copying them:
    ///
    /// ```
    /// # use tokio::io::{AsyncRead, AsyncWrite};
    /// # use ws_tokio::{Error, WebSocket, ws_proto::Event};
    /// async fn echo<IO: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocket<IO>) -> Result<(), Error> {
    ///     while let Some((event, mut reply)) = ws.next().await? {
    ///         match event {
    ///             Event::Data(message) if message.as_bytes().len() < 64 << 10 => reply.send(message).await?,
    ///             Event::Data(_) => {
    ///                 if let Some(message) = ws.take_message() {
    ///                     ws.feed(message).await?;
    ///                 }
    ///             }
    ///             _ => {}
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn take_message(&mut self) -> Option<Message> {
        self.given.take().map(|ready| Message::received(&mut self.rx, ready))
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

    /// Queues a message if there is room for it now; else it comes back.
    ///
    /// It goes out when the connection next waits for anything.
    ///
    /// # Errors
    ///
    /// `SendError::Full` if more than 1 MiB would wait; any other if it cannot be sent at all.
    pub fn try_send(&mut self, message: Message) -> Result<(), (SendError, Message)> {
        self.driver.try_send(message)
    }

    /// Sends a part of a message, `fin` with the last: queues it, and waits only while the queue is full. Other
    /// messages can be sent only after the last part (`SendError::MessageInProgress`).
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

    /// Queues a message that was made ready once for many connections; waits only while the queue is full. See
    /// [`PreparedMessage`].
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is not queued.
    pub async fn send_prepared(&mut self, message: &PreparedMessage<Bytes>) -> Result<(), Error> {
        self.reply().send_prepared(message).await
    }

    /// Queues a message with reserved bits. See [`Reply::send_with_rsv`].
    ///
    /// # Errors
    ///
    /// As for [`Reply::send_with_rsv`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is not queued.
    pub async fn send_with_rsv(&mut self, rsv: Rsv, kind: Kind, payload: &[u8]) -> Result<(), Error> {
        self.reply().send_with_rsv(rsv, kind, payload).await
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

    /// Closes the connection: what is queued goes out, then a Close frame, and this waits until the peer has answered
    /// and the transport is wound up, within `Config::close_timeout`. Messages that arrive meanwhile are discarded.
    ///
    /// If the connection is closing already, waits for the end of that.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code that must not be sent or a reason beyond 123 bytes, and nothing has happened then;
    /// any other if the connection failed.
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
        match self.driver.close_now(code, reason) {
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

    /// The next event, for everything that receives messages in pieces.
    pub(crate) fn poll_receive_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<ReadyChunk>, Error>> {
        self.given = None;
        self.driver.poll_receive(cx, Half::Receive, &mut self.rx)
    }

    /// The next event, for everything that receives messages as a whole.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        half: Half,
    ) -> Poll<Result<Option<Ready>, Error>> {
        self.given = None;
        self.driver.poll_receive(cx, half, &mut self.rx)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> ReceiveChunks for WebSocket<IO> {}

impl<IO: AsyncRead + AsyncWrite + Unpin> message_reader::sealed::Sealed for WebSocket<IO> {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<ReadyChunk>, Error>> {
        self.poll_receive_chunk(cx)
    }

    fn event(&self, ready: ReadyChunk) -> Event<'_, Chunk<'_>> {
        ready.event(self.rx.get())
    }

    fn skip(&mut self) {
        self.given = None;
        self.driver.conn.skip_message(self.rx.get_mut());
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> SendPieces for WebSocket<IO> {}

impl<IO: AsyncRead + AsyncWrite + Unpin> message_writer::sealed::Sealed for WebSocket<IO> {
    fn begin(&mut self, kind: Kind) -> Result<(), SendError> {
        self.driver.begin_message(kind)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, SendError> {
        self.driver.write_message(bytes)
    }

    fn flush_written(&mut self) -> Result<(), SendError> {
        self.driver.flush_written()
    }

    fn finish(&mut self) -> Result<(), SendError> {
        self.driver.finish_message()
    }

    fn abort(&mut self) {
        self.driver.abort_message();
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.driver.poll_flush(cx)
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.given = None;
        self.driver.poll_control(cx, &mut self.rx)
    }
}
