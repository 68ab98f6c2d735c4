//! Many connections that send batches and wait for what comes back.

use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::upgrade;
use crate::payload::{Content, Random};
use crate::wire::{push_frame, read_frames};

/// What a load consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Traffic {
    /// How many connections.
    pub connections: usize,
    /// How long each message is.
    pub size: usize,
    /// How many messages each connection sends at once; when all are back, it sends the next.
    pub in_flight: usize,
}

/// Connections to a server.
#[derive(Debug)]
pub struct Generator {
    poll: Poll,
    connections: Vec<Connection>,
    load: Load,
    buffer: Vec<u8>,
}

/// What is sent, and what comes back.
#[derive(Clone, Debug)]
pub struct Load {
    in_flight: usize,
    batch: Vec<u8>,
    reply: usize,
    payloads: Vec<Vec<u8>>,
    raw: bool,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    written: usize,
    received: usize,
    since: Instant,
    /// What comes back, while that is looked at.
    kept: Option<Vec<u8>>,
}

/// What a run showed.
#[derive(Debug)]
pub struct Result {
    /// How many messages came back.
    pub messages: u64,
    /// How long a batch took, in nanoseconds.
    pub latency: Histogram<u64>,
}

impl Load {
    /// The load of a traffic; a `raw` server gives it back as it is.
    pub fn new(traffic: &Traffic, raw: bool) -> Self {
        let mut random = Random::new(3);
        let payloads: Vec<_> =
            (0..traffic.in_flight).map(|index| Content::Binary.payload(traffic.size, index as u64)).collect();
        let (mut batch, mut reply) = (Vec::new(), Vec::new());
        for payload in &payloads {
            push_frame(&mut batch, 0x82, Some(random.key()), payload);
            push_frame(&mut reply, 0x82, None, payload);
        }
        let reply = if raw { batch.len() } else { reply.len() };
        Self { in_flight: traffic.in_flight, batch, reply, payloads, raw }
    }
}

impl Generator {
    /// Opens the connections, and checks with a first batch on each that it comes back as it should.
    ///
    /// # Errors
    ///
    /// If the server does not answer, or wrongly.
    pub fn connect(port: u16, connections: usize, load: Load) -> io::Result<Self> {
        let poll = Poll::new()?;
        let connections = (0..connections).map(|index| {
            let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            upgrade::request(&mut stream)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            let since = Instant::now();
            Ok(Connection { stream, written: 0, received: load.reply, since, kept: None })
        });
        let connections = connections.collect::<io::Result<Vec<_>>>()?;
        Ok(Self { poll, connections, load, buffer: vec![0; 256 << 10] })
    }

    /// Sends one batch on each connection, and looks at all that comes back.
    ///
    /// # Errors
    ///
    /// If it is not what was sent, or does not come.
    pub fn check(&mut self) -> io::Result<()> {
        self.connections.iter_mut().for_each(|connection| connection.kept = Some(Vec::new()));
        self.run(Duration::ZERO)?;
        for connection in &mut self.connections {
            let kept = connection.kept.take().unwrap_or_default();
            let same = if self.load.raw {
                kept == self.load.batch
            } else {
                let payloads = read_frames(&kept).into_iter().map(|frame| frame.payload);
                payloads.eq(self.load.payloads.iter().cloned())
            };
            if !same {
                return Err(io::Error::other("what comes back is not what was sent"));
            }
        }
        Ok(())
    }

    /// Keeps all connections busy for so long, and waits for what is on its way then. Each sends at least one batch.
    ///
    /// # Errors
    ///
    /// If the server ends a connection, or does not answer any more.
    pub fn run(&mut self, duration: Duration) -> io::Result<Result> {
        let begun = Instant::now();
        let until = begun + duration;
        let Self { poll, connections, load, buffer } = self;
        let mut latency = Histogram::new(3).map_err(io::Error::other)?;
        let (mut messages, mut busy) = (0, connections.len());
        let mut events = Events::with_capacity(1024);
        for connection in connections.iter_mut() {
            connection.start(load, begun)?;
        }
        while busy > 0 {
            poll.poll(&mut events, Some(PATIENCE))?;
            if events.is_empty() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not answer any more"));
            }
            for event in &events {
                let connection = &mut connections[event.token().0];
                if !connection.turn(load, buffer)? {
                    continue;
                }
                let now = Instant::now();
                messages += load.in_flight as u64;
                latency += (now - connection.since).as_nanos() as u64;
                if now < until {
                    connection.start(load, now)?;
                } else {
                    busy -= 1;
                }
            }
        }
        Ok(Result { messages, latency })
    }
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Connection {
    fn start(&mut self, load: &Load, now: Instant) -> io::Result<()> {
        self.since = now;
        self.written = 0;
        self.received = 0;
        self.write(load)
    }

    /// Goes on with the batch; says whether that is complete now.
    fn turn(&mut self, load: &Load, buffer: &mut [u8]) -> io::Result<bool> {
        let before = self.received;
        self.write(load)?;
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hangs up")),
                Ok(n) => {
                    self.received += n;
                    if let Some(kept) = &mut self.kept {
                        kept.extend_from_slice(&buffer[..n]);
                    }
                    // A read that leaves room has drained the socket; there will be another event.
                    if n < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if self.received > load.reply {
            return Err(io::Error::other("the server sends more than was asked for"));
        }
        Ok(before < load.reply && self.received == load.reply)
    }

    fn write(&mut self, load: &Load) -> io::Result<()> {
        while self.written < load.batch.len() {
            match self.stream.write(&load.batch[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
