//! How connections end, over a transport in memory: the closing handshake in all its forms, and the one outcome.

#![allow(clippy::panic, clippy::unwrap_used)] // The helpers of tests may do as tests do.

mod support;

use std::time::Duration;

use support::*;
use ws_mio::{
    CloseCode, CloseFrame, Config, Error, Instant, MaskKeys, Message, Pull, Role, SendError, Side, State,
    WebSocket,
};

const NOW: Instant = Instant::from_secs(1000);

fn server(config: Config, input: Vec<u8>) -> WebSocket<Memory> {
    WebSocket::from_upgraded(Memory::with_incoming(input), Role::Server, config, NOW, &[])
}

fn turn(ws: &mut WebSocket<Memory>) -> Vec<Got> {
    let mut got = Vec::new();
    while let Some((event, _)) = ws.next(NOW).unwrap() {
        got.push(event.into());
    }
    got
}

/// The peer sends `input` and ends its side.
fn end(ws: &mut WebSocket<Memory>, input: &[u8]) -> Vec<Got> {
    ws.io_mut().incoming.extend(input);
    ws.io_mut().incoming_ends = true;
    ws.handle_readiness(true, true);
    let got = turn(ws);
    ws.handle_readiness(true, true);
    turn(ws);
    assert!(ws.is_closed());
    got
}

fn frame(code: CloseCode, reason: &str) -> Option<CloseFrame<'_>> {
    Some(CloseFrame { code, reason })
}

#[test]
fn the_outcome_of_a_close_of_the_peers_has_both_codes_and_reasons() {
    for in_pieces in [false, true] {
        let mut ws = server(Config::default(), masked(CLOSE, &close_body(3000, "grüß dich")));
        if in_pieces {
            assert!(ws.next_chunk(NOW).unwrap().is_some());
        }
        turn(&mut ws);
        assert!(ws.outcome().is_none(), "it is not over yet");
        end(&mut ws, &[]);
        let outcome = ws.outcome().unwrap();
        assert_eq!((outcome.closed_by, outcome.clean), (Some(Side::Peer), true));
        assert_eq!(outcome.peer, frame(CloseCode::from(3000), "grüß dich"));
        assert_eq!(outcome.local, outcome.peer);
        assert_eq!(outcome.code(), CloseCode::from(3000));
        assert!(outcome.error.is_none());
    }
}

#[test]
fn the_outcome_of_a_close_of_ours_has_what_each_side_said() {
    let mut ws = server(Config::default(), Vec::new());
    ws.close(NOW, CloseCode::GOING_AWAY, "maintenance").unwrap();
    assert_eq!(ws.close(NOW, CloseCode::NORMAL, "again"), Err(SendError::Closing));
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, unmasked(CLOSE, &close_body(1001, "maintenance")));
    let got = end(&mut ws, &masked(CLOSE, &close_body(1000, "bye")));
    assert_eq!(got, [Got::Close(1000, "bye".into())]);
    let outcome = ws.outcome().unwrap();
    assert_eq!((outcome.closed_by, outcome.clean), (Some(Side::Local), true));
    assert_eq!(outcome.local, frame(CloseCode::GOING_AWAY, "maintenance"));
    assert_eq!(outcome.peer, frame(CloseCode::NORMAL, "bye"));
    let line = outcome.to_string();
    assert!(line.starts_with("closed by us, received ") && line.contains("\"maintenance\""), "{line}");
}

#[test]
fn an_empty_close_is_answered_by_an_empty_one_and_reads_1005_on_both_sides() {
    let mut ws = server(Config::default(), masked(CLOSE, &[]));
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, unmasked(CLOSE, &[]));
    end(&mut ws, &[]);
    let outcome = ws.outcome().unwrap();
    assert_eq!(
        (outcome.local, outcome.peer),
        (frame(CloseCode::NO_STATUS, ""), frame(CloseCode::NO_STATUS, ""))
    );

    let mut ws = server(Config::default(), Vec::new());
    ws.close(NOW, CloseCode::NO_STATUS, "").unwrap();
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, unmasked(CLOSE, &[]));
    end(&mut ws, &masked(CLOSE, &[]));
    assert_eq!(ws.outcome().unwrap().code(), CloseCode::NO_STATUS);
}

