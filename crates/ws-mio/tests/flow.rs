//! Pausing, stopping and watching each direction, over a transport in memory.

#![allow(clippy::panic, clippy::unwrap_used)] // The helpers of tests may do as tests do.

mod support;

use std::time::Duration;

use mio::Interest;
use support::*;
use ws_mio::{
    CloseCode, Config, Event, Flow, Instant, Kind, Message, Pull, Role, SendError, State, WebSocket,
};

const NOW: Instant = Instant::from_secs(1000);

fn server(io: Memory) -> WebSocket<Memory> {
    WebSocket::from_upgraded(io, Role::Server, Config::default(), NOW, &[])
}

/// A turn, and what it gave.
fn turn(ws: &mut WebSocket<Memory>) -> Vec<Got> {
    let mut got = Vec::new();
    while let Some((event, _)) = ws.next(NOW).unwrap() {
        got.push(event.into());
    }
    got
}

fn flows(ws: &mut WebSocket<Memory>) -> Vec<Flow> {
    std::iter::from_fn(|| ws.poll_flow()).collect()
}

#[test]
fn a_connection_that_is_paused_both_ways_waits_for_nothing_but_its_deadlines() {
    let mut ws = server(Memory::with_incoming(masked(TEXT, b"x").repeat(10)));
    ws.pause_reading();
    ws.pause_writing();
    ws.send(Message::Text("y")).unwrap();
    for _ in 0..3 {
        // Nothing that the selector may still say makes it due.
        ws.handle_readiness(true, true);
        assert_eq!(turn(&mut ws), []);
        assert_eq!((ws.has_more(), ws.io().operations), (false, 0));
        assert_eq!(ws.poll_timeout(), Some(NOW + Duration::from_secs(20)));
    }
    ws.resume_reading();
    assert_eq!(turn(&mut ws).len(), 10);
    assert_eq!(ws.io().writes, 0);
    ws.resume_writing();
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, unmasked(TEXT, b"y"));
}

#[test]
fn writing_goes_on_while_reading_is_paused_and_the_other_way_round() {
    let mut ws = server(Memory::with_incoming(masked(TEXT, b"in")));
    ws.pause_reading();
    ws.send(Message::Text("out")).unwrap();
    assert_eq!(turn(&mut ws), []);
    assert_eq!(ws.io().outgoing, unmasked(TEXT, b"out"));
    ws.pause_writing();
    ws.resume_reading();
    ws.send(Message::Text("kept")).unwrap();
    assert_eq!(turn(&mut ws), [Got::Text("in".into())]);
    assert_eq!((ws.io().writes, ws.interest()), (1, Some(Interest::READABLE)));
}

#[test]
fn deadlines_run_while_paused() {
    let mut ws = server(Memory::with_incoming(masked(CLOSE, &[])));
    ws.pause_reading();
    ws.pause_writing();
    ws.close(NOW, CloseCode::NORMAL, "").unwrap();
    let deadline = ws.poll_timeout().unwrap().max(NOW + Duration::from_secs(10));
    assert_eq!(turn(&mut ws), []);
    assert_eq!(ws.poll_timeout(), Some(deadline));
    ws.handle_timeout(deadline);
    ws.next(deadline).unwrap_err();
    assert!(ws.is_closed());
}

#[test]
fn a_connection_that_stopped_receiving_passes_over_everything_but_the_close_frame() {
    let huge = masked(BINARY, &vec![7; 5 << 20]);
    let input =
        [masked(TEXT, b"seen"), huge, masked(PING, b"p"), masked(PONG, b""), masked(CLOSE, b"\x03\xE8bye")];
    for in_pieces in [false, true] {
        let mut ws = server(Memory::with_incoming(input.concat()));
        let (event, _) = ws.next(NOW).unwrap().unwrap();
        assert_eq!(Got::from(event), Got::Text("seen".into()));
        ws.stop_receiving();
        ws.send(Message::Text("still")).unwrap();
        let mut got = Vec::new();
        while ws.has_more() {
            if in_pieces {
                while let Some((event, _)) = ws.next_chunk(NOW).unwrap() {
                    assert!(matches!(event, Event::Close(_)), "{event:?}");
                    got.push(Got::Close(1000, "bye".into()));
                }
            } else {
                got.extend(turn(&mut ws));
            }
        }
        assert_eq!(got, [Got::Close(1000, "bye".into())]);
        let wire = [unmasked(TEXT, b"still"), unmasked(PONG, b"p"), unmasked(CLOSE, b"\x03\xE8bye")].concat();
        assert_eq!(ws.io().outgoing, wire);
        assert!(ws.is_clean());
    }
}

