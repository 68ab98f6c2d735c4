//! What a hostile peer, or a careless caller, may try in the opening handshake.
#![cfg(feature = "handshake")]
// A panic is how a helper fails.
#![allow(clippy::unwrap_used)]

mod handshake_support;

use core::time::Duration;
use std::time::Instant as StdInstant;

use handshake_support::{NONCE, REQUEST, RESPONSE, Tx, rx, server, transmitted, tx};
use proptest::prelude::*;
use ws_proto::handshake::{
    AcceptOptions, ClientHandshake, ClientRequest, HandshakeError, HandshakeLimits, HttpFault, OriginPolicy,
    Response, ServerHandshake, Uri,
};
use ws_proto::{Instant, Outbound, RecvBuf};

/// Feeds single bytes until an error or a complete head, and says how many that took.
fn drip(mut bytes: impl Iterator<Item = u8>, side: Side) -> (usize, Result<bool, HandshakeError>) {
    let mut rx = rx();
    let mut side = side;
    for n in 1.. {
        let Some(byte) = bytes.next() else { return (n - 1, Ok(false)) };
        rx.extend_from_slice(&[byte]);
        match side.poll(&mut rx) {
            Ok(false) => {}
            outcome => {
                assert_eq!(side.poll(&mut rx), outcome, "sticky");
                return (n, outcome);
            }
        }
    }
    unreachable!()
}

/// One of the two sides.
enum Side {
    Client(ClientHandshake),
    Server(ServerHandshake),
}

