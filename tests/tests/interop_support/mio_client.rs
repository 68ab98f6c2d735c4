//! Our client over mio, one turn after the other.

use mio::net::TcpStream;
use mio::{Events, Poll, Token};
use ws_mio::handshake::{ClientRequest, HandshakeLimits, Uri};
use ws_mio::{Clock, CloseCode, Config, Event, Kind, Message, Side, WebSocket, connect};

use super::{Compression, MAX_MESSAGE};

const SOCKET: Token = Token(0);

/// Talks to the server at `url`, which is one that this process did not write, and closes with 4000.
pub(super) fn talk(url: &str, compression: Compression) {
    let mut client = Client::open(url, compression);
    let long = "ä".repeat(70_000);
    for text in ["hello", "", "grüße, € und \u{1F600}", &long] {
        client.ws.send(Message::Text(text)).unwrap();
        client.expect(Message::Text(text));
    }
    for size in [0, 256, 70_000, 1 << 20] {
        let bytes = vec![0xA5; size];
        client.ws.send(Message::Binary(&bytes)).unwrap();
        client.expect(Message::Binary(&bytes));
    }
    for (part, fin) in [("frag", false), ("", false), ("ment", false), ("ed", true)] {
        client.ws.send_fragment(Kind::Text, part.as_bytes(), fin).unwrap();
    }
    client.expect(Message::Text("fragmented"));
    for n in 0..1000 {
        client.ws.send(Message::Text(&n.to_string())).unwrap();
    }
    for n in 0..1000 {
        client.expect(Message::Text(&n.to_string()));
    }
    // The server's ping is answered by itself, and the server says that it was.
    client.ws.send(Message::Text("!ping")).unwrap();
    client.expect(Message::Text("pong: from the server"));

    let now = client.clock.now();
    client.ws.close(now, CloseCode::from(4000), "grüße vom Client").unwrap();
    while !client.ws.is_closed() {
        assert_eq!(client.next_data(), None);
    }
    let outcome = client.ws.outcome().unwrap();
    assert!(outcome.clean && outcome.closed_by == Some(Side::Local), "{outcome}");
    assert_eq!(outcome.code().as_u16(), 4000);
}

struct Client {
    poll: Poll,
    events: Events,
    clock: Clock,
    ws: WebSocket<TcpStream>,
}

impl Client {
    fn open(url: &str, compression: Compression) -> Self {
        let uri = Uri::parse(url).unwrap();
        let request = ClientRequest::new(uri).subprotocols(&["other", "echo"]);
        let request = compression.config().map_or(request, |config| request.deflate(config));
        let (mut poll, mut events, clock) = (Poll::new().unwrap(), Events::with_capacity(8), Clock::new());
        let stream = TcpStream::connect(format!("{}:{}", uri.host(), uri.port()).parse().unwrap()).unwrap();
        let mut connecting = connect(stream, &request, HandshakeLimits::default(), clock.now())
            .map_err(|(error, _)| error)
            .unwrap();
        while !connecting.poll(clock.now()).unwrap() {
            connecting.register(poll.registry(), SOCKET).unwrap();
            let timeout = connecting.poll_timeout().map(|at| at.saturating_duration_since(clock.now()));
            poll.poll(&mut events, timeout).unwrap();
            events.iter().for_each(|event| connecting.handle_event(event));
            connecting.handle_timeout(clock.now());
        }
        let config = Config::default().max_message_size(MAX_MESSAGE);
        let ws = connecting.finish(&request, config, clock.now()).unwrap();
        compression.check(ws.deflate_params());
        Self { poll, events, clock, ws }
    }

    fn expect(&mut self, expected: Message<'_>) {
        let (kind, bytes) = self.next_data().expect("the connection ended");
        assert!(
            kind == expected.kind() && bytes == expected.as_bytes(),
            "another message of {} bytes",
            bytes.len()
        );
    }

    /// The next message; `None` if the connection is over.
    fn next_data(&mut self) -> Option<(Kind, Vec<u8>)> {
        loop {
            let now = self.clock.now();
            self.ws.handle_timeout(now);
            while let Some((event, _)) = self.ws.next(now).unwrap() {
                if let Event::Data(message) = event {
                    return Some((message.kind(), message.as_bytes().to_vec()));
                }
            }
            if self.ws.is_closed() {
                return None;
            }
            self.ws.register(self.poll.registry(), SOCKET).unwrap();
            let timeout = self.ws.poll_timeout().map(|at| at.saturating_duration_since(self.clock.now()));
            self.poll.poll(&mut self.events, timeout).unwrap();
            self.events.iter().for_each(|event| self.ws.handle_event(event));
        }
    }
}
