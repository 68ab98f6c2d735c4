//! What a peer may try on a real socket: floods, drips, silence, resets, by the thousand. The server is one loop on one
//! thread, whose memory is counted; the peers are other threads with plain sockets.

#![allow(clippy::panic, clippy::unwrap_used)]

#[cfg(feature = "deflate")]
#[path = "../../../tests/src/bomb.rs"]
mod bomb;
#[path = "../../../tests/src/counting.rs"]
mod counting;
#[path = "../../../tests/src/raw_peer.rs"]
mod raw_peer;
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream as Raw};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant as Wall};

use bytes::Bytes;
use counting::{live, peak_of};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use raw_peer::{LONG, REQUEST, drip, flood_with_pings, raw, read_head, read_to_end, upgraded};
use slab::Slab;
use support::*;
use ws_mio::handshake::{AcceptOptions, HandshakeError, HandshakeLimits};
use ws_mio::{
    Clock, CloseCode, Config, Endpoint, Error, Event, Kind, Message, SendError, Step, Timeouts, WebSocket,
};
use ws_proto::{Error as Cause, TimeoutReason};

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

/// permessage-deflate for clients that ask for it.
fn options() -> AcceptOptions<'static> {
    #[cfg(feature = "deflate")]
    return AcceptOptions::default().deflate(ws_proto::deflate::DeflateConfig::new());
    #[cfg(not(feature = "deflate"))]
    AcceptOptions::default()
}

fn quiet() -> Config {
    Config::default().ping_interval(None)
}

fn within(millis: u64) -> HandshakeLimits {
    HandshakeLimits::default().timeout(Some(Duration::from_millis(millis)))
}

/// An echo server. "close" makes it close, "large" makes it say something large.
struct Server {
    poll: Poll,
    listener: TcpListener,
    clock: Clock,
    endpoints: Slab<Endpoint<TcpStream>>,
    timeouts: Timeouts,
    limits: HandshakeLimits,
    config: Config,
    accepted: usize,
    ended: usize,
    received: usize,
    errors: Vec<Error>,
}

const LISTENER: Token = Token(usize::MAX);
const LARGE: usize = 32 << 20;

impl Server {
    fn new(limits: HandshakeLimits, config: Config) -> (Self, SocketAddr) {
        let poll = Poll::new().unwrap();
        let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self {
            poll,
            listener,
            clock: Clock::new(),
            endpoints: Slab::new(),
            timeouts: Timeouts::new(),
            limits,
            config,
            accepted: 0,
            ended: 0,
            received: 0,
            errors: Vec::new(),
        };
        (server, address)
    }

    /// Serves until `done`, or for ever too long.
    fn run(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        let began = Wall::now();
        let mut events = Events::with_capacity(256);
        while !done(self) {
            assert!(began.elapsed() < LONG, "nothing more happens");
            let wait = self.timeouts.poll_duration(self.clock.now()).unwrap_or(LONG);
            // `done` may be about the peers, of which no event tells.
            match self.poll.poll(&mut events, Some(wait.min(Duration::from_millis(20)))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.unwrap(),
            }
            let now = self.clock.now();
            for event in &events {
                if event.token() == LISTENER {
                    while let Ok((stream, _)) = self.listener.accept() {
                        let endpoint = Endpoint::accept(stream, self.limits, self.config, now);
                        self.timeouts.set(Token(self.endpoints.insert(endpoint)), Some(now));
                        self.accepted += 1;
                    }
                } else if let Some(endpoint) = self.endpoints.get_mut(event.token().0) {
                    endpoint.handle_event(event);
                    self.timeouts.set(event.token(), Some(now));
                }
            }
            for token in self.timeouts.expired(now) {
                self.turn(token);
            }
        }
    }

    fn turn(&mut self, token: Token) {
        let now = self.clock.now();
        let endpoint = &mut self.endpoints[token.0];
        endpoint.handle_timeout(now);
        loop {
            match endpoint.next(now) {
                Ok(None) => break,
                Ok(Some(Step::Request(_, answer))) => {
                    answer.accept(&options()).unwrap();
                }
                Ok(Some(Step::Event(Event::Data(message), mut reply))) => {
                    self.received += 1;
                    match message {
                        Message::Text("close") => drop(reply.close(CloseCode::GOING_AWAY, "")),
                        Message::Text("large") => {
                            let _ = reply.send_owned(Kind::Binary, Bytes::from_static(&[0; LARGE]));
                        }
                        message => match reply.send(message) {
                            Ok(()) | Err(SendError::Closing) => {}
                            Err(error) => panic!("an answer is refused: {error}"),
                        },
                    }
                }
                Ok(Some(Step::Event(..))) => {}
                Err(error) => self.errors.push(error),
            }
        }
        endpoint.register(self.poll.registry(), token).unwrap();
        self.timeouts.set(token, endpoint.poll_timeout());
        if endpoint.is_closed() {
            self.endpoints.remove(token.0);
            self.ended += 1;
        }
    }
}

