//! The server's side of the opening handshake, RFC 6455 section 4.2.
#![cfg(feature = "handshake")]
// A panic is how a helper fails.
#![allow(clippy::unwrap_used)]

mod handshake_support;

use core::time::Duration;

use handshake_support::{REQUEST, lines, rx, server, transmitted, tx};
use ws_proto::handshake::{
    AcceptOptions, HandshakeError, HandshakeLimits, HttpFault, OriginPolicy, Response, ServerHandshake,
};
use ws_proto::{Config, Connection, Event, Instant, Message, Outbound, RecvBuf, Role, SendBuf};

/// What becomes of a request that is accepted from everywhere.
fn verdict(request: &str) -> Result<(), HandshakeError> {
    let (complete, handshake, rx) = server(request.as_bytes());
    assert!(complete?, "incomplete: {request:?}");
    handshake.request(&rx).unwrap().validate(OriginPolicy::AllowAnyOrigin)
}

/// The example with one line replaced, or taken out.
fn with(line: &str, replacement: &str) -> String {
    let start = REQUEST.find(line).unwrap();
    let end = start + REQUEST[start..].find("\r\n").unwrap() + 2;
    let replacement = if replacement.is_empty() { String::new() } else { format!("{replacement}\r\n") };
    format!("{}{replacement}{}", &REQUEST[..start], &REQUEST[end..])
}

#[test]
fn section_1_3_the_example_request_is_answered_as_in_the_rfc() {
    let (complete, handshake, rx) = server(REQUEST.as_bytes());
    assert_eq!(complete, Ok(true));
    let request = handshake.request(&rx).unwrap();
    assert_eq!(request.method(), "GET");
    assert_eq!((request.target(), request.path(), request.query()), ("/chat", "/chat", None));
    assert_eq!(request.host(), Some("server.example.com"));
    assert_eq!(request.origin(), Some(&b"http://server.example.com"[..]));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
    assert_eq!(request.headers().count(), 7);
    assert!(request.is_upgrade());

    let mut tx = tx();
    let agreement = request.accept(&AcceptOptions::new().subprotocol("chat"), &mut tx).unwrap();
    assert_eq!(agreement.subprotocol, Some("chat"));
    let response = transmitted(&mut tx);
    assert_eq!(
        lines(&response),
        [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Protocol: chat",
        ]
    );
}

