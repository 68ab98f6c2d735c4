//! The rules that the field's usual conformance suite checks, as tables of our own, from the text of RFC 6455, over
//! both roles and over many cuts. No other program is needed.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::{Config, Error, Kind, ProtocolError, Role, SendBuf};
use ws_tests::{
    Endpoint, Frame, Pair, Seen, Side, binary, chop, client_role, close, close_with, cont, empty_close,
    every_byte, frame, frames, ping, pong, raw_close, text, wire,
};

const CHOPS: &[&[usize]] = &[&[], &[1], &[997], &[1000, 1], &[65_535]];

/// An endpoint that answers every message with itself.
struct Echo {
    end: Endpoint,
    said: Vec<u8>,
}

impl Echo {
    fn new(is_server: bool, config: Config) -> Self {
        let role = if is_server { Role::Server } else { client_role() };
        Self { end: Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new())), said: Vec::new() }
    }

    /// Answers each event at once, so that the answers do not depend on the cuts.
    fn hear(&mut self, script: &[Frame], sizes: &[usize]) {
        let Self { end, said } = self;
        for piece in chop(&wire(script, end.is_server), sizes) {
            let mut rest = piece;
            while !rest.is_empty() {
                let taken = end.rx.extend_from_slice(rest);
                rest = &rest[taken..];
                while end.receive_one() {
                    match end.events().remove(0) {
                        Seen::Text(text) => end.send_text(&text).unwrap(),
                        Seen::Binary(bytes) => end.send_binary(&bytes).unwrap(),
                        _ => {}
                    }
                    said.extend(end.say_bytes());
                }
            }
        }
        said.extend(end.say_bytes());
    }

    fn said(&self) -> Vec<Frame> {
        frames(&self.said, !self.end.is_server)
    }
}

fn config() -> Config {
    Config::default().ping_interval(None).max_message_size(64 << 20)
}

/// For both roles and all cuts: what is answered to a script.
fn check(name: &str, script: &[Frame], answers: &[Frame]) {
    for is_server in [true, false] {
        for sizes in CHOPS {
            let mut echo = Echo::new(is_server, config());
            echo.hear(script, sizes);
            let said = echo.said();
            assert!(said == answers, "{name} {sizes:?}: {} answers, {:?}", said.len(), said.last());
        }
    }
}

// Framing: sizes.

#[test]
fn section_5_2_messages_of_every_size_class_are_echoed_at_every_cut() {
    for size in [0, 1, 125, 126, 127, 128, 65_535, 65_536] {
        check(&format!("text of {size}"), &[text("*".repeat(size))], &[text("*".repeat(size))]);
        check(&format!("binary of {size}"), &[binary(vec![0xFE; size])], &[binary(vec![0xFE; size])]);
    }
}

#[test]
fn section_5_2_many_messages_behind_each_other_are_all_echoed() {
    let script: Vec<Frame> = (0..1000).map(|n| text("x".repeat(n % 200))).collect();
    check("1000 texts", &script, &script);
}

#[test]
fn section_5_4_messages_of_mebibytes_fragmented_and_cut() {
    for (size, fragment, cut) in [
        (1 << 20, 1 << 20, 1 << 12),
        (1 << 20, 1 << 16, 997),
        (1 << 20, 4096, 65_536),
        (1 << 20, 256, 1 << 14),
        (4 << 20, 1 << 18, 1 << 16),
        ((1 << 20) + 1, 1021, 1021),
    ] {
        let text_kind = fragment != 4096;
        let payload: Vec<u8> = if text_kind {
            "κόσμε ".bytes().cycle().take(size / 12 * 12).collect()
        } else {
            (0..size).map(|n| (n * 7 % 256) as u8).collect()
        };
        let mut script: Vec<Frame> = payload.chunks(fragment).map(|part| cont(part).more()).collect();
        script[0].opcode = if text_kind { 1 } else { 2 };
        script.last_mut().unwrap().fin = true;
        for is_server in [true, false] {
            let mut echo = Echo::new(is_server, config());
            echo.hear(&script, &[cut]);
            assert_eq!(echo.end.error(), None);
            let whole = if text_kind { text(&payload) } else { binary(&payload) };
            assert!(echo.said() == [whole], "{size} in fragments of {fragment} cut at {cut}");
        }
    }
}

