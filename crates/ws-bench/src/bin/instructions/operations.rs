//! What is counted: the core alone, through its public interface.

use std::hint::black_box;

use ws_bench::case::{DecodeCase, Reads, Role};
use ws_bench::payload::Content::{self, Binary, Text, Unicode};
use ws_bench::wire::{Wire, push_frame};
use ws_proto::handshake::{AcceptOptions, HandshakeLimits, ServerHandshake, poll_transmit};
use ws_proto::{
    Config, Connection, Event, Instant, Kind, MaskKeys, Message, Outbound, RecvBuf, SendBuf, SendQueue,
};

use self::Role::{Client, Server};

/// Something that is done again and again.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// How often at a time, so that repetitions are a whole number of times around the wire.
    pub(crate) round: usize,
    work: Work,
}

enum Work {
    AcceptHandshake,
    Decode { role: Role, content: Content, size: usize, fragments: usize },
    Echo { size: usize },
    Encode { role: Role, content: Content, size: usize },
    EncodeOwned { size: usize },
    Pings,
}

impl Operation {
    pub(crate) fn repeat(&self, repetitions: usize) {
        match self.work {
            Work::AcceptHandshake => accept_handshakes(repetitions),
            Work::Decode { role, content, size, fragments } => {
                let reads = Reads::Cut(64 << 10);
                let case = DecodeCase { role, content, size, fragments, reads, deflate: None };
                let (wire, messages) = Wire::new(&case);
                assert_eq!(repetitions % messages.len(), 0);
                receive(role, wire, repetitions, false);
            }
            Work::Echo { size } => {
                let reads = Reads::Cut(64 << 10);
                let case =
                    DecodeCase { role: Server, content: Binary, size, fragments: 1, reads, deflate: None };
                let (wire, messages) = Wire::new(&case);
                assert_eq!(repetitions % messages.len(), 0);
                receive(Server, wire, repetitions, true);
            }
            Work::Encode { role, content, size } => encode(role, content, size, repetitions),
            Work::EncodeOwned { size } => encode_owned(size, repetitions),
            Work::Pings => pings(repetitions),
        }
    }
}

macro_rules! operations {
    ($($name:literal, $round:expr, $work:expr;)*) => {
        /// All of them.
        pub(crate) const OPERATIONS: &[Operation] = &[$(Operation { name: $name, round: $round, work: $work }),*];
    };
}

const fn decode(role: Role, content: Content, size: usize) -> Work {
    Work::Decode { role, content, size, fragments: 1 }
}

const fn encoding(role: Role, content: Content, size: usize) -> Work {
    Work::Encode { role, content, size }
}

operations! {
    // As a server, which unmasks, and as a client, which does not: the difference is the masking.
    "decode server binary 16 B", 4096, decode(Server, Binary, 16);
    "decode server binary 20 B", 4096, decode(Server, Binary, 20);
    "decode server binary 125 B", 2097, decode(Server, Binary, 125);
    "decode server binary 1 KiB", 256, decode(Server, Binary, 1024);
    "decode server binary 16 KiB", 16, decode(Server, Binary, 16 << 10);
    "decode server text 20 B", 4096, decode(Server, Text, 20);
    "decode server text 125 B", 2097, decode(Server, Text, 125);
    "decode server text 1 KiB", 256, decode(Server, Text, 1024);
    "decode server unicode 1 KiB", 256, decode(Server, Unicode, 1024);
    "decode client binary 16 B", 4096, decode(Client, Binary, 16);
    "decode client binary 20 B", 4096, decode(Client, Binary, 20);
    "decode client binary 125 B", 2097, decode(Client, Binary, 125);
    "decode client binary 1 KiB", 256, decode(Client, Binary, 1024);
    "decode client binary 16 KiB", 16, decode(Client, Binary, 16 << 10);
    "decode client text 20 B", 4096, decode(Client, Text, 20);
    "decode client text 125 B", 2097, decode(Client, Text, 125);
    "decode client text 1 KiB", 256, decode(Client, Text, 1024);
    "decode server binary 1 KiB in 8 fragments", 256, Work::Decode { role: Server, content: Binary, size: 1024, fragments: 8 };
    "decode server text 1 KiB in 8 fragments", 256, Work::Decode { role: Server, content: Text, size: 1024, fragments: 8 };
    "encode server binary 20 B", 1024, encoding(Server, Binary, 20);
    "encode server binary 125 B", 1024, encoding(Server, Binary, 125);
    "encode server binary 1 KiB", 256, encoding(Server, Binary, 1024);
    "encode server text 20 B", 1024, encoding(Server, Text, 20);
    "encode server text 1 KiB", 256, encoding(Server, Text, 1024);
    "encode server binary 16 KiB, owned", 256, Work::EncodeOwned { size: 16 << 10 };
    "encode client binary 16 B", 1024, encoding(Client, Binary, 16);
    "encode client binary 20 B", 1024, encoding(Client, Binary, 20);
    "encode client binary 125 B", 1024, encoding(Client, Binary, 125);
    "encode client binary 1 KiB", 256, encoding(Client, Binary, 1024);
    "encode client binary 16 KiB", 16, encoding(Client, Binary, 16 << 10);
    "encode client text 20 B", 1024, encoding(Client, Text, 20);
    "encode client text 1 KiB", 256, encoding(Client, Text, 1024);
    "echo server binary 20 B", 4096, Work::Echo { size: 20 };
    "echo server binary 1 KiB", 256, Work::Echo { size: 1024 };
    "ping and pong", 1024, Work::Pings;
    "accept handshake", 64, Work::AcceptHandshake;
}