impl Side {
    fn both(limits: HandshakeLimits) -> [(Self, &'static str); 2] {
        let request = ClientRequest::new(Uri::parse("ws://a").unwrap());
        let client = ClientHandshake::start(&request, NONCE, limits, Instant::ZERO, &mut tx()).unwrap();
        let server = ServerHandshake::new(limits, Instant::ZERO);
        [(Self::Client(client), "HTTP/1.1 101 "), (Self::Server(server), "GET / HTTP/1.1")]
    }

    fn poll<const N: usize>(&mut self, rx: &mut RecvBuf<[u8; N]>) -> Result<bool, HandshakeError> {
        match self {
            Self::Client(client) => client.poll_receive(Instant::ZERO, rx),
            Self::Server(server) => server.poll_receive(Instant::ZERO, rx),
        }
    }
}

#[test]
fn an_endless_header_is_refused_at_16_kib_on_both_sides() {
    for (side, first) in Side::both(HandshakeLimits::default()) {
        let head = format!("{first}\r\nX: ");
        let endless = head.bytes().chain(core::iter::repeat_n(b'a', 64 << 20));
        let (n, outcome) = drip(endless, side);
        assert_eq!(outcome, Err(HandshakeError::HeadTooLarge { limit: 16 << 10 }));
        assert_eq!(n, (16 << 10) + 1);
    }
    assert_eq!(HandshakeError::HeadTooLarge { limit: 0 }.status(), 431);
}

#[test]
fn a_head_of_exactly_16_kib_is_accepted_on_both_sides() {
    for (surplus, expected) in [(0, Ok(true)), (1, Err(HandshakeError::HeadTooLarge { limit: 16 << 10 }))] {
        for (side, first) in Side::both(HandshakeLimits::default()) {
            let mut head = format!("{first}\r\nX: ");
            head.push_str(&"a".repeat((16 << 10) - head.len() - 4 + surplus));
            head.push_str("\r\n\r\n");
            assert_eq!(drip(head.bytes(), side), ((16 << 10) + surplus, expected));
        }
    }
}

#[test]
fn interim_responses_are_on_account_of_the_same_limit() {
    let [(client, _), _] = Side::both(HandshakeLimits::default());
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".bytes().cycle().take(1 << 16);
    let (n, outcome) = drip(interim, client);
    assert_eq!((n, outcome), ((16 << 10) + 1, Err(HandshakeError::HeadTooLarge { limit: 16 << 10 })));
}

#[test]
fn ten_thousand_headers_are_refused_at_the_101st_on_both_sides() {
    for (side, first) in Side::both(HandshakeLimits::default()) {
        let head = format!("{first}\r\n{}\r\n", "a:\r\n".repeat(10_000));
        let (n, outcome) = drip(head.bytes(), side);
        assert_eq!(outcome, Err(HandshakeError::TooManyFields { limit: 100 }));
        assert_eq!(n, first.len() + 2 + 100 * 4 + 1, "at its first byte");
    }
    for (side, first) in Side::both(HandshakeLimits::default().max_fields(1000)) {
        let head = format!("{first}\r\n{}\r\n", "a:\r\n".repeat(100));
        assert_eq!(drip(head.bytes(), side), (head.len(), Ok(true)));
    }
    for (side, first) in Side::both(HandshakeLimits::default().max_fields(0)) {
        let head = format!("{first}\r\na:\r\n\r\n");
        assert_eq!(drip(head.bytes(), side).1, Err(HandshakeError::TooManyFields { limit: 0 }));
    }
    assert_eq!(HandshakeError::TooManyFields { limit: 0 }.status(), 431);
}

#[test]
fn a_first_line_of_8193_bytes_is_refused_on_both_sides() {
    for (line, expected) in [(8192, None), (8193, Some(HandshakeError::StartLineTooLong { limit: 8192 }))] {
        for (side, first) in Side::both(HandshakeLimits::default()) {
            let filler = "a".repeat(line - first.len());
            let head = match side {
                Side::Client(_) => format!("{first}{filler}\r\n\r\n"),
                Side::Server(_) => format!("GET /{filler} HTTP/1.1\r\n\r\n"),
            };
            let (n, outcome) = drip(head.bytes(), side);
            match expected {
                None => assert_eq!((n, outcome), (head.len(), Ok(true))),
                Some(error) => assert_eq!((n, outcome), (8193, Err(error))),
            }
        }
    }
    assert_eq!(HandshakeError::StartLineTooLong { limit: 0 }.status(), 414);
}

#[test]
fn rfc_9112_a_violation_is_noticed_at_its_byte() {
    use HttpFault as F;
    let cases: &[(&str, u8, F)] = &[
        ("", b'\r', F::StartLine),
        ("", b'\n', F::StartLine),
        ("", b' ', F::StartLine),
        ("", b'(', F::StartLine),
        // TLS on a plain port.
        ("", 0x16, F::StartLine),
        ("", 0x80, F::StartLine),
        ("GET", b'\n', F::BareLf),
        ("GET /", 0, F::ControlCharacter),
        ("GET /", 0x7f, F::ControlCharacter),
        ("GET /", b'\t', F::ControlCharacter),
        ("GET /", 0x80, F::StartLine),
        ("GET / HTTP/1.1", b'\n', F::BareLf),
        ("GET / HTTP/1.1\r", b'\r', F::BareCr),
        ("GET / HTTP/1.1\r", b'a', F::BareCr),
        ("GET / HTTP/1.1\r\n", b' ', F::Folded),
        ("GET / HTTP/1.1\r\n", b'\t', F::Folded),
        ("GET / HTTP/1.1\r\n", b'\n', F::BareLf),
        ("GET / HTTP/1.1\r\n", b':', F::FieldName),
        ("GET / HTTP/1.1\r\n", 0, F::ControlCharacter),
        ("GET / HTTP/1.1\r\n\r", b'a', F::BareCr),
        ("GET / HTTP/1.1\r\nHost", b' ', F::SpaceBeforeColon),
        ("GET / HTTP/1.1\r\nHost", b'\t', F::SpaceBeforeColon),
        ("GET / HTTP/1.1\r\nHost", b'\r', F::FieldName),
        ("GET / HTTP/1.1\r\nHost", b'\n', F::BareLf),
        ("GET / HTTP/1.1\r\nHost", b'(', F::FieldName),
        ("GET / HTTP/1.1\r\nHost", 0xc3, F::FieldName),
        ("GET / HTTP/1.1\r\nHost", 0x1f, F::ControlCharacter),
        ("GET / HTTP/1.1\r\nHost: a", b'\n', F::BareLf),
        ("GET / HTTP/1.1\r\nHost: a", 0, F::ControlCharacter),
        ("GET / HTTP/1.1\r\nHost: a", 0x0b, F::ControlCharacter),
        ("GET / HTTP/1.1\r\nHost: a", 0x7f, F::ControlCharacter),
        ("GET / HTTP/1.1\r\nHost: a\r", b' ', F::BareCr),
        ("GET / HTTP/1.1\r\nHost: a\r", b'\r', F::BareCr),
        ("GET / HTTP/1.1\r\nHost: a\r\n", b' ', F::Folded),
        ("GET / HTTP/1.1\r\nHost: a\r\n", b'\t', F::Folded),
        // Only with the head complete, for the line is short.
        ("GET /\r\n\r", b'\n', F::StartLine),
        ("GET / HTTP/1.1 \r\n\r", b'\n', F::StartLine),
        ("GET  / HTTP/1.1\r\n\r", b'\n', F::StartLine),
        ("GET / / HTTP/1.1\r\n\r", b'\n', F::StartLine),
        ("GET / HTTP/1.10\r\n\r", b'\n', F::StartLine),
        ("GET / http/1.1\r\n\r", b'\n', F::StartLine),
        ("GET / HTTP/1,1\r\n\r", b'\n', F::StartLine),
        ("G(T / HTTP/1.1\r\n\r", b'\n', F::StartLine),
    ];
    for (prefix, byte, fault) in cases {
        assert_eq!(server(prefix.as_bytes()).0, Ok(false), "{prefix:?}");
        let bytes = [prefix.as_bytes(), &[*byte], b" and what follows it does not matter\r\n\r\n"].concat();
        let expected = HandshakeError::Malformed(*fault);
        assert_eq!(server(&bytes[..=prefix.len()]).0, Err(expected), "{prefix:?} {byte:#x}");
        assert_eq!(server(&bytes).0, Err(expected), "{prefix:?} {byte:#x}");
        assert_eq!(expected.status(), 400);
    }
}

#[test]
fn section_4_2_1_an_upgrade_that_could_smuggle_is_refused_with_400() {
    use HandshakeError as E;
    let insert = |line: &str| REQUEST.replacen("\r\n", &format!("\r\n{line}\r\n"), 1);
    for (line, expected) in [
        ("Content-Length: 0", None),
        ("Content-Length: 5", Some(E::Body)),
        ("content-length: 00", Some(E::Body)),
        ("Content-Length: +0", Some(E::Body)),
        ("Content-Length: -1", Some(E::Body)),
        ("Content-Length: 0, 0", Some(E::Body)),
        ("Content-Length:", Some(E::Body)),
        ("Content-Length: 0\r\nContent-Length: 5", Some(E::Body)),
        ("Content-Length: 5\r\nContent-Length: 0", Some(E::Body)),
        ("Transfer-Encoding: chunked", Some(E::Body)),
        ("TRANSFER-ENCODING: identity", Some(E::Body)),
        ("Transfer-Encoding:", Some(E::Body)),
        ("Host: server.example.com", Some(E::RepeatedHeader)),
        ("Host: evil", Some(E::RepeatedHeader)),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", Some(E::RepeatedHeader)),
        ("Sec-WebSocket-Version: 13", Some(E::RepeatedHeader)),
        ("sec-websocket-version: 8", Some(E::RepeatedHeader)),
        ("Host : evil", Some(E::Malformed(HttpFault::SpaceBeforeColon))),
        ("Content-Length\t: 5", Some(E::Malformed(HttpFault::SpaceBeforeColon))),
        ("X: a\r\n Transfer-Encoding: chunked", Some(E::Malformed(HttpFault::Folded))),
        (" X: a", Some(E::Malformed(HttpFault::Folded))),
        ("X: a\nTransfer-Encoding: chunked", Some(E::Malformed(HttpFault::BareLf))),
        ("X: a\n\nGET / HTTP/1.1", Some(E::Malformed(HttpFault::BareLf))),
        ("X: a\rTransfer-Encoding: chunked", Some(E::Malformed(HttpFault::BareCr))),
    ] {
        let (complete, handshake, rx) = server(insert(line).as_bytes());
        let outcome =
            complete.and_then(|_| handshake.request(&rx).unwrap().validate(OriginPolicy::default()));
        assert_eq!(outcome, expected.map_or(Ok(()), Err), "{line:?}");
        if let Some(error) = expected {
            assert_eq!(error.status(), 400);
            let mut tx = tx();
            error.respond(&mut tx).unwrap();
            let response = transmitted(&mut tx);
            assert!(response.starts_with("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"), "{response}");
        }
    }
}

#[test]
fn pathological_values_are_refused_or_ignored_in_a_moment() {
    let fill = |before: &str, unit: &str, after: &str| {
        let room = (16 << 10) - REQUEST.len() - before.len() - after.len() - 4;
        let value = format!("{before}{}{after}", unit.repeat(room / unit.len()));
        REQUEST.replacen("\r\n", &format!("\r\n{value}\r\n"), 1)
    };
    let many_tokens: String = (0..3000).map(|n| format!("a{n},")).collect();
    let refused = Err(HandshakeError::InvalidSubprotocol);
    for (request, expected) in [
        (fill("Sec-WebSocket-Protocol: b", " ", "x"), refused),
        (fill("Sec-WebSocket-Protocol: b", "\t", "x"), refused),
        (fill("Sec-WebSocket-Protocol: ", ",", ""), Ok(())),
        (fill("Sec-WebSocket-Protocol: ", " , ", ""), Ok(())),
        (fill("Sec-WebSocket-Protocol: ", "a,", ""), refused),
        (fill("Sec-WebSocket-Protocol: ", "a", ""), Ok(())),
        (REQUEST.replace("chat, superchat", &many_tokens[..12_000]), refused),
        (fill("Sec-WebSocket-Extensions: a; b=\"", "\\c", "\""), Ok(())),
        (fill("Sec-WebSocket-Extensions: ", "a,", "a"), Ok(())),
        (fill("Sec-WebSocket-Extensions: ", ";", ""), Ok(())),
        (fill("Connection: ", "upgrad, ", ""), Ok(())),
        (fill("Connection: a", " ", "b"), Ok(())),
        (fill("Upgrade: ", "websocke,", ""), Ok(())),
        (fill("Upgrade: a", "/", ""), Ok(())),
        (fill("X: ", " ", ""), Ok(())),
        (fill("", "a", ":"), Ok(())),
    ] {
        assert!(request.len() <= 16 << 10);
        let (complete, handshake, rx) = server(request.as_bytes());
        assert_eq!(complete, Ok(true));
        let head = handshake.request(&rx).unwrap();
        assert_eq!(head.validate(OriginPolicy::default()), expected, "{}", &request[..100]);

        // The best of some runs, so that a busy machine does not matter; without optimisation it is slower.
        let run = || {
            let begin = StdInstant::now();
            let (_, handshake, rx) = server(request.as_bytes());
            let request = handshake.request(&rx).unwrap();
            let _ = request.validate(OriginPolicy::default());
            begin.elapsed()
        };
        let limit = Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 1 });
        let best = (0..20).map(|_| run()).min().unwrap();
        assert!(best < limit, "{best:?} for {}", &request[..100]);
    }
}

