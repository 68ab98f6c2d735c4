//! RFC 6455 section 5.2: the reserved bits, for whoever negotiated an extension of their own.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::{
    Chunk, Config, Error, Event, FrameHeader, Kind, Message, Outbound, ProtocolError, Pull, Pulled, Role,
    Rsv, SendBuf, SendError, SendQueue, State,
};
use ws_tests::{
    Endpoint, Frame, Seen, binary, close, cont, every_byte, fixed_key_role, frame, ping, pong, text, wire,
};

const ALL: Rsv = Rsv::RSV1.union(Rsv::RSV2).union(Rsv::RSV3);

fn quiet() -> Config {
    Config::default().ping_interval(None)
}

/// A server with these bits allowed.
fn server(allowed: Rsv) -> Endpoint {
    Endpoint::server_with(quiet().allowed_rsv(allowed))
}

/// The bits as the frames of the tests count them: RSV1 is 4.
fn rsv(bits: u8) -> Rsv {
    [(4, Rsv::RSV1), (2, Rsv::RSV2), (1, Rsv::RSV3)]
        .into_iter()
        .filter(|(bit, _)| bits & bit != 0)
        .fold(Rsv::NONE, |all, (_, bit)| all | bit)
}

// Sending.

#[test]
fn rsv1_on_a_plain_message_is_byte_exact_with_every_kind_of_output() {
    fn check<O: Outbound>(role: Role, tx: O, expected: &[u8]) {
        let mut end = Endpoint::with(role, quiet().allowed_rsv(Rsv::RSV1), Vec::new(), tx);
        end.conn.send_with_rsv(&mut end.tx, Rsv::RSV1, Kind::Text, b"Hello").unwrap();
        end.conn.send_with_rsv(&mut end.tx, Rsv::RSV1, Kind::Binary, b"").unwrap();
        assert_eq!(end.tx.queued_messages(), 2);
        assert_eq!(end.say_bytes(), expected);
    }
    let unmasked = b"\xC1\x05Hello\xC2\x00";
    check(Role::Server, SendBuf::new([0; 64]), unmasked);
    check(Role::Server, SendBuf::new(Vec::new()), unmasked);
    check(Role::Server, SendQueue::<Vec<u8>>::new(), unmasked);
    let masked = b"\xC1\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58\xC2\x80\x37\xFA\x21\x3D";
    check(fixed_key_role(), SendBuf::new([0; 64]), masked);
    check(fixed_key_role(), SendQueue::<Vec<u8>>::new(), masked);
}

#[test]
fn every_combination_of_bits_goes_where_it_belongs() {
    for bits in 0..8 {
        let mut end = server(ALL);
        end.conn.send_with_rsv(&mut end.tx, rsv(bits), Kind::Binary, b"x").unwrap();
        assert_eq!(end.say(), [binary("x").rsv(bits)]);
    }
}

#[test]
fn rsv1_is_on_the_first_fragment_only_however_the_message_is_sent() {
    let expected = [text("Hel").rsv(4).more(), cont("lo!").more(), cont("")];
    let mut end = Endpoint::server_with(quiet().allowed_rsv(Rsv::RSV1).fragment_size(Some(3)));
    end.conn.send_with_rsv(&mut end.tx, Rsv::RSV1, Kind::Text, b"Hello!").unwrap();
    assert_eq!(end.say(), [text("Hel").rsv(4).more(), cont("lo!")]);

    end.conn.begin_message_with_rsv(Rsv::RSV1, Kind::Text).unwrap();
    assert_eq!(end.conn.write_message(&mut end.tx, b"Hello!"), Ok(3));
    assert_eq!(end.conn.write_message(&mut end.tx, b"lo!"), Ok(3));
    end.conn.finish_message(&mut end.tx).unwrap();
    assert_eq!(end.say(), expected);

    end.conn.begin_message_with_rsv(Rsv::RSV1, Kind::Text).unwrap();
    end.send_fragment(Kind::Text, b"Hello!", false).unwrap();
    end.send_fragment(Kind::Text, b"", true).unwrap();
    assert_eq!(end.say(), expected);

    let mut pieces = [&b"Hel"[..], b"lo!", b""].into_iter();
    let mut source = |room: &mut [u8]| {
        let piece = pieces.next().unwrap();
        room[..piece.len()].copy_from_slice(piece);
        if piece.is_empty() { Pull::Last(0) } else { Pull::Data(piece.len()) }
    };
    end.conn.begin_message_with_rsv(Rsv::RSV1, Kind::Text).unwrap();
    while end.conn.pull_message(end.now, &mut end.tx, &mut source).unwrap() != Pulled::Finished {}
    assert_eq!(end.say(), expected);

    // The bits belong to one message, not to the connection.
    end.send_text("x").unwrap();
    end.send_fragment(Kind::Text, b"y", true).unwrap();
    end.conn.begin_message(Kind::Text).unwrap();
    end.conn.finish_message(&mut end.tx).unwrap();
    assert_eq!(end.say(), [text("x"), text("y"), text("")]);
}

