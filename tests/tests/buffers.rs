//! The caller's buffers: storage of fixed size, growth, stale events, copies.
#![allow(clippy::panic, clippy::std_instead_of_alloc, clippy::unwrap_used)]

use proptest::prelude::*;
use ws_proto::{
    Chunk, CloseCode, Config, Connection, Error, Event, Instant, Kind, Message, Outbound as _, RecvBuf, Role,
    SendBuf, SendError, SendQueue,
};
use ws_tests::{
    Endpoint, Frame, Seen, binary, chop, client_role, close, close_with, cont, every_byte, ping, pong, text,
    wire,
};

const MIN: usize = RecvBuf::<[u8; 0]>::MIN_SIZE;

fn config() -> Config {
    Config::default().ping_interval(None).max_message_size(usize::MAX)
}

/// A server on a receive buffer of exactly `size` bytes.
fn fixed(size: usize) -> Endpoint<&'static mut [u8]> {
    Endpoint::with(Role::Server, config(), vec![0xAA; size].leak(), SendBuf::new(Vec::new()))
}

/// Design trap: pings between fragments leave a hole of dead bytes, the buffer fills with it, the spare is empty, a
/// read into it returns 0, and that looks like the end of the stream. `hear_bytes` panics if that happens.
#[test]
fn pings_between_fragments_leave_no_stuck_buffer() {
    for size in [MIN + 10, 200, 256, 1000] {
        let mut end = fixed(size);
        let n = size - MIN;
        let mut script = vec![binary([0; 1]).more()];
        for i in 1..n {
            script.push(ping([i as u8; 125]));
            script.push(cont([i as u8]).more());
        }
        script.push(cont(""));
        let bytes = wire(&script, true);
        for piece in chop(&bytes, &[1, 50, 131, 7]) {
            end.hear_bytes(piece);
            end.say();
        }
        assert_eq!(end.error(), None, "{size}");
        let message: Vec<u8> = (0..n).map(|i| i as u8).collect();
        let mut events = end.events();
        assert_eq!(events.pop(), Some(Seen::binary(message)));
        assert_eq!(events.len(), n - 1);
    }
}

#[test]
fn what_cannot_fit_is_message_too_big_at_its_header() {
    for size in [MIN, MIN + 1, 500] {
        // One frame may fill the whole buffer.
        let mut end = fixed(size);
        end.hear(&[binary(vec![1; size]), binary(vec![2; size])]);
        assert_eq!(end.events(), [Seen::binary(vec![1; size]), Seen::binary(vec![2; size])]);
        end.hear_bytes(&binary(vec![1; size + 1]).masked()[..14.min(size)]);
        assert_eq!(end.error(), Some(Error::MessageTooBig { limit: size as u64 }));
        assert_eq!(end.say(), [close(1009)]);

        // Before the last fragment, room for a control frame is kept.
        let most = size - MIN;
        let mut end = fixed(size);
        end.hear(&[binary(vec![1; most]).more(), ping([0; 125]), cont(vec![2; MIN])]);
        assert_eq!(end.events().last(), Some(&Seen::binary([vec![1; most], vec![2; MIN]].concat())));
        end.hear(&[binary(vec![1; most + 1]).more()]);
        assert_eq!(end.error(), Some(Error::MessageTooBig { limit: most as u64 }));
    }
}

#[test]
fn a_buffer_too_small_for_a_control_frame_fails_instead_of_standing_still() {
    for size in 0..MIN {
        let mut end = fixed(size);
        let piece = ping([1; 125]).masked();
        let mut taken = 0;
        while end.error().is_none() {
            let n = end.rx.extend_from_slice(&piece[taken..]);
            taken += n;
            while end.receive_one() {}
        }
        assert_eq!(end.error(), Some(Error::MessageTooBig { limit: size as u64 }));
        assert_eq!(end.say(), [close(1009)]);
    }
}

