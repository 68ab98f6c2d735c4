//! Transmitting: which bytes go out next.

use super::{Connection, Timer};
use crate::buf::outbound::{Outbound, Slices};
use crate::time::Instant;

/// What is to be done with the transport, apart from reading and writing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TransportAction {
    /// Nothing.
    Keep,
    /// Shut down the writing side, and go on reading (and discarding what [`Connection::receive`] does not want) until
    /// the end of file or the deadline. Doing it again does no harm.
    ///
    /// Closing with input unread makes the kernel send a reset, which can destroy the Close frame on its way.
    ShutdownWrite,
    /// Close it. Nothing more will come of this connection.
    Close,
}

impl Connection {
    /// What to transmit next, or `None` if nothing waits.
    ///
    /// In this order: the rest of a frame that is partly transmitted, pongs and pings, data, and the Close frame last.
    /// After [`close_now`](Self::close_now), or when the peer does not react any more, there is no more data.
    ///
    /// `now` is the time from which the transport has `Config::write_stall_timeout` to take something.
    #[inline]
    pub fn poll_transmit<'t, O: Outbound>(
        &'t mut self,
        now: Instant,
        tx: &'t mut O,
    ) -> Option<Transmit<'t, O>> {
        self.settle_output(tx);
        if !self.has_output(tx) {
            self.timers.stop(Timer::WriteStall);
            return None;
        }
        if !self.timers.is_running(Timer::WriteStall) && !self.aborted {
            self.start_timer(Timer::WriteStall, now);
        }
        Some(Transmit { connection: self, tx, now })
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) would give something: whether to wait for the transport to be
    /// writable.
    pub fn wants_transmit<O: Outbound>(&self, tx: &O) -> bool {
        // Data that is about to be discarded does not count; what is partly transmitted does.
        let data = if self.discard_output { tx.frame_left() } else { tx.buffered() };
        data > 0 || self.has_control_output() || self.keepalive.due
    }

    /// What to do with the transport. Ask after transmitting what the transport takes without waiting.
    ///
    /// RFC 6455 section 7.1.1: "the server MUST close [the TCP connection] first" so that the client does not keep the
    /// waiting state; the client waits for that, within `Config::close_timeout`.
    pub fn transport_action<O: Outbound>(&self, tx: &O) -> TransportAction {
        if self.is_over() {
            return TransportAction::Close;
        }
        // A failed connection is not read from any more, whichever end this is.
        let done = self.error.is_some() || self.is_clean() && !self.role.is_client();
        if done && !self.wants_transmit(tx) { TransportAction::ShutdownWrite } else { TransportAction::Keep }
    }

    /// Drops output that is not to be sent any more, and queues the keepalive ping if there is room for it now.
    #[inline]
    fn settle_output<O: Outbound>(&mut self, tx: &mut O) {
        if self.discard_output {
            tx.discard_frames();
        }
        if self.keepalive.due {
            self.queue_keepalive();
        }
    }

    fn queue_keepalive(&mut self) {
        let role = &mut self.role;
        let pushed = self.outbox.push_ping(&self.keepalive.payload(), || role.next_key());
        self.keepalive.due = pushed.is_err();
        if pushed.is_ok() {
            self.keepalive.ahead = self.outbox.waiting().len() as u16;
        }
    }

    #[inline]
    fn has_output<O: Outbound>(&self, tx: &O) -> bool {
        tx.buffered() > 0 || self.has_control_output()
    }

    #[inline]
    fn has_control_output(&self) -> bool {
        !self.outbox.is_empty() || (self.close.is_queued() && !self.close.is_sent())
    }
}

