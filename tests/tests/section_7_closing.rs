//! RFC 6455 sections 5.5.1 and 7: the closing handshake, its codes, and failing the connection.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::ProtocolError as P;
use ws_proto::{CloseCode, Config, Error, Role, SendBuf, SendError, State, TransportAction};
use ws_tests::{
    Endpoint, Frame, Pair, Seen, Side, at, binary, client_role, close, close_with, cont, cuts, empty_close,
    every_byte, frames, ping, raw_close, text, wire,
};

/// Section 7.4 and the IANA registry, as ranges.
fn is_legal(code: u16) -> bool {
    (1000..=1003).contains(&code) || (1007..=1014).contains(&code) || (3000..=4999).contains(&code)
}

fn small(is_server: bool) -> Endpoint<[u8; 160], SendBuf<[u8; 16]>> {
    let role = if is_server { Role::Server } else { client_role() };
    Endpoint::with(role, Config::default().ping_interval(None), [0; 160], SendBuf::new([0; 16]))
}

fn action(end: &Endpoint) -> TransportAction {
    end.conn.transport_action(&end.tx)
}

#[test]
fn section_7_4_received_codes_are_accepted_exactly_where_the_registry_allows_them_and_echoed() {
    for is_server in [true, false] {
        for code in 0..=u16::MAX {
            let mut end = small(is_server);
            end.hear(&[close(code)]);
            if is_legal(code) {
                assert_eq!((end.events(), end.error()), (vec![Seen::close(code, "")], None));
                assert_eq!(end.say(), [close(code)]);
                assert!(end.conn.is_clean());
            } else {
                assert_eq!(end.events(), [], "{code}");
                assert_eq!(end.error(), Some(P::InvalidCloseCode(code).into()));
                assert_eq!(end.say(), [close(1002)], "{code}");
                assert_eq!(end.conn.peer_close(), None);
            }
        }
    }
}

#[test]
fn section_7_4_codes_can_be_sent_exactly_where_the_registry_allows_them() {
    for code in 0..=u16::MAX {
        assert_eq!(CloseCode::from(code).is_sendable(), is_legal(code), "{code}");
        let mut end = small(true);
        let result = end.close(code, "why");
        if is_legal(code) {
            assert_eq!((result, end.say()), (Ok(()), vec![close_with(code, "why")]), "{code}");
        } else {
            assert_eq!(result, Err(SendError::InvalidCloseCode(code.into())), "{code}");
            assert_eq!((end.say(), end.conn.state()), (vec![], State::Open), "{code}");
        }
    }
}

#[test]
fn section_5_5_1_the_body_is_empty_or_a_code_and_text() {
    // The body, what is reported, the error, and the answer.
    type Row = (Vec<u8>, Option<Seen>, Option<Error>, Frame);
    let long = "r".repeat(123);
    let table: &[Row] = &[
        (vec![], Some(Seen::close(1005, "")), None, empty_close()),
        (vec![3], None, Some(P::CloseBodyTooShort.into()), close(1002)),
        (vec![0], None, Some(P::CloseBodyTooShort.into()), close(1002)),
        (close(1000).payload, Some(Seen::close(1000, "")), None, close(1000)),
        (
            close_with(1001, "weg – €").payload,
            Some(Seen::close(1001, "weg – €")),
            None,
            close_with(1001, "weg – €"),
        ),
        (close_with(4999, &long).payload, Some(Seen::close(4999, &long)), None, close_with(4999, &long)),
        (close_with(1000, b"\xff").payload, None, Some(Error::InvalidUtf8), close(1007)),
        (close_with(1000, b"ok\xc3").payload, None, Some(Error::InvalidUtf8), close(1007)),
        (close_with(1000, b"\xed\xa0\x80").payload, None, Some(Error::InvalidUtf8), close(1007)),
        (close_with(1005, b"\xff").payload, None, Some(P::InvalidCloseCode(1005).into()), close(1002)),
    ];
    for is_server in [true, false] {
        for (body, seen, error, answer) in table {
            for sizes in cuts() {
                let mut end = Endpoint::of(is_server);
                end.hear_pieces(&ws_tests::chop(&wire(&[raw_close(body)], is_server), sizes));
                assert_eq!(end.events(), seen.clone().into_iter().collect::<Vec<_>>(), "{body:x?}");
                assert_eq!(end.error(), *error, "{body:x?}");
                assert_eq!(end.say(), core::slice::from_ref(answer), "{body:x?} {sizes:?}");
            }
        }
    }
}