#[test]
fn section_4_2_1_each_demand_on_the_request_has_its_error() {
    use HandshakeError as E;
    let version = |major, minor| E::HttpVersion { major, minor };
    let cases: &[(&str, &str, Result<(), E>, u16)] = &[
        // 1. "An HTTP/1.1 or higher GET request"
        ("GET", "GET /chat HTTP/1.2", Ok(()), 0),
        ("GET", "GET /chat HTTP/1.0", Err(version(1, 0)), 400),
        ("GET", "GET /chat HTTP/2.0", Err(version(2, 0)), 505),
        ("GET", "GET /chat HTTP/0.9", Err(version(0, 9)), 505),
        ("GET", "POST /chat HTTP/1.1", Err(E::MethodNotAllowed), 405),
        ("GET", "get /chat HTTP/1.1", Err(E::MethodNotAllowed), 405),
        ("GET", "GET http://server.example.com/chat?a=b HTTP/1.1", Ok(()), 0),
        ("GET", "GET HTTP://SERVER.example.com:80 HTTP/1.1", Ok(()), 0),
        ("GET", "GET ws://server.example.com/chat HTTP/1.1", Ok(()), 0),
        ("GET", "GET ws://server.example.com:81/chat HTTP/1.1", Err(E::InvalidHost), 400),
        ("GET", "GET wss://server.example.com:444/chat HTTP/1.1", Err(E::InvalidHost), 400),
        ("GET", "GET http://other.example.com/chat HTTP/1.1", Err(E::InvalidHost), 400),
        ("GET", "GET https://server.example.com:444/chat HTTP/1.1", Err(E::InvalidHost), 400),
        ("GET", "GET ftp://server.example.com/chat HTTP/1.1", Err(E::InvalidTarget), 400),
        ("GET", "GET * HTTP/1.1", Err(E::InvalidTarget), 400),
        ("GET", "GET chat HTTP/1.1", Err(E::InvalidTarget), 400),
        ("GET", "GET server.example.com:80 HTTP/1.1", Err(E::InvalidTarget), 400),
        ("GET", "GET /chat#a HTTP/1.1", Err(E::InvalidTarget), 400),
        ("GET", "GET /%4 HTTP/1.1", Err(E::InvalidTarget), 400),
        // 2. "A |Host| header field containing the server's authority."
        ("Host", "", Err(E::InvalidHost), 400),
        ("Host", "Host:", Err(E::InvalidHost), 400),
        ("Host", "Host: a b", Err(E::InvalidHost), 400),
        ("Host", "Host: user@a", Err(E::InvalidHost), 400),
        ("Host", "Host: a/b", Err(E::InvalidHost), 400),
        ("Host", "Host: a:0x50", Err(E::InvalidHost), 400),
        ("Host", "Host: [::1]:8080", Ok(()), 0),
        ("Host", "host:\tA.example:65535 \t", Ok(()), 0),
        ("Host", "Host: a\r\nHost: a", Err(E::RepeatedHeader), 400),
        // 3. "An |Upgrade| header field containing the value "websocket", treated as an ASCII
        // case-insensitive value."
        ("Upgrade", "", Err(E::NotAnUpgrade), 426),
        ("Upgrade", "Upgrade: WebSocket", Ok(()), 0),
        ("Upgrade", "Upgrade: h2c, websocket", Ok(()), 0),
        ("Upgrade", "Upgrade: h2c\r\nUpgrade: websocket", Ok(()), 0),
        ("Upgrade", "Upgrade: websockets", Err(E::NotAnUpgrade), 426),
        ("Upgrade", "Upgrade: websocket/13", Err(E::NotAnUpgrade), 426),
        // U+212A is a capital K to those who fold more than ASCII.
        ("Upgrade", "Upgrade: webso\u{212A}et", Err(E::NotAnUpgrade), 426),
        // 4. "A |Connection| header field that includes the token "Upgrade""
        ("Connection", "", Err(E::MissingConnection), 400),
        ("Connection", "Connection: close", Err(E::MissingConnection), 400),
        ("Connection", "Connection: no-upgrade", Err(E::MissingConnection), 400),
        // 5. "A |Sec-WebSocket-Key| header field with a base64-encoded ... value that, when decoded, is 16
        // bytes in length"
        ("Sec-WebSocket-Key", "", Err(E::InvalidKey), 400),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key:", Err(E::InvalidKey), 400),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: AAAA", Err(E::InvalidKey), 400),
        ("Sec-WebSocket-Key", "SEC-WEBSOCKET-KEY:AQIDBAUGBwgJCgsMDQ4PEC== ", Ok(()), 0),
        // 6. "A |Sec-WebSocket-Version| header field, with a value of 13."
        ("Sec-WebSocket-Version", "", Err(E::UnsupportedVersion), 426),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8", Err(E::UnsupportedVersion), 426),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version: 013", Err(E::UnsupportedVersion), 426),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version: 13.0", Err(E::UnsupportedVersion), 426),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version: +13", Err(E::UnsupportedVersion), 426),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version: 13, 8", Err(E::UnsupportedVersion), 426),
        // 8. Subprotocols
        ("Sec-WebSocket-Protocol", "", Ok(()), 0),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b,,A", Ok(()), 0),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a, b, a", Err(E::InvalidSubprotocol), 400),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a b", Err(E::InvalidSubprotocol), 400),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: \"a\"", Err(E::InvalidSubprotocol), 400),
        // 9. Extensions are ignored, whatever they are, as long as none is asked for.
        ("Origin", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", Ok(()), 0),
        ("Origin", "Sec-WebSocket-Extensions: ;;\"=", Ok(()), 0),
    ];
    for (line, replacement, expected, status) in cases {
        let request = with(line, replacement);
        assert_eq!(verdict(&request), *expected, "{replacement}");
        if let Err(error) = expected {
            assert_eq!(error.status(), *status, "{replacement}");
        }
    }
}

#[test]
fn section_4_2_1_a_connection_field_may_list_upgrade_among_other_tokens() {
    for connection in [
        "Connection: keep-alive, Upgrade",
        "Connection: upgrade,keep-alive",
        "connection: ,\tUPGRADE ,",
        "Connection: keep-alive\r\nConnection: Upgrade",
    ] {
        assert_eq!(verdict(&with("Connection", connection)), Ok(()), "{connection}");
    }
}

#[test]
fn section_4_2_2_without_a_chosen_subprotocol_or_extension_their_headers_are_left_out() {
    let (_, handshake, rx) = server(REQUEST.as_bytes());
    let mut tx = tx();
    let agreement = handshake.request(&rx).unwrap().accept(&AcceptOptions::new(), &mut tx).unwrap();
    assert_eq!(agreement.subprotocol, None);
    assert_eq!(lines(&transmitted(&mut tx)).len(), 4);
}

