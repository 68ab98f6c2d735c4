//! RFC 6455 section 5.5: control frames; Close is in the file of section 7.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::{CloseCode, Config, SendError, State};
use ws_tests::{Endpoint, Frame, Seen, close, cont, empty_close, frames, ping, pong, text};

/// Payloads of pings that are as long as can be and all different.
fn long_ping(n: u32) -> Vec<u8> {
    let mut payload = vec![0xA5; 125];
    payload[..4].copy_from_slice(&n.to_be_bytes());
    payload
}

#[test]
fn section_5_5_2_a_ping_is_answered_by_a_pong_with_the_same_payload() {
    for is_server in [true, false] {
        for len in 0..=125 {
            let payload: Vec<u8> = (0..len).collect();
            let mut end = Endpoint::of(is_server);
            end.hear(&[ping(&payload)]);
            assert_eq!(end.events(), [Seen::ping(&payload)]);
            assert_eq!(end.say(), [pong(&payload)]);
        }
    }
}

#[test]
fn section_5_5_control_frames_of_125_bytes_pass_and_of_126_do_not() {
    let mut end = Endpoint::server();
    end.conn.ping(&[1; 125]).unwrap();
    assert_eq!(end.say(), [ping([1; 125])]);
    end.conn.pong(&[2; 125]).unwrap();
    assert_eq!(end.say(), [pong([2; 125])]);
    assert_eq!(end.conn.ping(&[0; 126]), Err(SendError::ControlFrameTooLong));
    assert_eq!(end.conn.pong(&[0; 126]), Err(SendError::ControlFrameTooLong));
    assert_eq!(end.say(), []);
}

#[test]
fn section_5_5_3_an_unsolicited_pong_is_reported_and_not_answered() {
    let mut end = Endpoint::client();
    end.hear(&[pong("why"), pong("")]);
    assert_eq!(end.events(), [Seen::pong("why"), Seen::pong("")]);
    assert_eq!(end.say(), []);
    assert_eq!(end.conn.state(), State::Open);
}

#[test]
fn section_5_5_2_ten_quick_small_pings_get_ten_pongs_in_order() {
    for is_server in [true, false] {
        let pings: Vec<Frame> = (0..10_u8).map(|n| ping([n; 8])).collect();
        let pongs: Vec<Frame> = (0..10_u8).map(|n| pong([n; 8])).collect();
        let mut end = Endpoint::of(is_server);
        end.hear(&pings);
        assert_eq!(end.say(), pongs);
    }
}

#[test]
fn section_5_5_3_of_pings_that_cannot_all_be_answered_the_latest_is_and_order_is_kept() {
    for is_server in [true, false] {
        let mut end = Endpoint::of(is_server);
        let pings: Vec<Frame> = (0..1000).map(|n| ping(long_ping(n))).collect();
        end.hear(&pings);
        assert_eq!(end.say(), [pong(long_ping(0)), pong(long_ping(999))]);
    }
}

#[test]
fn section_5_5_3_a_half_sent_pong_is_finished_and_those_behind_it_are_replaced() {
    for is_server in [true, false] {
        for sent in 1..127 {
            let mut end = Endpoint::of(is_server);
            end.hear(&[ping(long_ping(0))]);
            let mut bytes = end.transmit(sent);
            for n in 1..20 {
                end.hear(&[ping(long_ping(n))]);
            }
            bytes.extend(end.say_bytes());
            let sent = frames(&bytes, !is_server);
            assert_eq!(sent.first(), Some(&pong(long_ping(0))));
            assert_eq!(sent.last(), Some(&pong(long_ping(19))));
        }
    }
}

/// A ping of ours, accepted while a long pong was untouched, must not take the room of the next pong once the first is
/// half on the wire and cannot give way any more.
#[test]
fn section_5_5_3_a_ping_behind_a_half_sent_pong_leaves_room_for_the_next_pong() {
    for is_server in [true, false] {
        for sent in 0..140 {
            for size in [0, 60, 100, 125] {
                let mut end = Endpoint::of(is_server);
                end.hear(&[ping(long_ping(0))]);
                let mine = vec![7; size];
                let accepted = end.conn.ping(&mine);
                let mut bytes = end.transmit(sent);
                end.hear(&[ping(long_ping(1))]);
                bytes.extend(end.say_bytes());
                let sent = frames(&bytes, !is_server);
                assert_eq!(sent.last(), Some(&pong(long_ping(1))), "the latest ping is answered");
                let pings = sent.iter().filter(|frame| **frame == ping(&mine)).count();
                assert_eq!(pings, usize::from(accepted.is_ok()), "a ping that was accepted is sent");
            }
        }
    }
}