#[test]
fn section_7_1_7_behind_a_violation_valid_frames_are_ignored_and_one_close_goes_out() {
    let violations = [
        (raw_close([1]), 1002),
        (ping("").more(), 1002),
        (text(b"\xff"), 1007),
        (cont("x"), 1002),
        (binary([0; 200]), 1009),
        (close(1005), 1002),
    ];
    let behind = [text("x"), ping("x"), close(1000), cont(""), text(b"\xff"), raw_close([1])];
    for (violation, code) in violations {
        for is_server in [true, false] {
            let config = Config::default().ping_interval(None).max_message_size(100);
            let role = if is_server { Role::Server } else { client_role() };
            let mut end = Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new()));
            end.hear(&[text("before")]);
            let mut bytes = wire(core::slice::from_ref(&violation), is_server);
            bytes.extend(wire(&behind, is_server));
            end.hear_bytes(&bytes);
            let error = end.error();
            assert!(error.is_some());
            assert_eq!(end.events(), [Seen::text("before")]);
            for _ in 0..3 {
                end.hear(&behind);
                assert_eq!((end.error(), end.events()), (error, vec![]));
                assert!(end.rx.is_empty());
            }
            assert_eq!(end.say(), [close(code)]);
            end.hear(&behind);
            end.time(at(1000));
            assert_eq!((end.say(), end.error()), (vec![], error));
            assert_eq!(end.conn.peer_close(), None);
            assert_eq!(end.conn.local_close(), Some(code.into()));
        }
    }
}

#[test]
fn section_7_1_7_what_was_queued_before_a_failure_goes_out_and_the_close_frame_behind_it() {
    for is_server in [true, false] {
        for room in [0, 1, 5, 20, 29, 35] {
            let mut end = Endpoint::of(is_server);
            end.send_binary(&[1; 20]).unwrap();
            end.send_binary(&[2; 20]).unwrap();
            end.conn.ping(b"").unwrap();
            let mut bytes = end.transmit(room);
            end.hear(&[cont("")]);
            bytes.extend(end.say_bytes());
            // The answers to what the peer sent rightly are not kept from it.
            let expected = [ping(""), binary([1; 20]), binary([2; 20]), close(1002)];
            assert_eq!(frames(&bytes, !is_server), expected, "{room}");
        }
    }
}

#[test]
fn section_7_1_2_the_whole_handshake_at_every_cut_whoever_begins() {
    for sizes in cuts() {
        for first in [Side::Client, Side::Server] {
            let mut pair = Pair::new(Config::default().ping_interval(None)).cut(if sizes.is_empty() {
                &[usize::MAX]
            } else {
                sizes
            });
            pair.client.send_text("c").unwrap();
            pair.server.send_text("s").unwrap();
            pair.side(first).close(3001, "enough").unwrap();
            pair.settle();
            for side in [Side::Client, Side::Server] {
                let end = pair.side(side);
                assert_eq!(end.conn.local_close(), Some(CloseCode::from(3001)));
                assert_eq!(end.conn.peer_close(), Some(CloseCode::from(3001)));
                assert_eq!(end.conn.is_closed_by_peer(), side != first);
                assert!(end.conn.is_clean());
                assert_eq!(end.conn.state(), State::Closed);
                assert_eq!(end.conn.error(), None);
                assert_eq!(action(end), TransportAction::Close);
                assert_eq!(end.conn.poll_timeout(), None);
                assert_eq!(end.events().last(), Some(&Seen::close(3001, "enough")));
            }
        }
    }
}

