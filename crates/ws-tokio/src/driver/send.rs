//! Everything on its way out: queued, in front of a full queue, or being written.

use core::mem::take;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{CloseCode, Connection, Kind, Outbound, SendError, SendQueue, Transmit};

use super::{Driver, QUEUE_LIMIT, lie};
use crate::error::Error;
use crate::message::Message;
use crate::waiters::Half;

impl<IO> Driver<IO> {
    /// Queues a message, or gives it back with the reason.
    pub(crate) fn queue(&mut self, message: Message) -> Result<(), (SendError, Message)> {
        let (conn, tx) = (&mut self.conn, self.tx.get_mut());
        match message {
            Message::Binary(payload) => conn
                .send_owned(tx, Kind::Binary, payload)
                .map_err(|(error, payload)| (error, Message::Binary(payload))),
            Message::Text(text) => {
                conn.send_owned_text(tx, text).map_err(|(error, text)| (error, Message::Text(text)))
            }
            Message::Ping(payload) => conn.ping(&payload).map_err(|error| (error, Message::Ping(payload))),
            Message::Pong(payload) => conn.pong(&payload).map_err(|error| (error, Message::Pong(payload))),
            Message::Close(frame) => {
                let now = self.timer.now();
                match conn.close(now, frame.code, &frame.reason) {
                    Ok(()) => self.ending.keep_local(frame.code, &frame.reason),
                    Err(error) => return Err((error, Message::Close(frame))),
                }
                Ok(())
            }
        }
    }

    /// Takes a message for which [`poll_ready`](Self::poll_ready) said there is room: into the queue, or if that is
    /// full into the one place in front of it.
    pub(crate) fn start_send(&mut self, message: Message) -> Result<(), SendError> {
        if self.pending.is_some() {
            return Err(SendError::Full);
        }
        match self.queue(message) {
            Err((SendError::Full, message)) => {
                self.pending = Some(Box::new(message));
                Ok(())
            }
            other => other.map_err(|(error, _)| error),
        }
    }

