//! One end of a connection with its buffers and its idea of the time, and a record of what it reported.

use ws_proto::{
    CloseCode, Config, Connection, Error, Event, Instant, Kind, MaskKeys, Message, Outbound, RecvBuf, Role,
    SendBuf, SendError, Storage,
};

use crate::frame::{Frame, frames, wire};

/// An event, copied out of the buffer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Seen {
    /// A binary message.
    Binary(Vec<u8>),
    /// A Close frame: code and reason.
    Close(u16, String),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A text message.
    Text(String),
}

impl Seen {
    /// A binary message.
    pub fn binary(payload: impl AsRef<[u8]>) -> Self {
        Self::Binary(payload.as_ref().to_vec())
    }

    /// A Close frame.
    pub fn close(code: u16, reason: &str) -> Self {
        Self::Close(code, reason.to_owned())
    }

    /// A ping.
    pub fn ping(payload: impl AsRef<[u8]>) -> Self {
        Self::Ping(payload.as_ref().to_vec())
    }

    /// A pong.
    pub fn pong(payload: impl AsRef<[u8]>) -> Self {
        Self::Pong(payload.as_ref().to_vec())
    }

    /// A text message.
    pub fn text(payload: &str) -> Self {
        Self::Text(payload.to_owned())
    }
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Close(frame) => Self::Close(frame.code.as_u16(), frame.reason.to_owned()),
            Event::Data(Message::Binary(bytes)) => Self::binary(bytes),
            Event::Data(Message::Text(text)) => Self::text(text),
            Event::Ping(payload) => Self::ping(payload),
            Event::Pong(payload) => Self::pong(payload),
        }
    }
}

/// A client whose masking keys come from a fixed seed.
pub fn client_role() -> Role {
    Role::Client(MaskKeys::from_seed([42; 32]))
}

/// A client that masks everything with [`KEY`](crate::KEY).
pub fn fixed_key_role() -> Role {
    Role::Client(MaskKeys::from_fn(|| crate::KEY))
}

/// A connection with its buffers and its clock.
#[derive(Debug)]
pub struct Endpoint<S: Storage = Vec<u8>, O = SendBuf<Vec<u8>>> {
    /// The connection under test.
    pub conn: Connection,
    /// Its receive buffer.
    pub rx: RecvBuf<S>,
    /// Its output.
    pub tx: O,
    /// What time it is here.
    pub now: Instant,
    /// Whether what it receives is masked: it is a server.
    pub is_server: bool,
    seen: Vec<Seen>,
    error: Option<Error>,
}

impl Endpoint {
    /// A server with the default configuration, without keepalive so that time plays no role.
    pub fn server() -> Self {
        Self::server_with(Config::default().ping_interval(None))
    }

    /// A client, likewise.
    pub fn client() -> Self {
        Self::client_with(Config::default().ping_interval(None))
    }

    /// A server with this configuration.
    pub fn server_with(config: Config) -> Self {
        Self::with(Role::Server, config, Vec::new(), SendBuf::new(Vec::new()))
    }

    /// A client with this configuration.
    pub fn client_with(config: Config) -> Self {
        Self::with(client_role(), config, Vec::new(), SendBuf::new(Vec::new()))
    }

    /// A client or a server, without keepalive.
    pub fn of(is_server: bool) -> Self {
        if is_server { Self::server() } else { Self::client() }
    }
}

impl<S: Storage, O: Outbound> Endpoint<S, O> {
    /// An endpoint with its own buffers. Its clock begins at the epoch.
    pub fn with(role: Role, config: Config, storage: S, tx: O) -> Self {
        let is_server = matches!(role, Role::Server);
        Self {
            conn: Connection::new(role, config, Instant::ZERO),
            rx: RecvBuf::new(storage),
            tx,
            now: Instant::ZERO,
            is_server,
            seen: Vec::new(),
            error: None,
        }
    }

    // What it hears.

    /// Frames of the peer arrive in one read.
    pub fn hear(&mut self, frames: &[Frame]) {
        let bytes = wire(frames, self.is_server);
        self.hear_bytes(&bytes);
    }

