//! The means to answer an event while it lies in the receive buffer.

use core::future::poll_fn;
use core::task::Poll;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{CloseCode, Connection, Kind, PreparedMessage, Rsv, SendError, SendQueue};

use crate::driver::Driver;
use crate::error::Error;
use crate::message::Message;

/// Answers the event that it was received with, while that still borrows the receive buffer: an echo copies the payload
/// once, into the output.
///
/// What is sent here is queued. It goes out together with what else is queued when [`WebSocket::next`] finds nothing
/// more to receive, or when the queue is full, or on [`flush`](Self::flush); so that a batch of small messages is
/// answered with one write.
///
/// [`WebSocket::next`]: crate::WebSocket::next
#[derive(Debug)]
pub struct Reply<'w, IO> {
    driver: &'w mut Driver<IO>,
}

impl<'w, IO: AsyncRead + AsyncWrite + Unpin> Reply<'w, IO> {
    pub(crate) fn new(driver: &'w mut Driver<IO>) -> Self {
        Self { driver }
    }

    /// Queues a message; waits only while the queue is full.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if it cannot be sent now or ever; any other if the connection ended while this waited.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is not queued. It is never queued in part, or twice.
    pub fn send(&mut self, message: ws_proto::Message<'_>) -> impl Future<Output = Result<(), Error>> {
        // By hand, since an async function would hold its arguments twice, in every task that is an echo.
        let mut driver = Some(&mut *self.driver);
        poll_fn(move |cx| {
            let Some(to) = driver.take() else { return Poll::Ready(Err(SendError::Closing.into())) };
            let send = |conn: &mut Connection, tx: &mut SendQueue<Bytes>| conn.send(tx, message);
            if to.send_at_once(send) {
                return Poll::Ready(Ok(()));
            }
            let polled = to.poll_send_with(cx, &send);
            if polled.is_pending() {
                driver = Some(to);
            }
            polled
        })
    }

    /// Queues an owned message; waits only while the queue is full.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is either not queued or queued whole.
    pub async fn send_owned(&mut self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| self.driver.poll_ready(cx)).await?;
        Ok(self.driver.start_send(message)?)
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

    /// Whether messages that are queued from now on are compressed, where permessage-deflate was agreed on.
    #[cfg(feature = "deflate")]
    pub fn set_compression(&mut self, on: bool) {
        self.driver.conn.set_compression(on);
    }

    /// Queues a part of a message, `fin` with the last; waits only while the queue is full. See
    /// [`ws_proto::Connection::send_fragment`].
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the part is not queued.
    pub async fn send_fragment(&mut self, kind: Kind, bytes: &[u8], fin: bool) -> Result<(), Error> {
        self.send_with(|conn, tx| conn.send_fragment(tx, kind, bytes, fin)).await
    }

    /// Queues a message with reserved bits, for an extension of the caller's that gives them a meaning; waits only
    /// while the queue is full. See [`ws_proto::Connection::send_with_rsv`].
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `SendError::ReservedBits` for bits that
    /// [`Config::allowed_rsv`](ws_proto::Config::allowed_rsv) does not have.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is not queued.
    pub async fn send_with_rsv(&mut self, rsv: Rsv, kind: Kind, payload: &[u8]) -> Result<(), Error> {
        self.send_with(|conn, tx| conn.send_with_rsv(tx, rsv, kind, payload)).await
    }

    async fn send_with(
        &mut self,
        send: impl Fn(&mut Connection, &mut SendQueue<Bytes>) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        if self.driver.send_at_once(&send) {
            return Ok(());
        }
        poll_fn(|cx| self.driver.poll_send_with(cx, &send)).await
    }

    /// The connection, for what it can be asked about the event: the reserved bits and the kind of its message.
    pub const fn connection(&self) -> &Connection {
        &self.driver.conn
    }

    /// Begins the closing handshake, behind what is queued. Go on receiving until there is nothing more.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for codes and reasons that cannot be sent, or if the connection is closing already.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        Ok(self.driver.close(code, reason)?)
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
}
