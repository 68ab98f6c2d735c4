//! The opening handshake, both roles, over a transport in memory and over real sockets.

#![allow(clippy::panic, clippy::unwrap_used)] // The helpers of tests may do as tests do.

mod support;

use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use support::*;
use ws_mio::handshake::{
    AcceptOptions, ClientRequest, HandshakeError, HandshakeLimits, OriginPolicy, Response, Uri,
};
use ws_mio::{
    Accepting, Clock, Config, Connecting, Endpoint, Error, Event, Instant, MaskKeys, Message, Step, Timeouts,
    WebSocket, accept, connect, connect_with,
};

const NOW: Instant = Instant::from_secs(1000);

const REQUEST: &str = "GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: superchat, chat\r\n\r\n";

fn accepting(io: Memory) -> Accepting<Memory> {
    accept(io, HandshakeLimits::default(), NOW)
}

/// Turns until nothing more is due, with what the transport blocked on reported as ready again.
fn settle(accepting: &mut Accepting<Memory>, mut answer: impl FnMut(&str, ws_mio::Answer<'_>)) -> Vec<Error> {
    let mut errors = Vec::new();
    for _ in 0..10_000 {
        match accepting.next(NOW) {
            Ok(Some((request, means))) => {
                let path = request.path().to_owned();
                answer(&path, means);
            }
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        let Some(io) = accepting.io() else { break };
        accepting.handle_readiness(io.read_blocked, io.write_blocked);
    }
    errors
}

fn accept_default(_: &str, answer: ws_mio::Answer<'_>) {
    answer.accept(&AcceptOptions::default()).unwrap();
}

#[test]
fn a_request_is_inspected_and_accepted_with_options_and_what_came_behind_it_is_not_lost() {
    let mut accepting =
        accepting(Memory::with_incoming([REQUEST.as_bytes(), &masked(TEXT, b"early")].concat()));
    let (request, answer) = accepting.next(NOW).unwrap().unwrap();
    assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["superchat", "chat"]);
    let options = AcceptOptions::new().subprotocol("chat").headers(&[("Set-Cookie", "a=b")]);
    assert_eq!(answer.accept(&options).unwrap().subprotocol, Some("chat"));

    let mut ws = accepting.finish(Config::default(), NOW).unwrap();
    assert!(accepting.is_closed() && accepting.finish(Config::default(), NOW).is_none());
    assert!(ws.has_more(), "the response and the message wait, and no event is to come");
    let mut got = Vec::new();
    echo_turn(&mut ws, NOW, &mut got).unwrap();
    assert_eq!(got, [Got::Text("early".into())]);
    let sent = String::from_utf8_lossy(&ws.io().outgoing).into_owned();
    assert!(sent.starts_with("HTTP/1.1 101 "), "{sent}");
    assert!(sent.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") && sent.contains("Set-Cookie: a=b\r\n"));
    assert!(ws.io().outgoing.ends_with(&unmasked(TEXT, b"early")));
    assert_eq!(ws.io().writes, 1, "response and echo leave together");
}

#[test]
fn an_answer_may_be_given_later() {
    let mut accepting = accepting(Memory::with_incoming(REQUEST.bytes()));
    assert!(accepting.next(NOW).unwrap().is_some());
    assert!(accepting.next(NOW).unwrap().is_none(), "the request is given once");
    assert!(!accepting.has_more());
    let (request, answer) = accepting.request(NOW).unwrap();
    assert_eq!(request.host(), Some("example.com"));
    answer.accept(&AcceptOptions::default()).unwrap();
    assert!(accepting.has_more());
    assert!(accepting.request(NOW).is_none());
    assert!(accepting.finish(Config::default(), NOW).is_some());
}

#[test]
fn a_handshake_survives_every_fault_that_is_none() {
    for fault in [Fault::Block, Fault::Interrupt, Fault::Short] {
        for n in 0..8 {
            let io = Memory {
                faults: vec![(n, fault)],
                chunk: Some(60),
                ..Memory::with_incoming(REQUEST.bytes())
            };
            let mut accepting = accepting(io);
            let errors = settle(&mut accepting, accept_default);
            assert!(errors.is_empty(), "{fault:?} at {n}: {errors:?}");
            assert!(accepting.finish(Config::default(), NOW).is_some(), "{fault:?} at {n}");
        }
    }
}

#[test]
fn a_transport_that_fails_in_the_handshake_is_one_error() {
    for fault in [Fault::Fail(io::ErrorKind::ConnectionReset), Fault::Lie] {
        for n in 0..4 {
            let io = Memory {
                faults: vec![(n, fault)],
                chunk: Some(60),
                ..Memory::with_incoming(REQUEST.bytes())
            };
            let mut accepting = accepting(io);
            let errors = settle(&mut accepting, accept_default);
            assert!(matches!(errors.as_slice(), [Error::Io(_)]), "{fault:?} at {n}: {errors:?}");
            assert!(accepting.is_closed());
            assert_eq!((accepting.interest(), accepting.poll_timeout()), (None, None));
        }
    }
}

#[test]
fn a_page_is_written_whole_then_the_writing_side_ends_and_the_rest_is_drained() {
    let page = "x".repeat(100_000);
    let request = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
    let io = Memory { chunk: Some(7_000), ..Memory::with_incoming(request.bytes().chain([0; 50_000])) };
    let mut accepting = accepting(io);
    let errors = settle(&mut accepting, |_, answer| {
        let headers = [("Content-Type", "text/html")];
        answer.respond(&Response::new(200).headers(&headers).body(page.as_bytes())).unwrap();
    });
    assert!(errors.is_empty());
    let io = accepting.io().unwrap();
    assert!(io.outgoing.starts_with(b"HTTP/1.1 200 OK\r\n") && io.outgoing.ends_with(page.as_bytes()));
    assert!(io.write_shut && io.incoming.is_empty() && !accepting.is_closed());
    assert!(accepting.finish(Config::default(), NOW).is_none());

    // The client that does not leave is not waited for longer than five seconds.
    let deadline = NOW + Duration::from_secs(5);
    assert!(accepting.next(NOW).unwrap().is_none());
    assert_eq!(accepting.poll_timeout(), Some(deadline));
    accepting.handle_timeout(deadline);
    assert!(accepting.is_closed());
}

#[test]
fn a_fault_of_the_client_is_one_error_and_answered_with_the_status_that_says_so() {
    let cases = [
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        (format!("GET /{} HTTP/1.1\r\n", "x".repeat(9000)), "HTTP/1.1 414 "),
        (format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(20_000)), "HTTP/1.1 431 "),
    ];
    for (request, status) in cases {
        let mut accepting = accepting(Memory::with_incoming(request.bytes()));
        let errors = settle(&mut accepting, accept_default);
        assert!(matches!(errors.as_slice(), [Error::Handshake(_)]), "{errors:?}");
        let sent = String::from_utf8_lossy(&accepting.io().unwrap().outgoing).into_owned();
        assert!(sent.starts_with(status), "{sent}");
        assert!(accepting.io().unwrap().write_shut);
    }
}

#[test]
fn a_request_that_cannot_be_accepted_is_refused_by_accept_itself() {
    let request = REQUEST.replace("Version: 13", "Version: 8");
    let mut accepting = accepting(Memory::with_incoming(request.bytes()));
    settle(&mut accepting, |_, answer| {
        let refused = answer.accept(&AcceptOptions::new().origins(OriginPolicy::AllowAnyOrigin)).unwrap_err();
        assert_eq!(refused, HandshakeError::UnsupportedVersion);
    });
    let sent = String::from_utf8_lossy(&accepting.io().unwrap().outgoing).into_owned();
    assert!(sent.starts_with("HTTP/1.1 426 ") && sent.contains("Sec-WebSocket-Version: 13\r\n"), "{sent}");
}

#[test]
fn a_client_that_says_nothing_is_refused_at_the_deadline_which_bytes_do_not_extend() {
    let mut accepting = accepting(Memory::default());
    assert!(accepting.next(NOW).unwrap().is_none());
    let deadline = accepting.poll_timeout().unwrap();
    assert_eq!(deadline, NOW + Duration::from_secs(10));
    if let Some(parts) = accepting.io() {
        assert!(parts.read_blocked);
    }
    let mut dripping = accept(Memory::with_incoming(*b"G"), HandshakeLimits::default(), NOW);
    assert!(dripping.next(NOW + Duration::from_secs(9)).unwrap().is_none());
    assert_eq!(dripping.poll_timeout(), Some(deadline));
    for mut waiting in [accepting, dripping] {
        waiting.handle_timeout(deadline);
        let error = waiting.next(deadline).unwrap_err();
        assert!(matches!(error, Error::Handshake(HandshakeError::Timeout)), "{error:?}");
        assert!(waiting.io().unwrap().outgoing.starts_with(b"HTTP/1.1 408 "));
        assert!(!waiting.is_closed());
        let linger = waiting.poll_timeout().unwrap();
        waiting.handle_timeout(linger);
        assert!(waiting.is_closed());
    }
}

fn client(io: Memory, request: &ClientRequest<'_>) -> Connecting<Memory> {
    let keys = MaskKeys::from_seed([1; 32]);
    connect_with(io, request, *b"the sample nonce", keys, HandshakeLimits::default(), NOW).unwrap()
}

const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[test]
fn a_client_finishes_and_what_came_behind_the_response_is_not_lost() {
    let request = ClientRequest::new(Uri::parse("ws://example.com/chat").unwrap());
    for chunk in [1, 10, 100_000] {
        let incoming = [RESPONSE.as_bytes(), &unmasked(TEXT, b"early")].concat();
        let mut connecting =
            client(Memory { chunk: Some(chunk), ..Memory::with_incoming(incoming) }, &request);
        while !connecting.poll(NOW).unwrap() {
            assert!(connecting.has_more());
        }
        assert!(
            connecting.io().unwrap().outgoing.starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n")
        );
        assert_eq!(connecting.verify(&request).unwrap().subprotocol, None);
        let mut ws = connecting.finish(&request, Config::default(), NOW).unwrap();
        let mut got = Vec::new();
        while ws.has_more() {
            echo_turn(&mut ws, NOW, &mut got).unwrap();
        }
        assert_eq!(got, [Got::Text("early".into())]);
        assert!(connecting.finish(&request, Config::default(), NOW).is_err(), "the connection is given once");
    }
}

#[test]
fn a_refused_client_sees_status_headers_and_body() {
    let request = ClientRequest::new(Uri::parse("ws://example.com/chat").unwrap());
    let response = "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nRetry-After: 9\r\n\r\nnope!";
    let mut connecting = client(Memory::with_incoming(response.bytes()), &request);
    assert!(connecting.poll(NOW).unwrap());
    let error = connecting.finish(&request, Config::default(), NOW).unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::Rejected { status: 404 })), "{error:?}");
    let response = connecting.response().unwrap();
    assert_eq!((response.status(), response.reason()), (404, "Not Found"));
    assert_eq!(response.header("retry-after"), Some(&b"9"[..]));
    assert_eq!(response.body_prefix(), b"nope!");
    assert_eq!(connecting.into_io().unwrap().1, b"nope!");
}

