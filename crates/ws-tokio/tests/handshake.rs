//! The opening handshake over tokio: who chooses, who refuses and with what, and that no byte behind it is lost.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpListener;
use tokio::time::timeout;
use ws_proto::handshake::{
    AcceptOptions, ClientRequest, HandshakeError, HandshakeLimits, OriginPolicy, Response, Uri,
};
use ws_proto::{CloseCode, Config, MaskKeys, Role};
use ws_tokio::{Error, IncomingRequest, Message, WebSocket, accept, connect, connect_over, receive_request};

use support::transport::Choppy;
use support::{TEXT, echo, frame, masked, quiet, read_frame, recv_data};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A request that is right, but for the changes.
fn request(change: impl Fn(String) -> String) -> String {
    change(format!(
        "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{KEY}\
         Sec-WebSocket-Version: 13\r\n\r\n"
    ))
}

fn with_header(header: &str) -> String {
    request(|request| request.replace(KEY, &format!("{KEY}{header}\r\n")))
}

async fn incoming(request: &str) -> (DuplexStream, Result<IncomingRequest<DuplexStream>, Error>) {
    let (mut raw, io) = tokio::io::duplex(32 << 10);
    raw.write_all(request.as_bytes()).await.unwrap();
    raw.shutdown().await.unwrap();
    (raw, receive_request(io, HandshakeLimits::default()).await)
}

/// What a server with the defaults answers, and what it tells its caller.
async fn answer(request: &str) -> (String, Option<Error>) {
    let (mut raw, io) = tokio::io::duplex(32 << 10);
    raw.write_all(request.as_bytes()).await.unwrap();
    raw.shutdown().await.unwrap();
    let error = accept(io, quiet()).await.err();
    let mut response = String::new();
    raw.read_to_string(&mut response).await.unwrap();
    (response, error)
}

#[tokio::test]
async fn the_caller_sees_the_request() {
    let request = "GET /chat/room?name=x&y HTTP/1.1\r\nHost: example.com:8080\r\nUpgrade: websocket\r\n\
        Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: b, a\r\nAuthorization: Bearer \u{e9}\r\n\r\n";
    let (_raw, incoming) = incoming(request).await;
    let incoming = incoming.unwrap();
    let request = incoming.request().unwrap();
    assert_eq!((request.method(), request.path(), request.query()), ("GET", "/chat/room", Some("name=x&y")));
    assert_eq!(request.host(), Some("example.com:8080"));
    assert_eq!(request.header("authorization"), Some("Bearer \u{e9}".as_bytes()));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["b", "a"]);
    assert!(request.is_upgrade());
    assert_eq!(request.headers().count(), 7);
    assert_eq!(request.origin(), None);
}

#[tokio::test]
async fn both_sides_see_the_subprotocol_and_the_headers_of_the_other() {
    let (here, there) = tokio::io::duplex(4096);
    let serving = tokio::spawn(async move {
        let incoming = receive_request(there, HandshakeLimits::default()).await.unwrap();
        let request = incoming.request().unwrap();
        assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat.v2", "chat.v1"]);
        assert_eq!(request.header("Authorization"), Some(&b"Bearer abc"[..]));
        assert_eq!(request.origin(), Some(&b"http://localhost:81"[..]));
        assert_eq!(request.host(), Some("localhost:81"));
        let options = AcceptOptions::new()
            .subprotocol("chat.v1")
            .headers(&[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]);
        let mut ws = incoming.accept(&options, quiet()).await.unwrap();
        echo(&mut ws).await
    });
    let request = ClientRequest::new(Uri::parse("ws://localhost:81/").unwrap())
        .subprotocols(&["chat.v2", "chat.v1"])
        .headers(&[("Authorization", "Bearer abc")])
        .origin("http://localhost:81")
        .require_subprotocol(true);
    let (mut ws, accepted) = connect_over(here, &request, HandshakeLimits::default(), quiet()).await.unwrap();
    assert_eq!(accepted.subprotocol.as_deref(), Some("chat.v1"));
    let cookies: Vec<_> = accepted.headers.iter().filter(|(name, _)| name == "Set-Cookie").collect();
    assert!(matches!(&cookies[..], [(_, a), (_, b)] if a == b"a=1" && b == b"b=2"));
    ws.close(CloseCode::NORMAL, "").await.unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_subprotocol_that_was_not_offered_is_a_mistake_that_both_sides_see() {
    let (mut raw, incoming) = incoming(&with_header("Sec-WebSocket-Protocol: a")).await;
    let error = incoming.unwrap().accept(&AcceptOptions::new().subprotocol("b"), quiet()).await.unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::SubprotocolNotAllowed)));
    let mut response = String::new();
    raw.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 500 "), "{response}");
}

