//! RFC 6455 sections 5.2 and 10.4: lengths beyond what `usize` can count. Nothing here depends on its width, so that
//! the same holds where that is 32 bits:
//! `cargo +nightly miri test --target i686-unknown-linux-gnu -p ws-proto --test lengths`.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::{Chunk, Config, Connection, Error, Event, Instant, Message, RecvBuf, Role};

const LENGTHS: [u64; 9] = [
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    // What is left of it in 32 bits is shorter than what arrives.
    (1 << 32) + 3,
    (1 << 33) + 3,
    1 << 60,
    (1 << 63) - 3,
    (1 << 63) - 1,
];

/// The beginning of a binary frame of this length, masked with zeros.
fn beginning(len: u64) -> Vec<u8> {
    let mut bytes = vec![0x82, 0xFF];
    bytes.extend(len.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    bytes
}

fn server() -> Connection {
    let config = Config::default().max_message_size(usize::MAX).ping_interval(None);
    Connection::new(Role::Server, config, Instant::ZERO)
}

#[test]
fn section_5_2_a_length_is_never_cut_to_the_width_of_usize() {
    for len in LENGTHS {
        let (mut conn, mut rx) = (server(), RecvBuf::new([0; 200]));
        rx.extend_from_slice(&beginning(len));
        let Ok(Some(Event::Data(Chunk::FrameStart(header)))) = conn.receive_chunk(Instant::ZERO, &mut rx)
        else {
            panic!("{len:x}")
        };
        assert_eq!(header.len, len);
        let piece = Event::Data(Chunk::Data(Message::Binary(&[1, 2, 3, 4, 5, 6, 7, 8])));
        assert_eq!(conn.receive_chunk(Instant::ZERO, &mut rx), Ok(Some(piece)), "{len:x}");
        assert_eq!(conn.receive_chunk(Instant::ZERO, &mut rx), Ok(None), "{len:x}");
    }
}

#[test]
fn section_10_4_a_length_beyond_fixed_storage_is_too_big_at_the_header() {
    for len in LENGTHS {
        let (mut conn, mut rx) = (server(), RecvBuf::new([0; 200]));
        rx.extend_from_slice(&beginning(len));
        let outcome = conn.receive(Instant::ZERO, &mut rx);
        assert!(matches!(outcome, Err(Error::MessageTooBig { limit: 200.. })), "{len:x}");
    }
}

#[cfg(feature = "alloc")]
#[test]
fn section_10_4_memory_grows_with_what_arrived_whatever_the_length() {
    for len in LENGTHS {
        let (mut conn, mut rx) = (server(), RecvBuf::new(Vec::new()));
        rx.extend_from_slice(&beginning(len));
        let outcome = conn.receive(Instant::ZERO, &mut rx);
        match usize::try_from(len) {
            Ok(len) if len <= isize::MAX as usize => assert_eq!(outcome, Ok(None)),
            _ => assert!(matches!(outcome, Err(Error::MessageTooBig { .. })), "{len:x}"),
        }
        assert!(rx.capacity() <= 4096, "{}", rx.capacity());
    }
}
