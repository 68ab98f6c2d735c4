//! What permessage-deflate costs in memory, under a counting allocator; a test binary of its own, for it has its own.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use ws_proto::deflate::{DeflateConfig, DeflateParams, WindowBits};
use ws_proto::{Config, Error, Instant, Message, PreparedMessage, Role, SendQueue};
use ws_tests::counting::{Counting, live, peak_of};
use ws_tests::{Endpoint, Frame, Seen, binary, close, cont};

#[global_allocator]
static COUNTING: Counting = Counting;

const MIB: usize = 1 << 20;
/// RSV1, as `Frame::rsv` counts.
const RSV1: u8 = 4;

fn params(bits: u8, no_context_takeover: bool) -> DeflateParams {
    let bits = WindowBits::new(bits).unwrap();
    DeflateParams {
        server_no_context_takeover: no_context_takeover,
        client_no_context_takeover: no_context_takeover,
        server_max_window_bits: bits,
        client_max_window_bits: bits,
    }
}

fn config() -> DeflateConfig {
    DeflateConfig::new().min_size(0)
}

/// A server, and how much it takes alone: without what the thread keeps for all connections.
fn cost_of(agreed: Option<(DeflateParams, DeflateConfig)>, use_it: impl Fn(&mut Endpoint)) -> usize {
    let make = || {
        let mut server = Endpoint::server();
        if let Some((params, config)) = &agreed {
            server.conn.enable_deflate(*params, config);
        }
        use_it(&mut server);
        server.events();
        server.rx.shrink(0);
        server.tx.shrink(0);
        server
    };
    // The first one fills the pools of the thread.
    drop(make());
    let before = live();
    let server = make();
    let cost = live() - before;
    drop(server);
    assert_eq!(live(), before, "all of it is given back");
    cost as usize
}

/// A megabyte to the server and a megabyte back, in messages of 64 KiB, so that windows fill.
fn busy(server: &mut Endpoint) {
    let message: Vec<u8> = (0..64 << 10).map(|n: u32| (n.wrapping_mul(n) >> 7) as u8 & 0x1F).collect();
    let agreed = server.conn.deflate_params();
    let mut client = Endpoint::client();
    if let Some(params) = agreed {
        client.conn.enable_deflate(params, &config());
    }
    for _ in 0..16 {
        client.send_binary(&message).unwrap();
        server.hear_bytes(&client.say_bytes());
        assert!(server.events() == [Seen::binary(&message)]);
        server.send_binary(&message).unwrap();
        client.hear_bytes(&server.say_bytes());
        assert!(client.events() == [Seen::binary(&message)]);
    }
}

#[test]
fn an_idle_connection_that_agreed_on_it_costs_under_1_kib_more_than_a_plain_one() {
    let plain = cost_of(None, |_| {});
    for no_context_takeover in [false, true] {
        let agreed = cost_of(Some((params(15, no_context_takeover), config())), |_| {});
        assert!(agreed - plain < 512, "{agreed} against {plain} bytes");
    }
}

#[test]
fn without_context_takeover_that_is_so_after_traffic_as_well() {
    let plain = cost_of(None, busy);
    let agreed = cost_of(Some((params(15, true), config())), busy);
    assert!(agreed - plain < 512, "{agreed} against {plain} bytes");
}

/// The rows of the table in the documentation of `ws_proto::deflate`: window, memory level, and what sending and
/// receiving cost in KiB.
fn documented() -> Vec<(u8, u8, usize, usize)> {
    let documentation = include_str!("../../crates/ws-proto/src/deflate/mod.rs");
    let rows = documentation.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("//! |")?.split('|').map(str::trim).collect();
        let number = |at: usize| cells.get(at)?.strip_suffix(" KiB")?.parse().ok();
        Some((cells.first()?.parse().ok()?, cells.get(1)?.parse().ok()?, number(2)?, number(3)?))
    });
    rows.collect()
}

