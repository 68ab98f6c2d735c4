//! What a peer may try on the core: floods, drips, and nonsense, with the numbers that it must cost at most.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::HashSet;

use ws_proto::{Config, Connection, Error, Event, Instant, MaskKeys, Message, RecvBuf, Role, SendBuf};
use ws_tests::{Endpoint, Seen, at_ms, binary, close, cont, frames, ping, pong, text, wire};

fn config() -> Config {
    Config::default().ping_interval(None)
}

#[test]
fn a_ping_flood_of_48_mib_costs_a_constant_and_the_last_ping_is_answered() {
    const BLOCK: usize = 1000;
    let numbered = |n: u32| {
        let mut payload = vec![0xEE; 125];
        payload[..4].copy_from_slice(&n.to_be_bytes());
        payload
    };
    let mut end = Endpoint::server();
    end.conn.ping(b"mine").unwrap();
    let mut rounds = 0;
    let mut block = Vec::new();
    while rounds * BLOCK * 131 < 48 << 20 {
        // The same block over and over but for the first, as building them all takes longer than the flood.
        if rounds < 2 {
            let from = (rounds * BLOCK) as u32;
            block = wire(&(from..from + BLOCK as u32).map(|n| ping(numbered(n))).collect::<Vec<_>>(), true);
        }
        for piece in block.chunks(16 << 10) {
            end.rx.extend_from_slice(piece);
            while let Some(event) = end.conn.receive(end.now, &mut end.rx).unwrap() {
                assert!(matches!(event, Event::Ping(payload) if payload.len() == 125));
            }
        }
        rounds += 1;
        assert!(end.rx.capacity() <= 128 << 10);
        assert!(end.conn.wants_transmit(&end.tx) && end.tx.is_empty());
    }
    end.hear(&[ping("the last")]);
    let sent = end.say_bytes();
    assert!(sent.len() <= 262, "{}", sent.len());
    let sent = frames(&sent, false);
    assert_eq!((&sent[0], sent.last()), (&ping("mine"), Some(&pong("the last"))));
}

#[test]
fn a_ping_flood_from_a_peer_that_reads_slowly_gives_whole_pongs_in_order() {
    let mut end = Endpoint::client();
    let mut bytes = Vec::new();
    for n in 0..20_000_u32 {
        end.hear(&[ping(n.to_be_bytes().repeat(31))]);
        bytes.extend(end.transmit((n % 7) as usize));
    }
    bytes.extend(end.say_bytes());
    let pongs = frames(&bytes, true);
    let numbers: Vec<u32> =
        pongs.iter().map(|pong| u32::from_be_bytes(pong.payload[..4].try_into().unwrap())).collect();
    assert!(numbers.windows(2).all(|two| two[0] < two[1]), "in order");
    assert_eq!(numbers.last(), Some(&19_999));
    assert!(pongs.len() > 400);
}

#[test]
fn ten_quick_pings_that_are_read_get_ten_pongs() {
    let mut end = Endpoint::server();
    for n in 0..10_u8 {
        end.hear(&[ping([n; 125])]);
        assert_eq!(end.say(), [pong([n; 125])]);
    }
}

#[test]
fn a_hundred_thousand_frames_of_a_client_have_distinct_balanced_masks() {
    let mut conn = Connection::new(Role::Client(MaskKeys::from_seed([9; 32])), config(), Instant::ZERO);
    let mut tx = SendBuf::new([0; 64]);
    let (mut seen, mut ones, mut last) = (HashSet::new(), 0, None);
    for _ in 0..100_000 {
        conn.send(&mut tx, Message::Binary(&[])).unwrap();
        let mut transmit = conn.poll_transmit(Instant::ZERO, &mut tx).unwrap();
        let key: [u8; 4] = transmit.slices()[0][2..6].try_into().unwrap();
        transmit.advance(6);
        assert_ne!(last, Some(key));
        last = Some(key);
        ones += u64::from(u32::from_be_bytes(key).count_ones());
        seen.insert(key);
    }
    assert!(seen.len() >= 99_990, "{}", seen.len());
    assert!((49 * 32_000..=51 * 32_000).contains(&ones), "{ones}");
}

/// Every buffer is full of 0xAA before it is used; that is never seen, neither by the application nor on the wire.
#[test]
fn stale_memory_is_never_seen() {
    let mut end = Endpoint::with(Role::Server, config(), [0xAA; 1000], SendBuf::new([0xAA; 1000]));
    for n in 0..500_usize {
        let payload = vec![(n % 100) as u8; n % 300];
        end.hear(&[binary(&payload).more(), ping(&payload[..payload.len().min(125)]), cont(&payload)]);
        end.send_binary(&payload).unwrap();
        for event in end.events() {
            let (Seen::Binary(bytes) | Seen::Ping(bytes)) = event else { panic!() };
            assert!(!bytes.contains(&0xAA));
        }
        assert!(end.say().iter().all(|frame| !frame.payload.contains(&0xAA)));
    }
    assert_eq!(end.error(), None);
}

