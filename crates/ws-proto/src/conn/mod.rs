//! The connection: one state machine for both roles.

mod chunk;
mod close;
mod control;
#[cfg(feature = "deflate")]
mod deflate;
mod incoming;
#[cfg(feature = "alloc")]
mod prepared;
mod recv;
mod recv_control;
mod recv_payload;
mod send;
#[cfg(feature = "alloc")]
mod send_owned;
mod short;
mod stream;
mod timer;
mod transmit;
#[cfg(not(feature = "deflate"))]
mod uncompressed;
mod whole;
mod whole_fragment;

#[cfg(feature = "alloc")]
pub use prepared::PreparedMessage;
pub use stream::{Pull, Pulled, Source};
pub use transmit::{Transmit, TransportAction};

use self::control::{CloseSlot, Outbox};
use self::incoming::Incoming;
use self::short::ShortWays;
use self::stream::Outgoing;
use self::timer::{Timer, TimerTable};
#[cfg(not(feature = "deflate"))]
use self::uncompressed::Flush;
use crate::close_code::CloseCode;
use crate::config::Config;
#[cfg(feature = "deflate")]
use crate::deflate::deflater::Flush;
use crate::error::{Error, TimeoutReason};
use crate::rsv::Rsv;
use crate::time::Instant;
use crate::wire::mask_key::MaskKeys;

/// Which end of the connection this is. There is no default: the two differ in what they send and accept.
#[derive(Debug)]
pub enum Role {
    /// Masks what it sends, each frame with a fresh key, and refuses masked frames (RFC 6455 section 5.1).
    Client(MaskKeys),
    /// Sends unmasked frames, and refuses those of the client that are not masked.
    Server,
}

impl Role {
    pub(crate) fn next_key(&mut self) -> Option<[u8; 4]> {
        match self {
            Self::Client(keys) => Some(keys.next_key()),
            Self::Server => None,
        }
    }

    pub(crate) const fn is_client(&self) -> bool {
        matches!(self, Self::Client(_))
    }
}

/// How far a connection is, in the sense of the closing handshake.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// Messages go both ways.
    Open,
    /// A Close frame was queued or received, and the other one is outstanding.
    Closing,
    /// Both Close frames went their way, or the connection failed. The transport may still have to be wound up; see
    /// [`Connection::transport_action`].
    Closed,
}

/// One WebSocket connection after its opening handshake, without I/O (RFC 6455 sections 5 to 7).
///
/// It holds state and no messages: received bytes are in the caller's [`RecvBuf`](crate::RecvBuf), output waits in the
/// caller's [`SendBuf`](crate::SendBuf) or `SendQueue`. Always pass the same two: exchanged in the middle of a message
/// they give wrong messages, though never text that is none.
///
/// There are four kinds of methods, and no rules about their order:
///
/// * **inputs** tell what happened outside: [`receive`](Self::receive) and [`receive_eof`](Self::receive_eof) for the
///   transport, [`handle_timeout`](Self::handle_timeout) for the clock;
/// * **commands** are what the application wants: [`send`](Self::send), [`send_fragment`](Self::send_fragment),
///   `send_owned`, [`ping`](Self::ping), [`pong`](Self::pong), [`close`](Self::close), [`close_now`](Self::close_now);
/// * **polls** ask what is to be done: [`poll_transmit`](Self::poll_transmit), [`poll_timeout`](Self::poll_timeout),
///   [`transport_action`](Self::transport_action). They can be asked at any time and again;
/// * **getters** do not change anything.
///
/// # States
///
/// ```text
///                  close(), close_now()
///        ┌──────┐ ────────────────────────► ┌─────────┐  the other Close   ┌────────┐
///   new  │ Open │   Close received          │ Closing │ ─────────────────► │ Closed │
///  ────► │      │ ────────────────────────► │         │  received, sent    │        │
///        └──────┘                           └─────────┘                    └────────┘
///            │    the peer's fault, a deadline, end of file   │                 ▲
///            └────────────────────────────────────────────────┴─────────────────┘
/// ```
///
/// A connection fails once. From then on [`receive`](Self::receive) gives the same [`Error`] every time, and
/// [`poll_transmit`](Self::poll_transmit) what was queued before and the Close frame with the code that belongs to it.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    config: Config,
    timers: TimerTable,
    incoming: Incoming,
    outgoing: Outgoing,
    outbox: Outbox,
    close: CloseSlot,
    error: Option<Error>,
    local_close: Option<CloseCode>,
    peer_close: Option<CloseCode>,
    closed_by_peer: bool,
    short_ways: ShortWays,
    /// Queued data goes nowhere any more.
    discard_output: bool,
    /// The transport ended on the peer's side.
    eof: bool,
    /// The transport is to be closed, whatever is left to transmit.
    aborted: bool,
    keepalive: Keepalive,
    /// What permessage-deflate needs, if it was agreed on.
    #[cfg(feature = "deflate")]
    deflate: Option<alloc::boxed::Box<deflate::PerMessageDeflate>>,
}

