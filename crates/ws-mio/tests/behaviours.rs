//! What users of event-driven endpoints rely on, over real sockets.

#![allow(clippy::panic, clippy::unwrap_used)] // The helpers of tests may do as tests do.

mod support;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Poll, Token};
use support::pair::*;
use support::*;
use ws_mio::handshake::{AcceptOptions, HandshakeLimits};
use ws_mio::{
    Chunk, Clock, CloseCode, Config, Endpoint, Error, Event, Flow, Kind, MaskKeys, Message, Pull, Reply,
    Role, SendError, Side, Step, WebSocket,
};

/// A loop for one connection.
struct Loop {
    poll: Poll,
    clock: Clock,
}

/// A server's end, and the socket of a peer that knows no WebSocket.
fn server_and_peer(config: Config) -> (WebSocket<TcpStream>, std::net::TcpStream, Loop) {
    let (server, peer) = streams();
    let this = Loop { poll: Poll::new().unwrap(), clock: Clock::new() };
    (WebSocket::from_upgraded(server, Role::Server, config, this.clock.now(), &[]), std_stream(peer), this)
}

impl Loop {
    /// Drives the connection for as long as `go_on` and `at_most`. Gives what it met, and how often it was woken up.
    fn drive(
        &mut self,
        ws: &mut WebSocket<TcpStream>,
        at_most: Duration,
        mut go_on: impl FnMut(&WebSocket<TcpStream>) -> bool,
    ) -> (Vec<Got>, Vec<Error>, usize) {
        let Self { poll, clock } = self;
        let mut events = Events::with_capacity(8);
        let (mut got, mut errors, mut wake_ups) = (Vec::new(), Vec::new(), 0);
        let end = clock.now() + at_most;
        loop {
            let now = clock.now();
            ws.handle_timeout(now);
            loop {
                match ws.next(now) {
                    Ok(Some((event, _))) => got.push(event.into()),
                    Ok(None) => break,
                    Err(error) => errors.push(error),
                }
            }
            if now >= end || ws.is_closed() || !go_on(ws) {
                return (got, errors, wake_ups);
            }
            ws.register(poll.registry(), SERVER).unwrap();
            let due = ws.poll_timeout().map_or(end, |deadline| deadline.min(end));
            poll.poll(&mut events, Some(due.saturating_duration_since(clock.now()))).unwrap();
            events.iter().for_each(|event| ws.handle_event(event));
            wake_ups += 1;
        }
    }
}

/// Counts its drops.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A source that gives `pieces` and then, if it is endless, has nothing for ever.
fn source(
    pieces: &[&str],
    endless: bool,
    drops: &Arc<AtomicUsize>,
) -> impl FnMut(&mut [u8]) -> Pull + Send + use<> {
    let guard = Guard(drops.clone());
    let mut pieces: Vec<String> = pieces.iter().rev().map(|piece| piece.to_string()).collect();
    move |room| {
        let _ = &guard;
        let Some(piece) = pieces.pop() else { return if endless { Pull::Pending } else { Pull::Last(0) } };
        room[..piece.len()].copy_from_slice(piece.as_bytes());
        if endless || !pieces.is_empty() { Pull::Data(piece.len()) } else { Pull::Last(piece.len()) }
    }
}

#[test]
fn text_beyond_ascii_and_both_sizes_of_lengths_go_both_ways() {
    let mut pair = Pair::new(Config::default());
    let messages = ["ἀγαθὴ τύχη ☺".to_owned(), "x".repeat(200), "é".repeat(35_000)];
    for message in &messages {
        pair.client().send(Message::Text(message)).unwrap();
        pair.server().send(Message::Text(message)).unwrap();
    }
    let (at_server, at_client) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    pair.run(
        |event, _| at_server.borrow_mut().push(Got::from(event)),
        |event, _| at_client.borrow_mut().push(Got::from(event)),
        |_| at_server.borrow().len() == 3 && at_client.borrow().len() == 3,
    );
    let expected: Vec<Got> = messages.into_iter().map(Got::Text).collect();
    assert_eq!((at_server.into_inner(), at_client.into_inner()), (expected.clone(), expected));
}

