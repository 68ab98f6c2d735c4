//! Messages in pieces, both ways, over a transport in memory.

#![allow(clippy::panic, clippy::unwrap_used)] // The helpers of tests may do as tests do.

mod support;

use support::*;
use ws_mio::handshake::{AcceptOptions, HandshakeLimits};
use ws_mio::{
    Chunk, Config, Endpoint, Event, Instant, Kind, Message, Role, Rsv, SendError, State, Step, WebSocket,
};

const NOW: Instant = Instant::from_secs(1000);

fn server(io: Memory) -> WebSocket<Memory> {
    WebSocket::from_upgraded(io, Role::Server, Config::default(), NOW, &[])
}

/// What a frame that is not whole looks like: its first byte, and a payload.
fn fragment(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = masked(BINARY, payload);
    bytes[0] = first_byte;
    bytes
}

fn describe(event: &Event<'_, Chunk<'_>>) -> String {
    match event {
        Event::Data(Chunk::FrameStart(header)) => {
            format!("start {:?} {} {}", header.kind, header.len, if header.fin { "fin" } else { "more" })
        }
        Event::Data(Chunk::Data(piece)) => format!("data {}", String::from_utf8_lossy(piece.as_bytes())),
        Event::Data(Chunk::FrameEnd { fin }) => format!("end {}", if *fin { "fin" } else { "more" }),
        Event::Ping(payload) => format!("ping {}", String::from_utf8_lossy(payload)),
        Event::Pong(payload) => format!("pong {}", String::from_utf8_lossy(payload)),
        Event::Close(close) => format!("close {}", close.code.as_u16()),
    }
}

fn chunks(ws: &mut WebSocket<Memory>) -> Vec<String> {
    let mut got = Vec::new();
    while let Some((event, _)) = ws.next_chunk(NOW).unwrap() {
        got.push(describe(&event));
    }
    got
}

#[test]
fn frames_begin_and_end_and_control_frames_come_between_the_pieces() {
    let mut ws = server(Memory::with_incoming(
        [fragment(0x01, b"Hel"), masked(PING, b"p"), fragment(0x80, b"lo"), masked(CLOSE, &[])].concat(),
    ));
    let expected = [
        "start Text 3 more",
        "data Hel",
        "end more",
        "ping p",
        "start Text 2 fin",
        "data lo",
        "end fin",
        "close 1005",
    ];
    assert_eq!(chunks(&mut ws), expected);
}

#[test]
fn a_frame_begins_before_any_of_its_payload_has_arrived() {
    let bytes = masked(BINARY, &[b'x'; 300]);
    let mut ws = server(Memory::with_incoming(bytes[..8].iter().copied()));
    assert_eq!(chunks(&mut ws), ["start Binary 300 fin"]);
    ws.io_mut().incoming.extend(&bytes[8..10]);
    ws.handle_readiness(true, false);
    assert_eq!(chunks(&mut ws), ["data xx"]);
}

#[test]
fn a_message_beyond_every_limit_on_messages_passes_without_being_held() {
    let config = Config::default().max_message_size(1000).max_fragments(1);
    let payload = vec![7; 3 << 20];
    let io = Memory::with_incoming(masked(BINARY, &payload));
    let mut ws = WebSocket::from_upgraded(io, Role::Server, config, NOW, &[]);
    let (mut got, mut largest) = (0, 0);
    while ws.has_more() {
        while let Some((event, _)) = ws.next_chunk(NOW).unwrap() {
            if let Event::Data(Chunk::Data(piece)) = event {
                got += piece.as_bytes().len();
                largest = largest.max(piece.as_bytes().len());
            }
        }
    }
    assert_eq!(got, payload.len());
    assert!(largest <= 128 << 10, "{largest}");
}

#[test]
fn a_frame_beyond_max_frame_size_fails_the_connection_on_its_header() {
    let config = Config::default().max_frame_size(100);
    let io = Memory::with_incoming(masked(BINARY, &[0; 200])[..8].iter().copied());
    let mut ws = WebSocket::from_upgraded(io, Role::Server, config, NOW, &[]);
    ws.next_chunk(NOW).unwrap_err();
    assert_eq!(ws.io().outgoing, unmasked(CLOSE, &close_body(1009, "")));
}

