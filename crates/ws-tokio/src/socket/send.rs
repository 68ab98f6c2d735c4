//! Sending: messages, whole and in pieces; and closing.

use core::future::poll_fn;
use core::task::{Context, Poll};
use std::io;

use bytes::Bytes;
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{CloseCode, Kind, PreparedMessage, Rsv, SendError};

use super::WebSocket;
use crate::error::Error;
use crate::message::Message;
use crate::message_writer::{self, MessageWriter, SendPieces, send_reader, send_stream};
use crate::reply::Reply;
use crate::waiters::Half;

impl<IO: AsyncRead + AsyncWrite + Unpin> WebSocket<IO> {
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
    pub async fn send_reader(
        &mut self,
        kind: Kind,
        source: &mut (impl AsyncRead + Unpin + ?Sized),
    ) -> Result<u64, Error> {
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
    pub async fn send_stream(
        &mut self,
        kind: Kind,
        source: &mut (impl Stream<Item = io::Result<impl AsRef<[u8]>>> + Unpin + ?Sized),
    ) -> Result<u64, Error> {
        send_stream(self, kind, source).await
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
