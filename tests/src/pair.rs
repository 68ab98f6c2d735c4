//! A client and a server, joined by two links that cut what goes through them.

use std::collections::VecDeque;

use ws_proto::{Config, Instant, TransportAction};

use crate::endpoint::Endpoint;

/// One of the two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// What is on its way to one side.
#[derive(Debug, Default)]
struct Link {
    bytes: VecDeque<u8>,
    /// All that ever went through.
    log: Vec<u8>,
    /// The sender ended its side; behind the bytes, this arrives.
    ended: bool,
    /// The receiver has noticed.
    end_seen: bool,
    /// The transport is gone: nothing arrives any more.
    broken: bool,
}

/// Two endpoints, their clock, and what is on the way between them.
#[derive(Debug)]
pub struct Pair {
    /// The client.
    pub client: Endpoint,
    /// The server.
    pub server: Endpoint,
    /// The sizes of the pieces into which writes and reads are cut, over and over.
    pub cut: Vec<usize>,
    next_cut: usize,
    to_client: Link,
    to_server: Link,
}

impl Pair {
    /// Two endpoints with the same configuration.
    pub fn new(config: Config) -> Self {
        Self {
            client: Endpoint::client_with(config),
            server: Endpoint::server_with(config),
            cut: vec![usize::MAX],
            next_cut: 0,
            to_client: Link::default(),
            to_server: Link::default(),
        }
    }

    /// With these cuts.
    #[must_use]
    pub fn cut(mut self, sizes: &[usize]) -> Self {
        self.cut = sizes.to_vec();
        self
    }

    /// One of the two.
    pub fn side(&mut self, side: Side) -> &mut Endpoint {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// All bytes that `side` ever sent.
    pub fn sent_by(&self, side: Side) -> &[u8] {
        match side {
            Side::Client => &self.to_server.log,
            Side::Server => &self.to_client.log,
        }
    }

    /// The clock goes to `now` for both.
    pub fn time(&mut self, now: Instant) {
        self.client.time(now);
        self.server.time(now);
    }

    /// `side` transmits at most `room` bytes onto its link.
    pub fn transmit(&mut self, side: Side, room: usize) -> usize {
        let (end, link) = match side {
            Side::Client => (&mut self.client, &mut self.to_server),
            Side::Server => (&mut self.server, &mut self.to_client),
        };
        if link.ended || link.broken {
            return 0;
        }
        let bytes = end.transmit(room);
        link.log.extend_from_slice(&bytes);
        link.bytes.extend(&bytes);
        bytes.len()
    }

    /// At most `room` bytes arrive at `side`, or the end of the stream does. Says whether anything happened.
    pub fn deliver(&mut self, side: Side, room: usize) -> bool {
        let (end, link) = match side {
            Side::Client => (&mut self.client, &mut self.to_client),
            Side::Server => (&mut self.server, &mut self.to_server),
        };
        if link.bytes.is_empty() {
            if link.ended && !link.end_seen {
                link.end_seen = true;
                while end.receive_one() {}
                let _ = end.conn.receive_eof();
                return true;
            }
            return false;
        }
        let n = room.max(1).min(link.bytes.len());
        let piece: Vec<u8> = link.bytes.drain(..n).collect();
        end.hear_bytes(&piece);
        true
    }

    /// Does to the transport of `side` what the connection says, and tells what that was.
    pub fn act(&mut self, side: Side) -> TransportAction {
        let (end, out, input) = match side {
            Side::Client => (&mut self.client, &mut self.to_server, &mut self.to_client),
            Side::Server => (&mut self.server, &mut self.to_client, &mut self.to_server),
        };
        let action = end.conn.transport_action(&end.tx);
        match action {
            TransportAction::Keep => {}
            TransportAction::ShutdownWrite => out.ended = true,
            TransportAction::Close => {
                out.ended = true;
                input.bytes.clear();
                input.broken = true;
            }
        }
        action
    }

    /// Ends the transport from `side` to the other, as a crash or a cable does: what is on the way still arrives.
    pub fn break_off(&mut self, side: Side) {
        match side {
            Side::Client => self.to_server.ended = true,
            Side::Server => self.to_client.ended = true,
        }
    }

    /// Lets bytes go both ways, cut as configured, and the transports be wound up, until nothing moves any more. No
    /// time passes.
    pub fn settle(&mut self) {
        loop {
            let mut moved = false;
            for side in [Side::Client, Side::Server] {
                let room = self.next_cut();
                moved |= self.transmit(side, room) > 0;
                let room = self.next_cut();
                moved |= self.deliver(side, room);
                let ended = self.is_ended(side);
                self.act(side);
                moved |= ended != self.is_ended(side);
            }
            if !moved {
                return;
            }
        }
    }

    /// Whether `side` has ended its direction of the transport.
    pub fn is_ended(&self, side: Side) -> bool {
        match side {
            Side::Client => self.to_server.ended,
            Side::Server => self.to_client.ended,
        }
    }

    fn next_cut(&mut self) -> usize {
        let cut = self.cut.get(self.next_cut % self.cut.len().max(1)).copied().unwrap_or(usize::MAX);
        self.next_cut += 1;
        cut.max(1)
    }
}