#[test]
fn pieces_are_echoed_as_fragments_and_text_in_whole_characters() {
    let bytes = masked(TEXT, "Grüße".as_bytes());
    // The first cut is inside the ü.
    let mut ws = server(Memory::default());
    for part in [&bytes[..9], &bytes[9..]] {
        ws.io_mut().incoming.extend(part);
        ws.handle_readiness(true, false);
        while let Some((event, mut reply)) = ws.next_chunk(NOW).unwrap() {
            let kind = reply.received_kind();
            match event {
                Event::Data(Chunk::Data(piece)) => {
                    reply.send_fragment(kind, piece.as_bytes(), false).unwrap();
                }
                Event::Data(Chunk::FrameEnd { fin: true }) => reply.send_fragment(kind, &[], true).unwrap(),
                _ => {}
            }
        }
    }
    let expected: [&[u8]; 3] = [b"\x01\x02Gr", "\x00\x05üße".as_bytes(), b"\x80\x00"];
    assert_eq!(ws.io().outgoing, expected.concat());
}

#[test]
fn both_ways_of_receiving_can_be_mixed() {
    let mut ws = server(Memory::with_incoming(
        [masked(TEXT, b"whole"), masked(TEXT, b"in pieces"), fragment(0x02, b"be"), fragment(0x80, b"gun")]
            .concat(),
    ));
    let (event, _) = ws.next(NOW).unwrap().unwrap();
    assert_eq!(Got::from(event), Got::Text("whole".into()));
    for expected in ["start Text 9 fin", "data in pieces", "end fin", "start Binary 2 more"] {
        let (event, _) = ws.next_chunk(NOW).unwrap().unwrap();
        assert_eq!(describe(&event), expected);
    }
    let (event, _) = ws.next(NOW).unwrap().unwrap();
    assert_eq!(Got::from(event), Got::Binary(b"begun".to_vec()));
}

#[test]
fn an_endpoint_gives_pieces_too_behind_its_request() {
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let io = Memory::with_incoming([request.as_slice(), &masked(TEXT, b"hi")].concat());
    let mut endpoint = Endpoint::accept(io, HandshakeLimits::default(), Config::default(), NOW);
    let mut got = Vec::new();
    while !got.contains(&"end fin".to_owned()) {
        endpoint.handle_timeout(NOW);
        while let Some(step) = endpoint.next_chunk(NOW).unwrap() {
            match step {
                Step::Request(_, answer) => drop(answer.accept(&AcceptOptions::default()).unwrap()),
                Step::Event(event, _) => got.push(describe(&event)),
            }
        }
    }
    assert_eq!(got, ["start Text 2 fin", "data hi", "end fin"]);
}

#[test]
fn a_pushed_message_is_taken_as_far_as_the_send_limit_has_room() {
    let mut ws = server(Memory { room: Some(0), ..Memory::default() });
    ws.set_send_limit(100);
    ws.begin_message(Kind::Binary).unwrap();
    assert_eq!(ws.write_message(&[1; 60]), Ok(60));
    // The frame of 62 bytes waits.
    assert_eq!(ws.write_message(&[2; 60]), Ok(38));
    assert_eq!(ws.write_message(&[2; 22]), Err(SendError::Full));
    assert_eq!(ws.write_message(&[]), Ok(0));
    assert_eq!(ws.send(Message::Text("x")), Err(SendError::Full));
    assert!(matches!(ws.next(NOW), Ok(None)));
    ws.io_mut().room = None;
    ws.handle_readiness(false, true);
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert_eq!(ws.send(Message::Text("x")), Err(SendError::MessageInProgress));
    assert_eq!(ws.write_message(&[2; 22]), Ok(22));
    ws.finish_message().unwrap();
    ws.send(Message::Text("x")).unwrap();
    assert!(matches!(ws.next(NOW), Ok(None)));
    let expected =
        [&[2, 60][..], &[1; 60], &[0, 38], &[2; 38], &[0, 22], &[2; 22], &[0x80, 0, 0x81, 1, b'x']];
    assert_eq!(ws.io().outgoing, expected.concat());
}

