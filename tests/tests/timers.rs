//! The timers: keepalive, idle, write stall, and the deadline of the closing handshake. Time is an argument; nothing
//! waits.
#![allow(clippy::panic, clippy::unwrap_used)]

use core::time::Duration;

use ws_proto::{Config, Error, Instant, SendError, State, TimeoutReason, TransportAction};
use ws_tests::{Endpoint, Frame, Seen, at, at_ms, binary, close, cont, frame, ping, pong, text, wire};

const SECOND: Duration = Duration::from_secs(1);

/// No timers at all but the one for closing.
fn quiet() -> Config {
    Config::default().ping_interval(None).write_stall_timeout(None)
}

fn action(end: &Endpoint) -> TransportAction {
    end.conn.transport_action(&end.tx)
}

/// The keepalive ping that goes out now.
fn keepalive(end: &mut Endpoint) -> Frame {
    let mut sent = end.say();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].opcode, 9);
    sent.remove(0)
}

#[test]
fn keepalive_pings_at_20_s_and_closes_at_40_s_although_a_byte_arrives_every_19_s() {
    let mut end = Endpoint::server_with(Config::default());
    let bytes = wire(&[binary([0; 100])], true);
    end.hear_bytes(&bytes[..10]);
    assert_eq!(end.conn.poll_timeout(), Some(at(20)));
    end.time(at(19));
    end.hear_bytes(&bytes[10..11]);
    assert_eq!(end.say(), []);
    end.time(at(20));
    keepalive(&mut end);
    assert_eq!(end.conn.poll_timeout(), Some(at(40)));
    end.time(at(38));
    end.hear_bytes(&bytes[11..12]);
    assert_eq!(end.conn.poll_timeout(), Some(at(40)));
    assert_eq!(end.conn.state(), State::Open);
    end.time(at(40));
    assert!(!end.receive_one());
    assert_eq!(end.error(), Some(Error::Timeout(TimeoutReason::Pong)));
    assert_eq!(action(&end), TransportAction::Close);
    assert_eq!(end.say(), [close(1011)]);
    assert_eq!(end.conn.poll_timeout(), None);
}

#[test]
fn keepalive_is_satisfied_by_the_right_pong_only() {
    let mut end = Endpoint::client_with(Config::default());
    end.time(at(20));
    let first = keepalive(&mut end);
    end.now = at(21);
    let mut almost = first.payload.clone();
    almost[0] ^= 1;
    end.hear(&[pong(""), pong("other"), pong(almost), ping("x"), text("data"), pong(&first.payload[1..])]);
    end.say();
    assert_eq!(end.conn.poll_timeout(), Some(at(40)), "none of these proves a round trip");
    end.now = at(22);
    end.hear(&[pong(&first.payload)]);
    assert_eq!(end.conn.poll_timeout(), Some(at(42)), "the next ping, counted from the proof");
    // An answer to a ping of the past proves nothing about the present one.
    end.time(at(42));
    let second = keepalive(&mut end);
    assert_ne!(first, second);
    end.hear(&[pong(&first.payload)]);
    assert_eq!(end.conn.poll_timeout(), Some(at(62)));
    end.hear(&[pong(&second.payload)]);
    assert_eq!(end.conn.poll_timeout(), Some(at(62)));
    end.time(at(62));
    assert_eq!(end.conn.error(), None);
    keepalive(&mut end);
}

#[test]
fn keepalive_runs_for_days_against_a_peer_that_answers() {
    let mut server = Endpoint::server_with(Config::default());
    let mut client = Endpoint::client_with(Config::default().ping_interval(None));
    for _ in 0..10_000 {
        let now = server.conn.poll_timeout().unwrap();
        server.time(now);
        client.time(now);
        client.hear_bytes(&server.say_bytes());
        server.hear_bytes(&client.say_bytes());
        assert!(server.conn.poll_timeout().unwrap() > now);
    }
    assert_eq!(server.now, at(200_000));
    assert_eq!(server.conn.state(), State::Open);
}

#[test]
fn keepalive_pings_of_the_application_do_not_disturb_it() {
    let mut end = Endpoint::server_with(Config::default());
    end.time(at(10));
    end.conn.ping(b"mine").unwrap();
    end.say();
    end.hear(&[pong("mine")]);
    assert_eq!(end.events(), [Seen::pong("mine")]);
    assert_eq!(end.conn.poll_timeout(), Some(at(20)));
}