#[tokio::test]
async fn any_other_response_reaches_the_client_with_status_headers_and_body() {
    let responses = [
        Response::new(200).headers(&[("Content-Type", "text/html")]).body(b"<p>hello"),
        Response::new(401).headers(&[("WWW-Authenticate", "Bearer")]).body(b"who are you?"),
        Response::new(302).headers(&[("Location", "ws://elsewhere.example/")]),
    ];
    for response in responses {
        let (here, there) = tokio::io::duplex(4096);
        let request = ClientRequest::new(Uri::parse("ws://localhost/").unwrap());
        let serving = async {
            let incoming = receive_request(there, HandshakeLimits::default()).await.unwrap();
            incoming.respond(&response).await.unwrap();
        };
        let connecting = connect_over(here, &request, HandshakeLimits::default(), quiet());
        let (connected, ()) = tokio::join!(connecting, serving);
        let Err(Error::Rejected(rejection)) = connected.map(|_| ()) else { panic!("not rejected") };
        assert_eq!(rejection.status, response.status);
        assert_eq!(rejection.body_prefix, response.body);
        for (name, value) in response.headers {
            assert!(rejection.headers.contains(&((*name).to_owned(), value.as_bytes().to_vec())), "{name}");
        }
    }
}

#[tokio::test]
async fn a_page_reaches_a_browser_over_tcp_although_it_has_sent_more_than_its_request() {
    let (mut raw, io) = support::tcp_pair().await;
    let page = vec![b'x'; 3 << 20];
    raw.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    raw.write_all(&[0; 10_000]).await.unwrap();
    let serving = async {
        let incoming = receive_request(io, HandshakeLimits::default()).await.unwrap();
        incoming.respond(&Response::new(200).body(&page)).await.unwrap();
    };
    let reading = async {
        let mut response = Vec::new();
        raw.read_to_end(&mut response).await.unwrap();
        drop(raw);
        response
    };
    let ((), response) =
        timeout(Duration::from_secs(5), async { tokio::join!(serving, reading) }).await.unwrap();
    assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n") && response.ends_with(&page));
}

