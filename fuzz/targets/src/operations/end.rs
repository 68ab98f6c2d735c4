//! One end of the pair: the connection, and the model of what it accepted and reported.

use bytes::Bytes;
use ws_proto::{
    Chunk, Config, Connection, Error, Event, Instant, Kind, Message, Outbound, RecvBuf, Role, SendBuf,
    SendError, SendQueue, State, Transmit, TransportAction,
};

use super::wire::Wire;
use crate::naive::Seen;

/// The three kinds of output.
#[derive(Debug)]
pub(super) enum Output {
    Unlimited(SendBuf<Vec<u8>>),
    Fixed(Box<SendBuf<[u8; 400]>>),
    Queue(SendQueue<Bytes>),
}

/// Evaluates an expression with whichever output it is.
macro_rules! with_output {
    ($output:expr, $tx:ident => $what:expr) => {
        match $output {
            Output::Unlimited($tx) => $what,
            Output::Fixed($tx) => {
                let $tx = &mut **$tx;
                $what
            }
            Output::Queue($tx) => $what,
        }
    };
}
pub(super) use with_output;

/// The limit of the queue.
pub(super) const QUEUE_LIMIT: usize = 3000;
/// What the connection holds beside its output: pongs and pings, and a Close frame.
const CONTROL: usize = 262 + 131;

/// A message that is being sent.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) kind: Kind,
    pub(super) plain: bool,
    pub(super) payload: Vec<u8>,
}

impl Partial {
    /// Whether its payload has to be UTF-8.
    pub(super) fn is_text(&self) -> bool {
        self.kind == Kind::Text && self.plain
    }
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) conn: Connection,
    pub(super) rx: RecvBuf<Vec<u8>>,
    pub(super) tx: Output,
    /// What it said, as frames.
    pub(super) wire: Wire,
    /// The messages that it accepted, and how many the other end has reported.
    pub(super) accepted: Vec<Seen>,
    pub(super) reported: usize,
    /// The same for pings of the application's.
    pub(super) pings: Vec<Vec<u8>>,
    pub(super) pings_reported: usize,
    pub(super) partial: Option<Partial>,
    /// Something was dropped on purpose.
    pub(super) dropped: bool,
    /// What has arrived of a message that comes in pieces.
    pieces: Vec<u8>,
    /// The one error, once it was reported.
    error: Option<Error>,
    close_reported: bool,
    state: State,
    largest: usize,
}

impl End {
    pub(super) fn new(role: Role, config: Config, tx: Output) -> Self {
        let wire = Wire::new(matches!(role, Role::Client(_)), 0x70);
        Self {
            conn: Connection::new(role, config, Instant::ZERO),
            rx: RecvBuf::new(Vec::new()),
            tx,
            wire,
            accepted: Vec::new(),
            reported: 0,
            pings: Vec::new(),
            pings_reported: 0,
            partial: None,
            dropped: false,
            pieces: Vec::new(),
            error: None,
            close_reported: false,
            state: State::Open,
            largest: 0,
        }
    }

    /// Whether nothing can be sent any more.
    pub(super) fn is_closing(&self) -> bool {
        self.conn.local_close().is_some() || self.conn.peer_close().is_some() || self.conn.error().is_some()
    }

    /// What going on with a message has to give, if there is room.
    pub(super) fn may_go_on(&self) -> Result<(), SendError> {
        if self.is_closing() {
            Err(SendError::Closing)
        } else if self.partial.is_none() {
            Err(SendError::NoMessage)
        } else {
            Ok(())
        }
    }

    /// Holds the answer to a send against what it has to be; says whether it was taken. `bytes` is how much output it
    /// may be.
    pub(super) fn judge(
        &mut self,
        result: Result<(), SendError>,
        expected: Result<(), SendError>,
        bytes: usize,
    ) -> bool {
        let is_room = matches!(result, Err(SendError::Full | SendError::MessageTooBig));
        if expected.is_ok() && is_room {
            match &self.tx {
                Output::Unlimited(_) => panic!("{result:?} with room for everything"),
                Output::Fixed(_) => {}
                Output::Queue(tx) => assert!(
                    result == Err(SendError::Full) && tx.buffered_amount() > 0,
                    "{result:?} from a queue that is empty"
                ),
            }
            return false;
        }
        assert_eq!(result, expected);
        if result.is_ok() {
            self.largest = self.largest.max(bytes);
        }
        result.is_ok()
    }

    /// Takes at most `room` bytes of output; they go onto the wire.
    pub(super) fn transmit(&mut self, now: Instant, room: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        let Self { conn, tx, .. } = self;
        with_output!(tx, tx => {
            while sent.len() < room {
                let wanted = conn.wants_transmit(tx);
                let Some(transmit) = conn.poll_transmit(now, tx) else {
                    assert!(!wanted, "wants_transmit, but there is nothing");
                    break;
                };
                assert!(wanted, "there is something, but wants_transmit denies it");
                take(transmit, room, &mut sent);
            }
        });
        self.wire.check(&sent);
        sent
    }