/// Looks at all there is to a request.
fn look_at(request: &ws_proto::handshake::Request<'_>) {
    let _ = (request.method(), request.target(), request.path(), request.query(), request.host());
    let _ = (request.origin(), request.is_upgrade(), request.subprotocols().count());
    let _ = (request.headers().count(), request.header("x"), format!("{request:?}"));
    for policy in
        [OriginPolicy::default(), OriginPolicy::AllowAnyOrigin, OriginPolicy::AllowList(&["a", "http://a"])]
    {
        let mut tx: Tx = tx();
        let valid = request.validate(policy);
        let accepted = request.accept(&AcceptOptions::new().origins(policy), &mut tx);
        assert_eq!(valid, accepted.map(|_| ()));
        assert_eq!(tx.is_empty(), valid.is_err());
    }
}

#[test]
fn every_byte_at_every_position_of_a_request_is_refused_or_understood() {
    for at in 0..REQUEST.len() {
        for byte in 0..=255 {
            let mut bytes = REQUEST.as_bytes().to_vec();
            bytes[at] = byte;
            let mut rx = RecvBuf::new([0; 512]);
            rx.extend_from_slice(&bytes);
            let mut handshake = ServerHandshake::new(HandshakeLimits::default(), Instant::ZERO);
            match handshake.receive(Instant::ZERO, &mut rx) {
                Ok(Some(request)) => look_at(&request),
                Ok(None) => {}
                Err(error) => assert!(matches!(error.status(), 400 | 431), "{error}"),
            }
        }
    }
}