/// The pings that prove a round trip. Their payload is `ping` and a number, so that the pong to each is told
/// apart from others: the newest that went out is the one that counts.
#[derive(Clone, Copy, Debug, Default)]
struct Keepalive {
    /// A ping waits for room in the outbox.
    due: bool,
    /// A ping waits in the outbox, and this many bytes up to its end.
    ahead: u16,
    sent: u32,
}

impl Keepalive {
    const MARK: [u8; 4] = *b"ping";

    fn payload(self) -> [u8; 8] {
        let mut payload = [0; 8];
        payload[..4].copy_from_slice(&Self::MARK);
        payload[4..].copy_from_slice(&self.sent.to_be_bytes());
        payload
    }

    /// Whether the ping has not gone out yet.
    const fn waits(self) -> bool {
        self.due || self.ahead > 0
    }

    /// Asked only while an answer is waited for.
    fn is_answered_by(self, pong: &[u8]) -> bool {
        !self.due && *pong == self.payload()
    }
}

impl Connection {
    /// A connection whose opening handshake is complete, wherever it was done: by this crate's `handshake` feature, by
    /// an HTTP library, or over HTTP/2. Bytes that arrived behind the handshake belong into the receive buffer first.
    pub fn new(role: Role, config: Config, now: Instant) -> Self {
        let mut connection = Self {
            role,
            config,
            timers: TimerTable::new(),
            incoming: Incoming::new(),
            outgoing: Outgoing::new(),
            outbox: Outbox::new(),
            close: CloseSlot::new(),
            error: None,
            local_close: None,
            peer_close: None,
            closed_by_peer: false,
            short_ways: ShortWays::NONE,
            discard_output: false,
            eof: false,
            aborted: false,
            keepalive: Keepalive::default(),
            #[cfg(feature = "deflate")]
            deflate: None,
        };
        connection.update_short_ways();
        connection.start_timer(Timer::Idle, now);
        connection.start_timer(Timer::Ping, now);
        connection
    }

    /// Tells the connection what time it is, so that deadlines that passed have their effect: a ping goes out, or the
    /// connection fails with `Error::Timeout`, which the next [`receive`](Self::receive) reports.
    ///
    /// To be called when the time of [`poll_timeout`](Self::poll_timeout) has come, followed by
    /// [`poll_transmit`](Self::poll_transmit) and [`transport_action`](Self::transport_action). Calling it early, late
    /// or twice does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        for timer in Timer::ALL {
            if self.timers.is_due(timer, now) {
                self.timers.stop(timer);
                self.handle_due(timer, now);
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called next, unless something happens before; `None` if
    /// no deadline is running. May lie in the past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_over() { None } else { self.timers.next() }
    }

