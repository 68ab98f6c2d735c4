//! The opening handshake of both roles, and the two of them together.
//!
//! Input: an option byte (0 and 1: what is done, 0 a server receives, 1 a client receives, 2 and 3 both talk to each
//! other; 2: any origin is allowed; 3: small limits; 4: fixed storage). Then
//!
//! * for a server or a client: a count and that many cuts, and what arrives;
//! * for both: what their callers want to say, each a length and a text: URI, origin, two subprotocols, two headers for
//!   each side; then a status, two bytes, and a body.

use ws_proto::handshake::{
    AcceptOptions, ClientHandshake, ClientRequest, HandshakeError, HandshakeLimits, OriginPolicy, Response,
    ServerHandshake, Uri, poll_transmit,
};
use ws_proto::{Instant, RecvBuf, SendBuf, Storage};

use crate::input::{Cuts, Input, bit};

const NONCE: [u8; 16] = *b"the sample nonce";
/// The key that the nonce makes, and what answers it: those of RFC 6455 section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// What the client of the second kind offers.
const OFFERED: [&str; 2] = ["chat", "superchat"];
/// The size of fixed storage.
const STORAGE: usize = 700;

/// One run of a handshake: what came of it, what is to be sent, and what is left for the connection.
#[derive(Debug, Eq, PartialEq)]
struct Outcome {
    verdict: Result<Option<String>, HandshakeError>,
    output: Vec<u8>,
    rest: Vec<u8>,
}

/// Does what the option byte says.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let options = input.byte();
    match options & 3 {
        kind @ (0 | 1) => {
            let cuts = input.counted();
            let bytes = input.rest();
            let any_origin = bit(options, 2);
            let mut limits = HandshakeLimits::default();
            if bit(options, 3) {
                limits = limits.max_head_size(300).max_request_line(60).max_fields(8);
            }
            let one = |cuts: &[u8]| {
                if bit(options, 4) {
                    receive(kind == 1, any_origin, limits, cuts, bytes, [0; STORAGE])
                } else {
                    receive(kind == 1, any_origin, limits, cuts, bytes, Vec::new())
                }
            };
            let whole = one(&[]);
            assert_eq!(whole, one(&[1]), "byte by byte it is something else");
            assert_eq!(whole, one(cuts), "the cuts make a difference");
            if whole.verdict == Ok(None) {
                let limit = if bit(options, 3) { 300 } else { 16 << 10 };
                assert!(bytes.len() <= limit, "{} bytes and no end", bytes.len());
            }
        }
        _ => converse(&mut input),
    }
}

/// Receives a head in these pieces, and answers it if it is a request.
fn receive<S: Storage>(
    client: bool,
    any_origin: bool,
    limits: HandshakeLimits,
    cuts: &[u8],
    bytes: &[u8],
    storage: S,
) -> Outcome {
    let mut rx = RecvBuf::new(storage);
    let mut tx = SendBuf::new([0; 1024]);
    let request =
        ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap()).subprotocols(&OFFERED);
    let mut server = ServerHandshake::new(limits, Instant::ZERO);
    let started = ClientHandshake::start(&request, NONCE, limits, Instant::ZERO, &mut tx);
    let mut as_client = started.expect("a valid request");
    drain(&mut tx);
    let mut cuts = Cuts::new(cuts);
    let mut rest = bytes;
    let mut poll = |rx: &mut RecvBuf<S>| {
        if client {
            as_client.poll_receive(Instant::ZERO, rx)
        } else {
            server.poll_receive(Instant::ZERO, rx)
        }
    };
    let complete = loop {
        match poll(&mut rx) {
            Ok(false) if !rest.is_empty() => {}
            other => {
                // Asking again gives the same.
                assert_eq!(other, poll(&mut rx));
                break other;
            }
        }
        let spare = rx.spare_mut();
        assert!(!spare.is_empty(), "a read into nothing looks like the end of the stream");
        let n = cuts.size().min(rest.len()).min(spare.len());
        spare[..n].copy_from_slice(&rest[..n]);
        rx.commit(n);
        rest = &rest[n..];
    };
    assert!(rx.capacity() <= 128 << 10, "{} bytes for a head", rx.capacity());
    let verdict = match complete {
        Ok(false) => Ok(None),
        Err(error) => Err(error),
        Ok(true) if client => {
            let head_len = bytes.len() - rest.len() - rx.unparsed().len();
            let finished =
                as_client.finish(&request, &rx).map(|agreed| agreed.subprotocol.map(str::to_owned));
            if let Ok(subprotocol) = &finished {
                check_response(&bytes[..head_len], subprotocol.as_deref());
            }
            finished.map(Some).map(|chosen| chosen.map(|chosen| format!("{chosen:?}")))
        }
        Ok(true) => {
            let head_len = bytes.len() - rest.len() - rx.unparsed().len();
            let request = server.request(&rx).expect("a complete request");
            let origins = if any_origin { OriginPolicy::AllowAnyOrigin } else { OriginPolicy::default() };
            let mut options = AcceptOptions::new().origins(origins);
            let chosen = request.subprotocols().next();
            if let Some(chosen) = chosen {
                options = options.subprotocol(chosen);
            }
            let validated = request.validate(origins);
            let accepted =
                request.accept(&options, &mut tx).map(|agreed| agreed.subprotocol.map(str::to_owned));
            assert!(validated.is_ok() || validated.err() == accepted.as_ref().err().copied());
            if accepted.is_ok() {
                check_request(&bytes[..head_len], any_origin);
            }
            accepted.map(Some).map(|chosen| chosen.map(|chosen| format!("{chosen:?}")))
        }
    };
    if let Err(error) = verdict
        && !client
    {
        error.respond(&mut tx).expect("room for a response");
    }
    let output = drain(&mut tx);
    if !output.is_empty() {
        let (line, _, behind) = parse(&output).expect("one head");
        let status = if verdict.is_ok() { "HTTP/1.1 101 Switching Protocols" } else { "HTTP/1.1 " };
        assert!(line.starts_with(status) && behind.is_empty(), "{line}");
    }
    let rest = if complete == Ok(true) { [rx.unparsed(), rest].concat() } else { Vec::new() };
    Outcome { verdict, output, rest }
}