    /// Receives everything, in pieces or whole; `other` is the end that sent it.
    pub(super) fn receive(&mut self, now: Instant, mut ways: u8, other: &mut Self) {
        for _ in 0..4 * self.rx.unparsed().len() + 8 {
            let in_pieces = ways & 1 != 0;
            ways = ways.rotate_right(1);
            let received = if in_pieces {
                self.conn.receive_chunk(now, &mut self.rx).map(|event| {
                    event.map(|event| match event {
                        Event::Data(chunk) => Ok(chunk),
                        Event::Close(frame) => Err(Seen::Close(frame.code.as_u16(), frame.reason.to_owned())),
                        Event::Ping(payload) => Err(Seen::Ping(payload.to_vec())),
                        Event::Pong(payload) => Err(Seen::Pong(payload.to_vec())),
                    })
                })
            } else {
                self.conn.receive(now, &mut self.rx).map(|event| {
                    event.map(|event| match event {
                        Event::Data(message) => {
                            // Together with what was given in pieces before.
                            self.pieces.extend_from_slice(message.as_bytes());
                            Ok(Chunk::FrameEnd { fin: true })
                        }
                        other => Err(other.into()),
                    })
                })
            };
            match received {
                Ok(None) => {
                    assert_eq!(self.error, None, "the error is forgotten");
                    return;
                }
                Ok(Some(_)) if self.error.is_some() => panic!("an event behind {:?}", self.error),
                Ok(Some(_)) if self.close_reported => panic!("an event behind the Close frame"),
                Ok(Some(Ok(Chunk::Data(piece)))) => self.pieces.extend_from_slice(piece.as_bytes()),
                Ok(Some(Ok(Chunk::FrameEnd { fin: true }))) => {
                    let text = self.conn.received_kind() == Kind::Text && self.conn.received_rsv().is_empty();
                    let bytes = core::mem::take(&mut self.pieces);
                    let message = if text {
                        Seen::Text(String::from_utf8(bytes).expect("text"))
                    } else {
                        Seen::Binary(bytes)
                    };
                    assert_eq!(other.accepted.get(other.reported), Some(&message), "not what was sent next");
                    other.reported += 1;
                }
                Ok(Some(Ok(Chunk::FrameStart(_) | Chunk::FrameEnd { fin: false }))) => {}
                Ok(Some(Err(Seen::Close(code, _)))) => {
                    self.close_reported = true;
                    assert_eq!(self.conn.peer_close().map(u16::from), Some(code));
                    assert_eq!(
                        other.conn.local_close().map(u16::from),
                        Some(code),
                        "a code that nobody sent"
                    );
                }
                Ok(Some(Err(Seen::Ping(payload)))) if payload.starts_with(b"ping") => {}
                Ok(Some(Err(Seen::Ping(payload)))) => {
                    assert_eq!(other.pings.get(other.pings_reported), Some(&payload), "not the next ping");
                    other.pings_reported += 1;
                }
                Ok(Some(Err(_))) => {}
                Err(error) => {
                    assert!(self.error.is_none_or(|before| before == error), "{:?}, {error:?}", self.error);
                    // The other end is as good as this one: it breaks no rule.
                    assert!(matches!(error, Error::Timeout(_) | Error::UnexpectedEof), "{error:?}");
                    self.error = Some(error);
                    return;
                }
            }
        }
        panic!("polls without progress");
    }

    /// What holds at any time.
    pub(super) fn check(&mut self) {
        let state = self.conn.state();
        let forward = match self.state {
            State::Open => true,
            State::Closing => state != State::Open,
            State::Closed => state == State::Closed,
        };
        assert!(forward, "{:?} became {state:?}", self.state);
        self.state = state;
        assert!(self.error.is_none() || self.conn.error() == self.error);
        assert!(!self.wire.is_closed() || self.conn.local_close().is_some());
        assert!(!self.conn.is_clean() || self.conn.error().is_none());
        let buffered = with_output!(&mut self.tx, tx => tx.buffered_amount());
        let limit = match self.tx {
            Output::Unlimited(_) => usize::MAX,
            Output::Fixed(_) => 400,
            Output::Queue(_) => QUEUE_LIMIT.max(self.largest),
        };
        assert!(buffered <= limit, "{buffered} bytes wait");
        if self.action() == TransportAction::Close {
            assert_eq!(self.conn.poll_timeout(), None, "nothing is left to wait for");
        }
    }

    pub(super) fn action(&mut self) -> TransportAction {
        with_output!(&mut self.tx, tx => self.conn.transport_action(tx))
    }

    /// The message that is being sent is complete.
    pub(super) fn finish_partial(&mut self) {
        let partial = self.partial.take().expect("a message in progress");
        self.accepted.push(if partial.is_text() {
            Seen::Text(String::from_utf8(partial.payload).expect("accepted as text"))
        } else {
            Seen::Binary(partial.payload)
        });
    }
}

/// Moves what there is room for from the connection to `sent`.
fn take<O: Outbound>(mut transmit: Transmit<'_, O>, room: usize, sent: &mut Vec<u8>) {
    let before = sent.len();
    {
        let slices = transmit.slices();
        assert!(!slices.is_empty() && slices.iter().all(|slice| !slice.is_empty()));
        for slice in slices.iter() {
            let n = slice.len().min(room - sent.len());
            sent.extend_from_slice(&slice[..n]);
        }
    }
    let n = sent.len() - before;
    transmit.advance(n);
}

/// The largest number of bytes that can wait in a connection beside its output.
pub(super) const fn control_bound() -> usize {
    CONTROL
}

/// A message, as the connection takes it.
pub(super) fn message(kind: Kind, payload: &[u8]) -> Message<'_> {
    match kind {
        Kind::Binary => Message::Binary(payload),
        Kind::Text => Message::Text(core::str::from_utf8(payload).expect("made to be text")),
    }
}
