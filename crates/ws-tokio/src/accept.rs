//! The server's side of the opening handshake.

use core::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::handshake::{
    AcceptOptions, HandshakeError, HandshakeLimits, Request, Response, ServerHandshake,
};
use ws_proto::{Config, Instant, Role, SendQueue};

use crate::error::Error;
use crate::exchange::Exchange;
use crate::socket::WebSocket;
use crate::timer::Timer;

/// Accepts a WebSocket on a transport that a client just opened: receives its request, and answers it.
///
/// With the default limits and options: 10 seconds for the request, and from a browser only pages of the same origin.
/// For anything else, as choosing a subprotocol or showing a page to those who ask for one, use [`receive_request`].
///
/// For a `TcpStream`, set `TCP_NODELAY` before: messages are put together here already.
///
/// # Errors
///
/// [`Error::Handshake`] for a request that was refused; it has been answered with the status that belongs to it.
/// [`Error::Io`] if the transport failed.
///
/// # Cancel safety
///
/// Not to be continued: if the future is dropped, so is the transport.
pub fn accept<IO>(io: IO, config: Config) -> impl Future<Output = Result<WebSocket<IO>, Error>> + Unpin
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    // On the heap, so that what only the handshake needs is not a part of the caller's task for as long as that lives.
    Box::pin(async move {
        let request = receive_request(io, HandshakeLimits::default()).await?;
        request.accept(&AcceptOptions::default(), config).await
    })
}

/// Receives the request of a client: an upgrade to WebSocket, or any other HTTP request.
///
/// # Errors
///
/// [`Error::Handshake`] for what is no HTTP request, or exceeds the limits; it has been answered with the status that
/// belongs to it. [`Error::Io`] if the transport failed.
///
/// # Cancel safety
///
/// Not to be continued: if the future is dropped, so is the transport.
pub async fn receive_request<IO>(io: IO, limits: HandshakeLimits) -> Result<IncomingRequest<IO>, Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut exchange = Exchange::new(io, SendQueue::new(), Timer::new());
    let mut handshake = ServerHandshake::new(limits, exchange.timer.now());
    let deadline = handshake.poll_timeout();
    let timeout = deadline.map(|deadline| deadline.saturating_duration_since(exchange.timer.now()));
    match exchange.receive_head(&mut handshake).await {
        Ok(()) => Ok(IncomingRequest { exchange, handshake, timeout }),
        Err(Error::Handshake(error)) => Err(refuse(exchange, error, deadline).await),
        Err(error) => Err(error),
    }
}

/// A request that waits for an answer.
#[derive(Debug)]
pub struct IncomingRequest<IO> {
    exchange: Exchange<IO>,
    handshake: ServerHandshake,
    /// How long the request could take, and the answer can: it may be long in the making.
    timeout: Option<Duration>,
}

impl<IO> IncomingRequest<IO> {
    /// The request: its path, its headers, the subprotocols it offers.
    ///
    /// # Errors
    ///
    /// None in practice: the request is complete when this type exists.
    pub fn request(&self) -> Result<Request<'_>, HandshakeError> {
        self.handshake.request(&self.exchange.rx).ok_or(HandshakeError::Incomplete)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> IncomingRequest<IO> {
    /// Accepts the upgrade. The client has as long to take the response as it had for its request.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] if the request is not one to accept, for its origin or otherwise: it has been answered
    /// with the status that belongs to that. Also for options that cannot be sent, which the client sees as status
    /// 500; and for a client that does not take the response in time. [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Not to be continued: if the future is dropped, so is the transport.
    pub async fn accept(
        mut self,
        options: &AcceptOptions<'_>,
        config: Config,
    ) -> Result<WebSocket<IO>, Error> {
        let mut tx = SendQueue::<Bytes>::new();
        let accepted = self.request().and_then(|request| request.accept(options, &mut tx));
        let deadline = self.deadline();
        let agreement = match accepted {
            Ok(agreement) => agreement,
            Err(error) => return Err(refuse(self.exchange, error, deadline).await),
        };
        self.exchange.tx = tx;
        self.exchange.flush(deadline).await?;
        let websocket = self.exchange.into_websocket(Role::Server, config);
        #[cfg(feature = "deflate")]
        let websocket = websocket.with_deflate(agreement.deflate, options.deflate_config());
        #[cfg(not(feature = "deflate"))]
        let _ = agreement;
        Ok(websocket)
    }

    /// Answers with any other response, waits until the client has it, and closes the transport: a page for a browser,
    /// a redirection, a demand for credentials. The client has as long to take it as it had for its request.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] for a response that cannot be sent, and the client sees a status 500 then; and for a
    /// client that does not take the response in time. [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Not to be continued: if the future is dropped, so is the transport.
    pub async fn respond(mut self, response: &Response<'_>) -> Result<(), Error> {
        // The caller has the whole body in memory; another limit than that would help nobody.
        let mut tx = SendQueue::<Bytes>::new().limit(usize::MAX);
        let queued = self.request().and_then(|request| request.respond(response, &mut tx));
        let deadline = self.deadline();
        if let Err(error) = queued {
            return Err(refuse(self.exchange, error, deadline).await);
        }
        self.exchange.tx = tx;
        self.exchange.flush(deadline).await?;
        self.exchange.wind_up(deadline).await;
        Ok(())
    }

    /// Until when the answer must be with the client, beginning now.
    fn deadline(&self) -> Option<Instant> {
        self.timeout.map(|timeout| self.exchange.timer.now() + timeout)
    }
}

/// Tells the client what was wrong, and gives the same to the caller.
async fn refuse<IO>(mut exchange: Exchange<IO>, error: HandshakeError, deadline: Option<Instant>) -> Error
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    if error.respond(&mut exchange.tx).is_ok() {
        exchange.wind_up(deadline).await;
    }
    error.into()
}