#[test]
fn with_context_takeover_it_costs_what_the_table_in_the_documentation_says() {
    let rows = documented();
    assert!(rows.len() >= 5, "{rows:?}");
    for (bits, memory_level, sending, receiving) in rows {
        let config = config().memory_level(memory_level);
        let both = cost_of(Some((params(bits, false), config)), busy);
        let receives = DeflateParams { server_no_context_takeover: true, ..params(bits, false) };
        let received = cost_of(Some((receives, config)), busy);
        let plain = cost_of(None, busy);
        let kib = |bytes: usize| bytes.div_ceil(1 << 10);
        let measured = (kib(both - received), kib(received - plain));
        assert_eq!((sending, receiving), measured, "window {bits}, memory level {memory_level}");
    }
}

/// A gibibyte of zeros as one compressed message: compressed by the mebibyte, of which all but the first are the same.
fn bomb() -> Vec<u8> {
    let mut sender = Endpoint::server();
    sender.conn.enable_deflate(params(15, false), &config().level(9));
    let mut mebibyte = || {
        sender.send_binary(&vec![0; MIB]).unwrap();
        let mut payload = sender.say().remove(0).payload;
        payload.extend([0x00, 0x00, 0xFF, 0xFF]);
        payload
    };
    let mut bomb = mebibyte();
    let next = mebibyte();
    assert_eq!(next, mebibyte());
    for _ in 1..1024 {
        bomb.extend_from_slice(&next);
    }
    bomb.truncate(bomb.len() - 4);
    assert!((1_000_000..1_200_000).contains(&bomb.len()), "{} bytes", bomb.len());
    bomb
}

#[test]
fn a_bomb_of_a_gibibyte_costs_the_limit_and_256_kib_at_most_and_is_refused_with_1009() {
    let bomb = bomb();
    let size = bomb.len().div_ceil(1000);
    let mut fragments: Vec<Frame> = bomb.chunks(size).map(|chunk| cont(chunk).more()).collect();
    fragments[0] = binary(&fragments[0].payload).rsv(RSV1).more();
    fragments.last_mut().unwrap().fin = true;
    assert_eq!(fragments.len(), 1000);
    let one_frame = vec![binary(&bomb).rsv(RSV1)];

    for frames in [one_frame, fragments] {
        let bytes = ws_tests::wire(&frames, true);
        for no_context_takeover in [false, true] {
            let before = live();
            let (peak, ()) = peak_of(|| {
                let config =
                    Config::default().ping_interval(None).max_message_size(MIB).max_frame_size(2 * MIB);
                let mut server = Endpoint::server_with(config);
                server.conn.enable_deflate(params(15, no_context_takeover), &self::config());
                for piece in bytes.chunks(16 << 10) {
                    server.hear_bytes(piece);
                    if server.error().is_some() {
                        break;
                    }
                }
                assert_eq!(server.error(), Some(Error::MessageTooBig { limit: MIB as u64 }));
                assert_eq!(server.events(), []);
                assert_eq!(server.say(), [close(1009)]);
            });
            assert!(peak <= MIB + (256 << 10), "{peak} bytes");
            // Its thread may keep what the next connection can use.
            assert!(live() - before <= 256 << 10, "{} bytes are left", live() - before);
        }
    }
}

#[test]
fn a_broadcast_costs_each_connection_a_reference() {
    const CONNECTIONS: usize = 1000;
    let text = "news for all of you, and more of them. ".repeat(4000);
    let prepared =
        PreparedMessage::<Arc<[u8]>>::new(Message::Text(&text)).compressed(&config(), WindowBits::MAX);
    let mut servers: Vec<_> = (0..CONNECTIONS)
        .map(|n| {
            let config = Config::default().ping_interval(None);
            let mut server = Endpoint::with(Role::Server, config, Vec::new(), SendQueue::<Arc<[u8]>>::new());
            if n % 2 == 0 {
                server.conn.enable_deflate(params(15, n % 4 == 0), &self::config());
            }
            server
        })
        .collect();
    let before = live();
    for server in &mut servers {
        server.conn.send_prepared(&mut server.tx, &prepared).unwrap();
    }
    let each = (live() - before) as usize / CONNECTIONS;
    assert!(each <= 512, "{each} bytes");
    for server in &mut servers {
        let transmit = server.conn.poll_transmit(Instant::ZERO, &mut server.tx).unwrap();
        let sent: usize = transmit.slices().iter().map(|slice| slice.len()).sum();
        assert!(sent < 10_000 || sent > text.len());
    }
}