/// One frame of a server, by its opcode.
fn read_frame(stream: &mut Raw) -> (u8, Vec<u8>) {
    let (first, payload) = raw_peer::read_frame(stream);
    (first & 0x0F, payload)
}

#[test]
fn a_ping_flood_of_48_mib_from_a_peer_that_does_not_read_costs_nothing_and_its_last_ping_is_answered() {
    let (mut server, address) = Server::new(HandshakeLimits::default(), quiet());
    let peer =
        thread::spawn(move || flood_with_pings(address, |first, payload| masked(first & 0x0F, payload)));
    server.run(|server| server.received == 2);
    let (peak, ()) = peak_of(|| server.run(|server| server.ended == 1));
    peer.join().unwrap();
    assert!(server.errors.is_empty(), "{:?}", server.errors);
    assert!(peak <= 16 << 10, "{peak}");
}

#[test]
fn floods_of_fragments_and_headers_are_refused_at_their_limit_and_cost_no_more_than_a_buffer() {
    let floods: [(bool, Vec<u8>, Vec<u8>, u16); 4] = [
        (true, frame(0x02, None, b""), masked(0, b"").iter().map(|byte| byte & !0x80).collect(), 1002),
        (true, fragment(0x02, b"").to_vec(), fragment(0x00, b"").to_vec(), 1008),
        (true, fragment(0x01, b"a").to_vec(), fragment(0x00, b"a").to_vec(), 1008),
        (false, b"GET / HTTP/1.1\r\nA: ".to_vec(), b"a".repeat(100), 431),
    ];
    for (is_upgraded, first, again, code) in floods {
        let (mut server, address) = Server::new(HandshakeLimits::default(), quiet());
        let peer = thread::spawn(move || {
            let mut stream = if is_upgraded { upgraded(address) } else { raw(address) };
            stream.write_all(&first).unwrap();
            let block = again.repeat((64 << 10) / again.len());
            for _ in 0..(64 << 20) / block.len() {
                // The other side may have left.
                if stream.write_all(&block).is_err() {
                    break;
                }
            }
            let _ = stream.shutdown(Shutdown::Write);
            read_to_end(&mut stream)
        });
        let (peak, ()) = peak_of(|| server.run(|server| server.ended == 1));
        let answer = peer.join().unwrap();
        assert_eq!(server.errors.len(), 1, "{code}: {:?}", server.errors);
        // A reset may have destroyed it if all of the flood was not drained in time; what did arrive is right.
        let expected = match code {
            431 => b"HTTP/1.1 431 ".to_vec(),
            code => unmasked(CLOSE, &close_body(code, "")),
        };
        assert!(answer.is_empty() || answer.starts_with(&expected), "{code}: {answer:?}");
        // One receive buffer, which doubles while it grows.
        assert!(peak <= 600 << 10, "{code}: {peak}");
    }
}

fn fragment(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = masked(opcode, payload);
    bytes[0] &= 0x7F;
    bytes
}

#[cfg(feature = "deflate")]
#[test]
fn a_bomb_of_a_gibibyte_costs_the_limit_and_256_kib_at_most() {
    let bytes = bomb::bomb(1024);
    for fragments in [1, 1000] {
        let bytes = bytes.clone();
        let (mut server, address) = Server::new(HandshakeLimits::default(), quiet());
        let peer = thread::spawn(move || {
            let mut stream = raw(address);
            let extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
            let request = [&REQUEST[..REQUEST.len() - 2], extension.as_bytes()].concat();
            stream.write_all(&request).unwrap();
            read_head(&mut stream);
            let mut first = masked(BINARY, &bytes[..bytes.len() / fragments]);
            first[0] = if fragments == 1 { 0xC2 } else { 0x42 };
            // The other side may have left.
            if stream.write_all(&first).is_ok() {
                for part in bytes[bytes.len() / fragments..].chunks(bytes.len() / fragments) {
                    if stream.write_all(&fragment(0, part)).is_err() {
                        break;
                    }
                }
            }
            let _ = stream.shutdown(Shutdown::Write);
            read_to_end(&mut stream)
        });
        let (peak, ()) = peak_of(|| server.run(|server| server.ended == 1));
        let answer = peer.join().unwrap();
        let limit = server.errors.iter().any(
            |error| matches!(error, Error::Protocol(Cause::MessageTooBig { limit }) if *limit == 1 << 20),
        );
        assert!(limit && server.errors.len() == 1, "{:?}", server.errors);
        assert!(answer.is_empty() || answer == unmasked(CLOSE, &close_body(1009, "")), "{answer:?}");
        assert!(peak <= (1 << 20) + (256 << 10), "{peak}");
    }
}