#[tokio::test]
async fn a_response_that_cannot_be_sent_is_a_mistake_that_both_sides_see() {
    let bad = [
        Response::new(101),
        Response::new(204).body(b"body"),
        Response::new(200).headers(&[("X", "a\r\nInjected: yes")]),
        Response::new(200).headers(&[("Connection", "keep-alive")]),
    ];
    for response in bad {
        let (mut raw, incoming) = incoming("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let error = incoming.unwrap().respond(&response).await.unwrap_err();
        assert!(matches!(error, Error::Handshake(_)), "{error:?}");
        let mut seen = String::new();
        raw.read_to_string(&mut seen).await.unwrap();
        assert!(seen.starts_with("HTTP/1.1 500 ") && !seen.contains("Injected"), "{seen}");
    }
}

#[tokio::test]
async fn a_request_that_is_wrong_gets_its_status_and_no_more() {
    let long = "x".repeat(9000);
    let many = "X: y\r\n".repeat(101);
    let cases = [
        (request(|r| r.replace("Upgrade: websocket\r\n", "")), 426),
        (request(|r| r.replace("Version: 13", "Version: 8")), 426),
        (request(|r| r.replace("Connection: Upgrade\r\n", "")), 400),
        (request(|r| r.replace(KEY, "")), 400),
        (request(|r| r.replace(KEY, &format!("{KEY}{KEY}"))), 400),
        (request(|r| r.replace(KEY, "Sec-WebSocket-Key: short\r\n")), 400),
        (request(|r| r.replace("Host: example.com\r\n", "")), 400),
        (request(|r| r.replace("HTTP/1.1", "HTTP/1.0")), 400),
        (request(|r| r.replace("HTTP/1.1", "HTTP/2.0")), 505),
        (request(|r| r.replace("GET", "POST")), 405),
        (request(|r| r.replace("Host:", "Host :")), 400),
        (request(|r| r.replace("\r\n", "\n")), 400),
        (with_header("Content-Length: 5"), 400),
        (with_header("Origin: http://evil.example"), 403),
        (with_header("Origin: null"), 403),
        (with_header("Origin: http://example.com:81"), 403),
        (request(|r| r.replace("/chat", &format!("/{long}"))), 414),
        (with_header(&format!("X: {long}{long}")), 431),
        (with_header(many.trim_end()), 431),
        ("\u{16}\u{3}\u{1}\u{2}".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: half".to_owned(), 400),
        (String::new(), 400),
    ];
    for (request, status) in cases {
        let (response, error) = timeout(Duration::from_secs(5), answer(&request)).await.unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {response:?}");
        assert!(response.contains("\r\nConnection: close") && response.ends_with("\r\n\r\n"), "{response:?}");
        let Some(Error::Handshake(error)) = error else { panic!("{request:?}: {error:?}") };
        assert_eq!(error.status(), status);
    }
}

#[tokio::test]
async fn scripts_of_other_origins_are_refused_unless_allowed() {
    let cases = [
        ("Origin: http://example.com", OriginPolicy::default(), true),
        ("Origin: http://EXAMPLE.com:80", OriginPolicy::default(), true),
        ("X: no origin at all", OriginPolicy::default(), true),
        ("Origin: https://example.com", OriginPolicy::default(), false),
        ("Origin: https://example.com", OriginPolicy::SameOrigin { scheme_is_https: true }, true),
        ("Origin: http://evil.example", OriginPolicy::default(), false),
        ("Origin: http://evil.example", OriginPolicy::AllowAnyOrigin, true),
        ("Origin: http://friend.example", OriginPolicy::AllowList(&["http://friend.example"]), true),
        ("Origin: http://evil.example", OriginPolicy::AllowList(&["http://friend.example"]), false),
    ];
    for (header, origins, is_accepted) in cases {
        let (_raw, incoming) = incoming(&with_header(header)).await;
        let result = incoming.unwrap().accept(&AcceptOptions::new().origins(origins), quiet()).await;
        match result {
            Ok(_) => assert!(is_accepted, "{header} {origins:?}"),
            Err(Error::Handshake(HandshakeError::OriginRefused)) => {
                assert!(!is_accepted, "{header} {origins:?}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn bytes_behind_the_request_are_not_lost() {
    for step in [1, 7, 1000] {
        let (mut raw, io) = tokio::io::duplex(1024);
        let mut bytes = request(|request| request).into_bytes();
        bytes.extend(masked(TEXT, b"early"));
        bytes.extend(masked(TEXT, b"bird"));
        raw.write_all(&bytes).await.unwrap();
        let mut ws = accept(Choppy::new(io, step), quiet()).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("early")));
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("bird")));
    }
}

#[tokio::test]
async fn bytes_behind_the_response_are_not_lost() {
    for step in [1, 7, 1000] {
        let (here, there) = tokio::io::duplex(1024);
        let serving = tokio::spawn(async move {
            let incoming = receive_request(there, HandshakeLimits::default()).await.unwrap();
            let mut ws = incoming.accept(&AcceptOptions::new(), quiet()).await.unwrap();
            // Leaves in one piece with nothing in between, as the client does not read before.
            ws.send(Message::text("early")).await.unwrap();
            ws.send(Message::text("bird")).await.unwrap();
            ws
        });
        let request = ClientRequest::new(Uri::parse("ws://localhost/").unwrap());
        let io = Choppy::new(here, step);
        let (mut ws, _) = connect_over(io, &request, HandshakeLimits::default(), quiet()).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("early")));
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("bird")));
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_upgraded_elsewhere_begins_with_what_is_left_over() {
    let (mut raw, io) = tokio::io::duplex(1024);
    // A message, and the beginning of another.
    let bytes = [masked(TEXT, b"one"), masked(TEXT, b"two")].concat();
    let mut ws = WebSocket::from_upgraded(io, Role::Server, quiet(), &bytes[..12]);
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("one")));
    raw.write_all(&bytes[12..]).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("two")));

    let (mut raw, io) = tokio::io::duplex(1024);
    let role = Role::Client(MaskKeys::from_seed([1; 32]));
    let large = vec![5; 100_000];
    let mut ws = WebSocket::from_upgraded(io, role, quiet(), &frame(0x82, &large));
    assert_eq!(ws.recv().await.unwrap(), Some(Message::binary(large)));
    ws.send(Message::text("back")).await.unwrap();
    assert_eq!(read_frame(&mut raw).await.unwrap(), Some((TEXT, b"back".to_vec())));
}

