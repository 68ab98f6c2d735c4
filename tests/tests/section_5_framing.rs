//! RFC 6455 sections 5.1 to 5.3, 5.6 and 5.7: frame headers, masking, data frames.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::ProtocolError as P;
use ws_proto::{Config, Error, Kind, Message, RecvBuf, SendBuf};
use ws_tests::{
    Endpoint, Frame, FrameLength, Seen, binary, client_role, close, cont, cuts, every_byte, fixed_key_role,
    frames, ping, text, wire,
};

/// What section 5 says about the first two bytes of a frame: the rule that is broken, and at which of the two bytes.
/// Written from the text of the RFC, one sentence a line.
fn oracle(first: u8, second: u8, is_server: bool, in_message: bool) -> Result<(), (usize, P)> {
    let fin = first >= 0x80;
    let opcode = first % 16;
    let masked = second >= 0x80;
    let length = second % 128;
    if !(first / 16).is_multiple_of(8) {
        return Err((1, P::ReservedBits)); // 5.2: "MUST be 0 unless an extension is negotiated"
    }
    if (3..=7).contains(&opcode) || opcode >= 11 {
        return Err((1, P::ReservedOpcode(opcode))); // 5.2: "If an unknown opcode is received"
    }
    if opcode >= 8 && !fin {
        return Err((1, P::FragmentedControlFrame)); // 5.5: "MUST NOT be fragmented"
    }
    if (opcode == 1 || opcode == 2) && in_message {
        return Err((1, P::ExpectedContinuation)); // 5.4: fragments of messages "MUST NOT be interleaved"
    }
    if opcode == 0 && !in_message {
        return Err((1, P::UnexpectedContinuation)); // 5.4
    }
    if is_server && !masked {
        return Err((2, P::UnmaskedFrame)); // 5.1
    }
    if !is_server && masked {
        return Err((2, P::MaskedFrame)); // 5.1
    }
    if opcode >= 8 && length > 125 {
        return Err((2, P::ControlFrameTooLong)); // 5.5
    }
    Ok(())
}

#[test]
fn section_5_2_every_pair_of_first_bytes_has_the_verdict_of_the_rfc_at_the_offending_byte() {
    for is_server in [true, false] {
        for in_message in [true, false] {
            let prologue = if in_message { wire(&[text("a").more()], is_server) } else { Vec::new() };
            for pair in 0..=u16::MAX {
                let [first, second] = pair.to_be_bytes();
                let expected = oracle(first, second, is_server, in_message);
                let context = (first, second, is_server, in_message);
                let role = if is_server { ws_proto::Role::Server } else { client_role() };
                let mut end = Endpoint::with(role, Config::default(), [0; 512], SendBuf::new([0; 8]));
                end.hear_bytes(&prologue);

                end.hear_bytes(&[first]);
                if let Err((1, rule)) = expected {
                    assert_eq!(end.error(), Some(Error::Protocol(rule)), "{context:x?}");
                    continue;
                }
                assert_eq!(end.error(), None, "{context:x?}");
                end.hear_bytes(&[second]);
                assert_eq!(end.error(), expected.err().map(|(_, rule)| rule.into()), "{context:x?}");
            }
        }
    }
}

#[test]
fn section_5_2_header_violations_are_noticed_at_their_byte_and_before_any_payload() {
    use FrameLength::{Bits16, Bits64};
    let declared = |len| binary([]).length(len);
    // The frame, the rule, and the number of the byte that breaks it.
    let table: &[(&str, Frame, P, usize)] = &[
        ("16 bits for 0", declared(Bits16(0)), P::NonMinimalLength, 4),
        ("16 bits for 1", declared(Bits16(1)), P::NonMinimalLength, 4),
        ("16 bits for 125", declared(Bits16(125)), P::NonMinimalLength, 4),
        ("64 bits for 0", declared(Bits64(0)), P::NonMinimalLength, 8),
        ("64 bits for 125", declared(Bits64(125)), P::NonMinimalLength, 8),
        ("64 bits for 126", declared(Bits64(126)), P::NonMinimalLength, 8),
        ("64 bits for 65535", declared(Bits64(65535)), P::NonMinimalLength, 8),
        ("64 bits, top bit", declared(Bits64(1 << 63)), P::LengthTooLarge, 3),
        ("64 bits, all ones", declared(Bits64(u64::MAX)), P::LengthTooLarge, 3),
        ("RSV1", binary("x").rsv(4), P::ReservedBits, 1),
        ("RSV2", binary("x").rsv(2), P::ReservedBits, 1),
        ("RSV3", binary("x").rsv(1), P::ReservedBits, 1),
        ("RSV1 on a ping", ping("x").rsv(4), P::ReservedBits, 1),
        ("a fragmented ping", ping("x").more(), P::FragmentedControlFrame, 1),
        ("a fragmented Close", close(1000).more(), P::FragmentedControlFrame, 1),
        ("a ping of 126", ping([0; 126]), P::ControlFrameTooLong, 2),
        ("a ping with a 64-bit length", ping("").length(Bits64(5)), P::ControlFrameTooLong, 2),
        ("a Close of 126", ws_tests::raw_close([0; 126]), P::ControlFrameTooLong, 2),
        ("opcode 3", ws_tests::frame(3, "x"), P::ReservedOpcode(3), 1),
        ("opcode 15", ws_tests::frame(15, "x"), P::ReservedOpcode(15), 1),
        ("a continuation of nothing", cont("x"), P::UnexpectedContinuation, 1),
    ];
    for is_server in [true, false] {
        for (name, frame, rule, at) in table {
            let bytes = wire(core::slice::from_ref(frame), is_server);
            let mut end = Endpoint::of(is_server);
            for (index, byte) in every_byte(&bytes).into_iter().take(*at).enumerate() {
                assert_eq!(end.error(), None, "{name}: before byte {}", index + 1);
                end.hear_bytes(byte);
            }
            assert_eq!(end.error(), Some(Error::Protocol(*rule)), "{name}");
            assert_eq!(end.events(), [], "{name}");
            assert_eq!(end.say(), [close(1002)], "{name}");
        }
    }
}

