//! The client's side of the opening handshake, RFC 6455 sections 3 and 4.1.
#![cfg(feature = "handshake")]
// A panic is how a helper fails.
#![allow(clippy::unwrap_used)]

mod handshake_support;

use handshake_support::{NONCE, RESPONSE, Rx, lines, rx, transmitted, tx};
use ws_proto::handshake::{
    AcceptOptions, ClientHandshake, ClientRequest, HandshakeError, HandshakeLimits, HttpFault, Response, Uri,
    UriError,
};
use ws_proto::{Config, Connection, Event, Instant, MaskKeys, Message, Role, SendBuf};

fn request(uri: &str) -> ClientRequest<'_> {
    ClientRequest::new(Uri::parse(uri).unwrap())
}

fn start(request: &ClientRequest<'_>) -> (ClientHandshake, String) {
    let mut tx = tx();
    let limits = HandshakeLimits::default();
    let handshake = ClientHandshake::start(request, NONCE, limits, Instant::ZERO, &mut tx).unwrap();
    (handshake, transmitted(&mut tx))
}

/// A client that received `bytes`.
fn client(request: &ClientRequest<'_>, bytes: &[u8]) -> (Result<bool, HandshakeError>, ClientHandshake, Rx) {
    let (mut handshake, _) = start(request);
    let mut rx = rx();
    rx.extend_from_slice(bytes);
    let outcome = handshake.poll_receive(Instant::ZERO, &mut rx);
    (outcome, handshake, rx)
}

/// What a client says to a response: the subprotocol or the error.
fn verdict(request: &ClientRequest<'_>, response: &str) -> Result<Option<String>, HandshakeError> {
    let (complete, handshake, rx) = client(request, response.as_bytes());
    assert!(complete?, "incomplete: {response:?}");
    handshake.finish(request, &rx).map(|agreement| agreement.subprotocol.map(String::from))
}

/// The example with one line replaced, or taken out.
fn with(line: &str, replacement: &str) -> String {
    let start = RESPONSE.find(&format!("\n{line}")).map_or(0, |at| at + 1);
    let end = start + RESPONSE[start..].find("\r\n").unwrap() + 2;
    let replacement = if replacement.is_empty() { String::new() } else { format!("{replacement}\r\n") };
    format!("{}{replacement}{}", &RESPONSE[..start], &RESPONSE[end..])
}

#[test]
fn section_1_3_the_example_handshake_succeeds() {
    let request = request("ws://server.example.com/chat")
        .subprotocols(&["chat", "superchat"])
        .origin("http://example.com")
        .headers(&[("Cookie", "a=b")]);
    let (_, sent) = start(&request);
    assert_eq!(
        lines(&sent),
        [
            "GET /chat HTTP/1.1",
            "Host: server.example.com",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            "Origin: http://example.com",
            "Sec-WebSocket-Protocol: chat, superchat",
            "Cookie: a=b",
        ]
    );
    let response =
        with("Sec", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat");
    assert_eq!(verdict(&request, &response), Ok(Some("chat".into())));
}

#[test]
fn section_4_1_the_request_has_the_resource_and_the_host_of_the_uri() {
    for (uri, line, host) in [
        ("ws://a", "GET / HTTP/1.1", "Host: a"),
        ("ws://a/", "GET / HTTP/1.1", "Host: a"),
        ("ws://a?", "GET / HTTP/1.1", "Host: a"),
        ("ws://a?b", "GET /?b HTTP/1.1", "Host: a"),
        ("ws://a/?", "GET / HTTP/1.1", "Host: a"),
        ("ws://a/b?c=/?d", "GET /b?c=/?d HTTP/1.1", "Host: a"),
        ("WS://A.example/%20;x=(1)", "GET /%20;x=(1) HTTP/1.1", "Host: A.example"),
        ("ws://a:80/", "GET / HTTP/1.1", "Host: a"),
        ("ws://a:/", "GET / HTTP/1.1", "Host: a"),
        ("ws://a:443/", "GET / HTTP/1.1", "Host: a:443"),
        ("wss://a:443/", "GET / HTTP/1.1", "Host: a"),
        ("wss://a:80/", "GET / HTTP/1.1", "Host: a:80"),
        ("http://a:8080//b", "GET //b HTTP/1.1", "Host: a:8080"),
        ("https://a", "GET / HTTP/1.1", "Host: a"),
        ("ws://[::1]", "GET / HTTP/1.1", "Host: [::1]"),
        ("ws://[2001:db8::1]:8080/x", "GET /x HTTP/1.1", "Host: [2001:db8::1]:8080"),
        ("ws://127.0.0.1:9/x@y:z", "GET /x@y:z HTTP/1.1", "Host: 127.0.0.1:9"),
    ] {
        let (_, sent) = start(&request(uri));
        assert_eq!(lines(&sent)[..2], [line, host], "{uri}");
    }
}

#[test]
fn section_3_a_uri_is_taken_apart() {
    let parts = |uri: &'static str| {
        let uri = Uri::parse(uri).unwrap();
        (uri.is_secure(), uri.host(), uri.port(), uri.path(), uri.query())
    };
    assert_eq!(parts("ws://a"), (false, "a", 80, "/", None));
    assert_eq!(parts("wss://a"), (true, "a", 443, "/", None));
    assert_eq!(parts("Https://[::ffff:1.2.3.4]:065535/?"), (true, "::ffff:1.2.3.4", 65535, "/", Some("")));
    assert_eq!(parts("http://a-b_c.~%41:1/b?c?d"), (false, "a-b_c.~%41", 1, "/b", Some("c?d")));
}