#[test]
fn the_outcome_of_a_violation_has_the_error_and_our_code_although_another_close_was_queued() {
    let mut ws = server(Config::default(), [0xFF; 10].to_vec());
    ws.pause_writing();
    ws.close(NOW, CloseCode::NORMAL, "a reason that is never sent").unwrap();
    let error = ws.next(NOW).unwrap_err();
    ws.resume_writing();
    end(&mut ws, &[]);
    let outcome = ws.outcome().unwrap();
    assert_eq!(outcome.local, frame(CloseCode::PROTOCOL_ERROR, ""));
    assert_eq!((outcome.closed_by, outcome.peer, outcome.clean), (Some(Side::Local), None, false));
    assert_eq!(outcome.code(), CloseCode::ABNORMAL);
    assert_eq!(outcome.error.unwrap().to_string(), error.to_string());
}

#[test]
fn the_outcome_of_a_broken_connection_says_that_nobody_closed_it_and_why() {
    let mut ws = server(Config::default(), Vec::new());
    ws.io_mut().incoming_ends = true;
    ws.next(NOW).unwrap_err();
    let outcome = ws.outcome().unwrap();
    assert_eq!((outcome.closed_by, outcome.local, outcome.peer, outcome.clean), (None, None, None, false));
    assert!(matches!(outcome.error, Some(Error::Protocol(ws_proto::Error::UnexpectedEof))));
    assert!(outcome.to_string().starts_with("broken, received nothing, sent nothing: "), "{outcome}");

    let mut ws = server(Config::default(), Vec::new());
    ws.io_mut().faults = vec![(0, Fault::Fail(std::io::ErrorKind::ConnectionReset))];
    ws.next(NOW).unwrap_err();
    let outcome = ws.outcome().unwrap();
    assert!(
        matches!(outcome.error, Some(Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionReset)
    );
}

#[test]
fn the_outcome_of_a_source_that_failed_is_our_close_and_its_error() {
    let mut ws = server(Config::default(), Vec::new());
    assert!(ws.send_source(ws_mio::Kind::Text, |_: &mut [u8]| Pull::Failed).is_ok());
    ws.next(NOW).unwrap_err();
    end(&mut ws, &masked(CLOSE, &close_body(1011, "")));
    let outcome = ws.outcome().unwrap();
    assert_eq!((outcome.closed_by, outcome.clean), (Some(Side::Local), true));
    assert!(matches!(outcome.error, Some(Error::Source(SendError::SourceFailed))));
}

#[test]
fn a_client_keeps_its_own_reason_although_it_is_masked_on_the_wire() {
    let role = Role::Client(MaskKeys::from_seed([1; 32]));
    let mut ws = WebSocket::from_upgraded(Memory::default(), role, Config::default(), NOW, &[]);
    ws.close(NOW, CloseCode::NORMAL, "done").unwrap();
    turn(&mut ws);
    end(&mut ws, &unmasked(CLOSE, &close_body(1000, "done")));
    let outcome = ws.outcome().unwrap();
    assert_eq!(
        (outcome.local, outcome.peer),
        (frame(CloseCode::NORMAL, "done"), frame(CloseCode::NORMAL, "done"))
    );
}

#[test]
fn a_close_goes_behind_what_is_queued_and_close_now_before_it() {
    let mut ws = server(Config::default(), Vec::new());
    ws.send(Message::Text("kept")).unwrap();
    ws.close(NOW, CloseCode::NORMAL, "").unwrap();
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, b"\x81\x04kept\x88\x02\x03\xE8");

    let mut ws = server(Config::default(), Vec::new());
    ws.send(Message::Text("dropped")).unwrap();
    ws.ping(b"dropped").unwrap();
    ws.close_now(NOW, CloseCode::NORMAL, "at once").unwrap();
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, unmasked(CLOSE, &close_body(1000, "at once")));
    assert_eq!((ws.queued_messages(), ws.buffered_amount()), (0, 0));
    assert_eq!(ws.send(Message::Text("")), Err(SendError::Closing));
}

#[test]
fn a_reason_of_122_bytes_passes_and_one_of_124_is_refused() {
    let mut ws = server(Config::default(), Vec::new());
    assert_eq!(ws.close(NOW, CloseCode::NORMAL, &"x".repeat(124)), Err(SendError::ReasonTooLong));
    assert_eq!(ws.state(), State::Open);
    ws.close(NOW, CloseCode::NORMAL, &"x".repeat(122)).unwrap();
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, unmasked(CLOSE, &close_body(1000, &"x".repeat(122))));
}

