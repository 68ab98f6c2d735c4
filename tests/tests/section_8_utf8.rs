//! RFC 6455 section 8.1: text is UTF-8, and what is not is noticed as early as can be.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::{Config, Error, Kind, SendBuf, SendError};
use ws_tests::{Endpoint, Frame, Seen, binary, client_role, close, cont, every_byte, ping, text, wire};

/// After how many bytes a text can be known to be wrong: the shortest prefix that nothing can complete. Naive: tries
/// to complete it.
fn decided_after(bytes: &[u8]) -> Option<usize> {
    let completions: [&[u8]; 7] =
        [b"", b"\x80", b"\xa0", b"\x80\x80", b"\xa0\x80", b"\x80\x80\x80", b"\x90\x80\x80"];
    (1..=bytes.len()).find(|&n| {
        completions.iter().all(|more| core::str::from_utf8(&[&bytes[..n], more].concat()).is_err())
    })
}

fn edges() -> Vec<Vec<u8>> {
    let mut cases: Vec<Vec<u8>> = Vec::new();
    let leads = [
        0x00_u8, 0x41, 0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0,
        0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFC, 0xFE, 0xFF,
    ];
    let seconds = [0x00_u8, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF];
    let thirds = [0x7F_u8, 0x80, 0xBF, 0xC0];
    for lead in leads {
        cases.push(vec![lead]);
        for second in seconds {
            cases.push(vec![lead, second]);
            for third in thirds {
                cases.push(vec![lead, second, third]);
                for fourth in thirds {
                    cases.push(vec![lead, second, third, fourth]);
                }
            }
        }
    }
    cases
}