#[test]
fn every_byte_at_every_position_of_a_response_is_refused_or_understood() {
    let request = ClientRequest::new(Uri::parse("ws://a").unwrap());
    let limits = HandshakeLimits::default();
    for at in 0..RESPONSE.len() {
        for byte in 0..=255 {
            let mut bytes = RESPONSE.as_bytes().to_vec();
            let original = core::mem::replace(&mut bytes[at], byte);
            let mut rx = RecvBuf::new([0; 512]);
            rx.extend_from_slice(&bytes);
            let mut client =
                ClientHandshake::start(&request, NONCE, limits, Instant::ZERO, &mut tx()).unwrap();
            let Ok(true) = client.poll_receive(Instant::ZERO, &mut rx) else { continue };
            let _ = format!("{:?}", client.response(&rx));
            let outcome = client.finish(&request, &rx);
            // Nothing of the answer to the key may differ.
            let accept = RESPONSE.find("s3pPLMBi").unwrap();
            if byte != original && (accept..accept + 28).contains(&at) {
                assert_eq!(outcome, Err(HandshakeError::InvalidAccept), "{at} {byte:#x}");
            }
        }
    }
}

/// All that must not be sent, in all places of a text.
fn injections(text: &str) -> Vec<String> {
    let mut injected = Vec::new();
    let controls = (0..0x20).chain([0x7f]).filter(|&byte| byte != b'\t').map(char::from);
    for bad in controls.chain(['\u{80}', 'é', '\u{212A}', '\u{10FFFF}']) {
        for at in [0, text.len() / 2, text.len()] {
            injected.push(format!("{}{bad}{}", &text[..at], &text[at..]));
            injected.push(format!("{}\r\n{bad}{}", &text[..at], &text[at..]));
        }
    }
    injected
}