fn drain<S: Storage>(tx: &mut SendBuf<S>) -> Vec<u8> {
    let mut output = Vec::new();
    while let Some(mut transmit) = poll_transmit(tx) {
        let len = {
            let slices = transmit.slices();
            output.extend_from_slice(slices[0]);
            slices[0].len()
        };
        transmit.advance(len);
    }
    output
}

/// The first line, the fields with white space around their values taken away, and what is behind.
type Head<'d> = (String, Vec<(String, Vec<u8>)>, &'d [u8]);

/// Takes a head apart, after RFC 9112 and in no way that a machine in between could read differently; `None` if it is
/// something else.
fn parse(bytes: &[u8]) -> Option<Head<'_>> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, rest) = (&bytes[..end], &bytes[end + 4..]);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut iter = head.iter().peekable();
    while let Some(&byte) = iter.next() {
        match byte {
            b'\r' if iter.peek() == Some(&&b'\n') => {
                iter.next();
                lines.push(core::mem::take(&mut line));
            }
            b'\t' | b' '..=b'~' | 0x80.. => line.push(byte),
            _ => return None,
        }
    }
    lines.push(line);
    let first = String::from_utf8_lossy(&lines[0]).into_owned();
    let mut fields = Vec::new();
    for line in &lines[1..] {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = core::str::from_utf8(&line[..colon]).ok()?;
        let separators = "()<>@,;:\\\"/[]?={} \t";
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_graphic())
            || name.contains(|c| separators.contains(c))
        {
            return None;
        }
        fields.push((name.to_ascii_lowercase(), line[colon + 1..].trim_ascii().to_vec()));
    }
    Some((first, fields, rest))
}

fn values<'f>(fields: &'f [(String, Vec<u8>)], name: &str) -> Vec<&'f [u8]> {
    fields.iter().filter(|(other, _)| other == name).map(|(_, value)| &value[..]).collect()
}