/// What to transmit next: slices in order, to be written by one vectored write or several plain ones.
///
/// ```
/// # use ws_proto::{CloseCode, Config, Connection, Instant, Role, SendBuf};
/// # let mut conn = Connection::new(Role::Server, Config::default(), Instant::ZERO);
/// # let mut tx = SendBuf::new([0; 64]);
/// # let now = Instant::ZERO;
/// # fn write(bytes: &[u8]) -> usize { bytes.len() }
/// # conn.close(now, CloseCode::NORMAL, "bye").unwrap();
/// while let Some(mut transmit) = conn.poll_transmit(now, &mut tx) {
///     let written = write(transmit.slices()[0]); // or vectored: all of them
///     transmit.advance(written);
/// }
/// ```
#[derive(Debug)]
pub struct Transmit<'t, O> {
    connection: &'t mut Connection,
    tx: &'t mut O,
    now: Instant,
}

impl<O: Outbound> Transmit<'_, O> {
    /// All that there is to transmit, if it lies in one piece, as it mostly does: for a plain write.
    ///
    /// `None` says that it may be more than one: see [`slices`](Self::slices), which always has them, and takes longer.
    #[inline]
    pub fn contiguous(&self) -> Option<&[u8]> {
        if self.connection.has_control_output() { None } else { self.tx.contiguous() }
    }

    /// The slices, at least one, none of them empty.
    #[inline(never)]
    pub fn slices(&self) -> Slices<'_> {
        let mut slices = Slices::new();
        if self.connection.has_control_output() {
            self.add_slices_with_control(&mut slices);
        } else {
            self.tx.slices(0, self.tx.buffered(), &mut slices);
        }
        slices
    }

    fn add_slices_with_control<'s>(&'s self, slices: &mut Slices<'s>) {
        let Connection { outbox, close, .. } = &*self.connection;
        let (front, all) = (self.tx.frame_left(), self.tx.buffered());
        if close.is_inside_frame() {
            slices.push(close.waiting());
        }
        if front > 0 {
            self.tx.slices(0, front, slices);
        }
        slices.push(outbox.waiting());
        if all > front {
            self.tx.slices(front, all, slices);
        }
        // Behind all of the data: if that is more than there are slices for, there is none left for this.
        if !close.is_inside_frame() {
            slices.push(close.waiting());
        }
    }

    /// Says that the first `n` bytes of the slices are transmitted.
    ///
    /// More than the slices have is a mistake of the caller's or a lying transport. It is taken as far as there is
    /// output, and never beyond; who can find out that the transport lies should end the connection.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        if n >= self.tx.buffered() && !self.connection.has_control_output() {
            self.tx.consume(n);
            self.connection.timers.stop(Timer::WriteStall);
        } else if n > 0 {
            self.advance_among_others(n);
        }
    }

    /// What is not all of the output, or not data alone.
    #[inline(never)]
    fn advance_among_others(&mut self, n: usize) {
        let Connection { outbox, close, timers, keepalive, .. } = &mut *self.connection;
        let ping_waited = keepalive.waits();
        let mut left = n;
        let mut step = |waiting: usize| {
            let step = left.min(waiting);
            left -= step;
            step
        };
        let (front, all) = (self.tx.frame_left(), self.tx.buffered());
        if close.is_inside_frame() {
            close.consume(step(close.waiting().len()));
        }
        let data = step(front);
        let control = step(outbox.waiting().len());
        outbox.consume(control);
        // At most the size of the outbox, both of them. Pongs in front of the ping may have given way to others behind
        // it.
        keepalive.ahead = keepalive.ahead.saturating_sub(control as u16).min(outbox.waiting().len() as u16);
        let data = data + if outbox.is_empty() { step(all - front) } else { 0 };
        if data > 0 {
            self.tx.consume(data);
        }
        if data == all {
            close.consume(step(close.waiting().len()));
        }
        // The transport makes progress; whatever waits now has the full time again.
        timers.stop(Timer::WriteStall);
        if self.connection.has_output(self.tx) && !self.connection.aborted {
            self.connection.start_timer(Timer::WriteStall, self.now);
        }
        // And the peer cannot answer what it does not have.
        if ping_waited && self.connection.timers.is_running(Timer::Pong) {
            self.connection.start_timer(Timer::Pong, self.now);
        }
    }
}
