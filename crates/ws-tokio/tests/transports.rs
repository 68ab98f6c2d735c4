//! Transports that are slow, fail or lie at any of their operations, and such with properties of their own.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream, DuplexStream};
use tokio::time::timeout;
use ws_proto::handshake::{ClientRequest, HandshakeError, HandshakeLimits, Uri};
use ws_proto::{CloseCode, Error as Cause, Event, Role, SendError};
use ws_tokio::{Error, Message, WebSocket, accept, connect_over};

use support::transport::{Choppy, Counting, Fault, Faulty};
use support::{
    BINARY, CLOSE, PING, PONG, TEXT, client, close_body, close_message, frame, masked, quiet, read_frame,
    recv_all, recv_data, server,
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const FAULTS: [Fault; 8] = [
    Fault::Pending,
    Fault::Short,
    Fault::Zero,
    Fault::Lie,
    Fault::Error(io::ErrorKind::ConnectionReset),
    Fault::Error(io::ErrorKind::BrokenPipe),
    Fault::Error(io::ErrorKind::Interrupted),
    Fault::Error(io::ErrorKind::WouldBlock),
];

/// What one endpoint saw.
#[derive(Debug, Default)]
struct Seen {
    received: Vec<Message>,
    errors: Vec<Error>,
    is_clean: bool,
}

impl Seen {
    fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            // Not about the connection, but about a call that came after it.
            Err(Error::Send(SendError::Closing)) => None,
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    /// Whether this is how it must look after a fault in such an operation.
    fn check(&self, fault: Fault, hit: Option<&str>, expected: &[Message], case: &str) {
        assert!(expected.starts_with(&self.received), "{case}: {self:?}");
        let harmless = hit.is_none() || matches!(fault, Fault::Pending | Fault::Short);
        if harmless {
            assert!(self.errors.is_empty() && self.is_clean, "{case}: {self:?}");
            assert_eq!(self.received, expected, "{case}");
            return;
        }
        let peer_closed = self.received.iter().any(|message| matches!(message, Message::Close(_)));
        match &self.errors[..] {
            // Behind the peer's Close frame it does not matter any more how the transport ends.
            [] => assert!(peer_closed, "{case}: {self:?}"),
            [error] => {
                let is_right = match (fault, hit, error) {
                    (Fault::Error(kind), _, Error::Io(error)) => error.kind() == kind,
                    (Fault::Zero, Some("write"), Error::Io(error)) => {
                        error.kind() == io::ErrorKind::WriteZero
                    }
                    (Fault::Zero, Some("read"), Error::Connection(Cause::UnexpectedEof)) => true,
                    (Fault::Zero, Some("read"), Error::Handshake(HandshakeError::UnexpectedEof)) => true,
                    (Fault::Lie, _, Error::Io(error)) => error.kind() == io::ErrorKind::InvalidData,
                    _ => false,
                };
                assert!(is_right, "{case}: {error:?}");
            }
            more => panic!("{case}: more than one error: {more:?}"),
        }
    }
}

async fn serve<IO: AsyncRead + AsyncWrite + Unpin>(io: IO) -> Seen {
    let mut seen = Seen::default();
    let Some(mut ws) = seen.note(accept(io, quiet()).await) else { return seen };
    loop {
        match ws.next().await {
            Ok(None) => break,
            Ok(Some((event, mut reply))) => {
                seen.received.push(event.into());
                if let Event::Data(message) = event {
                    let result = reply.send(message).await;
                    seen.note(result);
                }
            }
            Err(error) => {
                seen.errors.push(error);
                assert!(seen.errors.len() < 5, "errors without end");
            }
        }
    }
    seen.is_clean = ws.connection().is_clean();
    for _ in 0..2 {
        assert!(matches!(ws.recv().await, Ok(None)));
        assert!(matches!(ws.send(Message::text("late")).await, Err(Error::Send(SendError::Closing))));
    }
    seen
}

fn messages() -> Vec<Message> {
    vec![
        Message::text("one"),
        Message::binary(vec![2; 300]),
        Message::Ping("three".into()),
        Message::text("grüße".repeat(20)),
        close_message(1000, "bye"),
    ]
}

/// The peer of the server: everything that it sends, and byte for byte what must come back.
fn script() -> (Vec<u8>, Vec<u8>) {
    let (mut input, mut output) = (REQUEST.to_vec(), RESPONSE.to_vec());
    let mut pong = Vec::new();
    for message in messages() {
        let (first_byte, answer, payload) = match &message {
            Message::Binary(bytes) => (BINARY, BINARY, bytes.to_vec()),
            Message::Text(text) => (TEXT, TEXT, text.as_bytes().to_vec()),
            Message::Ping(payload) => (PING, PONG, payload.to_vec()),
            Message::Pong(payload) => (PONG, PONG, payload.to_vec()),
            Message::Close(close) => (CLOSE, CLOSE, close_body(close.code.as_u16(), &close.reason)),
        };
        input.extend(masked(first_byte, &payload));
        match answer {
            PONG => pong = frame(PONG, &payload),
            _ => output.extend(frame(answer, &payload)),
        }
    }
    output.extend(pong);
    (input, output)
}

/// Writes the input, and reads until nothing more comes, whatever happens to either.
async fn play(raw: DuplexStream, input: Vec<u8>) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(raw);
    let mut output = Vec::new();
    let writing = async {
        let _ = writer.write_all(&input).await;
    };
    let reading = async {
        let _ = reader.read_to_end(&mut output).await;
    };
    tokio::join!(writing, reading);
    output
}