    /// How far the closing handshake is.
    pub const fn state(&self) -> State {
        let one = self.close.is_queued() || self.peer_close.is_some();
        let both = self.close.is_sent() && self.peer_close.is_some();
        if both || self.error.is_some() || self.is_over() {
            State::Closed
        } else if one {
            State::Closing
        } else {
            State::Open
        }
    }

    /// Why the connection failed, if it did.
    pub const fn error(&self) -> Option<Error> {
        self.error
    }

    /// The code of the Close frame that we queued or sent; [`CloseCode::NO_STATUS`] if it was an empty one.
    pub const fn local_close(&self) -> Option<CloseCode> {
        self.local_close
    }

    /// The code of the Close frame that the peer sent; [`CloseCode::NO_STATUS`] if it was an empty one.
    ///
    /// This is "the WebSocket connection close code" of RFC 6455 section 7.1.5 if the handshake is complete; with
    /// simultaneous closes, each side has the code of the other. Without any, that code is
    /// [`CloseCode::ABNORMAL`].
    pub const fn peer_close(&self) -> Option<CloseCode> {
        self.peer_close
    }

    /// Whether the peer's Close frame came before ours was queued.
    pub const fn is_closed_by_peer(&self) -> bool {
        self.closed_by_peer
    }

    /// Whether the closing handshake is complete: both Close frames went their way, and nothing failed before.
    pub const fn is_clean(&self) -> bool {
        self.close.is_sent() && self.peer_close.is_some() && self.error.is_none()
    }

    /// The reserved bits that messages may carry, as `Config::allowed_rsv` says.
    pub const fn allowed_rsv(&self) -> Rsv {
        self.config.allowed_rsv
    }

    /// Which end of the connection this is.
    pub const fn role(&self) -> &Role {
        &self.role
    }

    /// Whether there is nothing left to do but to close the transport.
    ///
    /// A peer that ended its side may still listen, so a Close frame that waits is given its time.
    const fn is_over(&self) -> bool {
        self.aborted || (self.eof && self.close.is_sent())
    }

    fn handle_due(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Close if self.error.is_some() || self.is_clean() => self.abort(),
            Timer::Close => self.fail(now, Error::Timeout(TimeoutReason::Close)),
            Timer::Idle => self.fail(now, Error::Timeout(TimeoutReason::Idle)),
            Timer::Ping => {
                self.keepalive.due = true;
                self.keepalive.sent = self.keepalive.sent.wrapping_add(1).max(1);
                self.start_timer(Timer::Pong, now);
                if !self.timers.is_running(Timer::Pong) {
                    self.start_timer(Timer::Ping, now);
                }
            }
            Timer::Pong => self.fail(now, Error::Timeout(TimeoutReason::Pong)),
            Timer::WriteStall if self.error.is_some() => self.abort(),
            Timer::WriteStall => self.fail(now, Error::Timeout(TimeoutReason::WriteStall)),
        }
    }

    /// Sets the deadline of a timer, if the configuration has one.
    #[inline]
    fn start_timer(&mut self, timer: Timer, now: Instant) {
        let timeout = match timer {
            Timer::Close => self.config.close_timeout,
            Timer::Idle => self.config.idle_timeout,
            Timer::Ping => self.config.ping_interval,
            Timer::Pong => self.config.pong_timeout,
            Timer::WriteStall => self.config.write_stall_timeout,
        };
        if let Some(deadline) = timeout.after(now) {
            self.timers.set(timer, deadline);
        }
    }

    /// The connection is on its way to its end: only the deadline of that counts from now on. It is absolute; what
    /// happens meanwhile does not extend it.
    fn start_closing_timer(&mut self, now: Instant) {
        self.timers.stop(Timer::Idle);
        self.keepalive.due = false;
        if !self.timers.is_running(Timer::Close) {
            // In place of Ping and Pong.
            self.start_timer(Timer::Close, now);
        }
    }
}