fn connection(role: Role) -> Connection {
    let role = match role {
        Client => ws_proto::Role::Client(MaskKeys::from_seed([7; 32])),
        Server => ws_proto::Role::Server,
    };
    Connection::new(role, Config::default(), Instant::ZERO)
}

fn receive(role: Role, mut wire: Wire, messages: usize, echo: bool) {
    let mut connection = connection(role);
    let mut rx = RecvBuf::new(Vec::new());
    let mut tx = SendBuf::new(Vec::new());
    let mut left = messages;
    loop {
        while left > 0
            && let Some(event) = connection.receive(Instant::ZERO, &mut rx).unwrap()
        {
            if let Event::Data(message) = black_box(event) {
                left -= 1;
                if echo {
                    connection.send(&mut tx, message).unwrap();
                }
            }
        }
        transmit(&mut connection, &mut tx);
        if left == 0 {
            return;
        }
        let read = wire.read(rx.spare_mut());
        rx.commit(read);
    }
}

fn encode(role: Role, content: Content, size: usize, messages: usize) {
    let payload = content.payload(size, 7);
    let message = if content.is_text() {
        Message::Text(std::str::from_utf8(&payload).unwrap())
    } else {
        Message::Binary(&payload)
    };
    let mut connection = connection(role);
    let mut tx = SendBuf::new(Vec::new());
    for _ in 0..messages / 16 {
        for _ in 0..16 {
            connection.send(&mut tx, black_box(message)).unwrap();
        }
        transmit(&mut connection, &mut tx);
    }
}

fn encode_owned(size: usize, messages: usize) {
    let payload: std::sync::Arc<[u8]> = Binary.payload(size, 7).into();
    let mut connection = connection(Server);
    let mut tx = SendQueue::new();
    for _ in 0..messages / 16 {
        for _ in 0..16 {
            assert!(connection.send_owned(&mut tx, Kind::Binary, black_box(payload.clone())).is_ok());
        }
        transmit(&mut connection, &mut tx);
    }
}

fn pings(count: usize) {
    let mut wire = Vec::new();
    push_frame(&mut wire, 0x89, Some([1, 2, 3, 4]), b"are you there?");
    let mut connection = connection(Server);
    let mut rx = RecvBuf::new(Vec::new());
    let mut tx = SendBuf::new(Vec::new());
    for _ in 0..count {
        assert_eq!(rx.extend_from_slice(black_box(&wire)), wire.len());
        while let Some(event) = connection.receive(Instant::ZERO, &mut rx).unwrap() {
            black_box(event);
        }
        transmit(&mut connection, &mut tx);
    }
}

/// A browser's request, and no answer but the shortest.
fn accept_handshakes(count: usize) {
    const REQUEST: &[u8] =
        b"GET /chat HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nPragma: no-cache\r\n\
        Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n\
        Upgrade: websocket\r\nOrigin: http://example.com\r\nSec-WebSocket-Version: 13\r\n\
        Accept-Encoding: gzip, deflate\r\nAccept-Language: en-US,en;q=0.9\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    for _ in 0..count {
        let mut rx = RecvBuf::new([0; 1024]);
        let mut tx = SendBuf::new([0; 256]);
        assert_eq!(rx.extend_from_slice(black_box(REQUEST)), REQUEST.len());
        let mut handshake = ServerHandshake::new(HandshakeLimits::default(), Instant::ZERO);
        let request = handshake.receive(Instant::ZERO, &mut rx).unwrap().unwrap();
        request.accept(&AcceptOptions::default(), &mut tx).unwrap();
        black_box(poll_transmit(&mut tx).unwrap().slices()[0]);
    }
}

fn transmit<O: Outbound>(connection: &mut Connection, tx: &mut O) {
    while let Some(mut transmit) = connection.poll_transmit(Instant::ZERO, tx) {
        let mut written = 0;
        for slice in transmit.slices().iter() {
            written += black_box(slice).len();
        }
        transmit.advance(written);
    }
}