#[test]
fn a_source_waits_while_writing_is_paused_and_goes_on_when_it_is_resumed() {
    let mut pair = Pair::new(Config::default());
    let drops = Arc::default();
    let heard = RefCell::new(Vec::new());
    let note = |event: Event<'_>, _: Reply<'_>| heard.borrow_mut().push(Got::from(event));
    pair.client().pause_writing();
    assert!(pair.client().send_source(Kind::Text, source(&["Hé", "llo", "!"], false, &drops)).is_ok());
    pair.client().send(Message::Text("behind")).unwrap();
    let until = pair.now() + Duration::from_millis(100);
    pair.server().ping(b"wakes the loop up").unwrap();
    pair.run(note, ignore, |pair| {
        thread::sleep(Duration::from_millis(5));
        pair.server().ping(b"again").unwrap();
        pair.now() >= until
    });
    assert!(heard.borrow().is_empty(), "{heard:?}");
    assert_eq!((pair.client().queued_messages(), drops.load(Ordering::Relaxed)), (2, 0));
    pair.client().resume_writing();
    let texts =
        || heard.borrow().iter().filter(|got| matches!(got, Got::Text(_))).cloned().collect::<Vec<_>>();
    pair.run(note, ignore, |_| texts().len() == 2);
    assert_eq!(texts(), [Got::Text("Héllo!".into()), Got::Text("behind".into())]);
    assert_eq!((pair.client().queued_messages(), drops.load(Ordering::Relaxed)), (0, 1));
}

#[test]
fn a_large_source_passes_in_pieces_from_server_to_client_with_little_memory_on_either_end() {
    const SIZE: usize = 20 << 20;
    let mut pair = Pair::new(Config::default());
    let mut left = SIZE;
    let sent = pair.server().send_source(Kind::Binary, move |room: &mut [u8]| {
        let n = left.min(room.len());
        room[..n].fill(left as u8);
        left -= n;
        if left == 0 { Pull::Last(n) } else { Pull::Data(n) }
    });
    assert!(sent.is_ok());
    let mut client = pair.client.take().unwrap();
    let (mut received, mut finished) = (0, false);
    pair.run(ignore, ignore, |pair| {
        client.handle_readiness(true, true);
        while let Some((event, _)) = client.next_chunk(pair.now()).unwrap() {
            match event {
                Event::Data(Chunk::Data(piece)) => received += piece.as_bytes().len(),
                Event::Data(Chunk::FrameEnd { fin }) => finished = fin,
                _ => {}
            }
        }
        assert!(pair.server().buffered_amount() <= 33 << 10);
        // Whichever end has to wait for the other.
        pair.server().handle_readiness(true, true);
        finished
    });
    assert_eq!(received, SIZE);
}

#[test]
fn drained_comes_with_a_count_of_zero_and_then_the_peer_sees_the_close() {
    let mut pair = Pair::new(Config::default());
    for _ in 0..100 {
        pair.client().send(Message::Binary(&[1; 5000])).unwrap();
    }
    pair.client().notify_drained();
    assert_eq!(pair.client().poll_flow(), None);
    pair.run(ignore, ignore, |pair| pair.client().poll_flow() == Some(Flow::Drained));
    assert_eq!((pair.client().queued_messages(), pair.client().buffered_amount()), (0, 0));
    let now = pair.now();
    let reason = "x".repeat(122);
    assert_eq!(pair.client().close(now, CloseCode::NORMAL, &"x".repeat(124)), Err(SendError::ReasonTooLong));
    pair.client().close(now, CloseCode::NORMAL, &reason).unwrap();
    let heard = RefCell::new(Vec::new());
    pair.run(
        |event, _| heard.borrow_mut().push(Got::from(event)),
        ignore,
        |pair| pair.client().is_closed() && pair.server().is_closed(),
    );
    assert_eq!(heard.borrow().last(), Some(&Got::Close(1000, reason.clone())));
    let outcome = pair.server().outcome().unwrap();
    assert_eq!((outcome.closed_by, outcome.clean), (Some(Side::Peer), true));
    assert_eq!(outcome.peer.unwrap().reason, reason);
    let outcome = pair.client().outcome().unwrap();
    assert_eq!((outcome.closed_by, outcome.local.unwrap().reason), (Some(Side::Local), reason.as_str()));
}

