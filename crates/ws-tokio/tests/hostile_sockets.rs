//! What a peer may try on a real socket: floods, drips, silence, resets, by the thousand. The server is one runtime on
//! one thread, whose memory is counted; the peers are other threads with plain sockets.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

#[cfg(feature = "deflate")]
#[path = "../../../tests/src/bomb.rs"]
mod bomb;
#[path = "../../../tests/src/counting.rs"]
mod counting;
#[path = "../../../tests/src/raw_peer.rs"]
mod raw_peer;
mod support;

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant as Wall};

use bytes::Bytes;
use counting::{Counting, live};
use raw_peer::{LONG, REQUEST, drip, flood_with_pings, raw, read_frame, read_head, read_to_end, upgraded};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, LocalSet, spawn_blocking, spawn_local};
use tokio::time::timeout;
use ws_proto::handshake::{AcceptOptions, HandshakeError, HandshakeLimits};
use ws_proto::{CloseCode, Config, Error as Cause, Event, Message as Borrowed, SendError, TimeoutReason};
use ws_tokio::{Error, Message, receive_request};

use support::{BINARY, CLOSE, PING, TEXT, close_body, frame, masked, quiet};

#[global_allocator]
static COUNTING: Counting = Counting;

/// permessage-deflate for clients that ask for it.
fn options() -> AcceptOptions<'static> {
    #[cfg(feature = "deflate")]
    return AcceptOptions::default().deflate(ws_proto::deflate::DeflateConfig::new());
    #[cfg(not(feature = "deflate"))]
    AcceptOptions::default()
}

const LARGE: usize = 32 << 20;

fn limits(millis: u64) -> HandshakeLimits {
    HandshakeLimits::default().timeout(Some(Duration::from_millis(millis)))
}

/// What the server's tasks tell.
#[derive(Debug, Default)]
struct Told {
    open: Cell<usize>,
    received: Cell<usize>,
    ended: Cell<usize>,
    changed: Notify,
}

impl Told {
    fn one_more(&self, counter: impl Fn(&Self) -> &Cell<usize>) {
        counter(self).set(counter(self).get() + 1);
        self.changed.notify_waiters();
    }

    /// Waits until so many have opened, were received, or ended.
    async fn wait(&self, counter: impl Fn(&Self) -> &Cell<usize>, count: usize) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if counter(self).get() >= count {
                    return;
                }
                changed.await;
            }
        };
        timeout(LONG, waiting).await.expect("nothing more happens");
    }
}