/// Whether one of the fields of this name lists this token.
fn lists(fields: &[(String, Vec<u8>)], name: &str, token: &str) -> bool {
    let values = values(fields, name).join(&b","[..]);
    values
        .split(|&byte| byte == b',')
        .any(|element| element.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// What RFC 6455 section 4.2.1 asks of a request, and what else makes one safe to accept.
fn check_request(head: &[u8], any_origin: bool) {
    let (line, fields, behind) = parse(head).expect("an accepted request is one head");
    assert!(behind.is_empty(), "more than the head is gone");
    let parts: Vec<&str> = line.split(' ').collect();
    assert_eq!((parts.len(), parts[0]), (3, "GET"), "{line}");
    assert!(parts[2].starts_with("HTTP/1.") && parts[2] != "HTTP/1.0" && parts[2].len() == 8, "{line}");
    let host = values(&fields, "host");
    assert!(host.len() == 1 && !host[0].is_empty(), "{host:?}");
    assert!(lists(&fields, "upgrade", "websocket"));
    assert!(lists(&fields, "connection", "upgrade"));
    assert_eq!(values(&fields, "sec-websocket-version"), [b"13"]);
    let key = values(&fields, "sec-websocket-key");
    assert!(key.len() == 1 && key[0].len() == 24 && key[0].ends_with(b"=="), "{key:?}");
    assert!(key[0][..22].iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte)), "{key:?}");
    assert!(values(&fields, "transfer-encoding").is_empty());
    assert!(values(&fields, "content-length").iter().all(|len| len == b"0"));
    let origin = values(&fields, "origin");
    assert!(origin.len() <= 1);
    if let [origin] = origin[..]
        && !any_origin
    {
        let plain = |authority: &[u8]| {
            let authority = authority.to_ascii_lowercase();
            let authority = authority.strip_suffix(b":80").unwrap_or(&authority);
            authority.strip_suffix(b":").unwrap_or(authority).to_vec()
        };
        let origin = origin.to_ascii_lowercase();
        let origin = origin.strip_prefix(b"http://").expect("the scheme of the origin");
        // Leading zeros of a port are the one other way to write the same.
        let digits = |authority: Vec<u8>| {
            let mut parts = authority.rsplitn(2, |&byte| byte == b':');
            let last = parts.next().unwrap_or(&[]).to_vec();
            match parts.next() {
                Some(host) if !last.is_empty() && last.iter().all(u8::is_ascii_digit) => {
                    (host.to_vec(), core::str::from_utf8(&last).unwrap().parse().unwrap())
                }
                _ => (authority, 80_u64),
            }
        };
        assert_eq!(digits(plain(origin)), digits(plain(host[0])), "another origin");
    }
}

/// What RFC 6455 section 4.1 asks of a response, behind any number of interim ones.
fn check_response(mut head: &[u8], subprotocol: Option<&str>) {
    let (line, fields) = loop {
        let (line, fields, behind) = parse(head).expect("an accepted response is one head behind another");
        let status = line.split(' ').nth(1).expect("a status");
        assert_eq!(status.len(), 3);
        if status == "101" {
            assert!(behind.is_empty(), "more than the head is gone");
            break (line, fields);
        }
        assert!(status.starts_with('1'), "{line}");
        head = behind;
    };
    assert!(line.starts_with("HTTP/1.") && !line.starts_with("HTTP/1.0"), "{line}");
    assert!(lists(&fields, "upgrade", "websocket"));
    assert!(lists(&fields, "connection", "upgrade"));
    assert_eq!(values(&fields, "sec-websocket-accept"), [ACCEPT.as_bytes()]);
    let extensions = values(&fields, "sec-websocket-extensions").concat();
    assert!(extensions.iter().all(|byte| b", \t".contains(byte)), "an extension that nobody offered");
    match (values(&fields, "sec-websocket-protocol")[..].first(), subprotocol) {
        (None, None) => {}
        (Some(value), Some(chosen)) => assert!(*value == chosen.as_bytes() && OFFERED.contains(&chosen)),
        other => panic!("{other:?}"),
    }
}

/// Whether a text could end a line or a field, or is otherwise none of what fields may hold.
fn is_dangerous(text: &str) -> bool {
    text.bytes().any(|byte| !matches!(byte, b' '..=b'~' | b'\t'))
}