#[test]
fn extend_from_slice_takes_what_there_is_room_for() {
    let mut rx = RecvBuf::new([0; 10]);
    assert_eq!(rx.extend_from_slice(&[1; 4]), 4);
    assert_eq!(rx.extend_from_slice(&[2; 40]), 6);
    assert_eq!(rx.extend_from_slice(&[3]), 0);
    assert_eq!(rx.unparsed(), [1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    let mut rx = RecvBuf::new(Vec::new());
    assert_eq!(rx.extend_from_slice(&[7; 300_000]), 300_000);
    assert_eq!(rx.unparsed(), [7; 300_000]);
    assert!(rx.capacity() < 900_000);
}

#[test]
fn a_message_of_one_frame_is_delivered_from_where_it_was_received() {
    for storage in [Vec::new(), vec![0; 1 << 17]] {
        let mut rx = RecvBuf::new(storage);
        let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
        let bytes = text("x".repeat(70_000)).masked();
        assert_eq!(rx.extend_from_slice(&bytes), bytes.len());
        let received_at = rx.unparsed().as_ptr() as usize + 14;
        match conn.receive(Instant::ZERO, &mut rx) {
            Ok(Some(Event::Data(Message::Text(text)))) => {
                assert_eq!((text.len(), text.as_ptr() as usize), (70_000, received_at));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What is left of each read moves to the front, so that the reads never get to the end of a larger and larger buffer.
#[test]
fn small_messages_that_reads_of_4_kib_cut_in_two_are_received_in_8_kib() {
    const READ: usize = 4 << 10;
    let messages: Vec<_> = (0..1000).map(|i| binary(vec![i as u8; 1000])).collect();
    let bytes = wire(&messages, true);
    let mut connection = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut rx = RecvBuf::default();
    let mut received = 0;
    for read in bytes.chunks(READ) {
        rx.spare_mut()[..read.len()].copy_from_slice(read);
        rx.commit(read.len());
        while let Some(event) = connection.receive(Instant::ZERO, &mut rx).unwrap() {
            assert_eq!(event, Event::Data(Message::Binary(&[received as u8; 1000])));
            received += 1;
        }
    }
    assert_eq!((received, rx.capacity()), (1000, 2 * READ));
}

#[test]
fn a_large_frame_comes_to_lie_in_a_buffer_of_its_size() {
    for size in [200_000, 300_000, 1 << 20, 3 << 20] {
        for before in ["", "a message before it"] {
            // A thread of its own, which keeps no buffer of another size.
            let capacity = std::thread::spawn(move || {
                let mut end = Endpoint::server_with(config());
                end.hear(&[text(before), binary(vec![7; size])]);
                assert_eq!(end.events(), [Seen::text(before), Seen::binary(vec![7; size])]);
                end.rx.capacity()
            });
            let capacity = capacity.join().unwrap();
            assert!((size..size + (16 << 10)).contains(&capacity), "{capacity} for {size}");
        }
    }
}

#[test]
fn an_echo_of_16_mib_holds_the_message_once_on_each_side() {
    const SIZE: usize = 16 << 20;
    let mut rx = RecvBuf::new(Vec::new());
    let mut tx = SendBuf::new(Vec::new());
    let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut bytes = vec![0x82, 0xFF];
    bytes.extend((SIZE as u64).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.resize(14 + SIZE, 0x5A);
    let mut echoed = 0;
    for piece in bytes.chunks(64 << 10) {
        assert_eq!(rx.extend_from_slice(piece), piece.len());
        if let Some(Event::Data(message)) = conn.receive(Instant::ZERO, &mut rx).unwrap() {
            // The event borrows `rx` alone: this compiles, and nothing is copied before it.
            conn.send(&mut tx, message).unwrap();
            assert!(message.as_bytes().iter().all(|&byte| byte == 0x5A));
            echoed = message.as_bytes().len();
        }
    }
    assert_eq!(echoed, SIZE);
    assert!(rx.capacity() >= SIZE && rx.capacity() <= 2 * SIZE + (64 << 10), "{}", rx.capacity());
    assert_eq!(tx.buffered_amount(), SIZE + 10);
    assert_eq!(tx.capacity(), SIZE + 10 + 60, "one copy and its lead, and no room to spare");
    assert_eq!(conn.receive(Instant::ZERO, &mut rx), Ok(None));
    rx.shrink(0);
    assert_eq!(rx.capacity(), 0);
    while let Some(mut transmit) = conn.poll_transmit(Instant::ZERO, &mut tx) {
        let n = transmit.slices()[0].len();
        transmit.advance(n);
    }
    tx.shrink(0);
    assert_eq!(tx.capacity(), 0);
    // Both are as good as new.
    rx.extend_from_slice(&text("again").masked());
    assert_eq!(conn.receive(Instant::ZERO, &mut rx), Ok(Some(Event::Data(Message::Text("again")))));
    conn.send(&mut tx, Message::Text("again")).unwrap();
    assert_eq!(conn.poll_transmit(Instant::ZERO, &mut tx).unwrap().slices()[0], text("again").unmasked());
}

#[test]
fn a_buffer_that_is_in_use_does_not_shrink() {
    let mut end = Endpoint::server();
    end.hear_bytes(&text("Hello").masked()[..8]);
    let capacity = end.rx.capacity();
    end.rx.shrink(0);
    assert_eq!(end.rx.capacity(), capacity);
    end.hear_bytes(&text("Hello").masked()[8..]);
    assert_eq!(end.events(), [Seen::text("Hello")]);
    end.send_text("x").unwrap();
    end.tx.shrink(0);
    assert_eq!(end.say(), [text("x")]);
}

#[test]
fn a_ready_event_of_before_has_an_empty_payload_and_never_other_bytes() {
    type Use = fn(&mut Connection, &mut RecvBuf<Vec<u8>>);
    let receive: Use = |conn, rx| {
        let _ = conn.poll_receive(Instant::ZERO, rx);
    };
    let refill: Use = |_, rx| {
        rx.extend_from_slice(&text("BBBBB").masked());
    };
    let refill_and_receive: Use = |conn, rx| {
        rx.extend_from_slice(&text("BBBBB").masked());
        let _ = conn.poll_receive(Instant::ZERO, rx);
    };
    let refill_with_a_ping_and_receive: Use = |conn, rx| {
        rx.extend_from_slice(&ping(b"\xff\xfe\xfd\xfc\xfb").masked());
        let _ = conn.poll_receive(Instant::ZERO, rx);
    };
    let shrink: Use = |_, rx| {
        rx.spare_mut();
        rx.shrink(0);
    };
    for first in [text("AAAAA"), binary("AAAAA"), ping("AAAAA"), pong("AAAAA"), close_with(1000, "AAAAA")] {
        for (name, behind, using) in [
            ("receive", vec![], receive),
            ("receive, with another behind", vec![text("BBBBB")], receive),
            ("receive, with a ping behind", vec![ping("BBBBB")], receive),
            ("receive, with a violation behind", vec![cont("BBBBB")], receive),
            ("refill", vec![], refill),
            ("refill and receive", vec![], refill_and_receive),
            ("refill with a ping and receive", vec![], refill_with_a_ping_and_receive),
            ("shrink", vec![], shrink),
        ] {
            let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
            let mut rx = RecvBuf::new(Vec::new());
            rx.extend_from_slice(&wire(&[vec![first.clone()], behind].concat(), true));
            let ready = conn.poll_receive(Instant::ZERO, &mut rx).unwrap().unwrap();
            let fresh = Seen::from(ready.event(&rx));
            using(&mut conn, &mut rx);
            let stale = Seen::from(ready.event(&rx));
            let (Seen::Text(payload) | Seen::Close(_, payload)) = &stale else {
                let (Seen::Binary(payload) | Seen::Ping(payload) | Seen::Pong(payload)) = &stale else {
                    panic!("{stale:?}");
                };
                assert!(payload.is_empty() || stale == fresh, "{name}: {fresh:?} became {stale:?}");
                continue;
            };
            assert!(payload.is_empty() || stale == fresh, "{name}: {fresh:?} became {stale:?}");
        }
    }
}

/// What is behind an event moves down over it when room is made: here bytes that are no text over a text.
#[test]
fn a_ready_event_is_gone_when_what_is_behind_it_moves_down_over_it() {
    let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut rx = RecvBuf::new([0; 64]);
    let mut bytes = text("AAAAA").masked();
    bytes.extend(binary([0xFF; 55]).encode(Some([0; 4])));
    assert_eq!(rx.extend_from_slice(&bytes), 64);
    let ready = conn.poll_receive(Instant::ZERO, &mut rx).unwrap().unwrap();
    assert_eq!(ready.event(&rx), Event::Data(Message::Text("AAAAA")));
    assert_eq!(rx.spare_mut().len(), 11);
    assert_eq!(ready.event(&rx), Event::Data(Message::Text("")));
}

#[test]
fn a_ready_event_taken_to_another_buffer_is_no_undefined_behaviour() {
    let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
    let (mut one, mut other) = (RecvBuf::new([0; 200]), RecvBuf::new([0xFF; 200]));
    one.extend_from_slice(&text("AAAAA").masked());
    let text_ready = conn.poll_receive(Instant::ZERO, &mut one).unwrap().unwrap();
    assert_eq!(text_ready.event(&other), Event::Data(Message::Text("")));
    other.extend_from_slice(&binary([0xFF; 5]).masked());
    let binary_ready = conn.poll_receive(Instant::ZERO, &mut other).unwrap().unwrap();
    assert_eq!(text_ready.event(&other), Event::Data(Message::Text("")));
    assert_eq!(Seen::from(binary_ready.event(&other)), Seen::binary([0xFF; 5]));
}

/// Text is handed out without another look at it, so no mix-up of safe calls may get anything else there.
#[test]
fn a_buffer_exchanged_in_the_middle_of_a_message_is_no_undefined_behaviour() {
    let streams = [
        wire(&[text("a\u{20AC}\u{1F600}").more(), cont("\u{20AC}b")], true),
        wire(&[binary([0xFF, 0x82, 0xAC, 0xE2]).more(), cont([0x82, 0xFF])], true),
        wire(&[text([0xAC, b'c'])], true),
        wire(&[text(""), binary([0xAC; 3]).more(), ping(""), cont([0xE2; 5])], true),
    ];
    let check = |event: Event<'_, Message<'_>>| {
        if let Event::Data(Message::Text(text)) = event {
            assert!(core::str::from_utf8(text.as_bytes()).is_ok(), "{:x?}", text.as_bytes());
        }
    };
    for one in &streams {
        for other in &streams {
            // Under Miri a part of it has to do.
            let step = if cfg!(miri) { 5 } else { 1 };
            let cuts = |len| (0..len).step_by(step);
            for (cut, other_cut) in cuts(one.len()).flat_map(|n| cuts(other.len()).map(move |m| (n, m))) {
                for ways in (0..16).step_by(step) {
                    let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
                    let mut others = Connection::new(Role::Server, config(), Instant::ZERO);
                    let (mut rx, mut others_rx) = (RecvBuf::new([0; 400]), RecvBuf::new([0; 400]));
                    let receive = |conn: &mut Connection, rx: &mut RecvBuf<_>, way: u8| {
                        if ways & way == 0 {
                            while let Ok(Some(event)) = conn.receive(Instant::ZERO, rx) {
                                check(event);
                            }
                        } else {
                            while let Ok(Some(event)) = conn.receive_chunk(Instant::ZERO, rx) {
                                if let Event::Data(Chunk::Data(piece)) = event {
                                    check(Event::Data(piece));
                                }
                            }
                        }
                    };
                    rx.extend_from_slice(&one[..cut]);
                    receive(&mut conn, &mut rx, 1);
                    others_rx.extend_from_slice(&other[..other_cut]);
                    receive(&mut others, &mut others_rx, 2);
                    // Each goes on with the buffer of the other.
                    others_rx.extend_from_slice(&one[cut..]);
                    receive(&mut conn, &mut others_rx, 4);
                    rx.extend_from_slice(&other[other_cut..]);
                    receive(&mut others, &mut rx, 8);
                }
            }
        }
    }
}

#[test]
fn ready_tells_data_from_control() {
    let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut rx = RecvBuf::new([0; 200]);
    rx.extend_from_slice(&wire(&[text("a"), ping(""), binary("b"), pong(""), close(1000)], true));
    let mut data = Vec::new();
    while let Some(ready) = conn.poll_receive(Instant::ZERO, &mut rx).unwrap() {
        data.push(ready.is_data());
    }
    assert_eq!(data, [true, false, true, false, false]);
}

#[test]
fn received_bytes_stay_when_the_buffer_is_given_back() {
    let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut rx = RecvBuf::new([0; 64]);
    rx.extend_from_slice(&wire(&[text("a"), text("b")], true));
    conn.receive(Instant::ZERO, &mut rx).unwrap();
    assert_eq!(rx.unparsed(), text("b").masked());
    assert_eq!(rx.into_storage()[7..14], text("b").masked());
}

#[test]
fn a_fixed_send_buffer_says_full_now_and_too_big_for_ever() {
    let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut tx = SendBuf::new([0; 20]);
    assert_eq!(conn.send(&mut tx, Message::Binary(&[0; 19])), Err(SendError::MessageTooBig));
    conn.send(&mut tx, Message::Binary(&[0; 10])).unwrap();
    assert_eq!(conn.send(&mut tx, Message::Binary(&[0; 7])), Err(SendError::Full));
    conn.send(&mut tx, Message::Binary(&[0; 6])).unwrap();
    assert_eq!(conn.send(&mut tx, Message::Binary(&[])), Err(SendError::Full));
    assert_eq!((tx.buffered_amount(), tx.queued_messages()), (20, 2));
    // Room that becomes free at the front is used.
    conn.poll_transmit(Instant::ZERO, &mut tx).unwrap().advance(3);
    conn.send(&mut tx, Message::Binary(&[9])).unwrap();
    assert_eq!((tx.buffered_amount(), tx.queued_messages()), (20, 3));
}

#[test]
fn a_limit_refuses_what_exceeds_it_but_never_makes_a_message_impossible() {
    let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut buf = SendBuf::default().limit(100);
    let mut queue = SendQueue::<Vec<u8>>::new().limit(100);
    conn.send(&mut buf, Message::Binary(&[0; 500])).unwrap();
    conn.send(&mut queue, Message::Binary(&[0; 500])).unwrap();
    assert_eq!(conn.send(&mut buf, Message::Binary(&[])), Err(SendError::Full));
    assert_eq!(conn.send(&mut queue, Message::Binary(&[])), Err(SendError::Full));
    let payload = vec![1; 5000];
    let place = payload.as_ptr();
    let (error, back) = conn.send_owned(&mut queue, Kind::Binary, payload).unwrap_err();
    assert_eq!((error, back.as_ptr()), (SendError::Full, place), "the message comes back");
    assert_eq!((buf.queued_messages(), queue.queued_messages()), (1, 1));
}

#[test]
fn a_queue_gives_back_what_it_is_asked_to_and_only_while_nothing_waits() {
    let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut queue = SendQueue::<Vec<u8>>::new().limit(1 << 30);
    assert_eq!(queue.capacity(), 0);
    for _ in 0..100 {
        conn.send(&mut queue, Message::Binary(&[1; 1000])).unwrap();
        conn.send_owned(&mut queue, Kind::Binary, vec![2; 2000]).unwrap();
    }
    let full = queue.capacity();
    assert!(full > 100_000, "{full}");
    queue.shrink(0);
    assert_eq!(queue.capacity(), full, "something waits");
    while let Some(mut transmit) = conn.poll_transmit(Instant::ZERO, &mut queue) {
        let n = transmit.slices().iter().map(|slice| slice.len()).sum();
        transmit.advance(n);
    }
    assert_eq!(queue.capacity(), full);
    for size in [full, 10_000, 100, 0] {
        queue.shrink(size);
        assert!(queue.capacity() <= size, "{} of {size}", queue.capacity());
    }
    conn.send(&mut queue, Message::Text("it goes on")).unwrap();
}

#[test]
fn an_owned_payload_is_transmitted_from_where_it_is_and_dropped_afterwards() {
    use std::sync::Arc;
    let payload: Arc<[u8]> = vec![7; 100_000].into();
    let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut queues: Vec<SendQueue<Arc<[u8]>>> = (0..10).map(|_| SendQueue::new()).collect();
    for queue in &mut queues {
        conn.send_owned(queue, Kind::Binary, Arc::clone(&payload)).unwrap();
    }
    assert_eq!(Arc::strong_count(&payload), 11);
    for queue in &mut queues {
        assert_eq!(queue.buffered_amount(), 100_010);
        let mut transmit = conn.poll_transmit(Instant::ZERO, queue).unwrap();
        assert_eq!(transmit.slices().len(), 2);
        assert_eq!(transmit.slices()[1].as_ptr(), payload.as_ptr());
        transmit.advance(50_000);
        let mut transmit = conn.poll_transmit(Instant::ZERO, queue).unwrap();
        assert_eq!(transmit.slices()[0].as_ptr(), payload[49_990..].as_ptr());
        transmit.advance(50_010);
        assert!(queue.is_empty());
    }
    assert_eq!(Arc::strong_count(&payload), 1);
}

#[test]
fn unsent_owned_payloads_are_released_by_close_now_but_the_one_on_its_way() {
    use std::sync::Arc;
    let payload: Arc<[u8]> = vec![7; 100_000].into();
    let mut end = Endpoint::with(Role::Server, config(), Vec::new(), SendQueue::<Arc<[u8]>>::new());
    for _ in 0..5 {
        end.conn.send_owned(&mut end.tx, Kind::Binary, Arc::clone(&payload)).unwrap();
    }
    let mut bytes = end.transmit(50);
    end.conn.close_now(end.now, 1002.into(), "").unwrap();
    assert!(end.conn.wants_transmit(&end.tx));
    bytes.extend(end.say_bytes());
    assert_eq!(ws_tests::frames(&bytes, false), [binary(&payload), close(1002)]);
    assert_eq!(Arc::strong_count(&payload), 1);
}

#[derive(Clone, Debug)]
enum Piece {
    Message(u8, Vec<usize>),
    Ping(usize),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = prop_oneof![
        (any::<u8>(), prop::collection::vec(0..400_usize, 1..5))
            .prop_map(|(n, sizes)| Piece::Message(n, sizes)),
        (0..126_usize).prop_map(Piece::Ping),
    ];
    prop::collection::vec(piece, 1..12)
}

/// The frames of a script, with a ping between any two fragments.
fn script(pieces: &[Piece]) -> Vec<Frame> {
    let mut frames = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Ping(size) => frames.push(ping(vec![b'p'; *size])),
            Piece::Message(n, sizes) => {
                for (index, size) in sizes.iter().enumerate() {
                    let mut frame = cont(vec![n.wrapping_add(index as u8); *size]);
                    frame.opcode = if index == 0 { 2 } else { 0 };
                    frame.fin = index + 1 == sizes.len();
                    frames.push(frame);
                    if index + 1 < sizes.len() {
                        frames.push(ping(vec![b'q'; size % 126]));
                    }
                }
            }
        }
    }
    frames
}

proptest! {
    /// A buffer of any fixed size gives what a growing one gives, as far as the messages fit; the first that does not
    /// is `MessageTooBig`; and there is never an empty spare, or `hear_bytes` would panic.
    #[test]
    fn any_fixed_size_agrees_with_a_vec_or_fails_with_too_big(
        pieces in pieces(),
        size in 0..900_usize,
        cut in prop::collection::vec(1..300_usize, 1..6),
    ) {
        let bytes = wire(&script(&pieces), true);
        let mut growing = Endpoint::server_with(config());
        growing.hear_pieces(&chop(&bytes, &cut));
        prop_assert_eq!(growing.error(), None);
        let expected = growing.events();
        let mut first = None;
        for cut in [&cut[..], &[1], &[usize::MAX]] {
            let mut end = fixed(size);
            for piece in chop(&bytes, cut) {
                if end.error().is_none() {
                    // What does not fit at once comes later, as from a socket.
                    end.hear_bytes(piece);
                    end.say();
                }
            }
            let (events, error) = (end.events(), end.error());
            prop_assert_eq!(&events[..], &expected[..events.len()]);
            match error {
                None => prop_assert_eq!(events.len(), expected.len()),
                Some(error) => {
                    prop_assert!(matches!(error, Error::MessageTooBig { .. }), "{:?}", error);
                }
            }
            let got = (events, error);
            prop_assert_eq!(first.get_or_insert_with(|| got.clone()), &got);
        }
    }
}

#[test]
fn a_client_on_fixed_buffers_all_around_talks_to_such_a_server() {
    let mut client = Endpoint::with(client_role(), config(), [0; 256], SendBuf::new([0; 64]));
    let mut server = Endpoint::with(Role::Server, config(), [0; 256], SendBuf::new([0; 64]));
    for n in 0..1000 {
        let message = format!("message {n}");
        client.send_text(&message).unwrap();
        server.hear_pieces(&every_byte(&client.say_bytes()));
        assert_eq!(server.events(), [Seen::text(&message)]);
        server.send_text(&message).unwrap();
        client.hear_bytes(&server.say_bytes());
        assert_eq!(client.events(), [Seen::text(&message)]);
    }
}

/// Bytes that are another number each time they are asked for, against what `SendQueue` asks of them.
struct Restless(core::cell::Cell<usize>, Vec<u8>);

impl AsRef<[u8]> for Restless {
    fn as_ref(&self) -> &[u8] {
        self.0.set(
            self.0.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407),
        );
        &self.1[..(self.0.get() >> 33) % self.1.len()]
    }
}

#[test]
fn owned_payloads_that_do_not_keep_still_spoil_the_output_and_nothing_else() {
    for seed in 0..2000 {
        let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
        let mut tx = SendQueue::new();
        for n in 0..20 {
            let payload = Restless(core::cell::Cell::new(seed * 31 + n), vec![0x81; 5000]);
            let _ = conn.send_owned(&mut tx, Kind::Binary, payload);
            if let Some(mut transmit) = conn.poll_transmit(Instant::ZERO, &mut tx) {
                transmit.advance((seed * 7 + n * 311) % 4000);
            }
        }
        let _ = conn.close_now(Instant::ZERO, CloseCode::NORMAL, "");
        let mut polls = 0;
        while let Some(mut transmit) = conn.poll_transmit(Instant::ZERO, &mut tx) {
            let _ = transmit.slices();
            transmit.advance(997);
            polls += 1;
            assert!(polls < 1000, "no end");
        }
    }
}