#[test]
fn section_4_1_nothing_can_be_injected_into_a_request() {
    let start = |request: ClientRequest<'_>| {
        let mut tx = tx();
        let outcome =
            ClientHandshake::start(&request, NONCE, HandshakeLimits::default(), Instant::ZERO, &mut tx);
        assert_eq!(tx.buffered_amount(), 0);
        outcome.map(|_| ()).unwrap_err()
    };
    for bad in ["ws://a", "ws://a.example:8080/b?c", "wss://[::1]/"].into_iter().flat_map(injections) {
        assert!(matches!(Uri::parse(&bad), Err(HandshakeError::InvalidUri(_))), "{bad:?}");
    }
    let base = ClientRequest::new(Uri::parse("ws://a").unwrap());
    for bad in injections("abcd") {
        assert_eq!(start(base.headers(&[("X", "y"), (&bad, "a")])), HandshakeError::InvalidHeader, "{bad:?}");
        assert_eq!(start(base.headers(&[("X", "y"), ("a", &bad)])), HandshakeError::InvalidHeader, "{bad:?}");
        assert_eq!(start(base.origin(&bad)), HandshakeError::InvalidHeader, "{bad:?}");
        assert_eq!(start(base.subprotocols(&["x", &bad])), HandshakeError::SubprotocolNotAllowed, "{bad:?}");
    }
}

