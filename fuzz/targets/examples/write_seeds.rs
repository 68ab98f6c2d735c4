//! Writes the seeds that are put together by hand into `fuzz/seeds`, each named after what it is: what RFC 6455 has as
//! examples, and what a hostile peer may try. Seeds that are not written here came out of a run.
//!
//! `cargo run -p ws-fuzz-targets --example write_seeds`
#![allow(clippy::expect_used)]

use std::path::Path;

/// A masking key, as RFC 6455 section 5.7 has it.
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

fn main() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds");
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = seeds.join(target);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(name), bytes).expect("a file");
    };
    for (name, masked, bytes) in streams() {
        let client = u8::from(!masked);
        let mut receive = vec![client, 0xFF, 0xFF, 0, 0, 255, 60, 0xAA, 3, 1, 5, 2];
        receive.extend_from_slice(&bytes);
        write("receive", name, &receive);
        // The same with limits, little storage, and extensions that have a meaning for two of the bits.
        receive[0] |= 0b1101_1000;
        receive[1..7].copy_from_slice(&[0, 100, 0, 60, 4, 10]);
        write("receive", &format!("{name}-limits"), &receive);
        write("differential", name, &[&[client], &bytes[..]].concat());
        write("header", name, &[&[client | 0x40], &bytes[..bytes.len().min(14)]].concat());
    }
    for (name, values) in extensions() {
        write("deflate", name, &[&[0, 0b1111_1100, 0b1111_1100, 0b0100_1001], values.as_bytes()].concat());
    }
    for (name, payloads) in compressed() {
        for (kind, agreed) in [("", 0b1111_1100), ("-no-takeover", 0b1111_1111), ("-small-window", 0)] {
            let mut bytes = vec![1, agreed, 0, 2, 1, 9];
            for (how, payload) in &payloads {
                bytes.push(*how);
                bytes.extend((payload.len() as u16).to_be_bytes());
                bytes.extend_from_slice(payload);
            }
            write("deflate", &format!("{name}{kind}"), &bytes);
        }
    }
    for (name, bytes) in conversations() {
        write("deflate", name, &bytes);
    }
    for (name, bytes) in heads() {
        write("handshake", name, &bytes);
    }
    for (name, bytes) in operations() {
        write("operations", name, &bytes);
    }
    for (name, bytes) in cancelled() {
        write("tokio_stream", name, &bytes);
    }
}