#[test]
fn keepalive_without_a_pong_timeout_pings_and_waits_for_ever() {
    let mut end = Endpoint::server_with(Config::default().pong_timeout(None));
    for n in 1..100 {
        end.time(at(20 * n));
        keepalive(&mut end);
        assert_eq!(end.conn.poll_timeout(), Some(at(20 * n + 20)));
    }
    assert_eq!(end.conn.state(), State::Open);
}

#[test]
fn keepalive_that_finds_no_room_goes_out_as_soon_as_there_is_and_is_not_answered_before() {
    let mut end = Endpoint::client_with(Config::default());
    for n in 0..5_u8 {
        end.hear(&[ping([n; 125])]);
    }
    let mut bytes = end.transmit(1);
    end.time(at(20));
    // Somebody guesses the payload before it was sent.
    end.hear(&[pong(b"ping\0\0\0\x01")]);
    assert_eq!(end.conn.poll_timeout(), Some(at(31)).min(Some(at(30))), "the transport stalls since 0 s");
    bytes.extend(end.say_bytes());
    let sent = ws_tests::frames(&bytes, true);
    assert_eq!(sent.last(), Some(&frame(9, b"ping\0\0\0\x01")));
    assert_eq!(end.conn.poll_timeout(), Some(at(40)));
    end.time(at(40));
    assert_eq!(end.conn.error(), Some(Error::Timeout(TimeoutReason::Pong)), "the guess proved nothing");
}

/// A ping waits for the end of the frame that is on its way, and the peer cannot answer before it has come. As long as
/// output moves that is no fault of the peer's.
#[test]
fn keepalive_does_not_count_the_time_that_the_ping_waits_behind_output_that_moves() {
    for is_server in [true, false] {
        let config = Config::default();
        let mut end = if is_server { Endpoint::server_with(config) } else { Endpoint::client_with(config) };
        end.send_binary(&[0; 1000]).unwrap();
        let mut bytes = Vec::new();
        for second in 0..100 {
            end.time(at(second));
            assert_eq!(end.conn.error(), None, "after {second} s");
            bytes.extend(end.transmit(10));
        }
        end.now = at(100);
        assert_eq!(end.conn.poll_timeout(), Some(at(119)), "20 s after the last that moved");
        bytes.extend(end.say_bytes());
        end.conn.ping(b"mine").unwrap();
        bytes.extend(end.say_bytes());
        let sent = ws_tests::frames(&bytes, !is_server);
        assert_eq!(sent.len(), 3);
        assert_eq!(sent[1].opcode, 9);
        // From here on only the answer counts.
        assert_eq!(end.conn.poll_timeout(), Some(at(120)));
        end.time(at(110));
        end.conn.ping(b"mine").unwrap();
        end.send_text("more").unwrap();
        end.say();
        assert_eq!(end.conn.poll_timeout(), Some(at(120)));
        end.hear(&[pong(&sent[1].payload)]);
        assert_eq!(end.conn.poll_timeout(), Some(at(130)));
    }
}

#[test]
fn keepalive_counts_the_time_that_output_does_not_move() {
    let mut end = Endpoint::server_with(Config::default().write_stall_timeout(None));
    end.send_binary(&[0; 1000]).unwrap();
    end.transmit(10);
    end.time(at(25));
    end.transmit(10);
    assert_eq!(end.conn.poll_timeout(), Some(at(45)));
    end.time(at(45));
    assert_eq!(end.conn.error(), Some(Error::Timeout(TimeoutReason::Pong)));
}

#[test]
fn idle_counts_data_frames_and_closes_with_1001() {
    let mut end = Endpoint::server_with(quiet().idle_timeout(Some(10 * SECOND)));
    assert_eq!(end.conn.poll_timeout(), Some(at(10)));
    end.time(at(9));
    end.hear(&[ping(""), pong("")]);
    end.say();
    assert_eq!(end.conn.poll_timeout(), Some(at(10)), "control frames do not count");
    end.hear(&[text("a").more()]);
    assert_eq!(end.conn.poll_timeout(), Some(at(19)));
    end.time(at(18));
    end.hear(&[cont("b")]);
    assert_eq!(end.conn.poll_timeout(), Some(at(28)));
    end.send_text("what is sent does not count either").unwrap();
    end.say();
    end.time(at(28));
    assert_eq!(end.conn.error(), Some(Error::Timeout(TimeoutReason::Idle)));
    assert_eq!(end.say(), [close(1001)]);
    assert_eq!(action(&end), TransportAction::ShutdownWrite);
    assert_eq!(end.conn.poll_timeout(), Some(at(38)));
    end.time(at(38));
    assert_eq!(action(&end), TransportAction::Close);
    assert_eq!(end.conn.poll_timeout(), None);
}

