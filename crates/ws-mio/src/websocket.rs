//! A connection and its transport, put together.

use std::io;

use bytes::Bytes;
use mio::event::{self, Source};
use mio::{Interest, Registry, Token};
use ws_proto::{
    CloseCode, Config, Connection, Event, Instant, Kind, Message, Outbound as _, Ready, RecvBuf, Role,
    SendError, SendQueue, State, TransportAction,
};

use crate::error::Error;
use crate::link::{Link, Moved};
use crate::reply::Reply;
use crate::spare;
use crate::transport::Transport;

/// Output beyond this is written before more is received; and while the transport does not take it, nothing is
/// received. So what waits is bounded however fast the peer sends: by this and the answer to one message.
const ENOUGH_OUTPUT: usize = 64 << 10;
/// How much the application may queue beyond that, unless it says otherwise.
const SEND_LIMIT: usize = 1 << 20;
/// How many events one turn gives at most.
const EVENT_BUDGET: u16 = 1024;

/// One WebSocket connection over a non-blocking transport: readiness in, events out, interest out.
///
/// It is driven in turns. A turn is the same whatever caused it, an event of the selector, a deadline or the
/// application:
///
/// 1. [`handle_event`](Self::handle_event) or [`handle_timeout`](Self::handle_timeout) say what happened;
/// 2. [`next`](Self::next), until it gives `None`, gives the events and moves the bytes, both ways;
/// 3. [`register`](Self::register) makes the registration right, and
///    [`Timeouts::set`](crate::Timeouts::set) takes the new [`poll_timeout`](Self::poll_timeout);
/// 4. when [`is_closed`](Self::is_closed), the connection is to be dropped.
///
/// A turn reads, writes and reports a bounded amount. If there is more to do, although the selector will not report it
/// again, then the connection is due at once: `poll_timeout` lies in the past, so that the next turn comes by itself.
///
/// # What waits, and where it ends
///
/// Answers given through [`Reply`] are always taken: nothing is received while more than 64 KiB of output wait. What is
/// sent otherwise is refused with `SendError::Full` beyond [`set_send_limit`](Self::set_send_limit).
/// Output leaves at the end of the turn, many messages in one write.
///
/// # How it ends
///
/// A connection has one outcome: either `next` gave an error, once; or the closing handshake was completed, and
/// [`is_clean`](Self::is_clean). Either way it is served on until `is_closed`: the Close frame is transmitted, the writing
/// side of the transport ended, and what the peer still sends is read and discarded until it ends its side too, or until
/// the deadline. Only so is the Close frame certain to arrive.
#[derive(Debug)]
pub struct WebSocket<IO> {
    link: Link<IO>,
    connection: Connection,
    rx: RecvBuf<Vec<u8>>,
    tx: SendQueue<Bytes>,
    /// The transport failed; reported as soon as what it had delivered before is.
    failure: Option<io::Error>,
    send_limit: usize,
    event_budget: u16,
    reading_paused: bool,
    writing_paused: bool,
    /// The error was given.
    reported: bool,
    closed: bool,
}

impl<IO> WebSocket<IO> {
    /// A connection whose opening handshake was done elsewhere: by an HTTP library, or over HTTP/2.
    ///
    /// `leftover` is what was already read of the stream behind the handshake; none of it may be lost. The transport is
    /// non-blocking, and may be registered already.
    pub fn from_upgraded(io: IO, role: Role, config: Config, now: Instant, leftover: &[u8]) -> Self {
        let mut rx = RecvBuf::default();
        rx.extend_from_slice(leftover);
        Self::new(Link::new(io), rx, SendQueue::new().limit(usize::MAX), role, config, now)
    }

    /// Bytes may wait in the buffers for which no event is to come: the first turn is due.
    pub(crate) fn new(
        mut link: Link<IO>,
        rx: RecvBuf<Vec<u8>>,
        tx: SendQueue<Bytes>,
        role: Role,
        config: Config,
        now: Instant,
    ) -> Self {
        link.set_more();
        Self {
            link,
            connection: Connection::new(role, config, now),
            rx,
            tx,
            failure: None,
            send_limit: SEND_LIMIT,
            event_budget: EVENT_BUDGET,
            reading_paused: false,
            writing_paused: false,
            reported: false,
            closed: false,
        }
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
        self.connection.handle_timeout(now);
        self.link.set_more();
    }

    // What the application wants.