#[test]
fn without_automatic_close_the_application_gives_the_answer() {
    let config = Config::default().automatic_close(false);
    let mut ws = server(config, masked(CLOSE, &close_body(1000, "theirs")));
    let (_, mut reply) = ws.next(NOW).unwrap().unwrap();
    reply.close(CloseCode::from(4000), "ours").unwrap();
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, unmasked(CLOSE, &close_body(4000, "ours")));
    end(&mut ws, &[]);
    let outcome = ws.outcome().unwrap();
    assert_eq!((outcome.closed_by, outcome.clean), (Some(Side::Peer), true));
    assert_eq!(
        (outcome.local, outcome.peer),
        (frame(4000.into(), "ours"), frame(CloseCode::NORMAL, "theirs"))
    );

    // No answer at all: the deadline ends it.
    let mut ws = server(config, masked(CLOSE, &close_body(1000, "")));
    assert_eq!(turn(&mut ws), [Got::Close(1000, String::new())]);
    assert_eq!(ws.io().outgoing, b"");
    let deadline = ws.poll_timeout().unwrap();
    ws.handle_timeout(deadline);
    ws.next(deadline).unwrap_err();
    assert!(ws.is_closed());
}

#[test]
fn without_automatic_pong_the_application_gives_the_answer() {
    let mut ws = server(Config::default().automatic_pong(false), masked(PING, b"?").repeat(2));
    let (event, mut reply) = ws.next(NOW).unwrap().unwrap();
    let ws_mio::Event::Ping(payload) = event else { panic!("{event:?}") };
    reply.pong(payload).unwrap();
    assert_eq!(turn(&mut ws), [Got::Ping(b"?".to_vec())]);
    assert_eq!(ws.io().outgoing, unmasked(PONG, b"?"));
}

#[test]
fn a_peer_that_goes_on_after_our_close_and_never_answers_is_dropped_at_the_deadline() {
    let mut ws = server(Config::default(), Vec::new());
    ws.close(NOW, CloseCode::NORMAL, "").unwrap();
    turn(&mut ws);
    let deadline = NOW + Duration::from_secs(10);
    // It drips bytes, messages and pings all the time.
    let mut error = None;
    for tenths in 0..200 {
        let now = NOW + Duration::from_millis(100 * tenths);
        ws.io_mut().incoming.extend([masked(TEXT, b"still here"), masked(PING, b"")].concat());
        ws.handle_readiness(true, true);
        ws.handle_timeout(now);
        loop {
            match ws.next(now) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(failure) => error = Some((now, failure)),
            }
        }
        assert_eq!(ws.is_closed(), now >= deadline, "{now:?}");
        if ws.is_closed() {
            break;
        }
        assert_eq!(ws.poll_timeout(), Some(deadline));
    }
    let (now, error) = error.unwrap();
    assert_eq!(
        (now, error.to_string().as_str()),
        (deadline, "timed out: the peer did not complete the closing handshake")
    );
    let outcome = ws.outcome().unwrap();
    assert_eq!((outcome.closed_by, outcome.clean, outcome.peer), (Some(Side::Local), false, None));
}

#[test]
fn a_peer_that_stops_reading_is_dropped_although_a_close_waits_behind_the_output() {
    for closing in [false, true] {
        let config = Config::default().ping_interval(None);
        let mut ws = server(config, Vec::new());
        ws.io_mut().room = Some(10);
        ws.send(Message::Binary(&[0; 1000])).unwrap();
        if closing {
            ws.close(NOW, CloseCode::NORMAL, "").unwrap();
        }
        turn(&mut ws);
        let deadline = NOW + Duration::from_secs(if closing { 10 } else { 30 });
        assert_eq!(ws.poll_timeout(), Some(deadline));
        ws.handle_timeout(deadline);
        ws.next(deadline).unwrap_err();
        assert!(ws.is_closed() && ws.interest().is_none() && ws.poll_timeout().is_none());
    }
}

#[test]
fn a_peer_that_answers_our_close_but_keeps_its_side_open_is_dropped_at_the_deadline() {
    let mut ws = server(Config::default(), Vec::new());
    ws.close(NOW, CloseCode::NORMAL, "").unwrap();
    turn(&mut ws);
    ws.io_mut().incoming.extend(masked(CLOSE, &close_body(1000, "")));
    ws.handle_readiness(true, false);
    assert_eq!(turn(&mut ws), [Got::Close(1000, String::new())]);
    assert!(ws.is_clean() && ws.io().write_shut && !ws.is_closed());
    let deadline = NOW + Duration::from_secs(10);
    assert_eq!(ws.poll_timeout(), Some(deadline));
    ws.handle_timeout(deadline);
    assert!(matches!(ws.next(deadline), Ok(None)));
    assert!(ws.outcome().unwrap().clean);
}
