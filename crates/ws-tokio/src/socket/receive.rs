//! Receiving: events that borrow the buffer, messages that are owned, and messages in pieces.

use core::future::poll_fn;
use core::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{Chunk, Event, Ready, ReadyChunk};

use super::WebSocket;
use crate::error::Error;
use crate::message::Message;
use crate::message_reader::{self, MessageReader, ReceiveChunks};
use crate::reply::Reply;
use crate::waiters::Half;

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