/// What goes out, with the place of the pong, which may overtake, left open.
fn frames_sorted(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = bytes.strip_prefix(RESPONSE).unwrap();
    while let [_, len, ..] = *rest {
        let size = match len {
            126 => 4 + usize::from(u16::from_be_bytes([rest[2], rest[3]])),
            len => 2 + usize::from(len),
        };
        let (frame, more) = rest.split_at(size);
        frames.push(frame.to_vec());
        rest = more;
    }
    frames.sort();
    frames
}

#[tokio::test(start_paused = true)]
async fn a_server_survives_every_fault_at_every_operation() {
    for pipe in [64, 4096] {
        for fault in FAULTS {
            for n in 0.. {
                let case = format!("{fault:?} at {n}, pipe of {pipe}");
                let (raw, io) = tokio::io::duplex(pipe);
                let (input, expected) = script();
                let playing = tokio::spawn(play(raw, input));
                let io = Faulty::new(io, n, fault);
                let hit = io.hit.clone();
                let serving = timeout(Duration::from_secs(5), serve(io));
                let seen = serving.await.unwrap_or_else(|_| panic!("{case}: hangs"));
                let hit = *hit.lock().unwrap();
                seen.check(fault, hit, &messages(), &case);
                let output = timeout(Duration::from_secs(60), playing).await.unwrap().unwrap();
                if matches!(fault, Fault::Pending | Fault::Short) || hit.is_none() {
                    assert_eq!(frames_sorted(&output), frames_sorted(&expected), "{case}");
                }
                if hit.is_none() {
                    assert!(n > 4, "{case}: the scenario has too few operations to mean anything");
                    break;
                }
            }
        }
    }
}

