//! The client's side of the opening handshake.

use core::fmt;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use ws_proto::handshake::{
    ClientHandshake, ClientRequest, HandshakeError, HandshakeLimits, ServerResponse, Uri,
};
use ws_proto::{Config, MaskKeys, Role, SendQueue};

use crate::error::{Error, Names, Rejection};
use crate::exchange::Exchange;
use crate::socket::WebSocket;
use crate::timer::Timer;

/// What the server agreed to.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Accepted {
    /// The subprotocol that the server chose from those offered.
    pub subprotocol: Option<String>,
    /// The header fields of the response, in their order; names as they were sent.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The parameters of permessage-deflate; `None` if it is not in use.
    #[cfg(feature = "deflate")]
    pub deflate: Option<ws_proto::deflate::DeflateParams>,
}

/// The names of the headers alone: values are often secret.
impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Accepted");
        debug.field("subprotocol", &self.subprotocol).field("headers", &Names(&self.headers));
        #[cfg(feature = "deflate")]
        debug.field("deflate", &self.deflate);
        debug.finish()
    }
}

/// Connects to a `ws://` URL over TCP.
///
/// With the default limits: 10 seconds for everything, name resolution included. For headers, subprotocols or other
/// limits, use [`connect_with`]; for TLS, a proxy or any other transport, [`connect_over`].
///
/// # Errors
///
/// [`Error::Handshake`] for a URL that is not one, for `wss://`, for a server that does not speak WebSocket, or too
/// late; [`Error::Rejected`] for one that answers with another status; [`Error::Io`] if there is no way to it.
///
/// # Cancel safety
///
/// Not to be continued: if the future is dropped, so is the transport.
pub async fn connect(url: &str, config: Config) -> Result<WebSocket<TcpStream>, Error> {
    let request = ClientRequest::new(Uri::parse(url)?);
    Ok(connect_with(&request, HandshakeLimits::default(), config).await?.0)
}

/// Connects over TCP with a request of your own: headers, subprotocols, limits.
///
/// The name is resolved, and each of its addresses tried in turn, IPv6 among them. `TCP_NODELAY` is set.
///
/// # Errors
///
/// As for [`connect`].
///
/// # Cancel safety
///
/// Not to be continued: if the future is dropped, so is the transport.
pub async fn connect_with(
    request: &ClientRequest<'_>,
    limits: HandshakeLimits,
    config: Config,
) -> Result<(WebSocket<TcpStream>, Accepted), Error> {
    let uri = request.uri();
    if uri.is_secure() {
        let message = "wss needs TLS: make the TLS stream yourself and give it to connect_over";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message).into());
    }
    // On the heap, as in `accept`.
    Box::pin(async move {
        let pending = Pending::start(request, limits)?;
        // The deadline of the handshake is the one for the way there as well.
        let connecting = async {
            let stream = TcpStream::connect((uri.host(), uri.port())).await?;
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(stream)
        };
        let stream = match pending.handshake.poll_timeout() {
            Some(deadline) => tokio::time::timeout(deadline.as_duration(), connecting)
                .await
                .map_err(|_| HandshakeError::Timeout)??,
            None => connecting.await?,
        };
        pending.finish(stream, request, config).await
    })
    .await
}

/// Connects over a transport that is there already: a TLS stream, a tunnel through a proxy, a pipe in memory.
///
/// # Errors
///
/// As for [`connect`].
///
/// # Cancel safety
///
/// Not to be continued: if the future is dropped, so is the transport.
pub async fn connect_over<IO>(
    io: IO,
    request: &ClientRequest<'_>,
    limits: HandshakeLimits,
    config: Config,
) -> Result<(WebSocket<IO>, Accepted), Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    Box::pin(async move { Pending::start(request, limits)?.finish(io, request, config).await }).await
}

/// A handshake that has begun: the request is queued, and its time runs.
struct Pending {
    handshake: ClientHandshake,
    tx: SendQueue<bytes::Bytes>,
    timer: Timer,
}

impl Pending {
    fn start(request: &ClientRequest<'_>, limits: HandshakeLimits) -> Result<Self, Error> {
        let timer = Timer::new();
        let mut tx = SendQueue::new();
        let handshake = ClientHandshake::start(request, random()?, limits, timer.now(), &mut tx)?;
        Ok(Self { handshake, tx, timer })
    }

    async fn finish<IO>(
        mut self,
        io: IO,
        request: &ClientRequest<'_>,
        config: Config,
    ) -> Result<(WebSocket<IO>, Accepted), Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let mut exchange = Exchange::new(io, self.tx, self.timer);
        exchange.receive_head(&mut self.handshake).await?;
        let response = self.handshake.response(&exchange.rx).ok_or(HandshakeError::Incomplete)?;
        let accepted = match self.handshake.finish(request, &exchange.rx) {
            Ok(agreement) => Accepted {
                subprotocol: agreement.subprotocol.map(str::to_owned),
                headers: owned_headers(&response),
                #[cfg(feature = "deflate")]
                deflate: agreement.deflate,
            },
            Err(HandshakeError::Rejected { status }) => {
                let headers = owned_headers(&response);
                let body_prefix = response.body_prefix().to_vec();
                return Err(Error::Rejected(Box::new(Rejection { status, headers, body_prefix })));
            }
            Err(error) => return Err(error.into()),
        };
        let keys = MaskKeys::from_seed(random()?);
        let websocket = exchange.into_websocket(Role::Client(keys), config);
        #[cfg(feature = "deflate")]
        let websocket = websocket.with_deflate(accepted.deflate, request.deflate_config());
        Ok((websocket, accepted))
    }
}

fn owned_headers(response: &ServerResponse<'_>) -> Vec<(String, Vec<u8>)> {
    response.headers().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

/// Fresh bytes from the operating system.
fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