#[test]
fn a_flood_of_fragments_does_not_keep_others_on_the_thread_waiting() {
    let (mut server, address) = Server::new(HandshakeLimits::default(), quiet().max_fragments(u32::MAX));
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut stream = upgraded(address);
            stream.write_all(&fragment(0x02, b"")).unwrap();
            let block = fragment(0x00, b"").repeat(10_000);
            let mut blocks = 0_u64;
            while !enough.load(Ordering::Relaxed) {
                stream.write_all(&block).unwrap();
                blocks += 1;
            }
            blocks * 10_000
        });
        let other = scope.spawn(|| {
            let mut stream = upgraded(address);
            for n in 0..200_u32 {
                stream.write_all(&masked(BINARY, &n.to_be_bytes())).unwrap();
                assert_eq!(read_frame(&mut stream), (BINARY, n.to_be_bytes().to_vec()));
            }
            enough.store(true, Ordering::Relaxed);
        });
        server.run(|server| server.accepted == 2 && server.ended == 2);
        other.join().unwrap();
        assert!(flood.join().unwrap() > 0);
    });
}

#[test]
fn a_head_that_drips_does_not_extend_the_deadline_of_the_handshake() {
    let (mut server, address) = Server::new(within(300), quiet());
    let peer = thread::spawn(move || {
        let mut stream = raw(address);
        stream.write_all(b"GET / HTTP/1.1\r\nA: ").unwrap();
        let began = Wall::now();
        let mut answer = [0; 13];
        let mut reader = stream.try_clone().unwrap();
        let reading = thread::spawn(move || {
            reader.read_exact(&mut answer).unwrap();
            (answer, began.elapsed())
        });
        drip(&mut stream, b'a');
        reading.join().unwrap()
    });
    server.run(|server| server.ended == 1);
    let (answer, after) = peer.join().unwrap();
    assert_eq!(answer, *b"HTTP/1.1 408 ");
    assert!(after >= Duration::from_millis(290), "{after:?}");
    assert!(matches!(server.errors[..], [Error::Handshake(HandshakeError::Timeout)]), "{:?}", server.errors);
}

#[test]
fn bytes_that_drip_without_a_pong_are_no_proof_of_life() {
    let config = Config::default()
        .ping_interval(Some(Duration::from_millis(200)))
        .pong_timeout(Some(Duration::from_millis(200)));
    let (mut server, address) = Server::new(HandshakeLimits::default(), config);
    let peer = thread::spawn(move || {
        let mut stream = upgraded(address);
        stream.write_all(&masked(BINARY, &[0; 60_000])[..10]).unwrap();
        drip(&mut stream, 0)
    });
    server.run(|server| server.ended == 1);
    let after = peer.join().unwrap();
    assert!(after >= Duration::from_millis(390), "{after:?}");
    assert!(
        matches!(server.errors[..], [Error::Protocol(Cause::Timeout(TimeoutReason::Pong))]),
        "{:?}",
        server.errors
    );
}

#[test]
fn a_peer_that_streams_for_ever_after_our_close_is_left_at_the_deadline_and_costs_nothing() {
    let config = quiet().close_timeout(Duration::from_millis(300));
    let (mut server, address) = Server::new(HandshakeLimits::default(), config);
    let peer = thread::spawn(move || {
        let mut stream = upgraded(address);
        stream.write_all(&masked(TEXT, b"close")).unwrap();
        let began = Wall::now();
        let block = masked(BINARY, &[1; 60_000]);
        let mut sent = 0_u64;
        while began.elapsed() < LONG && stream.write_all(&block).is_ok() {
            sent += 1;
        }
        (began.elapsed(), sent)
    });
    server.run(|server| server.received == 1);
    let (peak, ()) = peak_of(|| server.run(|server| server.ended == 1));
    let (after, sent) = peer.join().unwrap();
    assert!(after >= Duration::from_millis(290), "{after:?}");
    assert!(sent > 10 && server.received == 1, "{sent}");
    assert!(
        matches!(server.errors[..], [Error::Protocol(Cause::Timeout(TimeoutReason::Close))]),
        "{:?}",
        server.errors
    );
    assert!(peak <= 600 << 10, "{peak}");
}

