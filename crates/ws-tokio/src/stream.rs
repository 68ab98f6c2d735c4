//! `Stream` and `Sink`, for combinators.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{CloseCode, SendError};

use crate::error::Error;
use crate::message::Message;
use crate::socket::WebSocket;
use crate::waiters::Half;

/// The same messages as [`WebSocket::recv`] gives; ends after the connection did.
impl<IO: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<IO> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let ready = ready!(self.poll_receive(cx, Half::Receive));
        Poll::Ready(ready.map(|ready| ready.map(|ready| Message::received(&mut self.rx, ready))).transpose())
    }
}

/// Ready when there is room for a message; bounded as [`WebSocket::feed`] is, with one message in front of a full
/// queue. Closing is the closing handshake with code 1000.
///
/// Nothing is received while a sink is polled: use the stream as well.
impl<IO: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<IO> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.driver.poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        Ok(self.driver.start_send(message)?)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.driver.poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.driver.close(CloseCode::NORMAL, "") {
            Ok(()) | Err(SendError::Closing) => self.poll_drain(cx),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}
