//! Buffers and messages that the tests of the opening handshake share.

// Each of the test files uses a part of it; and a panic is how a helper of theirs fails.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use ws_proto::handshake::{HandshakeError, HandshakeLimits, ServerHandshake, poll_transmit};
use ws_proto::{Instant, Outbound, RecvBuf, SendBuf};

/// More than the largest head allowed, so that the limit is met before the buffer is full.
pub const ROOM: usize = 20 << 10;

pub type Rx = RecvBuf<[u8; ROOM]>;
pub type Tx = SendBuf<[u8; 4096]>;

/// The request of RFC 6455 section 1.2.
pub const REQUEST: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://server.example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The response to [`REQUEST`] and to [`NONCE`], without a subprotocol.
pub const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// What the key of the RFC's example decodes to.
pub const NONCE: [u8; 16] = *b"the sample nonce";

pub fn rx() -> Rx {
    RecvBuf::new([0; ROOM])
}

pub fn tx() -> Tx {
    SendBuf::new([0; 4096])
}

/// All that waits in `tx`, transmitted in portions of 7 bytes.
pub fn transmitted<O: Outbound>(tx: &mut O) -> String {
    let mut bytes = Vec::new();
    while let Some(mut transmit) = poll_transmit(tx) {
        let slices = transmit.slices();
        let n = slices[0].len().min(7);
        bytes.extend_from_slice(&slices[0][..n]);
        transmit.advance(n);
    }
    String::from_utf8(bytes).unwrap()
}

/// A server with `bytes` received, as far as it wants them.
pub fn server(bytes: &[u8]) -> (Result<bool, HandshakeError>, ServerHandshake, Rx) {
    let mut rx = rx();
    rx.extend_from_slice(bytes);
    let mut handshake = ServerHandshake::new(HandshakeLimits::default(), Instant::ZERO);
    let outcome = handshake.poll_receive(Instant::ZERO, &mut rx);
    (outcome, handshake, rx)
}

/// The lines of a head, without its end.
pub fn lines(head: &str) -> Vec<&str> {
    head.strip_suffix("\r\n\r\n").unwrap().split("\r\n").collect()
}
