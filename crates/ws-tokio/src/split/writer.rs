//! The half that sends.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{CloseCode, Connection, Kind, PreparedMessage, Rsv, SendError, SendQueue};

use super::{Shared, lock};
use crate::driver::Driver;
use crate::error::Error;
use crate::message::Message;
use crate::message_writer::{self, MessageWriter, SendPieces, send_reader, send_stream};

/// The half of a WebSocket that sends. See [`WebSocketReader`](super::WebSocketReader).
pub struct WebSocketWriter<IO> {
    pub(super) shared: Arc<Shared<IO>>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> WebSocketWriter<IO> {
    /// Sends a message, and waits until it and all before it are with the transport. See
    /// [`WebSocket::send`](crate::WebSocket::send).
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::send`](crate::WebSocket::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is either not queued at all, or queued whole.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues a message; waits only while the queue is full. The reading half lets it out. See
    /// [`WebSocket::feed`](crate::WebSocket::feed).
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::send`](crate::WebSocket::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is not queued.
    pub async fn feed(&mut self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx, Driver::poll_ready)).await?;
        Ok(self.act(|driver| driver.start_send(message))?)
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
        poll_fn(|cx| self.poll(cx, Driver::poll_flush)).await
    }

    /// Begins the closing handshake behind what is queued, and waits until the Close frame is with the transport. The
    /// reading half does the rest: it is to be awaited until it gives `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code that must not be sent or a reason beyond 123 bytes; any other if the connection
    /// ended. None if it is closing already.
    ///
    /// # Cancel safety
    ///
    /// Safe: the closing handshake has begun when this is first polled.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        match self.act(|driver| driver.close(code, reason)) {
            Ok(()) | Err(SendError::Closing) => poll_fn(|cx| self.poll_closed(cx)).await,
            Err(error) => Err(error.into()),
        }
    }

    /// The same as [`close`](Self::close) in front of what is queued, which is dropped.
    ///
    /// # Errors
    ///
    /// As for [`close`](Self::close).
    ///
    /// # Cancel safety
    ///
    /// As for [`close`](Self::close).
    pub async fn close_now(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        match self.act(|driver| driver.close_now(code, reason)) {
            Ok(()) | Err(SendError::Closing) => poll_fn(|cx| self.poll_closed(cx)).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Queues a message if there is room for it now; else it comes back. See
    /// [`WebSocket::try_send`](crate::WebSocket::try_send).
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::try_send`](crate::WebSocket::try_send).
    pub fn try_send(&mut self, message: Message) -> Result<(), (SendError, Message)> {
        self.act(|driver| driver.try_send(message))
    }

    /// Queues a part of a message, `fin` with the last; waits only while the queue is full. See
    /// [`WebSocket::send_fragment`](crate::WebSocket::send_fragment).
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::send`](crate::WebSocket::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the part is not queued.
    pub async fn send_fragment(&mut self, kind: Kind, bytes: &[u8], fin: bool) -> Result<(), Error> {
        self.send_with(|conn, tx| conn.send_fragment(tx, kind, bytes, fin)).await
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
        self.send_with(|conn, tx| conn.send_prepared(tx, message)).await
    }

    /// Queues a message with reserved bits. See [`Reply::send_with_rsv`](crate::Reply::send_with_rsv).
    ///
    /// # Errors
    ///
    /// As for [`Reply::send_with_rsv`](crate::Reply::send_with_rsv).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is not queued.
    pub async fn send_with_rsv(&mut self, rsv: Rsv, kind: Kind, payload: &[u8]) -> Result<(), Error> {
        self.send_with(|conn, tx| conn.send_with_rsv(tx, rsv, kind, payload)).await
    }

    /// Whether messages that are queued from now on are compressed, where permessage-deflate was agreed on. Default:
    /// yes. See [`Connection::set_compression`].
    #[cfg(feature = "deflate")]
    pub fn set_compression(&mut self, on: bool) {
        lock(&self.shared).conn.set_compression(on);
    }

    /// How many bytes were queued and are not yet with the transport. See
    /// [`WebSocket::buffered_amount`](crate::WebSocket::buffered_amount).
    pub fn buffered_amount(&self) -> usize {
        lock(&self.shared).buffered_amount()
    }

    /// How many messages were queued and are not yet with the transport. See
    /// [`WebSocket::queued_messages`](crate::WebSocket::queued_messages).
    pub fn queued_messages(&self) -> usize {
        lock(&self.shared).queued_messages()
    }

    /// Begins a message that is written in pieces. See [`WebSocket::begin_message`](crate::WebSocket::begin_message).
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::begin_message`](crate::WebSocket::begin_message).
    pub fn begin_message(&mut self, kind: Kind) -> Result<MessageWriter<'_, Self>, Error> {
        MessageWriter::begin(self, kind)
    }

    /// Sends what `source` has to give, up to its end, as one message. See
    /// [`WebSocket::send_reader`](crate::WebSocket::send_reader); what arrives
    /// meanwhile is the business of the reading half.
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::send_reader`](crate::WebSocket::send_reader).
    ///
    /// # Cancel safety
    ///
    /// Not to be continued: if the future is dropped, the message is given up.
    pub async fn send_reader(
        &mut self,
        kind: Kind,
        source: &mut (impl AsyncRead + Unpin + ?Sized),
    ) -> Result<u64, Error> {
        send_reader(self, kind, source).await
    }

    /// Sends all that `source` yields as one message. See [`WebSocket::send_stream`](crate::WebSocket::send_stream).
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::send_reader`](crate::WebSocket::send_reader).
    ///
    /// # Cancel safety
    ///
    /// Not to be continued: if the future is dropped, the message is given up.
    pub async fn send_stream(
        &mut self,
        kind: Kind,
        source: &mut (impl Stream<Item = std::io::Result<impl AsRef<[u8]>>> + Unpin + ?Sized),
    ) -> Result<u64, Error> {
        send_stream(self, kind, source).await
    }

    async fn send_with(
        &mut self,
        send: impl Fn(&mut Connection, &mut SendQueue<Bytes>) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_send_with(cx, &send))).await?;
        lock(&self.shared).waiters.wake();
        Ok(())
    }

    /// Ready when the Close frame is with the transport; or when the reading half was done with all of it before.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(cx, |driver, cx| if driver.done { Poll::Ready(Ok(())) } else { driver.poll_flush(cx) })
    }

    /// Does something that is done at once. If it was done, the other half looks afterwards what is to be transmitted,
    /// and when. What is refused wakes nobody: it is tried again with each poll, and both halves may be in one task.
    fn act<R, E>(&mut self, act: impl FnOnce(&mut Driver<IO>) -> Result<R, E>) -> Result<R, E> {
        let mut driver = lock(&self.shared);
        let result = act(&mut driver);
        if result.is_ok() {
            driver.waiters.wake();
        }
        result
    }

    fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<IO>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        poll(&mut lock(&self.shared), cx)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> SendPieces for WebSocketWriter<IO> {}

impl<IO: AsyncRead + AsyncWrite + Unpin> message_writer::sealed::Sealed for WebSocketWriter<IO> {
    fn begin(&mut self, kind: Kind) -> Result<(), SendError> {
        self.act(|driver| driver.begin_message(kind))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, SendError> {
        self.act(|driver| driver.write_message(bytes))
    }

    fn flush_written(&mut self) -> Result<(), SendError> {
        self.act(Driver::flush_written)
    }

    fn finish(&mut self) -> Result<(), SendError> {
        self.act(Driver::finish_message)
    }

    fn abort(&mut self) {
        // It cannot be refused.
        let _ = self.act(|driver| {
            driver.abort_message();
            Ok::<_, SendError>(())
        });
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(cx, Driver::poll_flush)
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        // The other half receives; here it is enough that what was written goes out.
        match self.poll(cx, Driver::poll_flush) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

/// Closing is the beginning of the closing handshake with code 1000; see [`WebSocketWriter::close`].
impl<IO: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocketWriter<IO> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(cx, Driver::poll_ready)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        Ok(self.act(|driver| driver.start_send(message))?)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(cx, Driver::poll_flush)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.act(|driver| driver.close(CloseCode::NORMAL, "")) {
            Ok(()) | Err(SendError::Closing) => self.poll_closed(cx),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

impl<IO> fmt::Debug for WebSocketWriter<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketWriter").finish_non_exhaustive()
    }
}
