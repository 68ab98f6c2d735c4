//! The half that receives.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::{Arc, PoisonError};

use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{Chunk, Event, Ready, ReadyChunk, RecvBuf, State};

use super::{ReuniteError, Shared, WebSocketWriter, lock};
use crate::driver::AnyReady;
use crate::error::Error;
use crate::lent::Lent;
use crate::message::Message;
use crate::message_reader::{self, MessageReader, ReceiveChunks};
use crate::socket::WebSocket;
use crate::waiters::Half;

/// The half of a WebSocket that receives.
///
/// It owns the receive buffer, and shares the rest with the other half under a lock that is held while something is
/// polled and never across an await. As long as this half is awaited, pings and the peer's Close are answered, and
/// everything that the other half queued goes out.
pub struct WebSocketReader<IO> {
    pub(super) rx: Lent<RecvBuf<Vec<u8>>>,
    pub(super) shared: Arc<Shared<IO>>,
}

impl<IO> WebSocketReader<IO> {
    /// Puts the two halves together again.
    ///
    /// # Errors
    ///
    /// If they are not halves of the same WebSocket.
    #[allow(clippy::result_large_err, reason = "both halves come back, and nobody does this often")]
    pub fn reunite(self, writer: WebSocketWriter<IO>) -> Result<WebSocket<IO>, ReuniteError<IO>> {
        if !Arc::ptr_eq(&self.shared, &writer.shared) {
            return Err(ReuniteError(self, writer));
        }
        drop(writer);
        let Self { rx, shared } = self;
        match Arc::try_unwrap(shared) {
            Ok(shared) => {
                Ok(WebSocket::from_halves(rx, shared.into_inner().unwrap_or_else(PoisonError::into_inner)))
            }
            // There are two halves and no more, and both are here.
            Err(shared) => {
                let writer = WebSocketWriter { shared: Arc::clone(&shared) };
                Err(ReuniteError(Self { rx, shared }, writer))
            }
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> WebSocketReader<IO> {
    /// Waits for the next event; `None` when the connection is over. See [`WebSocket::next`]; the answer goes through
    /// the other half.
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::next`].
    ///
    /// # Cancel safety
    ///
    /// Safe: no event is lost if the future is dropped before it is ready.
    pub async fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        let ready = poll_fn(|cx| self.poll_receive::<Ready>(cx)).await?;
        Ok(ready.map(|ready| ready.event(self.rx.get())))
    }

    /// Waits for the next piece of a message or control frame; `None` when the connection is over. See
    /// [`WebSocket::next_chunk`].
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::next`].
    ///
    /// # Cancel safety
    ///
    /// Safe: no event is lost if the future is dropped before it is ready.
    pub async fn next_chunk(&mut self) -> Result<Option<Event<'_, Chunk<'_>>>, Error> {
        let ready = poll_fn(|cx| self.poll_receive::<ReadyChunk>(cx)).await?;
        Ok(ready.map(|ready| ready.event(self.rx.get())))
    }

    /// Waits for the next message to begin, and gives a reader for its payload. See [`WebSocket::next_message`].
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::next`].
    ///
    /// # Cancel safety
    ///
    /// Safe: no message is lost if the future is dropped before it is ready.
    pub async fn next_message(&mut self) -> Result<Option<MessageReader<'_, Self>>, Error> {
        MessageReader::next(self).await
    }

    /// Waits for the next message, and gives a copy that is owned. See [`WebSocket::recv`].
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::next`].
    ///
    /// # Cancel safety
    ///
    /// Safe: no message is lost if the future is dropped before it is ready.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        let ready = poll_fn(|cx| self.poll_receive::<Ready>(cx)).await?;
        Ok(ready.map(|ready| Message::received(&mut self.rx, ready)))
    }

    fn poll_receive<R: AnyReady>(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<R>, Error>> {
        let mut driver = lock(&self.shared);
        let result = driver.poll_receive::<R>(cx, Half::Receive, &mut self.rx);
        if result.is_ready() && driver.conn.state() != State::Open {
            // Whoever waits to send is told that it is over.
            driver.waiters.wake();
        }
        result
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> ReceiveChunks for WebSocketReader<IO> {}

impl<IO: AsyncRead + AsyncWrite + Unpin> message_reader::sealed::Sealed for WebSocketReader<IO> {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<ReadyChunk>, Error>> {
        self.poll_receive::<ReadyChunk>(cx)
    }

    fn event(&self, ready: ReadyChunk) -> Event<'_, Chunk<'_>> {
        ready.event(self.rx.get())
    }

    fn skip(&mut self) {
        lock(&self.shared).conn.skip_message(self.rx.get_mut());
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Stream for WebSocketReader<IO> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let ready = core::task::ready!(self.poll_receive::<Ready>(cx));
        Poll::Ready(ready.map(|ready| ready.map(|ready| Message::received(&mut self.rx, ready))).transpose())
    }
}

impl<IO> fmt::Debug for WebSocketReader<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketReader").field("rx", self.rx.get()).finish_non_exhaustive()
    }
}