/// A frame from its first byte and its payload, with the shortest length.
fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        n @ 0..126 => frame.push(mask | n as u8),
        n @ 126..65_536 => {
            frame.push(mask | 126);
            frame.extend((n as u16).to_be_bytes());
        }
        n => {
            frame.push(mask | 127);
            frame.extend((n as u64).to_be_bytes());
        }
    }
    let key = if masked { KEY } else { [0; 4] };
    if masked {
        frame.extend(key);
    }
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// What arrives: its name, whether it comes from a client, and the bytes.
fn streams() -> Vec<(&'static str, bool, Vec<u8>)> {
    let masked = |frames: &[(u8, &[u8])]| -> Vec<u8> {
        frames.iter().flat_map(|(first, payload)| frame(*first, payload, true)).collect()
    };
    let plain = |frames: &[(u8, &[u8])]| -> Vec<u8> {
        frames.iter().flat_map(|(first, payload)| frame(*first, payload, false)).collect()
    };
    let header = |bytes: &[u8]| [bytes, &KEY, b"xyz"].concat();
    vec![
        ("rfc-5.7-hello-unmasked", false, plain(&[(0x81, b"Hello")])),
        ("rfc-5.7-hello-masked", true, masked(&[(0x81, b"Hello")])),
        ("rfc-5.7-hello-fragmented", false, plain(&[(0x01, b"Hel"), (0x80, b"lo")])),
        ("rfc-5.7-ping-and-pong", true, masked(&[(0x89, b"Hello"), (0x8A, b"Hello")])),
        ("rfc-5.7-256-bytes-of-binary", false, plain(&[(0x82, &[7; 256])])),
        (
            "rfc-5.4-ping-between-fragments",
            true,
            masked(&[(0x01, b"a"), (0x89, b"?"), (0x00, b"b"), (0x80, b"c")]),
        ),
        ("rfc-5.5.1-close-with-reason", true, masked(&[(0x88, b"\x03\xE8bye")])),
        ("rfc-5.5.1-close-empty", true, masked(&[(0x88, b"")])),
        ("rfc-5.5.1-data-behind-close", true, masked(&[(0x88, b"\x03\xE8"), (0x81, b"late"), (0x89, b"")])),
        ("length-125", true, masked(&[(0x82, &[1; 125])])),
        ("length-126", true, masked(&[(0x82, &[1; 126])])),
        ("length-5000", true, masked(&[(0x82, &[0; 5000])])),
        ("length-16-bit-not-minimal", true, header(&[0x82, 0xFE, 0, 125])),
        ("length-64-bit-not-minimal", true, header(&[0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF])),
        ("length-top-bit", true, header(&[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0])),
        ("length-2-to-the-63-less-1", true, header(&[0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255])),
        ("length-2-to-the-60", true, header(&[0x82, 0xFF, 0x10, 0, 0, 0, 0, 0, 0, 0])),
        (
            "length-sum-overflows",
            true,
            [masked(&[(0x02, b"abc")]), header(&[0x80, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255])]
                .concat(),
        ),
        ("unmasked-to-a-server", true, plain(&[(0x81, b"Hello")])),
        ("masked-to-a-client", false, masked(&[(0x81, b"Hello")])),
        ("rsv1", true, masked(&[(0xC1, b"\xFF\xFE")])),
        ("rsv1-on-a-continuation", true, masked(&[(0x01, b"a"), (0xC0, b"b")])),
        ("rsv1-on-a-ping", true, masked(&[(0xC9, b"")])),
        ("opcode-3", true, masked(&[(0x83, b"")])),
        ("opcode-15", true, masked(&[(0x8F, b"")])),
        ("control-fragmented", true, masked(&[(0x09, b"a"), (0x80, b"b")])),
        ("control-126", true, masked(&[(0x89, &[1; 126])])),
        ("continuation-without-start", true, masked(&[(0x80, b"a")])),
        ("message-inside-a-message", true, masked(&[(0x01, b"a"), (0x81, b"b")])),
        ("close-body-of-one-byte", true, masked(&[(0x88, b"\x03")])),
        ("close-code-1005", true, masked(&[(0x88, b"\x03\xED")])),
        ("close-code-1014", true, masked(&[(0x88, b"\x03\xF6")])),
        ("close-reason-not-utf-8", true, masked(&[(0x88, b"\x03\xE8\xFF")])),
        ("utf-8-cut-by-a-fragment", true, masked(&[(0x01, b"\xE2\x82"), (0x80, b"\xAC")])),
        ("utf-8-unfinished", true, masked(&[(0x81, b"ab\xE2\x82")])),
        ("utf-8-surrogate", true, masked(&[(0x81, b"\xED\xA0\x80 and more")])),
        (
            "utf-8-fault-in-an-incomplete-frame",
            true,
            frame(0x81, b"ab\xC0 and the rest never comes", true)[..12].to_vec(),
        ),
        ("valid-frames-behind-a-violation", true, masked(&[(0x80, b""), (0x81, b"x"), (0x88, b"")])),
        (
            "empty-fragments",
            true,
            masked(&[(0x02, &b""[..])].into_iter().chain([(0x00, &b""[..]); 80]).collect::<Vec<_>>()),
        ),
        (
            "tiny-fragments",
            true,
            masked(&[(0x01, &b"a"[..])].into_iter().chain([(0x00, &b"b"[..]); 80]).collect::<Vec<_>>()),
        ),
        ("ping-flood", true, masked(&[(0x89, &[0xEE; 125][..]); 12])),
        ("declared-and-not-sent", true, [&[0x82, 0xFF, 0, 0, 0, 0, 0x80, 0, 0, 0], &KEY[..]].concat()),
        ("three-messages", false, plain(&[(0x81, "é€😀".as_bytes()), (0x82, b""), (0x81, b"z")])),
    ]
}