#[test]
fn section_3_an_invalid_uri_is_refused_with_the_reason() {
    for (uri, reason) in [
        ("", UriError::Scheme),
        ("a", UriError::Scheme),
        ("//a", UriError::Scheme),
        ("ws:a", UriError::Scheme),
        ("ws:/a", UriError::Scheme),
        ("://a", UriError::Scheme),
        ("ftp://a", UriError::Scheme),
        ("wsss://a", UriError::Scheme),
        ("ws://a#b", UriError::Fragment),
        ("ws://a/#", UriError::Fragment),
        ("ws://a?b#c", UriError::Fragment),
        ("ws://", UriError::Host),
        ("ws:///a", UriError::Host),
        ("ws://?a", UriError::Host),
        ("ws://:80", UriError::Host),
        ("ws://[::1", UriError::Host),
        ("ws://::1", UriError::Host),
        ("ws://[]", UriError::Host),
        ("ws://[a]", UriError::Host),
        ("ws://[1.2.3.4]", UriError::Host),
        ("ws://[::1%25eth0]", UriError::Host),
        ("ws://[::1]80", UriError::Host),
        ("ws://a[::1]", UriError::Host),
        ("ws://a\\b", UriError::Host),
        ("ws://a%4", UriError::Host),
        ("ws://a|b", UriError::Host),
        ("ws://a:0", UriError::Port),
        ("ws://a:65536", UriError::Port),
        ("ws://a:99999999999999999999", UriError::Port),
        ("ws://a:+80", UriError::Port),
        ("ws://a:8a", UriError::Port),
        ("ws://a:80:80", UriError::Port),
        ("ws://[::1]:x", UriError::Port),
        ("ws://u@a", UriError::UserInfo),
        ("ws://u:p@a", UriError::UserInfo),
        ("ws://@a", UriError::UserInfo),
        (" ws://a", UriError::InvalidCharacter),
        ("ws://a ", UriError::InvalidCharacter),
        ("ws://a/b c", UriError::InvalidCharacter),
        ("ws://a/\r\nX: y", UriError::InvalidCharacter),
        ("ws://a/\0", UriError::InvalidCharacter),
        ("ws://a/\u{7f}", UriError::InvalidCharacter),
        ("ws://a/ä", UriError::InvalidCharacter),
        ("ws://ä", UriError::InvalidCharacter),
        ("ws://a/%", UriError::InvalidCharacter),
        ("ws://a/%4", UriError::InvalidCharacter),
        ("ws://a/%4g", UriError::InvalidCharacter),
        ("ws://a/\\", UriError::InvalidCharacter),
        ("ws://a/[b]", UriError::InvalidCharacter),
        ("ws://a/?\"<>`{|}^", UriError::InvalidCharacter),
    ] {
        assert_eq!(Uri::parse(uri), Err(HandshakeError::InvalidUri(reason)), "{uri}");
    }
}

