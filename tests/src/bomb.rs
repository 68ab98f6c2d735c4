//! A decompression bomb. The tests of the adapters include this file, so that there is one of it.
#![allow(clippy::panic, clippy::unwrap_used, dead_code, unreachable_pub)]

use ws_proto::deflate::{DeflateConfig, DeflateParams, WindowBits};
use ws_proto::{Config, Connection, Instant, Message, Outbound as _, Role, SendBuf};

/// What the examples of tests agree on: the largest windows.
pub fn params(no_context_takeover: bool) -> DeflateParams {
    DeflateParams {
        server_no_context_takeover: no_context_takeover,
        client_no_context_takeover: no_context_takeover,
        server_max_window_bits: WindowBits::MAX,
        client_max_window_bits: WindowBits::MAX,
    }
}

/// So many MiB of zeros as the payload of one compressed message, about a thousandth of that: compressed by the mebibyte,
/// of which all but the first are the same.
pub fn bomb(mebibytes: usize) -> Vec<u8> {
    let mut sender = Connection::new(Role::Server, Config::default(), Instant::ZERO);
    sender.enable_deflate(params(false), &DeflateConfig::new().min_size(0).level(9));
    let zeros = vec![0; 1 << 20];
    let mut mebibyte = || {
        let mut tx = SendBuf::new(Vec::new());
        sender.send(&mut tx, Message::Binary(&zeros)).unwrap();
        let mut frame = sender.poll_transmit(Instant::ZERO, &mut tx).unwrap().slices().concat();
        assert_eq!((frame[0], frame[1]), (0xC2, 126), "a compressed frame with a length of 16 bits");
        assert_eq!(tx.buffered_amount(), frame.len());
        frame.drain(..4);
        frame.extend([0x00, 0x00, 0xFF, 0xFF]);
        frame
    };
    let mut bomb = mebibyte();
    let next = mebibyte();
    assert_eq!(next, mebibyte());
    for _ in 1..mebibytes {
        bomb.extend_from_slice(&next);
    }
    bomb.truncate(bomb.len() - 4);
    bomb
}
