//! Rules exactly at their edges. Each of these was once broken on purpose, and no other test noticed.
#![allow(clippy::panic, clippy::unwrap_used)]

use core::time::Duration;
use std::sync::Arc;

use ws_proto::deflate::{DeflateConfig, DeflateParams};
use ws_proto::{
    Chunk, Config, Error, Event, Message, Outbound as _, PreparedMessage, ProtocolError, Role, SendBuf,
    SendError, SendQueue, TimeoutReason, TransportAction,
};
use ws_tests::{Endpoint, Seen, at, binary, client_role, close, cont, frame, frames, ping, pong, text, wire};

fn quiet() -> Config {
    Config::default().ping_interval(None)
}

// Limits.

#[test]
fn section_10_4_no_fragments_allowed_means_no_messages_whole_ones_included() {
    for role in [Role::Server, client_role()] {
        let config = quiet().max_fragments(0);
        let mut end = Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new()));
        end.hear(&[ping("?"), text("x")]);
        assert_eq!(end.events(), [Seen::ping("?")]);
        assert_eq!(end.error(), Some(Error::TooManyFragments { limit: 0 }));
    }
}

#[test]
fn a_transport_that_claims_more_than_there_is_room_for_fills_the_room_and_no_more() {
    let mut rx = ws_proto::RecvBuf::new([0; 200]);
    rx.commit(150);
    rx.commit(100);
    assert_eq!(rx.unparsed().len(), 200);
    rx.commit(usize::MAX);
    assert_eq!(rx.unparsed().len(), 200);
}

// Closing.

#[test]
fn section_5_5_1_a_peer_that_closed_and_is_not_answered_gets_no_close_frame_for_the_timeout() {
    let config = quiet().automatic_close(false).close_timeout(Duration::from_secs(10));
    let mut server = Endpoint::server_with(config);
    server.hear(&[close(1000)]);
    server.time(at(10));
    assert_eq!(server.conn.error(), Some(Error::Timeout(TimeoutReason::Close)));
    assert_eq!(server.say(), []);
    assert_eq!(server.conn.transport_action(&server.tx), TransportAction::Close);
}

// Messages that are skipped.

#[test]
fn to_skip_between_messages_does_nothing_to_the_one_that_was_just_received() {
    let mut end = Endpoint::server();
    end.rx.extend_from_slice(&wire(&[binary("kept")], true));
    let ready = end.conn.poll_receive(end.now, &mut end.rx).unwrap().unwrap();
    end.conn.skip_message(&mut end.rx);
    assert_eq!(ready.event(&end.rx), Event::Data(Message::Binary(b"kept")));
}

#[test]
fn section_8_1_a_fault_that_was_found_behind_a_piece_is_not_undone_by_skipping_the_rest() {
    let mut end = Endpoint::server();
    end.rx.extend_from_slice(&wire(&[text(b"good \xff").more()], true));
    let start = end.conn.receive_chunk(end.now, &mut end.rx).unwrap();
    assert!(matches!(start, Some(Event::Data(Chunk::FrameStart(_)))));
    let piece = end.conn.receive_chunk(end.now, &mut end.rx).unwrap();
    assert_eq!(piece, Some(Event::Data(Chunk::Data(Message::Text("good ")))));
    end.conn.skip_message(&mut end.rx);
    assert_eq!(end.conn.receive(end.now, &mut end.rx).unwrap_err(), Error::InvalidUtf8);
}

#[test]
fn bytes_of_a_message_that_is_skipped_count_as_activity_and_asking_for_them_does_not() {
    let config = quiet().idle_timeout(Some(Duration::from_secs(10)));
    let mut end = Endpoint::server_with(config);
    let mut bytes = wire(&[binary([0; 100])], true);
    let rest = bytes.split_off(50);
    end.rx.extend_from_slice(&bytes);
    assert!(end.conn.receive_chunk(at(0), &mut end.rx).unwrap().is_some());
    end.conn.skip_message(&mut end.rx);
    assert_eq!(end.conn.receive(at(1), &mut end.rx), Ok(None));
    assert_eq!(end.conn.poll_timeout(), Some(at(11)), "bytes were passed over");
    assert_eq!(end.conn.receive(at(5), &mut end.rx), Ok(None));
    assert_eq!(end.conn.poll_timeout(), Some(at(11)), "there were none");
    end.rx.extend_from_slice(&rest[..10]);
    assert_eq!(end.conn.receive(at(6), &mut end.rx), Ok(None));
    assert_eq!(end.conn.poll_timeout(), Some(at(16)));
    end.conn.handle_timeout(at(16));
    assert_eq!(end.conn.error(), Some(Error::Timeout(TimeoutReason::Idle)));
}