/// Values of `Sec-WebSocket-Extensions`, a header a line.
fn extensions() -> Vec<(&'static str, &'static str)> {
    vec![
        ("rfc-7692-7.1-offer", "permessage-deflate"),
        ("rfc-7692-7.1.1.1-offer", "permessage-deflate; server_no_context_takeover"),
        ("rfc-7692-7.1.2.1-offer", "permessage-deflate; server_max_window_bits=10"),
        (
            "rfc-7692-7.1.3-offers",
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits",
        ),
        (
            "all-four",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8; client_max_window_bits=15",
        ),
        ("several-headers", "x-other; a=\"b,c\"\npermessage-deflate\n, ,"),
        ("bits-7", "permessage-deflate; server_max_window_bits=7"),
        ("bits-16", "permessage-deflate; client_max_window_bits=16"),
        ("bits-leading-zero", "permessage-deflate; server_max_window_bits=08"),
        ("bits-quoted", "permessage-deflate; server_max_window_bits=\"10\""),
        ("bits-empty", "permessage-deflate; server_max_window_bits="),
        ("bits-plus", "permessage-deflate; server_max_window_bits=+9"),
        ("bits-fraction", "permessage-deflate; server_max_window_bits=9.0"),
        ("bits-large", "permessage-deflate; server_max_window_bits=99999999999"),
        ("bits-missing", "permessage-deflate; server_max_window_bits"),
        ("unknown-parameter", "permessage-deflate; foo"),
        ("repeated-parameter", "permessage-deflate; client_max_window_bits; client_max_window_bits=9"),
        ("repeated-flag", "permessage-deflate; server_no_context_takeover; server_no_context_takeover"),
        ("twice", "permessage-deflate, permessage-deflate"),
        ("other-case", "Permessage-Deflate"),
        ("quotes", "a; b=\"\\c\\c\\c\\c\\c, permessage-deflate"),
        ("nothing", ""),
        ("malformed", "permessage-deflate;;, ;, permessage-deflate; =9"),
    ]
}

/// Messages, each with its option byte.
type Payloads = Vec<(u8, Vec<u8>)>;

/// Compressed messages, each behind its option byte: see `deflate::codec::receive`.
fn compressed() -> Vec<(&'static str, Payloads)> {
    /// In two fragments, the first of three eighths.
    const CUT: u8 = 2 | 24 << 2;
    let hello = b"\xF2\x48\xCD\xC9\xC9\x07\x00".to_vec();
    // A fixed block with a literal, and matches of it with the largest length.
    let bomb = [
        &[0x62, 0x18, 0x05, 0xA3, 0x60, 0x14][..],
        &[0x8C, 0x82, 0x51, 0x30, 0x0A, 0x46, 0xC1, 0x28].repeat(30),
    ]
    .concat();
    vec![
        ("rfc-7692-7.2.3.1-one-block", vec![(0, hello.clone()), (CUT, hello.clone())]),
        ("rfc-7692-7.2.3.2-takeover", vec![(0, hello.clone()), (0, b"\xF2\x00\x11\x00\x00".to_vec())]),
        ("rfc-7692-7.2.3.3-stored", vec![(0, b"\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00".to_vec())]),
        (
            "rfc-7692-7.2.3.4-bfinal",
            vec![(0, b"\xF3\x48\xCD\xC9\xC9\x07\x00\x00".to_vec()), (0, hello.clone())],
        ),
        (
            "rfc-7692-7.2.3.5-two-blocks",
            vec![(CUT, b"\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00".to_vec())],
        ),
        ("rfc-7692-7.2.3.6-empty", vec![(0, b"\x00".to_vec()), (0, Vec::new()), (0, b"\x02\x00".to_vec())]),
        ("plain-in-between", vec![(0, hello.clone()), (1, b"plain".to_vec()), (0, hello.clone())]),
        ("reserved-block", vec![(0, hello.clone()), (0, b"\x07".to_vec()), (0, hello.clone())]),
        ("stored-lengths-contradict", vec![(0, b"\x00\x05\x00\xFF\xFF".to_vec())]),
        ("refers-to-what-was-never-sent", vec![(0, b"\xF2\x00\x11\x00\x00".to_vec())]),
        ("empty-stored-blocks", vec![(0, b"\x00\x00\x00\xFF\xFF".repeat(60))]),
        ("empty-fixed-blocks", vec![(CUT, [0x02, 0x08, 0x20, 0x80, 0x00].repeat(50))]),
        ("bomb", vec![(0, bomb)]),
        ("dynamic", vec![(0, b"\x05\xC0\x81\x08\x00\x00\x00\x00\x20\x7F\xEB\x0B\x00\x00".to_vec())]),
        ("noise", vec![(0, vec![0xFF; 40])]),
    ]
}