#[test]
fn reads_paused_and_resumed_lose_nothing() {
    let mut pair = Pair::new(Config::default());
    let heard = RefCell::new(0);
    pair.server().pause_reading();
    for _ in 0..50 {
        pair.client().send(Message::Binary(&[1; 10_000])).unwrap();
    }
    pair.run(
        |_, _| *heard.borrow_mut() += 1,
        ignore,
        |pair| !pair.client().has_more() && !pair.server().has_more(),
    );
    assert_eq!(*heard.borrow(), 0);
    pair.server().resume_reading();
    pair.run(|_, _| *heard.borrow_mut() += 1, ignore, |_| *heard.borrow() == 50);
}

#[test]
fn invalid_text_is_never_delivered_and_closes_with_1007() {
    for split in [false, true] {
        let (mut ws, mut peer, mut this) = server_and_peer(Config::default());
        let invalid = masked(TEXT, b"ok so far \xFF");
        if split {
            peer.write_all(&invalid[..12]).unwrap();
            this.drive(&mut ws, Duration::from_millis(20), |_| true);
            peer.write_all(&invalid[12..]).unwrap();
        } else {
            peer.write_all(&invalid).unwrap();
        }
        peer.shutdown(Shutdown::Write).unwrap();
        let (got, errors, _) = this.drive(&mut ws, Duration::from_secs(20), |_| true);
        assert_eq!(got, []);
        assert!(matches!(errors[..], [Error::Protocol(ws_proto::Error::InvalidUtf8)]), "{errors:?}");
        drop(ws);
        let mut received = Vec::new();
        peer.read_to_end(&mut received).unwrap();
        assert_eq!(received, unmasked(CLOSE, &close_body(1007, "")));
    }
}

#[test]
fn a_source_that_fails_closes_with_1011_which_the_peer_sees_and_so_does_the_user() {
    let mut pair = Pair::new(Config::default());
    let mut asked = false;
    let sent = pair.client().send_source(Kind::Text, move |room: &mut [u8]| {
        room[0] = b'x';
        if std::mem::replace(&mut asked, true) { Pull::Failed } else { Pull::Data(1) }
    });
    assert!(sent.is_ok());
    let heard = RefCell::new(Vec::new());
    pair.run(
        |event, _| heard.borrow_mut().push(Got::from(event)),
        ignore,
        |pair| pair.client().is_closed() && pair.server().is_closed(),
    );
    assert_eq!(heard.into_inner(), [Got::Close(1011, String::new())]);
    assert!(
        matches!(pair.client_errors[..], [Error::Source(SendError::SourceFailed)]),
        "{:?}",
        pair.client_errors
    );
    assert!(pair.server_errors.is_empty());
}