#[test]
fn a_connection_that_stopped_sending_finishes_what_was_begun_and_still_answers() {
    let mut ws = server(Memory::with_incoming(masked(PING, b"p")));
    ws.send(Message::Text("queued")).unwrap();
    ws.begin_message(Kind::Text).unwrap();
    ws.stop_sending();
    assert_eq!(ws.send(Message::Text("")), Err(SendError::Closing));
    assert_eq!(ws.send_owned(Kind::Text, bytes::Bytes::new()).unwrap_err().0, SendError::Closing);
    assert!(matches!(ws.send_source(Kind::Text, |_: &mut [u8]| Pull::Last(0)), Err((SendError::Closing, _))));
    assert_eq!(ws.ping(b""), Err(SendError::Closing));
    assert_eq!(ws.write_message(b"m"), Ok(1));
    ws.finish_message().unwrap();
    assert_eq!(ws.begin_message(Kind::Text), Err(SendError::Closing));
    assert_eq!(ws.send_fragment(Kind::Text, b"", true), Err(SendError::Closing));
    assert_eq!(turn(&mut ws), [Got::Ping(b"p".to_vec())]);
    assert!(!ws.io().write_shut);
    assert_eq!(ws.state(), State::Open);
    ws.io_mut().incoming.extend(masked(TEXT, b"received"));
    ws.handle_readiness(true, false);
    assert_eq!(turn(&mut ws), [Got::Text("received".into())]);
    ws.close(NOW, CloseCode::NORMAL, "").unwrap();
    turn(&mut ws);
    let mut wire = [unmasked(PONG, b"p"), unmasked(TEXT, b"queued")].concat();
    wire.extend(b"\x01\x01m\x80\x00\x88\x02\x03\xE8");
    assert_eq!(ws.io().outgoing, wire);
}

#[test]
fn each_crossing_of_a_water_mark_is_told_once_and_in_order() {
    let mut ws = server(Memory { room: Some(0), ..Memory::default() });
    ws.set_water_marks(10, 100);
    ws.send(Message::Binary(&[0; 50])).unwrap();
    assert_eq!(flows(&mut ws), []);
    ws.send(Message::Binary(&[0; 46])).unwrap(); // 52 + 48
    assert_eq!(flows(&mut ws), [Flow::High]);
    ws.send(Message::Binary(&[0; 50])).unwrap();
    assert_eq!(flows(&mut ws), []);
    for (room, expected) in [(100, &[][..]), (41, &[]), (1, &[Flow::Low]), (10, &[])] {
        ws.io_mut().room = Some(room);
        ws.handle_readiness(false, true);
        turn(&mut ws);
        assert_eq!(flows(&mut ws), expected, "{}", ws.buffered_amount());
    }
    assert!(ws.is_drained());

    // Up and down within one turn.
    ws.io_mut().room = None;
    ws.handle_readiness(false, true);
    for _ in 0..3 {
        ws.send(Message::Binary(&[0; 500])).unwrap();
        turn(&mut ws);
    }
    assert_eq!(flows(&mut ws), [Flow::High, Flow::Low]);
    assert_eq!(flows(&mut ws), []);
}

#[test]
fn answers_and_what_waits_behind_a_source_count_for_the_water_marks() {
    let mut ws = server(Memory::with_incoming(masked(BINARY, &[0; 200])));
    ws.set_water_marks(0, 100);
    ws.pause_writing();
    let (_, mut reply) = ws.next(NOW).unwrap().unwrap();
    reply.send(Message::Binary(&[0; 100])).unwrap();
    assert_eq!(flows(&mut ws), [Flow::High]);
    ws.resume_writing();
    turn(&mut ws);
    assert_eq!(flows(&mut ws), [Flow::Low]);
    assert!(ws.send_source(Kind::Binary, |_: &mut [u8]| Pull::Pending).is_ok());
    ws.send(Message::Binary(&[0; 100])).unwrap();
    turn(&mut ws);
    assert_eq!(flows(&mut ws), [Flow::High]);
    ws.close(NOW, CloseCode::NORMAL, "").unwrap();
    turn(&mut ws);
    assert_eq!(flows(&mut ws), [Flow::Low]);
}

