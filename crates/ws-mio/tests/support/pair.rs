//! Two connections over a real socket, driven by mio in one loop.

#![allow(clippy::panic, clippy::unwrap_used)] // The helpers of tests may do as tests do.

use std::io::{self, Read, Write};
use std::time::Duration;

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};
use ws_mio::{Clock, Config, Error, Event, Instant, MaskKeys, Reply, Role, Transport, WebSocket};

pub const SERVER: Token = Token(0);
pub const CLIENT: Token = Token(1);

/// A stream that counts its system calls.
#[derive(Debug)]
pub struct Counted {
    pub stream: TcpStream,
    pub reads: usize,
    pub writes: usize,
}

impl From<TcpStream> for Counted {
    fn from(stream: TcpStream) -> Self {
        Self { stream, reads: 0, writes: 0 }
    }
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        self.stream.read(buf)
    }
}

impl Write for Counted {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        self.stream.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.writes += 1;
        self.stream.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Transport for Counted {
    const SHORT_MEANS_BLOCKED: bool = TcpStream::SHORT_MEANS_BLOCKED;

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown_write()
    }
}

impl Source for Counted {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.stream.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.stream.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.stream.deregister(registry)
    }
}

/// Both ends of one connection, in one loop.
pub struct Pair {
    pub poll: Poll,
    pub clock: Clock,
    pub server: Option<WebSocket<Counted>>,
    pub client: Option<WebSocket<Counted>>,
    pub server_errors: Vec<Error>,
    pub client_errors: Vec<Error>,
}

pub fn streams() -> (TcpStream, TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for stream in [&server, &client] {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
    }
    (TcpStream::from_std(server), TcpStream::from_std(client))
}

impl Pair {
    pub fn new(config: Config) -> Self {
        let (server, client) = streams();
        let clock = Clock::new();
        let now = clock.now();
        let keys = MaskKeys::from_seed([9; 32]);
        Self {
            poll: Poll::new().unwrap(),
            clock,
            server: Some(WebSocket::from_upgraded(server.into(), Role::Server, config, now, &[])),
            client: Some(WebSocket::from_upgraded(client.into(), Role::Client(keys), config, now, &[])),
            server_errors: Vec::new(),
            client_errors: Vec::new(),
        }
    }

    pub fn server(&mut self) -> &mut WebSocket<Counted> {
        self.server.as_mut().unwrap()
    }

    pub fn client(&mut self) -> &mut WebSocket<Counted> {
        self.client.as_mut().unwrap()
    }

    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Runs the loop until `done`, which sees both ends after every round.
    pub fn run(
        &mut self,
        mut on_server: impl FnMut(Event<'_>, Reply<'_>),
        mut on_client: impl FnMut(Event<'_>, Reply<'_>),
        mut done: impl FnMut(&mut Self) -> bool,
    ) {
        let mut events = Events::with_capacity(16);
        let give_up = self.now() + Duration::from_secs(60);
        loop {
            let now = self.clock.now();
            assert!(now < give_up, "nothing more happens: {:?} {:?}", self.server, self.client);
            turn(
                &mut self.server,
                now,
                &mut on_server,
                &mut self.server_errors,
                self.poll.registry(),
                SERVER,
            );
            turn(
                &mut self.client,
                now,
                &mut on_client,
                &mut self.client_errors,
                self.poll.registry(),
                CLIENT,
            );
            if done(self) {
                return;
            }
            let ends = [&self.server, &self.client];
            let deadline = ends.into_iter().flatten().filter_map(WebSocket::poll_timeout).min();
            let timeout = deadline.unwrap_or(give_up).min(give_up).saturating_duration_since(now);
            self.poll.poll(&mut events, Some(timeout)).unwrap();
            for event in &events {
                match event.token() {
                    SERVER => self.server.iter_mut().for_each(|ws| ws.handle_event(event)),
                    _ => self.client.iter_mut().for_each(|ws| ws.handle_event(event)),
                }
            }
        }
    }
}

fn turn(
    ws: &mut Option<WebSocket<Counted>>,
    now: Instant,
    on_event: &mut impl FnMut(Event<'_>, Reply<'_>),
    errors: &mut Vec<Error>,
    registry: &Registry,
    token: Token,
) {
    let Some(ws) = ws else { return };
    ws.handle_timeout(now);
    loop {
        match ws.next(now) {
            Ok(Some((event, reply))) => on_event(event, reply),
            Ok(None) => break,
            Err(error) => errors.push(error),
        }
    }
    ws.register(registry, token).unwrap();
}

pub fn echo(event: Event<'_>, mut reply: Reply<'_>) {
    if let Event::Data(message) = event {
        reply.send(message).unwrap();
    }
}

pub fn ignore(_: Event<'_>, _: Reply<'_>) {}

/// The stream for whoever wants to wait.
pub fn std_stream(stream: TcpStream) -> std::net::TcpStream {
    let stream = std::net::TcpStream::from(stream);
    stream.set_nonblocking(false).unwrap();
    stream
}