#[test]
fn a_slow_source_delays_neither_pongs_nor_the_close() {
    let mut pair = Pair::new(Config::default());
    let drops = Arc::default();
    assert!(pair.server().send_source(Kind::Text, source(&["begun"], true, &drops)).is_ok());
    pair.client().ping(b"?").unwrap();
    let heard = RefCell::new(Vec::new());
    let note = |event: Event<'_>, _: Reply<'_>| heard.borrow_mut().push(Got::from(event));
    pair.run(ignore, note, |_| heard.borrow().contains(&Got::Pong(b"?".to_vec())));
    let now = pair.now();
    pair.client().close(now, CloseCode::NORMAL, "").unwrap();
    pair.run(ignore, note, |pair| pair.client().is_closed() && pair.server().is_closed());
    assert!(pair.client().is_clean() && pair.server().is_clean());
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn keys_of_the_callers_generator_are_used_as_they_are() {
    let (client, peer) = streams();
    let mut this = Loop { poll: Poll::new().unwrap(), clock: Clock::new() };
    let role = Role::Client(MaskKeys::from_fn(|| *b"abcd"));
    let mut ws = WebSocket::from_upgraded(client, role, Config::default(), this.clock.now(), &[]);
    ws.send(Message::Binary(&[0; 8])).unwrap();
    this.drive(&mut ws, Duration::from_millis(20), |ws| !ws.is_drained());
    let mut received = [0; 14];
    std_stream(peer).read_exact(&mut received).unwrap();
    assert_eq!(&received, b"\x82\x88abcdabcdabcd");
}

/// A turn that may come at any time, and what the application does with the endpoint in it.
fn serve(endpoint: &mut Endpoint<TcpStream>, clock: &Clock) {
    endpoint.handle_timeout(clock.now());
    while let Some(step) = endpoint.next(clock.now()).unwrap() {
        if let Step::Request(_, answer) = step {
            answer.accept(&AcceptOptions::default()).unwrap();
        }
    }
}

#[test]
fn an_endpoint_can_be_dropped_in_every_state_and_the_socket_and_the_sources_go_with_it() {
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let message = masked(TEXT, b"Hello");
    let input: Vec<u8> = [&request[..], &message, &message, &masked(CLOSE, b"")].concat();
    let states = [0, 20, request.len(), request.len() + 5, request.len() + 15, input.len()];
    for (state, sent) in states.into_iter().enumerate() {
        for paused in [false, true] {
            let (server, peer) = streams();
            let mut peer = std_stream(peer);
            let clock = Clock::new();
            let poll = Poll::new().unwrap();
            let mut endpoint =
                Endpoint::accept(server, HandshakeLimits::default(), Config::default(), clock.now());
            endpoint.register(poll.registry(), Token(0)).unwrap();
            peer.write_all(&input[..sent]).unwrap();
            let drops: Arc<AtomicUsize> = Arc::default();
            let mut sources = 0;
            for _ in 0..5 {
                thread::sleep(Duration::from_millis(1));
                endpoint.register(poll.registry(), Token(0)).unwrap();
                serve(&mut endpoint, &clock);
                if let Some(ws) = endpoint.websocket_mut() {
                    // One that is refused comes back, and is dropped here.
                    drop(ws.send_source(Kind::Text, source(&["x"], true, &drops)));
                    sources += 1;
                    if paused {
                        ws.pause_reading();
                        ws.pause_writing();
                    }
                }
            }
            drop(endpoint);
            assert_eq!(drops.load(Ordering::Relaxed), sources, "state {state}");
            peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            // The end of the stream, or a reset if there was something unread.
            let end = std::io::copy(&mut peer, &mut std::io::sink());
            let timed_out = end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            assert!(!timed_out, "state {state}: the socket is open still");
        }
    }
}

#[test]
fn a_connection_can_be_dropped_while_it_is_answered_and_with_events_outstanding() {
    let (ws, mut peer, this) = server_and_peer(Config::default());
    let Loop { mut poll, clock } = this;
    let mut events = Events::with_capacity(8);
    let mut slot = Some(ws);
    peer.write_all(&masked(TEXT, b"drop yourself").repeat(3)).unwrap();
    slot.as_mut().unwrap().register(poll.registry(), SERVER).unwrap();
    poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
    let mut seen = 0;
    // The application owns the connection, also while it handles an event of it.
    while let Some(mut ws) = slot.take() {
        if let Ok(Some((Event::Data(_), mut reply))) = ws.next(clock.now()) {
            reply.send(Message::Text("never leaves")).unwrap();
            seen += 1;
            continue; // drops it
        }
        slot = Some(ws);
    }
    assert_eq!(seen, 1);
    for _ in &events {
        assert!(slot.is_none());
    }
    poll.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
    assert!(events.is_empty(), "a socket that is closed is not registered");
}

#[test]
fn the_socket_that_is_given_back_is_open_still() {
    let (ws, mut peer, _) = server_and_peer(Config::default());
    let mut stream = std_stream(ws.into_io());
    stream.write_all(b"by hand").unwrap();
    let mut received = [0; 7];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"by hand");
}