/// Once the closing handshake has begun only its own deadline counts; data that still arrives does not bring the idle
/// timer back.
#[test]
fn idle_does_not_come_back_while_closing() {
    let mut end = Endpoint::client_with(quiet().idle_timeout(Some(SECOND)));
    end.close(1000, "").unwrap();
    assert_eq!(end.say(), [close(1000)]);
    end.time(at_ms(500));
    end.hear(&[text("still under way"), text("so is this").more()]);
    assert_eq!(end.conn.poll_timeout(), Some(at(10)));
    end.time(at(9));
    assert_eq!(end.conn.error(), None);
    end.hear(&[cont(""), close(1000)]);
    assert_eq!(end.events(), [Seen::close(1000, "")]);
    assert!(end.conn.is_clean());
}

#[test]
fn write_stall_ends_a_peer_that_stops_reading() {
    let mut end = Endpoint::server_with(Config::default().ping_interval(None));
    assert_eq!(end.conn.poll_timeout(), None);
    end.send_text("hello").unwrap();
    end.time(at(5));
    assert!(end.conn.poll_transmit(at(5), &mut end.tx).is_some());
    assert_eq!(end.conn.poll_timeout(), Some(at(35)));
    // Asking again, with nothing taken, does not extend it.
    for secs in [6, 20, 34] {
        end.time(at(secs));
        end.transmit(0);
        assert!(end.conn.poll_transmit(at(secs), &mut end.tx).is_some());
        assert_eq!(end.conn.poll_timeout(), Some(at(35)));
    }
    // A single byte does.
    end.transmit(1);
    assert_eq!(end.conn.poll_timeout(), Some(at(64)));
    end.time(at(64));
    assert!(!end.receive_one());
    assert_eq!(end.error(), Some(Error::Timeout(TimeoutReason::WriteStall)));
    assert_eq!(action(&end), TransportAction::Close);
    assert_eq!(end.conn.poll_timeout(), None);
}

#[test]
fn write_stall_does_not_run_when_nothing_waits() {
    let mut end = Endpoint::server_with(Config::default().ping_interval(None));
    end.send_text("hello").unwrap();
    end.say();
    assert_eq!(end.conn.poll_timeout(), None);
    assert!(end.conn.poll_transmit(at(1), &mut end.tx).is_none());
    assert_eq!(end.conn.poll_timeout(), None);
}

#[test]
fn write_stall_ends_a_closing_connection_too() {
    let config = Config::default().ping_interval(None).write_stall_timeout(Some(3 * SECOND));
    for fail in [false, true] {
        let mut end = Endpoint::server_with(config);
        if fail {
            end.hear(&[cont("")]);
        } else {
            end.close(1000, "").unwrap();
        }
        end.transmit(1);
        assert_eq!(end.conn.poll_timeout(), Some(at(3)));
        end.time(at(3));
        assert_eq!(action(&end), TransportAction::Close);
        assert_eq!(end.conn.poll_timeout(), None);
    }
}

#[test]
fn close_timeout_is_absolute_whatever_the_peer_sends() {
    let mut end = Endpoint::server_with(Config::default());
    end.time(at(5));
    end.close(1000, "").unwrap();
    assert_eq!(end.say(), [close(1000)]);
    let capacity = end.rx.capacity();
    for tenth in 51..150 {
        end.time(at_ms(tenth * 100));
        end.hear(&[binary([0; 2000]), text("x").more(), cont("y"), ping("z")]);
        end.say();
        assert_eq!(end.conn.poll_timeout(), Some(at(15)));
        assert!(end.rx.capacity() <= capacity.max(4096));
        assert!(end.rx.is_empty());
    }
    end.time(at(15));
    end.hear(&[text("too late")]);
    assert_eq!(end.error(), Some(Error::Timeout(TimeoutReason::Close)));
    assert_eq!(action(&end), TransportAction::Close);
    assert_eq!(end.conn.poll_timeout(), None);
    assert!(end.events().iter().all(|event| *event == Seen::ping("z")));
}

#[test]
fn close_timeout_counts_from_the_first_step_of_the_handshake_not_from_the_last() {
    for is_server in [true, false] {
        for last in [close(1000), cont("")] {
            let mut end = Endpoint::of(is_server);
            end.time(at(5));
            end.close(1000, "").unwrap();
            end.say();
            end.time(at(14));
            end.hear(&[last]);
            assert_eq!(end.conn.poll_timeout(), Some(at(15)));
        }
        let config = Config::default().ping_interval(None).automatic_close(false);
        let mut end = Endpoint::server_with(config);
        end.hear(&[close(1000)]);
        end.time(at(9));
        end.close(1000, "").unwrap();
        assert_eq!(end.conn.poll_timeout(), Some(at(10)));
    }
}

