//! What the C library that people come from pins in its own tests, and the defects that must not come back.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::ProtocolError as P;
use ws_proto::{
    CloseCode, Config, Connection, Error, Kind, Message, Outbound, Role, SendBuf, SendError, State,
};
use ws_tests::{
    Endpoint, FrameLength, Seen, at, binary, close, close_with, cont, empty_close, every_byte,
    fixed_key_role, frames, ping, pong, raw_close, text,
};

fn quiet() -> Config {
    Config::default().ping_interval(None)
}

/// A client that masks with the key of the RFC's example.
fn client() -> Endpoint {
    Endpoint::with(fixed_key_role(), quiet(), Vec::new(), SendBuf::new(Vec::new()))
}

const MASKED_HELLO: [u8; 11] = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];

#[test]
fn frames_in_a_masked_hello_in_one_piece_and_byte_by_byte() {
    let mut server = Endpoint::server();
    server.hear_bytes(&MASKED_HELLO);
    assert_eq!(server.events(), [Seen::text("Hello")]);
    for byte in every_byte(&MASKED_HELLO[..10]) {
        server.hear_bytes(byte);
        assert_eq!(server.events(), []);
    }
    server.hear_bytes(&MASKED_HELLO[10..]);
    assert_eq!(server.events(), [Seen::text("Hello")]);
}

#[test]
fn frames_in_fragments_a_ping_between_them_and_an_empty_frame() {
    let mut client = Endpoint::client();
    client.hear_bytes(&[0x01, 0x03, b'H', b'e', b'l', 0x80, 0x02, b'l', b'o']);
    assert_eq!(client.events(), [Seen::text("Hello")]);
    client.hear_bytes(&[0x01, 0x03, b'H', b'e', b'l', 0x89, 0x02, b'?', b'!', 0x80, 0x02, b'l', b'o']);
    assert_eq!(client.events(), [Seen::ping("?!"), Seen::text("Hello")]);
    client.hear_bytes(&[0x81, 0x00]);
    assert_eq!(client.events(), [Seen::text("")]);
}

#[test]
fn frames_in_lengths_that_are_violations() {
    for (frame, rule) in [
        (binary("").length(FrameLength::Bits64(1 << 63)), P::LengthTooLarge),
        (ping([0; 126]), P::ControlFrameTooLong),
        (binary("").length(FrameLength::Bits16(125)), P::NonMinimalLength),
        (binary("").length(FrameLength::Bits64(65535)), P::NonMinimalLength),
    ] {
        let mut server = Endpoint::server();
        server.hear(&[frame]);
        assert_eq!(server.error(), Some(Error::Protocol(rule)));
        assert_eq!(server.say(), [close(1002)]);
    }
}

#[test]
fn frames_out_byte_exact() {
    let mut end = client();
    end.send_text("Hello").unwrap();
    assert_eq!(end.say_bytes(), MASKED_HELLO);
    end.send_text("Hello").unwrap();
    let one_at_a_time: Vec<u8> = (0..11).flat_map(|_| end.transmit(1)).collect();
    assert_eq!(one_at_a_time, MASKED_HELLO);
    end.send_text("").unwrap();
    assert_eq!(end.say_bytes(), [0x81, 0x80, 0x37, 0xFA, 0x21, 0x3D]);

    let mut end = Endpoint::server();
    end.send_fragment(Kind::Text, b"Hel", false).unwrap();
    assert_eq!(end.say_bytes(), [0x01, 0x03, b'H', b'e', b'l']);
    end.conn.ping(b"").unwrap();
    end.send_fragment(Kind::Text, b"lo", true).unwrap();
    assert_eq!(end.say_bytes(), [0x89, 0x00, 0x80, 0x02, b'l', b'o']);
}

#[test]
fn frames_out_a_ping_of_1024_bytes_is_refused_with_nothing_written() {
    let mut end = Endpoint::server();
    assert_eq!(end.conn.ping(&[0; 1024]), Err(SendError::ControlFrameTooLong));
    assert!(!end.conn.wants_transmit(&end.tx));
    assert_eq!(end.say_bytes(), []);
}

#[test]
fn sending_in_parts_of_three_and_two_bytes_and_ending_at_once() {
    let mut end = Endpoint::server();
    end.send_fragment(Kind::Text, b"Hel", false).unwrap();
    end.send_fragment(Kind::Text, b"lo", true).unwrap();
    assert_eq!(end.say(), [text("Hel").more(), cont("lo")]);
    end.send_fragment(Kind::Text, b"", true).unwrap();
    assert_eq!(end.say(), [text("")]);
}

