//! How much is allocated, under a counting allocator; a test binary of its own, for it has its own allocator.
#![allow(clippy::panic, clippy::unwrap_used)]
// An allocator cannot be written without; this one adds counting to the system's and nothing else.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

use ws_proto::{
    CloseCode, Config, Connection, Event, Instant, Kind, MaskKeys, Message, Outbound, RecvBuf, Role, SendBuf,
    SendError, SendQueue,
};

struct Counting;

thread_local! {
    // Per thread, so that tests beside each other and the harness do not count.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + usize::from(bytes > 0));
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: every call is passed on to the system's allocator with the caller's own arguments and promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What `work` allocates at most beyond what is live before it.
fn peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    ((PEAK.get() - before) as usize, result)
}

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
            before = ALLOCATIONS.get();
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
    assert_eq!(ALLOCATIONS.get() - before, 0, "allocations in the steady state");
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
        assert_eq!(tx.capacity(), SIZE + 10);
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
        let (allocations, before) = (ALLOCATIONS.get(), LIVE.get());
        connection.pong(&[1; 18]).unwrap();
        assert_eq!(ALLOCATIONS.get(), allocations);
        for _ in 0..1000 {
            connection.pong(&[2; 125]).unwrap();
        }
        assert_eq!(ALLOCATIONS.get(), allocations + 1);
        assert!(LIVE.get() - before <= 2 * 131, "{}", LIVE.get() - before);
        while let Some(mut transmit) = connection.poll_transmit(Instant::ZERO, &mut tx) {
            let n = transmit.slices()[0].len().min(50);
            transmit.advance(n);
        }
        assert_eq!((ALLOCATIONS.get(), LIVE.get()), (allocations + 1, before));
        // So is what a Close frame without a reason needs.
        connection.close(Instant::ZERO, CloseCode::NORMAL, "").unwrap();
        assert_eq!(ALLOCATIONS.get(), allocations + 1);
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
        let before = LIVE.get();
        let mut server = Connection::new(Role::Server, config(), Instant::ZERO);
        let mut rx = RecvBuf::new(Vec::new());
        let mut kept = Vec::with_capacity(MESSAGES);
        for _ in 0..MESSAGES {
            rx.extend_from_slice(&frame);
            let event = server.receive(Instant::ZERO, &mut rx).unwrap().unwrap();
            kept.push(ws_tokio::Message::from(event));
        }
        drop(rx);
        let each = (LIVE.get() - before) as usize / MESSAGES;
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
