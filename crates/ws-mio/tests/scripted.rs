//! A connection over a transport in memory, which does at each operation what transports may do, and what they must
//! not.

#![allow(clippy::panic, clippy::unwrap_used)] // The helpers of tests may do as tests do.

mod support;

use std::io;
use std::time::Duration;

use support::*;
use ws_mio::{CloseCode, Config, Error, Instant, Kind, Message, Role, SendError, Timeouts, WebSocket};

const NOW: Instant = Instant::from_secs(1000);

fn server(io: Memory) -> WebSocket<Memory> {
    WebSocket::from_upgraded(io, Role::Server, Config::default(), NOW, &[])
}

/// Text, a large binary message, a ping and a Close, and the end of the stream behind it.
fn conversation() -> (Memory, Vec<Got>, Vec<u8>) {
    let large: Vec<u8> = (0..70_000_u32).map(|i| i as u8).collect();
    let io = Memory {
        incoming_ends: true,
        ..Memory::with_incoming(
            [
                masked(TEXT, "Grüße".as_bytes()),
                masked(BINARY, &large),
                masked(PING, b"p"),
                masked(CLOSE, &close_body(1000, "bye")),
            ]
            .concat(),
        )
    };
    let got = vec![
        Got::Text("Grüße".into()),
        Got::Binary(large.clone()),
        Got::Ping(b"p".to_vec()),
        Got::Close(1000, "bye".into()),
    ];
    let data = [unmasked(TEXT, "Grüße".as_bytes()), unmasked(BINARY, &large)].concat();
    (io, got, data)
}

/// What came out of a connection that was driven to its end by edge-triggered readiness.
struct Outcome {
    got: Vec<Got>,
    errors: Vec<Error>,
    ws: WebSocket<Memory>,
}

/// Drives a connection the way an edge-triggered selector does: readiness is reported after an operation would have
/// blocked, and only then; otherwise there are turns only as the connection asks for them.
fn drive(mut ws: WebSocket<Memory>) -> Outcome {
    let (mut got, mut errors) = (Vec::new(), Vec::new());
    for _ in 0..100_000 {
        let (readable, writable) = (ws.io().read_blocked, ws.io().write_blocked);
        ws.io_mut().read_blocked = false;
        ws.io_mut().write_blocked = false;
        if readable || writable {
            ws.handle_readiness(readable, writable);
        } else if ws.poll_timeout().is_none_or(|deadline| deadline > NOW) {
            break;
        }
        if let Err(error) = echo_turn(&mut ws, NOW, &mut got) {
            errors.push(error);
        }
        if ws.is_closed() {
            break;
        }
    }
    Outcome { got, errors, ws }
}

/// Runs the conversation with `fault` at its n-th operation, for every n that it has.
fn with_fault_everywhere(fault: Fault, mut check: impl FnMut(usize, Outcome)) {
    for n in 0.. {
        let (io, ..) = conversation();
        let outcome = drive(server(Memory { faults: vec![(n, fault)], chunk: Some(5_000), ..io }));
        let done = n >= outcome.ws.io().operations;
        check(n, outcome);
        if done {
            assert!(n > 30, "{n} operations only");
            break;
        }
    }
}

#[test]
fn blocked_interrupted_and_short_operations_at_any_point_change_nothing() {
    let (_, expected, data) = conversation();
    for fault in [Fault::Block, Fault::Interrupt, Fault::Short] {
        with_fault_everywhere(fault, |n, outcome| {
            assert!(outcome.errors.is_empty(), "{fault:?} at {n}: {:?}", outcome.errors);
            assert_eq!(outcome.got, expected, "{fault:?} at {n}");
            assert!(outcome.ws.is_closed() && outcome.ws.is_clean(), "{fault:?} at {n}");
            assert!(outcome.ws.io().outgoing.starts_with(&data[..11]), "{fault:?} at {n}");
            let close = unmasked(CLOSE, &close_body(1000, "bye"));
            assert!(outcome.ws.io().outgoing.ends_with(&close), "{fault:?} at {n}");
            // The pong overtakes the message that is not yet on its way, or comes behind it.
            let pong = unmasked(PONG, b"p").len();
            assert_eq!(outcome.ws.io().outgoing.len(), data.len() + pong + close.len(), "{fault:?} at {n}");
        });
    }
}