#[test]
fn section_5_2_the_least_length_of_each_form_is_accepted() {
    for is_server in [true, false] {
        for len in [0, 1, 125, 126, 127, 128, 254, 255, 256, 65535, 65536, 65537] {
            let payload: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let mut end = Endpoint::of(is_server);
            end.hear(&[binary(&payload)]);
            assert_eq!((end.events(), end.error()), (vec![Seen::binary(&payload)], None), "{len}");
        }
    }
}

#[test]
fn section_5_1_a_server_fails_on_an_unmasked_and_a_client_on_a_masked_frame() {
    let mut server = Endpoint::server();
    server.hear_bytes(&text("Hello").unmasked());
    assert_eq!(server.error(), Some(P::UnmaskedFrame.into()));
    assert_eq!(server.say(), [close(1002)]);

    let mut client = Endpoint::client();
    client.hear_bytes(&text("Hello").masked());
    assert_eq!(client.error(), Some(P::MaskedFrame.into()));
    assert_eq!(client.say(), [close(1002)]);
}

#[test]
fn section_5_1_a_client_masks_every_frame_it_sends_and_a_server_none() {
    for is_server in [true, false] {
        let mut end = Endpoint::of(is_server);
        end.hear(&[ping("p")]);
        end.conn.ping(b"q").unwrap();
        end.conn.pong(b"r").unwrap();
        end.send_text("t").unwrap();
        end.send_fragment(Kind::Binary, b"f", false).unwrap();
        end.send_fragment(Kind::Binary, b"g", true).unwrap();
        end.close(1000, "c").unwrap();
        // `say` panics if a mask bit is not as it has to be.
        assert_eq!(end.say().len(), 7);
    }
}

#[test]
fn section_5_3_every_frame_has_a_key_of_its_own_control_frames_and_fragments_included() {
    let config = Config::default().ping_interval(None).fragment_size(Some(4));
    let mut client = Endpoint::client_with(config);
    let mut keys = std::collections::HashSet::new();
    let mut count = 0;
    for _ in 0..2000 {
        client.send_text("12345678").unwrap();
        client.conn.ping(b"").unwrap();
        client.hear(&[ping("")]);
        let bytes = client.say_bytes();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            keys.insert(rest[2..6].to_vec());
            rest = &rest[6 + usize::from(rest[1] & 0x7F)..];
            count += 1;
        }
    }
    assert_eq!(count, 8000);
    // Chance alone makes two of 8,000 keys alike once in 134 runs, and four of them once in 36,000; the seed is fixed.
    assert!(keys.len() >= count - 1, "{} keys for {count} frames", keys.len());
}