/// Each poll consumes, yields, or asks for more: the number of polls is bounded by the bytes.
#[test]
fn progress_takes_at_most_four_polls_a_byte() {
    let scripts: [Vec<u8>; 5] = [
        wire(&vec![ping(""); 200], true),
        wire(&vec![binary(""); 200], true),
        [wire(&[text("")], true), vec![0; 1000]].concat(),
        [wire(&[text("a").more()], true), wire(&vec![cont("").more(); 200], true)].concat(),
        [wire(&[close(1000)], true), vec![0x88; 1000]].concat(),
    ];
    for bytes in scripts {
        for size in [1, 10, 2000] {
            let mut conn = Connection::new(Role::Server, config(), Instant::ZERO);
            let mut rx = RecvBuf::new([0; 4096]);
            let mut polls = 0;
            for piece in bytes.chunks(size) {
                assert_eq!(rx.extend_from_slice(piece), piece.len());
                loop {
                    polls += 1;
                    match conn.poll_receive(Instant::ZERO, &mut rx) {
                        Ok(Some(_)) => {}
                        Ok(None) | Err(_) => break,
                    }
                }
            }
            assert!(polls <= 4 * bytes.len() + 4, "{polls} polls for {} bytes", bytes.len());
        }
    }
}

#[test]
fn ten_thousand_violations_are_one_error_and_one_close() {
    let mut end = Endpoint::server();
    let mut sent = Vec::new();
    for n in 0..10_000 {
        end.time(at_ms(n / 10));
        end.hear(&[cont(""), close(1000), text(b"\xff")]);
        sent.extend(end.say());
    }
    assert_eq!(sent, [close(1002)]);
    assert!(matches!(end.error(), Some(Error::Protocol(_))));
    assert!(end.rx.capacity() <= 4096);
}

#[test]
fn two_connections_share_no_masks_but_by_chance() {
    let keys = |seed: u8| -> HashSet<[u8; 4]> {
        let role = Role::Client(MaskKeys::from_seed([seed; 32]));
        let mut conn = Connection::new(role, config(), Instant::ZERO);
        let mut tx = SendBuf::new([0; 64]);
        let mut key = |n: u32| {
            // Data, fragments and control frames in turn.
            match n % 3 {
                0 => conn.send(&mut tx, Message::Binary(&[])).unwrap(),
                1 => conn.send_fragment(&mut tx, ws_proto::Kind::Binary, &[], true).unwrap(),
                _ => conn.ping(&[]).unwrap(),
            }
            let mut transmit = conn.poll_transmit(Instant::ZERO, &mut tx).unwrap();
            let key: [u8; 4] = transmit.slices()[0][2..6].try_into().unwrap();
            transmit.advance(6);
            key
        };
        (0..10_000).map(&mut key).collect()
    };
    let (one, other) = (keys(1), keys(2));
    assert!(one.len() >= 9_999 && other.len() >= 9_999);
    assert!(one.intersection(&other).count() < 3);
}

/// What this thread has spent of the processor, which is not what has passed on a busy machine.
#[cfg(target_os = "linux")]
fn processor_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// Four times as much takes at most 4.5 times as long. Caches and interrupts are in the way of saying so at once, so it
/// is tried again; what grows faster never comes near.
#[cfg(target_os = "linux")]
fn takes_linear_time(size: usize, mut run: impl FnMut(usize)) {
    let mut worst = f64::MAX;
    for _ in 0..30 {
        let mut time = |size| {
            let before = processor_time();
            run(size);
            (processor_time() - before).max(1) as f64
        };
        let (small, large) = (time(size), time(4 * size));
        worst = worst.min(large / small);
        if large <= 4.5 * small && small > 100_000.0 {
            return;
        }
    }
    panic!("four times as much takes {worst} times as long");
}

#[cfg(target_os = "linux")]
#[test]
fn tiny_fragments_cost_linear_time() {
    takes_linear_time(1 << 15, |n| {
        let config = config().max_fragments(u32::MAX);
        let mut conn = Connection::new(Role::Server, config, Instant::ZERO);
        let mut rx = RecvBuf::new(Vec::new());
        let block = cont("a").more().masked().repeat(512);
        rx.extend_from_slice(&text("a").more().masked());
        for _ in 0..n / 512 {
            rx.extend_from_slice(&block);
            assert_eq!(conn.receive(Instant::ZERO, &mut rx), Ok(None));
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_head_that_arrives_byte_by_byte_costs_linear_time() {
    use ws_proto::handshake::{HandshakeLimits, ServerHandshake};
    takes_linear_time(256 << 10, |n| {
        let limits = HandshakeLimits::default().max_head_size(usize::MAX);
        let mut handshake = ServerHandshake::new(limits, Instant::ZERO);
        let mut rx = RecvBuf::new(Vec::new());
        rx.extend_from_slice(b"GET / HTTP/1.1\r\nA: ");
        for _ in 0..n {
            rx.extend_from_slice(b"a");
            assert_eq!(handshake.poll_receive(Instant::ZERO, &mut rx), Ok(false));
        }
    });
}