    /// Bytes arrive in as few reads as the buffer allows; everything is received that can be.
    pub fn hear_bytes(&mut self, bytes: &[u8]) {
        let mut at = 0;
        loop {
            let spare = self.rx.spare_mut();
            let n = spare.len().min(bytes.len() - at);
            spare[..n].copy_from_slice(&bytes[at..at + n]);
            self.rx.commit(n);
            at += n;
            while self.receive_one() {}
            if at == bytes.len() || self.error.is_some() {
                return;
            }
            assert!(!self.rx.spare_mut().is_empty(), "an empty spare after receive gave None");
        }
    }

    /// Bytes arrive in these pieces, each of them a read.
    pub fn hear_pieces(&mut self, pieces: &[&[u8]]) {
        for piece in pieces {
            self.hear_bytes(piece);
        }
    }

    /// Bytes arrive in these pieces, and after each event everything is transmitted, so that what is said does not
    /// depend on the cuts. Gives that.
    pub fn converse(&mut self, pieces: &[&[u8]]) -> Vec<u8> {
        let mut said = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() && self.error.is_none() {
                let taken = self.rx.extend_from_slice(rest);
                assert_ne!(taken, 0, "no room after receive gave None");
                rest = &rest[taken..];
                while self.receive_one() {
                    said.extend(self.say_bytes());
                }
            }
        }
        said.extend(self.say_bytes());
        said
    }

    /// Receives once, records what came, and says whether something did.
    pub fn receive_one(&mut self) -> bool {
        match self.conn.receive(self.now, &mut self.rx) {
            Ok(Some(event)) => {
                assert_eq!(self.error, None, "an event after an error");
                self.seen.push(event.into());
                true
            }
            Ok(None) => {
                assert_eq!(self.error, None, "the error is forgotten");
                false
            }
            Err(error) => {
                assert!(self.error.is_none_or(|before| before == error), "{:?} became {error:?}", self.error);
                assert_eq!(self.conn.error(), Some(error));
                self.error = Some(error);
                false
            }
        }
    }

    /// What was reported since this was last asked.
    pub fn events(&mut self) -> Vec<Seen> {
        core::mem::take(&mut self.seen)
    }

    /// The error that receiving gave, if it did.
    pub fn error(&self) -> Option<Error> {
        self.error
    }

    // What it is told to do.

    /// Sends a text.
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.conn.send(&mut self.tx, Message::Text(text))
    }

    /// Sends a binary message.
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.conn.send(&mut self.tx, Message::Binary(bytes))
    }

    /// Sends a part of a message.
    pub fn send_fragment(&mut self, kind: Kind, bytes: &[u8], fin: bool) -> Result<(), SendError> {
        self.conn.send_fragment(&mut self.tx, kind, bytes, fin)
    }

    /// Closes gracefully.
    pub fn close(&mut self, code: u16, reason: &str) -> Result<(), SendError> {
        self.conn.close(self.now, CloseCode::from(code), reason)
    }

    /// Closes at once.
    pub fn close_now(&mut self, code: u16, reason: &str) -> Result<(), SendError> {
        self.conn.close_now(self.now, CloseCode::from(code), reason)
    }

    /// The clock goes to `now`, and the connection is told.
    pub fn time(&mut self, now: Instant) {
        self.now = now;
        self.conn.handle_timeout(now);
    }

    // What it says.

    /// Transmits at most `room` bytes, and gives them.
    pub fn transmit(&mut self, room: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while sent.len() < room {
            let wanted = self.conn.wants_transmit(&self.tx);
            let Some(mut transmit) = self.conn.poll_transmit(self.now, &mut self.tx) else {
                assert!(!wanted, "wants_transmit, but there is nothing");
                break;
            };
            assert!(wanted, "there is something, but wants_transmit denies it");
            let slices = transmit.slices();
            assert!(!slices.is_empty() && slices.iter().all(|slice| !slice.is_empty()));
            if let Some(bytes) = transmit.contiguous() {
                assert_eq!(*slices, [bytes]);
            }
            let before = sent.len();
            for slice in slices.iter() {
                let n = slice.len().min(room - sent.len());
                sent.extend_from_slice(&slice[..n]);
            }
            transmit.advance(sent.len() - before);
        }
        sent
    }

    /// Transmits everything, and gives the bytes.
    pub fn say_bytes(&mut self) -> Vec<u8> {
        self.transmit(usize::MAX)
    }

    /// Transmits everything, and gives the frames that it was.
    pub fn say(&mut self) -> Vec<Frame> {
        let bytes = self.say_bytes();
        frames(&bytes, !self.is_server)
    }
}