#[test]
fn sending_a_ping_queued_during_the_first_fragment_leaves_between_the_fragments() {
    let mut end = Endpoint::server_with(quiet().fragment_size(Some(3)));
    end.send_text("Hello").unwrap();
    assert_eq!(end.tx.queued_messages(), 1);
    let mut bytes = end.transmit(2);
    end.conn.ping(b"p").unwrap();
    end.send_text("x").unwrap();
    assert_eq!(end.tx.queued_messages(), 2);
    bytes.extend(end.say_bytes());
    assert_eq!(frames(&bytes, false), [text("Hel").more(), ping("p"), cont("lo"), text("x")]);
    assert_eq!((end.tx.queued_messages(), end.tx.buffered_amount()), (0, 0));
}

#[test]
fn sending_a_ping_goes_before_a_text_that_was_queued_earlier() {
    let mut end = Endpoint::server();
    end.send_text("later").unwrap();
    end.conn.ping(b"sooner").unwrap();
    assert_eq!(end.say(), [ping("sooner"), text("later")]);
}

#[test]
fn sending_a_close_with_code_and_reason_byte_exact() {
    let mut end = Endpoint::server();
    end.close(1000, "bye").unwrap();
    assert_eq!(end.say_bytes(), [0x88, 0x05, 0x03, 0xE8, b'b', b'y', b'e']);
    let mut end = client();
    end.close(1000, "").unwrap();
    assert_eq!(end.say_bytes(), [0x88, 0x82, 0x37, 0xFA, 0x21, 0x3D, 0x34, 0x12]);
}

#[test]
fn sending_a_ping_queued_before_an_immediate_close_is_dropped() {
    let mut end = Endpoint::server();
    end.conn.ping(b"never").unwrap();
    end.close_now(1000, "").unwrap();
    assert_eq!(end.say(), [close(1000)]);
}

#[test]
fn sending_an_empty_close_reads_1005_and_so_does_a_received_one() {
    let mut end = Endpoint::server();
    end.conn.close(end.now, CloseCode::NO_STATUS, "").unwrap();
    assert_eq!(end.say_bytes(), [0x88, 0x00]);
    assert_eq!(end.conn.local_close(), Some(CloseCode::NO_STATUS));

    let mut end = Endpoint::server();
    end.hear(&[empty_close()]);
    assert_eq!(end.events(), [Seen::close(1005, "")]);
    assert_eq!(end.say(), [empty_close()]);
    assert_eq!(end.conn.peer_close(), Some(CloseCode::NO_STATUS));
    assert_eq!(end.conn.local_close(), Some(CloseCode::NO_STATUS));
}

#[test]
fn a_received_close_1009_hello_is_echoed_exactly_and_both_codes_read_1009() {
    let mut end = Endpoint::server();
    end.hear(&[close_with(1009, "Hello")]);
    assert_eq!(end.say(), [close_with(1009, "Hello")]);
    assert_eq!(end.conn.peer_close(), Some(CloseCode::MESSAGE_TOO_BIG));
    assert_eq!(end.conn.local_close(), Some(CloseCode::MESSAGE_TOO_BIG));
}

#[test]
fn a_second_close_is_refused() {
    let mut end = Endpoint::server();
    end.close(1000, "").unwrap();
    assert_eq!(end.close(1000, ""), Err(SendError::Closing));
    assert_eq!(end.close_now(1001, ""), Err(SendError::Closing));
    assert_eq!(end.say(), [close(1000)]);
    assert_eq!(end.close(1000, ""), Err(SendError::Closing));
    assert_eq!(end.say(), []);
}

#[test]
fn receiving_a_frame_of_five_with_a_limit_of_four_gives_exactly_close_1009() {
    let mut end = Endpoint::server_with(quiet().max_message_size(4));
    end.hear(&[text("Hello")]);
    assert_eq!(end.error(), Some(Error::MessageTooBig { limit: 4 }));
    assert_eq!(end.say_bytes(), [0x88, 0x02, 0x03, 0xF1]);
}

#[test]
fn receiving_five_and_five_with_a_limit_of_nine_gives_close_1009() {
    let mut end = Endpoint::server_with(quiet().max_message_size(9));
    end.hear(&[text("Hello").more(), cont("World")]);
    assert_eq!(end.error(), Some(Error::MessageTooBig { limit: 9 }));
    assert_eq!(end.say_bytes(), [0x88, 0x02, 0x03, 0xF1]);
}

// The defects.

#[test]
fn defect_1_data_queued_before_close_goes_out_first() {
    let mut end = Endpoint::server();
    for n in 0..100 {
        end.send_text(&n.to_string()).unwrap();
    }
    end.close(1000, "").unwrap();
    let sent = end.say();
    assert_eq!(sent.len(), 101);
    assert_eq!((&sent[99], &sent[100]), (&text("99"), &close(1000)));
    assert!(end.tx.is_empty());
}