    /// Queues a message, to leave with the next turn. The payload is copied.
    ///
    /// To answer a message while it lies in the receive buffer, use [`Reply::send`].
    ///
    /// # Errors
    ///
    /// `Full` beyond the send limit, unless nothing waits; `Closing` after a close; `MessageInProgress` inside a fragmented
    /// message. Nothing is queued then.
    pub fn send(&mut self, message: Message<'_>) -> Result<(), SendError> {
        self.check_limit(message.as_bytes().len())?;
        self.connection.send(&mut self.tx, message)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a message whose payload is owned, to leave with the next turn. A server does not copy a large one; clones of
    /// one `Bytes`, sent over many connections, are held once.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; the payload comes back.
    pub fn send_owned(&mut self, kind: Kind, payload: Bytes) -> Result<(), (SendError, Bytes)> {
        if let Err(error) = self.check_limit(payload.len()) {
            return Err((error, payload));
        }
        self.connection.send_owned(&mut self.tx, kind, payload)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a part of a message, `fin` with the last. The parts of a text need not end at a character.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; `MessageInProgress` if an unfinished message is of the other kind.
    pub fn send_fragment(&mut self, kind: Kind, bytes: &[u8], fin: bool) -> Result<(), SendError> {
        self.check_limit(bytes.len())?;
        self.connection.send_fragment(&mut self.tx, kind, bytes, fin)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a ping. The answer is `Event::Pong` with the same payload. Keepalive pings need none of this: see
    /// `Config::ping_interval`.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Full` if pings before it wait for the transport; `Closing` after a close.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.connection.ping(payload)?;
        self.link.set_more();
        Ok(())
    }

    /// Queues a pong: one that no ping asked for, or the answer to one if `Config::automatic_pong` is off.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Closing` after a close.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.connection.pong(payload)?;
        self.link.set_more();
        Ok(())
    }

    /// Begins the closing handshake: the Close frame goes out behind what is queued. The peer has `Config::close_timeout`.
    ///
    /// # Errors
    ///
    /// `InvalidCloseCode` for codes that must not be sent, `ReasonTooLong` beyond 123 bytes, and `Closing` if the connection
    /// is closing or failed.
    pub fn close(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.connection.close(now, code, reason)?;
        self.link.set_more();
        Ok(())
    }

    /// Begins the closing handshake at once: what is queued is dropped.
    ///
    /// # Errors
    ///
    /// As for [`close`](Self::close); but what is queued is dropped all the same.
    pub fn close_now(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.link.set_more();
        self.connection.close_now(now, code, reason)
    }

    /// Stops receiving: no events, and nothing is read, so that the peer has to wait. What was read already is kept.
    /// Deadlines run on, and keepalive with them: a peer whose pongs are not read seems dead.
    pub const fn pause_reading(&mut self) {
        self.reading_paused = true;
    }

    /// Goes on receiving.
    pub const fn resume_reading(&mut self) {
        self.reading_paused = false;
        self.link.set_more();
    }

    /// Stops writing: what is queued is kept, and so are the limits on it.
    pub const fn pause_writing(&mut self) {
        self.writing_paused = true;
    }

    /// Goes on writing.
    pub const fn resume_writing(&mut self) {
        self.writing_paused = false;
        self.link.set_more();
    }

    /// Sets how many bytes may wait before [`send`](Self::send) and its kin refuse with `SendError::Full`. One message is
    /// taken however large if nothing waits.
    ///
    /// Default: 1 MiB. It is what one peer that reads slowly may cost.
    pub const fn set_send_limit(&mut self, bytes: usize) {
        self.send_limit = bytes;
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
            self.connection.poll_timeout()
        }
    }