#[test]
fn rsv1_of_a_message_that_is_empty_is_on_its_only_frame() {
    let mut end = server(Rsv::RSV1);
    end.conn.begin_message_with_rsv(Rsv::RSV1, Kind::Binary).unwrap();
    end.conn.finish_message(&mut end.tx).unwrap();
    assert_eq!(end.say(), [binary("").rsv(4)]);
}

/// A ping with a reserved bit is refused by the types: neither `ping` nor `pong` nor `close` takes any. This is what
/// they send, whatever is allowed.
#[test]
fn control_frames_carry_no_bits_even_between_fragments_that_do() {
    let mut end = server(ALL);
    end.conn.begin_message_with_rsv(ALL, Kind::Text).unwrap();
    end.conn.write_message(&mut end.tx, b"x").unwrap();
    let said = end.say();
    end.conn.ping(b"?").unwrap();
    end.conn.pong(b"!").unwrap();
    end.close(1000, "").unwrap();
    assert_eq!([said, end.say()].concat(), [text("x").rsv(7).more(), ping("?"), pong("!"), close(1000)]);
}

#[test]
fn bits_that_are_not_allowed_are_refused_and_nothing_is_written() {
    for allowed in 0..8_u8 {
        for bits in 1..8_u8 {
            let mut end = server(rsv(allowed));
            let sent = end.conn.send_with_rsv(&mut end.tx, rsv(bits), Kind::Binary, b"x");
            if bits & !allowed == 0 {
                assert_eq!(sent, Ok(()));
                continue;
            }
            assert_eq!(sent, Err(SendError::ReservedBits), "{bits} of {allowed}");
            let begun = end.conn.begin_message_with_rsv(rsv(bits), Kind::Binary);
            assert_eq!(begun, Err(SendError::ReservedBits));
            assert!(!end.conn.is_message_in_progress());
            assert!(!end.conn.wants_transmit(&end.tx) && end.say_bytes().is_empty());
            assert_eq!((end.conn.state(), end.tx.queued_messages()), (State::Open, 0));
        }
    }
}

#[test]
fn what_an_extension_made_of_text_is_not_checked_and_what_is_plain_text_is() {
    let mut end = server(Rsv::RSV1);
    end.conn.send_with_rsv(&mut end.tx, Rsv::RSV1, Kind::Text, b"\xff").unwrap();
    end.conn.begin_message_with_rsv(Rsv::RSV1, Kind::Text).unwrap();
    end.conn.write_message(&mut end.tx, b"\xff").unwrap();
    end.conn.finish_message(&mut end.tx).unwrap();
    assert_eq!(end.say(), [text(b"\xff").rsv(4), text(b"\xff").rsv(4).more(), cont("")]);

    // Without bits it is no extension's, and what goes out as text is text.
    let sent = end.conn.send_with_rsv(&mut end.tx, Rsv::NONE, Kind::Text, b"\xff");
    assert_eq!(sent, Err(SendError::InvalidUtf8));
    end.conn.begin_message_with_rsv(Rsv::NONE, Kind::Text).unwrap();
    assert_eq!(end.conn.write_message(&mut end.tx, b"\xff"), Err(SendError::InvalidUtf8));
    end.conn.finish_message(&mut end.tx).unwrap();
    end.conn.send_with_rsv(&mut end.tx, Rsv::NONE, Kind::Text, "é".as_bytes()).unwrap();
    end.conn.send_with_rsv(&mut end.tx, Rsv::NONE, Kind::Binary, b"\xff").unwrap();
    assert_eq!(end.say(), [text(""), text("é"), binary(b"\xff")]);
}