#[test]
fn a_client_gives_up_at_the_deadline_and_when_the_server_leaves() {
    let request = ClientRequest::new(Uri::parse("ws://example.com/").unwrap());
    let mut connecting = client(Memory::default(), &request);
    assert!(!connecting.poll(NOW).unwrap());
    let deadline = connecting.poll_timeout().unwrap();
    connecting.handle_timeout(deadline);
    assert!(matches!(connecting.poll(deadline), Err(Error::Handshake(HandshakeError::Timeout))));
    assert!(connecting.is_closed() && !connecting.poll(deadline).unwrap());

    let io = Memory { incoming_ends: true, ..Memory::default() };
    let error = client(io, &request).poll(NOW).unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::UnexpectedEof)), "{error:?}");
}

#[test]
fn a_request_that_cannot_be_sent_gives_the_transport_back() {
    let request = ClientRequest::new(Uri::parse("ws://example.com/").unwrap()).headers(&[("A", "b\r\nC: d")]);
    let io = Memory { room: Some(77), ..Memory::default() };
    let (error, io) = connect(io, &request, HandshakeLimits::default(), NOW).unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::InvalidHeader)), "{error:?}");
    assert_eq!(io.room, Some(77));
}

// Over sockets.

/// Serves one connection that echoes, until it is over.
fn serve_one(stream: TcpStream) -> Vec<Error> {
    let clock = Clock::new();
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(4));
    let mut timeouts = Timeouts::new();
    let mut endpoint = Endpoint::accept(stream, HandshakeLimits::default(), Config::default(), clock.now());
    let mut errors = Vec::new();
    loop {
        let now = clock.now();
        loop {
            match endpoint.next(now) {
                Ok(Some(Step::Request(request, answer))) if request.is_upgrade() => {
                    answer.accept(&AcceptOptions::default()).unwrap();
                }
                Ok(Some(Step::Request(_, answer))) => {
                    answer.respond(&Response::new(404).body(&[b'x'; 100_000])).unwrap();
                }
                Ok(Some(Step::Event(Event::Data(message), mut reply))) => reply.send(message).unwrap(),
                Ok(Some(Step::Event(..))) => {}
                Ok(None) => break,
                Err(error) => errors.push(error),
            }
        }
        if endpoint.is_closed() {
            return errors;
        }
        endpoint.register(poll.registry(), Token(0)).unwrap();
        timeouts.set(Token(0), endpoint.poll_timeout());
        poll.poll(&mut events, timeouts.poll_duration(clock.now())).unwrap();
        events.iter().for_each(|event| endpoint.handle_event(event));
        let now = clock.now();
        for _ in timeouts.expired(now) {
            endpoint.handle_timeout(now);
        }
    }
}