// Control frames alone.

#[test]
fn section_5_5_control_frames_can_be_received_alone_and_data_stays_where_it_is() {
    let mut end = Endpoint::server();
    let control = |end: &mut Endpoint| {
        let ready = end.conn.poll_receive_control(end.now, &mut end.rx).unwrap();
        ready.map(|ready| Seen::from(ready.event(&end.rx)))
    };
    assert_eq!(control(&mut end), None);
    end.rx.extend_from_slice(&wire(&[ping("a"), pong("b"), text("data"), ping("c")], true));
    assert_eq!(control(&mut end), Some(Seen::ping("a")));
    assert_eq!(control(&mut end), Some(Seen::pong("b")));
    assert_eq!(control(&mut end), None);
    assert_eq!(control(&mut end), None, "the text is next");
    assert_eq!(end.say(), [pong("a")]);
    while end.receive_one() {}
    assert_eq!(end.events(), [Seen::text("data"), Seen::ping("c")]);

    // Inside of a frame there can be none.
    let bytes = wire(&[binary("half of it"), close(1000)], true);
    end.rx.extend_from_slice(&bytes[..8]);
    assert!(!end.receive_one());
    end.rx.extend_from_slice(&bytes[8..]);
    assert_eq!(control(&mut end), None);
    assert!(end.receive_one());
    assert_eq!(control(&mut end), Some(Seen::close(1000, "")));
    assert_eq!(end.say(), [pong("c"), close(1000)]);
}

#[test]
fn section_7_1_7_a_fault_is_found_by_receiving_control_frames_alone_and_stays() {
    let mut end = Endpoint::server();
    end.rx.extend_from_slice(&wire(&[cont("of nothing")], true));
    let fault = Error::Protocol(ProtocolError::UnexpectedContinuation);
    assert_eq!(end.conn.poll_receive_control(end.now, &mut end.rx).unwrap_err(), fault);
    end.rx.extend_from_slice(&wire(&[ping("")], true));
    assert_eq!(end.conn.poll_receive_control(end.now, &mut end.rx).unwrap_err(), fault);
    assert_eq!(end.say(), [close(1002)]);
}

// The outbox, whose 262 bytes are two of the longest control frames, masked.

#[test]
fn section_5_5_3_to_transmit_is_advised_from_where_the_longest_pong_finds_no_room() {
    let mut client = Endpoint::client();
    client.conn.pong(&[0; 125]).unwrap();
    assert!(!client.conn.should_transmit(), "131 bytes are free");
    client.conn.pong(b"").unwrap();
    assert!(client.conn.should_transmit(), "125 bytes are free");
    client.say_bytes();
    assert!(!client.conn.should_transmit());
}

#[test]
fn section_5_5_2_a_ping_may_take_the_room_to_the_last_byte() {
    for (payload, expected) in [(16, Ok(())), (17, Err(SendError::Full))] {
        let mut server = Endpoint::server();
        // 60 bytes each; 22 are left, and the ping counts as if it were masked.
        for _ in 0..4 {
            server.conn.pong(&[0; 58]).unwrap();
        }
        assert_eq!(server.conn.ping(&vec![0; payload]), expected, "{payload}");
    }
}

#[test]
fn section_5_5_control_frames_wait_whatever_their_sizes_are() {
    // With an allocator the first 24 bytes lie elsewhere than the others.
    for first in 0..=60 {
        for second in 0..=60 {
            let mut server = Endpoint::server();
            server.conn.pong(&vec![1; first]).unwrap();
            server.conn.pong(&vec![2; second]).unwrap();
            assert_eq!(server.say(), [pong(vec![1; first]), pong(vec![2; second])]);
        }
    }
    for size in 0..4 {
        for count in 1..40 {
            let mut server = Endpoint::server();
            for n in 0..count {
                server.conn.pong(&vec![n; size]).unwrap();
            }
            let expected: Vec<_> = (0..count).map(|n| pong(vec![n; size])).collect();
            assert_eq!(server.say(), expected);
        }
    }
}

// Output.

