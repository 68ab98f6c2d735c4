//! Legal streams of frames, written by a naive writer from the messages that they are to be: whatever is received must be
//! those messages, in every fragmentation, with control frames anywhere, at every cut, in every kind of buffer and by every
//! way to receive.
#![allow(clippy::panic, clippy::unwrap_used)]

use proptest::prelude::*;
use ws_proto::{Chunk, Config, Connection, Event, Instant, Kind, RecvBuf, Role, SendBuf, Storage};
use ws_tests::{
    Endpoint, Frame, Seen, binary, chop, client_role, close_with, cont, frames, ping, pong, text,
};

/// A message with the sizes of its fragments, and the control frames behind each.
#[derive(Clone, Debug)]
struct Item {
    text: bool,
    payload: Vec<u8>,
    cuts: Vec<prop::sample::Index>,
    control: Vec<(bool, Vec<u8>)>,
    key: [u8; 4],
}

fn item() -> impl Strategy<Value = Item> {
    let payload = prop_oneof![
        6 => "[a-zé€😀]{0,60}".prop_map(|text| (true, text.into_bytes())),
        4 => prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| (false, bytes)),
        1 => (65_500..65_600_usize, any::<u8>()).prop_map(|(n, byte)| (false, vec![byte; n])),
        1 => (100..140_usize).prop_map(|n| (true, vec![b'x'; n])),
    ];
    (
        payload,
        prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..126)), 0..4),
        any::<[u8; 4]>(),
    )
        .prop_map(|((text, payload), cuts, control, key)| Item { text, payload, cuts, control, key })
}

impl Item {
    /// Its frames, and what is to be seen of them.
    fn frames(&self) -> (Vec<Frame>, Vec<Seen>) {
        let mut ends: Vec<usize> = self.cuts.iter().map(|cut| cut.index(self.payload.len() + 1)).collect();
        ends.push(self.payload.len());
        ends.sort_unstable();
        let mut control = self.control.iter();
        let (mut frames, mut seen) = (Vec::new(), Vec::new());
        let mut start = 0;
        for (n, end) in ends.iter().enumerate() {
            let part = &self.payload[start..*end];
            let frame = match (n, self.text) {
                (0, true) => text(part),
                (0, false) => binary(part),
                _ => cont(part),
            };
            start = *end;
            let is_last = n + 1 == ends.len();
            frames.push(if is_last { frame } else { frame.more() });
            if !is_last && let Some((is_ping, payload)) = control.next() {
                frames.push(if *is_ping { ping(payload) } else { pong(payload) });
                seen.push(if *is_ping { Seen::ping(payload) } else { Seen::pong(payload) });
            }
        }
        seen.push(if self.text {
            Seen::text(core::str::from_utf8(&self.payload).unwrap())
        } else {
            Seen::binary(&self.payload)
        });
        (frames, seen)
    }
}

/// Receives in pieces, and puts the messages together itself.
fn by_chunks<S: Storage>(storage: S, pieces: &[&[u8]], is_server: bool) -> Vec<Seen> {
    let role = if is_server { Role::Server } else { client_role() };
    let mut conn = Connection::new(role, config(), Instant::ZERO);
    let mut rx = RecvBuf::new(storage);
    let (mut seen, mut message, mut kind) = (Vec::new(), Vec::new(), Kind::Binary);
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let taken = rx.extend_from_slice(rest);
            assert_ne!(taken, 0, "no room");
            rest = &rest[taken..];
            while let Some(event) = conn.receive_chunk(Instant::ZERO, &mut rx).unwrap() {
                seen.push(match event {
                    Event::Data(Chunk::FrameStart(header)) => {
                        kind = header.kind;
                        continue;
                    }
                    Event::Data(Chunk::Data(part)) => {
                        message.extend(part.as_bytes());
                        continue;
                    }
                    Event::Data(Chunk::FrameEnd { fin: false }) => continue,
                    Event::Data(Chunk::FrameEnd { fin: true }) => {
                        let message = std::mem::take(&mut message);
                        match kind {
                            Kind::Text => Seen::Text(String::from_utf8(message).unwrap()),
                            Kind::Binary => Seen::Binary(message),
                        }
                    }
                    Event::Ping(payload) => Seen::ping(payload),
                    Event::Pong(payload) => Seen::pong(payload),
                    Event::Close(frame) => Seen::close(frame.code.as_u16(), frame.reason),
                });
            }
        }
    }
    assert!(message.is_empty());
    seen
}

fn config() -> Config {
    Config::default().ping_interval(None)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn section_5_any_legal_stream_is_the_messages_it_was_written_from(
        items in prop::collection::vec(item(), 1..8),
        reason in "[a-zé]{0,40}",
        is_server: bool,
        sizes in prop::collection::vec(1..300_usize, 1..6),
    ) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for item in &items {
            let (frames, seen) = item.frames();
            for frame in frames {
                bytes.extend(frame.encode(is_server.then_some(item.key)));
            }
            expected.extend(seen);
        }
        let last = close_with(1000, &reason);
        bytes.extend(if is_server { last.masked() } else { last.unmasked() });
        expected.push(Seen::close(1000, &reason));

        for sizes in [&[][..], &[1], &sizes] {
            let pieces = chop(&bytes, sizes);
            let role = || if is_server { Role::Server } else { client_role() };
            let mut vec = Endpoint::with(role(), config(), Vec::new(), SendBuf::new(Vec::new()));
            let said = vec.converse(&pieces);
            prop_assert_eq!(vec.events(), expected.clone());
            // Every ping was answered, in order, and the Close frame last; the transport takes everything.
            let pings: Vec<_> = expected
                .iter()
                .filter_map(|seen| if let Seen::Ping(payload) = seen { Some(pong(payload)) } else { None })
                .collect();
            let said = frames(&said, !is_server);
            prop_assert_eq!(&said[..said.len() - 1], &pings[..]);
            prop_assert_eq!(said.last(), Some(&close_with(1000, &reason)));
            let mut memory = vec![0xAA; 66_000];
            let mut fixed = Endpoint::with(role(), config(), &mut memory[..], SendBuf::new(Vec::new()));
            fixed.converse(&pieces);
            prop_assert_eq!(fixed.events(), expected.clone());
            prop_assert_eq!(by_chunks(Vec::new(), &pieces, is_server), expected.clone());
            prop_assert_eq!(by_chunks([0xAA; 200], &pieces, is_server), expected.clone());
        }
    }

    #[test]
    fn progress_takes_at_most_four_polls_a_byte_whatever_the_bytes(
        legal in prop::collection::vec(item(), 0..3),
        noise in prop::collection::vec(any::<u8>(), 0..300),
        sizes in prop::collection::vec(1..100_usize, 1..5),
        chunks: bool,
    ) {
        let mut bytes = Vec::new();
        for item in &legal {
            for frame in item.frames().0 {
                bytes.extend(frame.encode(Some(item.key)));
            }
        }
        bytes.extend(noise);
        let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
        let mut rx = RecvBuf::new(Vec::new());
        let mut polls = 0;
        for piece in chop(&bytes, &sizes) {
            rx.extend_from_slice(piece);
            loop {
                polls += 1;
                let go_on = if chunks {
                    matches!(conn.poll_receive_chunk(Instant::ZERO, &mut rx), Ok(Some(_)))
                } else {
                    matches!(conn.poll_receive(Instant::ZERO, &mut rx), Ok(Some(_)))
                };
                if !go_on {
                    break;
                }
            }
        }
        prop_assert!(polls <= 4 * bytes.len() + 4, "{} polls for {} bytes", polls, bytes.len());
    }
}
