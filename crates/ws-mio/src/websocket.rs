//! A connection and its transport, put together.

use std::io;

use mio::event::{self, Source};
use mio::{Interest, Registry, Token};
#[cfg(feature = "deflate")]
use ws_proto::deflate::{DeflateConfig, DeflateParams};
use ws_proto::{CloseCode, Config, Connection, Instant, Kind, Role, Rsv, State};

use crate::Outcome;
use crate::lent::{Lent, Received, Sending};
use crate::link::Link;
use crate::output::Output;

/// One WebSocket connection over a non-blocking transport: readiness in, events out, interest out.
///
/// It is driven in turns. A turn is the same whatever caused it, an event of the selector, a deadline or the
/// application:
///
/// 1. [`handle_event`](Self::handle_event) or [`handle_timeout`](Self::handle_timeout) say what happened;
/// 2. [`next`](Self::next), until it gives `None`, gives the events and moves the bytes, both ways; so does
///    [`next_chunk`](Self::next_chunk), for messages that are received in pieces;
/// 3. [`register`](Self::register) makes the registration right, and
///    [`Timeouts::set`](crate::Timeouts::set) takes the new [`poll_timeout`](Self::poll_timeout);
/// 4. when [`is_closed`](Self::is_closed), the connection is to be dropped.
///
/// A turn reads, writes and reports a bounded amount. If there is more to do, although the selector will not report it
/// again, then the connection is due at once: `poll_timeout` lies in the past, so that the next turn comes by itself.
///
/// # What waits, and where it ends
///
/// Answers given through [`Reply`](crate::Reply) are always taken: nothing is received while more than 64 KiB of
/// output wait. What is sent otherwise is refused with `SendError::Full` beyond
/// [`set_send_limit`](Self::set_send_limit). Output leaves at the end of the turn, many messages in one write.
///
/// # How it ends
///
/// A connection has one outcome: either `next` gave an error, once; or the closing handshake was completed, and
/// [`is_clean`](Self::is_clean). [`outcome`](Self::outcome) has it all, in the end. Either way it is served on until
/// `is_closed`: the Close frame is transmitted, the writing side of the transport ended, and what the peer still
/// sends is read and discarded until it ends its side too, or until the deadline. Only so is the Close frame certain
/// to arrive.
#[derive(Debug)]
pub struct WebSocket<IO> {
    pub(crate) link: Link<IO>,
    pub(crate) output: Output,
    pub(crate) rx: Lent<Received>,
    /// Reading is paused, receiving stopped, or all is over; so that the way to an event has one thing to look at.
    // INVARIANT: as `update_turn_only` sets it.
    pub(crate) turn_only: bool,
    pub(crate) reading_paused: bool,
    pub(crate) writing_paused: bool,
    pub(crate) receiving_stopped: bool,
    pub(crate) drain_asked: bool,
    /// The error was given.
    pub(crate) reported: bool,
    pub(crate) closed: bool,
}

impl<IO> WebSocket<IO> {
    /// A connection whose opening handshake was done elsewhere: by an HTTP library, or over HTTP/2.
    ///
    /// `leftover` is what was already read of the stream behind the handshake; none of it may be lost. The transport is
    /// non-blocking, and may be registered already.
    pub fn from_upgraded(io: IO, role: Role, config: Config, now: Instant, leftover: &[u8]) -> Self {
        let mut rx = Lent::none();
        if !leftover.is_empty() {
            Lent::<Received>::needed(&mut rx).extend_from_slice(leftover);
        }
        Self::new(Link::new(io), rx, Lent::none(), role, config, now)
    }

    /// Bytes may wait in the buffers for which no event is to come: the first turn is due.
    pub(crate) fn new(
        mut link: Link<IO>,
        rx: Lent<Received>,
        tx: Lent<Sending>,
        role: Role,
        config: Config,
        now: Instant,
    ) -> Self {
        link.set_more();
        Self {
            link,
            output: Output::new(Connection::new(role, config, now), tx),
            rx,
            turn_only: false,
            reading_paused: false,
            writing_paused: false,
            receiving_stopped: false,
            drain_asked: false,
            reported: false,
            closed: false,
        }
    }

    /// Switches permessage-deflate (RFC 7692) on, with what was agreed on in an opening handshake that was done
    /// elsewhere; before the first turn. Connections from [`accept`](crate::accept()) and
    /// [`connect`](crate::connect()) that agreed on it have it already.
    ///
    /// See [`Connection::enable_deflate`].
    #[cfg(feature = "deflate")]
    pub fn enable_deflate(&mut self, params: DeflateParams, config: &DeflateConfig) {
        self.output.connection.enable_deflate(params, config);
    }

    /// With what the opening handshake agreed on.
    #[cfg(feature = "deflate")]
    pub(crate) fn with_deflate(mut self, deflate: Option<(DeflateParams, DeflateConfig)>) -> Self {
        if let Some((params, config)) = deflate {
            self.enable_deflate(params, &config);
        }
        self
    }

    // What happened.

    /// Says that the selector reported `event` for this connection. To be followed by [`next`](Self::next).
    pub fn handle_event(&mut self, event: &event::Event) {
        self.link.handle_event(event);
    }