/// The head that a client sends.
async fn head_for(url: &str) -> String {
    let (mut raw, io) = tokio::io::duplex(4096);
    let request = ClientRequest::new(Uri::parse(url).unwrap());
    let (result, head) =
        tokio::join!(connect_over(io, &request, HandshakeLimits::default(), quiet()), async {
            let mut head = vec![0; 4096];
            let n = raw.read(&mut head).await.unwrap();
            drop(raw);
            String::from_utf8(head[..n].to_vec()).unwrap()
        });
    assert!(matches!(result.map(|_| ()), Err(Error::Handshake(HandshakeError::UnexpectedEof))));
    head
}

#[tokio::test]
async fn the_request_names_the_resource_and_the_host_without_its_default_port() {
    let cases = [
        ("ws://example.com", "/", "example.com"),
        ("ws://example.com/chat?a=b", "/chat?a=b", "example.com"),
        ("ws://example.com?a=b", "/?a=b", "example.com"),
        ("ws://example.com:80/", "/", "example.com"),
        ("ws://example.com:8080/", "/", "example.com:8080"),
        ("ws://[::1]/", "/", "[::1]"),
        ("ws://[::1]:8080/", "/", "[::1]:8080"),
        ("wss://example.com:443/", "/", "example.com"),
        ("wss://example.com:80/", "/", "example.com:80"),
    ];
    for (url, resource, host) in cases {
        let head = head_for(url).await;
        assert!(head.starts_with(&format!("GET {resource} HTTP/1.1\r\nHost: {host}\r\n")), "{url}: {head}");
        assert!(!head.contains("Origin:"), "{head}");
    }
}

#[tokio::test]
async fn the_nonce_is_another_one_each_time() {
    let key =
        |head: String| head.lines().find(|line| line.starts_with("Sec-WebSocket-Key")).unwrap().to_owned();
    assert_ne!(key(head_for("ws://a/").await), key(head_for("ws://a/").await));
}

