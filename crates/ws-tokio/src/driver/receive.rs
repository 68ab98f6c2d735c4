//! Receiving: what is at hand first, then everything that has to be done before more can come.

use core::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{CloseFrame, Connection, Event, Instant, Ready, ReadyChunk, RecvBuf, SendError};

use super::{Driver, EVENT_BUDGET, let_others};
use crate::error::Error;
use crate::lent::Lent;
use crate::waiters::Half;

impl<IO: AsyncRead + AsyncWrite + Unpin> Driver<IO> {
    /// The short way of everything that receives: most events are data, and in the buffer already. No clock is asked
    /// and no waker looked at.
    #[inline(always)]
    pub(crate) fn receive_at_hand<R: AnyReady>(&mut self, rx: &mut Lent<RecvBuf<Vec<u8>>>) -> AtHand<R> {
        if self.events_left == 0 {
            return AtHand::Other(None);
        }
        let rx = if R::WHOLE && !self.in_pieces {
            match rx.present_mut() {
                Some(rx) if !(rx.unparsed().is_empty() && rx.is_empty()) => rx,
                _ => return AtHand::Other(None),
            }
        } else {
            // The end of a frame is an event as well, and takes no byte.
            self.in_pieces = !R::WHOLE;
            rx.get_mut()
        };
        match R::receive(&mut self.conn, self.now, rx) {
            Ok(Some(ready)) if ready.as_control().is_none() => {
                self.events_left -= 1;
                AtHand::Data(ready)
            }
            Ok(ready) => AtHand::Other(ready),
            // An error is sticky; it is told when the connection is wound up and the peer knows it.
            Err(_) => AtHand::Other(None),
        }
    }

    /// What everything that receives comes down to: gives an event from the buffer if there is one; writes what is queued
    /// if not; reads; and serves the deadlines.
    #[inline]
    pub(crate) fn poll_receive<R: AnyReady>(
        &mut self,
        cx: &mut Context<'_>,
        half: Half,
        rx: &mut Lent<RecvBuf<Vec<u8>>>,
    ) -> Poll<Result<Option<R>, Error>> {
        match self.receive_at_hand(rx) {
            AtHand::Data(ready) => Poll::Ready(Ok(Some(ready))),
            AtHand::Other(ready) => self.poll_receive_other(cx, half, rx, ready),
        }
    }

    /// The same when the short way did not lead to data, but to `received`.
    #[inline(never)]
    pub(crate) fn poll_receive_other<R: AnyReady>(
        &mut self,
        cx: &mut Context<'_>,
        half: Half,
        rx: &mut Lent<RecvBuf<Vec<u8>>>,
        mut received: Option<R>,
    ) -> Poll<Result<Option<R>, Error>> {
        if self.done {
            return Poll::Ready(Ok(None));
        }
        if self.events_left == 0 {
            self.events_left = EVENT_BUDGET;
            // What was answered meanwhile need not wait for this task's next turn.
            self.write_early(cx, half);
            let_others(cx);
            return Poll::Pending;
        }
        let mut knows_time = false;
        loop {
            if let Some(ready) = received {
                if let Some(frame) = ready.close_frame(rx.get()) {
                    self.ending.keep_peer(frame, &self.conn);
                }
                if self.conn.should_transmit() {
                    // Pongs are waiting in numbers: let them out before they have to replace each other.
                    self.write_early(cx, half);
                }
                self.events_left -= 1;
                return Poll::Ready(Ok(Some(ready)));
            }
            self.wake_if_failed();
            let shared = self.register(half, cx);
            let cx = &mut Context::from_waker(shared.as_ref().unwrap_or(cx.waker()));
            // Nothing to answer is left, so this is when the answers go out: together. Before deadlines are looked at, so
            // that no answer comes too late only because the application took its time.
            if self.has_output() {
                self.now = self.timer.now();
                knows_time = true;
                let _ = self.poll_write(cx);
            }
            if self.poll_wind_up(cx).is_ready() {
                self.finish();
                rx.discard();
                return Poll::Ready(self.take_error().map_or(Ok(None), Err));
            }
            if self.poll_read(cx, rx).is_ready() {
                self.now = self.timer.now();
                knows_time = true;
                self.check_deadlines();
                received = R::receive(&mut self.conn, self.now, rx.get_mut()).unwrap_or(None);
                continue;
            }
            self.events_left = EVENT_BUDGET;
            self.tx.give_back();
            if !knows_time {
                self.now = self.timer.now();
            }
            ready!(self.timer.poll(cx, self.now, self.conn.poll_timeout()));
            self.now = self.timer.now();
            knows_time = true;
            self.check_deadlines();
        }
    }