/// Messages that are sent: see `deflate::codec::converse`.
fn conversations() -> Vec<(&'static str, Vec<u8>)> {
    let messages = [
        0xE4, 200, 0xE4, 200, 0xE0, 255, 0xE8, 100, 0x65, 77, 0x66, 88, 0x07, 5, 0xEC, 200, 0xF1, 255, 0xF2,
        255,
    ];
    let with = |agreed: u8, options: u8| [&[2, agreed, options, 3, 1, 50, 200][..], &messages].concat();
    vec![
        ("conversation", with(0b1111_1100, 0b1110_0010)),
        ("conversation-to-the-client", with(0b1111_1100, 0b1111_0011)),
        ("conversation-no-takeover", with(0b1111_1111, 0b0000_1101)),
        ("conversation-small-windows", with(0, 0b0110_0010)),
        ("conversation-small-windows-to-the-client", with(0b0010_0100, 0b1000_1101)),
    ]
}

/// What the handshake target reads.
fn heads() -> Vec<(&'static str, Vec<u8>)> {
    let server = |options: u8, head: &str| [&[options, 3, 1, 40, 7], head.as_bytes()].concat();
    let client = |head: &str| [&[1, 3, 1, 40, 7], head.as_bytes()].concat();
    let request = |more: &str| {
        format!(
            "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
        )
    };
    let response = |more: &str| {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{more}\r\n"
        )
    };
    let texts = |options: u8, texts: &[&str], rest: &[u8]| {
        let mut bytes = vec![options];
        for text in texts {
            bytes.push(text.len() as u8);
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(rest);
        bytes
    };
    let rfc = "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n";
    vec![
        ("rfc-1.3-request", server(4, &request(rfc))),
        ("request-from-another-origin", server(0, &request(rfc))),
        ("request-from-the-same-origin", server(0, &request("Origin: http://server.example.com:80\r\n"))),
        ("request-origin-null", server(0, &request("Origin: null\r\n"))),
        (
            "request-two-origins",
            server(0, &request("Origin: http://server.example.com\r\nOrigin: http://server.example.com\r\n")),
        ),
        ("request-origin-userinfo", server(0, &request("Origin: http://server.example.com@evil\r\n"))),
        ("request-and-a-frame-behind", server(4, &(request("") + "\u{1}behind"))),
        ("request-with-a-body", server(4, &request("Content-Length: 5\r\n"))),
        ("request-chunked", server(4, &request("Transfer-Encoding: chunked\r\n"))),
        ("request-two-hosts", server(4, &request("Host: other\r\n"))),
        ("request-two-keys", server(4, &request("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))),
        ("request-version-8", server(4, &request("").replace("13", "8"))),
        ("request-space-before-the-colon", server(4, &request("X : y\r\n"))),
        ("request-folded", server(4, &request("X: y\r\n z\r\n"))),
        ("request-bare-lf", server(4, &request("X: y\n"))),
        ("request-bare-cr", server(4, &request("X: y\rZ: a\r\n"))),
        ("request-many-fields", server(12, &request(&"a:\r\n".repeat(20)))),
        ("request-line-too-long", server(12, &format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100)))),
        (
            "request-absolute-target",
            server(4, &request("").replace("/chat", "http://server.example.com/chat?a=b")),
        ),
        ("request-absolute-target-elsewhere", server(4, &request("").replace("/chat", "http://evil/"))),
        ("request-http-1.0", server(4, &request("").replace("HTTP/1.1", "HTTP/1.0"))),
        ("request-post", server(4, &request("").replace("GET", "POST"))),
        (
            "request-extensions",
            server(
                20,
                &request(
                    "Sec-WebSocket-Extensions: a; b=\"\\c\\c\", permessage-deflate; client_max_window_bits\r\n",
                ),
            ),
        ),
        ("request-subprotocols-repeated", server(4, &request("Sec-WebSocket-Protocol: a, a\r\n"))),
        ("tls-on-a-plain-port", server(4, "\u{16}\u{3}\u{1}\u{2}")),
        ("plain-request", server(4, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
        ("rfc-1.3-response", client(&response("Sec-WebSocket-Protocol: chat\r\n"))),
        ("response-and-a-frame-behind", client(&(response("") + "\u{1}\u{5}Hello"))),
        ("response-interim-first", client(&format!("HTTP/1.1 100 Continue\r\n\r\n{}", response("")))),
        ("response-wrong-accept", client(&response("").replace("s3p", "S3p"))),
        ("response-two-accepts", client(&response("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))),
        ("response-not-offered", client(&response("Sec-WebSocket-Protocol: other\r\n"))),
        ("response-extension", client(&response("Sec-WebSocket-Extensions: permessage-deflate\r\n"))),
        ("response-404", client("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone")),
        (
            "both-talk",
            texts(
                2,
                &["ws://a.example:81/x?y", "http://a", "chat", "v2", "A", "b", "", "", "C", "d", "", ""],
                &[1, 148],
            ),
        ),
        (
            "both-inject-crlf",
            texts(
                2,
                &["ws://a/", "http://a\r\nX: y", "", "", "A", "b\r\nc: d", "", "", "E", "f\ng", "", ""],
                b"\x00\xC8body",
            ),
        ),
        (
            "both-inject-nul",
            texts(
                2,
                &["ws://a/", "", "cha\0t", "", "A\0", "b", "", "", "E", "\u{7F}", "", ""],
                b"\x00\xC8body",
            ),
        ),
        (
            "both-reserved-headers",
            texts(
                2,
                &[
                    "wss://[::1]:8443/",
                    "",
                    "",
                    "",
                    "Upgrade",
                    "h2c",
                    "",
                    "",
                    "sec-websocket-accept",
                    "x",
                    "",
                    "",
                ],
                &[1, 148],
            ),
        ),
    ]
}

/// Operations on a pair: see `operations::Pair::step`.
fn operations() -> Vec<(&'static str, Vec<u8>)> {
    /// At the server's end; and a text.
    const SERVER: u8 = 0x80;
    const TEXT: u8 = 0x40;
    let (transmit, deliver) = ([21, 21 | SERVER], [26 | SERVER, 0, 26, 0]);
    let both = [&transmit[..], &deliver].concat();
    let with = |options: [u8; 2], steps: &[&[u8]]| [&options[..], &steps.concat()].concat();
    vec![
        ("send-and-close", with([0, 0], &[&[TEXT, 5, SERVER, 200], &both, &[15, 0], &both, &both])),
        (
            "send-in-pieces",
            with([0, 0], &[&[6 | TEXT, 9, 14, 4, 6 | TEXT, 20, 17, 3, 6 | TEXT, 1], &both, &[15, 0]]),
        ),
        (
            "begin-write-finish",
            with([5, 0], &[&[8, 0, 9, 200, 14, 20, 11], &both, &[9, 200, 17, 50, 10, 255, 11], &both]),
        ),
        (
            "begin-and-abort",
            with(
                [10, 16],
                &[&[8 | SERVER, 0, 12 | SERVER, 8 | SERVER, 2, 9 | SERVER, 7, 12 | SERVER], &both],
            ),
        ),
        (
            "pull",
            with(
                [4, 0],
                &[&[8 | TEXT, 0, 13, 41, 13, 0, 13, 81, 17, 20, 13, 42, 13, 23, 13, 3], &both, &both],
            ),
        ),
        (
            "pull-fails",
            with([0, 0], &[&[8, 0, 13, 41, 13, 8], &both, &[8 | SERVER, 0, 13 | SERVER, 4], &both]),
        ),
        (
            "pings-while-a-frame-is-partly-out",
            with([0, 0], &[&[3, 8, 0, 17, 9, 14, 125, 14, 125, 14 | TEXT, 60, 17, 30], &both]),
        ),
        (
            "ping-flood-half-read",
            with(
                [0, 4],
                &[&[14, 100, 14, 101, 21, 26 | SERVER, 0, 14, 99, 21, 26 | SERVER, 0, 17 | SERVER, 7], &both],
            ),
        ),
        (
            "fragments-of-7-bytes",
            with([0x10, 0x30], &[&[3, 4, 0, 14, 3, TEXT, 250, 17, 5, 22 | SERVER, 3, 0xAA], &both]),
        ),
        ("both-close-at-once", with([0, 0], &[&[15, 0, 15 | SERVER, 1], &both, &[29, 29 | SERVER], &both])),
        ("close-now-in-a-frame", with([0, 0], &[&[3, 4, 0, 0, 9, 17, 50, 16, 5, 22 | SERVER, 20, 0], &both])),
        (
            "close-behind-data-and-data-behind-close",
            with([0, 1], &[&[3, 4, 0, 15, 0, 0, 9, SERVER, 9], &both]),
        ),
        (
            "send-behind-the-peers-close",
            with([0x40, 1], &[&[15, 0], &both, &[SERVER, 9, 14 | SERVER, 3, 6 | SERVER, 9], &both]),
        ),
        ("no-automatic-close", with([0x60, 1], &[&[14, 9, 15, 0], &both, &[28, 40, 0]])),
        ("keepalive", with([0, 0], &[&[28, 78, 33], &both, &[28, 78, 33], &both, &[28, 78, 33]])),
        ("nobody-answers-a-ping", with([0, 0], &[&[28, 78, 33, 21, 28, 78, 33, 28, 78, 33]])),
        ("write-stall", with([0, 4], &[&[3, 4, 0, 17, 9, 28, 120, 0, 28, 120, 0]])),
        ("idle", with([0x80, 4], &[&[0, 5], &both, &[28, 60, 0], &both])),
        (
            "reserved-bits",
            with([0, 0], &[&[5 | TEXT, 41, 5 | TEXT, 42, 5, 43, 8 | TEXT, 2, 9, 5, 11], &both]),
        ),
        ("full", with([5, 0], &[&[3, 1, 44, 3, 1, 44, 0, 60, 0, 20, 9, 9], &both, &[3, 1, 44], &both])),
        (
            "queue-of-owned",
            with([10, 0xF0], &[&[4, 8, 0, 4 | SERVER, 8, 0, 4 | SERVER, 9, 9, SERVER, 5], &both, &both]),
        ),
        (
            "the-end-in-a-frame",
            with([0, 0], &[&[3, 4, 0, 17, 9, 22 | SERVER, 9, 0, 31, 0, 26 | SERVER, 0], &both]),
        ),
        ("the-transport-fails", with([0, 0], &[&[3, 4, 0, 17, 9, 31, 8, 31 | SERVER, 8], &both])),
        (
            "control-frames-alone",
            with([0, 0], &[&[14, 5, 3, 4, 0, 17, 200, 22 | SERVER, 100, 0, 30 | SERVER], &both]),
        ),
    ]
}

/// Operations that are dropped: see `tokio_stream::End::step`.
fn cancelled() -> Vec<(&'static str, Vec<u8>)> {
    const SERVER: u8 = 0x80;
    const TEXT: u8 = 0x40;
    let with = |options: [u8; 3], steps: &[&[u8]]| [&options[..], &steps.concat()].concat();
    let exchange = [0, 0x51, 16 | SERVER, 1, TEXT | 1 | SERVER, 0x9A, 20, 2, 6, 1, 21 | SERVER, 3].repeat(4);
    vec![
        ("exchange", with([0x0A, 0xAA, 0x55], &[&exchange])),
        ("exchange-the-server-closes", with([0x0B, 0xFF, 0x80], &[&exchange])),
        ("exchange-byte-by-byte", with([0, 0xFF, 0xFF], &[&exchange])),
        (
            "exchange-large",
            with([0xFC, 0x80, 0x08], &[&exchange, &[3, 0xF9, 3, 0xF8, 3, 0xF9, 5, 0xF8, 3, 0xF9, 4, 0xF8]]),
        ),
        (
            "feed-and-flush",
            with([0x28, 1, 2], &[&[3, 0x41, 4, 0x51, 6, 0, 6, 1, 3, 0x61, 6, 3, 17 | SERVER, 1]]),
        ),
        (
            "fragments",
            with([0x12, 3, 4], &[&[7, 0x51, 8, 0x52, 11, 3, 7, 0x0B, 7 | TEXT, 0x30, 7, 0x5B, 0, 1]]),
        ),
        ("halves", with([8, 0x11, 0x22], &[&[14, 0, 14 | SERVER, 0], &exchange, &[15, 0], &exchange])),
        (
            "pieces-then-whole",
            with(
                [0x18, 0, 0],
                &[&[0, 0xFF, 0, 0xFF, 23 | SERVER, 7, 24 | SERVER, 7, 25 | SERVER, 7, 16 | SERVER, 7]],
            ),
        ),
        (
            "message-readers",
            with([0x18, 4, 4], &[&[0, 0xF7, TEXT, 0xF7, 26 | SERVER, 0xF7, 26 | SERVER, 2, 20 | SERVER, 7]]),
        ),
        ("writer-dropped", with([0x10, 8, 8], &[&[10, 0xF0, 0, 0x11, 20 | SERVER, 7, 21 | SERVER, 7]])),
        (
            "writer-finished",
            with(
                [0xF8, 0, 0],
                &[&[10 | TEXT, 0x57, 9, 0x57, 20 | SERVER, 7, 21 | SERVER, 7, 22 | SERVER, 7]],
            ),
        ),
        (
            "echo",
            with(
                [0xF8, 0, 1],
                &[&[0, 0x57, 27 | SERVER, 7, 20, 7, TEXT, 0x57, 27 | SERVER, 3, 27 | SERVER, 1, 20, 7]],
            ),
        ),
        (
            "close-dropped",
            with([0x50, 0x42, 0x24], &[&[3, 0x51, 12, 201, 16 | SERVER, 3, 20, 2, 12 | SERVER, 202, 20, 7]]),
        ),
        ("close-now", with([0x50, 0x42, 0x24], &[&[3, 0x51, 6, 0, 13, 241, 16 | SERVER, 3, 20, 2]])),
        ("time-passes-while-closing", with([0x50, 0, 0], &[&[12, 201, 31, 255, 31, 255, 31, 255, 20, 1]])),
        (
            "pings",
            with(
                [0x28, 0x10, 0x01],
                &[&[11, 1, 11, 1, 11, 1, 16 | SERVER, 1, 16 | SERVER, 1, 6, 1, 20, 7, 20, 7]],
            ),
        ),
    ]
}