    /// Begins the closing handshake behind everything that was taken. A message that waits in front of the full queue
    /// goes into it now, whatever its limit: behind the Close frame there is no place for it.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        if let Some(message) = self.pending.take() {
            self.limit(usize::MAX);
            // Anything but a full queue means that the connection is closing already.
            let _ = self.queue(*message);
            self.limit(QUEUE_LIMIT);
        }
        self.conn.close(self.timer.now(), code, reason)?;
        self.ending.keep_local(code, reason);
        Ok(())
    }

    fn limit(&mut self, bytes: usize) {
        let tx = self.tx.get_mut();
        *tx = take(tx).limit(bytes);
    }

    /// Begins the closing handshake in front of everything that was taken, which is dropped.
    pub(crate) fn close_now(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let result = self.conn.close_now(self.timer.now(), code, reason);
        if let Ok(()) | Err(SendError::Closing) = result {
            self.pending = None;
        }
        if result.is_ok() {
            self.ending.keep_local(code, reason);
        }
        result
    }

    pub(crate) fn begin_message(&mut self, kind: Kind) -> Result<(), SendError> {
        if self.pending.is_some() {
            return Err(SendError::Full);
        }
        self.conn.begin_message(kind)
    }

    pub(crate) fn write_message(&mut self, bytes: &[u8]) -> Result<usize, SendError> {
        self.conn.write_message(self.tx.get_mut(), bytes)
    }

    pub(crate) fn flush_written(&mut self) -> Result<(), SendError> {
        self.conn.flush_message(self.tx.get_mut())
    }

    pub(crate) fn finish_message(&mut self) -> Result<(), SendError> {
        self.conn.finish_message(self.tx.get_mut())
    }

    pub(crate) fn abort_message(&mut self) {
        self.conn.abort_message(self.timer.now());
    }

    /// Queues a message if there is room for it, and for what waits in front of the queue.
    pub(crate) fn try_send(&mut self, message: Message) -> Result<(), (SendError, Message)> {
        if self.pending.is_some() { Err((SendError::Full, message)) } else { self.queue(message) }
    }

    /// How many messages were taken and are not yet with the transport.
    pub(crate) fn queued_messages(&self) -> usize {
        self.tx.get().queued_messages()
            + usize::from(self.pending.as_ref().is_some_and(|message| message.is_data()))
    }

    /// How many bytes were taken and are not yet with the transport.
    pub(crate) fn buffered_amount(&self) -> usize {
        let pending = self.pending.as_ref().map_or(0, |message| message.payload().len());
        self.tx.get().buffered_amount().saturating_add(pending)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Driver<IO> {
    /// Writes until nothing waits, and flushes the transport then. A transport that fails is remembered, and what is
    /// queued then is discarded: the peer may have said why before.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(self.poll_write_fallibly(cx)) {
            Ok(()) => {}
            Err(error) => {
                self.fail(error);
                self.write_failed = true;
                self.tx.discard();
                if self.eof {
                    // Nothing is left to be read that would end the connection.
                    let _ = self.conn.transport_failed();
                }
                self.waiters.wake();
            }
        }
        Poll::Ready(())
    }

    fn poll_write_fallibly(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.write_failed {
            return Poll::Ready(Ok(()));
        }
        while self.has_output() {
            while let Some(mut transmit) = self.conn.poll_transmit(self.now, self.tx.get_mut()) {
                let (written, offered) = ready!(write(Pin::new(&mut self.io), cx, &transmit))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                if written > offered {
                    return Poll::Ready(Err(lie("wrote", written, offered)));
                }
                transmit.advance(written);
                self.unflushed = true;
                // There may be room now, and whoever waits for that need not wait for the whole queue.
                self.place_pending();
            }
            // A ping finds room only when the pings before it are out.
            if !self.place_pending() {
                break;
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        self.tx.give_back();
        Poll::Ready(Ok(()))
    }

    /// Moves what waits in front of the queue into it, if there is room now; says whether it did.
    fn place_pending(&mut self) -> bool {
        let Some(message) = self.pending.take() else { return false };
        match self.queue(*message) {
            Err((SendError::Full, message)) => {
                self.pending = Some(Box::new(message));
                false
            }
            // If the connection began to close in between, what it refuses now is lost as what it had queued is.
            _ => true,
        }
    }

    /// Ready when a message can be queued.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.pending.is_none() && !self.done {
            return Poll::Ready(Ok(()));
        }
        match self.poll_flush(cx)? {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending if self.pending.is_none() => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Queues with `send` if there is room, as there nearly always is: then nothing need be polled. Says whether it did.
    #[inline(always)]
    pub(crate) fn send_at_once(
        &mut self,
        send: impl FnOnce(&mut Connection, &mut SendQueue<Bytes>) -> Result<(), SendError>,
    ) -> bool {
        self.pending.is_none() && !self.done && send(&mut self.conn, self.tx.get_mut()).is_ok()
    }

    /// Queues with `send`, and waits while that finds no room.
    pub(crate) fn poll_send_with(
        &mut self,
        cx: &mut Context<'_>,
        send: &impl Fn(&mut Connection, &mut SendQueue<Bytes>) -> Result<(), SendError>,
    ) -> Poll<Result<(), Error>> {
        loop {
            ready!(self.poll_ready(cx))?;
            match send(&mut self.conn, self.tx.get_mut()) {
                Err(SendError::Full) => ready!(self.poll_flush(cx))?,
                other => return Poll::Ready(other.map_err(Error::Send)),
            }
        }
    }

    /// Ready when everything that was queued is with the transport; with an error if the connection ended before. The
    /// error is told once; winding up is left to whoever receives.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.done {
            return Poll::Ready(Err(SendError::Closing.into()));
        }
        let shared = self.register(Half::Send, cx);
        let cx = &mut Context::from_waker(shared.as_ref().unwrap_or(cx.waker()));
        loop {
            self.now = self.timer.now();
            self.check_deadlines();
            let written = self.poll_write(cx);
            if self.is_failed() {
                return Poll::Ready(Err(self.take_error().unwrap_or(Error::Send(SendError::Closing))));
            }
            if written.is_ready() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.timer.poll(cx, self.now, self.conn.poll_timeout()));
        }
    }
}

/// One write of what is to be transmitted: how much was written, and of how much.
fn write<IO: AsyncWrite, O: Outbound>(
    io: Pin<&mut IO>,
    cx: &mut Context<'_>,
    transmit: &Transmit<'_, O>,
) -> Poll<io::Result<(usize, usize)>> {
    if let Some(bytes) = transmit.contiguous() {
        return io.poll_write(cx, bytes).map_ok(|written| (written, bytes.len()));
    }
    let slices = transmit.slices();
    if slices.len() == 1 || !io.is_write_vectored() {
        return io.poll_write(cx, slices[0]).map_ok(|written| (written, slices[0].len()));
    }
    let offered = slices.iter().map(|slice| slice.len()).sum();
    let (slices, len) = slices.to_io_slices();
    io.poll_write_vectored(cx, &slices[..len]).map_ok(|written| (written, offered))
}