/// Callers say what they like; what is sent is what they said and nothing else, or an error and nothing at all; and
/// what our client sends our server takes, and the other way round.
fn converse(input: &mut Input<'_>) {
    let uri = input.counted_text();
    let origin = input.counted_text();
    let subprotocols = [input.counted_text(), input.counted_text()];
    let mut header = || (input.counted_text(), input.counted_text());
    let (ours, theirs) = ([header(), header()], [header(), header()]);
    let status = input.u16();
    let body = input.rest();

    respond(status, &theirs, body);

    let Ok(uri) = Uri::parse(uri) else { return };
    let ours: Vec<_> = ours.into_iter().filter(|(name, _)| !name.is_empty()).collect();
    let theirs: Vec<_> = theirs.into_iter().filter(|(name, _)| !name.is_empty()).collect();
    let offered: Vec<_> = subprotocols.into_iter().filter(|name| !name.is_empty()).collect();
    let mut request = ClientRequest::new(uri).subprotocols(&offered).headers(&ours);
    if !origin.is_empty() {
        request = request.origin(origin);
    }
    let mut tx = SendBuf::new(Vec::new());
    let limits = HandshakeLimits::default();
    let started = ClientHandshake::start(&request, NONCE, limits, Instant::ZERO, &mut tx);
    let sent = drain(&mut tx);
    let said = ours.iter().flat_map(|(name, value)| [*name, *value]);
    if said.chain(offered.iter().copied()).chain([origin]).any(is_dangerous) {
        assert!(started.is_err(), "{:?}", String::from_utf8_lossy(&sent));
    }
    let Ok(mut client) = started else {
        assert!(sent.is_empty(), "half a request");
        return;
    };
    let mut expected = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
         Sec-WebSocket-Version: 13\r\n",
        uri.resource(),
        uri.host_header()
    );
    if !origin.is_empty() {
        expected += &format!("Origin: {origin}\r\n");
    }
    if !offered.is_empty() {
        expected += &format!("Sec-WebSocket-Protocol: {}\r\n", offered.join(", "));
    }
    for (name, value) in &ours {
        expected += &format!("{name}: {value}\r\n");
    }
    expected += "\r\n";
    // Extensions of this crate's own may be offered beside what the caller asks for.
    let sent_text = core::str::from_utf8(&sent).expect("ASCII");
    let without_extensions: String = sent_text
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("Sec-WebSocket-Extensions:"))
        .collect();
    assert_eq!(without_extensions, expected);
    check_request(&sent, true);

    let mut rx = RecvBuf::new(Vec::new());
    assert_eq!(rx.extend_from_slice(&sent), sent.len());
    let mut server = ServerHandshake::new(limits, Instant::ZERO);
    let received = server.receive(Instant::ZERO, &mut rx).expect("our own request").expect("all of it");
    assert!(received.subprotocols().eq(offered.iter().copied()));
    let mut options = AcceptOptions::new().origins(OriginPolicy::AllowAnyOrigin).headers(&theirs);
    if let Some(chosen) = offered.last() {
        options = options.subprotocol(chosen);
    }
    let accepted = received.accept(&options, &mut tx).map(|agreed| agreed.subprotocol.map(str::to_owned));
    let sent = drain(&mut tx);
    if theirs.iter().any(|(name, value)| is_dangerous(name) || is_dangerous(value)) {
        assert!(accepted.is_err(), "{:?}", String::from_utf8_lossy(&sent));
    }
    let Ok(agreed) = accepted else {
        assert!(sent.is_empty(), "half a response");
        let by_headers =
            matches!(accepted, Err(HandshakeError::InvalidHeader | HandshakeError::ReservedHeader));
        assert!(by_headers, "our own request: {accepted:?}");
        return;
    };
    assert_eq!(agreed.as_deref(), offered.last().copied());
    check_response_fields(&sent, &theirs);

    let mut rx = RecvBuf::new(Vec::new());
    assert_eq!(rx.extend_from_slice(&sent), sent.len());
    assert_eq!(client.poll_receive(Instant::ZERO, &mut rx), Ok(true));
    let finished = client.finish(&request, &rx).expect("our own response");
    assert_eq!(finished.subprotocol, agreed.as_deref());
}

/// The fields of the caller's are at the end, as they were given.
fn check_response_fields(sent: &[u8], theirs: &[(&str, &str)]) {
    let (line, fields, behind) = parse(sent).expect("one head");
    assert_eq!((&line[..], behind), ("HTTP/1.1 101 Switching Protocols", &[][..]));
    assert_eq!(values(&fields, "sec-websocket-accept"), [ACCEPT.as_bytes()]);
    let last = &fields[fields.len() - theirs.len()..];
    for ((name, value), (sent_name, sent_value)) in theirs.iter().zip(last) {
        assert_eq!(
            (name.to_ascii_lowercase(), value.as_bytes().trim_ascii()),
            (sent_name.clone(), &sent_value[..])
        );
    }
}

/// Any other response.
fn respond(status: u16, headers: &[(&str, &str)], body: &[u8]) {
    let request: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut rx = RecvBuf::new(Vec::new());
    assert_eq!(rx.extend_from_slice(request), request.len());
    let mut server = ServerHandshake::new(HandshakeLimits::default(), Instant::ZERO);
    let request = server.receive(Instant::ZERO, &mut rx).unwrap().unwrap();
    let mut tx = SendBuf::new(Vec::new());
    let response = Response::new(status).headers(headers).body(body);
    let queued = request.respond(&response, &mut tx);
    let sent = drain(&mut tx);
    if queued.is_err() {
        assert!(sent.is_empty(), "half a response");
        return;
    }
    assert!(!headers.iter().any(|(name, value)| is_dangerous(name) || is_dangerous(value)));
    let (line, fields, behind) = parse(&sent).expect("one head");
    assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{line}");
    assert_eq!(behind, body);
    if !matches!(status, 204 | 304) {
        assert_eq!(values(&fields, "content-length"), [body.len().to_string().as_bytes()]);
    }
    assert!(lists(&fields, "connection", "close"));
}