#[test]
fn section_8_1_edges_of_all_lengths_have_the_verdict_of_core_in_one_frame_and_in_fragments() {
    for sequence in edges() {
        let valid = core::str::from_utf8(&sequence);
        for at in 0..=sequence.len() {
            for script in [
                vec![text(&sequence)],
                vec![text(&sequence[..at]).more(), cont(&sequence[at..])],
                vec![text(&sequence[..at]).more(), ping(""), cont("").more(), cont(&sequence[at..])],
            ] {
                let mut end = Endpoint::with(
                    client_role(),
                    Config::default().ping_interval(None),
                    [0; 200],
                    SendBuf::new([0; 16]),
                );
                end.hear(&script);
                let mut events = end.events();
                events.retain(|event| *event != Seen::ping(""));
                match valid {
                    Ok(valid) => assert_eq!(events, [Seen::text(valid)]),
                    Err(_) => {
                        assert_eq!(
                            (events, end.error()),
                            (vec![], Some(Error::InvalidUtf8)),
                            "{sequence:x?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn section_8_1_a_byte_that_cannot_be_right_fails_at_once_inside_an_unfinished_frame() {
    for prefix in ["", "a", "κόσμε", &"x".repeat(70)] {
        for sequence in edges() {
            let mut payload = prefix.as_bytes().to_vec();
            payload.extend(&sequence);
            let decided = decided_after(&payload);
            // A long frame, of which the rest never comes; and the sequence at the end of a whole message.
            for is_server in [true, false] {
                let mut frame = text(&payload);
                frame.payload.resize(payload.len() + 100, b'.');
                let bytes = wire(&[frame], is_server);
                let header = bytes.len() - payload.len() - 100;
                let mut end = Endpoint::of(is_server);
                end.hear_bytes(&bytes[..header]);
                for (index, byte) in
                    every_byte(&bytes[header..header + payload.len()]).into_iter().enumerate()
                {
                    assert_eq!(end.error(), None, "{payload:x?} before byte {}", index + 1);
                    end.hear_bytes(byte);
                    if decided == Some(index + 1) {
                        break;
                    }
                }
                assert_eq!(end.error(), decided.map(|_| Error::InvalidUtf8), "{payload:x?}");
                if decided.is_some() {
                    assert_eq!(end.say(), [close(1007)]);
                }
            }
        }
    }
}

/// Texts of `len` bytes or a few less: one byte a character, more, and both.
fn long_texts(len: usize) -> impl Iterator<Item = String> {
    ["all of it is ASCII. ", "語", "ж😀", "mostly ASCII, é"].into_iter().map(move |text| {
        let mut text: String = text.repeat(len / text.len() + 1);
        text.truncate(text.floor_char_boundary(len));
        text
    })
}

/// The lengths are around those at which other code takes over: words, vectors, the limits of what counts as short.
const LENGTHS: [usize; 13] = [7, 8, 9, 31, 33, 63, 64, 65, 127, 129, 255, 257, 400];

#[test]
fn section_8_1_a_long_text_passes_wherever_it_is_cut() {
    for is_server in [true, false] {
        for whole in LENGTHS.into_iter().flat_map(long_texts) {
            let bytes = whole.as_bytes();
            for cut in 0..=bytes.len() {
                let mut end = Endpoint::of(is_server);
                end.hear(&[text(&bytes[..cut]).more(), cont(&bytes[cut..])]);
                assert_eq!(end.error(), None, "{whole} cut at {cut}");
                assert_eq!(end.events(), [Seen::text(&whole)]);
                // The same cut inside of a frame.
                let wire = wire(&[text(bytes)], is_server);
                let header = wire.len() - bytes.len();
                let mut end = Endpoint::of(is_server);
                end.hear_bytes(&wire[..header + cut]);
                end.hear_bytes(&wire[header + cut..]);
                assert_eq!(end.events(), [Seen::text(&whole)]);
            }
        }
    }
}

#[test]
fn section_8_1_a_fault_at_any_place_of_a_long_text_is_noticed_with_the_byte_that_decides() {
    for is_server in [true, false] {
        for whole in LENGTHS.into_iter().flat_map(long_texts) {
            let boundaries = (0..=whole.len()).filter(|at| whole.is_char_boundary(*at));
            for at in boundaries {
                for (fault, decides) in [(&b"\x80"[..], 1), (b"\xed\xa0\x80", 2), (b"\xf0\x9f\x92x", 4)] {
                    let payload = [&whole.as_bytes()[..at], fault, &whole.as_bytes()[at..]].concat();
                    let wire = wire(&[text(&payload)], is_server);
                    let decided = wire.len() - payload.len() + at + decides;
                    let mut end = Endpoint::of(is_server);
                    end.hear_bytes(&wire[..decided - 1]);
                    assert_eq!(end.error(), None, "{fault:x?} at {at} of {whole}");
                    end.hear_bytes(&wire[decided - 1..decided]);
                    assert_eq!(end.error(), Some(Error::InvalidUtf8), "{fault:x?} at {at} of {whole}");
                    // And all at once.
                    let mut end = Endpoint::of(is_server);
                    end.hear_bytes(&wire);
                    assert_eq!((end.events(), end.error()), (vec![], Some(Error::InvalidUtf8)));
                }
            }
        }
    }
}

#[test]
fn section_5_6_a_text_frame_may_end_inside_a_character_and_the_message_may_not() {
    for (script, valid) in [
        (vec![text(b"\xe2\x82").more(), cont(b"\xac")], true),
        (vec![text(b"\xe2").more(), cont(b"\x82").more(), cont(b"\xac")], true),
        (vec![text(b"\xe2\x82").more(), cont("").more(), cont(b"\xac")], true),
        (vec![text(b"\xe2\x82")], false),
        (vec![text(b"\xe2\x82").more(), cont("")], false),
        (vec![text(b"\xe2\x82").more(), cont("x")], false),
        (vec![text("a").more(), cont(b"\xf0\x9f\x92")], false),
    ] {
        let mut end = Endpoint::server();
        end.hear(&script);
        if valid {
            assert_eq!(end.events(), [Seen::text("€")]);
        } else {
            assert_eq!(end.error(), Some(Error::InvalidUtf8), "{script:?}");
            assert_eq!(end.say(), [close(1007)]);
        }
    }
}

#[test]
fn section_8_1_what_one_message_left_unfinished_does_not_leak_into_the_next() {
    let mut end = Endpoint::server();
    end.hear(&[
        text("€"),
        binary(b"\xe2\x82"),
        text("x"),
        text(b"\xe2\x82").more(),
        cont(b"\xac"),
        text("y"),
    ]);
    assert_eq!(end.error(), None);
    assert_eq!(end.events().last(), Some(&Seen::text("y")));
}

#[test]
fn section_5_6_binary_is_not_looked_at() {
    let all: Vec<u8> = (0..=255).collect();
    let mut end = Endpoint::server();
    end.hear(&[binary(&all), binary(b"\xff").more(), cont(b"\xfe")]);
    assert_eq!(end.events(), [Seen::binary(&all), Seen::binary(b"\xff\xfe")]);
}

#[test]
fn section_8_1_every_scalar_value_passes_in_one_message_at_odd_cuts() {
    let all: String = (0..=0x10_FFFF).filter_map(char::from_u32).collect();
    let config = Config::default().ping_interval(None).max_message_size(usize::MAX);
    for is_server in [true, false] {
        let role = if is_server { ws_proto::Role::Server } else { client_role() };
        let mut end = Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new()));
        let mut script: Vec<Frame> = all.as_bytes().chunks(65_537).map(|part| cont(part).more()).collect();
        script[0].opcode = 1;
        script.last_mut().unwrap().fin = true;
        end.hear_pieces(&ws_tests::chop(&wire(&script, is_server), &[8191]));
        assert!(end.events() == [Seen::text(&all)]);
    }
}

#[test]
fn section_8_1_fragments_that_are_not_utf_8_together_are_not_sent() {
    let mut end = Endpoint::server();
    assert_eq!(end.send_fragment(Kind::Text, b"\xff", true), Err(SendError::InvalidUtf8));
    end.send_fragment(Kind::Text, b"\xe2\x82", false).unwrap();
    assert_eq!(end.send_fragment(Kind::Text, b"x", false), Err(SendError::InvalidUtf8));
    assert_eq!(end.send_fragment(Kind::Text, b"", true), Err(SendError::InvalidUtf8));
    end.send_fragment(Kind::Text, b"\xac", true).unwrap();
    assert_eq!(end.send_fragment(Kind::Text, b"\xe2\x82", true), Err(SendError::InvalidUtf8));
    end.send_fragment(Kind::Binary, b"\xff", true).unwrap();
    assert_eq!(end.say(), [text(b"\xe2\x82").more(), cont(b"\xac"), binary(b"\xff")]);
}
