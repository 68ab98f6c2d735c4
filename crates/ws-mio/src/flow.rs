//! Flow control: each direction paused, resumed or stopped; what waits to be sent, watched.

use crate::websocket::WebSocket;

/// What became of the output, from [`WebSocket::poll_flow`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Flow {
    /// All that was ever queued is with the transport. Asked for with [`WebSocket::notify_drained`].
    Drained,
    /// As much waits as the high mark says, or more: stop producing. From [`WebSocket::set_water_marks`].
    High,
    /// In place of `Drained`: the connection ended, or was closed in a way that drops output, before all was with the
    /// transport. [`WebSocket::next`] gives the reason, and [`WebSocket::outcome`] keeps it.
    Lost,
    /// After `High`: no more waits than the low mark says. Go on producing.
    Low,
}

impl<IO> WebSocket<IO> {
    /// Stops receiving: no events, and nothing is read, so that the peer has to wait. What was read already is kept.
    ///
    /// Sending goes on, and so do all deadlines: while pongs are not read a peer seems dead to keepalive, and while
    /// its Close frame is not, it misses `Config::close_timeout`. That the connection broke is noticed where the
    /// selector tells without being asked to read: with epoll and kqueue if the peer reset it, but not if it ended
    /// its side in good order; what it had sent before and was not read is lost then, as it is with the connection.
    pub const fn pause_reading(&mut self) {
        self.reading_paused = true;
        self.update_turn_only();
    }

    /// Goes on receiving, with what was read before.
    pub const fn resume_reading(&mut self) {
        self.reading_paused = false;
        self.update_turn_only();
        self.link.set_more();
    }

    /// Stops writing: nothing goes out, neither pongs nor a Close frame. What is queued is kept, and so are the
    /// limits on it; receiving goes on as far as they allow, and all deadlines do. The pause is no write stall; but
    /// one that had begun before goes on.
    ///
    /// This is also the cork, for who sends in several turns what is to go out together.
    pub const fn pause_writing(&mut self) {
        self.writing_paused = true;
    }

    /// Goes on writing.
    pub const fn resume_writing(&mut self) {
        self.writing_paused = false;
        self.link.set_more();
    }

    /// No more data is wanted, for good: messages, pings and pongs that arrive are not reported any more, whatever
    /// their size. What is left is `Event::Close`, as the last event, or an error.
    ///
    /// TCP is not half-closed, and the peer is not made to wait: what it sends is read and discarded, pings are
    /// answered, and keepalive and the closing handshake work as ever. Sending is not concerned.
    pub const fn stop_receiving(&mut self) {
        self.receiving_stopped = true;
        self.update_turn_only();
        self.link.set_more();
    }

    /// Nothing more is going to be sent, for good: messages, sources and pings are refused with `SendError::Closing`.
    /// What is queued goes out, and a message that was begun can be finished.
    ///
    /// TCP is not half-closed before the closing handshake is complete, for pings have to be answered: pongs,
    /// keepalive and Close frames go out as ever. Receiving is not concerned.
    pub const fn stop_sending(&mut self) {
        self.output.stop_sending();
    }

    /// Watches how much waits to be sent: [`poll_flow`](Self::poll_flow) gives [`Flow::High`] each time that
    /// [`buffered_amount`](Self::buffered_amount) comes to `high` bytes or more, and [`Flow::Low`] when it is back at
    /// `low` or less. `low` is less than `high`, or counts as if it were.
    ///
    /// Nothing is refused or held back because of this; that is what [`set_send_limit`](Self::set_send_limit) is for.
    pub fn set_water_marks(&mut self, low: usize, high: usize) {
        self.output.set_water_marks(low, high);
    }

    /// Asks for [`Flow::Drained`], or [`Flow::Lost`] if the connection ends first: once, as the answer to however
    /// many calls came before. If nothing waits it comes at once.
    pub const fn notify_drained(&mut self) {
        self.drain_asked = true;
    }

    /// What became of the output since this was last asked, in order. To be asked after each turn, until it gives
    /// `None`.
    ///
    /// Crossings of the water marks are told alternately, `High` first; pairs of them are told once if nobody asks in
    /// between.
    ///
    /// ```
    /// # use ws_mio::{Flow, WebSocket};
    /// # fn after_turn<IO>(ws: &mut WebSocket<IO>, producing: &mut bool) {
    /// while let Some(flow) = ws.poll_flow() {
    ///     match flow {
    ///         Flow::High => *producing = false,
    ///         Flow::Low => *producing = true,
    ///         Flow::Drained => println!("all is sent"),
    ///         Flow::Lost => println!("not all could be sent"),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn poll_flow(&mut self) -> Option<Flow> {
        if let Some(crossing) = self.output.poll_water_marks() {
            return Some(crossing);
        }
        if !self.drain_asked {
            return None;
        }
        let flow = if self.output.has_lost_data() || self.closed && !self.is_drained() {
            Flow::Lost
        } else if self.is_drained() {
            Flow::Drained
        } else {
            return None;
        };
        self.drain_asked = false;
        Some(flow)
    }

    /// To be called when what it looks at has changed.
    pub(crate) const fn update_turn_only(&mut self) {
        self.turn_only = self.reading_paused || self.receiving_stopped || self.closed;
    }
}

/// The water marks, and how often the amount crossed them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaterMarks {
    low: usize,
    high: usize,
    above: bool,
    /// Crossings that nobody was told of; the last one led to `above`.
    untold: u8,
}

impl WaterMarks {
    pub(crate) fn new(low: usize, high: usize) -> Self {
        let high = high.max(1);
        Self { low: low.min(high - 1), high, above: false, untold: 0 }
    }

    /// So much waits.
    pub(crate) const fn observe(&mut self, amount: usize) {
        if if self.above { amount <= self.low } else { amount >= self.high } {
            self.above = !self.above;
            self.untold += 1;
        }
        if self.untold > 2 {
            self.untold -= 2;
        }
    }

    pub(crate) const fn poll(&mut self) -> Option<Flow> {
        let Some(left) = self.untold.checked_sub(1) else { return None };
        self.untold = left;
        // With an even number of crossings after this one, it led to where the amount is now.
        Some(if (left % 2 == 0) == self.above { Flow::High } else { Flow::Low })
    }
}
