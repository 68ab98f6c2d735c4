//! RFC 6455 section 10.4 and 5.2: limits, checked on the header, and nothing reserved for what is only announced.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::ProtocolError as P;
use ws_proto::{CloseCode, Config, Error, Role, SendBuf};
use ws_tests::{Endpoint, FrameLength, Seen, binary, client_role, close, cont, every_byte, ping, text, wire};

fn config() -> Config {
    Config::default().ping_interval(None)
}

fn of(is_server: bool, config: Config) -> Endpoint {
    let role = if is_server { Role::Server } else { client_role() };
    Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new()))
}

#[test]
fn section_10_4_a_frame_over_the_limit_fails_on_its_header_and_one_at_it_passes() {
    for is_server in [true, false] {
        for limit in [0, 1, 125, 126, 65535, 65536, 100_000] {
            for config in
                [config().max_message_size(limit), config().max_message_size(1 << 30).max_frame_size(limit)]
            {
                let mut end = of(is_server, config);
                end.hear(&[binary(vec![1; limit]), text("a".repeat(limit))]);
                assert_eq!((end.events().len(), end.error()), (2, None));

                let bytes = wire(&[binary(vec![1; limit + 1])], is_server);
                let header = bytes.len() - limit - 1;
                for byte in every_byte(&bytes[..header]) {
                    assert_eq!(end.error(), None);
                    end.hear_bytes(byte);
                }
                assert_eq!(end.error(), Some(Error::MessageTooBig { limit: limit as u64 }));
                assert_eq!(end.say(), [close(1009)]);
            }
        }
    }
}

#[test]
fn section_10_4_the_sum_of_fragments_is_limited_and_noticed_on_the_header_that_exceeds_it() {
    let mut end = of(true, config().max_message_size(9));
    end.hear(&[binary([1; 5]).more()]);
    let second = binary([1; 5]).masked();
    let mut header = second[..6].to_vec();
    header[0] = 0x80;
    end.hear_bytes(&header);
    assert_eq!(end.error(), Some(Error::MessageTooBig { limit: 9 }));
    assert_eq!(end.say(), [close(1009)]);

    let mut end = of(true, config().max_message_size(9));
    end.hear(&[binary([1; 5]).more(), cont([1; 4]).more(), cont("").more(), cont("")]);
    assert_eq!(end.events(), [Seen::binary([1; 9])]);
}

#[test]
fn section_10_4_announced_giants_are_refused_with_nothing_reserved() {
    // Length, limit, error.
    let too_big = |limit: usize| Error::MessageTooBig { limit: limit as u64 };
    for (len, limit, error) in [
        (1 << 63, 1 << 20, P::LengthTooLarge.into()),
        (u64::MAX, usize::MAX, P::LengthTooLarge.into()),
        ((1 << 63) - 1, 1 << 20, too_big(1 << 20)),
        (1 << 60, 1 << 20, too_big(1 << 20)),
        (1 << 60, 4 << 30, too_big(4 << 30)),
        ((4 << 30) + 1, 4 << 30, too_big(4 << 30)),
    ] {
        for is_server in [true, false] {
            let mut end = of(is_server, config().max_message_size(limit));
            end.hear(&[binary("").length(FrameLength::Bits64(len))]);
            assert_eq!(end.error(), Some(error), "{len:x}");
            assert!(end.rx.capacity() <= 4096, "{} bytes", end.rx.capacity());
            let code = error.close_code().map(CloseCode::as_u16).unwrap();
            assert_eq!(end.say(), [close(code)]);
        }
    }
}

#[test]
fn section_10_4_a_sum_of_fragments_that_overflows_is_too_big() {
    for (first, len) in [(1, u64::MAX >> 1), (100, u64::MAX >> 1), (100, (u64::MAX >> 1) - 50)] {
        for limit in [1 << 20, usize::MAX >> 1] {
            let mut end = of(true, config().max_message_size(limit));
            end.hear(&[binary(vec![0; first]).more(), cont("").length(FrameLength::Bits64(len))]);
            assert_eq!(end.error(), Some(Error::MessageTooBig { limit: limit as u64 }));
            assert!(end.rx.capacity() <= 4096);
        }
    }
}

