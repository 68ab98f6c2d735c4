//! A peer with a plain socket, that writes what it likes and reads frames naively. The tests of both adapters include
//! this file.

#![allow(dead_code, unreachable_pub, clippy::missing_panics_doc, clippy::panic, clippy::unwrap_used)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// The request of an ordinary client.
pub const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Longer than anything here may take on a busy machine; reached only if something never ends.
pub const LONG: Duration = Duration::from_secs(60);

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// A connection, and no more.
pub fn raw(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    stream
}

/// The head of a response, which has to be 101.
pub fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
}

/// A client whose handshake is done.
pub fn upgraded(address: SocketAddr) -> TcpStream {
    let mut stream = raw(address);
    stream.write_all(REQUEST).unwrap();
    read_head(&mut stream);
    stream
}

/// One frame of a server: its first byte and its payload.
pub fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut length = [0; 8];
    let len = match head[1] {
        126 => {
            stream.read_exact(&mut length[6..]).unwrap();
            u64::from_be_bytes(length)
        }
        127 => {
            stream.read_exact(&mut length).unwrap();
            u64::from_be_bytes(length)
        }
        len => u64::from(len),
    };
    let mut payload = vec![0; len as usize];
    stream.read_exact(&mut payload).unwrap();
    (head[0], payload)
}

/// Everything until the end, be it a reset.
pub fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => all,
    }
}

/// Writes a little over and over, until the other side has enough; says how long that took.
pub fn drip(stream: &mut TcpStream, byte: u8) -> Duration {
    let began = Instant::now();
    loop {
        if stream.write_all(&[byte]).is_err() || began.elapsed() > LONG {
            return began.elapsed();
        }
        // A drip, and no waiting for something to happen: what it must not do is to keep the connection alive.
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sends 48 MiB of pings to an echo server without reading, and reads then: the last is answered, and what else is
/// answered is so as a whole. `masked` makes a frame of a first byte and a payload.
///
/// Before that the buffers grow to what a busy connection has, which is not the flood's; the echo of a second message
/// says that they have.
pub fn flood_with_pings(address: SocketAddr, masked: impl Fn(u8, &[u8]) -> Vec<u8>) {
    let mut stream = upgraded(address);
    let block = (0..=255).flat_map(|n| masked(PING, &[n; 125])).collect::<Vec<_>>();
    stream.write_all(&masked(BINARY, &[7; 400_000])).unwrap();
    assert_eq!(read_frame(&mut stream), (BINARY, vec![7; 400_000]));
    for _ in 0..100 {
        stream.write_all(&block).unwrap();
    }
    stream.write_all(&masked(TEXT, b"ready")).unwrap();
    while read_frame(&mut stream) != (TEXT, b"ready".to_vec()) {}

    for _ in 0..(48 << 20) / block.len() + 1 {
        stream.write_all(&block).unwrap();
    }
    stream.write_all(&[masked(PING, b"the last"), masked(CLOSE, b"")].concat()).unwrap();
    loop {
        match read_frame(&mut stream) {
            (PONG, payload) if payload == b"the last" => break,
            // Some are left out. Those that are there are whole.
            (PONG, payload) => assert_eq!(payload, [payload[0]; 125]),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(read_frame(&mut stream), (CLOSE, vec![]));
}
