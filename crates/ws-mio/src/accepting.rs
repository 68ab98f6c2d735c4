//! The server's side of the opening handshake.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use mio::event::{self, Source};
use mio::{Interest, Registry, Token};
#[cfg(feature = "deflate")]
use ws_proto::deflate::{DeflateConfig, DeflateParams};
use ws_proto::handshake::{
    AcceptOptions, Agreement, HandshakeError, HandshakeLimits, Request, Response, ServerHandshake,
};
use ws_proto::{Config, Instant, Role, SendQueue};

use crate::error::Error;
use crate::link::Moved;
use crate::parts::Parts;
use crate::transport::Transport;
use crate::websocket::WebSocket;

/// How long a client that was refused has to take the response and to leave. Absolute.
const LINGER: Duration = Duration::from_secs(5);

/// Begins to wait for a client's request on `io`, a non-blocking transport that was just accepted.
///
/// The deadline of `limits` counts from `now`.
pub fn accept<IO>(io: IO, limits: HandshakeLimits, now: Instant) -> Accepting<IO> {
    Accepting {
        parts: Some(Parts::new(io)),
        handshake: ServerHandshake::new(limits, now),
        phase: Phase::Reading,
        deadline: None,
        #[cfg(feature = "deflate")]
        deflate: None,
    }
}

/// A connection in the opening handshake, on the server's side.
///
/// Driven in turns like [`WebSocket`]. When the request is there, [`next`](Self::next) gives it together with the
/// means to answer it. Once accepted, [`finish`](Self::finish) gives the connection. Everything else, a page for a
/// browser as well as an error, is a response after which this is to be served on until it
/// [`is_closed`](Self::is_closed): the response is written, the writing side ended, and what the client still sends
/// is read and discarded for up to 5 seconds, so that the response is not destroyed on its way.
///
/// ```text
///                          accept     ┌──────────┐ finish ┌───────────┐
///   ┌─────────┐  ┌───────┐ ─────────► │ accepted │ ─────► │ WebSocket │
///   │ reading │─►│ asked │            └──────────┘        └───────────┘
///   └─────────┘  └───────┘  respond   ┌────────────┐      ┌───────────┐
///        │           └──────────────► │ responding │ ───► │ is_closed │
///        └──────────────────────────► │            │      └───────────┘
///          error                      └────────────┘
/// ```
#[derive(Debug)]
pub struct Accepting<IO> {
    /// Gone with `finish`.
    parts: Option<Parts<IO>>,
    handshake: ServerHandshake,
    phase: Phase,
    /// When the transport is closed, while responding.
    deadline: Option<Instant>,
    /// What was agreed on, and how the application wants it.
    #[cfg(feature = "deflate")]
    deflate: Option<(DeflateParams, DeflateConfig)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// A request is on its way.
    Reading,
    /// The request was given and is not answered.
    Asked,
    /// The 101 is queued.
    Accepted,
    /// Another response is queued or written.
    Responding,
    /// Nothing is left to do.
    Closed,
}

impl<IO> Accepting<IO> {
    /// Says that the selector reported `event` for this connection. To be followed by [`next`](Self::next).
    pub fn handle_event(&mut self, event: &event::Event) {
        if let Some(parts) = &mut self.parts {
            parts.link.handle_event(event);
        }
    }

    /// The same for transports whose readiness comes another way.
    pub const fn handle_readiness(&mut self, readable: bool, writable: bool) {
        if let Some(parts) = &mut self.parts {
            parts.link.handle_readiness(readable, writable);
        }
    }

    /// Says what time it is. To be followed by [`next`](Self::next). Too early or twice does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.handshake.handle_timeout(now);
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.phase = Phase::Closed;
        }
        if let Some(parts) = &mut self.parts {
            parts.link.set_more();
        }
    }

    /// The request and the means to answer it, if it was given by [`next`](Self::next) and not yet answered: for
    /// answers that take a while.
    pub fn request(&mut self, now: Instant) -> Option<(Request<'_>, Answer<'_>)> {
        let Self { parts, handshake, phase, deadline, .. } = self;
        let Parts { link, rx, tx } = parts.as_mut()?;
        if *phase != Phase::Asked {
            return None;
        }
        let request = handshake.request(rx.get()?)?;
        link.set_more();
        let answer = Answer {
            request,
            tx: tx.needed(),
            phase,
            deadline,
            #[cfg(feature = "deflate")]
            deflate: &mut self.deflate,
            now,
        };
        Some((request, answer))
    }

    /// The connection, if its request was accepted; after that nothing is left here. The response that says so is
    /// queued in it and goes out first.
    pub fn finish(&mut self, config: Config, now: Instant) -> Option<WebSocket<IO>> {
        if self.phase != Phase::Accepted {
            return None;
        }
        self.phase = Phase::Closed;
        let Parts { link, rx, tx } = self.parts.take()?;
        let websocket = WebSocket::new(link, rx, tx, Role::Server, config, now);
        #[cfg(feature = "deflate")]
        let websocket = websocket.with_deflate(self.deflate);
        Some(websocket)
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called next; in the past if there is more to do than the
    /// last turn could. `None` if no deadline is running, as while a request waits for its answer.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_closed() {
            None
        } else if self.has_more() {
            Some(Instant::ZERO)
        } else {
            self.deadline.or_else(|| self.handshake.poll_timeout())
        }
    }

    /// What to be registered for, as of now. [`register`](Self::register) does it.
    pub fn interest(&self) -> Option<Interest> {
        let parts = self.parts.as_ref()?;
        match self.phase {
            Phase::Closed => None,
            Phase::Reading | Phase::Responding => parts.interest(),
            // The selector still tells of a hang-up if asked for anything at all.
            Phase::Asked | Phase::Accepted => Some(Interest::WRITABLE),
        }
    }

    /// Whether there is more to do for which no event will come.
    pub fn has_more(&self) -> bool {
        !self.is_closed() && self.parts.as_ref().is_some_and(|parts| parts.link.has_more())
    }

    /// Whether all is over, and this is to be dropped. Also after [`finish`](Self::finish).
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// The transport, until [`finish`](Self::finish).
    pub fn io(&self) -> Option<&IO> {
        self.parts.as_ref().map(|parts| parts.link.io())
    }

    /// Gives the transport back, unless it went with [`finish`](Self::finish), and the bytes that were received.
    pub fn into_io(self) -> Option<(IO, Vec<u8>)> {
        self.parts.map(Parts::into_io)
    }
}

