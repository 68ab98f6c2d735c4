//! The client's side of the opening handshake.

use std::io;

use mio::event::{self, Source};
use mio::{Interest, Registry, Token};
use ws_proto::handshake::{Agreement, ClientHandshake, ClientRequest, HandshakeLimits, ServerResponse};
use ws_proto::{Config, Instant, MaskKeys, Role};

use crate::error::Error;
use crate::link::Moved;
use crate::parts::Parts;
use crate::transport::Transport;
use crate::websocket::WebSocket;

/// Begins the opening handshake on `io`, a non-blocking transport that is connected, or being connected. Nonce and
/// masking keys come from the operating system.
///
/// The deadline of `limits` counts from `now`, and includes connecting.
///
/// # Errors
///
/// `Handshake` if the request cannot be sent as it is, `Io` if the operating system has no randomness. The transport
/// comes back.
pub fn connect<IO>(
    io: IO,
    request: &ClientRequest<'_>,
    limits: HandshakeLimits,
    now: Instant,
) -> Result<Connecting<IO>, (Error, IO)> {
    let (mut nonce, mut seed) = ([0; 16], [0; 32]);
    if let Err(error) = getrandom::fill(&mut nonce).and_then(|()| getrandom::fill(&mut seed)) {
        return Err((io::Error::other(error.to_string()).into(), io));
    }
    connect_with(io, request, nonce, MaskKeys::from_seed(seed), limits, now)
}

/// [`connect`] with a nonce and masking keys of the caller's. Both must be unpredictable.
///
/// # Errors
///
/// `Handshake` if the request cannot be sent as it is. The transport comes back.
pub fn connect_with<IO>(
    io: IO,
    request: &ClientRequest<'_>,
    nonce: [u8; 16],
    keys: MaskKeys,
    limits: HandshakeLimits,
    now: Instant,
) -> Result<Connecting<IO>, (Error, IO)> {
    let mut parts = Parts::new(io);
    match ClientHandshake::start(request, nonce, limits, now, parts.tx.needed()) {
        Ok(handshake) => {
            Ok(Connecting { parts: Some((parts, keys)), handshake, connected: false, closed: false })
        }
        Err(error) => Err((error.into(), parts.into_io().0)),
    }
}

/// A connection in the opening handshake, on the client's side.
///
/// Driven in turns like [`WebSocket`], until [`poll`](Self::poll) says that the response is there. Then
/// [`finish`](Self::finish) verifies it and gives the connection; if it does not, [`response`](Self::response) tells
/// what the server said instead.
#[derive(Debug)]
pub struct Connecting<IO> {
    /// Gone with `finish`.
    parts: Option<(Parts<IO>, MaskKeys)>,
    handshake: ClientHandshake,
    connected: bool,
    closed: bool,
}

impl<IO> Connecting<IO> {
    /// Says that the selector reported `event` for this connection. To be followed by [`poll`](Self::poll).
    pub fn handle_event(&mut self, event: &event::Event) {
        if let Some((parts, _)) = &mut self.parts {
            parts.link.handle_event(event);
        }
    }

    /// The same for transports whose readiness comes another way.
    pub const fn handle_readiness(&mut self, readable: bool, writable: bool) {
        if let Some((parts, _)) = &mut self.parts {
            parts.link.handle_readiness(readable, writable);
        }
    }