#[test]
fn defect_2_frame_level_violations_end_in_a_close_1002_and_an_error() {
    for frame in [
        ping("").more(),
        ping([0; 126]),
        binary("").length(FrameLength::Bits16(5)),
        binary("").length(FrameLength::Bits64(u64::MAX)),
    ] {
        let mut end = Endpoint::server();
        end.hear(&[frame]);
        assert!(matches!(end.error(), Some(Error::Protocol(_))));
        assert_eq!(end.say(), [close(1002)]);
    }
}

#[test]
fn defect_3_a_header_violation_needs_no_payload_byte_to_be_noticed() {
    let mut end = Endpoint::server();
    end.hear_bytes(&[0xF1]);
    assert_eq!(end.error(), Some(P::ReservedBits.into()));
}

#[test]
fn defect_4_a_close_reason_split_by_the_transport_is_checked_as_a_whole() {
    let mut end = Endpoint::server();
    end.hear_pieces(&every_byte(&close_with(1000, "tschüß €").masked()));
    assert_eq!(end.events(), [Seen::close(1000, "tschüß €")]);
    let mut end = Endpoint::server();
    end.hear_pieces(&every_byte(&close_with(1000, b"x\xe2\x82").masked()));
    assert_eq!(end.error(), Some(Error::InvalidUtf8));
    let mut end = Endpoint::server();
    end.hear(&[raw_close([3])]);
    assert_eq!(end.error(), Some(P::CloseBodyTooShort.into()));
    for code in 1012..=1014 {
        let mut end = Endpoint::server();
        end.hear(&[close(code)]);
        assert_eq!(end.events(), [Seen::close(code, "")]);
    }
}

#[test]
fn defect_5_neither_pongs_nor_messages_queue_without_bound() {
    let mut end = Endpoint::with(Role::Server, quiet(), Vec::new(), SendBuf::default());
    for n in 0..10_000_u32 {
        end.hear(&[ping([n as u8; 125])]);
    }
    assert!(end.transmit(usize::MAX).len() <= 262);
    let mut sent = 0;
    while end.send_binary(&[0; 1000]).is_ok() {
        sent += 1;
    }
    assert_eq!(end.send_binary(&[0; 1000]), Err(SendError::Full));
    assert!((1000..=1048).contains(&sent), "{sent}");
}

#[test]
fn defect_6_no_frame_is_allocated_when_its_header_arrives() {
    let mut end = Endpoint::server_with(quiet().max_message_size(1 << 40));
    end.hear(&[binary("").length(FrameLength::Bits64(1 << 39))]);
    assert!(end.rx.capacity() <= 4096);
}

#[test]
fn defect_7_a_failure_is_seen_by_the_application_each_time_it_asks() {
    let mut end = Endpoint::server();
    end.hear(&[cont("")]);
    for _ in 0..3 {
        assert_eq!(end.conn.receive(at(1), &mut end.rx), Err(P::UnexpectedContinuation.into()));
        assert_eq!(end.conn.error(), Some(P::UnexpectedContinuation.into()));
        assert_eq!(end.conn.state(), State::Closed);
    }
}

#[test]
fn defect_9_two_connections_do_not_share_masks() {
    let mut outputs = Vec::new();
    for seed in [[1; 32], [2; 32]] {
        let role = Role::Client(ws_proto::MaskKeys::from_seed(seed));
        let mut conn = Connection::new(role, quiet(), at(0));
        let mut tx = SendBuf::new([0; 64]);
        for _ in 0..4 {
            conn.send(&mut tx, Message::Binary(&[])).unwrap();
        }
        outputs.push(conn.poll_transmit(at(0), &mut tx).unwrap().slices().concat());
    }
    let keys = |bytes: &[u8]| bytes.chunks(6).map(|frame| frame[2..].to_vec()).collect::<Vec<_>>();
    let (one, other) = (keys(&outputs[0]), keys(&outputs[1]));
    assert!(one.iter().all(|key| !other.contains(key)));
}

#[test]
fn a_closed_connection_used_again_answers_closing_and_never_panics() {
    let mut end = Endpoint::server();
    end.hear(&[close(1000)]);
    end.say();
    let _ = end.conn.receive_eof();
    assert_eq!(end.send_text("x"), Err(SendError::Closing));
    assert_eq!(end.send_fragment(Kind::Text, b"", true), Err(SendError::Closing));
    assert_eq!(end.conn.ping(b""), Err(SendError::Closing));
    assert_eq!(end.conn.pong(b""), Err(SendError::Closing));
    assert_eq!(end.close(1000, ""), Err(SendError::Closing));
    assert_eq!(end.close_now(1000, ""), Err(SendError::Closing));
    end.hear(&[ping(""), pong("")]);
    end.time(at(1 << 30));
    assert_eq!((end.say(), end.events().len(), end.conn.error()), (vec![], 1, None));
}