#[test]
fn section_7_1_5_with_simultaneous_closes_each_side_has_the_code_of_the_other() {
    let mut pair = Pair::new(Config::default().ping_interval(None));
    pair.client.close(3001, "c").unwrap();
    pair.server.close(3002, "s").unwrap();
    pair.settle();
    assert_eq!(pair.client.conn.peer_close(), Some(CloseCode::from(3002)));
    assert_eq!(pair.server.conn.peer_close(), Some(CloseCode::from(3001)));
    assert_eq!(pair.client.events(), [Seen::close(3002, "s")]);
    assert_eq!(pair.server.events(), [Seen::close(3001, "c")]);
    assert!(pair.client.conn.is_clean() && pair.server.conn.is_clean());
    assert!(!pair.client.conn.is_closed_by_peer() && !pair.server.conn.is_closed_by_peer());
}

#[test]
fn section_7_1_1_the_server_ends_the_transport_first_and_the_client_waits_for_it() {
    let mut client = Endpoint::client();
    let mut server = Endpoint::server();
    client.close(1000, "").unwrap();
    let bytes = client.say_bytes();
    assert_eq!(action(&client), TransportAction::Keep);
    server.hear_bytes(&bytes);
    assert_eq!(action(&server), TransportAction::Keep, "the echo is still to be sent");
    let bytes = server.say_bytes();
    assert_eq!(action(&server), TransportAction::ShutdownWrite);
    client.hear_bytes(&bytes);
    assert_eq!(action(&client), TransportAction::Keep);
    client.conn.receive_eof().unwrap();
    assert_eq!(action(&client), TransportAction::Close);
    server.conn.receive_eof().unwrap();
    assert_eq!(action(&server), TransportAction::Close);
}

#[test]
fn section_7_1_1_a_client_whose_server_does_not_end_the_transport_ends_it_at_the_deadline() {
    let mut client = Endpoint::client();
    client.close(1000, "").unwrap();
    client.say();
    client.hear(&[close(1000)]);
    assert_eq!(client.conn.poll_timeout(), Some(at(10)));
    client.time(at(10));
    assert_eq!(action(&client), TransportAction::Close);
    assert_eq!((client.conn.error(), client.conn.is_clean()), (None, true));
    assert_eq!(client.conn.poll_timeout(), None);
}

#[test]
fn section_5_5_1_a_close_goes_behind_queued_data_and_nothing_behind_it() {
    for is_server in [true, false] {
        let mut end = Endpoint::of(is_server);
        end.send_text("one").unwrap();
        end.send_text("two").unwrap();
        end.close(1000, "done").unwrap();
        assert_eq!(end.send_text("three"), Err(SendError::Closing));
        assert_eq!(end.close(1001, ""), Err(SendError::Closing));
        assert_eq!(end.conn.state(), State::Closing);
        assert_eq!(end.say(), [text("one"), text("two"), close_with(1000, "done")]);
    }
}

#[test]
fn section_5_5_1_the_echo_goes_behind_queued_data_and_frees_nobody_from_it() {
    let mut end = Endpoint::server();
    end.send_text("last words").unwrap();
    end.hear(&[close_with(1001, "bye")]);
    assert_eq!(end.conn.state(), State::Closing);
    assert_eq!(end.send_text("more"), Err(SendError::Closing));
    assert_eq!(end.say(), [text("last words"), close_with(1001, "bye")]);
    assert_eq!(end.conn.state(), State::Closed);
}

#[test]
fn section_5_5_1_close_now_overtakes_what_is_queued() {
    for is_server in [true, false] {
        for room in 0..40 {
            let mut end = Endpoint::of(is_server);
            end.send_binary(&[1; 10]).unwrap();
            end.send_binary(&[2; 10]).unwrap();
            end.conn.ping(b"dropped").unwrap();
            let mut bytes = end.transmit(room);
            end.close_now(1001, "now").unwrap();
            bytes.extend(end.say_bytes());
            let sent = frames(&bytes, !is_server);
            assert_eq!(sent.last(), Some(&close_with(1001, "now")));
            let size = if is_server { 9 } else { 13 };
            assert_eq!(sent.len() == 1, room == 0, "{room}");
            assert!(room > size || sent.len() <= 2, "{room}: {sent:?}");
            assert!(end.tx.is_empty());
        }
    }
}