#[test]
fn a_failing_operation_at_any_point_is_one_error_and_what_came_before_is_delivered() {
    let (_, expected, _) = conversation();
    for fault in [Fault::Fail(io::ErrorKind::ConnectionReset), Fault::Lie] {
        with_fault_everywhere(fault, |n, mut outcome| {
            let happened = n < outcome.ws.io().operations;
            assert!(outcome.ws.is_closed(), "{fault:?} at {n}");
            assert!(expected.starts_with(&outcome.got), "{fault:?} at {n}");
            match outcome.errors.as_slice() {
                [] => assert!(outcome.ws.is_clean(), "{fault:?} at {n}: neither clean nor an error"),
                [Error::Io(error)] => {
                    assert!(happened);
                    let kind = match fault {
                        Fault::Fail(kind) => kind,
                        _ => io::ErrorKind::Other,
                    };
                    assert_eq!(error.kind(), kind, "{fault:?} at {n}");
                }
                more => panic!("{fault:?} at {n}: {more:?}"),
            }
            assert!(matches!(outcome.ws.next(NOW), Ok(None)), "an error twice");
            assert_eq!(outcome.ws.poll_timeout(), None);
            assert_eq!(outcome.ws.interest(), None);
        });
    }
}

#[test]
fn a_write_that_takes_nothing_is_an_error_and_no_endless_loop() {
    let io = Memory { faults: vec![(1, Fault::Zero)], ..Memory::with_incoming(masked(TEXT, b"Hello")) };
    // The first operation reads, the second finds nothing more to read.
    let mut ws = server(Memory { faults: vec![(2, Fault::Zero)], ..io });
    let mut got = Vec::new();
    let error = echo_turn(&mut ws, NOW, &mut got).unwrap_err();
    assert!(matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::WriteZero), "{error:?}");
    assert_eq!(got, [Got::Text("Hello".into())]);
    assert!(ws.is_closed());
}

#[test]
fn the_end_of_the_stream_at_any_point_is_one_error_unless_the_closing_handshake_was_complete() {
    let (io, expected, _) = conversation();
    let bytes: Vec<u8> = io.incoming.into_iter().collect();
    for len in (0..40).chain(70_000..=bytes.len()) {
        let io = Memory { incoming_ends: true, ..Memory::with_incoming(bytes[..len].iter().copied()) };
        let outcome = drive(server(io));
        assert!(outcome.ws.is_closed());
        if len == bytes.len() {
            assert_eq!(outcome.got, expected);
            assert!(outcome.errors.is_empty());
        } else {
            let errors = outcome.errors.as_slice();
            let unexpected = matches!(errors, [Error::Protocol(ws_proto::Error::UnexpectedEof)]);
            assert!(unexpected, "after {len}: {errors:?}");
        }
    }
}

#[test]
fn many_small_messages_leave_in_one_write() {
    let incoming = masked(TEXT, b"twenty bytes of text").repeat(50);
    let mut ws = server(Memory::with_incoming(incoming));
    let mut got = Vec::new();
    echo_turn(&mut ws, NOW, &mut got).unwrap();
    assert_eq!(got.len(), 50);
    assert_eq!(ws.io().writes, 1);
    assert_eq!(ws.io().flushes, 1);
    assert_eq!(ws.io().outgoing, unmasked(TEXT, b"twenty bytes of text").repeat(50));
}

#[test]
fn a_turn_is_bounded_and_the_rest_is_due_at_once() {
    // 20,000 messages in 520,000 bytes: more than one turn may read, and more events than one may give.
    let count = 20_000;
    let mut ws = server(Memory::with_incoming(masked(TEXT, b"twenty bytes of text").repeat(count)));
    let (mut got, mut turns) = (Vec::new(), 0);
    while ws.has_more() {
        assert!(ws.poll_timeout().unwrap() <= NOW);
        let before = ws.io().incoming.len();
        assert!(echo_turn(&mut ws, NOW, &mut got).unwrap() <= 1024);
        assert!(before - ws.io().incoming.len() <= 512 << 10);
        turns += 1;
    }
    assert_eq!(got.len(), count);
    assert!(turns >= count / 1024);
    assert!(ws.poll_timeout().unwrap() > NOW);
}