#[test]
fn section_4_2_2_nothing_can_be_injected_into_a_response() {
    let (_, handshake, rx) = server(REQUEST.as_bytes());
    let request = handshake.request(&rx).unwrap();
    let accept = |options: AcceptOptions<'_>| {
        let mut tx = tx();
        let outcome = request.accept(&options, &mut tx);
        assert!(tx.is_empty());
        outcome.unwrap_err()
    };
    let respond = |headers: &[(&str, &str)]| {
        let mut tx = tx();
        let outcome = request.respond(&Response::new(200).headers(headers), &mut tx);
        assert!(tx.is_empty());
        outcome.unwrap_err()
    };
    for bad in injections("chat") {
        for headers in [[("X", "y"), (&*bad, "a")], [("X", "y"), ("a", &*bad)]] {
            assert_eq!(
                accept(AcceptOptions::new().headers(&headers)),
                HandshakeError::InvalidHeader,
                "{bad:?}"
            );
            assert_eq!(respond(&headers), HandshakeError::InvalidHeader, "{bad:?}");
        }
        let options = AcceptOptions::new().subprotocol(&bad);
        assert_eq!(accept(options), HandshakeError::SubprotocolNotAllowed, "{bad:?}");
    }
    for name in ["connection", "Upgrade", "Content-Length", "Transfer-Encoding", "Sec-WebSocket-Accept"] {
        let headers = [(name, "a")];
        assert_eq!(accept(AcceptOptions::new().headers(&headers)), HandshakeError::ReservedHeader, "{name}");
        assert_eq!(respond(&headers), HandshakeError::ReservedHeader, "{name}");
    }
}

/// A message with some bytes replaced, inserted and removed.
fn mutated(original: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\r\n :,;=\"/\t\0aA1".to_vec())];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, byte), 0..6);
    edits.prop_map(move |edits| {
        let mut bytes = original.as_bytes().to_vec();
        for (index, kind, byte) in edits {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes.insert(at, byte),
                1 => drop(bytes.remove(at)),
                2 => bytes.extend_from_within(at..),
                _ => bytes[at] = byte,
            }
        }
        bytes
    })
}

/// What one side makes of bytes that arrive in pieces: the outcome, and what stays behind the head.
fn fed(side: &mut Side, pieces: &[&[u8]]) -> (Result<bool, HandshakeError>, Vec<u8>) {
    let mut rx = RecvBuf::new([0; 8192]);
    let mut outcome = side.poll(&mut rx);
    for piece in pieces {
        if outcome == Ok(false) {
            rx.extend_from_slice(piece);
            outcome = side.poll(&mut rx);
        } else if outcome == Ok(true) {
            rx.extend_from_slice(piece);
        }
    }
    let behind = if outcome == Ok(true) { rx.unparsed().to_vec() } else { Vec::new() };
    (outcome, behind)
}