    /// Writes what is queued, and answers control frames as long as no data is in front of them. Never ready but with
    /// the error that ended the connection.
    pub(crate) fn poll_control(
        &mut self,
        cx: &mut Context<'_>,
        rx: &mut Lent<RecvBuf<Vec<u8>>>,
    ) -> Poll<Error> {
        let shared = self.register(Half::Send, cx);
        let cx = &mut Context::from_waker(shared.as_ref().unwrap_or(cx.waker()));
        loop {
            self.now = self.timer.now();
            self.check_deadlines();
            if let Some(rx) = rx.present_mut() {
                while let Ok(Some(ready)) = self.conn.poll_receive_control(self.now, rx) {
                    if let Some(frame) = ready.close_frame(rx) {
                        self.ending.keep_peer(frame, &self.conn);
                    }
                }
            }
            let _ = self.poll_write(cx);
            if self.is_failed() || self.done {
                return Poll::Ready(self.take_error().unwrap_or(Error::Send(SendError::Closing)));
            }
            if self.conn.peer_close().is_some() {
                return Poll::Ready(Error::Send(SendError::Closing));
            }
            // Data stays where it is, and no more is read behind it.
            let unparsed = rx.get().unparsed().len();
            if unparsed < RecvBuf::<Vec<u8>>::MIN_SIZE && self.poll_read(cx, rx).is_ready() {
                continue;
            }
            ready!(self.timer.poll(cx, self.now, self.conn.poll_timeout()));
        }
    }

    /// Writes what is queued although there are events left.
    fn write_early(&mut self, cx: &mut Context<'_>, half: Half) {
        self.now = self.timer.now();
        let shared = self.register(half, cx);
        let _ = self.poll_write(&mut Context::from_waker(shared.as_ref().unwrap_or(cx.waker())));
    }
}

/// What there is without asking the transport.
#[derive(Debug)]
pub(crate) enum AtHand<R> {
    Data(R),
    /// Another event, or none: for [`Driver::poll_receive_other`].
    Other(Option<R>),
}

/// What receiving gives, whole messages or pieces.
pub(crate) trait AnyReady: Copy {
    /// Whether messages are put together.
    const WHOLE: bool;

    /// The next one, if it is there.
    fn receive(
        conn: &mut Connection,
        now: Instant,
        rx: &mut RecvBuf<Vec<u8>>,
    ) -> Result<Option<Self>, ws_proto::Error>;

    /// The event, if it is a control frame.
    fn as_control(&self) -> Option<Ready>;

    /// The peer's Close frame, if it is that.
    fn close_frame(self, rx: &RecvBuf<Vec<u8>>) -> Option<CloseFrame<'_>> {
        match self.as_control()?.event(rx) {
            Event::Close(frame) => Some(frame),
            _ => None,
        }
    }
}

impl AnyReady for Ready {
    const WHOLE: bool = true;

    #[inline(always)]
    fn receive(
        conn: &mut Connection,
        now: Instant,
        rx: &mut RecvBuf<Vec<u8>>,
    ) -> Result<Option<Self>, ws_proto::Error> {
        conn.poll_receive(now, rx)
    }

    #[inline]
    fn as_control(&self) -> Option<Ready> {
        (!self.is_data()).then_some(*self)
    }
}

impl AnyReady for ReadyChunk {
    const WHOLE: bool = false;

    fn receive(
        conn: &mut Connection,
        now: Instant,
        rx: &mut RecvBuf<Vec<u8>>,
    ) -> Result<Option<Self>, ws_proto::Error> {
        conn.poll_receive_chunk(now, rx)
    }

    #[inline]
    fn as_control(&self) -> Option<Ready> {
        self.as_control()
    }
}