#[test]
fn section_4_1_each_demand_on_the_response_has_its_error() {
    use HandshakeError as E;
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let cases: &[(&str, &str, Result<(), E>)] = &[
        ("HTTP", "HTTP/1.1 101", Ok(())),
        ("HTTP", "HTTP/1.1 101 ", Ok(())),
        ("HTTP", "HTTP/1.1 101 \u{e4}\t!", Ok(())),
        ("HTTP", "HTTP/1.0 101 x", Err(E::HttpVersion { major: 1, minor: 0 })),
        ("HTTP", "HTTP/2.0 101 x", Err(E::HttpVersion { major: 2, minor: 0 })),
        // 1. "If the status code received from the server is not 101, the client handles the response per
        // HTTP"
        ("HTTP", "HTTP/1.1 200 OK", Err(E::Rejected { status: 200 })),
        ("HTTP", "HTTP/1.0 404 Not Found", Err(E::Rejected { status: 404 })),
        ("HTTP", "HTTP/1.1 999 x", Err(E::Rejected { status: 999 })),
        ("HTTP", "HTTP/1.1 1010 x", Err(E::Malformed(HttpFault::StartLine))),
        ("HTTP", "HTTP/1.1 001 x", Err(E::Malformed(HttpFault::StartLine))),
        ("HTTP", "HTTP/1.1  101 x", Err(E::Malformed(HttpFault::StartLine))),
        ("HTTP", "HTTP/1.1\t101 x", Err(E::Malformed(HttpFault::StartLine))),
        ("HTTP", "http/1.1 101 x", Err(E::Malformed(HttpFault::StartLine))),
        ("HTTP", "HTTP/11 101 x", Err(E::Malformed(HttpFault::StartLine))),
        // 2. "an ASCII case-insensitive match for the value "websocket""
        ("Upgrade", "", Err(E::NotAnUpgrade)),
        ("Upgrade", "upgrade: WEBSOCKET", Ok(())),
        ("Upgrade", "Upgrade: h2c", Err(E::NotAnUpgrade)),
        // 3. "a token that is an ASCII case-insensitive match for the value "Upgrade""
        ("Connection", "", Err(E::MissingConnection)),
        ("Connection", "Connection: close", Err(E::MissingConnection)),
        ("Connection", "Connection: keep-alive , upgrade", Ok(())),
        ("Connection", "Connection: keep-alive\r\nConnection: upgrade", Ok(())),
        // 4. Sec-WebSocket-Accept, "ignoring any leading and trailing whitespace"
        ("Sec", "", Err(E::InvalidAccept)),
        ("Sec", "Sec-WebSocket-Accept:", Err(E::InvalidAccept)),
        ("Sec", "Sec-WebSocket-Accept:  \t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t", Ok(())),
        ("Sec", "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", Err(E::InvalidAccept)),
        ("Sec", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo", Err(E::InvalidAccept)),
        ("Sec", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, a", Err(E::InvalidAccept)),
        ("Sec", "Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==", Err(E::InvalidAccept)),
        ("Sec", &format!("{accept}\r\n{accept}"), Err(E::InvalidAccept)),
        // 5. "the use of an extension that was not present in the client's handshake"
        (
            "Sec",
            &format!("{accept}\r\nSec-WebSocket-Extensions: permessage-deflate"),
            Err(E::UnexpectedExtension),
        ),
        ("Sec", &format!("{accept}\r\nSec-WebSocket-Extensions: ,;"), Err(E::UnexpectedExtension)),
        ("Sec", &format!("{accept}\r\nSec-WebSocket-Extensions:"), Ok(())),
        // 6. "the use of a subprotocol that was not present in the client's handshake"
        ("Sec", &format!("{accept}\r\nSec-WebSocket-Protocol: chat"), Err(E::UnexpectedSubprotocol)),
        ("Sec", &format!("{accept}\r\nSec-WebSocket-Protocol:"), Err(E::UnexpectedSubprotocol)),
    ];
    let request = request("ws://a");
    for (line, replacement, expected) in cases {
        let outcome = verdict(&request, &with(line, replacement));
        assert_eq!(outcome, expected.map(|()| None), "{replacement}");
    }
}

#[test]
fn section_4_1_exactly_one_of_the_subprotocols_offered_may_be_chosen() {
    let request = request("ws://a").subprotocols(&["chat.v1", "chat.v2"]);
    let respond = |headers: &str| with("Upgrade", &format!("Upgrade: websocket{headers}"));
    let header = "\r\nSec-WebSocket-Protocol: ";
    assert_eq!(verdict(&request, &respond("")), Ok(None));
    assert_eq!(verdict(&request, &respond(&format!("{header}chat.v2 "))), Ok(Some("chat.v2".into())));
    for wrong in
        ["", "Chat.v1", "chat.v1, chat.v2", "chat.v1,", "chat", "chat.v1\r\nSec-WebSocket-Protocol: chat.v1"]
    {
        let outcome = verdict(&request, &respond(&format!("{header}{wrong}")));
        assert_eq!(outcome, Err(HandshakeError::UnexpectedSubprotocol), "{wrong}");
    }
    let strict = request.require_subprotocol(true);
    assert_eq!(verdict(&strict, &respond("")), Err(HandshakeError::MissingSubprotocol));
    assert_eq!(verdict(&strict, &respond(&format!("{header}chat.v1"))), Ok(Some("chat.v1".into())));
    // There is nothing to choose from.
    assert_eq!(verdict(&strict.subprotocols(&[]), &respond("")), Ok(None));
}

#[test]
fn section_4_1_a_refusal_can_be_looked_at_with_the_beginning_of_its_body() {
    let request = request("ws://a");
    let bytes = b"HTTP/1.1 401 Who are you?\r\nWWW-Authenticate: Basic\r\nContent-Length: 100\r\n\r\nbody";
    let (complete, handshake, rx) = client(&request, bytes);
    assert_eq!(complete, Ok(true));
    assert_eq!(handshake.finish(&request, &rx), Err(HandshakeError::Rejected { status: 401 }));
    let response = handshake.response(&rx).unwrap();
    assert_eq!((response.status(), response.reason()), (401, "Who are you?"));
    assert_eq!(response.header("www-authenticate"), Some(&b"Basic"[..]));
    assert_eq!(response.headers().count(), 2);
    assert_eq!(response.body_prefix(), b"body");
}

#[test]
fn rfc_9110_section_15_2_interim_responses_before_the_final_one_are_passed_over() {
    let request = request("ws://a");
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let bytes = format!("{interim}{RESPONSE}behind");
    for cut in 0..interim.len() + RESPONSE.len() {
        let (complete, mut handshake, mut rx) = client(&request, &bytes.as_bytes()[..cut]);
        assert_eq!(complete, Ok(false));
        rx.extend_from_slice(&bytes.as_bytes()[cut..]);
        assert_eq!(handshake.poll_receive(Instant::ZERO, &mut rx), Ok(true), "{cut}");
        handshake.finish(&request, &rx).unwrap();
        assert_eq!(handshake.response(&rx).unwrap().body_prefix(), b"behind");
    }
}

#[test]
fn section_4_1_before_the_response_is_complete_there_is_no_outcome() {
    let request = request("ws://a");
    for cut in 0..RESPONSE.len() {
        let (complete, handshake, mut rx) = client(&request, &RESPONSE.as_bytes()[..cut]);
        assert_eq!(complete, Ok(false));
        assert!(handshake.response(&rx).is_none());
        assert_eq!(handshake.finish(&request, &rx), Err(HandshakeError::Incomplete));

        let mut handshake = handshake;
        rx.extend_from_slice(&RESPONSE.as_bytes()[cut..]);
        assert_eq!(handshake.poll_receive(Instant::ZERO, &mut rx), Ok(true), "{cut}");
        handshake.finish(&request, &rx).unwrap();
    }
}

#[test]
fn section_4_2_2_a_frame_behind_the_response_is_not_lost() {
    let request = request("ws://a");
    let mut bytes = RESPONSE.as_bytes().to_vec();
    bytes.extend(b"\x81\x02hi");
    let (_, handshake, mut rx) = client(&request, &bytes);
    handshake.finish(&request, &rx).unwrap();
    assert_eq!(rx.unparsed(), b"\x81\x02hi");
    let keys = MaskKeys::from_seed([7; 32]);
    let mut connection = Connection::new(Role::Client(keys), Config::default(), Instant::ZERO);
    let Ok(Some(Event::Data(Message::Text("hi")))) = connection.receive(Instant::ZERO, &mut rx) else {
        panic!("no message");
    };
    assert_eq!(handshake.finish(&request, &rx), Err(HandshakeError::Incomplete));
}

#[test]
fn section_4_1_what_the_caller_supplies_is_checked_before_a_byte_is_queued() {
    use HandshakeError as E;
    let base = request("ws://a");
    let header = |name: &'static str, value: &'static str| {
        // Leaked: a test may.
        base.headers(Box::leak(Box::new([("X-Fine", "fine"), (name, value)])))
    };
    let mut cases = vec![
        (base.subprotocols(&["a", "b", "a"]), E::SubprotocolNotAllowed),
        (base.subprotocols(&["a", ""]), E::SubprotocolNotAllowed),
        (base.subprotocols(&["a,b"]), E::SubprotocolNotAllowed),
        (base.subprotocols(&["a b"]), E::SubprotocolNotAllowed),
        (base.origin(""), E::InvalidHeader),
        (header("", "a"), E::InvalidHeader),
        (header("a b", "a"), E::InvalidHeader),
        (header("a:", "a"), E::InvalidHeader),
    ];
    for name in [
        "Host",
        "host",
        "Origin",
        "Upgrade",
        "CONNECTION",
        "Content-Length",
        "Transfer-Encoding",
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Accept",
    ] {
        cases.push((header(name, "a"), E::ReservedHeader));
    }
    for (request, expected) in cases {
        let mut tx = tx();
        let outcome =
            ClientHandshake::start(&request, NONCE, HandshakeLimits::default(), Instant::ZERO, &mut tx);
        assert_eq!(outcome.map(|_| ()), Err(expected), "{request:?}");
        assert!(tx.is_empty());
    }
    // Empty values and tabs are fine, and so are names that only begin alike.
    start(&base.headers(&[("X", ""), ("Y", "a\tb"), ("Sec-WebSocket", "a"), ("Hosts", "b")]));
}

#[test]
fn a_request_that_does_not_fit_is_taken_back_whole() {
    let request = request("ws://example.com/").headers(&[("X", "y")]);
    let (_, sent) = start(&request);
    let mut storage = [0; 512];
    for room in 0..=sent.len() {
        let mut tx = SendBuf::new(&mut storage[..room]);
        let outcome =
            ClientHandshake::start(&request, NONCE, HandshakeLimits::default(), Instant::ZERO, &mut tx);
        if room < sent.len() {
            assert_eq!(outcome.map(|_| ()), Err(HandshakeError::OutputTooSmall), "{room}");
            assert!(tx.is_empty());
        } else {
            outcome.unwrap();
            assert_eq!(transmitted(&mut tx), sent);
        }
    }
}

#[test]
fn the_deadline_is_absolute_and_the_end_of_the_transport_an_error() {
    let request = request("ws://a");
    let (mut handshake, _) = start(&request);
    let mut rx = rx();
    assert_eq!(handshake.poll_timeout(), Some(Instant::from_secs(10)));
    rx.extend_from_slice(&RESPONSE.as_bytes()[..50]);
    assert_eq!(handshake.poll_receive(Instant::from_secs(9), &mut rx), Ok(false));
    assert_eq!(handshake.poll_timeout(), Some(Instant::from_secs(10)));
    let mut ended = handshake.clone();
    handshake.handle_timeout(Instant::from_secs(10));
    rx.extend_from_slice(&RESPONSE.as_bytes()[50..]);
    assert_eq!(handshake.poll_receive(Instant::from_secs(9), &mut rx), Err(HandshakeError::Timeout));
    assert_eq!(handshake.poll_timeout(), None);

    assert_eq!(ended.receive_eof(), HandshakeError::UnexpectedEof);
    assert_eq!(ended.poll_receive(Instant::ZERO, &mut rx), Err(HandshakeError::UnexpectedEof));
    assert!(size_of::<ClientHandshake>() <= 160, "{}", size_of::<ClientHandshake>());
}

#[test]
fn what_is_often_secret_is_in_no_debug_output() {
    let headers = [("Authorization", "Bearer secret")];
    let request = request("ws://a/path?token=secret").headers(&headers);
    let options = AcceptOptions::new().headers(&headers);
    let response = Response::new(401).headers(&headers).body(b"secret");
    for text in [format!("{request:?}"), format!("{options:?}"), format!("{response:?}")] {
        assert!(
            text.contains("Authorization") && !text.contains("secret") && !text.contains("115"),
            "{text}"
        );
    }
    assert!(format!("{request:?}").contains("/path"));
}