#[test]
fn a_peer_that_stops_reading_is_left_at_the_write_stall_deadline_closing_or_not() {
    for closing in [false, true] {
        let config = quiet().write_stall_timeout(Some(Duration::from_millis(300)));
        let (mut server, address) = Server::new(HandshakeLimits::default(), config);
        let peer = thread::spawn(move || {
            let mut stream = upgraded(address);
            stream.write_all(&masked(TEXT, b"large")).unwrap();
            if closing {
                stream.write_all(&masked(TEXT, b"close")).unwrap();
            }
            stream
        });
        let (peak, ()) = peak_of(|| server.run(|server| server.ended == 1));
        drop(peer.join().unwrap());
        assert!(
            matches!(server.errors[..], [Error::Protocol(Cause::Timeout(TimeoutReason::WriteStall))]),
            "{:?}",
            server.errors
        );
        assert!(peak <= 1 << 20, "{peak}");
    }
}

#[test]
fn thousands_of_idle_and_half_open_connections_cost_little_and_the_half_open_ones_are_closed_in_time() {
    const EACH: usize = 700;
    let (mut server, address) = Server::new(within(3000), quiet());
    let mut silent: Vec<Raw> = Vec::new();
    let mut half: Vec<Raw> = Vec::new();
    let mut idle: Vec<Raw> = Vec::new();
    // What the server's own structures grow to is part of the price.
    let before = live();
    for n in 0..EACH {
        silent.push(raw(address));
        let mut stream = raw(address);
        stream.write_all(&REQUEST[..n % REQUEST.len()]).unwrap();
        half.push(stream);
        let mut stream = raw(address);
        stream.write_all(REQUEST).unwrap();
        idle.push(stream);
        // The backlog of the listener is finite.
        if n % 10 == 9 {
            let accepted = silent.len() * 3;
            server.run(|server| server.accepted == accepted);
        }
    }
    server.run(|server| server.accepted == 3 * EACH);
    let mine = ((silent.capacity() + half.capacity() + idle.capacity()) * size_of::<Raw>()) as isize;
    // What lies in the slab is two words a connection.
    let slab = (server.endpoints.capacity() * size_of::<Endpoint<TcpStream>>()) as isize;
    let each = (live() - before - mine - slab) as usize / (3 * EACH);
    println!("{each} bytes of heap each, beside the {} of itself", size_of::<Endpoint<TcpStream>>());
    // Two in three wait for a head and have the first 4 KiB of a buffer for it.
    assert!(each <= 4096, "{each} bytes of heap each");
    let peers = thread::spawn(move || {
        for stream in silent.iter_mut().chain(&mut half) {
            let answer = read_to_end(stream);
            assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408 "), "{answer:?}");
        }
        for (n, stream) in idle.iter_mut().enumerate() {
            let mut head = vec![0; 129];
            stream.read_exact(&mut head).unwrap();
            assert!(head.ends_with(b"\r\n\r\n"), "{}", String::from_utf8_lossy(&head));
            stream.write_all(&masked(TEXT, n.to_string().as_bytes())).unwrap();
            assert_eq!(read_frame(stream), (TEXT, n.to_string().into_bytes()));
        }
        idle
    });
    server.run(|server| server.ended == 2 * EACH && server.received == EACH);
    assert_eq!(server.errors.len(), 2 * EACH);
    assert!(
        server.errors.iter().all(|error| matches!(error, Error::Handshake(HandshakeError::Timeout))),
        "{:?}",
        server.errors[0]
    );
    let idle = peers.join().unwrap();
    let errors = (server.errors.capacity() * size_of::<Error>()) as isize;
    let each = (live() - before - slab - errors) as usize / EACH;
    let own = size_of::<WebSocket<TcpStream>>();
    println!("{each} bytes of heap each idle connection, {own} of them itself");
    assert!(each <= own + 256, "{each} bytes of heap each");
    drop(idle);
    server.run(|server| server.ended == 3 * EACH);
    assert_eq!(server.errors.len(), 3 * EACH);
}

