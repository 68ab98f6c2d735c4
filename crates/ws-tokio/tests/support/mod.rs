//! What the tests of this crate share: endpoints over what the test chooses, and a naive peer that writes and reads
//! frames.

#![allow(dead_code, reason = "each test file uses a part of this")]

pub(crate) mod transport;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use ws_proto::{Config, Event, MaskKeys, Role};
use ws_tokio::{Error, Message, WebSocket};

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

/// A server's end, as if the opening handshake were over.
pub(crate) fn server<IO>(io: IO, config: Config) -> WebSocket<IO> {
    WebSocket::from_upgraded(io, Role::Server, config, &[])
}

/// A client's end, as if the opening handshake were over.
pub(crate) fn client<IO>(io: IO, config: Config) -> WebSocket<IO> {
    WebSocket::from_upgraded(io, Role::Client(MaskKeys::from_seed([7; 32])), config, &[])
}

/// Client and server over a pipe in memory.
pub(crate) fn pair(config: Config) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (a, b) = tokio::io::duplex(64 << 10);
    (client(a, config), server(b, config))
}

/// Two ends of a TCP connection over loopback.
pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connecting = TcpStream::connect(listener.local_addr().unwrap());
    let (connected, accepted) = tokio::join!(connecting, listener.accept());
    (connected.unwrap(), accepted.unwrap().0)
}

/// The same configuration without keepalive, for tests that count frames or time.
pub(crate) fn quiet() -> Config {
    Config::default().ping_interval(None)
}

/// A frame as a server sends it: not masked.
pub(crate) fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first_byte, payload.len(), 0);
    frame.extend_from_slice(payload);
    frame
}

/// A frame as a client sends it: masked.
pub(crate) fn masked(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x12, 0x34, 0x56, 0x78];
    let mut frame = head(first_byte, payload.len(), 0x80);
    frame.extend_from_slice(&key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The body of a Close frame.
pub(crate) fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

fn head(first_byte: u8, len: usize, mask_bit: u8) -> Vec<u8> {
    let mut head = vec![first_byte];
    match len {
        0..=125 => head.push(mask_bit | len as u8),
        126..=0xFFFF => {
            head.push(mask_bit | 126);
            head.extend((len as u16).to_be_bytes());
        }
        _ => {
            head.push(mask_bit | 127);
            head.extend((len as u64).to_be_bytes());
        }
    }
    head
}

/// Reads one frame, masked or not: its first byte and its payload. `None` at a clean end of the stream.
pub(crate) async fn read_frame(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut first = [0];
    if io.read(&mut first).await? == 0 {
        return Ok(None);
    }
    let second = io.read_u8().await?;
    let len = match second & 0x7F {
        126 => usize::from(io.read_u16().await?),
        127 => io.read_u64().await? as usize,
        len => usize::from(len),
    };
    let mut key = [0; 4];
    if second & 0x80 != 0 {
        io.read_exact(&mut key).await?;
    }
    let mut payload = vec![0; len];
    io.read_exact(&mut payload).await?;
    for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
    Ok(Some((first[0], payload)))
}

/// Echoes until the connection is over, with the borrowing interface.
pub(crate) async fn echo<IO: AsyncRead + AsyncWrite + Unpin>(ws: &mut WebSocket<IO>) -> Result<(), Error> {
    while let Some((event, mut reply)) = ws.next().await? {
        if let Event::Data(message) = event {
            reply.send(message).await?;
        }
    }
    Ok(())
}

/// The next data message; `None` if the connection ended.
pub(crate) async fn recv_data<IO: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocket<IO>,
) -> Result<Option<Message>, Error> {
    while let Some(message) = ws.recv().await? {
        if message.is_data() {
            return Ok(Some(message));
        }
    }
    Ok(None)
}

/// Everything that is received until the end, and the error that it ended with; the end is asked for twice more and
/// must stay the end.
pub(crate) async fn recv_all<IO: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocket<IO>,
) -> (Vec<Message>, Option<Error>) {
    let mut messages = Vec::new();
    let error = loop {
        match ws.recv().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    for _ in 0..2 {
        assert!(matches!(ws.recv().await, Ok(None)), "there is something behind the end");
    }
    (messages, error)
}

/// A Close frame as it is received.
pub(crate) fn close_message(code: u16, reason: &str) -> Message {
    Message::Close(ws_tokio::CloseFrame { code: code.into(), reason: reason.into() })
}

/// Polls a future up to `polls` times, each when it was woken, and drops it then. `None` if it was not ready.
pub(crate) async fn poll_up_to<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