#[test]
fn a_transport_that_moves_single_bytes_does_not_escape_the_bounds() {
    let io = Memory { chunk: Some(1), ..Memory::with_incoming(masked(BINARY, &[7; 5000])) };
    let mut ws = server(io);
    let mut got = Vec::new();
    echo_turn(&mut ws, NOW, &mut got).unwrap();
    assert!(ws.io().reads <= 300, "{} reads in one turn", ws.io().reads);
    assert!(ws.has_more());
    let outcome = drive(ws);
    assert_eq!(outcome.got, [Got::Binary(vec![7; 5000])]);
    assert_eq!(outcome.ws.io().outgoing, unmasked(BINARY, &[7; 5000]));
}

#[test]
fn endless_interruptions_end_the_turn() {
    let faults = (0..100_000).map(|n| (n, Fault::Interrupt)).collect();
    let mut ws = server(Memory { faults, ..Memory::default() });
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert!(ws.has_more());
    assert!(ws.io().operations < 1000);
}

#[test]
fn while_the_peer_does_not_read_nothing_more_is_received_and_no_echo_is_lost() {
    let message = vec![b'x'; 10_000];
    let count = 200;
    let io = Memory { room: Some(0), ..Memory::with_incoming(masked(BINARY, &message).repeat(count)) };
    let mut ws = server(io);
    let mut got = Vec::new();
    echo_turn(&mut ws, NOW, &mut got).unwrap();
    assert!(ws.buffered_amount() < 64 * 1024 + 10_100, "{}", ws.buffered_amount());
    assert!(!ws.has_more());
    assert_eq!(ws.interest(), Some(mio::Interest::WRITABLE));
    let at_first = got.len();
    assert!(at_first < 10);

    // The peer reads a little at a time.
    while ws.io().outgoing.len() < count * 10_004 {
        ws.io_mut().room = Some(33_333);
        ws.handle_readiness(false, true);
        echo_turn(&mut ws, NOW, &mut got).unwrap();
        assert!(ws.buffered_amount() < 64 * 1024 + 10_100);
    }
    assert_eq!(got.len(), count);
    assert_eq!(ws.io().outgoing, unmasked(BINARY, &message).repeat(count));
    assert_eq!(ws.interest(), Some(mio::Interest::READABLE));
    assert!(ws.is_drained());
}

#[test]
fn sending_beyond_the_limit_is_refused_and_a_first_message_of_any_size_is_taken() {
    let mut ws = server(Memory { room: Some(0), ..Memory::default() });
    ws.set_send_limit(1000);
    ws.send(Message::Binary(&[0; 5000])).unwrap();
    assert_eq!(ws.send(Message::Binary(&[0; 1])), Err(SendError::Full));
    let payload = bytes::Bytes::from_static(&[1; 10]);
    assert_eq!(ws.send_owned(Kind::Binary, payload.clone()), Err((SendError::Full, payload)));
    assert_eq!(ws.queued_messages(), 1);
    assert!(!ws.is_drained());
}

#[test]
fn what_is_sent_outside_a_turn_makes_the_connection_due() {
    let mut ws = server(Memory::default());
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert!(!ws.has_more());
    ws.send(Message::Text("x")).unwrap();
    assert!(ws.poll_timeout().unwrap() <= NOW);
    assert_eq!(ws.interest(), Some(mio::Interest::READABLE | mio::Interest::WRITABLE));
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert_eq!(ws.io().outgoing, unmasked(TEXT, b"x"));
    assert_eq!(ws.interest(), Some(mio::Interest::READABLE));
}

#[test]
fn leftover_bytes_are_received_before_anything_is_read() {
    let leftover = masked(TEXT, b"early");
    let io = Memory::with_incoming(masked(TEXT, b"late"));
    let ws = WebSocket::from_upgraded(io, Role::Server, Config::default(), NOW, &leftover);
    assert_eq!(drive(ws).got, [Got::Text("early".into()), Got::Text("late".into())]);
}

#[test]
fn paused_reading_keeps_what_was_received_and_resuming_makes_the_connection_due() {
    let mut ws = server(Memory::with_incoming([masked(TEXT, b"one"), masked(TEXT, b"two")].concat()));
    let (event, _) = ws.next(NOW).unwrap().unwrap();
    assert_eq!(Got::from(event), Got::Text("one".into()));
    ws.pause_reading();
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert_eq!(ws.interest(), Some(mio::Interest::WRITABLE));
    assert!(!ws.has_more());
    ws.resume_reading();
    assert!(ws.poll_timeout().unwrap() <= NOW);
    let (event, _) = ws.next(NOW).unwrap().unwrap();
    assert_eq!(Got::from(event), Got::Text("two".into()));
}