    /// Says what time it is. To be followed by [`poll`](Self::poll). Too early or twice does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.handshake.handle_timeout(now);
        if let Some((parts, _)) = &mut self.parts {
            parts.link.set_more();
        }
    }

    /// The response, if it is complete, whatever its status.
    pub fn response(&self) -> Option<ServerResponse<'_>> {
        let (parts, _) = self.parts.as_ref()?;
        self.handshake.response(parts.rx.get()?)
    }

    /// Verifies the response against the request, which must be the one that was sent, and says what was agreed on.
    /// Before [`finish`](Self::finish), for those who want to know.
    ///
    /// # Errors
    ///
    /// Why this is no WebSocket: `HandshakeError::Rejected` if the server answered with another status than 101.
    pub fn verify(&self, request: &ClientRequest<'_>) -> Result<Agreement<'_>, Error> {
        match self.parts.as_ref().and_then(|(parts, _)| parts.rx.get()) {
            Some(rx) => Ok(self.handshake.finish(request, rx)?),
            None => Err(Error::Handshake(ws_proto::handshake::HandshakeError::Incomplete)),
        }
    }

    /// Verifies the response against the request, which must be the one that was sent, and gives the connection. After
    /// that nothing is left here.
    ///
    /// # Errors
    ///
    /// As for [`verify`](Self::verify). The response is still at hand.
    pub fn finish(
        &mut self,
        request: &ClientRequest<'_>,
        config: Config,
        now: Instant,
    ) -> Result<WebSocket<IO>, Error> {
        let agreement = self.verify(request)?;
        #[cfg(feature = "deflate")]
        let deflate = agreement.deflate.zip(request.deflate_config());
        #[cfg(not(feature = "deflate"))]
        let _ = agreement;
        match self.parts.take() {
            Some((Parts { link, rx, tx }, keys)) => {
                self.closed = true;
                let websocket = WebSocket::new(link, rx, tx, Role::Client(keys), config, now);
                #[cfg(feature = "deflate")]
                let websocket = websocket.with_deflate(deflate);
                Ok(websocket)
            }
            None => Err(Error::Handshake(ws_proto::handshake::HandshakeError::Incomplete)),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called next; in the past if there is more to do than the
    /// last turn could.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            None
        } else if self.has_more() {
            Some(Instant::ZERO)
        } else {
            self.handshake.poll_timeout()
        }
    }

    /// What to be registered for, as of now. [`register`](Self::register) does it.
    pub fn interest(&self) -> Option<Interest> {
        let (parts, _) = self.parts.as_ref()?;
        match (self.closed, self.connected) {
            (true, _) => None,
            (false, true) => parts.interest(),
            (false, false) => Some(Interest::WRITABLE),
        }
    }

    /// Whether there is more to do for which no event will come.
    pub fn has_more(&self) -> bool {
        !self.closed && self.parts.as_ref().is_some_and(|(parts, _)| parts.link.has_more())
    }

    /// Whether the handshake failed, or the connection was given; then this is to be dropped.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The transport, until [`finish`](Self::finish).
    pub fn io(&self) -> Option<&IO> {
        self.parts.as_ref().map(|(parts, _)| parts.link.io())
    }

    /// Gives the transport back, unless it went with [`finish`](Self::finish), and the bytes that were received.
    pub fn into_io(self) -> Option<(IO, Vec<u8>)> {
        self.parts.map(|(parts, _)| parts.into_io())
    }
}

impl<IO: Transport> Connecting<IO> {
    /// Goes on with the handshake. Says whether the response is complete: then go on with [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// Why there will be no response, once; after that it gives `false`.
    pub fn poll(&mut self, now: Instant) -> Result<bool, Error> {
        if self.closed {
            return Ok(false);
        }
        let result = self.exchange(now);
        self.closed = result.is_err();
        result
    }

    fn exchange(&mut self, now: Instant) -> Result<bool, Error> {
        let Some((parts, _)) = &mut self.parts else { return Ok(false) };
        if !self.connected {
            // The deadline runs while connecting.
            self.handshake.poll_receive(now, parts.rx.needed())?;
            self.connected = parts.link.poll_connected()?;
            if !self.connected {
                parts.end_turn(false);
                return Ok(false);
            }
        }
        let mut more = parts.transmit()?;
        loop {
            if self.handshake.poll_receive(now, parts.rx.needed())? {
                parts.link.end_turn(false);
                return Ok(true);
            }
            match parts.link.read(parts.rx.needed())? {
                Moved::Bytes(_) => {}
                Moved::Blocked => break,
                Moved::Later => {
                    more = true;
                    break;
                }
                Moved::Eof => {
                    // `poll_receive` gives it, if it is an error.
                    self.handshake.receive_eof();
                }
            }
        }
        parts.end_turn(more);
        Ok(false)
    }
}

impl<IO: Source> Connecting<IO> {
    /// Makes the registration right, as [`WebSocket::register`] does.
    ///
    /// # Errors
    ///
    /// What the selector reports.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = self.interest();
        match &mut self.parts {
            Some((parts, _)) => parts.link.update_registration(registry, token, interest),
            None => Ok(()),
        }
    }
}