// Receiving.

#[test]
fn bits_that_are_allowed_are_reported_with_the_kind_of_the_message() {
    for bits in 0..8 {
        for (kind, frame) in [(Kind::Text, text("Hello")), (Kind::Binary, binary("Hello"))] {
            let mut end = server(ALL);
            end.hear(&[frame.rsv(bits)]);
            let is_text = kind == Kind::Text && bits == 0;
            let expected = if is_text { Seen::text("Hello") } else { Seen::binary("Hello") };
            assert_eq!(end.events(), [expected]);
            assert_eq!((end.conn.received_rsv(), end.conn.received_kind()), (rsv(bits), kind));
        }
    }
}

#[test]
fn text_with_bits_is_not_checked_and_neither_are_its_continuations() {
    let script = [text(b"\xff\xe2").rsv(4).more(), ping("?"), cont(b"\x00\xfe").more(), cont(b"\xe2\x82")];
    for pieces in [vec![&wire(&script, true)[..]], every_byte(&wire(&script, true))] {
        let mut end = server(Rsv::RSV1);
        end.hear_pieces(&pieces);
        assert_eq!(end.error(), None);
        assert_eq!(end.events(), [Seen::ping("?"), Seen::binary(b"\xff\xe2\x00\xfe\xe2\x82")]);
        assert_eq!((end.conn.received_rsv(), end.conn.received_kind()), (Rsv::RSV1, Kind::Text));
    }
}

#[test]
fn after_a_message_with_bits_plain_text_is_checked_again() {
    for inside in [false, true] {
        let mut end = server(Rsv::RSV1);
        end.hear(&[text(b"\xff\xe2").rsv(4), text("ok")]);
        assert_eq!(end.events(), [Seen::binary(b"\xff\xe2"), Seen::text("ok")]);
        assert_eq!((end.conn.received_rsv(), end.conn.received_kind()), (Rsv::NONE, Kind::Text));
        end.hear(&if inside { vec![text("x").more(), cont(b"\xff")] } else { vec![text(b"\xff")] });
        assert_eq!(end.error(), Some(Error::InvalidUtf8));
        assert_eq!(end.say(), [close(1007)]);
    }
}

#[test]
fn control_frames_between_do_not_change_what_was_received() {
    let mut end = server(Rsv::RSV1);
    end.hear(&[text("a").rsv(4).more(), ping("?")]);
    assert_eq!((end.conn.received_rsv(), end.conn.received_kind()), (Rsv::RSV1, Kind::Text));
    end.hear(&[cont("b"), pong("")]);
    assert_eq!((end.conn.received_rsv(), end.conn.received_kind()), (Rsv::RSV1, Kind::Text));
}

#[test]
fn in_pieces_the_bits_are_in_the_header_and_the_payload_is_binary() {
    let mut end = server(Rsv::RSV1 | Rsv::RSV3);
    end.rx.extend_from_slice(&wire(&[text(b"\xff\xe2").rsv(5).more(), cont(b"\xfe"), text("ok")], true));
    let mut headers = Vec::new();
    let mut pieces = Vec::new();
    while let Some(event) = end.conn.receive_chunk(end.now, &mut end.rx).unwrap() {
        match event {
            Event::Data(Chunk::FrameStart(header)) => headers.push(header),
            Event::Data(Chunk::Data(Message::Binary(bytes))) => pieces.push(Seen::binary(bytes)),
            Event::Data(Chunk::Data(Message::Text(text))) => pieces.push(Seen::text(text)),
            _ => {}
        }
    }
    assert_eq!(pieces, [Seen::binary(b"\xff\xe2"), Seen::binary(b"\xfe"), Seen::text("ok")]);
    let header = |continuation, fin, rsv, len| FrameHeader { kind: Kind::Text, continuation, fin, rsv, len };
    assert_eq!(
        headers,
        [
            header(false, false, Rsv::RSV1 | Rsv::RSV3, 2),
            header(true, true, Rsv::NONE, 1),
            header(false, true, Rsv::NONE, 2),
        ]
    );
}