#[test]
fn paused_writing_keeps_what_is_queued_and_does_not_ask_to_be_writable() {
    let mut ws = server(Memory::default());
    ws.pause_writing();
    ws.send(Message::Text("kept")).unwrap();
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert_eq!(ws.io().writes, 0);
    assert_eq!(ws.interest(), Some(mio::Interest::READABLE));
    assert!(!ws.has_more());
    ws.resume_writing();
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert_eq!(ws.io().outgoing, unmasked(TEXT, b"kept"));
}

#[test]
fn a_violation_is_one_error_the_close_frame_goes_out_and_the_rest_is_drained() {
    let garbage = [0xFF; 10_000];
    let mut ws = server(Memory::with_incoming([masked(TEXT, b"ok"), garbage.to_vec()].concat()));
    let mut got = Vec::new();
    let error = echo_turn(&mut ws, NOW, &mut got).unwrap_err();
    assert!(matches!(error, Error::Protocol(ws_proto::Error::Protocol(_))), "{error:?}");
    assert_eq!(got, [Got::Text("ok".into())]);
    assert!(ws.io().outgoing.ends_with(&unmasked(CLOSE, &close_body(1002, ""))));
    assert!(ws.io().write_shut);
    assert!(ws.io().incoming.is_empty(), "input is left unread");
    assert!(!ws.is_closed());

    // Whatever still comes is discarded, until the peer ends its side.
    ws.io_mut().incoming.extend([0xAA; 1000]);
    ws.handle_readiness(true, false);
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert!(ws.io().incoming.is_empty());
    ws.io_mut().incoming_ends = true;
    ws.handle_readiness(true, false);
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert!(ws.is_closed());
    assert_eq!(ws.local_close(), Some(CloseCode::PROTOCOL_ERROR));
}

#[test]
fn what_was_answered_before_a_violation_goes_out_although_both_came_in_one_read() {
    let mut ws = server(Memory::with_incoming([masked(TEXT, b"answered"), masked(5, b"")].concat()));
    echo_turn(&mut ws, NOW, &mut Vec::new()).unwrap_err();
    let expected = [unmasked(TEXT, b"answered"), unmasked(CLOSE, &close_body(1002, ""))].concat();
    assert_eq!(ws.io().outgoing, expected);
}