#[test]
fn marks_that_are_set_when_more_waits_already_and_in_the_wrong_order_do_what_they_can() {
    let mut ws = server(Memory::default());
    ws.send(Message::Text("x")).unwrap();
    ws.set_water_marks(5, 0);
    assert_eq!(flows(&mut ws), [Flow::High]);
    turn(&mut ws);
    assert_eq!(flows(&mut ws), [Flow::Low]);
}

#[test]
fn drained_comes_at_once_when_idle_and_otherwise_when_the_last_byte_is_out() {
    let mut ws = server(Memory { room: Some(3), ..Memory::default() });
    ws.notify_drained();
    ws.notify_drained();
    assert_eq!(flows(&mut ws), [Flow::Drained]);
    assert_eq!(flows(&mut ws), []);
    ws.send(Message::Text("xx")).unwrap();
    ws.notify_drained();
    turn(&mut ws);
    assert_eq!((flows(&mut ws), ws.buffered_amount()), (vec![], 1));
    ws.io_mut().room = None;
    ws.handle_readiness(false, true);
    turn(&mut ws);
    assert_eq!(flows(&mut ws), [Flow::Drained]);
    // A close flushes first, and is no loss.
    ws.send(Message::Text("xx")).unwrap();
    ws.close(NOW, CloseCode::NORMAL, "").unwrap();
    ws.notify_drained();
    turn(&mut ws);
    assert_eq!((flows(&mut ws), ws.queued_messages()), (vec![Flow::Drained], 0));
}

#[test]
fn whoever_waits_for_drained_is_told_when_the_connection_ends_first() {
    type End = fn(&mut WebSocket<Memory>);
    let ends: [(&str, End); 6] = [
        ("the end of the stream", |ws| {
            ws.io_mut().incoming_ends = true;
            ws.handle_readiness(true, false);
            ws.next(NOW).unwrap_err();
        }),
        ("a transport that fails", |ws| {
            ws.io_mut().faults = (0..100).map(|n| (n, Fault::Fail(std::io::ErrorKind::BrokenPipe))).collect();
            ws.handle_readiness(true, true);
            ws.next(NOW).unwrap_err();
        }),
        ("close_now", |ws| ws.close_now(NOW, CloseCode::NORMAL, "").unwrap()),
        ("close_now, later", |ws| {
            ws.close_now(NOW, CloseCode::NORMAL, "").unwrap();
            ws.io_mut().room = None;
            ws.handle_readiness(false, true);
            turn(ws);
            assert_eq!((ws.queued_messages(), ws.buffered_amount()), (0, 0));
        }),
        ("a write stall", |ws| {
            let deadline = NOW + Duration::from_secs(30);
            ws.handle_timeout(deadline);
            ws.next(deadline).unwrap_err();
        }),
        ("a close with a source behind", |ws| {
            assert!(ws.send_source(Kind::Text, |_: &mut [u8]| Pull::Pending).is_ok());
            ws.close(NOW, CloseCode::NORMAL, "").unwrap();
        }),
    ];
    for (what, end) in ends {
        for asked_before in [true, false] {
            let config = Config::default().ping_interval(None);
            let io = Memory { room: Some(0), ..Memory::default() };
            let mut ws = WebSocket::from_upgraded(io, Role::Server, config, NOW, &[]);
            ws.send(Message::Text("lost")).unwrap();
            turn(&mut ws);
            if asked_before {
                ws.notify_drained();
                assert_eq!(flows(&mut ws), []);
            }
            end(&mut ws);
            ws.notify_drained();
            assert_eq!(flows(&mut ws), [Flow::Lost], "{what}");
            assert_eq!(flows(&mut ws), [], "{what}");
        }
    }
}

#[test]
fn an_idle_connection_is_small() {
    let size = size_of::<WebSocket<Memory>>() - size_of::<Memory>();
    assert!(size <= 1024, "{size}");
}