/// A peer that sends messages, or whatever else, until it cannot any more or has done so for a second.
fn chatter(mut peer: std::net::TcpStream, what: Vec<u8>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        peer.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        for _ in 0..100 {
            if peer.write_all(&what).is_err() {
                thread::sleep(Duration::from_millis(500));
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    })
}

#[test]
fn a_paused_connection_is_not_woken_up_by_a_peer_that_goes_on_sending() {
    for (what, size) in [("trickles", 10), ("floods", 100_000)] {
        let (mut ws, peer, mut this) = server_and_peer(Config::default());
        ws.pause_reading();
        let chatter = chatter(peer, masked(BINARY, &vec![0; size]));
        let (got, errors, wake_ups) = this.drive(&mut ws, Duration::from_millis(300), |_| true);
        assert!(got.is_empty() && errors.is_empty());
        // One to say that the socket is writable, and the one that ends the time.
        assert!(wake_ups <= 3, "woken up {wake_ups} times by a peer that {what}");
        ws.resume_reading();
        let (got, ..) = this.drive(&mut ws, Duration::from_secs(20), |ws| ws.has_more());
        assert!(!got.is_empty(), "what came meanwhile is there");
        drop(ws);
        chatter.join().unwrap();
    }
}

#[test]
fn a_paused_writer_and_a_pending_source_do_not_wake_up_either() {
    for pause in [false, true] {
        let (mut ws, _peer, mut this) = server_and_peer(Config::default());
        assert!(ws.send_source(Kind::Text, source(&["x"], true, &Arc::default())).is_ok());
        if pause {
            ws.pause_writing();
            ws.send(Message::Text("y")).unwrap();
        }
        let (.., wake_ups) = this.drive(&mut ws, Duration::from_millis(300), |_| true);
        assert!(wake_ups <= 3, "woken up {wake_ups} times");
    }
}

#[test]
fn a_peer_that_holds_the_connection_after_a_close_is_dropped_at_the_deadline() {
    let config = Config::default().close_timeout(Duration::from_millis(300));
    // It never answers; it answers and keeps its side open; it closes and keeps its side open.
    for (we_close, peer_closes) in [(true, false), (true, true), (false, true)] {
        let (mut ws, mut peer, mut this) = server_and_peer(config);
        if we_close {
            ws.close(this.clock.now(), CloseCode::NORMAL, "").unwrap();
        }
        if peer_closes {
            peer.write_all(&masked(CLOSE, &close_body(1000, ""))).unwrap();
        }
        let chatter = chatter(peer, masked(TEXT, b"still here"));
        let begin = this.clock.now();
        let (_, errors, _) = this.drive(&mut ws, Duration::from_secs(20), |_| true);
        let took = this.clock.now().saturating_duration_since(begin);
        assert!(ws.is_closed());
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert_eq!(errors.is_empty(), peer_closes, "{errors:?}");
        assert_eq!(ws.outcome().unwrap().clean, peer_closes);
        drop(ws);
        chatter.join().unwrap();
    }
}

#[test]
fn a_peer_that_stops_reading_is_dropped_at_the_deadline_closing_or_not() {
    let config = Config::default()
        .close_timeout(Duration::from_millis(300))
        .write_stall_timeout(Some(Duration::from_millis(300)));
    for closing in [false, true] {
        let (mut ws, peer, mut this) = server_and_peer(config);
        ws.set_send_limit(usize::MAX);
        ws.send(Message::Binary(&vec![0; 64 << 20])).unwrap();
        if closing {
            ws.close(this.clock.now(), CloseCode::NORMAL, "").unwrap();
        }
        let chatter = chatter(peer, masked(PING, b"answer me"));
        let begin = this.clock.now();
        let (_, errors, _) = this.drive(&mut ws, Duration::from_secs(20), |_| true);
        let took = this.clock.now().saturating_duration_since(begin);
        assert!(ws.is_closed() && took < Duration::from_secs(5), "{took:?}");
        assert!(matches!(errors[..], [Error::Protocol(ws_proto::Error::Timeout(_))]), "{errors:?}");
        ws.notify_drained();
        assert_eq!(ws.poll_flow(), Some(Flow::Lost));
        drop(ws);
        chatter.join().unwrap();
    }
}