#[test]
fn section_5_3_a_callers_generator_is_asked_once_a_frame_and_used_verbatim() {
    use core::sync::atomic::{AtomicU32, Ordering};
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let role = ws_proto::Role::Client(ws_proto::MaskKeys::from_fn(|| {
        (CALLS.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes()
    }));
    let config = Config::default().ping_interval(None).fragment_size(Some(2));
    let mut client = Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new()));
    client.send_binary(&[0; 5]).unwrap();
    client.conn.ping(&[0; 4]).unwrap();
    client.close(client.now.as_duration().as_secs() as u16 + 1000, "").unwrap();
    assert_eq!(CALLS.load(Ordering::Relaxed), 5);
    let sent = client.say_bytes();
    // The ping overtakes, but its key was the fourth drawn; a payload of zeros shows the key.
    assert_eq!(sent[..10], [0x89, 0x84, 0, 0, 0, 4, 0, 0, 0, 4]);
    assert_eq!(sent[10..18], [0x02, 0x82, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn section_5_7_the_examples_of_the_rfc_are_produced_and_understood() {
    // "A single-frame unmasked text message"
    let unmasked = [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
    // "A single-frame masked text message"
    let masked = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];

    let mut server = Endpoint::server();
    server.hear_bytes(&masked);
    server.send_text("Hello").unwrap();
    assert_eq!(server.events(), [Seen::text("Hello")]);
    assert_eq!(server.say_bytes(), unmasked);

    let mut client =
        Endpoint::with(fixed_key_role(), Config::default(), Vec::new(), SendBuf::new(Vec::new()));
    client.hear_bytes(&unmasked);
    client.send_text("Hello").unwrap();
    assert_eq!(client.events(), [Seen::text("Hello")]);
    assert_eq!(client.say_bytes(), masked);

    // "A fragmented unmasked text message", then "Unmasked Ping request and masked Ping response"
    client.hear_bytes(&[0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F]);
    client.hear_bytes(&[0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]);
    assert_eq!(client.events(), [Seen::text("Hello"), Seen::ping("Hello")]);
    assert_eq!(client.say_bytes(), [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]);

    // "256 bytes binary message in a single unmasked frame", "64KiB binary message in a single unmasked frame"
    server.send_binary(&[7; 256]).unwrap();
    assert_eq!(server.say_bytes()[..4], [0x82, 0x7E, 0x01, 0x00]);
    server.send_binary(&[7; 65536]).unwrap();
    assert_eq!(server.say_bytes()[..10], [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn section_5_6_any_cut_gives_the_same_messages() {
    let long = "€uro ".repeat(300);
    let script = [
        text("Hello"),
        text(""),
        binary([0xFF; 126]),
        ping("?"),
        text(&long.as_bytes()[..100]).more(),
        ping("!"),
        cont(&long.as_bytes()[100..]),
        ws_tests::pong(""),
    ];
    for is_server in [true, false] {
        let bytes = wire(&script, is_server);
        for sizes in cuts() {
            let mut end = Endpoint::of(is_server);
            end.hear_pieces(&ws_tests::chop(&bytes, sizes));
            assert_eq!(end.error(), None);
            let expected = [
                Seen::text("Hello"),
                Seen::text(""),
                Seen::binary([0xFF; 126]),
                Seen::ping("?"),
                Seen::ping("!"),
                Seen::text(&long),
                Seen::pong(""),
            ];
            assert_eq!(end.events(), expected, "{sizes:?}");
        }
    }
}

#[test]
fn section_5_2_an_incomplete_header_is_no_error_and_nothing_is_consumed() {
    let bytes = binary([9; 70_000]).masked();
    let mut server = Endpoint::server();
    for n in 1..14 {
        server.hear_bytes(&bytes[n - 1..n]);
        assert!(!server.receive_one());
        assert_eq!(server.rx.unparsed(), &bytes[..n], "a header is consumed whole or not at all");
    }
    server.hear_bytes(&bytes[13..]);
    assert_eq!(server.events(), [Seen::binary([9; 70_000])]);
}

#[test]
fn section_5_6_what_is_sent_is_one_minimal_frame_unless_a_fragment_size_says_otherwise() {
    for is_server in [true, false] {
        for len in [0, 1, 125, 126, 65535, 65536, 200_000] {
            let payload = vec![b'x'; len];
            for size in [None, Some(0), Some(1), Some(125), Some(126), Some(65536), Some(usize::MAX)] {
                if size.unwrap_or(usize::MAX) < 2 && len > 1000 {
                    continue;
                }
                let config = Config::default().ping_interval(None).fragment_size(size);
                let role = if is_server { ws_proto::Role::Server } else { client_role() };
                let mut end = Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new()));
                end.conn.send(&mut end.tx, Message::Binary(&payload)).unwrap();
                let sent = end.say();

                let size = size.unwrap_or(usize::MAX).max(1);
                let mut expected: Vec<Frame> = payload.chunks(size).map(|part| cont(part).more()).collect();
                if expected.is_empty() {
                    expected.push(cont(""));
                }
                expected[0].opcode = 2;
                expected.last_mut().unwrap().fin = true;
                assert!(sent == expected, "{len} bytes in fragments of {size}");
            }
        }
    }
}

#[test]
fn section_5_2_bytes_that_came_behind_the_handshake_are_received_first() {
    let mut rx = RecvBuf::new(Vec::new());
    assert_eq!(rx.extend_from_slice(&text("early").masked()), 11);
    let mut server = Endpoint::server();
    server.rx = rx;
    while server.receive_one() {}
    server.hear(&[text("late")]);
    assert_eq!(server.events(), [Seen::text("early"), Seen::text("late")]);
}

#[test]
fn what_the_tests_write_they_read_again() {
    let script = [text("a").more(), ping([1; 125]), cont([2; 126]), binary([3; 70_000]), close(1001)];
    for masked in [true, false] {
        assert_eq!(frames(&wire(&script, masked), masked), script);
    }
}