#[test]
fn bits_that_are_not_allowed_or_not_there_fail_with_1002_at_the_header_byte() {
    // What comes first, what is wrong, and what is allowed.
    let mut cases: Vec<(Option<Frame>, Frame, u8)> = Vec::new();
    for allowed in 0..8_u8 {
        for bits in 1..8_u8 {
            if bits & !allowed != 0 {
                cases.push((None, text("Hello").rsv(bits), allowed));
                cases.push((None, binary("Hello").rsv(bits), allowed));
            }
            // However much is allowed.
            cases.push((Some(text("x").more()), cont("Hello").rsv(bits), allowed));
            cases.push((Some(text("x").rsv(allowed).more()), cont("Hello").rsv(bits), allowed));
            for opcode in 8..=10 {
                cases.push((None, frame(opcode, b"\x03\xe8").rsv(bits), allowed));
                cases.push((
                    Some(binary("x").rsv(allowed).more()),
                    frame(opcode, b"\x03\xe8").rsv(bits),
                    allowed,
                ));
            }
        }
    }
    for (before, bad, allowed) in cases {
        for is_server in [true, false] {
            for chunked in [false, true] {
                let config = quiet().allowed_rsv(rsv(allowed));
                let role = if is_server { Role::Server } else { fixed_key_role() };
                let mut end = Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new()));
                end.hear(before.as_slice());
                assert_eq!((end.error(), end.events()), (None, vec![]));
                // One byte is enough.
                let first = wire(core::slice::from_ref(&bad), is_server)[0];
                let error = if chunked {
                    end.rx.extend_from_slice(&[first]);
                    end.conn.receive_chunk(end.now, &mut end.rx).err()
                } else {
                    end.hear_bytes(&[first]);
                    end.error()
                };
                let expected = Error::Protocol(ProtocolError::ReservedBits);
                assert_eq!(error, Some(expected), "{first:#x} with {allowed} allowed");
                assert_eq!(end.say(), [close(1002)]);
            }
        }
    }
}

#[test]
fn with_nothing_allowed_no_bit_is_ever_accepted_and_with_all_of_them_the_rest_still_holds() {
    for bits in 1..8 {
        let mut end = Endpoint::server();
        end.hear_bytes(&[0x81 | bits << 4]);
        assert_eq!(end.error(), Some(ProtocolError::ReservedBits.into()));
    }
    for (first, error) in [
        (0xF3, ProtocolError::ReservedOpcode(3)),
        (0xF0, ProtocolError::ReservedBits),
        (0x80, ProtocolError::UnexpectedContinuation),
        (0x09, ProtocolError::FragmentedControlFrame),
    ] {
        let mut end = server(ALL);
        end.hear_bytes(&[first]);
        assert_eq!(end.error(), Some(error.into()), "{first:#x}");
    }
}

#[test]
fn a_round_trip_with_bits_keeps_them_and_the_payload() {
    for bits in 0..8 {
        let config = quiet().allowed_rsv(ALL).fragment_size(Some(2));
        let mut client = Endpoint::client_with(config);
        let mut server = Endpoint::server_with(config);
        let payload: &[u8] = if bits == 0 { b"abcdef" } else { b"\xff\x00\xe2\x82\xac" };
        client.conn.send_with_rsv(&mut client.tx, rsv(bits), Kind::Text, payload).unwrap();
        server.hear_bytes(&client.say_bytes());
        let expected = if bits == 0 { Seen::text("abcdef") } else { Seen::binary(payload) };
        assert_eq!(server.events(), [expected]);
        assert_eq!((server.conn.received_rsv(), server.conn.received_kind()), (rsv(bits), Kind::Text));
    }
}