async fn converse<IO: AsyncRead + AsyncWrite + Unpin>(io: IO) -> Seen {
    let mut seen = Seen::default();
    let request = ClientRequest::new(Uri::parse("ws://localhost/").unwrap());
    let connected = connect_over(io, &request, HandshakeLimits::default(), quiet()).await;
    let Some((mut ws, _)) = seen.note(connected) else { return seen };
    for message in [Message::text("one"), Message::binary(vec![2; 300]), Message::text("three")] {
        let sent = ws.send(message).await;
        seen.note(sent);
    }
    let closed = ws.feed(close_message(1000, "bye")).await;
    seen.note(closed);
    loop {
        match ws.recv().await {
            Ok(None) => break,
            Ok(Some(message)) => seen.received.push(message),
            Err(error) => {
                seen.errors.push(error);
                assert!(seen.errors.len() < 5, "errors without end");
            }
        }
    }
    seen.is_clean = ws.connection().is_clean();
    for _ in 0..2 {
        assert!(matches!(ws.recv().await, Ok(None)));
        assert!(matches!(ws.flush().await, Err(Error::Send(SendError::Closing))));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_client_survives_every_fault_at_every_operation() {
    // After our own Close frame data is discarded, so the close is what is received.
    let expected = [close_message(1000, "bye")];
    for fault in FAULTS {
        for n in 0.. {
            let case = format!("{fault:?} at {n}");
            let (io, there) = tokio::io::duplex(64);
            let serving = tokio::spawn(serve(there));
            let io = Faulty::new(io, n, fault);
            let hit = io.hit.clone();
            let conversation = timeout(Duration::from_secs(15), converse(io));
            let seen = conversation.await.unwrap_or_else(|_| panic!("{case}: hangs"));
            let hit = *hit.lock().unwrap();
            seen.check(fault, hit, &expected, &case);
            timeout(Duration::from_secs(60), serving).await.unwrap().unwrap();
            if hit.is_none() {
                assert!(n > 4, "{case}: the scenario has too few operations to mean anything");
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_arrived_before_a_write_failed_is_still_received() {
    let (mut raw, io) = tokio::io::duplex(1 << 20);
    for n in 0..100_u8 {
        raw.write_all(&masked(BINARY, &[n; 1000])).await.unwrap();
    }
    // The first operation reads; the second would be another read, or the write of the answers.
    let mut ws = server(Faulty::new(io, 0, Fault::Error(io::ErrorKind::BrokenPipe)), quiet());
    ws.feed(Message::text("this fails")).await.unwrap();
    let (received, error) = recv_all(&mut ws).await;
    // Reading fails as well in this transport, so nothing arrives.
    assert_eq!(received, []);
    assert!(matches!(error, Some(Error::Io(_))), "{error:?}");
    drop(raw);

    // A transport of which only the writing side fails.
    let (mut raw, io) = tokio::io::duplex(1 << 20);
    for n in 0..100_u8 {
        raw.write_all(&masked(BINARY, &[n; 1000])).await.unwrap();
    }
    let mut ws = server(DeafPeer(io), quiet());
    ws.feed(Message::text("this fails")).await.unwrap();
    let (received, error) = recv_all(&mut ws).await;
    assert_eq!(received.len(), 100);
    assert!(
        matches!(&error, Some(Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe),
        "{error:?}"
    );
}

/// The peer has said Close, so that the connection ends well whatever the transport does; but what was queued is lost.
#[tokio::test]
async fn flushing_does_not_claim_success_for_what_a_failed_write_lost() {
    let (raw, io) = tokio::io::duplex(64);
    // The Close frame has arrived before anything is written.
    let mut ws = WebSocket::from_upgraded(DeafPeer(io), Role::Server, quiet(), &masked(CLOSE, b""));
    ws.feed(Message::text("lost")).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(close_message(1005, "")));
    let flushed = ws.flush().await;
    assert!(matches!(flushed, Err(Error::Send(SendError::Closing))), "{flushed:?}");
    drop(raw);
    assert!(matches!(ws.recv().await, Ok(None)));
}

/// Can be read, but not written.
struct DeafPeer(DuplexStream);

impl AsyncRead for DeafPeer {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for DeafPeer {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::task::Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_buffers_is_flushed_before_anything_waits() {
    let (here, there) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(serve(BufStream::new(there)));
    let request = ClientRequest::new(Uri::parse("ws://localhost/").unwrap());
    let conversation = async {
        let io = BufStream::new(here);
        let (mut ws, _) = connect_over(io, &request, HandshakeLimits::default(), quiet()).await.unwrap();
        for n in 0..10 {
            let message = Message::binary(vec![n; usize::from(n) * 1000]);
            ws.send(message.clone()).await.unwrap();
            assert_eq!(recv_data(&mut ws).await.unwrap(), Some(message));
        }
        ws.send(Message::Ping("?".into())).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::Pong("?".into())));
        ws.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(ws.connection().is_clean());
    };
    timeout(Duration::from_secs(5), conversation).await.expect("something was not flushed");
    assert!(serving.await.unwrap().is_clean);
}

#[tokio::test]
async fn a_transport_without_vectored_writes_is_written_one_slice_at_a_time() {
    for vectored in [true, false] {
        let (mut raw, io) = tokio::io::duplex(1 << 20);
        let (mut io, calls) = Counting::new(io);
        io.vectored = vectored;
        let mut ws = server(io, quiet());
        for n in 0..10_u8 {
            ws.feed(Message::binary(vec![n; 2000])).await.unwrap();
        }
        ws.flush().await.unwrap();
        for n in 0..10_u8 {
            assert_eq!(read_frame(&mut raw).await.unwrap(), Some((BINARY, vec![n; 2000])));
        }
        // Header and payload apart, as large payloads are not copied.
        let writes = calls.writes();
        assert!(if vectored { writes <= 4 } else { writes <= 20 }, "{vectored}: {writes}");
    }
}

#[tokio::test]
async fn one_byte_at_a_time_is_enough() {
    let (a, b) = tokio::io::duplex(1);
    let (mut client, server) = (client(Choppy::new(a, 1), quiet()), server(Choppy::new(b, 1), quiet()));
    let serving = tokio::spawn(async move {
        let mut server: WebSocket<_> = server;
        support::echo(&mut server).await
    });
    for len in [0, 1, 125, 126, 5000] {
        let message = Message::text("ä".repeat(len));
        client.send(message.clone()).await.unwrap();
        assert_eq!(recv_data(&mut client).await.unwrap(), Some(message));
    }
    client.close(CloseCode::NORMAL, "one byte at a time").await.unwrap();
    serving.await.unwrap().unwrap();
}

/// Everything that is asked of a transport stops when the connection is over.
#[tokio::test]
async fn a_transport_that_failed_is_not_asked_again_and_again() {
    let (raw, io) = tokio::io::duplex(64);
    drop(raw);
    let log = Arc::new(Mutex::new(0));
    let mut ws = server(Logged(io, log.clone()), quiet());
    let (_, error) = recv_all(&mut ws).await;
    assert!(error.is_some());
    let before = *log.lock().unwrap();
    for _ in 0..10 {
        assert!(matches!(ws.recv().await, Ok(None)));
        let _ = ws.send(Message::text("late")).await;
        let _ = ws.close(CloseCode::NORMAL, "").await;
    }
    assert_eq!(*log.lock().unwrap(), before);
    assert!(before <= 5, "{before} operations");
}

/// Counts every operation.
struct Logged(DuplexStream, Arc<Mutex<usize>>);

impl Logged {
    fn log(&self) {
        *self.1.lock().unwrap() += 1;
    }
}

impl AsyncRead for Logged {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        self.log();
        std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Logged {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        self.log();
        std::pin::Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        self.log();
        std::pin::Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        self.log();
        std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
