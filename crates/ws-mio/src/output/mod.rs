//! Everything that is sent goes through here, from outside a turn and as an answer alike.

mod pieces;

use bytes::Bytes;
use ws_proto::{
    CloseCode, CloseFrame, Connection, Instant, Kind, Message, Outbound as _, PreparedMessage, Rsv,
    SendError, SendQueue, State,
};

use crate::Outcome;
use crate::backlog::{Backlog, PULL_BUDGET};
use crate::flow::{Flow, WaterMarks};
use crate::lent::{Lent, Sending};
use crate::rare::Rare;

/// How many events one turn gives at most.
pub(crate) const EVENT_BUDGET: u16 = 1024;
/// How much the application may queue, unless it says otherwise.
const SEND_LIMIT: usize = 1 << 20;
/// Output beyond this is written before more is received; and while the transport does not take it, nothing is
/// received. So what waits is bounded however fast the peer sends: by this and the answer to one message.
const ENOUGH_OUTPUT: usize = 64 << 10;

/// The connection, and what it is to send.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) connection: Connection,
    pub(crate) tx: Lent<Sending>,
    pub(crate) send_limit: usize,
    /// Rarely there. Messages that are sent meanwhile wait in it.
    backlog: Option<Box<Backlog>>,
    pub(crate) rare: Rare,
    /// How many events may still be given in this turn.
    pub(crate) event_budget: u16,
    /// How often sources may still be asked in it.
    pull_budget: u16,
    /// The application sends nothing more.
    sending_stopped: bool,
    /// Something that was queued has been dropped.
    lost_data: bool,
}

/// Whether what is sent has to keep within the send limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    Applies,
    /// The first answer to what was received is always taken.
    Lifted,
}

impl Output {
    pub(crate) const fn new(connection: Connection, tx: Lent<Sending>) -> Self {
        Self {
            connection,
            tx,
            send_limit: SEND_LIMIT,
            backlog: None,
            rare: Rare::none(),
            event_budget: EVENT_BUDGET,
            pull_budget: PULL_BUDGET,
            sending_stopped: false,
            lost_data: false,
        }
    }

    /// Queues something. The queue is there only if there is something in it.
    #[inline]
    fn queue<R, E>(
        &mut self,
        queue: impl FnOnce(&mut Connection, &mut SendQueue<Bytes>) -> Result<R, E>,
    ) -> Result<R, E> {
        let result = queue(&mut self.connection, self.tx.needed());
        if result.is_err() {
            self.tx.give_back();
        }
        result
    }

    #[inline]
    pub(crate) fn send(&mut self, limit: Limit, message: Message<'_>) -> Result<(), SendError> {
        let len = message.as_bytes().len();
        if self.backlog.is_none() && !self.sending_stopped && self.has_room(limit, len) {
            return self.queue(|connection, tx| connection.send(tx, message));
        }
        self.send_other(limit, message)
    }

    /// What is refused, or waits behind a source. Not inlined, so that the way of most messages stays short.
    #[cold]
    #[inline(never)]
    fn send_other(&mut self, limit: Limit, message: Message<'_>) -> Result<(), SendError> {
        self.check(limit, message.as_bytes().len())?;
        match &mut self.backlog {
            None => return self.queue(|connection, tx| connection.send(tx, message)),
            Some(backlog) => {
                let payload = Bytes::copy_from_slice(message.as_bytes());
                backlog.push_message(Rsv::NONE, message.kind(), payload);
            }
        }
        Ok(())
    }

    pub(crate) fn send_with_rsv(
        &mut self,
        limit: Limit,
        rsv: Rsv,
        kind: Kind,
        payload: &[u8],
    ) -> Result<(), SendError> {
        self.check(limit, payload.len())?;
        match &mut self.backlog {
            None => return self.queue(|connection, tx| connection.send_with_rsv(tx, rsv, kind, payload)),
            Some(backlog) => {
                self.connection.check_payload(rsv, kind, payload)?;
                backlog.push_message(rsv, kind, Bytes::copy_from_slice(payload));
            }
        }
        Ok(())
    }

    pub(crate) fn send_owned(
        &mut self,
        limit: Limit,
        kind: Kind,
        payload: Bytes,
    ) -> Result<(), (SendError, Bytes)> {
        if let Err(error) = self.check(limit, payload.len()) {
            return Err((error, payload));
        }
        match &mut self.backlog {
            None => return self.queue(|connection, tx| connection.send_owned(tx, kind, payload)),
            Some(backlog) => match self.connection.check_payload(Rsv::NONE, kind, &payload) {
                Ok(()) => backlog.push_message(Rsv::NONE, kind, payload),
                Err(error) => return Err((error, payload)),
            },
        }
        Ok(())
    }

    pub(crate) fn send_prepared(
        &mut self,
        limit: Limit,
        message: &PreparedMessage<Bytes>,
    ) -> Result<(), SendError> {
        self.check(limit, message.payload().len())?;
        match &mut self.backlog {
            None => return self.queue(|connection, tx| connection.send_prepared(tx, message)),
            Some(backlog) => {
                backlog.push_message(Rsv::NONE, message.kind(), message.payload().clone());
            }
        }
        Ok(())
    }