proptest! {
    #[test]
    fn a_mutated_head_has_the_same_verdict_however_it_is_cut(
        request in mutated(REQUEST),
        response in mutated(RESPONSE),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        for (n, bytes) in [response, request].iter().enumerate() {
            let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces: Vec<_> = at.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let singly: Vec<_> = bytes.chunks(1).collect();
            let feed = |pieces: &[&[u8]]| fed(&mut Side::both(HandshakeLimits::default())[n].0, pieces);
            let whole = feed(&[bytes]);
            prop_assert_eq!(&feed(&pieces), &whole);
            prop_assert_eq!(&feed(&singly), &whole);
        }
    }

    #[test]
    fn what_is_accepted_is_what_httparse_reads(bytes in mutated(REQUEST)) {
        let (outcome, handshake, rx) = server(&bytes);
        if outcome != Ok(true) {
            return Ok(());
        }
        let request = handshake.request(&rx).unwrap();
        look_at(&request);
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut other = httparse::Request::new(&mut fields);
        // It knows no other versions.
        if let Err(httparse::Error::Version) = other.parse(&bytes) {
            return Ok(());
        }
        let head = bytes.len() - rx.unparsed().len();
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut other = httparse::Request::new(&mut fields);
        prop_assert_eq!(other.parse(&bytes), Ok(httparse::Status::Complete(head)));
        prop_assert_eq!(other.method, Some(request.method()));
        prop_assert_eq!(other.path, Some(request.target()));
        let ours: Vec<_> = request.headers().collect();
        let theirs: Vec<_> = other.headers.iter().map(|field| (field.name, field.value)).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn arbitrary_text_as_a_uri_never_panics(
        text in "(ws|wss)?(://)?\\PC*",
        tail in "[a-z0-9:/?#@%\\[\\].]*",
    ) {
        for uri in [text.clone(), format!("ws://{tail}"), format!("{text}{tail}")] {
            let Ok(uri) = Uri::parse(&uri) else { continue };
            let again = format!("ws://{}{}", uri.host_header(), uri.resource());
            let again = Uri::parse(&again).unwrap();
            prop_assert_eq!((again.host(), again.path()), (uri.host(), uri.path()));
        }
    }
}

#[cfg(feature = "alloc")]
#[test]
fn buffers_that_grow_hold_no_more_than_twice_the_limit() {
    let mut rx = RecvBuf::default();
    let mut handshake = ServerHandshake::new(HandshakeLimits::default(), Instant::ZERO);
    let endless = "GET / HTTP/1.1\r\nX: ".bytes().chain(core::iter::repeat(b'a'));
    for byte in endless.take(1 << 20) {
        rx.extend_from_slice(&[byte]);
        if handshake.poll_receive(Instant::ZERO, &mut rx).is_err() {
            break;
        }
    }
    assert!(rx.capacity() <= 32 << 10, "{}", rx.capacity());
}

#[cfg(feature = "alloc")]
#[test]
fn a_queue_of_owned_payloads_takes_a_head_whole_or_not_at_all() {
    let (_, handshake, rx) = server(REQUEST.as_bytes());
    let request = handshake.request(&rx).unwrap();
    let mut expected = tx();
    request.accept(&AcceptOptions::new(), &mut expected).unwrap();
    let expected = transmitted(&mut expected);

    let mut queue = ws_proto::SendQueue::<Vec<u8>>::new();
    request.accept(&AcceptOptions::new(), &mut queue).unwrap();
    assert_eq!(transmitted(&mut queue), expected);
    for limit in 0..expected.len() {
        let mut queue = ws_proto::SendQueue::<Vec<u8>>::new().limit(limit);
        let outcome = request.accept(&AcceptOptions::new(), &mut queue);
        assert_eq!(outcome, Err(HandshakeError::OutputTooSmall), "{limit}");
        assert_eq!(queue.buffered_amount(), 0);
        assert_eq!(transmitted(&mut queue), "");
    }
    // What waited before is neither lost nor changed.
    let mut queue = ws_proto::SendQueue::<Vec<u8>>::new().limit(expected.len() + 10);
    request.accept(&AcceptOptions::new(), &mut queue).unwrap();
    assert_eq!(request.accept(&AcceptOptions::new(), &mut queue), Err(HandshakeError::Full));
    assert_eq!(transmitted(&mut queue), expected);
}

#[cfg(feature = "alloc")]
#[test]
fn a_pong_goes_out_behind_a_head_of_which_a_part_is_transmitted_from_a_queue_too() {
    let (_, handshake, rx) = server(REQUEST.as_bytes());
    let request = handshake.request(&rx).unwrap();
    let mut queue = ws_proto::SendQueue::<Vec<u8>>::new();
    request.accept(&AcceptOptions::new(), &mut queue).unwrap();
    let now = Instant::ZERO;
    let mut conn = ws_proto::Connection::new(ws_proto::Role::Server, ws_proto::Config::default(), now);
    conn.send(&mut queue, ws_proto::Message::Text("hi")).unwrap();
    let mut sent = Vec::new();
    while let Some(mut transmit) = conn.poll_transmit(now, &mut queue) {
        sent.push(transmit.slices()[0][0]);
        transmit.advance(1);
        if sent.len() == 10 {
            conn.pong(b"").unwrap();
        }
    }
    let mut expected = tx();
    request.accept(&AcceptOptions::new(), &mut expected).unwrap();
    let expected = [transmitted(&mut expected).as_bytes(), &[0x8A, 0, 0x81, 2][..], b"hi"].concat();
    assert!(sent == expected, "{}", String::from_utf8_lossy(&sent));
}
