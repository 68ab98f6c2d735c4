//! Commands that are refused: which error, and that nothing was written and nothing changed.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::{CloseCode, Config, Kind, Message, Outbound, Role, SendBuf, SendError, SendQueue, State};
use ws_tests::{Endpoint, binary, client_role, close, cont, frames, text};

type End<O> = Endpoint<Vec<u8>, O>;

/// What is refused when nothing is wrong with the connection.
fn refusals<O: Outbound>(end: &mut End<O>) -> Vec<(&'static str, Result<(), SendError>, SendError)> {
    let now = end.now;
    let invalid = |code: u16| SendError::InvalidCloseCode(CloseCode::from(code));
    let long = "r".repeat(124);
    vec![
        ("ping of 126", end.conn.ping(&[0; 126]), SendError::ControlFrameTooLong),
        ("pong of 126", end.conn.pong(&[0; 126]), SendError::ControlFrameTooLong),
        ("close 1005", end.close(1005, "why"), invalid(1005)),
        ("close 1006", end.close(1006, ""), invalid(1006)),
        ("close 1015", end.close_now(1015, ""), invalid(1015)),
        ("close 999", end.close(999, ""), invalid(999)),
        ("close 5000", end.close_now(5000, &long), invalid(5000)),
        ("reason of 124", end.close(1000, &long), SendError::ReasonTooLong),
        ("reason of 124, now", end.close_now(1000, &long), SendError::ReasonTooLong),
        (
            "reason without code",
            end.conn.close(now, CloseCode::NO_STATUS, "why"),
            SendError::InvalidCloseCode(CloseCode::NO_STATUS),
        ),
        ("bad text", end.send_fragment(Kind::Text, b"\xff", true), SendError::InvalidUtf8),
        ("cut text", end.send_fragment(Kind::Text, b"\xe2\x82", true), SendError::InvalidUtf8),
    ]
}

fn check<O: Outbound>(mut end: End<O>) {
    // With nothing queued, with a message queued, and with a half-sent one.
    for round in 0..3 {
        let mut bytes = Vec::new();
        if round > 0 {
            end.send_text("queued").unwrap();
        }
        if round > 1 {
            bytes = end.transmit(3);
        }
        let before = (end.tx.buffered_amount(), end.tx.queued_messages());
        for (name, result, expected) in refusals(&mut end) {
            assert_eq!(result, Err(expected), "{name}");
            assert_eq!((end.tx.buffered_amount(), end.tx.queued_messages()), before, "{name}");
            assert_eq!(end.conn.state(), State::Open, "{name}");
            assert_eq!(end.conn.local_close(), None, "{name}");
        }
        bytes.extend(end.say_bytes());
        let sent = frames(&bytes, !end.is_server);
        assert_eq!(sent, if round > 0 { vec![text("queued")] } else { vec![] });
    }

    // A message in progress refuses others, and only others.
    end.send_fragment(Kind::Binary, b"a", false).unwrap();
    let before = (end.tx.buffered_amount(), end.tx.queued_messages());
    assert_eq!(end.send_text("x"), Err(SendError::MessageInProgress));
    assert_eq!(end.send_binary(b"x"), Err(SendError::MessageInProgress));
    assert_eq!(end.send_fragment(Kind::Text, b"x", true), Err(SendError::MessageInProgress));
    assert_eq!((end.tx.buffered_amount(), end.tx.queued_messages()), before);
    end.send_fragment(Kind::Binary, b"b", true).unwrap();
    assert_eq!(end.say(), [binary("a").more(), cont("b")]);

    // A connection that closes refuses everything, with everything it could complain about besides.
    end.close(1000, "").unwrap();
    let before = end.tx.buffered_amount();
    for _ in 0..2 {
        for result in [
            end.send_text("x"),
            end.send_binary(&[0; 10]),
            end.send_fragment(Kind::Text, b"x", true),
            end.conn.ping(b""),
            end.conn.pong(b""),
            end.close(1000, ""),
            end.close(999, ""),
            end.close_now(1000, ""),
        ] {
            assert_eq!(result, Err(SendError::Closing));
        }
    }
    assert_eq!(end.tx.buffered_amount(), before);
    assert_eq!(end.say(), [close(1000)]);
}

#[test]
fn what_is_refused_is_not_written_and_changes_nothing() {
    let config = Config::default().ping_interval(None);
    check(Endpoint::server());
    check(Endpoint::client());
    check(Endpoint::with(Role::Server, config, Vec::new(), SendBuf::new([0; 300])));
    check(Endpoint::with(client_role(), config, Vec::new(), SendBuf::new([0; 300])));
    check(Endpoint::with(Role::Server, config, Vec::new(), SendQueue::<Vec<u8>>::new()));
    check(Endpoint::with(client_role(), config, Vec::new(), SendQueue::<Vec<u8>>::new()));
}