#[test]
fn section_5_4_both_ways_at_once_with_fragments_of_their_own_making() {
    for fragment_size in [None, Some(64), Some(4096)] {
        let config = config().fragment_size(fragment_size).max_fragments(u32::MAX);
        let mut pair = Pair::new(config).cut(&[4096, 997, 65_536]);
        let message = vec![0xAB; 1 << 20];
        pair.client.send_binary(&message).unwrap();
        pair.server.send_fragment(Kind::Binary, &message, true).unwrap();
        pair.settle();
        assert!(pair.side(Side::Server).events() == [Seen::binary(&message)]);
        assert!(pair.side(Side::Client).events() == [Seen::binary(&message)]);
    }
}

// Pings and pongs.

#[test]
fn section_5_5_2_pings_and_pongs() {
    check("an empty ping", &[ping("")], &[pong("")]);
    check("a ping with text", &[ping("Hello")], &[pong("Hello")]);
    check("a ping with bytes", &[ping(b"\x00\xff\xfe\xfd")], &[pong(b"\x00\xff\xfe\xfd")]);
    check("the longest ping", &[ping([0xFE; 125])], &[pong([0xFE; 125])]);
    check("a ping too long", &[ping([0xFE; 126])], &[close(1002)]);
    check("a pong nobody asked for", &[pong("")], &[]);
    check("a pong, then a ping", &[pong("a"), ping("b")], &[pong("b")]);
    let pings: Vec<Frame> = (0..10).map(|n| ping(format!("payload-{n}"))).collect();
    let pongs: Vec<Frame> = (0..10).map(|n| pong(format!("payload-{n}"))).collect();
    check("ten pings", &pings, &pongs);
}

// Reserved bits and opcodes.

#[test]
fn section_5_2_reserved_bits() {
    for rsv in 1..8 {
        check("alone", &[text("x").rsv(rsv)], &[close(1002)]);
        check("behind a text", &[text("a"), text("x").rsv(rsv)], &[text("a"), close(1002)]);
        check("behind a ping", &[ping("a"), text("x").rsv(rsv)], &[pong("a"), close(1002)]);
        check("on an empty frame", &[binary("").rsv(rsv)], &[close(1002)]);
        check("on a ping", &[ping("").rsv(rsv)], &[close(1002)]);
        check("on a Close", &[close(1000).rsv(rsv)], &[close(1002)]);
        check("on a continuation", &[text("a").more(), cont("b").rsv(rsv)], &[close(1002)]);
    }
}

#[test]
fn section_5_2_reserved_opcodes() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        check("empty", &[frame(opcode, "")], &[close(1002)]);
        check("with payload", &[frame(opcode, "reserved")], &[close(1002)]);
        check("in between", &[text("a"), frame(opcode, ""), ping("")], &[text("a"), close(1002)]);
    }
}

// Fragmentation.

#[test]
fn section_5_4_fragmentation_orders() {
    check("ping in two fragments", &[ping("a").more(), cont("b")], &[close(1002)]);
    check("pong in two fragments", &[pong("a").more(), cont("b")], &[close(1002)]);
    check("text in two", &[text("a").more(), cont("b")], &[text("ab")]);
    check("a ping between", &[text("a").more(), ping("p"), cont("b")], &[pong("p"), text("ab")]);
    check(
        "pings between five fragments",
        &[
            text("a").more(),
            cont("b").more(),
            ping("1"),
            cont("c").more(),
            cont("d").more(),
            ping("2"),
            cont("e"),
        ],
        &[pong("1"), pong("2"), text("abcde")],
    );
    check("an open text, then text", &[text("a").more(), text("b")], &[close(1002)]);
    check("a continuation of nothing", &[cont("a"), text("b")], &[close(1002)]);
    check("an open continuation of nothing", &[cont("a").more(), text("b")], &[close(1002)]);
    check("a message, then a continuation", &[text("a"), cont("b")], &[text("a"), close(1002)]);
    check("three empty ones", &[text("").more(), cont("").more(), cont("")], &[text("")]);
    check("empty, full, empty", &[text("").more(), cont("mid").more(), cont("")], &[text("mid")]);
    check(
        "two messages in fragments",
        &[binary("a").more(), cont("b"), text("c").more(), ping(""), cont("d")],
        &[binary("ab"), pong(""), text("cd")],
    );
}

