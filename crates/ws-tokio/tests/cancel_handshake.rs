//! The functions of the opening handshake, polled k times and dropped, for every k until they are ready: the transport
//! is closed with the future, at once, and nothing of it is left.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::net::TcpListener;
use tokio::time::timeout;
use ws_proto::CloseCode;
use ws_proto::handshake::{AcceptOptions, ClientRequest, HandshakeLimits, Response, Uri};
use ws_tokio::{Error, Message, accept, connect, connect_over, connect_with, receive_request};

use support::transport::Choppy;
use support::{poll_up_to, quiet, recv_all};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("{what}: hangs"))
}

/// A transport that can be missed: the other owner of the `Arc` sees it go.
struct Owned(Choppy<DuplexStream>, #[allow(dead_code, reason = "counts")] Arc<()>);

impl AsyncRead for Owned {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Owned {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The functions of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Server {
    Accept,
    AcceptRequest,
    ReceiveRequest,
    Refuse,
    Respond,
}

/// Up to the point that the function under test is about, nothing is dropped.
async fn serve(how: Server, io: Owned, polls: usize) -> Option<Result<(), Error>> {
    let limits = HandshakeLimits::default();
    match how {
        // The second one is answered with 400.
        Server::Accept | Server::Refuse => {
            poll_up_to(polls, async { accept(io, quiet()).await.map(drop) }).await
        }
        Server::ReceiveRequest => {
            poll_up_to(polls, async { receive_request(io, limits).await.map(drop) }).await
        }
        Server::AcceptRequest => {
            let request = receive_request(io, limits).await.unwrap();
            let accepting = async { request.accept(&AcceptOptions::new(), quiet()).await.map(drop) };
            poll_up_to(polls, accepting).await
        }
        Server::Respond => {
            let request = receive_request(io, limits).await.unwrap();
            poll_up_to(polls, request.respond(&Response::new(404).body(b"nothing here"))).await
        }
    }
}

#[tokio::test]
async fn a_server_that_is_dropped_in_the_handshake_closes_the_transport() {
    for how in
        [Server::Accept, Server::AcceptRequest, Server::ReceiveRequest, Server::Refuse, Server::Respond]
    {
        for polls in 0.. {
            let case = format!("{how:?}, {polls} polls");
            let (here, there) = tokio::io::duplex(64);
            let owner = Arc::new(());
            let io = Owned(Choppy::new(there, 20), Arc::clone(&owner));
            let playing = tokio::spawn(async move {
                let (mut reader, mut writer) = tokio::io::split(here);
                let request = if how == Server::Refuse { b"GET / HTTP/1.1\r\n\r\n" } else { REQUEST };
                let writing = async {
                    let _ = writer.write_all(request).await;
                    // Who answers with anything but 101 waits for this end.
                    if matches!(how, Server::Refuse | Server::Respond) {
                        let _ = writer.shutdown().await;
                    }
                };
                let mut answer = Vec::new();
                let (read, ()) = tokio::join!(reader.read_to_end(&mut answer), writing);
                read.unwrap();
                answer
            });
            let outcome = within(&case, serve(how, io, polls)).await;
            assert_eq!(Arc::strong_count(&owner), 1, "{case}: the transport is still there");
            let answer = within(&case, playing).await.unwrap();
            if let Some(result) = outcome {
                assert_eq!(result.is_err(), how == Server::Refuse, "{case}");
                let begins: &[u8] = match how {
                    Server::Accept | Server::AcceptRequest => b"HTTP/1.1 101 ",
                    Server::ReceiveRequest => b"",
                    Server::Refuse => b"HTTP/1.1 400 ",
                    Server::Respond => b"HTTP/1.1 404 ",
                };
                assert!(answer.starts_with(begins), "{case}: {}", String::from_utf8_lossy(&answer));
                assert!(polls > 3, "{case}: never waited");
                break;
            }
        }
    }
}

/// A server that accepts whoever gets that far, and counts the others.
async fn accept_one<IO: AsyncRead + AsyncWrite + Unpin>(io: IO) -> bool {
    match accept(io, quiet()).await {
        Ok(mut ws) => {
            let (_, error) = recv_all(&mut ws).await;
            error.is_none()
        }
        Err(_) => false,
    }
}

#[tokio::test]
async fn a_client_that_is_dropped_in_the_handshake_closes_the_transport() {
    let request = ClientRequest::new(Uri::parse("ws://localhost/").unwrap());
    for polls in 0.. {
        let case = format!("{polls} polls");
        let (here, there) = tokio::io::duplex(64);
        let owner = Arc::new(());
        let io = Owned(Choppy::new(here, 20), Arc::clone(&owner));
        let serving = tokio::spawn(accept_one(there));
        let connecting =
            async { connect_over(io, &request, HandshakeLimits::default(), quiet()).await.map(|(ws, _)| ws) };
        let outcome = poll_up_to(polls, connecting).await;
        let was_ready = outcome.is_some();
        if let Some(ws) = outcome {
            let mut ws = ws.unwrap();
            ws.send(Message::text("it works")).await.unwrap();
            ws.close(CloseCode::NORMAL, "").await.unwrap();
        }
        assert_eq!(Arc::strong_count(&owner), 1, "{case}: the transport is still there");
        assert_eq!(within(&case, serving).await.unwrap(), was_ready, "{case}");
        if was_ready {
            assert!(polls > 3, "{case}: never waited");
            break;
        }
    }
}

#[tokio::test]
async fn a_client_that_is_dropped_while_it_connects_closes_its_socket() {
    for with_request in [false, true] {
        for polls in 0.. {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("ws://{}/", listener.local_addr().unwrap());
            let request = ClientRequest::new(Uri::parse(&url).unwrap());
            let case = format!("{polls} polls, with a request: {with_request}");
            let outcome = {
                let serving = async {
                    // Whether a connection that is given up early is seen at all is up to the system.
                    let accepted = timeout(Duration::from_millis(200), listener.accept()).await;
                    match accepted {
                        Ok(stream) => accept_one(stream.unwrap().0).await,
                        Err(_) => false,
                    }
                };
                let connecting = async {
                    let outcome = if with_request {
                        let limits = HandshakeLimits::default();
                        let connecting = connect_with(&request, limits, quiet());
                        poll_up_to(polls, async { connecting.await.map(|(ws, _)| ws) }).await
                    } else {
                        poll_up_to(polls, connect(&url, quiet())).await
                    };
                    let was_ready = outcome.is_some();
                    if let Some(ws) = outcome {
                        ws.unwrap().close(CloseCode::NORMAL, "").await.unwrap();
                    }
                    was_ready
                };
                within(&case, async { tokio::join!(serving, connecting) }).await
            };
            assert_eq!(outcome.0, outcome.1, "{case}: the server saw another end than the client");
            if outcome.1 {
                assert!(polls > 1, "{case}: never waited");
                break;
            }
        }
    }
}