#[test]
fn section_5_5_1_close_now_after_close_drops_the_data_that_close_waits_for() {
    let mut end = Endpoint::server();
    end.send_text("slow").unwrap();
    end.close(1000, "first").unwrap();
    assert_eq!(end.close_now(1001, "second"), Err(SendError::Closing));
    assert_eq!(end.say(), [close_with(1000, "first")]);
}

#[test]
fn section_5_5_1_data_that_arrives_after_our_close_is_passed_over_without_being_kept() {
    let mut end = Endpoint::server();
    end.hear(&[text("begun").more()]);
    end.close(1000, "").unwrap();
    end.hear(&[cont("more").more(), cont("end"), binary([1; 1000]), text(b"\xff"), close(1000)]);
    assert_eq!(end.events(), [Seen::close(1000, "")]);
    assert_eq!(end.error(), None);
    assert_eq!(end.say(), [close(1000)]);
    assert!(end.conn.is_clean());
}

#[test]
fn section_7_1_7_a_violation_after_our_close_went_out_is_an_error_and_no_second_close() {
    let mut end = Endpoint::client();
    end.close(1000, "").unwrap();
    assert_eq!(end.say(), [close(1000)]);
    end.hear(&[cont("")]);
    assert_eq!(end.error(), Some(P::UnexpectedContinuation.into()));
    assert_eq!(end.say(), []);
    assert_eq!(end.conn.local_close(), Some(CloseCode::NORMAL));
}

#[test]
fn section_7_1_7_a_violation_replaces_a_close_that_still_waits() {
    for room in 0..8 {
        let mut end = Endpoint::server();
        end.close(1000, "bye").unwrap();
        let mut bytes = end.transmit(room);
        end.hear(&[cont("")]);
        bytes.extend(end.say_bytes());
        let expected = if room == 0 { close(1002) } else { close_with(1000, "bye") };
        assert_eq!(frames(&bytes, false), [expected], "{room} bytes were out");
    }
}

#[test]
fn section_7_1_5_end_of_file_without_a_close_is_1006_and_sticky() {
    for is_server in [true, false] {
        for closing in [false, true] {
            let mut end = Endpoint::of(is_server);
            end.send_text("unsent").unwrap();
            if closing {
                end.close(1000, "").unwrap();
            }
            assert_eq!(end.conn.receive_eof(), Err(Error::UnexpectedEof));
            assert_eq!(end.conn.receive_eof(), Err(Error::UnexpectedEof));
            end.hear(&[text("x")]);
            assert_eq!(end.error(), Some(Error::UnexpectedEof));
            assert_eq!(end.conn.peer_close(), None);
            assert_eq!(action(&end), TransportAction::Close);
            assert_eq!(end.conn.poll_timeout(), None);
            assert_eq!(end.send_text("x"), Err(SendError::Closing));
            assert_eq!(end.close(1000, ""), Err(SendError::Closing));
        }
    }
}

#[test]
fn section_7_1_1_a_peer_that_half_closes_behind_its_close_still_gets_the_echo() {
    let mut end = Endpoint::server();
    end.hear(&[close(1001)]);
    end.conn.receive_eof().unwrap();
    assert_eq!(action(&end), TransportAction::Keep);
    assert_eq!(end.say(), [close(1001)]);
    assert_eq!(action(&end), TransportAction::Close);
}

/// A violation and the end of the peer's side in the same read: the peer may well still listen.
#[test]
fn section_7_1_7_a_peer_that_half_closes_behind_a_violation_still_gets_the_close_frame() {
    let mut end = Endpoint::server();
    end.hear(&[cont("")]);
    assert_eq!(end.conn.receive_eof(), Err(P::UnexpectedContinuation.into()));
    assert_eq!(action(&end), TransportAction::Keep, "the Close frame is still to be sent");
    assert_eq!(end.say(), [close(1002)]);
    assert_eq!(action(&end), TransportAction::Close);

    // And if the transport does not take it, the deadline ends it.
    let mut end = Endpoint::server();
    end.hear(&[cont("")]);
    let _ = end.conn.receive_eof();
    assert_eq!(end.conn.poll_timeout(), Some(at(10)));
    end.time(at(10));
    assert_eq!(action(&end), TransportAction::Close);
    assert_eq!(end.conn.poll_timeout(), None);
}

