//! Connecting, for the examples that are clients.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use mio::net::TcpStream;
use mio::{Events, Poll, Token};
use ws_mio::handshake::{ClientRequest, HandshakeError, HandshakeLimits};
use ws_mio::{Clock, Config, Connecting, Error, WebSocket, connect};

/// The token of the connection.
pub(crate) const SOCKET: Token = Token(0);

/// Connects to where `request` wants to, trying each address of the host, and does the opening handshake. Waits until
/// that is done.
///
/// The error is for people.
pub(crate) fn open(
    poll: &mut Poll,
    clock: &Clock,
    request: &ClientRequest<'_>,
    config: Config,
) -> Result<WebSocket<TcpStream>, String> {
    let (uri, host) = (request.uri(), request.uri().host());
    if uri.is_secure() {
        return Err(format!("{host}: this example does without TLS"));
    }
    let addresses = (host, uri.port()).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    let mut last = format!("{host}: no address");
    for address in addresses {
        match open_at(poll, clock, address, request, config) {
            Ok(websocket) => return Ok(websocket),
            // There is a server, and what it said counts.
            Err((error @ Error::Handshake(_), response)) => {
                return Err(format!("{host}: {}", response.unwrap_or_else(|| error.to_string())));
            }
            Err((error, _)) => last = format!("{host}: {address}: {error}"),
        }
    }
    Err(last)
}

/// With the error comes what the server said instead, if it did.
fn open_at(
    poll: &mut Poll,
    clock: &Clock,
    address: SocketAddr,
    request: &ClientRequest<'_>,
    config: Config,
) -> Result<WebSocket<TcpStream>, (Error, Option<String>)> {
    let stream = TcpStream::connect(address).map_err(|error| (error.into(), None))?;
    let limits = HandshakeLimits::default();
    let mut connecting =
        connect(stream, request, limits, clock.now()).map_err(|(error, _stream)| (error, None))?;
    wait_for_response(poll, clock, &mut connecting).map_err(|error| (error, None))?;
    let websocket = connecting.finish(request, config, clock.now()).map_err(|error| {
        let said = match &error {
            Error::Handshake(HandshakeError::Rejected { .. }) => connecting
                .response()
                .map(|response| format!("the server answered {} {}", response.status(), response.reason())),
            _ => None,
        };
        (error, said)
    })?;
    // Small messages leave at once instead of waiting for the acknowledgement of the one before.
    websocket.io().set_nodelay(true).map_err(|error| (error.into(), None))?;
    Ok(websocket)
}

fn wait_for_response(
    poll: &mut Poll,
    clock: &Clock,
    connecting: &mut Connecting<TcpStream>,
) -> Result<(), Error> {
    let mut events = Events::with_capacity(4);
    while !connecting.poll(clock.now())? {
        connecting.register(poll.registry(), SOCKET)?;
        let timeout = connecting.poll_timeout().map(|at| at.saturating_duration_since(clock.now()));
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        events
            .iter()
            .filter(|event| event.token() == SOCKET)
            .for_each(|event| connecting.handle_event(event));
        connecting.handle_timeout(clock.now());
    }
    Ok(())
}