/// Without any limit of our own, nothing overflows, and still nothing is reserved.
#[test]
fn section_10_4_without_limits_a_giant_is_waited_for_with_the_bytes_that_came() {
    let mut end = of(true, config().max_message_size(usize::MAX));
    end.hear(&[binary("some").more(), cont("").length(FrameLength::Bits64((1 << 62) - 1)).more()]);
    end.hear_bytes(&[0; 5000]);
    assert_eq!(end.error(), None);
    assert!(end.rx.capacity() <= 64 << 10, "{}", end.rx.capacity());
}

#[test]
fn section_10_4_two_gib_announced_and_then_silence_costs_at_most_64_kib() {
    for fragmented in [true, false] {
        let mut end = of(true, config().max_message_size(4 << 30));
        if fragmented {
            end.hear(&[binary("a").more()]);
        }
        let frame = if fragmented { cont("") } else { binary("") };
        end.hear(&[frame.length(FrameLength::Bits64(2 << 30))]);
        end.hear_bytes(&[0; 100]);
        for _ in 0..100 {
            assert!(!end.receive_one());
            assert!(!end.rx.spare_mut().is_empty());
        }
        assert_eq!(end.error(), None);
        assert!(end.rx.capacity() <= 64 << 10, "{}", end.rx.capacity());
    }
}

#[test]
fn section_10_4_the_buffer_grows_with_what_arrived_not_with_what_was_announced() {
    for announced in [100_000, 300_000, 1 << 20, 3 << 20, 2 << 30] {
        let mut end = of(true, config().max_message_size(4 << 30));
        end.hear(&[binary("").length(FrameLength::Bits64(announced))]);
        let mut arrived = 0;
        while arrived < (1 << 20).min(announced as usize - 1000) {
            end.hear_bytes(&[0; 1000]);
            arrived += 1000;
            assert!(end.rx.capacity() <= (64 << 10) + 3 * arrived, "{} for {arrived}", end.rx.capacity());
        }
    }
}

#[test]
fn section_10_4_a_quarter_million_fragments_of_one_byte_take_memory_for_the_payload_only() {
    let config = config().max_fragments(u32::MAX);
    let mut end = of(true, config);
    let n = 1 << 18;
    let more = wire(&[cont("a").more()], true);
    let block = more.repeat(1024);
    end.hear(&[text("a").more()]);
    for _ in 0..n / 1024 {
        end.hear_bytes(&block);
    }
    end.hear(&[cont("")]);
    assert!(end.events() == [Seen::text(&"a".repeat(n + 1))]);
    assert!(end.rx.capacity() <= 2 << 20, "{}", end.rx.capacity());
}

#[test]
fn section_10_4_ten_million_empty_fragments_are_refused_at_16384_with_1008() {
    let mut end = of(true, config());
    end.hear(&[text("").more()]);
    let mut fragments = 1_u32;
    let empty = cont("").more().masked();
    while fragments < 10_000_000 && end.error().is_none() {
        end.hear_bytes(&empty);
        fragments += 1;
        assert!(end.rx.capacity() <= 4096);
    }
    assert_eq!(end.error(), Some(Error::TooManyFragments { limit: 16_384 }));
    assert_eq!(fragments, 16_385);
    assert_eq!(end.say(), [close(1008)]);
}

#[test]
fn section_10_4_the_number_of_fragments_is_exact_and_control_frames_do_not_count() {
    for (fragments, passes) in [(1, true), (2, true), (3, true), (4, false)] {
        let mut end = of(true, config().max_fragments(3));
        let mut script = vec![binary("x").more()];
        for _ in 1..fragments {
            script.extend([ping(""), cont("x").more()]);
        }
        script.last_mut().unwrap().fin = true;
        end.hear(&script);
        let error = if passes { None } else { Some(Error::TooManyFragments { limit: 3 }) };
        assert_eq!(end.error(), error, "{fragments}");
    }
}

#[test]
fn section_10_4_what_is_sent_is_not_subject_to_limits_on_what_is_received() {
    let mut end = of(true, config().max_message_size(1).max_frame_size(1).max_fragments(1));
    end.send_binary(&[0; 100]).unwrap();
    assert_eq!(end.say(), [binary([0; 100])]);
}
