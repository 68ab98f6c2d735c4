//! permessage-deflate on a connection: RFC 7692 sections 6 and 7.2, limits, and what it must not disturb.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

use proptest::prelude::*;
use ws_proto::deflate::{DeflateConfig, DeflateParams, WindowBits};
use ws_proto::{
    Chunk, Config, Error, Event, Kind, Message, PreparedMessage, ProtocolError, Pull, Pulled, Role, Rsv,
    SendBuf, SendError, SendQueue,
};
use ws_tests::{
    Endpoint, Frame, Pair, Seen, Side, binary, chop, client_role, close, cont, cuts, every_byte, ping, text,
};

/// RSV1, as `Frame::rsv` counts.
const RSV1: u8 = 4;

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap()
}

fn params(bits: WindowBits, no_context_takeover: bool) -> DeflateParams {
    DeflateParams {
        server_no_context_takeover: no_context_takeover,
        client_no_context_takeover: no_context_takeover,
        server_max_window_bits: bits,
        client_max_window_bits: bits,
    }
}

/// Compresses everything.
fn eager() -> DeflateConfig {
    DeflateConfig::new().min_size(0)
}

fn with_deflate(mut endpoint: Endpoint, params: DeflateParams) -> Endpoint {
    endpoint.conn.enable_deflate(params, &eager());
    endpoint
}

fn server() -> Endpoint {
    with_deflate(Endpoint::server(), DeflateParams::default())
}

fn client() -> Endpoint {
    with_deflate(Endpoint::client(), DeflateParams::default())
}

fn limited_server(limit: usize) -> Endpoint {
    let config = Config::default().ping_interval(None).max_message_size(limit);
    with_deflate(Endpoint::server_with(config), DeflateParams::default())
}

fn pair(config: Config, params: DeflateParams) -> Pair {
    let mut pair = Pair::new(config.ping_interval(None));
    pair.client.conn.enable_deflate(params, &eager());
    pair.server.conn.enable_deflate(params, &eager());
    pair
}

/// A message compressed by another library, in one block with BFINAL, and the byte of section 7.2.3.4 behind it.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut deflated = miniz_oxide::deflate::compress_to_vec(bytes, 6);
    deflated.push(0);
    deflated
}

/// What another library makes of the payloads of several messages of one context.
fn inflated(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut stream: Vec<u8> =
        payloads.iter().flat_map(|payload| [payload, &[0, 0, 0xFF, 0xFF][..]].concat()).collect();
    // An empty last block.
    stream.extend([0x03, 0x00]);
    miniz_oxide::inflate::decompress_to_vec(&stream).unwrap()
}

/// Bytes that do not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

// Receiving.