#[test]
fn section_5_5_1_the_answer_can_be_left_to_the_caller() {
    let config = Config::default().ping_interval(None).automatic_close(false);
    let mut end = Endpoint::server_with(config);
    end.hear(&[close_with(1001, "bye")]);
    assert_eq!(end.events(), [Seen::close(1001, "bye")]);
    assert_eq!(end.say(), []);
    assert_eq!(end.send_text("x"), Err(SendError::Closing));
    assert!(end.conn.is_closed_by_peer());
    end.close(1000, "mine").unwrap();
    assert_eq!(end.say(), [close_with(1000, "mine")]);
    assert!(end.conn.is_clean());

    // Without an answer the deadline ends it.
    let mut end = Endpoint::server_with(config);
    end.hear(&[close(1001)]);
    end.time(at(10));
    assert_eq!(end.conn.error(), Some(Error::Timeout(ws_proto::TimeoutReason::Close)));
    assert_eq!(action(&end), TransportAction::Close);
}

#[test]
fn section_5_5_1_events_before_the_close_come_before_it_and_none_behind() {
    let script = [text("a"), ping("b"), close(1000), text("c"), ping("d"), close(1001), cont("")];
    for sizes in cuts() {
        let mut end = Endpoint::server();
        end.hear_pieces(&ws_tests::chop(&wire(&script, true), sizes));
        assert_eq!(end.events(), [Seen::text("a"), Seen::ping("b"), Seen::close(1000, "")]);
        assert_eq!(end.error(), None);
        assert!(end.rx.is_empty());
        assert_eq!(end.conn.peer_close(), Some(CloseCode::NORMAL));
    }
}

#[test]
fn section_5_5_1_the_rest_of_a_message_behind_the_close_is_passed_over_answered_or_not() {
    let script = [text("a").more(), close(1000), cont("b")];
    for automatic in [true, false] {
        for sizes in cuts() {
            let config = Config::default().ping_interval(None).automatic_close(automatic);
            let mut end = Endpoint::server_with(config);
            end.hear_pieces(&ws_tests::chop(&wire(&script, true), sizes));
            assert_eq!(end.events(), [Seen::close(1000, "")]);
            assert_eq!(end.error(), None);
            assert!(end.rx.is_empty());
        }
    }
}

#[test]
fn section_5_5_reasons_of_123_bytes_pass_and_of_124_are_refused() {
    let mut end = Endpoint::client();
    assert_eq!(end.close(1000, &"r".repeat(124)), Err(SendError::ReasonTooLong));
    assert_eq!(end.close(1000, &"€".repeat(42)), Err(SendError::ReasonTooLong));
    assert_eq!(
        end.conn.close(end.now, CloseCode::NO_STATUS, "x"),
        Err(SendError::InvalidCloseCode(1005.into()))
    );
    assert_eq!((end.say(), end.conn.state()), (vec![], State::Open));
    end.close(1000, &"€".repeat(41)).unwrap();
    assert_eq!(end.say(), [close_with(1000, "€".repeat(41))]);
}

#[test]
fn section_7_1_7_the_close_frame_of_a_failure_survives_one_byte_of_room_at_a_time() {
    let mut end = Endpoint::client();
    end.hear_pieces(&every_byte(&[0xC1, 0x00]));
    let mut bytes = Vec::new();
    for n in 1..=8 {
        assert_ne!(action(&end), TransportAction::ShutdownWrite);
        bytes.extend(end.transmit(1));
        assert_eq!(bytes.len(), n);
    }
    assert_eq!(frames(&bytes, true), [close(1002)]);
    assert_eq!(action(&end), TransportAction::ShutdownWrite);
}