#[test]
fn full_and_too_big_write_nothing_not_even_the_fragments_that_would_fit() {
    for is_server in [true, false] {
        for fragment_size in [None, Some(1), Some(7), Some(126)] {
            let config = Config::default().ping_interval(None).fragment_size(fragment_size);
            let role = || if is_server { Role::Server } else { client_role() };
            for n in 0..400 {
                let mut end = Endpoint::with(role(), config, Vec::new(), SendBuf::new([0; 500]));
                end.send_binary(&[1; 20]).unwrap();
                let before = (end.tx.buffered_amount(), end.tx.queued_messages());
                let payload = vec![2; n];
                let result = end.send_binary(&payload);
                let mut empty = Endpoint::with(role(), config, Vec::new(), SendBuf::new(Vec::new()));
                empty.send_binary(&payload).unwrap();
                let size = empty.tx.buffered_amount();
                let expected = if size > 500 {
                    Err(SendError::MessageTooBig)
                } else if size + before.0 > 500 {
                    Err(SendError::Full)
                } else {
                    Ok(())
                };
                assert_eq!(result, expected, "{n} bytes as {size}");
                if result.is_err() {
                    assert_eq!((end.tx.buffered_amount(), end.tx.queued_messages()), before);
                }
                // A fragment that was refused can be sent again as if nothing had been.
                let before = end.tx.buffered_amount();
                if end.send_fragment(Kind::Text, &vec![b'x'; n], false).is_err() {
                    assert_eq!(end.tx.buffered_amount(), before);
                    end.say();
                    if size <= 500 {
                        end.send_fragment(Kind::Text, &vec![b'x'; n], false).unwrap();
                        assert_eq!(end.say()[0].opcode, 1, "it still begins the message");
                    }
                }
            }
        }
    }
}

#[test]
fn owned_payloads_come_back_with_every_refusal() {
    for is_server in [true, false] {
        let config = Config::default().ping_interval(None);
        let role = if is_server { Role::Server } else { client_role() };
        let mut end = Endpoint::with(role, config, Vec::new(), SendQueue::<Vec<u8>>::new().limit(3000));
        let refused = |end: &mut End<SendQueue<Vec<u8>>>, kind, payload: Vec<u8>, expected| {
            let copy = payload.clone();
            let before = (end.tx.buffered_amount(), end.tx.queued_messages());
            assert_eq!(end.conn.send_owned(&mut end.tx, kind, payload), Err((expected, copy)));
            assert_eq!((end.tx.buffered_amount(), end.tx.queued_messages()), before);
        };
        refused(&mut end, Kind::Text, b"\xff".to_vec(), SendError::InvalidUtf8);
        end.conn.send_owned(&mut end.tx, Kind::Binary, vec![1; 2000]).unwrap();
        refused(&mut end, Kind::Binary, vec![2; 2000], SendError::Full);
        end.say();
        end.send_fragment(Kind::Text, b"x", false).unwrap();
        refused(&mut end, Kind::Binary, vec![3; 2000], SendError::MessageInProgress);
        refused(&mut end, Kind::Text, b"y".to_vec(), SendError::MessageInProgress);
        end.send_fragment(Kind::Text, b"", true).unwrap();
        end.close(1000, "").unwrap();
        refused(&mut end, Kind::Binary, vec![4; 2000], SendError::Closing);
        refused(&mut end, Kind::Binary, vec![], SendError::Closing);
        assert_eq!(end.say(), [text("x").more(), cont(""), close(1000)]);
    }
}

#[test]
fn a_message_can_be_taken_apart_at_the_interface_but_not_mixed_up() {
    let mut end = Endpoint::server();
    assert_eq!(Message::Text("a").kind(), Kind::Text);
    assert_eq!(Message::Binary(b"a").as_bytes(), b"a");
    end.conn.send(&mut end.tx, Message::Text("a")).unwrap();
    end.conn.send(&mut end.tx, Message::Binary(b"b")).unwrap();
    assert_eq!(end.say(), [text("a"), binary("b")]);
}

#[test]
fn check_close_says_what_close_would_and_changes_nothing() {
    for code in (0..=5_001).map(CloseCode::from) {
        for len in [0, 1, 123, 124] {
            let mut end = Endpoint::server();
            let reason = "r".repeat(len);
            let checked = end.conn.check_close(code, &reason);
            assert_eq!((end.conn.state(), end.conn.local_close()), (State::Open, None));
            assert_eq!(checked, end.conn.close(end.now, code, &reason), "{code} {len}");
            assert_eq!(checked.is_ok(), end.conn.local_close().is_some());
            if checked.is_ok() {
                assert_eq!(end.conn.check_close(code, &reason), Err(SendError::Closing));
            }
        }
    }
}