#[test]
fn section_7_2_3_the_examples_of_the_rfc_are_received_however_they_are_cut() {
    let hello: &[(&str, Vec<Frame>)] = &[
        ("7.2.3.1 one block", vec![text(b"\xf2\x48\xcd\xc9\xc9\x07\x00").rsv(RSV1)]),
        ("7.2.3.1 in two fragments", vec![text(b"\xf2\x48\xcd").rsv(RSV1).more(), cont(b"\xc9\xc9\x07\x00")]),
        (
            "7.2.3.3 a block without compression",
            vec![text(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00").rsv(RSV1)],
        ),
        ("7.2.3.4 a block with BFINAL", vec![text(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00").rsv(RSV1)]),
        ("7.2.3.5 two blocks", vec![text(b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00").rsv(RSV1)]),
    ];
    for (name, frames) in hello {
        let bytes = ws_tests::wire(frames, true);
        for sizes in cuts() {
            let mut server = server();
            // Twice, as the context of the first must not disturb the second.
            server.hear_pieces(&chop(&bytes, sizes));
            server.hear_pieces(&chop(&bytes, sizes));
            assert_eq!(server.events(), [Seen::text("Hello"), Seen::text("Hello")], "{name}, {sizes:?}");
            assert_eq!(server.error(), None, "{name}");
            assert!(server.conn.received_compressed());
        }
    }
}

#[test]
fn section_7_2_3_2_the_context_is_taken_over_also_from_a_block_with_bfinal() {
    for first in [&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"] {
        let mut server = server();
        server.hear(&[text(first).rsv(RSV1), text(b"\xf2\x00\x11\x00\x00").rsv(RSV1)]);
        assert_eq!(server.events(), [Seen::text("Hello"), Seen::text("Hello")]);
    }
}

#[test]
fn section_7_2_3_6_an_empty_message_is_a_zero_byte() {
    let mut server = server();
    server.hear(&[text(b"\x00").rsv(RSV1), binary(b"\x00").rsv(RSV1)]);
    assert_eq!(server.events(), [Seen::text(""), Seen::binary("")]);
    server.send_text("").unwrap();
    assert_eq!(server.say(), [text("")], "it does not shrink, and is sent as it is");
}

#[test]
fn section_6_an_uncompressed_message_in_between_leaves_the_context_alone() {
    let mut server = server();
    server.hear(&[
        text(b"\xf2\x48\xcd\xc9\xc9\x07\x00").rsv(RSV1),
        text("not compressed"),
        binary([7; 40_000]),
        text(b"\xf2\x00\x11\x00\x00").rsv(RSV1),
    ]);
    let expected =
        [Seen::text("Hello"), Seen::text("not compressed"), Seen::binary([7; 40_000]), Seen::text("Hello")];
    assert_eq!(server.events(), expected);
}

#[test]
fn section_6_rsv1_on_anything_but_the_first_frame_of_a_message_is_a_violation() {
    let illegal: &[&[Frame]] = &[
        &[text(b"\xf2\x48\xcd").rsv(RSV1).more(), cont(b"\xc9\xc9\x07\x00").rsv(RSV1)],
        &[text("plain").more(), cont("").rsv(RSV1)],
        &[ping("").rsv(RSV1)],
        &[close(1000).rsv(RSV1)],
    ];
    for frames in illegal {
        let mut server = server();
        server.hear(frames);
        assert_eq!(server.error(), Some(Error::Protocol(ProtocolError::ReservedBits)), "{frames:?}");
    }
    let mut without = Endpoint::server();
    without.hear(&[text(b"\xf2\x48\xcd\xc9\xc9\x07\x00").rsv(RSV1)]);
    assert_eq!(without.error(), Some(Error::Protocol(ProtocolError::ReservedBits)), "not agreed on");
    let mut other_bit = server();
    other_bit.hear(&[text("").rsv(2)]);
    assert_eq!(other_bit.error(), Some(Error::Protocol(ProtocolError::ReservedBits)));
}

#[test]
fn section_7_2_2_what_cannot_be_inflated_fails_with_1007_once() {
    let garbage: &[&[u8]] = &[
        b"\x07",                 // the reserved block type
        b"\x00\x05\x00\xff\xff", // the lengths of a stored block contradict each other
        b"\xf2\x00\x11\x00\x00", // refers to what was never sent
        &[0xFF; 40],
    ];
    for payload in garbage {
        let bytes = ws_tests::wire(&[binary(payload).rsv(RSV1), text("ignored")], true);
        for sizes in cuts() {
            let mut server = server();
            server.hear_pieces(&chop(&bytes, sizes));
            assert_eq!(server.error(), Some(Error::InvalidDeflate), "{payload:x?}");
            assert_eq!(server.events(), []);
            assert_eq!(server.say(), [close(1007)]);
        }
    }
}

#[test]
fn section_6_2_of_6455_text_is_checked_after_inflating_and_fails_inside_an_unfinished_message() {
    let good = "é€😀".repeat(3000);
    let mut server = server();
    let payload = deflated(good.as_bytes());
    let frames: Vec<Frame> = fragments(&payload, 5);
    server.hear(&frames);
    assert_eq!(server.events(), [Seen::text(&good)]);

    for bad in [&b"good until \xff here"[..], b"stops inside \xe2\x82"] {
        let mut server = self::server();
        server.hear(&[text(deflated(bad)).rsv(RSV1)]);
        assert_eq!(server.error(), Some(Error::InvalidUtf8));
        assert_eq!(server.say(), [close(1007)]);
    }
    // Two fragments, of which only the first arrives; it is flushed.
    let mut early = self::server();
    let mut sender = client();
    sender.send_fragment(Kind::Binary, b"\xff", false).unwrap();
    let mut frame = sender.say().remove(0);
    frame.opcode = 1;
    early.hear(&[frame]);
    assert_eq!(early.error(), Some(Error::InvalidUtf8));
}

/// The payload of a compressed text in frames of `size` bytes.
fn fragments(payload: &[u8], size: usize) -> Vec<Frame> {
    let mut frames: Vec<Frame> = payload.chunks(size).map(|chunk| cont(chunk).more()).collect();
    frames[0].opcode = 1;
    frames[0].rsv = RSV1;
    frames.last_mut().unwrap().fin = true;
    frames
}

#[test]
fn inflated_size_is_limited_to_the_byte_also_where_the_last_comes_out_with_the_final_flush() {
    const M: usize = 10_000;
    for (size, ok) in [(M - 1, true), (M, true), (M + 1, false)] {
        for byte in [b'x', b'y'] {
            let mut sender = client();
            sender.send_binary(&vec![byte; size]).unwrap();
            let bytes = sender.say_bytes();
            for pieces in [vec![&bytes[..]], every_byte(&bytes)] {
                let mut server = limited_server(M);
                server.hear_pieces(&pieces);
                if ok {
                    assert_eq!(server.events(), [Seen::binary(vec![byte; size])]);
                } else {
                    assert_eq!(server.error(), Some(Error::MessageTooBig { limit: M as u64 }));
                    assert_eq!(server.say(), [close(1009)]);
                }
            }
        }
    }
}

#[test]
fn what_does_not_compress_may_grow_a_little_and_still_pass_the_limit() {
    const M: usize = 100_000;
    let noise = noise(M);
    let mut stored = Vec::new();
    for chunk in noise.chunks(500) {
        let len = chunk.len() as u16;
        stored.push(0);
        stored.extend(len.to_le_bytes());
        stored.extend((!len).to_le_bytes());
        stored.extend(chunk);
    }
    stored.push(0);
    assert!(stored.len() > M);
    let mut server = limited_server(M);
    server.hear(&[binary(stored).rsv(RSV1)]);
    assert_eq!(server.events(), [Seen::binary(&noise)]);
}

#[test]
fn endless_empty_blocks_are_stopped_by_the_limit_on_wire_bytes() {
    const M: usize = 10_000;
    let stored = b"\x00\x00\x00\xff\xff".repeat(100);
    let fixed = b"\x02\x00\x08\x20\x80\x00\x02\x08\x20\x80".repeat(50);
    for blocks in [stored, fixed] {
        let mut server = limited_server(M);
        let mut sent = 0;
        server.hear(&[binary(&blocks).rsv(RSV1).more()]);
        while server.error().is_none() {
            sent += blocks.len();
            assert!(sent < 2 * M, "never stopped");
            server.hear(&[cont(&blocks).more()]);
        }
        assert_eq!(server.events(), []);
        assert!(
            matches!(server.error(), Some(Error::MessageTooBig { .. } | Error::InvalidDeflate)),
            "{:?}",
            server.error()
        );
    }
}

// Receiving in pieces.

/// Receives everything in `bytes` in pieces.
fn pieces(server: &mut Endpoint, bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut seen: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut rest = bytes;
    let mut frames = 0;
    loop {
        let taken = server.rx.extend_from_slice(rest);
        rest = &rest[taken..];
        while let Some(event) = server.conn.receive_chunk(server.now, &mut server.rx).unwrap() {
            match event {
                Event::Data(Chunk::FrameStart(header)) => {
                    assert_eq!(header.rsv, Rsv::NONE);
                    frames += 1;
                }
                Event::Data(Chunk::Data(data)) => seen.push((frames, data.as_bytes().to_vec())),
                _ => {}
            }
        }
        if rest.is_empty() {
            return seen;
        }
    }
}

#[test]
fn in_pieces_a_message_comes_in_windows_of_16_kib_whatever_it_inflates_to() {
    let message = "Ein Text, der sich wiederholt, é€😀. ".repeat(100_000);
    let bytes = ws_tests::wire(&fragments(&deflated(message.as_bytes()), 4000), true);
    let config = Config::default().ping_interval(None).max_message_size(1000);
    let mut server = with_deflate(Endpoint::server_with(config), DeflateParams::default());
    let seen = pieces(&mut server, &bytes);
    assert!(seen.iter().all(|(_, piece)| piece.len() <= 16 << 10 && core::str::from_utf8(piece).is_ok()));
    assert!(seen.len() > message.len() >> 14);
    let together: Vec<u8> = seen.into_iter().flat_map(|(_, piece)| piece).collect();
    assert!(together == message.as_bytes());
    assert!(server.rx.is_empty());
}

#[test]
fn a_message_that_is_skipped_still_counts_for_the_context() {
    let mut sender = client();
    let message = noise(30_000);
    sender.send_fragment(Kind::Binary, &[message.clone(), message.clone()].concat(), false).unwrap();
    sender.send_fragment(Kind::Binary, b"the rest of it", true).unwrap();
    sender.send_binary(&[&b"the rest of it"[..], &message[..20_000]].concat()).unwrap();
    let bytes = sender.say_bytes();
    for sizes in cuts() {
        let mut server = server();
        let mut skipped = false;
        let mut seen = Vec::new();
        for piece in chop(&bytes, sizes) {
            let mut rest = piece;
            while !rest.is_empty() {
                let taken = server.rx.extend_from_slice(rest);
                rest = &rest[taken..];
                while let Some(event) = server.conn.receive_chunk(server.now, &mut server.rx).unwrap() {
                    let Event::Data(Chunk::Data(data)) = event else { continue };
                    if skipped {
                        seen.extend_from_slice(data.as_bytes());
                    } else {
                        skipped = true;
                        server.conn.skip_message(&mut server.rx);
                    }
                }
            }
        }
        assert!(seen == [&b"the rest of it"[..], &message[..20_000]].concat(), "{sizes:?}");
    }
}

#[test]
fn both_ways_of_receiving_can_be_mixed_inside_a_compressed_message() {
    let message = "abcdefgh".repeat(10_000);
    let mut sender = client();
    sender.send_text(&message).unwrap();
    let bytes = sender.say_bytes();
    let mut server = server();
    server.hear_bytes(&bytes[..bytes.len() / 2]);
    server.rx.extend_from_slice(&bytes[bytes.len() / 2..]);
    let Ok(Some(Event::Data(Chunk::Data(first)))) = server.conn.receive_chunk(server.now, &mut server.rx)
    else {
        panic!()
    };
    let mut seen = first.as_bytes().to_vec();
    while server.receive_one() {}
    let events = server.events();
    let [Seen::Text(rest)] = &events[..] else { panic!("{} events", events.len()) };
    seen.extend_from_slice(rest.as_bytes());
    assert!(seen == message.as_bytes());
}

// Sending.

#[test]
fn section_7_2_3_what_is_sent_is_what_the_rfc_shows() {
    let mut server = server();
    server.send_text("Hello").unwrap();
    server.send_text("Hello").unwrap();
    let frames = server.say();
    // "does not shrink" would be a matter of bytes here: 7 are more than 5.
    assert_eq!(frames, [text("Hello"), text("Hello")]);

    server.send_fragment(Kind::Text, b"Hello", false).unwrap();
    server.send_fragment(Kind::Text, b"", true).unwrap();
    let frames = server.say();
    assert_eq!(frames[0], text(b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff").rsv(RSV1).more());
    assert_eq!(inflated(&[[&frames[0].payload[..], &frames[1].payload].concat()]), b"Hello");
}

#[test]
fn section_7_1_1_the_context_is_taken_over_unless_agreed_otherwise() {
    let message = String::from_utf8(noise(600).into_iter().map(|byte| b'a' + byte % 26).collect()).unwrap();
    for no_context_takeover in [false, true] {
        let mut server = Endpoint::server();
        server.conn.enable_deflate(params(WindowBits::MAX, no_context_takeover), &eager().level(6));
        server.send_text(&message).unwrap();
        server.send_text(&message).unwrap();
        let frames = server.say();
        assert!(frames.iter().all(|frame| frame.rsv == RSV1));
        assert_eq!(frames[0].payload == frames[1].payload, no_context_takeover);
        assert_eq!(frames[1].payload.len() < 20, !no_context_takeover);
        if no_context_takeover {
            assert_eq!(inflated(&[frames[1].payload.clone()]), message.as_bytes());
        } else {
            let both = [frames[0].payload.clone(), frames[1].payload.clone()];
            assert_eq!(inflated(&both), message.repeat(2).as_bytes());
        }
    }
}

/// Inflates a stream with no more memory of it than a ring of `window` bytes.
fn inflated_through_a_window_of(window: usize, stream: &[u8]) -> Vec<u8> {
    use miniz_oxide::inflate::TINFLStatus;
    use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

    let (mut state, mut ring) = (DecompressorOxide::new(), vec![0; window]);
    let (mut rest, mut at, mut out) = (stream, 0, Vec::new());
    loop {
        let (status, consumed, produced) = decompress(&mut state, rest, &mut ring, at, 0);
        out.extend_from_slice(&ring[at..at + produced]);
        at = (at + produced) % window;
        rest = &rest[consumed..];
        match status {
            TINFLStatus::Done => return out,
            TINFLStatus::HasMoreOutput => {}
            status => panic!("{status:?}"),
        }
    }
}

#[test]
fn section_7_1_2_nothing_refers_farther_back_than_the_window_agreed_on() {
    // Each distance up to a few windows comes up.
    let mut message = Vec::new();
    for distance in 3..1200 {
        let word = noise(distance + 8);
        message.extend_from_slice(&word);
        message.extend_from_slice(&word[..8]);
        if message.len() > 200_000 {
            break;
        }
    }
    message.extend("text of a rather common kind, ".repeat(300).into_bytes());
    for window_bits in 8..=11 {
        for level in 1..=9 {
            let mut server = Endpoint::server();
            server.conn.enable_deflate(params(bits(window_bits), false), &eager().level(level));
            let mut stream = Vec::new();
            for part in message.chunks(10_000) {
                server.send_fragment(Kind::Binary, part, false).unwrap();
            }
            server.send_fragment(Kind::Binary, b"", true).unwrap();
            for frame in server.say() {
                stream.extend(frame.payload);
            }
            stream.extend([0x00, 0x00, 0xFF, 0xFF, 0x03, 0x00]);
            assert!(
                inflated_through_a_window_of(1 << window_bits, &stream) == message,
                "window {window_bits}, level {level}"
            );
        }
    }
}

#[test]
fn what_does_not_shrink_is_sent_as_it_is_and_the_next_message_does_not_refer_to_it() {
    let mut pair = pair(Config::default(), DeflateParams::default());
    let noise = noise(5000);
    for message in [&noise[..], &noise[1000..4000], &[7; 5000], &noise[..2000]] {
        pair.client.send_binary(message).unwrap();
        pair.settle();
        assert!(pair.server.events() == [Seen::binary(message)]);
    }
    assert_eq!(pair.server.error(), None);
}

#[test]
fn small_messages_and_those_sent_with_the_switch_off_are_plain() {
    let mut server = Endpoint::server();
    server.conn.enable_deflate(DeflateParams::default(), &DeflateConfig::new().min_size(100));
    assert!(server.conn.is_compressing());
    server.send_binary(&[1; 99]).unwrap();
    server.send_binary(&[1; 100]).unwrap();
    server.conn.set_compression(false);
    server.send_binary(&[1; 100]).unwrap();
    server.conn.begin_message(Kind::Text).unwrap();
    server.conn.set_compression(true);
    server.conn.write_message(&mut server.tx, b"decided when it began").unwrap();
    server.conn.finish_message(&mut server.tx).unwrap();
    let rsv: Vec<u8> = server.say().iter().map(|frame| frame.rsv).collect();
    assert_eq!(rsv, [0, RSV1, 0, 0, 0]);
}

#[test]
fn the_callers_reserved_bits_are_its_own_and_rsv1_is_not_among_them() {
    let config = Config::default().ping_interval(None).allowed_rsv(Rsv::RSV2);
    let mut server = with_deflate(Endpoint::server_with(config), DeflateParams::default());
    let refused = server.conn.send_with_rsv(&mut server.tx, Rsv::RSV1, Kind::Binary, &[0; 500]);
    assert_eq!(refused, Err(SendError::ReservedBits));
    assert_eq!(server.conn.begin_message_with_rsv(Rsv::RSV1, Kind::Binary), Err(SendError::ReservedBits));
    server.conn.send_with_rsv(&mut server.tx, Rsv::RSV2, Kind::Binary, &[0; 500]).unwrap();
    assert_eq!(server.say(), [binary([0; 500]).rsv(2)]);
    server.hear(&[text(deflated(&[0xFF; 9])).rsv(RSV1 | 2)]);
    assert_eq!(server.events(), [Seen::binary([0xFF; 9])], "compressed, and the caller's extension as well");
    assert_eq!(server.conn.received_rsv(), Rsv::RSV2);
}

#[test]
fn a_message_that_finds_no_room_leaves_the_context_as_it_was() {
    let mut server = Endpoint::with(
        Role::Server,
        Config::default().ping_interval(None),
        Vec::new(),
        SendQueue::<Vec<u8>>::new().limit(2000),
    );
    server.conn.enable_deflate(DeflateParams::default(), &eager());
    let mut client = client();
    let noise = noise(1900);
    server.send_binary(&noise).unwrap();
    assert_eq!(server.send_binary(&[9; 1000]), Err(SendError::Full));
    client.hear_bytes(&server.say_bytes());
    server.send_binary(&[&noise[..100], &[9; 500]].concat()).unwrap();
    client.hear_bytes(&server.say_bytes());
    assert_eq!(client.error(), None);
    assert!(client.events() == [Seen::binary(&noise), Seen::binary([&noise[..100], &[9; 500]].concat())]);
}

#[test]
fn a_compressed_message_is_cut_into_fragments_with_rsv1_on_the_first_alone() {
    let config = Config::default().ping_interval(None).fragment_size(Some(7));
    let mut client = with_deflate(Endpoint::client_with(config), DeflateParams::default());
    let message = "cut me into pieces, ".repeat(5);
    client.send_text(&message).unwrap();
    let frames = client.say();
    assert!(frames.len() > 2);
    assert_eq!((frames[0].rsv, frames[0].opcode), (RSV1, 1));
    assert!(frames[1..].iter().all(|frame| frame.rsv == 0 && frame.opcode == 0));
    let mut server = server();
    server.hear(&frames);
    assert_eq!(server.events(), [Seen::text(&message)]);
}

#[test]
fn what_is_written_is_held_back_until_it_is_flushed_or_there_is_enough() {
    let mut client = client();
    let mut server = server();
    client.conn.begin_message(Kind::Text).unwrap();
    assert_eq!(client.conn.write_message(&mut client.tx, b"held back").unwrap(), 9);
    assert_eq!(client.say(), []);
    client.conn.flush_message(&mut client.tx).unwrap();
    server.rx.extend_from_slice(&client.say_bytes());
    let mut seen = Vec::new();
    while let Some(event) = server.conn.receive_chunk(server.now, &mut server.rx).unwrap() {
        if let Event::Data(Chunk::Data(data)) = event {
            seen.extend_from_slice(data.as_bytes());
        }
    }
    assert_eq!(seen, b"held back", "a flush is enough for the peer to see all of it");
    let mut written = 0;
    while client.say().is_empty() {
        written += client.conn.write_message(&mut client.tx, &[b'x'; 1000]).unwrap();
        assert!(written < 64 << 10, "never flushed");
    }
    client.conn.finish_message(&mut client.tx).unwrap();
}

#[test]
fn an_aborted_message_of_which_nothing_went_out_leaves_no_trace() {
    let mut pair = pair(Config::default(), DeflateParams::default());
    pair.client.send_text("a text that comes again").unwrap();
    pair.client.conn.begin_message(Kind::Binary).unwrap();
    pair.client.conn.write_message(&mut pair.client.tx, b"a text that does not come").unwrap();
    pair.client.conn.abort_message(pair.client.now);
    pair.client.send_text("a text that comes again and does not come").unwrap();
    pair.settle();
    let expected =
        [Seen::text("a text that comes again"), Seen::text("a text that comes again and does not come")];
    assert_eq!(pair.server.events(), expected);
}

#[test]
fn pieces_pass_through_output_of_a_few_hundred_bytes() {
    let mut message = noise(20_000);
    message.extend([7; 100_000]);
    let mut sender = Endpoint::with(
        client_role(),
        Config::default().ping_interval(None),
        Vec::new(),
        SendBuf::new([0; 300]),
    );
    sender.conn.enable_deflate(DeflateParams::default(), &eager());
    let mut server = server();
    // Pushed.
    sender.conn.begin_message(Kind::Binary).unwrap();
    let mut rest = &message[..];
    while !rest.is_empty() {
        match sender.conn.write_message(&mut sender.tx, rest) {
            Ok(n) => rest = &rest[n..],
            Err(SendError::Full) => server.hear_bytes(&sender.say_bytes()),
            Err(error) => panic!("{error}"),
        }
    }
    while let Err(error) = sender.conn.finish_message(&mut sender.tx) {
        assert_eq!(error, SendError::Full);
        let bytes = sender.say_bytes();
        assert!(!bytes.is_empty(), "full and nothing to transmit");
        server.hear_bytes(&bytes);
    }
    // Pulled.
    server.hear_bytes(&sender.say_bytes());
    assert!(server.events() == [Seen::binary(&message)]);
    sender.conn.begin_message(Kind::Binary).unwrap();
    let mut rest = &message[..];
    let mut source = |room: &mut [u8]| {
        let n = room.len().min(rest.len());
        room[..n].copy_from_slice(&rest[..n]);
        rest = &rest[n..];
        if rest.is_empty() { Pull::Last(n) } else { Pull::Data(n) }
    };
    loop {
        match sender.conn.pull_message(sender.now, &mut sender.tx, &mut source) {
            Ok(Pulled::Finished) => break,
            Ok(Pulled::Fragment) => {}
            Err(SendError::Full) => server.hear_bytes(&sender.say_bytes()),
            other => panic!("{other:?}"),
        }
    }
    server.hear_bytes(&sender.say_bytes());
    assert!(server.events() == [Seen::binary(&message)]);
}

// Prepared messages.

#[test]
fn a_prepared_message_is_understood_on_every_connection_and_disturbs_none() {
    let message = "to all of you: ".repeat(300);
    let prepared = PreparedMessage::<std::sync::Arc<[u8]>>::new(Message::Text(&message))
        .compressed(&eager(), WindowBits::MAX)
        .compressed(&eager(), bits(9));
    let agreed = [
        None,
        Some(params(WindowBits::MAX, false)),
        Some(params(WindowBits::MAX, true)),
        Some(params(bits(9), false)),
        Some(params(bits(12), true)),
    ];
    for params in agreed {
        for is_server in [true, false] {
            let (mut sender, mut receiver) = (
                Endpoint::with(
                    if is_server { Role::Server } else { client_role() },
                    Config::default().ping_interval(None),
                    Vec::new(),
                    SendQueue::new(),
                ),
                Endpoint::of(!is_server),
            );
            if let Some(params) = params {
                sender.conn.enable_deflate(params, &eager());
                receiver.conn.enable_deflate(params, &eager());
            }
            sender.conn.send(&mut sender.tx, Message::Text(&message[..1000])).unwrap();
            sender.conn.send_prepared(&mut sender.tx, &prepared).unwrap();
            sender.conn.send(&mut sender.tx, Message::Text(&message[..2000])).unwrap();
            let frames = sender.say();
            assert!(frames.iter().all(|frame| frame.rsv == if params.is_some() { RSV1 } else { 0 }));
            receiver.hear(&frames);
            let expected = [Seen::text(&message[..1000]), Seen::text(&message), Seen::text(&message[..2000])];
            assert_eq!(receiver.events(), expected, "{params:?} {is_server}");
        }
    }
}

// Anything at all.

#[derive(Clone, Debug)]
enum Send {
    Whole(Vec<u8>),
    Plain(Vec<u8>),
    Fragments(Vec<Vec<u8>>),
    Written(Vec<(Vec<u8>, bool)>),
    Ping,
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        ("[a-f]{1,8}", 0..2000_usize).prop_map(|(word, times)| word.repeat(times).into_bytes()),
        (any::<u8>(), 0..70_000_usize).prop_map(|(byte, n)| vec![byte; n]),
        (0..40_000_usize).prop_map(noise),
    ]
}

fn send() -> impl Strategy<Value = Send> {
    prop_oneof![
        4 => payload().prop_map(Send::Whole),
        2 => payload().prop_map(Send::Plain),
        2 => prop::collection::vec(payload(), 1..4).prop_map(Send::Fragments),
        2 => prop::collection::vec((payload(), any::<bool>()), 0..4).prop_map(Send::Written),
        1 => Just(Send::Ping),
    ]
}

fn any_params() -> impl Strategy<Value = DeflateParams> {
    (any::<bool>(), any::<bool>(), 8..=15_u8, 8..=15_u8).prop_map(
        |(server, client, server_bits, client_bits)| DeflateParams {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            server_max_window_bits: bits(server_bits),
            client_max_window_bits: bits(client_bits),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// RFC 7692 section 7: whatever is sent, with whatever parameters, however it is cut, arrives.
    #[test]
    fn any_messages_with_any_parameters_and_any_cuts_arrive(
        params in any_params(),
        sends in prop::collection::vec((any::<bool>(), send()), 1..12),
        cut in prop::collection::vec(1..5000_usize, 1..4),
        fragment_size in prop::option::of(1..3000_usize),
        level in 1..=9_u8,
        memory_level in 1..=9_u8,
    ) {
        let config = Config::default().fragment_size(fragment_size).max_fragments(u32::MAX).max_message_size(4 << 20).ping_interval(None);
        let codec = DeflateConfig::new().min_size(0).level(level).memory_level(memory_level);
        let mut pair = Pair::new(config).cut(&cut);
        pair.client.conn.enable_deflate(params, &codec);
        pair.server.conn.enable_deflate(params, &codec);
        for (from_client, send) in sends {
            let (side, other) = if from_client { (Side::Client, Side::Server) } else { (Side::Server, Side::Client) };
            let end = pair.side(side);
            let expected = match send {
                Send::Whole(bytes) => {
                    end.send_binary(&bytes).unwrap();
                    Seen::Binary(bytes)
                }
                Send::Plain(bytes) => {
                    end.conn.set_compression(false);
                    end.send_binary(&bytes).unwrap();
                    end.conn.set_compression(true);
                    Seen::Binary(bytes)
                }
                Send::Fragments(fragments) => {
                    for (n, fragment) in fragments.iter().enumerate() {
                        end.send_fragment(Kind::Binary, fragment, n + 1 == fragments.len()).unwrap();
                    }
                    Seen::Binary(fragments.concat())
                }
                Send::Written(pieces) => {
                    end.conn.begin_message(Kind::Binary).unwrap();
                    for (piece, flush) in &pieces {
                        let mut rest = &piece[..];
                        while !rest.is_empty() {
                            let n = end.conn.write_message(&mut end.tx, rest).unwrap();
                            rest = &rest[n..];
                        }
                        if *flush {
                            end.conn.flush_message(&mut end.tx).unwrap();
                        }
                    }
                    end.conn.finish_message(&mut end.tx).unwrap();
                    Seen::Binary(pieces.into_iter().flat_map(|(piece, _)| piece).collect())
                }
                Send::Ping => {
                    end.conn.ping(b"?").unwrap();
                    Seen::ping("?")
                }
            };
            pair.settle();
            let seen = pair.side(other).events();
            prop_assert_eq!(pair.side(other).error(), None);
            prop_assert!(seen == [expected], "{} events", seen.len());
            pair.side(side).events();
        }
    }

    /// Any bytes in compressed messages: an error or messages, the same however they are cut.
    #[test]
    fn any_bytes_in_compressed_messages_give_the_same_however_they_are_cut(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..4),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cut in prop::collection::vec(1..40_usize, 1..4),
    ) {
        let mut frames: Vec<Frame> = payloads.iter().map(|payload| binary(deflated(payload)).rsv(RSV1)).collect();
        frames.extend(payloads.iter().map(|payload| binary(payload).rsv(RSV1)));
        if let Some((index, byte)) = damage {
            let frame = &mut frames[0];
            let at = index.index(frame.payload.len());
            frame.payload[at] = byte;
        }
        let bytes = ws_tests::wire(&frames, true);
        let mut whole = limited_server(100_000);
        whole.hear_bytes(&bytes);
        let mut cut_up = limited_server(100_000);
        cut_up.hear_pieces(&chop(&bytes, &cut));
        prop_assert_eq!(whole.error(), cut_up.error());
        prop_assert!(whole.events() == cut_up.events());
    }
}
