//! The opening handshake for those that take a transport which was upgraded elsewhere, and the client's side of it.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use ws_proto::handshake::{AcceptOptions, HandshakeLimits, ServerHandshake, poll_transmit};
use ws_proto::{Instant, RecvBuf, SendBuf};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Adds the response to a whole request to `out`, if that asks for a WebSocket.
pub fn respond(request: &[u8], out: &mut Vec<u8>) {
    let mut rx = RecvBuf::new([0; 2048]);
    let mut tx = SendBuf::new([0; 256]);
    rx.extend_from_slice(request);
    let mut handshake = ServerHandshake::new(HandshakeLimits::default(), Instant::ZERO);
    if let Ok(Some(request)) = handshake.receive(Instant::ZERO, &mut rx)
        && request.accept(&AcceptOptions::default(), &mut tx).is_ok()
        && let Some(transmit) = poll_transmit(&mut tx)
    {
        transmit.slices().iter().for_each(|slice| out.extend_from_slice(slice));
    }
}

/// Does the client's side, and waits for the end of the response.
///
/// # Errors
///
/// If the transport fails, or the server does not accept.
pub fn request(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(REQUEST)?;
    let mut head = Vec::new();
    let mut buffer = [0; 512];
    while !head.ends_with(b"\r\n\r\n") {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no response to the opening handshake"));
        }
        head.extend_from_slice(&buffer[..n]);
    }
    if head.starts_with(b"HTTP/1.1 101 ") {
        Ok(())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()))
    }
}