fn start_server() -> (std::net::SocketAddr, thread::JoinHandle<Vec<Error>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        serve_one(TcpStream::from_std(stream))
    });
    (address, server)
}

fn open(address: std::net::SocketAddr) -> Result<(WebSocket<TcpStream>, Poll, Clock), Error> {
    let clock = Clock::new();
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(4));
    let url = format!("ws://{address}/");
    let request = ClientRequest::new(Uri::parse(&url).unwrap());
    let stream = TcpStream::connect(address)?;
    let mut connecting = connect(stream, &request, HandshakeLimits::default(), clock.now()).unwrap();
    while !connecting.poll(clock.now())? {
        connecting.register(poll.registry(), Token(0)).unwrap();
        poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
        assert!(!events.is_empty(), "no event");
        events.iter().for_each(|event| connecting.handle_event(event));
    }
    let ws = connecting.finish(&request, Config::default(), clock.now())?;
    Ok((ws, poll, clock))
}

#[test]
fn client_and_server_meet_over_sockets_echo_and_part_in_peace() {
    let (address, server) = start_server();
    let (mut ws, mut poll, clock) = open(address).unwrap();
    let mut events = Events::with_capacity(4);
    ws.send(Message::Text("Grüße")).unwrap();
    let mut got = Vec::new();
    while !ws.is_closed() {
        let now = clock.now();
        while let Some((event, mut reply)) = ws.next(now).unwrap() {
            if matches!(event, Event::Data(_)) {
                reply.close(ws_mio::CloseCode::NORMAL, "").unwrap();
            }
            got.push(Got::from(event));
        }
        ws.register(poll.registry(), Token(0)).unwrap();
        if !ws.is_closed() {
            poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
            events.iter().for_each(|event| ws.handle_event(event));
        }
    }
    assert_eq!(got, [Got::Text("Grüße".into()), Got::Close(1000, String::new())]);
    assert!(ws.is_clean());
    drop(ws);
    assert!(server.join().unwrap().is_empty());
}

#[test]
fn a_connection_that_is_refused_is_an_error_of_the_transport() {
    let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let Err(Error::Io(error)) = open(address) else { panic!("connected to nobody") };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_response_survives_a_client_that_sends_more_than_anybody_reads() {
    let (address, server) = start_server();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    for _ in 0..100 {
        stream.write_all(&[b'x'; 10_000]).unwrap();
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert!(received.starts_with(b"HTTP/1.1 404 ") && received.ends_with(&[b'x'; 100_000]));
    assert!(server.join().unwrap().is_empty());
}

#[test]
fn registration_follows_what_a_connection_waits_for() {
    let request = ClientRequest::new(Uri::parse("ws://example.com/").unwrap());
    let connecting = client(Memory { room: Some(10), ..Memory::default() }, &request);
    assert_eq!(connecting.interest(), Some(Interest::WRITABLE));
    let mut connecting = connecting;
    assert!(!connecting.poll(NOW).unwrap());
    assert_eq!(connecting.interest(), Some(Interest::READABLE | Interest::WRITABLE));
    let accepting = accepting(Memory::default());
    assert_eq!(accepting.interest(), Some(Interest::READABLE));
}