#[test]
fn section_5_5_1_data_pongs_and_the_close_frame_go_out_in_one_write() {
    for (data, pongs) in [(1, 1), (1, 0), (0, 1), (0, 0), (2, 3)] {
        let mut server = Endpoint::server();
        for _ in 0..data {
            server.send_text("data").unwrap();
        }
        for _ in 0..pongs {
            server.conn.pong(b"").unwrap();
        }
        server.close(1000, "").unwrap();
        let transmit = server.conn.poll_transmit(at(0), &mut server.tx).unwrap();
        let bytes: Vec<_> = transmit.slices().iter().flat_map(|slice| slice.to_vec()).collect();
        let mut expected = vec![pong(""); pongs];
        expected.extend(vec![text("data"); data]);
        expected.push(close(1000));
        assert_eq!(frames(&bytes, false), expected);
    }
}

#[test]
fn once_everything_is_transmitted_nothing_can_stall_also_before_it_is_asked_for_more() {
    let mut server = Endpoint::server_with(quiet().write_stall_timeout(Some(Duration::from_secs(5))));
    server.send_text("data").unwrap();
    let mut transmit = server.conn.poll_transmit(at(0), &mut server.tx).unwrap();
    transmit.advance(2);
    assert_eq!(server.conn.poll_timeout(), Some(at(5)));
    let mut transmit = server.conn.poll_transmit(at(1), &mut server.tx).unwrap();
    transmit.advance(4);
    assert_eq!(server.conn.poll_timeout(), None);
    server.conn.handle_timeout(at(100));
    assert_eq!(server.conn.error(), None);
}

#[test]
fn room_of_what_went_out_is_used_again_although_something_always_waits() {
    let mut server = Endpoint::server();
    server.send_binary(&[0; 96]).unwrap();
    for round in 0..1000 {
        server.send_binary(&[0; 96]).unwrap();
        assert_eq!(server.transmit(98).len(), 98, "{round}");
    }
    let storage = server.tx.into_storage();
    assert!(storage.capacity() <= 2048, "{}", storage.capacity());
}

// Time.

#[test]
fn a_pong_that_looks_like_an_answer_before_the_first_ping_does_not_put_it_off() {
    let mut server = Endpoint::server_with(Config::default().ping_interval(Some(Duration::from_secs(10))));
    server.now = at(9);
    server.hear(&[pong(b"ping\0\0\0\0")]);
    assert_eq!(server.conn.poll_timeout(), Some(at(10)));
    server.time(at(10));
    assert_eq!(server.say(), [ping(b"ping\0\0\0\x01")]);
}

#[test]
fn timeouts_are_whole_milliseconds_from_one_to_49_days() {
    let millis = Duration::from_millis;
    let longest = millis(u64::from(u32::MAX));
    for (asked, given) in [
        (Duration::ZERO, millis(1)),
        (Duration::from_micros(999), millis(1)),
        (Duration::from_micros(1999), millis(1)),
        (millis(2), millis(2)),
        (longest - millis(1), longest - millis(1)),
        (longest, longest),
        (longest + millis(1), longest),
        (longest + millis(2), longest),
        (Duration::MAX, longest),
    ] {
        let server = Endpoint::server_with(quiet().idle_timeout(Some(asked)));
        assert_eq!(server.conn.poll_timeout(), Some(at(0) + given), "{asked:?}");
    }
}

// Compression.

#[test]
fn section_7_2_2_of_7692_the_tail_is_inflated_with_the_rest() {
    let mut server = Endpoint::server();
    server.conn.enable_deflate(DeflateParams::default(), &DeflateConfig::new());
    // A stored block of seven bytes, of which the four that are appended are the last.
    let payload = [&[0x00, 7, 0, 0xF8, 0xFF][..], b"abc"].concat();
    let message = || frame(2, &payload).rsv(4);
    server.hear(&[message()]);
    assert_eq!(server.events(), [Seen::binary(b"abc\0\0\xff\xff")]);
}

/// Bytes that do not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Stored blocks with `bytes`, `size` of them in each, and the empty one's beginning.
fn stored(bytes: &[u8], size: usize) -> Vec<u8> {
    let block = |block: &[u8]| {
        let len = block.len() as u16;
        [&[0][..], &len.to_le_bytes(), &(!len).to_le_bytes(), block].concat()
    };
    let mut blocks: Vec<u8> = bytes.chunks(size).flat_map(block).collect();
    blocks.push(0);
    blocks
}

fn compressing(config: Config) -> Endpoint {
    let mut server = Endpoint::server_with(config);
    server.conn.enable_deflate(DeflateParams::default(), &DeflateConfig::new().min_size(0));
    server
}