/// An echo server for one connection. "close" makes it close, "large" makes it say something large.
async fn serve(
    stream: tokio::net::TcpStream,
    limits: HandshakeLimits,
    config: Config,
    told: &Told,
) -> Result<(), Error> {
    let request = receive_request(stream, limits).await?;
    let mut ws = request.accept(&options(), config).await?;
    told.one_more(|told| &told.open);
    while let Some((event, mut reply)) = ws.next().await? {
        let Event::Data(message) = event else { continue };
        told.one_more(|told| &told.received);
        let answered = match message {
            Borrowed::Text("close") => reply.close(CloseCode::GOING_AWAY, ""),
            Borrowed::Text("large") => {
                reply.send_owned(Message::Binary(Bytes::from_static(&[0; LARGE]))).await
            }
            message => reply.send(message).await,
        };
        match answered {
            Ok(()) | Err(Error::Send(SendError::Closing)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A server for `count` connections; the outcomes in the order of their ends.
async fn server(
    count: usize,
    limits: HandshakeLimits,
    config: Config,
) -> (SocketAddr, Rc<Told>, JoinHandle<Vec<Result<(), Error>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let told = Rc::<Told>::default();
    let serving = spawn_local({
        let told = Rc::clone(&told);
        async move {
            let mut tasks = tokio::task::JoinSet::new();
            let mut outcomes = Vec::with_capacity(count);
            let mut accepted = 0;
            while outcomes.len() < count {
                tokio::select! {
                    stream = listener.accept(), if accepted < count => {
                        accepted += 1;
                        let (stream, told) = (stream.unwrap().0, Rc::clone(&told));
                        tasks.spawn_local(async move { serve(stream, limits, config, &told).await });
                    }
                    Some(outcome) = tasks.join_next() => {
                        outcomes.push(outcome.unwrap());
                        told.one_more(|told| &told.ended);
                    }
                }
            }
            outcomes
        }
    });
    (address, told, serving)
}

/// One connection, whose outcome is of interest.
async fn outcome(serving: JoinHandle<Vec<Result<(), Error>>>) -> Result<(), Error> {
    timeout(LONG, serving).await.expect("nothing more happens").unwrap().remove(0)
}

/// Runs a test on one thread, with its memory counted.
fn on_one_thread(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// What is live at most beyond what is now, on this thread and whatever task it is of, until `future` is ready.
async fn peak_until<F: Future>(future: F) -> (usize, F::Output) {
    let before = counting::reset_peak();
    let output = future.await;
    ((counting::peak() - before) as usize, output)
}

fn fragment(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    masked(first_byte & 0x7F, payload)
}

#[test]
fn a_ping_flood_of_48_mib_from_a_peer_that_does_not_read_costs_nothing_and_its_last_ping_is_answered() {
    on_one_thread(async {
        let (address, told, serving) = server(1, HandshakeLimits::default(), quiet()).await;
        let peer = spawn_blocking(move || flood_with_pings(address, masked));
        told.wait(|told| &told.received, 2).await;
        let (peak, outcome) = peak_until(outcome(serving)).await;
        outcome.unwrap();
        peer.await.unwrap();
        assert!(peak <= 16 << 10, "{peak}");
    });
}

#[test]
fn floods_of_fragments_and_headers_are_refused_at_their_limit_and_cost_no_more_than_a_buffer() {
    let floods: [(bool, Vec<u8>, Vec<u8>, u16); 4] = [
        (true, frame(0x02, b""), frame(0x00, b""), 1002),
        (true, fragment(0x02, b""), fragment(0x00, b""), 1008),
        (true, fragment(0x01, b"a"), fragment(0x00, b"a"), 1008),
        (false, b"GET / HTTP/1.1\r\nA: ".to_vec(), b"a".repeat(100), 431),
    ];
    for (is_upgraded, first, again, code) in floods {
        on_one_thread(async {
            let (address, _told, serving) = server(1, HandshakeLimits::default(), quiet()).await;
            let peer = spawn_blocking(move || {
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
            let (peak, outcome) = peak_until(outcome(serving)).await;
            let answer = peer.await.unwrap();
            assert!(outcome.is_err(), "{code}");
            // A reset may have destroyed it if all of the flood was not drained in time; what did arrive is right.
            let expected = match code {
                431 => b"HTTP/1.1 431 ".to_vec(),
                code => frame(CLOSE, &close_body(code, "")),
            };
            assert!(answer.is_empty() || answer.starts_with(&expected), "{code}: {answer:?}");
            // One receive buffer, which doubles while it grows.
            assert!(peak <= 600 << 10, "{code}: {peak}");
        });
    }
}

#[cfg(feature = "deflate")]
#[test]
fn a_bomb_of_a_gibibyte_costs_the_limit_and_256_kib_at_most() {
    let bytes = bomb::bomb(1024);
    for fragments in [1, 1000] {
        let bytes = bytes.clone();
        on_one_thread(async {
            let (address, _told, serving) = server(1, HandshakeLimits::default(), quiet()).await;
            let peer = spawn_blocking(move || {
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
            let (peak, outcome) = peak_until(outcome(serving)).await;
            let answer = peer.await.unwrap();
            let Err(Error::Connection(Cause::MessageTooBig { limit })) = outcome else {
                panic!("{outcome:?}")
            };
            assert_eq!(limit, 1 << 20);
            assert!(answer.is_empty() || answer == frame(CLOSE, &close_body(1009, "")), "{answer:?}");
            assert!(peak <= (1 << 20) + (256 << 10), "{peak}");
        });
    }
}

#[test]
fn a_flood_of_fragments_does_not_keep_others_on_the_thread_waiting() {
    on_one_thread(async {
        let config = quiet().max_fragments(u32::MAX);
        let (address, _told, serving) = server(2, HandshakeLimits::default(), config).await;
        let enough = Arc::new(AtomicBool::new(false));
        let flood = spawn_blocking({
            let enough = Arc::clone(&enough);
            move || {
                let mut stream = upgraded(address);
                stream.write_all(&fragment(BINARY, b"")).unwrap();
                let block = fragment(0x00, b"").repeat(10_000);
                while !enough.load(Ordering::Relaxed) {
                    stream.write_all(&block).unwrap();
                }
            }
        });
        let other = spawn_blocking(move || {
            let mut stream = upgraded(address);
            for n in 0..200_u32 {
                stream.write_all(&masked(BINARY, &n.to_be_bytes())).unwrap();
                assert_eq!(read_frame(&mut stream), (BINARY, n.to_be_bytes().to_vec()));
            }
            enough.store(true, Ordering::Relaxed);
        });
        other.await.unwrap();
        flood.await.unwrap();
        assert_eq!(timeout(LONG, serving).await.unwrap().unwrap().len(), 2);
    });
}

#[test]
fn a_head_that_drips_does_not_extend_the_deadline_of_the_handshake() {
    on_one_thread(async {
        let (address, _told, serving) = server(1, limits(300), quiet()).await;
        let peer = spawn_blocking(move || {
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
        let outcome = outcome(serving).await;
        let (answer, after) = peer.await.unwrap();
        assert_eq!(answer, *b"HTTP/1.1 408 ");
        assert!(after >= Duration::from_millis(290), "{after:?}");
        assert!(matches!(outcome, Err(Error::Handshake(HandshakeError::Timeout))), "{outcome:?}");
    });
}

/// Whether a connection ended because of this deadline.
fn is_timeout(outcome: &Result<(), Error>, reason: TimeoutReason) -> bool {
    matches!(outcome, Err(Error::Connection(Cause::Timeout(why))) if *why == reason)
}

#[test]
fn bytes_that_drip_without_a_pong_are_no_proof_of_life() {
    on_one_thread(async {
        let config = Config::default()
            .ping_interval(Some(Duration::from_millis(200)))
            .pong_timeout(Some(Duration::from_millis(200)));
        let (address, _told, serving) = server(1, HandshakeLimits::default(), config).await;
        let peer = spawn_blocking(move || {
            let mut stream = upgraded(address);
            stream.write_all(&masked(BINARY, &[0; 60_000])[..10]).unwrap();
            drip(&mut stream, 0)
        });
        let outcome = outcome(serving).await;
        assert!(is_timeout(&outcome, TimeoutReason::Pong), "{outcome:?}");
        let after = peer.await.unwrap();
        assert!(after >= Duration::from_millis(390), "{after:?}");
    });
}

#[test]
fn a_peer_that_streams_for_ever_after_our_close_is_left_at_the_deadline_and_costs_nothing() {
    on_one_thread(async {
        let config = quiet().close_timeout(Duration::from_millis(300));
        let (address, told, serving) = server(1, HandshakeLimits::default(), config).await;
        let peer = spawn_blocking(move || {
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
        told.wait(|told| &told.received, 1).await;
        let (peak, outcome) = peak_until(outcome(serving)).await;
        let (after, sent) = peer.await.unwrap();
        assert!(after >= Duration::from_millis(290), "{after:?}");
        assert!(sent > 10 && told.received.get() == 1, "{sent}");
        assert!(is_timeout(&outcome, TimeoutReason::Close), "{outcome:?}");
        assert!(peak <= 600 << 10, "{peak}");
    });
}

#[test]
fn a_peer_that_stops_reading_is_left_at_the_write_stall_deadline_closing_or_not() {
    for closing in [false, true] {
        on_one_thread(async {
            let config = quiet().write_stall_timeout(Some(Duration::from_millis(300)));
            let (address, _told, serving) = server(1, HandshakeLimits::default(), config).await;
            let peer = spawn_blocking(move || {
                let mut stream = upgraded(address);
                stream.write_all(&masked(TEXT, b"large")).unwrap();
                if closing {
                    stream.write_all(&masked(TEXT, b"close")).unwrap();
                }
                stream
            });
            let (peak, outcome) = peak_until(outcome(serving)).await;
            drop(peer.await.unwrap());
            assert!(is_timeout(&outcome, TimeoutReason::WriteStall), "{outcome:?}");
            assert!(peak <= 1 << 20, "{peak}");
        });
    }
}

#[test]
fn thousands_of_idle_and_half_open_connections_cost_little_and_the_half_open_ones_are_closed_in_time() {
    const EACH: usize = 700;
    on_one_thread(async {
        let (address, told, serving) = server(3 * EACH, limits(3000), quiet()).await;
        let before = live();
        let opening = spawn_blocking(move || {
            let [mut silent, mut half, mut idle] = [const { Vec::new() }; 3];
            for n in 0..EACH {
                silent.push(raw(address));
                let mut stream = raw(address);
                stream.write_all(&REQUEST[..n % REQUEST.len()]).unwrap();
                half.push(stream);
                // One by one, for the backlog of the listener is finite.
                idle.push(upgraded(address));
            }
            (silent, half, idle)
        });
        let (mut silent, mut half, mut idle) = timeout(LONG, opening).await.unwrap().unwrap();
        told.wait(|told| &told.open, EACH).await;
        let each = (live() - before) as usize / (3 * EACH);
        println!("{each} bytes of heap each, their tasks included");
        assert!(each <= 12 << 10, "{each} bytes of heap each");
        let closing = spawn_blocking(move || {
            for stream in silent.iter_mut().chain(&mut half) {
                let answer = read_to_end(stream);
                assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408 "), "{answer:?}");
            }
            for (n, stream) in idle.iter_mut().enumerate() {
                stream.write_all(&masked(TEXT, n.to_string().as_bytes())).unwrap();
                assert_eq!(read_frame(stream), (TEXT, n.to_string().into_bytes()));
            }
            idle
        });
        told.wait(|told| &told.ended, 2 * EACH).await;
        told.wait(|told| &told.received, EACH).await;
        assert_eq!(told.ended.get(), 2 * EACH);
        let idle = closing.await.unwrap();
        let each = (live() - before) as usize / EACH;
        println!("{each} bytes of heap each idle connection, its task included");
        assert!(each <= 12 << 10, "{each} bytes of heap each");
        drop(idle);
        let outcomes = timeout(LONG, serving).await.unwrap().unwrap();
        let timeouts = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Err(Error::Handshake(HandshakeError::Timeout))));
        assert_eq!(timeouts.count(), 2 * EACH);
        assert!(outcomes.iter().all(Result::is_err));
    });
}

#[test]
fn resets_at_any_point_are_one_end_each_and_leave_nothing() {
    const RESETS: usize = 400;
    on_one_thread(async {
        let (address, told, serving) = server(2 * RESETS, HandshakeLimits::default(), quiet()).await;
        let script =
            [REQUEST.to_vec(), masked(TEXT, b"Hello"), masked(BINARY, &[7; 5000]), masked(PING, b"?")]
                .concat();
        let mut before = 0;
        for round in 1..=2 {
            let script = script.clone();
            let peers = spawn_blocking(move || {
                for n in 0..RESETS {
                    let mut stream = raw(address);
                    // Whoever leaves with something unread resets the connection: there is the response at least.
                    let _ = stream.write_all(&script[..n * script.len() / RESETS]);
                }
            });
            told.wait(|told| &told.ended, round * RESETS).await;
            peers.await.unwrap();
            // What has grown in the first round serves in the second.
            if round == 1 {
                before = live();
            }
        }
        let left = live() - before;
        println!("{left} bytes are left of {RESETS} connections");
        // How many there were at once may differ, and so may how far the tables of the runtime have grown.
        assert!(left <= 192 << 10, "{left} bytes are left");
        let outcomes = timeout(LONG, serving).await.unwrap().unwrap();
        assert!(outcomes.len() == 2 * RESETS && outcomes.iter().all(Result::is_err));
    });
}

#[test]
fn of_a_hundred_subscribers_the_one_that_does_not_read_costs_its_own_limit_and_nobody_else() {
    const SUBSCRIBERS: usize = 100;
    const MESSAGES: usize = 1000;
    const SIZE: usize = 32 << 10;
    /// What a queue of this crate takes.
    const LIMIT: usize = 1 << 20;
    on_one_thread(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut sockets = Vec::new();
        let mut peers = Vec::new();
        for n in 0..SUBSCRIBERS {
            let peer = spawn_blocking(move || upgraded(address));
            let (stream, _) = listener.accept().await.unwrap();
            let config = quiet().write_stall_timeout(Some(LONG));
            sockets.push(ws_tokio::accept(stream, config).await.unwrap());
            let mut stream = peer.await.unwrap();
            let reading = thread::Builder::new().stack_size(128 << 10).spawn(move || {
                for n in 0..if n == 0 { 0 } else { MESSAGES } {
                    assert_eq!(read_frame(&mut stream), (BINARY, vec![n as u8; SIZE]));
                }
                stream
            });
            peers.push(reading.unwrap());
        }
        let before = counting::reset_peak();
        let mut refused = 0;
        for n in 0..MESSAGES {
            let message = Bytes::from(vec![n as u8; SIZE]);
            for (index, ws) in sockets.iter_mut().enumerate() {
                match ws.try_send(Message::Binary(message.clone())) {
                    Ok(()) => {}
                    Err((error, Message::Binary(back))) => {
                        assert_eq!((index, error), (0, SendError::Full));
                        assert_eq!(back.as_ptr(), message.as_ptr(), "handed back");
                        refused += 1;
                    }
                    Err(other) => panic!("{other:?}"),
                }
                if index == 0 {
                    // As much as it takes now; whoever does not read is not waited for.
                    let flushing = std::pin::pin!(ws.flush());
                    tokio::select! { biased; result = flushing => result.unwrap(), () = async {} => {} }
                } else {
                    timeout(LONG, ws.flush()).await.unwrap().unwrap();
                }
            }
        }
        let peak = (counting::peak() - before) as usize;
        assert!(refused > 0, "the slow one was never full");
        assert!(sockets[0].buffered_amount() <= LIMIT);
        // The messages that wait are shared; the slow one's are held by nobody else any more.
        assert!(peak <= LIMIT + 2 * SIZE + SUBSCRIBERS * 4096, "{peak}");
        for peer in peers {
            peer.join().unwrap();
        }
    });
}