#[test]
fn section_4_2_2_a_subprotocol_that_the_client_did_not_offer_cannot_be_chosen() {
    let (_, handshake, rx) = server(REQUEST.as_bytes());
    for chosen in ["", "CHAT", "chat, superchat", "cha", "chat\r\nX: y"] {
        let mut tx = tx();
        let options = AcceptOptions::new().subprotocol(chosen);
        let outcome = handshake.request(&rx).unwrap().accept(&options, &mut tx);
        assert_eq!(outcome, Err(HandshakeError::SubprotocolNotAllowed), "{chosen}");
        assert_eq!(tx.buffered_amount(), 0);
    }
}

#[test]
fn section_4_2_2_an_invalid_request_cannot_be_accepted() {
    let (_, handshake, rx) = server(with("Sec-WebSocket-Key", "").as_bytes());
    let mut tx = tx();
    let outcome = handshake.request(&rx).unwrap().accept(&AcceptOptions::new(), &mut tx);
    assert_eq!(outcome, Err(HandshakeError::InvalidKey));
    assert!(tx.is_empty());
}

#[test]
fn section_4_2_2_a_client_frame_behind_the_request_is_not_lost() {
    let mut bytes = REQUEST.as_bytes().to_vec();
    bytes.extend([0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    let (complete, handshake, mut rx) = server(&bytes);
    assert_eq!(complete, Ok(true));
    assert_eq!(rx.unparsed(), &bytes[REQUEST.len()..]);
    let mut tx = tx();
    handshake.request(&rx).unwrap().accept(&AcceptOptions::new(), &mut tx).unwrap();

    let mut connection = Connection::new(Role::Server, Config::default(), Instant::ZERO);
    let Ok(Some(Event::Data(Message::Text("hi")))) = connection.receive(Instant::ZERO, &mut rx) else {
        panic!("no message");
    };
    // What answers it goes behind the 101.
    connection.send(&mut tx, Message::Text("ho")).unwrap();
    let mut output = Vec::new();
    while let Some(mut transmit) = connection.poll_transmit(Instant::ZERO, &mut tx) {
        let n = transmit.slices()[0].len().min(10);
        output.extend_from_slice(&transmit.slices()[0][..n]);
        transmit.advance(n);
    }
    assert!(output.starts_with(b"HTTP/1.1 101 "));
    assert!(output.ends_with(b"\r\n\r\n\x81\x02ho"), "{output:?}");
    assert!(handshake.request(&rx).is_none(), "the buffer is used for something else");
}

#[test]
fn section_4_4_an_unsupported_version_is_answered_with_the_version_that_is_supported() {
    let mut tx = tx();
    HandshakeError::UnsupportedVersion.respond(&mut tx).unwrap();
    assert_eq!(
        lines(&transmitted(&mut tx)),
        [
            "HTTP/1.1 426 Upgrade Required",
            "Connection: close, Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Content-Length: 0",
        ]
    );
}

#[test]
fn section_4_2_2_every_other_error_closes_the_connection_and_says_so() {
    for (error, first, more) in [
        (HandshakeError::Malformed(HttpFault::BareLf), "HTTP/1.1 400 Bad Request", &[][..]),
        (HandshakeError::OriginRefused, "HTTP/1.1 403 Forbidden", &[]),
        (HandshakeError::MethodNotAllowed, "HTTP/1.1 405 Method Not Allowed", &["Allow: GET"]),
        (HandshakeError::Timeout, "HTTP/1.1 408 Request Timeout", &[]),
        (HandshakeError::StartLineTooLong { limit: 1 }, "HTTP/1.1 414 URI Too Long", &[]),
        (HandshakeError::HeadTooLarge { limit: 1 }, "HTTP/1.1 431 Request Header Fields Too Large", &[]),
        (HandshakeError::InvalidHeader, "HTTP/1.1 500 Internal Server Error", &[]),
        (HandshakeError::HttpVersion { major: 3, minor: 0 }, "HTTP/1.1 505 HTTP Version Not Supported", &[]),
    ] {
        let mut tx = tx();
        error.respond(&mut tx).unwrap();
        let mut expected = vec![first, "Connection: close"];
        expected.extend(more);
        expected.push("Content-Length: 0");
        assert_eq!(lines(&transmitted(&mut tx)), expected, "{error}");
    }
}

#[test]
fn section_10_2_an_origin_is_accepted_as_the_policy_says() {
    let same = OriginPolicy::SameOrigin { scheme_is_https: false };
    let same_tls = OriginPolicy::SameOrigin { scheme_is_https: true };
    let list = OriginPolicy::AllowList(&["https://a.example", "http://b.example:80", "null", "app://x"]);
    let any = OriginPolicy::AllowAnyOrigin;
    let cases: &[(OriginPolicy<'_>, &str, &str, bool)] = &[
        (same, "host", "", true),
        (same, "host", "Origin: http://host", true),
        (same, "HOST:80", "Origin: HTTP://host", true),
        (same, "host", "Origin: http://host:80", true),
        (same, "host:8080", "Origin: http://host:8080", true),
        (same, "[::1]:8080", "Origin: http://[::1]:8080", true),
        (same, "host", "Origin: http://host:81", false),
        (same, "host:8080", "Origin: http://host", false),
        (same, "host", "Origin: https://host", false),
        (same, "host", "Origin: ftp://host", false),
        (same, "host", "Origin: ws://host", false),
        (same, "host", "Origin: null", false),
        (same, "host", "Origin:", false),
        (same, "host", "Origin: http://", false),
        (same, "host", "Origin: host", false),
        (same, "host", "Origin: http://host.evil", false),
        (same, "host", "Origin: http://evil.host", false),
        (same, "host", "Origin: http://evil#host", false),
        (same, "host", "Origin: http://host#evil", false),
        (same, "host", "Origin: http://host@evil", false),
        (same, "host", "Origin: http://evil@host", false),
        (same, "host", "Origin: http://host/", false),
        (same, "host", "Origin: http://host/evil", false),
        (same, "host", "Origin: http://host?evil", false),
        (same, "host", "Origin: http://host\\evil", false),
        (same, "host", "Origin: http://host http://evil", false),
        (same, "host", "Origin: http://host, http://evil", false),
        (same, "host", "Origin: http://host\r\nOrigin: http://evil", false),
        (same, "host", "Origin: http://host\r\nOrigin: http://host", false),
        (same_tls, "host", "Origin: https://host", true),
        (same_tls, "host:443", "Origin: https://host", true),
        (same_tls, "host", "Origin: https://host:80", false),
        (same_tls, "host", "Origin: http://host", false),
        (list, "host", "", true),
        (list, "host", "Origin: https://a.example", true),
        (list, "host", "Origin: https://A.example:443", true),
        (list, "host", "Origin: http://b.example", true),
        (list, "host", "Origin: null", true),
        (list, "host", "Origin: app://x", true),
        (list, "host", "Origin: http://a.example", false),
        (list, "host", "Origin: https://a.example.evil", false),
        (list, "host", "Origin: https://a.example/", false),
        (list, "host", "Origin: http://host", false),
        (list, "host", "Origin: NULL", false),
        (any, "host", "Origin: null", true),
        (any, "host", "Origin: http://evil", true),
        (any, "host", "Origin: a\r\nOrigin: b", false),
    ];
    assert_eq!(OriginPolicy::default(), same);
    for (policy, host, origin, allowed) in cases {
        let request =
            with("Origin", origin).replace("server.example.com\r\nUpgrade", &format!("{host}\r\nUpgrade"));
        let (_, handshake, rx) = server(request.as_bytes());
        let request = handshake.request(&rx).unwrap();
        let expected = if *allowed { Ok(()) } else { Err(HandshakeError::OriginRefused) };
        assert_eq!(request.validate(*policy), expected, "{policy:?} {host} {origin:?}");

        let mut tx = tx();
        let accepted = request.accept(&AcceptOptions::new().origins(*policy), &mut tx);
        assert_eq!(accepted.map(|_| ()), expected);
        assert_eq!(tx.is_empty(), !allowed);
    }
    assert_eq!(HandshakeError::OriginRefused.status(), 403);
}

#[test]
fn a_plain_request_can_be_answered_with_a_page() {
    let (complete, handshake, rx) = server(b"GET /a/b?c=d?e HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n");
    assert_eq!(complete, Ok(true));
    let request = handshake.request(&rx).unwrap();
    assert!(!request.is_upgrade());
    assert_eq!((request.path(), request.query()), ("/a/b", Some("c=d?e")));
    assert_eq!(request.header("ACCEPT"), Some(&b"*/*"[..]));
    assert_eq!(request.validate(OriginPolicy::default()), Err(HandshakeError::NotAnUpgrade));
    let mut tx = tx();
    let response = Response::new(200).headers(&[("Content-Type", "text/plain")]).body(b"hello");
    request.respond(&response, &mut tx).unwrap();
    assert_eq!(
        transmitted(&mut tx),
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"
    );
}

#[test]
fn rfc_9110_a_response_has_a_body_only_where_http_allows_one() {
    let respond = |method: &str, response: Response<'_>| {
        let (_, handshake, rx) = server(format!("{method} / HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        let mut tx = tx();
        let outcome = handshake.request(&rx).unwrap().respond(&response, &mut tx);
        outcome.map(|()| transmitted(&mut tx)).inspect_err(|_| assert!(tx.is_empty()))
    };
    // Section 9.3.2: HEAD, "the server MUST NOT send content in the response".
    let head = respond("HEAD", Response::new(404).body(b"abc")).unwrap();
    assert_eq!(head, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 3\r\n\r\n");
    let empty = respond("GET", Response::new(204)).unwrap();
    assert_eq!(empty, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    let unknown = respond("GET", Response::new(599)).unwrap();
    assert_eq!(unknown, "HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    for (status, body) in
        [(204, "a"), (304, "a"), (0, ""), (100, ""), (101, ""), (199, ""), (600, ""), (u16::MAX, "")]
    {
        let outcome = respond("GET", Response::new(status).body(body.as_bytes()));
        assert_eq!(outcome, Err(HandshakeError::InvalidResponse(status)), "{status}");
    }
}

#[test]
fn a_request_cut_anywhere_gives_the_same_result() {
    let mut bytes = REQUEST.as_bytes().to_vec();
    bytes.extend(b"behind");
    for cut in 0..=bytes.len() {
        let mut rx = rx();
        let mut handshake = ServerHandshake::new(HandshakeLimits::default(), Instant::ZERO);
        rx.extend_from_slice(&bytes[..cut]);
        // Once the head is complete, the next read would end what it refers to.
        if cut < REQUEST.len() {
            assert_eq!(handshake.poll_receive(Instant::ZERO, &mut rx), Ok(false));
        }
        rx.extend_from_slice(&bytes[cut..]);
        assert_eq!(handshake.poll_receive(Instant::ZERO, &mut rx), Ok(true));
        assert_eq!(rx.unparsed(), b"behind", "{cut}");
        let Some(request) = handshake.request(&rx) else { panic!("{cut}") };
        assert_eq!(request.headers().count(), 7);
        assert_eq!(request.validate(OriginPolicy::default()), Ok(()));
    }
}

#[test]
fn a_request_byte_by_byte_is_complete_with_its_last_byte() {
    let mut rx = rx();
    let mut handshake = ServerHandshake::new(HandshakeLimits::default(), Instant::ZERO);
    for (n, byte) in REQUEST.bytes().enumerate() {
        assert!(handshake.request(&rx).is_none());
        rx.extend_from_slice(&[byte]);
        let complete = n + 1 == REQUEST.len();
        assert_eq!(handshake.receive(Instant::ZERO, &mut rx).unwrap().is_some(), complete, "{n}");
    }
    assert!(rx.unparsed().is_empty());
    // Asking again changes nothing.
    assert_eq!(handshake.poll_receive(Instant::ZERO, &mut rx), Ok(true));
    assert!(handshake.request(&rx).is_some());
}

#[test]
fn a_buffer_of_exactly_the_size_of_the_request_suffices_and_one_byte_less_does_not() {
    let mut storage = REQUEST.as_bytes().to_vec();
    for (len, expected) in [
        (REQUEST.len(), Ok(true)),
        (REQUEST.len() - 1, Err(HandshakeError::HeadTooLarge { limit: REQUEST.len() - 1 })),
    ] {
        let mut rx = RecvBuf::new(&mut storage[..len]);
        rx.extend_from_slice(&REQUEST.as_bytes()[..len]);
        let mut handshake = ServerHandshake::new(HandshakeLimits::default(), Instant::ZERO);
        assert_eq!(handshake.poll_receive(Instant::ZERO, &mut rx), expected);
    }
}

#[test]
fn the_deadline_is_absolute_and_no_byte_extends_it() {
    let mut rx = rx();
    let mut handshake = ServerHandshake::new(HandshakeLimits::default(), Instant::from_secs(100));
    let deadline = Instant::from_secs(110);
    let (dripping, rest) = REQUEST.as_bytes().split_at(10);
    for (second, &byte) in (100..).zip(dripping) {
        rx.extend_from_slice(&[byte]);
        assert_eq!(handshake.poll_timeout(), Some(deadline));
        handshake.handle_timeout(Instant::from_secs(second));
        assert_eq!(handshake.poll_receive(Instant::from_secs(second), &mut rx), Ok(false), "{second}");
    }
    handshake.handle_timeout(deadline);
    assert_eq!(handshake.poll_timeout(), None);
    // Sticky, even for a clock that runs backwards and with the rest of the request there.
    rx.extend_from_slice(rest);
    assert_eq!(handshake.poll_receive(Instant::ZERO, &mut rx), Err(HandshakeError::Timeout));
    assert_eq!(handshake.receive_eof(), HandshakeError::Timeout);
    assert_eq!(HandshakeError::Timeout.status(), 408);
}

#[test]
fn the_deadline_holds_without_handle_timeout_and_ends_with_the_head() {
    let limits = HandshakeLimits::new().timeout(Some(Duration::from_secs(1)));
    let mut late = ServerHandshake::new(limits, Instant::ZERO);
    let mut buffer = rx();
    buffer.extend_from_slice(REQUEST.as_bytes());
    assert_eq!(late.poll_receive(Instant::from_secs(1), &mut buffer), Err(HandshakeError::Timeout));

    let mut in_time = ServerHandshake::new(limits, Instant::ZERO);
    assert_eq!(in_time.poll_receive(Instant::from_millis(999), &mut buffer), Ok(true));
    assert_eq!(in_time.poll_timeout(), None);
    in_time.handle_timeout(Instant::from_secs(5));
    assert_eq!(in_time.poll_receive(Instant::from_secs(5), &mut buffer), Ok(true));

    let patient = ServerHandshake::new(limits.timeout(None), Instant::ZERO);
    assert_eq!(patient.poll_timeout(), None);
}

#[test]
fn the_end_of_the_transport_is_an_error_before_the_head_is_complete_only() {
    let (_, mut handshake, mut rx) = server(&REQUEST.as_bytes()[..20]);
    assert_eq!(handshake.receive_eof(), HandshakeError::UnexpectedEof);
    assert_eq!(handshake.poll_receive(Instant::ZERO, &mut rx), Err(HandshakeError::UnexpectedEof));

    let (_, mut handshake, mut rx) = server(REQUEST.as_bytes());
    handshake.receive_eof();
    assert_eq!(handshake.poll_receive(Instant::ZERO, &mut rx), Ok(true));
    assert!(handshake.request(&rx).is_some());
}

#[test]
fn a_response_that_does_not_fit_leaves_the_output_as_it_was() {
    let (_, handshake, rx) = server(REQUEST.as_bytes());
    let request = handshake.request(&rx).unwrap();
    let mut whole = tx();
    request.accept(&AcceptOptions::new(), &mut whole).unwrap();
    let len = whole.buffered_amount();
    let mut storage = [0; 4096];
    for room in 0..len {
        let mut tx = SendBuf::new(&mut storage[..room]);
        let outcome = request.accept(&AcceptOptions::new(), &mut tx);
        assert_eq!(outcome, Err(HandshakeError::OutputTooSmall), "{room}");
        assert!(tx.is_empty());
    }
    let mut exact = SendBuf::new(&mut storage[..len]);
    request.accept(&AcceptOptions::new(), &mut exact).unwrap();
    // Full of another head: there is room once that is transmitted.
    assert_eq!(HandshakeError::Timeout.respond(&mut exact), Err(HandshakeError::Full));
    assert_eq!(exact.buffered_amount(), len);
    assert!(transmitted(&mut exact).ends_with("\r\n\r\n"));
    HandshakeError::Timeout.respond(&mut exact).unwrap();

    let mut limited = tx().limit(len - 1);
    assert_eq!(request.accept(&AcceptOptions::new(), &mut limited), Err(HandshakeError::OutputTooSmall));
    assert!(limited.is_empty());
}

#[test]
fn a_head_is_not_queued_among_frames() {
    let mut tx = tx();
    let mut connection = Connection::new(Role::Server, Config::default(), Instant::ZERO);
    connection.send(&mut tx, Message::Text("hi")).unwrap();
    assert_eq!(HandshakeError::Timeout.respond(&mut tx), Err(HandshakeError::Full));
    assert_eq!(tx.buffered_amount(), 4);
}

#[test]
fn a_handshake_is_at_most_128_bytes() {
    assert!(size_of::<ServerHandshake>() <= 128, "{}", size_of::<ServerHandshake>());
}