impl<IO: Transport> Accepting<IO> {
    /// The request and the means to answer it, once; `None` if the turn is over.
    ///
    /// # Errors
    ///
    /// Why there is no request, once. A fault of the client's or the deadline is answered by the HTTP response that
    /// says so; serve on until [`is_closed`](Self::is_closed).
    #[allow(clippy::should_implement_trait)] // An iterator could not lend.
    pub fn next(&mut self, now: Instant) -> Result<Option<(Request<'_>, Answer<'_>)>, Error> {
        match self.phase {
            Phase::Reading => {
                if self.read_request(now)? {
                    self.phase = Phase::Asked;
                    return Ok(self.request(now));
                }
            }
            Phase::Responding => self.wind_up(),
            // Only the application can go on here.
            Phase::Asked | Phase::Accepted => {
                if let Some(parts) = &mut self.parts {
                    parts.link.end_turn(false);
                }
            }
            Phase::Closed => {}
        }
        Ok(None)
    }

    /// Reads on. Says whether the request is complete.
    fn read_request(&mut self, now: Instant) -> Result<bool, Error> {
        let Some(parts) = &mut self.parts else { return Ok(false) };
        let more = loop {
            match self.handshake.poll_receive(now, parts.rx.needed()) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => {
                    respond_error(error, parts.tx.needed(), &mut self.phase, &mut self.deadline, now);
                    self.wind_up();
                    return Err(error.into());
                }
            }
            match parts.link.read(parts.rx.needed()) {
                Ok(Moved::Bytes(_)) => {}
                Ok(Moved::Blocked) => break false,
                Ok(Moved::Later) => break true,
                Ok(Moved::Eof) => {
                    // `poll_receive` gives it, if it is an error.
                    self.handshake.receive_eof();
                }
                Err(error) => {
                    self.phase = Phase::Closed;
                    return Err(error.into());
                }
            }
        };
        parts.end_turn(more);
        Ok(false)
    }

    /// Writes the response, ends the writing side, and reads until the client has left.
    fn wind_up(&mut self) {
        let Some(parts) = &mut self.parts else { return };
        // Whether the client got the response is nothing that anybody could act on.
        match parts.wind_up() {
            Ok(true) | Err(_) => self.phase = Phase::Closed,
            Ok(false) => {}
        }
    }
}

impl<IO: Source> Accepting<IO> {
    /// Makes the registration right, as [`WebSocket::register`] does.
    ///
    /// # Errors
    ///
    /// What the selector reports.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = self.interest();
        match &mut self.parts {
            Some(parts) => parts.link.update_registration(registry, token, interest),
            None => Ok(()),
        }
    }
}

/// Answers one request, which it comes with: see [`Accepting::next`].
///
/// Dropped without an answer, the request can be asked for again: see [`Accepting::request`].
#[derive(Debug)]
pub struct Answer<'a> {
    request: Request<'a>,
    tx: &'a mut SendQueue<Bytes>,
    phase: &'a mut Phase,
    deadline: &'a mut Option<Instant>,
    #[cfg(feature = "deflate")]
    deflate: &'a mut Option<(DeflateParams, DeflateConfig)>,
    now: Instant,
}

impl Answer<'_> {
    /// Accepts the request, if it is a valid one from an origin that the options allow. Then
    /// [`Accepting::finish`] gives the connection.
    ///
    /// # Errors
    ///
    /// Why it cannot be accepted. The client gets the HTTP response that says so.
    pub fn accept<'o>(self, options: &AcceptOptions<'o>) -> Result<Agreement<'o>, HandshakeError> {
        match self.request.accept(options, self.tx) {
            Ok(agreement) => {
                *self.phase = Phase::Accepted;
                #[cfg(feature = "deflate")]
                {
                    *self.deflate = agreement.deflate.zip(options.deflate_config());
                }
                Ok(agreement)
            }
            Err(error) => {
                respond_error(error, self.tx, self.phase, self.deadline, self.now);
                Err(error)
            }
        }
    }

    /// Answers with any response but 101, after which the connection is closed: a page to somebody with a browser, a
    /// refusal, a redirection.
    ///
    /// # Errors
    ///
    /// What is wrong with the response. The client gets a 500 instead.
    pub fn respond(self, response: &Response<'_>) -> Result<(), HandshakeError> {
        let result = self.request.respond(response, self.tx);
        match result {
            Ok(()) => start_responding(self.phase, self.deadline, self.now),
            Err(error) => respond_error(error, self.tx, self.phase, self.deadline, self.now),
        }
        result
    }
}

fn respond_error(
    error: HandshakeError,
    tx: &mut SendQueue<Bytes>,
    phase: &mut Phase,
    deadline: &mut Option<Instant>,
    now: Instant,
) {
    // It always fits: the queue grows. If not, the client sees the end of the stream.
    let _ = error.respond(tx);
    start_responding(phase, deadline, now);
}

fn start_responding(phase: &mut Phase, deadline: &mut Option<Instant>, now: Instant) {
    *phase = Phase::Responding;
    *deadline = Some(now + LINGER);
}