#[test]
fn section_10_4_a_message_that_grew_a_sixteenth_passes_and_each_message_is_counted_anew() {
    let bytes = noise(100_000);
    let mut server = compressing(quiet().max_message_size(bytes.len()));
    // Five bytes more for every 100, which is less than a sixteenth.
    let message = frame(2, stored(&bytes, 100)).rsv(4);
    for _ in 0..3 {
        server.hear(std::slice::from_ref(&message));
        assert_eq!(server.events(), [Seen::binary(&bytes)]);
    }
    // And for every 40, which is more.
    server.hear(&[frame(2, stored(&bytes, 40)).rsv(4)]);
    assert_eq!(server.error(), Some(Error::MessageTooBig { limit: 100_000 }));
}

#[test]
fn section_6_of_7692_a_message_is_compressed_only_where_that_is_shorter() {
    let mut compressed = 0;
    for len in 0..80 {
        for period in 1..20 {
            let bytes: Vec<u8> = noise(period).into_iter().cycle().take(len).collect();
            let mut server = compressing(quiet());
            server.send_binary(&bytes).unwrap();
            let [sent] = &server.say()[..] else { panic!("one frame") };
            if sent.rsv == 4 {
                assert!(sent.payload.len() < len, "{len} {period}");
                compressed += 1;
            } else {
                assert_eq!(*sent, binary(&bytes));
            }
        }
    }
    assert!(compressed > 100, "{compressed}");
}

#[test]
fn section_6_1_of_7692_pieces_are_held_back_until_they_are_worth_a_fragment() {
    let mut server = compressing(quiet());
    server.conn.begin_message(ws_proto::Kind::Text).unwrap();
    for _ in 0..100 {
        assert_eq!(
            server.conn.write_message(&mut server.tx, b"a hundred bytes in the end, of ten thousand"),
            Ok(43)
        );
    }
    server.conn.finish_message(&mut server.tx).unwrap();
    let frames = server.say();
    assert!(frames.len() <= 10, "{} frames: as the codec sees fit, and not one for each piece", frames.len());
    assert!(frames.iter().map(|frame| frame.payload.len()).sum::<usize>() < 200);
}

#[test]
fn what_a_connection_says_about_its_compression_is_true() {
    let mut server = Endpoint::server();
    let told = |end: &Endpoint| {
        (end.conn.deflate_params(), end.conn.is_compressing(), end.conn.received_compressed())
    };
    assert_eq!(told(&server), (None, false, false));
    let params = DeflateParams { server_no_context_takeover: true, ..DeflateParams::default() };
    server.conn.enable_deflate(params, &DeflateConfig::new());
    assert_eq!(told(&server), (Some(params), true, false));
    server.conn.set_compression(false);
    assert_eq!(told(&server), (Some(params), false, false));
    server.hear(&[frame(2, stored(b"abc", 3)).rsv(4)]);
    assert_eq!(told(&server), (Some(params), false, true));
    server.hear(&[binary("abc")]);
    assert_eq!(told(&server), (Some(params), false, false));
}

// The queue of owned payloads.

#[test]
fn a_large_prepared_message_is_shared_while_it_waits_and_a_small_one_is_copied() {
    for (len, held) in [(1, 0), (1 << 20, 1)] {
        let mut server = Endpoint::with(Role::Server, quiet(), Vec::new(), SendQueue::<Arc<[u8]>>::new());
        let message = PreparedMessage::from_binary(Arc::from(vec![7; len]));
        assert!(server.tx.is_empty());
        server.conn.send_prepared(&mut server.tx, &message).unwrap();
        assert_eq!(Arc::strong_count(message.payload()) - 1, held, "{len}");
        assert!(!server.tx.is_empty());
        assert_eq!(server.tx.queued_messages(), 1);
        // What waits is not lost by giving memory back.
        server.tx.shrink(0);
        assert_eq!(server.say(), [binary(vec![7; len])]);
        assert!(server.tx.is_empty());
        assert_eq!(Arc::strong_count(message.payload()) - 1, 0);
    }
}

#[test]
fn section_7_2_2_of_7692_a_message_that_stops_inside_a_block_leaves_the_next_one_alone() {
    let mut server = compressing(quiet());
    // Of twenty bytes that are announced, three are there, and the four that are appended.
    let payload = [&[0x00, 20, 0, 0xEB, 0xFF][..], b"abc"].concat();
    server.hear(&[frame(2, payload).rsv(4), frame(2, stored(b"next", 4)).rsv(4)]);
    assert_eq!(server.error(), None);
    assert_eq!(server.events().last(), Some(&Seen::binary("next")));
}
