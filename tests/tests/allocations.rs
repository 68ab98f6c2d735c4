//! How much is allocated, under a counting allocator; a test binary of its own, for it has its own allocator.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::{
    CloseCode, Config, Connection, Event, Instant, Kind, MaskKeys, Message, Outbound, RecvBuf, Role, SendBuf,
    SendError, SendQueue,
};
use ws_tests::counting::{self, Counting, live, peak_of};

#[global_allocator]
static COUNTING: Counting = Counting;

fn config() -> Config {
    Config::default().ping_interval(None).max_message_size(usize::MAX)
}

/// Moves everything that one side has to say into the other's buffer, through a scratch buffer as through a socket.
fn pass<O: Outbound>(from: &mut Connection, tx: &mut O, rx: &mut RecvBuf<Vec<u8>>) {
    while let Some(mut transmit) = from.poll_transmit(Instant::ZERO, tx) {
        let mut n = 0;
        for slice in transmit.slices().iter() {
            n += rx.extend_from_slice(slice);
        }
        transmit.advance(n);
    }
}

fn a_hundred_thousand_messages_each_way<O: Outbound, P: Outbound>(mut client_tx: O, mut server_tx: P) {
    let mut client = Connection::new(Role::Client(MaskKeys::from_seed([3; 32])), config(), Instant::ZERO);
    let mut server = Connection::new(Role::Server, config(), Instant::ZERO);
    let (mut client_rx, mut server_rx) = (RecvBuf::new(Vec::new()), RecvBuf::new(Vec::new()));
    let payload = [0x5A; 2000];
    let mut before = 0;
    let mut received = 0;
    for n in 0..101_000_usize {
        if n == 1000 {
            before = counting::allocations();
        }
        let size = n * 37 % 300 + if n % 50 == 0 { 1700 } else { 0 };
        client.send(&mut client_tx, Message::Binary(&payload[..size])).unwrap();
        if n % 64 == 0 {
            client.ping(b"still there?").unwrap();
        }
        pass(&mut client, &mut client_tx, &mut server_rx);
        while let Some(event) = server.receive(Instant::ZERO, &mut server_rx).unwrap() {
            if let Event::Data(message) = event {
                server.send(&mut server_tx, message).unwrap();
            }
        }
        pass(&mut server, &mut server_tx, &mut client_rx);
        while let Some(event) = client.receive(Instant::ZERO, &mut client_rx).unwrap() {
            if let Event::Data(message) = event {
                assert_eq!(message.as_bytes().len(), size);
                received += 1;
            }
        }
    }
    assert_eq!(received, 101_000);
    assert_eq!(counting::allocations() - before, 0, "allocations in the steady state");
}

#[test]
fn steady_state_allocates_nothing() {
    a_hundred_thousand_messages_each_way(SendBuf::new(Vec::new()), SendBuf::new(Vec::new()));
    a_hundred_thousand_messages_each_way(SendQueue::<Vec<u8>>::new(), SendQueue::<Vec<u8>>::new());
}

#[test]
fn an_idle_connection_takes_no_heap_at_all() {
    let (peak, connection) = peak_of(|| {
        (
            Connection::new(Role::Server, config(), Instant::ZERO),
            RecvBuf::<Vec<u8>>::default(),
            SendBuf::<Vec<u8>>::default(),
            SendQueue::<Vec<u8>>::new(),
        )
    });
    assert_eq!(peak, 0);
    drop(connection);
}

#[test]
fn an_echo_of_16_mib_takes_one_copy_to_receive_and_one_to_send() {
    const SIZE: usize = 16 << 20;
    let block = [0x11; 64 << 10];
    let (peak, ()) = peak_of(|| {
        let mut server = Connection::new(Role::Server, config(), Instant::ZERO);
        let mut rx = RecvBuf::new(Vec::new());
        let mut tx = SendBuf::new(Vec::new());
        rx.extend_from_slice(&[0x82, 0xFF, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4]);
        let mut echoed = false;
        for _ in 0..SIZE / block.len() {
            rx.extend_from_slice(&block);
            if let Some(Event::Data(message)) = server.receive(Instant::ZERO, &mut rx).unwrap() {
                server.send(&mut tx, message).unwrap();
                echoed = true;
            }
        }
        assert!(echoed);
        assert_eq!(tx.capacity(), SIZE + 10 + 60, "the frame, and the lead of a large one");
    });
    // The receive buffer doubles, and for a moment the old half and the new whole exist; the send side is exact.
    assert!(peak <= 3 * SIZE + SIZE + (1 << 20), "{peak}");
}