    /// The turn is over. Once nothing more can be sent, nothing is kept for it.
    pub(crate) fn end_turn(&mut self) {
        self.pull_budget = PULL_BUDGET;
        if self.backlog.is_some() && self.connection.state() != State::Open {
            self.release_backlog();
        }
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check_not_stopped()?;
        self.connection.ping(payload)
    }

    pub(crate) fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.connection.pong(payload)
    }

    pub(crate) fn close(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        // Behind the Close frame nothing can be queued; so what waits for a source goes in front of it. But not if the
        // close is refused.
        self.connection.check_close(code, reason)?;
        if self.connection.state() == State::Open
            && let Some(backlog) = self.backlog.take()
        {
            self.observe();
            self.lost_data = true;
            backlog.give_up_sources(now, &mut self.connection, self.tx.needed());
        }
        self.connection.close(now, code, reason)?;
        self.rare.ending().keep_local(code, reason);
        Ok(())
    }

    pub(crate) fn close_now(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.observe();
        let result = self.connection.close_now(now, code, reason);
        if self.connection.state() != State::Open {
            self.lost_data |= self.tx.queue().queued_messages() > 0;
            self.release_backlog();
        }
        if result.is_ok() {
            self.rare.ending().keep_local(code, reason);
        }
        result
    }

    pub(crate) fn outcome(&self) -> Outcome<'_> {
        self.rare.outcome(&self.connection)
    }

    pub(crate) fn keep_peer_close(&mut self, frame: CloseFrame<'_>) {
        self.rare.ending().keep_peer(frame, &self.connection);
    }

    pub(crate) const fn stop_sending(&mut self) {
        self.sending_stopped = true;
    }

    pub(crate) fn set_water_marks(&mut self, low: usize, high: usize) {
        self.rare.set_water_marks(WaterMarks::new(low, high));
    }

    /// What waits is about to become less, or was so: no crossing of the water marks is missed.
    #[inline]
    pub(crate) fn observe(&mut self) {
        if self.rare.is_there() {
            self.rare.observe(self.buffered_amount());
        }
    }

    pub(crate) fn poll_water_marks(&mut self) -> Option<Flow> {
        self.observe();
        self.rare.poll_water_marks()
    }

    /// Whether something that was queued has been dropped.
    pub(crate) const fn has_lost_data(&self) -> bool {
        self.lost_data
    }

    /// Before transmitting: lets the connection drop what is not to go out any more.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.observe();
        // While it is open, it drops nothing.
        if self.connection.state() != State::Open {
            let before = self.tx.queue().queued_messages();
            let _ = self.connection.poll_transmit(now, self.tx.needed());
            self.lost_data |= self.tx.queue().queued_messages() < before;
        }
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        self.tx.queue().buffered_amount()
            + self.backlog.as_ref().map_or(0, |backlog| backlog.buffered_amount())
    }

    pub(crate) fn queued_messages(&self) -> usize {
        self.tx.queue().queued_messages() + self.backlog.as_ref().map_or(0, |backlog| backlog.len())
    }

    /// Whether nothing more is to be received before the transport takes output.
    ///
    /// What waits for a source does not count, for a slow one must not keep pings and the peer's Close frame from being
    /// received.
    #[inline]
    pub(crate) fn has_enough(&self) -> bool {
        self.tx.queue().buffered_amount() > ENOUGH_OUTPUT
    }

    pub(crate) fn wants_transmit(&self) -> bool {
        self.connection.wants_transmit(self.tx.queue())
            || self.backlog.as_ref().is_some_and(|backlog| backlog.wants_transmit())
    }

    pub(crate) fn is_drained(&self) -> bool {
        !self.connection.wants_transmit(self.tx.queue()) && self.backlog.is_none()
    }

    /// What counts against the limits.
    #[inline]
    fn waiting(&self) -> usize {
        self.tx.queue().buffered_amount() + self.backlog.as_ref().map_or(0, |backlog| backlog.cost())
    }

    fn release_backlog(&mut self) {
        self.lost_data |= self.backlog.take().is_some();
    }

    /// Whether a message with so much payload may be queued.
    #[inline]
    fn check(&self, limit: Limit, payload: usize) -> Result<(), SendError> {
        self.check_not_stopped()?;
        self.check_room(limit, payload)
    }

    #[inline]
    fn check_room(&self, limit: Limit, payload: usize) -> Result<(), SendError> {
        self.check_open()?;
        if self.has_room(limit, payload) { Ok(()) } else { Err(SendError::Full) }
    }

    #[inline]
    fn has_room(&self, limit: Limit, payload: usize) -> bool {
        let waiting = self.waiting();
        // Receiving does not wait for sources, so that answers behind one are not bounded by that.
        let applies = limit == Limit::Applies || self.backlog.is_some();
        !applies || waiting == 0 || waiting.saturating_add(payload) <= self.send_limit
    }

    #[inline]
    fn check_not_stopped(&self) -> Result<(), SendError> {
        if self.sending_stopped { Err(SendError::Closing) } else { self.check_open() }
    }

    #[inline]
    fn check_open(&self) -> Result<(), SendError> {
        if self.connection.state() == State::Open { Ok(()) } else { Err(SendError::Closing) }
    }
}
