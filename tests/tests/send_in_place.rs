//! Messages whose header is written in front of the payload, where it lies.
#![allow(clippy::panic, clippy::std_instead_of_alloc, clippy::unwrap_used)]

use ws_proto::deflate::{DeflateConfig, DeflateParams};
use ws_proto::{Config, Instant, Kind, MAX_HEADER_SIZE, Outbound as _, Role, SendError, SendQueue};
use ws_tests::{Endpoint, KEY, binary, close, fixed_key_role, frames, text};

type End = Endpoint<Vec<u8>, SendQueue<Vec<u8>>>;

fn end(is_server: bool, config: Config) -> End {
    let role = if is_server { Role::Server } else { fixed_key_role() };
    Endpoint::with(role, config.ping_interval(None), Vec::new(), SendQueue::new())
}

fn behind(headroom: usize, payload: &[u8]) -> Vec<u8> {
    [&vec![0xEE; headroom], payload].concat()
}

/// The header is as long as the length and the role make it, and directly in front of the payload.
#[test]
fn section_5_2_header_and_payload_are_one_slice_where_the_caller_put_the_payload() {
    for (is_server, len, header) in
        [(true, 1025, 4), (true, 65_535, 4), (true, 65_536, 10), (false, 1025, 8), (false, 65_536, 14)]
    {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let mut end = end(is_server, Config::default());
        let frame = behind(MAX_HEADER_SIZE, &payload);
        let place = frame[MAX_HEADER_SIZE - header..].as_ptr();
        end.conn.send_in_place(&mut end.tx, Kind::Binary, frame, MAX_HEADER_SIZE).unwrap();
        assert_eq!((end.tx.buffered_amount(), end.tx.queued_messages()), (header + len, 1));
        {
            let transmit = end.conn.poll_transmit(Instant::ZERO, &mut end.tx).unwrap();
            let slices = transmit.slices();
            assert_eq!((slices.len(), slices[0].as_ptr(), slices[0].len()), (1, place, header + len));
            if !is_server {
                // Section 5.3: masked where it lies.
                assert!(
                    slices[0][header..]
                        .iter()
                        .zip(&payload)
                        .zip(KEY.iter().cycle())
                        .all(|((a, b), key)| a ^ b == *key)
                );
            }
        }
        assert_eq!(end.say(), [binary(&payload)]);
        assert!(end.tx.is_empty());
    }
}

/// The bytes are those of `send` where it cannot be done in place.
#[test]
fn section_5_2_what_cannot_be_in_place_is_copied() {
    let payload = vec![7; 3000];
    let small = vec![7; 1024];
    let plain = Config::default;
    for (config, deflate, headroom, payload, count) in [
        (plain(), false, 3, &payload, 1), // a byte too little
        (plain(), false, 0, &payload, 1),
        (plain(), false, 14, &small, 1),
        (plain().fragment_size(Some(1000)), false, 14, &payload, 3),
        (plain(), true, 14, &payload, 1),
    ] {
        let mut end = end(true, config);
        if deflate {
            end.conn.enable_deflate(DeflateParams::default(), &DeflateConfig::new());
        }
        end.conn.send_in_place(&mut end.tx, Kind::Binary, behind(headroom, payload), headroom).unwrap();
        let sent = end.say();
        assert_eq!(sent.len(), count);
        if deflate {
            assert_eq!(sent[0].rsv, 4);
        } else {
            assert_eq!(sent.iter().flat_map(|frame| frame.payload.clone()).collect::<Vec<_>>(), *payload);
        }
    }
}

#[test]
fn a_frame_shorter_than_its_headroom_is_an_empty_message() {
    for len in [0, 5, 14] {
        let mut end = end(true, Config::default());
        end.conn.send_in_place(&mut end.tx, Kind::Text, vec![0xEE; len], 14).unwrap();
        assert_eq!(end.say(), [text("")]);
    }
}

#[test]
fn a_frame_comes_back_as_it_was_with_every_refusal() {
    for is_server in [true, false] {
        let mut end = end(is_server, Config::default());
        end.tx = SendQueue::new().limit(3000);
        let refused = |end: &mut End, kind, payload: &[u8], expected| {
            let frame = behind(14, payload);
            assert_eq!(end.conn.send_in_place(&mut end.tx, kind, frame.clone(), 14), Err((expected, frame)));
        };
        refused(&mut end, Kind::Text, b"\xff", SendError::InvalidUtf8);
        end.conn.send_in_place(&mut end.tx, Kind::Text, behind(14, &[b'x'; 2000]), 14).unwrap();
        refused(&mut end, Kind::Binary, &[1; 2000], SendError::Full);
        refused(&mut end, Kind::Binary, &[1; 1000], SendError::Full);
        end.say();
        end.send_fragment(Kind::Text, b"x", false).unwrap();
        refused(&mut end, Kind::Binary, &[1; 2000], SendError::MessageInProgress);
        end.send_fragment(Kind::Text, b"", true).unwrap();
        end.close(1000, "").unwrap();
        refused(&mut end, Kind::Binary, &[1; 2000], SendError::Closing);
    }
}

/// Section 7.1.7: nothing of a frame that is on its way is lost, and nothing of the others is sent.
#[test]
fn section_7_1_7_close_now_keeps_the_rest_of_the_frame_that_is_on_its_way() {
    for sent_before in [1, 3, 4, 5, 2003, 2004, 2005, 4007] {
        let mut end = end(true, Config::default());
        for n in 0..4 {
            end.conn.send_in_place(&mut end.tx, Kind::Binary, behind(14, &[n; 2000]), 14).unwrap();
        }
        let mut bytes = end.transmit(sent_before);
        end.conn.close_now(end.now, 1002.into(), "").unwrap();
        bytes.extend(end.say_bytes());
        let mut expected: Vec<_> = (0..sent_before.div_ceil(2004) as u8).map(|n| binary([n; 2000])).collect();
        expected.push(close(1002));
        assert_eq!(frames(&bytes, false), expected, "after {sent_before} bytes");
    }
}