#[test]
fn a_server_sends_an_owned_payload_without_copying_it() {
    let mut server = Connection::new(Role::Server, config(), Instant::ZERO);
    let payload = vec![7; 1 << 20];
    let (peak, ()) = peak_of(|| {
        let mut tx = SendQueue::new();
        server.send_owned(&mut tx, Kind::Binary, payload).unwrap();
        while let Some(mut transmit) = server.poll_transmit(Instant::ZERO, &mut tx) {
            let n = transmit.slices().iter().map(|slice| slice.len()).sum();
            transmit.advance(n);
        }
    });
    assert!(peak < 4096, "{peak}");
}

#[test]
fn control_frames_that_wait_share_one_allocation_which_is_gone_once_they_are_transmitted() {
    let mut server = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut client = Connection::new(Role::Client(MaskKeys::from_seed([4; 32])), config(), Instant::ZERO);
    let mut tx = SendBuf::new([0; 16]);
    for connection in [&mut server, &mut client] {
        // What a keepalive ping needs is there for good.
        let (allocations, before) = (counting::allocations(), live());
        connection.pong(&[1; 18]).unwrap();
        assert_eq!(counting::allocations(), allocations);
        for _ in 0..1000 {
            connection.pong(&[2; 125]).unwrap();
        }
        assert_eq!(counting::allocations(), allocations + 1);
        assert!(live() - before <= 2 * 131, "{}", live() - before);
        while let Some(mut transmit) = connection.poll_transmit(Instant::ZERO, &mut tx) {
            let n = transmit.slices()[0].len().min(50);
            transmit.advance(n);
        }
        assert_eq!((counting::allocations(), live()), (allocations + 1, before));
        // So is what a Close frame without a reason needs.
        connection.close(Instant::ZERO, CloseCode::NORMAL, "").unwrap();
        assert_eq!(counting::allocations(), allocations + 1);
    }
}

#[test]
fn a_ping_flood_and_a_fragment_flood_take_at_most_16_kib_of_heap() {
    let mut ping = vec![0x89, 0xFD, 0, 0, 0, 0];
    ping.extend([1; 125]);
    let empty = [0x00, 0x80, 0, 0, 0, 0];
    let (peak, ()) = peak_of(|| {
        let mut server = Connection::new(Role::Server, config(), Instant::ZERO);
        let mut rx = RecvBuf::new(Vec::new());
        for _ in 0..50_000 {
            rx.extend_from_slice(&ping);
            assert!(server.receive(Instant::ZERO, &mut rx).unwrap().is_some());
        }
        rx.extend_from_slice(&[0x02, 0x80, 0, 0, 0, 0]);
        while server.receive(Instant::ZERO, &mut rx).is_ok() {
            rx.extend_from_slice(&empty);
        }
    });
    assert!(peak <= 16 << 10, "{peak}");
}