#[tokio::test]
async fn a_name_and_an_ipv6_address_can_be_connected_to() {
    for (bind, host) in [("127.0.0.1:0", "localhost"), ("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]")] {
        let Ok(listener) = TcpListener::bind(bind).await else {
            println!("skipped {bind}: this machine has no such address");
            continue;
        };
        let url = format!("ws://{host}:{}/", listener.local_addr().unwrap().port());
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut ws = accept(stream, Config::default()).await?;
            echo(&mut ws).await
        });
        let mut ws = connect(&url, Config::default()).await.unwrap();
        assert!(ws.get_ref().nodelay().unwrap());
        ws.send(Message::text(host)).await.unwrap();
        assert_eq!(recv_data(&mut ws).await.unwrap(), Some(Message::text(host)));
        ws.close(CloseCode::NORMAL, "").await.unwrap();
        serving.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn urls_that_cannot_be_connected_to_are_refused_before_anything_is_sent() {
    let error = connect("wss://localhost:1/", Config::default()).await.unwrap_err();
    assert!(matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::Unsupported), "{error:?}");
    assert!(error.to_string().contains("TLS"), "{error}");
    for url in [
        "ftp://localhost/",
        "localhost",
        "ws://",
        "ws://localhost/#fragment",
        "ws://user@localhost/",
        "ws://a b/",
    ] {
        let error = connect(url, Config::default()).await.unwrap_err();
        assert!(matches!(error, Error::Handshake(HandshakeError::InvalidUri(_))), "{url}: {error:?}");
    }
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = connect(&format!("ws://{free}/"), Config::default()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_sends_nothing() {
    let uri = Uri::parse("ws://localhost/").unwrap();
    let bad = [
        ClientRequest::new(uri).headers(&[("X", "a\r\nInjected: yes")]),
        ClientRequest::new(uri).headers(&[("X Y", "a")]),
        ClientRequest::new(uri).headers(&[("Sec-WebSocket-Key", "mine")]),
        ClientRequest::new(uri).headers(&[("host", "elsewhere")]),
        ClientRequest::new(uri).subprotocols(&["a", "a"]),
        ClientRequest::new(uri).subprotocols(&["not a token"]),
        ClientRequest::new(uri).origin("http://a\r\n"),
    ];
    for request in bad {
        let (mut raw, io) = tokio::io::duplex(1024);
        let error =
            connect_over(io, &request, HandshakeLimits::default(), quiet()).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Handshake(_)), "{error:?}");
        let mut sent = Vec::new();
        raw.read_to_end(&mut sent).await.unwrap();
        assert!(sent.is_empty(), "{request:?}");
    }
}

#[tokio::test]
async fn a_response_that_is_wrong_fails_the_handshake() {
    let request = ClientRequest::new(Uri::parse("ws://localhost/").unwrap());
    let cases = [
        // The key is random, so this answer is to another question.
        (RESPONSE.to_owned(), HandshakeError::InvalidAccept),
        (RESPONSE.replace("Upgrade: websocket\r\n", ""), HandshakeError::NotAnUpgrade),
        (RESPONSE.replace("Connection: Upgrade\r\n", ""), HandshakeError::MissingConnection),
        ("HTTP/1.1 101 Switching".to_owned(), HandshakeError::UnexpectedEof),
    ];
    for (response, expected) in cases {
        let (mut raw, io) = tokio::io::duplex(4096);
        raw.write_all(response.as_bytes()).await.unwrap();
        raw.shutdown().await.unwrap();
        let result = connect_over(io, &request, HandshakeLimits::default(), quiet()).await.map(|_| ());
        assert!(
            matches!(&result, Err(Error::Handshake(error)) if *error == expected),
            "{response}: {result:?}"
        );
    }
    // And what is no WebSocket server at all.
    let (mut raw, io) = tokio::io::duplex(4096);
    raw.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await.unwrap();
    let result = connect_over(io, &request, HandshakeLimits::default(), quiet()).await.map(|_| ());
    assert!(matches!(&result, Err(Error::Handshake(HandshakeError::Malformed(_)))), "{result:?}");
}