    /// What to be registered for, as of now; `None` if the selector has nothing to say that matters.
    ///
    /// [`register`](Self::register) does it.
    pub fn interest(&self) -> Option<Interest> {
        if self.closed {
            return None;
        }
        let receiving = !self.reading_paused && !self.has_enough_output();
        let transmitting = !self.writing_paused && self.connection.wants_transmit(&self.tx);
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

    /// Whether the closing handshake was completed, and nothing failed before.
    pub const fn is_clean(&self) -> bool {
        self.connection.is_clean()
    }

    /// How far the closing handshake is.
    pub const fn state(&self) -> State {
        self.connection.state()
    }

    /// The code of the Close frame that we queued or sent; [`CloseCode::NO_STATUS`] if it was an empty one.
    pub const fn local_close(&self) -> Option<CloseCode> {
        self.connection.local_close()
    }

    /// The code of the Close frame that the peer sent; [`CloseCode::NO_STATUS`] if it was an empty one.
    pub const fn peer_close(&self) -> Option<CloseCode> {
        self.connection.peer_close()
    }

    /// Whether the peer's Close frame came before ours was queued.
    pub const fn is_closed_by_peer(&self) -> bool {
        self.connection.is_closed_by_peer()
    }

    /// How many bytes wait to be sent, frame headers included.
    pub fn buffered_amount(&self) -> usize {
        self.tx.buffered_amount()
    }

    /// How many messages wait to be sent, the one that is partly sent included.
    pub fn queued_messages(&self) -> usize {
        self.tx.queued_messages()
    }

    /// Whether everything that was queued has been handed to the transport.
    pub fn is_drained(&self) -> bool {
        !self.connection.wants_transmit(&self.tx) && !self.link.is_unflushed()
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

    fn check_limit(&self, payload: usize) -> Result<(), SendError> {
        let waiting = self.tx.buffered_amount();
        if waiting > 0 && waiting.saturating_add(payload) > self.send_limit {
            return Err(SendError::Full);
        }
        Ok(())
    }

    fn has_enough_output(&self) -> bool {
        self.tx.buffered_amount() > ENOUGH_OUTPUT
    }
}

impl<IO: Transport> WebSocket<IO> {
    /// The next event and the means to answer it, or `None` if the turn is over.
    ///
    /// The event lies in the receive buffer and borrows it; the answer goes into the send queue. With `None`
    /// everything queued has been written, as far as the transport takes it and a turn allows.
    ///
    /// # Errors
    ///
    /// Why the connection failed, once; after that it gives `None`, and is to be served until it
    /// [`is_closed`](Self::is_closed). There is none after a complete closing handshake.
    #[allow(clippy::should_implement_trait)] // An iterator could not lend.
    pub fn next(&mut self, now: Instant) -> Result<Option<(Event<'_>, Reply<'_>)>, Error> {
        match self.poll_next(now)? {
            Some(ready) => {
                let Self { connection, rx, tx, send_limit, .. } = self;
                Ok(Some((ready.event(rx), Reply::new(connection, tx, *send_limit, now))))
            }
            None => Ok(None),
        }
    }

    fn poll_next(&mut self, now: Instant) -> Result<Option<Ready>, Error> {
        if self.closed {
            return Ok(None);
        }
        let mut more = false;
        loop {
            if self.should_transmit() {
                more |= self.transmit(now);
            }
            if self.reading_paused || self.has_enough_output() {
                break;
            }
            if self.event_budget == 0 {
                more = true;
                break;
            }
            // An error is given below, when the Close frame is on its way. What still arrives is drained.
            if let Ok(Some(ready)) = self.connection.poll_receive(now, &mut self.rx) {
                self.event_budget -= 1;
                return Ok(Some(ready));
            }
            spare::lend(&mut self.rx);
            match self.link.read(&mut self.rx) {
                Ok(Moved::Bytes(_)) => {}
                Ok(Moved::Blocked) => break,
                Ok(Moved::Later) => {
                    more = true;
                    break;
                }
                Ok(Moved::Eof) => {
                    self.handle_eof();
                    break;
                }
                Err(error) => {
                    self.handle_failure(error);
                    self.handle_eof();
                    break;
                }
            }
        }
        if self.reading_paused && self.link.is_hung_up() {
            self.handle_eof();
        }
        more |= self.transmit(now);
        self.wind_up(more);
        self.end_turn(more);
        self.take_error().map_or(Ok(None), Err)
    }

    /// Whether not to wait for the end of the turn with writing.
    fn should_transmit(&self) -> bool {
        self.has_enough_output() || self.connection.should_transmit()
    }

    /// Writes what waits, as far as the transport takes it. Says whether there is more to write, but not in this turn.
    fn transmit(&mut self, now: Instant) -> bool {
        if self.writing_paused {
            return false;
        }
        while let Some(mut transmit) = self.connection.poll_transmit(now, &mut self.tx) {
            match self.link.write(&transmit.slices()) {
                Ok(Moved::Bytes(n)) => transmit.advance(n),
                Ok(Moved::Later) => return true,
                Ok(Moved::Blocked | Moved::Eof) => break,
                Err(error) => {
                    self.handle_failure(error);
                    break;
                }
            }
        }
        match self.link.flush() {
            Ok(moved) => moved == Moved::Later,
            Err(error) => {
                self.handle_failure(error);
                false
            }
        }
    }

    /// Does with the transport what the connection says.
    fn wind_up(&mut self, more: bool) {
        // What was received before the transport failed comes first.
        if self.failure.is_some() && !more {
            self.closed = true;
        }
        match self.connection.transport_action(&self.tx) {
            TransportAction::Keep => {}
            TransportAction::ShutdownWrite => {
                if !self.link.is_unflushed()
                    && let Err(error) = self.link.shutdown_write()
                {
                    self.handle_failure(error);
                    self.closed = true;
                }
            }
            TransportAction::Close => {
                // Closing is dropping, which is the application's; the peer need not wait for that.
                let _ = self.link.shutdown_write();
                self.closed = true;
            }
        }
    }

    fn end_turn(&mut self, more: bool) {
        self.event_budget = EVENT_BUDGET;
        self.link.end_turn(more);
        if !more {
            // Idle connections hold no memory.
            spare::give_back(&mut self.rx);
            self.tx.shrink();
        }
    }

    /// The outcome, if it is an error and was not given yet. The first cause counts.
    fn take_error(&mut self) -> Option<Error> {
        if self.reported || self.connection.is_clean() {
            return None;
        }
        let error = match (self.connection.error(), self.closed) {
            (Some(ws_proto::Error::UnexpectedEof), _) | (None, true) if self.failure.is_some() => {
                self.failure.take().map(Error::Io)
            }
            (error, _) => error.map(Error::Protocol),
        };
        self.reported = error.is_some();
        error
    }

    fn handle_failure(&mut self, error: io::Error) {
        if self.failure.is_none() {
            self.failure = Some(error);
        }
    }

    fn handle_eof(&mut self) {
        // Its error is the connection's from now on, and given by `take_error`.
        let _ = self.connection.receive_eof();
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
