//! The opening handshake on a transport: heads out, heads in, and a quiet end if it comes to nothing.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_proto::handshake::{ClientHandshake, HandshakeError, ServerHandshake};
use ws_proto::{Config, Instant, RecvBuf, Role, SendQueue};

use crate::error::Error;
use crate::socket::WebSocket;
use crate::timer::Timer;

/// A transport with the buffers that the connection will go on using.
#[derive(Debug)]
pub(crate) struct Exchange<IO> {
    io: IO,
    pub(crate) rx: RecvBuf<Vec<u8>>,
    pub(crate) tx: SendQueue<Bytes>,
    pub(crate) timer: Timer,
}

/// What both roles wait for: the head of the other side.
pub(crate) trait ReceiveHead {
    fn poll_receive(&mut self, now: Instant, rx: &mut RecvBuf<Vec<u8>>) -> Result<bool, HandshakeError>;
    fn receive_eof(&mut self) -> HandshakeError;
    fn handle_timeout(&mut self, now: Instant);
    fn poll_timeout(&self) -> Option<Instant>;
}

macro_rules! impl_receive_head {
    ($handshake:ty) => {
        impl ReceiveHead for $handshake {
            fn poll_receive(
                &mut self,
                now: Instant,
                rx: &mut RecvBuf<Vec<u8>>,
            ) -> Result<bool, HandshakeError> {
                self.poll_receive(now, rx)
            }

            fn receive_eof(&mut self) -> HandshakeError {
                self.receive_eof()
            }

            fn handle_timeout(&mut self, now: Instant) {
                self.handle_timeout(now);
            }

            fn poll_timeout(&self) -> Option<Instant> {
                self.poll_timeout()
            }
        }
    };
}

impl_receive_head!(ServerHandshake);
impl_receive_head!(ClientHandshake);

impl<IO> Exchange<IO> {
    pub(crate) fn new(io: IO, tx: SendQueue<Bytes>, timer: Timer) -> Self {
        Self { io, rx: RecvBuf::default(), tx, timer }
    }

    pub(crate) fn into_websocket(self, role: Role, config: Config) -> WebSocket<IO> {
        WebSocket::from_parts(self.io, role, config, self.rx, self.tx, self.timer)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Exchange<IO> {
    /// Sends what is queued, and waits for the head of the other side.
    pub(crate) async fn receive_head<H: ReceiveHead>(&mut self, handshake: &mut H) -> Result<(), Error> {
        poll_fn(|cx| self.poll_receive_head(cx, handshake)).await
    }

    /// Sends what is queued, until `deadline` at the latest.
    pub(crate) async fn flush(&mut self, deadline: Option<Instant>) -> Result<(), Error> {
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(flushed) = self.poll_flush(cx) {
                    return Poll::Ready(Ok(flushed?));
                }
                if self.has_passed(deadline) {
                    return Poll::Ready(Err(HandshakeError::Timeout.into()));
                }
                ready!(self.timer.poll(cx, self.timer.now(), deadline));
            }
        })
        .await
    }

    /// Ends an exchange that comes to nothing: sends what is queued, shuts down the writing side, and waits for the
    /// other side to end, so that a reset does not destroy the response on its way; until `deadline` at the latest.
    pub(crate) async fn wind_up(&mut self, deadline: Option<Instant>) {
        poll_fn(|cx| {
            loop {
                let passed = self.has_passed(deadline);
                // Whatever goes wrong here, there is nothing else to try.
                if self.poll_end(cx, deadline).is_ready() || passed {
                    return Poll::Ready(());
                }
                ready!(self.timer.poll(cx, self.timer.now(), deadline));
            }
        })
        .await;
    }

    fn has_passed(&self, deadline: Option<Instant>) -> bool {
        deadline.is_some_and(|deadline| deadline <= self.timer.now())
    }

    fn poll_end(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
        loop {
            self.rx = RecvBuf::default();
            // A client that sends faster than this reads must not keep it here.
            if ready!(self.poll_read(cx))? == 0 || self.has_passed(deadline) {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_receive_head<H: ReceiveHead>(
        &mut self,
        cx: &mut Context<'_>,
        handshake: &mut H,
    ) -> Poll<Result<(), Error>> {
        loop {
            let now = self.timer.now();
            handshake.handle_timeout(now);
            if handshake.poll_receive(now, &mut self.rx)? {
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
                return Poll::Ready(Err(error.into()));
            }
            match self.poll_read(cx)? {
                Poll::Ready(0) => return Poll::Ready(Err(handshake.receive_eof().into())),
                Poll::Ready(_) => {}
                Poll::Pending => ready!(self.timer.poll(cx, now, handshake.poll_timeout())),
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(mut transmit) = ws_proto::handshake::poll_transmit(&mut self.tx) {
            let slices = transmit.slices();
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, slices[0]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if written > slices[0].len() {
                return Poll::Ready(Err(crate::driver::lie("wrote", written, slices[0].len())));
            }
            transmit.advance(written);
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(self.rx.spare_mut());
        let room = buf.remaining();
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf))?;
        let n = buf.filled().len();
        if n > room {
            return Poll::Ready(Err(crate::driver::lie("read", n, room)));
        }
        self.rx.commit(n);
        Poll::Ready(Ok(n))
    }
}