    /// The same for transports whose readiness comes another way. What is not ready costs one attempt if it is said
    /// to be.
    pub const fn handle_readiness(&mut self, readable: bool, writable: bool) {
        self.link.handle_readiness(readable, writable);
    }

    /// Says what time it is, so that deadlines that passed have their effect. To be followed by [`next`](Self::next).
    /// Too early or twice does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.output.connection.handle_timeout(now);
        self.link.set_more();
    }

    // What is to be done.

    /// When [`handle_timeout`](Self::handle_timeout) has to be called next; in the past if there is more to do than the
    /// last turn could. `None` if no deadline is running.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            None
        } else if self.link.has_more() {
            Some(Instant::ZERO)
        } else {
            self.output.connection.poll_timeout()
        }
    }

    /// What to be registered for, as of now; `None` if the selector has nothing to say that matters.
    ///
    /// [`register`](Self::register) does it.
    pub fn interest(&self) -> Option<Interest> {
        if self.closed {
            return None;
        }
        let receiving = !self.reading_paused && !self.output.has_enough();
        let transmitting = !self.writing_paused && self.output.wants_transmit();
        // While reading is paused, the selector still tells of a hang-up if asked for anything at all.
        self.link.interest(receiving, transmitting || self.reading_paused)
    }

    // Getters.

    /// Whether there is more to do for which no event will come, so that the connection is due for another turn.
    pub const fn has_more(&self) -> bool {
        self.link.has_more() && !self.closed
    }

    /// Whether all is over, and the connection is to be dropped.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// How the connection ended, in one value: who closed it, both codes and reasons, whether that was clean, and the
    /// error. `None` until it is over, as [`is_closed`](Self::is_closed) says.
    pub fn outcome(&self) -> Option<Outcome<'_>> {
        self.closed.then(|| self.output.outcome())
    }

    /// Whether the closing handshake was completed, and nothing failed before.
    pub const fn is_clean(&self) -> bool {
        self.output.connection.is_clean()
    }

    /// How far the closing handshake is.
    pub const fn state(&self) -> State {
        self.output.connection.state()
    }

    /// The code of the Close frame that we queued or sent; [`CloseCode::NO_STATUS`] if it was an empty one.
    pub const fn local_close(&self) -> Option<CloseCode> {
        self.output.connection.local_close()
    }

    /// The code of the Close frame that the peer sent; [`CloseCode::NO_STATUS`] if it was an empty one.
    pub const fn peer_close(&self) -> Option<CloseCode> {
        self.output.connection.peer_close()
    }

    /// Whether the peer's Close frame came before ours was queued.
    pub const fn is_closed_by_peer(&self) -> bool {
        self.output.connection.is_closed_by_peer()
    }

    /// The reserved bits of the message that was received last, or is being received.
    pub const fn received_rsv(&self) -> Rsv {
        self.output.connection.received_rsv()
    }

    /// The kind of the message that was received last, or is being received; by its opcode, also if it has reserved
    /// bits, with which every message is given as `Message::Binary`.
    pub const fn received_kind(&self) -> Kind {
        self.output.connection.received_kind()
    }

    /// What was agreed on about permessage-deflate; `None` if it is not in use.
    #[cfg(feature = "deflate")]
    pub fn deflate_params(&self) -> Option<DeflateParams> {
        self.output.connection.deflate_params()
    }

    /// How many bytes wait to be sent, frame headers included; but not what sources still have, nor the headers of
    /// messages behind a source.
    pub fn buffered_amount(&self) -> usize {
        self.output.buffered_amount()
    }

    /// How many messages wait to be sent, the one that is partly sent included. Each source is one.
    pub fn queued_messages(&self) -> usize {
        self.output.queued_messages()
    }

    /// Whether everything that was queued has been handed to the transport.
    pub fn is_drained(&self) -> bool {
        self.output.is_drained() && !self.link.is_unflushed()
    }

    /// The transport.
    pub const fn io(&self) -> &IO {
        self.link.io()
    }

    /// The transport. Reading from it or writing to it breaks the connection; it is meant for options.
    pub const fn io_mut(&mut self) -> &mut IO {
        self.link.io_mut()
    }

    /// Gives the transport back, wherever the connection is. What waits to be sent is lost.
    pub fn into_io(self) -> IO {
        self.link.into_io()
    }
}

impl<IO: Source> WebSocket<IO> {
    /// Makes the registration right: registers, changes or removes it, by one system call, or none if it is right
    /// already. To be called at the end of each turn, always with the same registry.
    ///
    /// # Errors
    ///
    /// What the selector reports.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = self.interest();
        self.link.update_registration(registry, token, interest)
    }
}

/// For those who keep registrations themselves, once for everything for example: under mio, readiness that nobody waits
/// for costs little. Otherwise see [`WebSocket::register`].
impl<IO: Source> Source for WebSocket<IO> {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        Source::register(&mut self.link, registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        Source::reregister(&mut self.link, registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        Source::deregister(&mut self.link, registry)
    }
}