#[test]
fn a_ping_goes_between_the_fragments_of_a_pushed_message() {
    let mut ws = server(Memory::default());
    ws.begin_message(Kind::Text).unwrap();
    ws.write_message(b"a").unwrap();
    assert!(matches!(ws.next(NOW), Ok(None)));
    ws.ping(b"").unwrap();
    ws.write_message(b"b").unwrap();
    ws.finish_message().unwrap();
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert_eq!(ws.io().outgoing, b"\x01\x01a\x89\x00\x00\x01b\x80\x00");
}

#[test]
fn pieces_without_a_message_text_that_is_none_and_messages_after_a_close_are_refused() {
    let mut ws = server(Memory::default());
    assert_eq!(ws.write_message(b"x"), Err(SendError::NoMessage));
    assert_eq!(ws.finish_message(), Err(SendError::NoMessage));
    ws.begin_message(Kind::Text).unwrap();
    assert_eq!(ws.begin_message(Kind::Text), Err(SendError::MessageInProgress));
    assert_eq!(ws.write_message(&[0xFF]), Err(SendError::InvalidUtf8));
    ws.write_message("ü".as_bytes().split_at(1).0).unwrap();
    assert_eq!(ws.finish_message(), Err(SendError::InvalidUtf8));
    ws.close(NOW, ws_mio::CloseCode::NORMAL, "").unwrap();
    assert_eq!(ws.write_message(b"x"), Err(SendError::Closing));
    assert_eq!(ws.finish_message(), Err(SendError::Closing));
    assert_eq!(ws.begin_message(Kind::Text), Err(SendError::Closing));
    assert_eq!(ws.send(Message::Text("x")), Err(SendError::Closing));
}

#[test]
fn giving_a_message_up_closes_with_1011_if_any_of_it_was_queued() {
    let mut ws = server(Memory::default());
    ws.abort_message(NOW);
    ws.begin_message(Kind::Binary).unwrap();
    ws.abort_message(NOW);
    assert_eq!(ws.state(), State::Open);
    ws.begin_message(Kind::Binary).unwrap();
    ws.write_message(b"x").unwrap();
    ws.abort_message(NOW);
    assert!(matches!(ws.next(NOW), Ok(None)));
    let expected = [vec![2, 1, b'x'], unmasked(CLOSE, &close_body(1011, ""))].concat();
    assert_eq!(ws.io().outgoing, expected);
}

#[test]
fn reserved_bits_that_are_allowed_go_out_and_come_in_and_others_do_not() {
    let config = Config::default().allowed_rsv(Rsv::RSV1);
    let io = Memory::with_incoming(fragment(0xC1, &[0xFF]));
    let mut ws = WebSocket::from_upgraded(io, Role::Server, config, NOW, &[]);
    let (event, mut reply) = ws.next(NOW).unwrap().unwrap();
    assert_eq!(event, Event::Data(Message::Binary(&[0xFF])));
    assert_eq!((reply.received_rsv(), reply.received_kind()), (Rsv::RSV1, Kind::Text));
    reply.send_with_rsv(Rsv::RSV1, Kind::Text, &[0xFE]).unwrap();
    assert_eq!((ws.received_rsv(), ws.received_kind()), (Rsv::RSV1, Kind::Text));
    ws.send_with_rsv(Rsv::RSV1, Kind::Binary, b"ab").unwrap();
    assert_eq!(ws.send_with_rsv(Rsv::RSV2, Kind::Binary, b""), Err(SendError::ReservedBits));
    assert_eq!(ws.begin_message_with_rsv(Rsv::RSV3, Kind::Binary), Err(SendError::ReservedBits));
    ws.begin_message_with_rsv(Rsv::RSV1, Kind::Text).unwrap();
    ws.write_message(b"c").unwrap();
    ws.finish_message().unwrap();
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert_eq!(ws.io().outgoing, b"\xC1\x01\xFE\xC2\x02ab\x41\x01c\x80\x00");
}
