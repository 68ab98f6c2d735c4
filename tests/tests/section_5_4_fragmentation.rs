//! RFC 6455 section 5.4: fragmentation.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::ProtocolError as P;
use ws_proto::{Config, Error, Kind, SendError};
use ws_tests::{Endpoint, Frame, Seen, binary, close, cont, cuts, every_byte, ping, pong, text, wire};

/// What a script of frames leads to, and in the end the error if there is one.
struct Case {
    name: &'static str,
    script: Vec<Frame>,
    events: Vec<Seen>,
    error: Option<P>,
}

fn table() -> Vec<Case> {
    let legal = |name, script, events| Case { name, script, events, error: None };
    let illegal = |name, script, events, rule| Case { name, script, events, error: Some(rule) };
    vec![
        legal("two fragments", vec![text("Hel").more(), cont("lo")], vec![Seen::text("Hello")]),
        legal("an empty first one", vec![text("").more(), cont("Hello")], vec![Seen::text("Hello")]),
        legal("an empty last one", vec![text("Hello").more(), cont("")], vec![Seen::text("Hello")]),
        legal("only empty ones", vec![binary("").more(), cont("").more(), cont("")], vec![Seen::binary("")]),
        legal(
            "empty ones in between",
            vec![binary("a").more(), cont("").more(), cont("").more(), cont("b").more(), cont("")],
            vec![Seen::binary("ab")],
        ),
        legal(
            "control frames between fragments come at once",
            vec![text("a").more(), ping("1"), pong("2"), cont("b").more(), ping(""), cont("c")],
            vec![Seen::ping("1"), Seen::pong("2"), Seen::ping(""), Seen::text("abc")],
        ),
        legal(
            "two fragmented messages behind each other",
            vec![text("a").more(), cont("b"), binary("c").more(), cont("d")],
            vec![Seen::text("ab"), Seen::binary("cd")],
        ),
        legal("a Close in between", vec![text("a").more(), close(1001)], vec![Seen::close(1001, "")]),
        illegal("a continuation first", vec![cont("a")], vec![], P::UnexpectedContinuation),
        illegal("an open continuation first", vec![cont("a").more()], vec![], P::UnexpectedContinuation),
        illegal(
            "a continuation behind a message",
            vec![text("a"), cont("b")],
            vec![Seen::text("a")],
            P::UnexpectedContinuation,
        ),
        illegal(
            "a continuation behind a fragmented message",
            vec![text("a").more(), cont("b"), cont("c")],
            vec![Seen::text("ab")],
            P::UnexpectedContinuation,
        ),
        illegal("text in text", vec![text("a").more(), text("b")], vec![], P::ExpectedContinuation),
        illegal("text in binary", vec![binary("a").more(), text("b")], vec![], P::ExpectedContinuation),
        illegal(
            "binary behind a ping in text",
            vec![text("a").more(), ping(""), binary("b").more()],
            vec![Seen::ping("")],
            P::ExpectedContinuation,
        ),
        illegal(
            "a fragmented ping in a message",
            vec![text("a").more(), ping("").more()],
            vec![],
            P::FragmentedControlFrame,
        ),
    ]
}

#[test]
fn section_5_4_orders_of_fragments_legal_and_illegal_at_every_cut() {
    for case in table() {
        for is_server in [true, false] {
            for sizes in cuts() {
                let mut end = Endpoint::of(is_server);
                let bytes = wire(&case.script, is_server);
                end.hear_pieces(&ws_tests::chop(&bytes, sizes));
                assert_eq!(end.events(), case.events, "{} {sizes:?}", case.name);
                assert_eq!(end.error(), case.error.map(Error::Protocol), "{} {sizes:?}", case.name);
                if case.error.is_some() {
                    assert_eq!(end.say().last(), Some(&close(1002)), "{}", case.name);
                }
            }
        }
    }
}

#[test]
fn section_5_4_a_ping_between_fragments_is_answered_before_the_message_ends() {
    let mut server = Endpoint::server();
    server.hear(&[text("Hel").more(), ping("now")]);
    assert_eq!(server.say(), [pong("now")]);
    server.hear(&[cont("lo")]);
    assert_eq!(server.events(), [Seen::ping("now"), Seen::text("Hello")]);
}

#[test]
fn section_5_4_fragments_are_sent_as_asked_and_control_frames_go_between() {
    for is_server in [true, false] {
        let mut end = Endpoint::of(is_server);
        end.send_fragment(Kind::Text, b"Hel", false).unwrap();
        assert_eq!(end.say(), [text("Hel").more()]);
        end.conn.ping(b"?").unwrap();
        end.send_fragment(Kind::Text, b"", false).unwrap();
        end.send_fragment(Kind::Text, b"lo", true).unwrap();
        assert_eq!(end.say(), [ping("?"), cont("").more(), cont("lo")]);
        end.send_fragment(Kind::Binary, b"", true).unwrap();
        assert_eq!(end.say(), [binary("")]);
    }
}

#[test]
fn section_5_4_messages_do_not_interleave_when_sent() {
    let mut end = Endpoint::server();
    end.send_fragment(Kind::Text, b"a", false).unwrap();
    assert_eq!(end.send_text("b"), Err(SendError::MessageInProgress));
    assert_eq!(end.send_binary(b"b"), Err(SendError::MessageInProgress));
    assert_eq!(end.send_fragment(Kind::Binary, b"b", true), Err(SendError::MessageInProgress));
    end.send_fragment(Kind::Text, b"c", true).unwrap();
    end.send_text("d").unwrap();
    assert_eq!(end.say(), [text("a").more(), cont("c"), text("d")]);
}

#[test]
fn section_5_4_a_fragment_longer_than_the_fragment_size_is_cut_as_well() {
    let mut end = Endpoint::server_with(Config::default().ping_interval(None).fragment_size(Some(2)));
    end.send_fragment(Kind::Binary, b"abcde", false).unwrap();
    end.send_fragment(Kind::Binary, b"fgh", true).unwrap();
    let expected = [binary("ab").more(), cont("cd").more(), cont("e").more(), cont("fg").more(), cont("h")];
    assert_eq!(end.say(), expected);
}

#[test]
fn section_5_4_boundaries_of_fragments_carry_no_meaning() {
    let message: Vec<u8> = (0..2000).map(|i| (i % 256) as u8).collect();
    for size in [1, 2, 3, 100, 125, 126, 1999, 2000] {
        let mut script: Vec<Frame> = message.chunks(size).map(|piece| cont(piece).more()).collect();
        script[0].opcode = 2;
        script.last_mut().unwrap().fin = true;
        let mut server = Endpoint::server();
        server.hear_pieces(&every_byte(&wire(&script, true)));
        assert_eq!(server.events(), [Seen::binary(&message)], "{size}");
    }
}

#[test]
fn section_5_4_each_message_counts_its_own_fragments_and_bytes() {
    let config = Config::default().ping_interval(None).max_fragments(3).max_message_size(6);
    let mut server = Endpoint::server_with(config);
    for _ in 0..10 {
        server.hear(&[binary("ab").more(), cont("cd").more(), ping(""), cont("ef")]);
        assert_eq!(server.events(), [Seen::ping(""), Seen::binary("abcdef")]);
    }
    assert_eq!(server.error(), None);
}