// UTF-8.

#[test]
fn section_8_1_valid_text_of_many_kinds() {
    let cases: &[&str] = &[
        "Hello-µ@ßöäüàá-UTF-8!!",
        "κόσμε",
        "\u{0}",
        "\u{7F}",
        "\u{80}",
        "\u{7FF}",
        "\u{800}",
        "\u{D7FF}",
        "\u{E000}",
        "\u{FFFD}",
        "\u{FFFE}",
        "\u{FFFF}",
        "\u{FDD0}",
        "\u{10000}",
        "\u{1FFFE}",
        "\u{10FFFE}",
        "\u{10FFFF}",
        "日本語テキスト",
        "नमस्ते",
        "👩‍👩‍👧‍👦",
        "e\u{301}",
    ];
    for case in cases {
        check(case, &[text(case)], &[text(case)]);
        // Every byte a fragment of its own, with a ping in the middle.
        let mut script: Vec<Frame> = case.bytes().map(|byte| cont([byte]).more()).collect();
        script[0].opcode = 1;
        script.insert(script.len() / 2 + 1, ping(""));
        script.push(cont(""));
        check(case, &script, &[pong(""), text(case)]);
    }
}

#[test]
fn section_8_1_invalid_text_of_many_kinds() {
    // The bytes, and after how many of them it can be known.
    let cases: &[(&[u8], usize)] = &[
        (b"\x80", 1),
        (b"\xbf", 1),
        (b"a\x80", 2),
        (b"\xc0\x80", 1),
        (b"\xc1\xbf", 1),
        (b"\xe0\x80\x80", 2),
        (b"\xe0\x9f\xbf", 2),
        (b"\xf0\x80\x80\x80", 2),
        (b"\xf0\x8f\xbf\xbf", 2),
        (b"\xed\xa0\x80", 2),
        (b"\xed\xbf\xbf", 2),
        (b"\xed\xa0\xbd\xed\xb8\x80", 2),
        (b"\xf4\x90\x80\x80", 2),
        (b"\xf5\x80\x80\x80", 1),
        (b"\xf8\x88\x80\x80\x80", 1),
        (b"\xfc\x84\x80\x80\x80\x80", 1),
        (b"\xfe", 1),
        (b"\xff", 1),
        (b"\xc2\x41", 2),
        (b"\xe2\x28\xa1", 2),
        (b"\xe2\x82\x28", 3),
        (b"\xf0\x28\x8c\xbc", 2),
        (b"\xf0\x90\x28\xbc", 3),
        (b"\xf0\x90\x8c\x28", 4),
        (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64", 13),
        (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80\x65\x64\x69\x74\x65\x64", 13),
    ];
    for (bytes, decided) in cases {
        check(&format!("{bytes:x?}"), &[text(bytes)], &[close(1007)]);
        check(&format!("{bytes:x?}"), &[text("fine"), text(bytes)], &[text("fine"), close(1007)]);
        let mut script: Vec<Frame> = bytes.iter().map(|byte| cont([*byte]).more()).collect();
        script[0].opcode = 1;
        check(&format!("{bytes:x?} in fragments"), &script, &[close(1007)]);

        // Fail-fast, in fragments and inside one frame that is still to be completed.
        let mut end = Endpoint::server();
        for (index, frame) in script.iter().enumerate().take(*decided) {
            assert_eq!(end.error(), None, "{bytes:x?} at {index}");
            end.hear(core::slice::from_ref(frame));
        }
        assert_eq!(end.error(), Some(Error::InvalidUtf8), "{bytes:x?}");
        let mut frame = text(bytes);
        frame.payload.extend([b'.'; 50]);
        let encoded = frame.masked();
        let mut end = Endpoint::server();
        end.hear_pieces(&every_byte(&encoded[..6 + decided - 1]));
        assert_eq!(end.error(), None, "{bytes:x?}");
        end.hear_bytes(&encoded[6 + decided - 1..6 + decided]);
        assert_eq!(end.error(), Some(Error::InvalidUtf8), "{bytes:x?}");
    }
    // What only the end of the message decides.
    for bytes in [&b"\xc2"[..], b"\xe2\x82", b"\xf0\x90\x8c", b"ok \xf4\x8f\xbf"] {
        check(&format!("{bytes:x?}"), &[text(bytes)], &[close(1007)]);
        check(&format!("{bytes:x?}"), &[text(bytes).more(), cont("")], &[close(1007)]);
    }
}

// Closing.

#[test]
fn section_7_close_frames() {
    check("without body", &[empty_close()], &[empty_close()]);
    check("one byte", &[raw_close("a")], &[close(1002)]);
    check("with code", &[close(1000)], &[close(1000)]);
    check("with reason", &[close_with(1000, "Hello World!")], &[close_with(1000, "Hello World!")]);
    let longest = "*".repeat(123);
    check("longest reason", &[close_with(1000, &longest)], &[close_with(1000, &longest)]);
    check("reason too long", &[close_with(1000, "*".repeat(124))], &[close(1002)]);
    check("reason not UTF-8", &[close_with(1000, b"\xce\xba\xed\xa0\x80")], &[close(1007)]);
    check("text first", &[text("a"), close(1000)], &[text("a"), close(1000)]);
    check("two of them", &[close(1000), close(1001)], &[close(1000)]);
    check("a ping behind", &[close(1000), ping("")], &[close(1000)]);
    check("a text behind", &[close(1000), text("x")], &[close(1000)]);
    check("inside a message", &[text("a").more(), close(1000), cont("b")], &[close(1000)]);
    check("a violation behind", &[close(1000), cont("")], &[close(1000)]);
}

#[test]
fn section_7_4_close_codes() {
    for code in
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    {
        check("valid", &[close(code)], &[close(code)]);
        check("valid", &[close_with(code, "why")], &[close_with(code, "why")]);
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65_535] {
        check("invalid", &[close(code)], &[close(1002)]);
        check("invalid", &[close_with(code, "why")], &[close(1002)]);
    }
}

// Limits.

#[test]
fn section_10_4_limits_are_answered_with_their_code() {
    for is_server in [true, false] {
        for (config, script, code) in [
            (config().max_message_size(10), vec![text("0123456789a")], 1009),
            (config().max_message_size(10), vec![text("01234").more(), cont("56789a")], 1009),
            (config().max_frame_size(5), vec![text("012345")], 1009),
            (config().max_fragments(2), vec![text("").more(), cont("").more(), cont("")], 1008),
        ] {
            let mut echo = Echo::new(is_server, config);
            echo.hear(&script, &[1]);
            assert_eq!(echo.said(), [close(code)]);
        }
    }
}

#[test]
fn section_5_1_masks_have_to_be_as_the_role_says() {
    for (is_server, error) in [(true, ProtocolError::UnmaskedFrame), (false, ProtocolError::MaskedFrame)] {
        for frame in [text("x"), ping(""), close(1000), text("x").more()] {
            let mut end = Endpoint::of(is_server);
            end.hear_bytes(&wire(&[frame], !is_server));
            assert_eq!(end.error(), Some(error.into()));
            assert_eq!(end.say(), [close(1002)]);
        }
    }
}