#[test]
fn section_5_5_2_pings_of_ours_are_refused_when_there_is_no_room_and_never_dropped() {
    for is_server in [true, false] {
        let mut end = Endpoint::of(is_server);
        let mut accepted = Vec::new();
        for n in 0..100_u8 {
            match end.conn.ping(&[n; 10]) {
                Ok(()) => accepted.push(ping([n; 10])),
                Err(error) => assert_eq!(error, SendError::Full),
            }
            end.hear(&[ping(long_ping(u32::from(n)))]);
        }
        assert!(!accepted.is_empty());
        let sent = end.say();
        let pings: Vec<Frame> = sent.iter().filter(|frame| frame.opcode == 9).cloned().collect();
        assert_eq!(pings, accepted);
        assert_eq!(sent.last(), Some(&pong(long_ping(99))));
        // What was refused can be sent now.
        end.conn.ping(&[1; 125]).unwrap();
        assert_eq!(end.say(), [ping([1; 125])]);
    }
}

#[test]
fn section_5_5_2_automatic_pongs_can_be_switched_off() {
    let mut end = Endpoint::server_with(Config::default().ping_interval(None).automatic_pong(false));
    end.hear(&[ping("a")]);
    assert_eq!(end.events(), [Seen::ping("a")]);
    assert_eq!(end.say(), []);
    end.conn.pong(b"a").unwrap();
    assert_eq!(end.say(), [pong("a")]);
}

#[test]
fn section_5_5_2_no_pong_answers_a_ping_behind_the_peers_close() {
    let mut end = Endpoint::server();
    end.hear(&[close(1000), ping("late")]);
    assert_eq!(end.events(), [Seen::close(1000, "")]);
    assert_eq!(end.say(), [close(1000)]);
}

#[test]
fn section_5_5_2_pings_that_came_before_the_peers_close_are_answered_before_ours() {
    let mut end = Endpoint::server();
    end.hear(&[ping("early"), close(1000)]);
    assert_eq!(end.say(), [pong("early"), close(1000)]);
}

#[test]
fn section_5_5_2_a_ping_while_we_wait_for_the_peers_close_is_still_answered() {
    let mut end = Endpoint::server();
    end.close(1000, "").unwrap();
    assert_eq!(end.say(), [close(1000)]);
    end.hear(&[ping("still here?")]);
    assert_eq!(end.events(), [Seen::ping("still here?")]);
    assert_eq!(end.say(), [pong("still here?")]);
}

#[test]
fn section_5_5_1_nothing_is_queued_behind_a_close() {
    let mut end = Endpoint::server();
    end.conn.close(end.now, CloseCode::NO_STATUS, "").unwrap();
    assert_eq!(end.conn.ping(b""), Err(SendError::Closing));
    assert_eq!(end.conn.pong(b""), Err(SendError::Closing));
    assert_eq!(end.send_text("x"), Err(SendError::Closing));
    assert_eq!(end.say(), [empty_close()]);
}

#[test]
fn section_5_5_limits_on_messages_do_not_concern_control_frames() {
    let config = Config::default().ping_interval(None).max_message_size(4).max_frame_size(4).max_fragments(2);
    let mut end = Endpoint::server_with(config);
    for _ in 0..5 {
        end.hear(&[text("a").more(), ping([1; 125]), pong([2; 125]), ping(""), cont("b")]);
    }
    assert_eq!(end.error(), None);
    assert_eq!(end.events().len(), 20);
    end.hear(&[ws_tests::close_with(1000, "r".repeat(123))]);
    assert_eq!(end.events(), [Seen::close(1000, &"r".repeat(123))]);
}

#[test]
fn section_5_5_3_who_transmits_when_should_transmit_says_so_answers_every_ping() {
    let mut end = Endpoint::client();
    assert!(!end.conn.should_transmit());
    let mut answered = 0;
    for n in 0..1000 {
        end.hear(&[ping(long_ping(n))]);
        if end.conn.should_transmit() {
            answered += end.say().len();
        }
    }
    answered += end.say().len();
    assert_eq!(answered, 1000);
}