/// An owned message keeps its own bytes alive and not the receive buffer.
#[test]
fn ten_thousand_kept_messages_of_8_bytes_take_at_most_128_bytes_each() {
    const MESSAGES: usize = 10_000;
    let frame = [0x82, 0x88, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let (_, kept) = peak_of(|| {
        let before = live();
        let mut server = Connection::new(Role::Server, config(), Instant::ZERO);
        let mut rx = RecvBuf::new(Vec::new());
        let mut kept = Vec::with_capacity(MESSAGES);
        for _ in 0..MESSAGES {
            rx.extend_from_slice(&frame);
            let event = server.receive(Instant::ZERO, &mut rx).unwrap().unwrap();
            kept.push(ws_tokio::Message::from(event));
        }
        drop(rx);
        let each = (live() - before) as usize / MESSAGES;
        assert!(each <= 128, "{each}");
        kept
    });
    assert!(
        kept.iter().all(|message| matches!(message, ws_tokio::Message::Binary(bytes) if bytes.len() == 8))
    );
}

#[test]
fn of_a_thousand_subscribers_a_slow_one_costs_its_own_limit_and_gets_its_messages_back() {
    const LIMIT: usize = 64 << 10;
    const SIZE: usize = 10_000;
    let mut subscribers: Vec<_> = (0..1000)
        .map(|_| {
            let server = Connection::new(Role::Server, config(), Instant::ZERO);
            (server, SendQueue::<std::sync::Arc<[u8]>>::new().limit(LIMIT))
        })
        .collect();
    let (peak, ()) = peak_of(|| {
        let mut refused = 0;
        for n in 0..100_usize {
            let message: std::sync::Arc<[u8]> = vec![n as u8; SIZE].into();
            for (index, (server, tx)) in subscribers.iter_mut().enumerate() {
                match server.send_owned(tx, Kind::Binary, message.clone()) {
                    Ok(()) => {}
                    Err((error, back)) => {
                        assert_eq!((index, error), (500, SendError::Full));
                        assert!(std::sync::Arc::ptr_eq(&back, &message));
                        refused += 1;
                    }
                }
                if index != 500 {
                    while let Some(mut transmit) = server.poll_transmit(Instant::ZERO, tx) {
                        let n = transmit.slices().iter().map(|slice| slice.len()).sum();
                        transmit.advance(n);
                    }
                }
            }
        }
        assert_eq!(refused, 100 - LIMIT / (SIZE + 4));
        assert!(subscribers[500].1.buffered_amount() <= LIMIT);
        assert!(subscribers.iter().enumerate().all(|(index, (_, tx))| index == 500 || tx.is_empty()));
    });
    // Each queue keeps room for a few headers and parts; the messages that wait are held once, and by the slow one
    // only.
    assert!(peak <= LIMIT + 4 * SIZE + 1000 * 512, "{peak}");
}

/// A peer that is not there yet, or sends as slowly as it can.
#[test]
fn two_gib_announced_and_then_silence_takes_at_most_64_kib_of_heap() {
    let (peak, ()) = peak_of(|| {
        let config = config().max_message_size(4 << 30);
        let mut server = Connection::new(Role::Server, config, Instant::ZERO);
        let mut rx = RecvBuf::new(Vec::new());
        rx.extend_from_slice(&[0x82, 0xFF, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]);
        for _ in 0..1000 {
            rx.extend_from_slice(&[0]);
            assert_eq!(server.receive(Instant::ZERO, &mut rx), Ok(None));
        }
    });
    assert!(peak <= 64 << 10, "{peak}");
}

#[test]
fn lengths_beyond_every_limit_reserve_nothing() {
    for len in [1_u64 << 20, 1 << 32, 1 << 60, (1 << 63) - 1, 1 << 63, u64::MAX] {
        let (peak, ()) = peak_of(|| {
            let mut server = Connection::new(Role::Server, config().max_message_size(1000), Instant::ZERO);
            let mut rx = RecvBuf::new(Vec::new());
            rx.extend_from_slice(&[0x82, 0xFF]);
            rx.extend_from_slice(&len.to_be_bytes());
            rx.extend_from_slice(&[1, 2, 3, 4]);
            assert!(server.receive(Instant::ZERO, &mut rx).is_err());
        });
        assert!(peak <= 4096, "{peak} for {len:x}");
    }
}

#[test]
fn a_mebibyte_of_text_in_fragments_of_one_byte_takes_at_most_twice_its_size_of_heap() {
    const SIZE: usize = 1 << 20;
    let more = [0x00, 0x81, 1, 2, 3, 4, b'a' ^ 1].repeat(512);
    let (peak, ()) = peak_of(|| {
        let config = Config::default().ping_interval(None).max_fragments(u32::MAX);
        let mut server = Connection::new(Role::Server, config, Instant::ZERO);
        let mut rx = RecvBuf::new(Vec::new());
        rx.extend_from_slice(&[0x01, 0x80, 0, 0, 0, 0]);
        for _ in 0..SIZE / 512 {
            rx.extend_from_slice(&more);
            assert_eq!(server.receive(Instant::ZERO, &mut rx), Ok(None));
        }
        rx.extend_from_slice(&[0x80, 0x80, 0, 0, 0, 0]);
        let event = server.receive(Instant::ZERO, &mut rx).unwrap();
        let Some(Event::Data(Message::Text(text))) = event else { panic!("{event:?}") };
        assert!(text.len() == SIZE && text.bytes().all(|byte| byte == b'a'));
        assert!(rx.capacity() <= 2 * SIZE, "{}", rx.capacity());
    });
    assert!(peak <= 2 * SIZE, "{peak}");
}

#[test]
fn ten_million_empty_fragments_take_no_heap() {
    let empty = [0x00, 0x80, 0, 0, 0, 0].repeat(500);
    let config = Config::default().ping_interval(None).max_fragments(u32::MAX);
    let mut server = Connection::new(Role::Server, config, Instant::ZERO);
    let mut rx = RecvBuf::new(Vec::new());
    rx.extend_from_slice(&[0x02, 0x80, 0, 0, 0, 0]);
    rx.extend_from_slice(&empty);
    assert_eq!(server.receive(Instant::ZERO, &mut rx), Ok(None));
    let (peak, ()) = peak_of(|| {
        for _ in 0..10_000_000 / 500 {
            rx.extend_from_slice(&empty);
            assert_eq!(server.receive(Instant::ZERO, &mut rx), Ok(None));
        }
    });
    assert_eq!(peak, 0);
}

#[test]
fn what_a_peer_streams_after_our_close_takes_no_heap() {
    let mut frame = vec![0x82, 0xFE, 0xEA, 0x60, 0, 0, 0, 0];
    frame.extend([7; 60_000]);
    let mut server = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut rx = RecvBuf::new(Vec::new());
    server.close(Instant::ZERO, CloseCode::NORMAL, "").unwrap();
    let (peak, ()) = peak_of(|| {
        for _ in 0..1000 {
            for piece in frame.chunks(1000) {
                rx.extend_from_slice(piece);
                assert_eq!(server.receive(Instant::ZERO, &mut rx), Ok(None));
            }
        }
    });
    assert!(peak <= 8 << 10, "{peak}");
}

#[test]
fn everything_is_freed_when_a_connection_fails_or_is_dropped_in_the_middle() {
    let (_, left) = peak_of(|| {
        let before = live();
        for cut in 0..300 {
            let mut server = Connection::new(Role::Server, config(), Instant::ZERO);
            let mut rx = RecvBuf::new(Vec::new());
            let mut tx = SendQueue::<Vec<u8>>::new();
            let mut bytes = vec![0x02, 0xFE, 0, 200, 0, 0, 0, 0];
            bytes.extend([1; 200]);
            bytes.extend([0x89, 0x81, 0, 0, 0, 0, 2, 0x83]);
            rx.extend_from_slice(&bytes[..cut.min(bytes.len())]);
            let _ = server.send_owned(&mut tx, Kind::Binary, vec![0; 5000]);
            while let Ok(Some(_)) = server.receive(Instant::ZERO, &mut rx) {}
            if let Some(mut transmit) = server.poll_transmit(Instant::ZERO, &mut tx) {
                transmit.advance(cut);
            }
        }
        live() - before
    });
    assert_eq!(left, 0);
}

/// Sends a message of `size` bytes, and gives the memory that it waited in back.
fn send_and_shrink(size: usize) {
    let mut server = Connection::new(Role::Server, config(), Instant::ZERO);
    let mut tx = SendBuf::new(Vec::new());
    server.send(&mut tx, Message::Binary(&vec![7; size])).unwrap();
    while let Some(mut transmit) = server.poll_transmit(Instant::ZERO, &mut tx) {
        let n = transmit.slices().iter().map(|slice| slice.len()).sum();
        transmit.advance(n);
    }
    tx.shrink(0);
}

#[test]
fn what_one_connection_is_done_with_another_of_the_thread_begins_with() {
    for size in [1000, 100 << 10, 1 << 20, 2 << 20] {
        send_and_shrink(size);
        let before = counting::allocations();
        send_and_shrink(size);
        // The payload itself.
        assert_eq!(counting::allocations() - before, 1, "{size} bytes");
    }
}

#[test]
fn a_thread_keeps_no_more_than_eight_small_buffers_and_16_mib_of_large_ones() {
    let before = live();
    let mut buffers: Vec<_> = (0..40_usize)
        .map(|n| {
            let mut rx = RecvBuf::new(Vec::new());
            assert_eq!(rx.extend_from_slice(&vec![7; (1 + n % 20) << 17]), (1 + n % 20) << 17);
            // As if all of it had been received.
            let mut server = Connection::new(Role::Server, config(), Instant::ZERO);
            assert!(server.receive(Instant::ZERO, &mut rx).is_err());
            rx
        })
        .collect();
    buffers.iter_mut().for_each(|rx| rx.shrink(0));
    drop(buffers);
    let kept = (live() - before) as usize;
    assert!(kept > 1 << 20, "{kept} bytes");
    assert!(kept <= (16 << 20) + 8 * (128 << 10) + 2048, "{kept} bytes");
}