#[test]
fn resets_at_any_point_are_one_end_each_and_leave_nothing() {
    const RESETS: usize = 400;
    let (mut server, address) = Server::new(HandshakeLimits::default(), quiet());
    let script =
        [REQUEST.to_vec(), masked(TEXT, b"Hello"), masked(BINARY, &[7; 5000]), masked(PING, b"?")].concat();
    let mut before = 0;
    let slab = |server: &Server| (server.endpoints.capacity() * size_of::<Endpoint<TcpStream>>()) as isize;
    server.errors.reserve(2 * RESETS);
    for round in 1..=2 {
        let script = script.clone();
        let peers = thread::spawn(move || {
            for n in 0..RESETS {
                let mut stream = raw(address);
                // Whoever leaves with something unread resets the connection: there is the response at least.
                let _ = stream.write_all(&script[..n * script.len() / RESETS]);
            }
        });
        server.run(|server| server.ended == round * RESETS);
        peers.join().unwrap();
        assert_eq!(server.errors.len(), round * RESETS, "one error each");
        assert!(server.endpoints.is_empty());
        // What has grown in the first round serves in the second.
        if round == 1 {
            before = live() - slab(&server);
        }
    }
    let left = live() - slab(&server) - before;
    println!("{left} bytes are left of {RESETS} connections");
    // How many there were at once may differ, and with it the server's table of deadlines; and the one spare buffer of
    // the thread may have grown to its 128 KiB.
    assert!(left <= 192 << 10, "{left} bytes are left");
}

#[test]
fn of_a_hundred_subscribers_the_one_that_does_not_read_costs_its_own_limit_and_nobody_else() {
    const SUBSCRIBERS: usize = 100;
    const MESSAGES: usize = 600;
    const SIZE: usize = 32 << 10;
    const LIMIT: usize = 256 << 10;
    let (mut server, address) =
        Server::new(HandshakeLimits::default(), quiet().write_stall_timeout(Some(LONG)));
    let peers: Vec<_> = (0..SUBSCRIBERS)
        .map(|n| {
            let stream = raw(address);
            let thread = (n != 0).then(|| {
                let mut stream = stream.try_clone().unwrap();
                thread::Builder::new().stack_size(64 << 10).spawn(move || {
                    stream.write_all(REQUEST).unwrap();
                    let mut head = [0; 129];
                    stream.read_exact(&mut head).unwrap();
                    for n in 0..MESSAGES {
                        assert_eq!(read_frame(&mut stream), (BINARY, vec![n as u8; SIZE]));
                    }
                })
            });
            if n == 0 {
                let mut stream = &stream;
                stream.write_all(REQUEST).unwrap();
            }
            (stream, thread)
        })
        .collect();
    let is_open = |endpoint: &Endpoint<TcpStream>| endpoint.websocket().is_some();
    server
        .run(|server| server.accepted == SUBSCRIBERS && server.endpoints.iter().all(|(_, end)| is_open(end)));
    let addresses: Vec<_> = peers.iter().map(|(stream, _)| stream.local_addr().unwrap()).collect();
    let slow = server
        .endpoints
        .iter()
        .find(|(_, end)| end.websocket().unwrap().io().peer_addr().unwrap() == addresses[0])
        .unwrap()
        .0;
    for (_, endpoint) in &mut server.endpoints {
        endpoint.websocket_mut().unwrap().set_send_limit(LIMIT);
    }
    let mut refused = 0;
    let (peak, ()) = peak_of(|| {
        for n in 0..MESSAGES {
            let message = Bytes::from(vec![n as u8; SIZE]);
            for index in 0..SUBSCRIBERS {
                let token = Token(index);
                match server.endpoints[index]
                    .websocket_mut()
                    .unwrap()
                    .send_owned(Kind::Binary, message.clone())
                {
                    Ok(()) => {}
                    Err((error, back)) => {
                        assert_eq!((index, error), (slow, SendError::Full));
                        assert_eq!(back.as_ptr(), message.as_ptr(), "handed back");
                        refused += 1;
                    }
                }
                server.timeouts.set(token, Some(server.clock.now()));
            }
            server.run(|server| {
                server.endpoints.iter().all(|(index, end)| {
                    index == slow || end.websocket().unwrap().buffered_amount() < LIMIT - 2 * SIZE
                })
            });
        }
        server.run(|server| {
            server
                .endpoints
                .iter()
                .all(|(index, end)| index == slow || end.websocket().unwrap().buffered_amount() == 0)
        });
    });
    assert!(refused > 0, "the slow one was never full");
    assert!(server.endpoints[slow].websocket().unwrap().buffered_amount() <= LIMIT);
    // The messages that wait are shared; the slow one's are held by nobody else any more.
    assert!(peak <= 2 * LIMIT + SUBSCRIBERS * 2048, "{peak}");
    for (stream, thread) in peers {
        if let Some(thread) = thread {
            thread.unwrap().join().unwrap();
        }
        drop(stream);
    }
}