#[test]
fn a_server_ends_its_side_after_the_closing_handshake_and_waits_for_the_peer_until_the_deadline() {
    let mut ws = server(Memory::with_incoming(masked(CLOSE, &close_body(1000, ""))));
    let mut got = Vec::new();
    echo_turn(&mut ws, NOW, &mut got).unwrap();
    assert_eq!(got, [Got::Close(1000, String::new())]);
    assert!(ws.is_clean() && ws.io().write_shut && !ws.is_closed());

    // The peer keeps its side open, and even sends on.
    let deadline = ws.poll_timeout().unwrap();
    assert_eq!(deadline, NOW + Duration::from_secs(10));
    ws.io_mut().incoming.extend([0; 100]);
    ws.handle_readiness(true, false);
    assert!(matches!(ws.next(deadline), Ok(None)));
    ws.handle_timeout(deadline);
    assert!(matches!(ws.next(deadline), Ok(None)));
    assert!(ws.is_closed() && ws.is_clean());
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_dropped_at_the_close_deadline() {
    let mut ws = server(Memory::default());
    ws.close(NOW, CloseCode::GOING_AWAY, "").unwrap();
    assert!(matches!(ws.next(NOW), Ok(None)));
    let deadline = ws.poll_timeout().unwrap();
    assert_eq!(deadline, NOW + Duration::from_secs(10));
    ws.handle_timeout(deadline);
    let error = ws.next(deadline).unwrap_err();
    assert_eq!(error.to_string(), "timed out: the peer did not complete the closing handshake");
    assert!(ws.is_closed());
}

#[test]
fn a_peer_that_stops_reading_is_dropped_at_the_write_stall_deadline_although_nothing_is_received() {
    let config = Config::default().ping_interval(None);
    let io = Memory { room: Some(100), ..Memory::with_incoming(masked(BINARY, &[0; 100_000])) };
    let mut ws = WebSocket::from_upgraded(io, Role::Server, config, NOW, &[]);
    let mut got = Vec::new();
    echo_turn(&mut ws, NOW, &mut got).unwrap();
    let deadline = ws.poll_timeout().unwrap();
    assert_eq!(deadline, NOW + Duration::from_secs(30));
    ws.handle_timeout(deadline);
    let error = ws.next(deadline).unwrap_err();
    assert_eq!(error.to_string(), "timed out: the peer stopped reading");
    assert!(ws.is_closed());
}

#[test]
fn every_ping_of_a_peer_that_reads_is_answered() {
    let pings: Vec<u8> = (0..100_u8).flat_map(|n| masked(PING, &[n; 125])).collect();
    let mut ws = server(Memory::with_incoming(pings));
    let mut got = Vec::new();
    echo_turn(&mut ws, NOW, &mut got).unwrap();
    let pongs: Vec<u8> = (0..100_u8).flat_map(|n| unmasked(PONG, &[n; 125])).collect();
    assert_eq!(ws.io().outgoing, pongs);
}

#[test]
fn an_idle_connection_holds_no_buffer_and_an_unfinished_message_keeps_its_own() {
    let message = masked(TEXT, b"Hello");
    let mut ws = server(Memory::with_incoming(message[..7].iter().copied()));
    assert!(matches!(ws.next(NOW), Ok(None)));
    let debug = format!("{ws:?}");
    assert!(debug.contains("rx: Some(RecvBuf { message: 1") && debug.contains("tx: None"), "{debug}");
    // Another connection of this thread gets a buffer of its own meanwhile.
    let mut other = server(Memory::with_incoming(masked(TEXT, b"World")));
    let mut got = Vec::new();
    echo_turn(&mut other, NOW, &mut got).unwrap();
    ws.io_mut().incoming.extend(&message[7..]);
    ws.handle_readiness(true, false);
    echo_turn(&mut ws, NOW, &mut got).unwrap();
    assert_eq!(got, [Got::Text("World".into()), Got::Text("Hello".into())]);
    for idle in [ws, other] {
        let debug = format!("{idle:?}");
        assert!(debug.contains("rx: None") && debug.contains("tx: None"), "{debug}");
    }
}

#[test]
fn what_is_refused_leaves_no_queue_behind() {
    let mut ws = server(Memory::default());
    assert!(matches!(ws.next(NOW), Ok(None)));
    ws.begin_message(Kind::Text).unwrap();
    assert_eq!(ws.send(Message::Text("between")), Err(SendError::MessageInProgress));
    assert!(format!("{ws:?}").contains("tx: None"), "{ws:?}");
    ws.write_message(b"text").unwrap();
    assert!(!format!("{ws:?}").contains("tx: None"), "{ws:?}");
    assert!(matches!(ws.next(NOW), Ok(None)));
    assert!(format!("{ws:?}").contains("tx: None"), "{ws:?}");
}

#[test]
fn an_expired_deadline_is_given_once_a_turn_even_if_it_is_due_again() {
    let mut timeouts = Timeouts::new();
    for n in 0..10 {
        timeouts.set(mio::Token(n), Some(Instant::from_secs(n as u64)));
    }
    let now = Instant::from_secs(4);
    assert_eq!(timeouts.poll_duration(now), Some(Duration::ZERO));
    let expired = timeouts.expired(now);
    assert_eq!(expired, [0, 1, 2, 3, 4].map(mio::Token));
    for token in expired {
        timeouts.set(token, Some(Instant::ZERO)); // more to do
    }
    assert_eq!(timeouts.poll_duration(now), Some(Duration::ZERO));
    assert_eq!(timeouts.expired(now).len(), 5);
    assert_eq!(timeouts.poll_duration(now), Some(Duration::from_secs(1)));
}

#[test]
fn a_deadline_that_moves_is_honoured_at_its_new_time_and_a_removed_one_never() {
    let mut timeouts = Timeouts::new();
    let (a, b) = (mio::Token(1), mio::Token(usize::MAX));
    timeouts.set(a, Some(Instant::from_secs(5)));
    timeouts.set(a, Some(Instant::from_secs(9)));
    timeouts.set(b, Some(Instant::from_secs(9)));
    timeouts.set(b, Some(Instant::from_secs(3)));
    assert_eq!(timeouts.expired(Instant::from_secs(3)), [b]);
    assert_eq!(timeouts.expired(Instant::from_secs(8)), []);
    timeouts.set(b, Some(Instant::from_secs(9)));
    timeouts.set(b, None);
    assert_eq!(timeouts.expired(Instant::from_secs(10)), [a]);
    assert!(timeouts.is_empty());
    assert_eq!(timeouts.poll_duration(Instant::ZERO), None);
}