#[test]
fn close_timeout_bounds_every_way_to_the_end() {
    let hear_close: fn(&mut Endpoint) = |end| end.hear(&[close(1000)]);
    let violate: fn(&mut Endpoint) = |end| end.hear(&[cont("")]);
    let say_close: fn(&mut Endpoint) = |end| end.close(1000, "").unwrap();
    let say_close_now: fn(&mut Endpoint) = |end| end.close_now(1000, "").unwrap();
    for is_server in [true, false] {
        for begin in [hear_close, violate, say_close, say_close_now] {
            for flush in [true, false] {
                let mut end = Endpoint::of(is_server);
                end.time(at(100));
                begin(&mut end);
                if flush {
                    end.say();
                }
                assert_eq!(end.conn.poll_timeout(), Some(at(110)));
                end.time(at(109));
                assert_ne!(action(&end), TransportAction::Close);
                end.time(at(110));
                assert_eq!(action(&end), TransportAction::Close);
                assert_eq!(end.conn.poll_timeout(), None);
            }
        }
    }
}

#[test]
fn a_peer_that_streams_data_for_ever_after_our_close_costs_nothing_and_ends_at_the_deadline() {
    let config = Config::default();
    for fail in [false, true] {
        let mut end = Endpoint::server_with(config);
        end.hear(&[binary([7; 3000]).more()]);
        if fail {
            end.hear(&[text("")]);
        } else {
            end.close(1001, "").unwrap();
        }
        end.say();
        // One endless frame, and then some: 64 MiB.
        let header = cont("").length(ws_tests::FrameLength::Bits64(1 << 40)).more().masked();
        end.hear_bytes(&header);
        let block = [0x55; 16 << 10];
        for n in 0..4096_u64 {
            end.now = at_ms(n);
            end.hear_bytes(&block);
            assert!(end.rx.capacity() <= 64 << 10);
        }
        assert!(end.rx.is_empty());
        end.time(at(10));
        assert_eq!(action(&end), TransportAction::Close);
    }
}

#[test]
fn early_late_and_repeated_timeouts_do_no_harm() {
    let mut end = Endpoint::server_with(Config::default().idle_timeout(Some(100 * SECOND)));
    for _ in 0..3 {
        end.conn.handle_timeout(Instant::ZERO);
        end.conn.handle_timeout(at(19));
        end.conn.handle_timeout(at(3));
    }
    assert_eq!(end.say(), []);
    assert_eq!(end.conn.poll_timeout(), Some(at(20)));
    // Late: the ping goes out now, and the peer has its full time to answer.
    for _ in 0..3 {
        end.time(at(55));
    }
    keepalive(&mut end);
    assert_eq!(end.conn.poll_timeout(), Some(at(75)));
    // Backwards.
    end.time(at(1));
    assert_eq!(end.conn.poll_timeout(), Some(at(75)));
    assert_eq!(end.conn.state(), State::Open);
    // Very late, and all at once.
    for _ in 0..3 {
        end.time(at(1_000_000));
    }
    assert!(matches!(end.conn.error(), Some(Error::Timeout(_))));
    end.time(at(2_000_000));
    assert_eq!(end.conn.poll_timeout(), None);
    assert_eq!(end.send_text("x"), Err(SendError::Closing));
}

#[test]
fn after_handle_timeout_no_deadline_is_left_behind() {
    for ms in [0, 1, 999, 1000, 19_999, 20_000, 40_000, 10_000_000] {
        for timeout in [Duration::ZERO, Duration::from_nanos(1), SECOND, Duration::MAX] {
            let config = Config::default()
                .idle_timeout(Some(timeout))
                .close_timeout(timeout)
                .ping_interval(Some(timeout))
                .pong_timeout(Some(timeout))
                .write_stall_timeout(Some(timeout));
            for now in [at_ms(ms), Instant::from_duration(Duration::MAX)] {
                let mut end = Endpoint::server_with(config);
                for _ in 0..4 {
                    end.time(now);
                    assert!(end.conn.poll_timeout().is_none_or(|next| next > now), "{ms} {timeout:?}");
                    end.transmit(1);
                    end.send_text("x").unwrap_or_default();
                }
            }
        }
    }
}

#[test]
fn without_timeouts_there_is_none() {
    let end = Endpoint::server_with(quiet());
    assert_eq!(end.conn.poll_timeout(), None);
    let zero = Endpoint::server_with(quiet().close_timeout(Duration::ZERO));
    assert_eq!(zero.conn.poll_timeout(), None);
}
