//! A server's connection from its first byte on, as one value.

use std::io;

use mio::event::{self, Source};
use mio::{Registry, Token};
use ws_proto::handshake::{HandshakeLimits, Request};
use ws_proto::{Chunk, Config, Event, Instant, Message};

use crate::accepting::{Accepting, Answer, accept};
use crate::error::Error;
use crate::reply::Reply;
use crate::transport::Transport;
use crate::websocket::WebSocket;

/// A server's connection from its first byte on: the opening handshake, and the WebSocket that it becomes once its
/// request is accepted. For a slab or a map of connections, which wants one type.
///
/// Everything is as with [`Accepting`] and then with [`WebSocket`].
#[derive(Debug)]
pub struct Endpoint<IO> {
    stage: Stage<IO>,
}

/// On the heap, for slabs and maps have more entries than connections: up to twice as many.
#[derive(Debug)]
enum Stage<IO> {
    Accepting(Box<(Accepting<IO>, Config)>),
    Open(Box<WebSocket<IO>>),
}

/// What happened, and the means to answer it.
#[derive(Debug)]
pub enum Step<'a, D = Message<'a>> {
    /// The peer sent something.
    Event(Event<'a, D>, Reply<'a>),
    /// The client asks for a WebSocket, or for anything else that HTTP has. Comes once.
    Request(Request<'a>, Answer<'a>),
}

impl<IO> Endpoint<IO> {
    /// Begins to wait for a client's request on `io`, a non-blocking transport that was just accepted.
    pub fn accept(io: IO, limits: HandshakeLimits, config: Config, now: Instant) -> Self {
        Self { stage: Stage::Accepting(Box::new((accept(io, limits, now), config))) }
    }

    /// Says that the selector reported `event` for this connection. To be followed by [`next`](Self::next).
    pub fn handle_event(&mut self, event: &event::Event) {
        match &mut self.stage {
            Stage::Accepting(accepting) => accepting.0.handle_event(event),
            Stage::Open(websocket) => websocket.handle_event(event),
        }
    }

    /// Says what time it is. To be followed by [`next`](Self::next). Too early or twice does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Accepting(accepting) => accepting.0.handle_timeout(now),
            Stage::Open(websocket) => websocket.handle_timeout(now),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called next; in the past if there is more to do than the
    /// last turn could.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Accepting(accepting) => accepting.0.poll_timeout(),
            Stage::Open(websocket) => websocket.poll_timeout(),
        }
    }

    /// Whether all is over, and this is to be dropped.
    pub fn is_closed(&self) -> bool {
        match &self.stage {
            Stage::Accepting(accepting) => accepting.0.is_closed(),
            Stage::Open(websocket) => websocket.is_closed(),
        }
    }

    /// The WebSocket, once the request is accepted.
    pub fn websocket(&self) -> Option<&WebSocket<IO>> {
        match &self.stage {
            Stage::Accepting(_) => None,
            Stage::Open(websocket) => Some(websocket),
        }
    }

    /// The WebSocket, once the request is accepted: to send, ping or close outside a turn.
    pub fn websocket_mut(&mut self) -> Option<&mut WebSocket<IO>> {
        match &mut self.stage {
            Stage::Accepting(_) => None,
            Stage::Open(websocket) => Some(websocket),
        }
    }
}

impl<IO: Transport> Endpoint<IO> {
    /// What happened next, with the means to answer it, or `None` if the turn is over.
    ///
    /// # Errors
    ///
    /// Why the connection failed, once. Serve on until [`is_closed`](Self::is_closed).
    #[allow(clippy::should_implement_trait)] // An iterator could not lend.
    #[inline]
    pub fn next(&mut self, now: Instant) -> Result<Option<Step<'_>>, Error> {
        if let Stage::Accepting(_) = self.stage {
            self.finish_accepting(now);
        }
        match &mut self.stage {
            Stage::Accepting(accepting) => next_request(&mut accepting.0, now),
            Stage::Open(websocket) => {
                // Not by `map`, which copies all of it in between.
                match websocket.next(now) {
                    Ok(Some((event, reply))) => Ok(Some(Step::Event(event, reply))),
                    Ok(None) => Ok(None),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// The same as [`next`](Self::next) without putting messages together: see [`WebSocket::next_chunk`].
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    pub fn next_chunk(&mut self, now: Instant) -> Result<Option<Step<'_, Chunk<'_>>>, Error> {
        if let Stage::Accepting(_) = self.stage {
            self.finish_accepting(now);
        }
        match &mut self.stage {
            Stage::Accepting(accepting) => next_request(&mut accepting.0, now),
            Stage::Open(websocket) => {
                Ok(websocket.next_chunk(now)?.map(|(event, reply)| Step::Event(event, reply)))
            }
        }
    }

    /// Not inlined, and neither is what follows, so that the way to an event stays short.
    #[cold]
    #[inline(never)]
    fn finish_accepting(&mut self, now: Instant) {
        if let Stage::Accepting(accepting) = &mut self.stage
            && let (accepting, config) = &mut **accepting
            && let Some(websocket) = accepting.finish(*config, now)
        {
            self.stage = Stage::Open(Box::new(websocket));
        }
    }
}

#[cold]
#[inline(never)]
fn next_request<IO: Transport, D>(
    accepting: &mut Accepting<IO>,
    now: Instant,
) -> Result<Option<Step<'_, D>>, Error> {
    Ok(accepting.next(now)?.map(|(request, answer)| Step::Request(request, answer)))
}

impl<IO: Source> Endpoint<IO> {
    /// Makes the registration right, as [`WebSocket::register`] does.
    ///
    /// # Errors
    ///
    /// What the selector reports.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.stage {
            Stage::Accepting(accepting) => accepting.0.register(registry, token),
            Stage::Open(websocket) => WebSocket::register(websocket, registry, token),
        }
    }
}
