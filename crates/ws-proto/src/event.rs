//! What was received: events that borrow the receive buffer and nothing else.

use crate::buf::recv::{EventNumber, RecvBuf};
use crate::buf::storage::Storage;
use crate::close_code::CloseCode;
use crate::rsv::Rsv;

/// The kind of a message: its opcode, without the ones that messages cannot have.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// Any bytes.
    Binary,
    /// UTF-8, all fragments together.
    Text,
}

/// A whole message, put together from all its fragments.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Message<'b> {
    /// Any bytes.
    Binary(&'b [u8]),
    /// Text, checked.
    Text(&'b str),
}

impl<'b> Message<'b> {
    /// The payload, of either kind.
    pub const fn as_bytes(&self) -> &'b [u8] {
        match self {
            Self::Binary(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
        }
    }

    /// Which of the two it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Binary(_) => Kind::Binary,
            Self::Text(_) => Kind::Text,
        }
    }
}

/// What [`Connection::receive`](crate::Connection::receive) gives: something the peer sent.
///
/// It borrows the [`RecvBuf`] alone, so that connection and send buffer are free to answer while it lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event<'b, D = Message<'b>> {
    /// The peer's Close frame; the last event. It is answered already, unless `Config::automatic_close` says otherwise.
    Close(CloseFrame<'b>),
    /// Application data.
    Data(D),
    /// A ping, with its payload of at most 125 bytes. It is answered already, unless `Config::automatic_pong` says
    /// otherwise.
    Ping(&'b [u8]),
    /// A pong, with the payload of the ping that it answers; or one that nobody asked for, which is legal.
    Pong(&'b [u8]),
}

/// The content of a Close frame (RFC 6455 section 5.5.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CloseFrame<'b> {
    /// The code; [`CloseCode::NO_STATUS`] if the frame was empty.
    pub code: CloseCode,
    /// The reason: at most 123 bytes, meant for people who debug, and possibly empty. Do not show it to end users.
    pub reason: &'b str,
}

/// What a message is made of, in the order in which it arrives, if it is received in pieces: see
/// [`Connection::receive_chunk`](crate::Connection::receive_chunk).
///
/// ```text
///   FrameStart  Data*  FrameEnd   FrameStart  Data*  FrameEnd ...
///   └─ text or binary ────────┘   └─ its continuation ──────┘   until FrameEnd { fin: true }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Chunk<'b> {
    /// The next part of the payload, as much as has arrived; never empty.
    ///
    /// Text comes in pieces of whole characters: a sequence that is cut waits for the rest of it.
    Data(Message<'b>),
    /// The frame is complete, and with `fin` the message as well.
    FrameEnd {
        /// Whether this was the last frame of its message.
        fin: bool,
    },
    /// A frame begins; none of its payload need have arrived.
    FrameStart(FrameHeader),
}

/// The header of a data frame.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FrameHeader {
    /// The kind of the message that the frame belongs to.
    pub kind: Kind,
    /// Whether the frame continues a message, instead of beginning one.
    pub continuation: bool,
    /// Whether it is the last of its message.
    pub fin: bool,
    /// Its reserved bits.
    pub rsv: Rsv,
    /// The length of its payload in bytes.
    pub len: u64,
}

/// An event that is ready, but not yet borrowed from the buffer in which it lies.
///
/// For adapters that wait in a loop and return from inside it: the borrow checker does not let such a loop return an
/// event that it borrowed, but it can break with a `Ready` and borrow at the end.
///
/// ```
/// # use ws_proto::{Connection, Error, Event, Instant, RecvBuf};
/// # fn fill(spare: &mut [u8]) -> usize { 0 }
/// fn next<'b>(
///     conn: &mut Connection,
///     rx: &'b mut RecvBuf<[u8; 4096]>,
///     now: Instant,
/// ) -> Result<Event<'b>, Error> {
///     let ready = loop {
///         if let Some(ready) = conn.poll_receive(now, rx)? {
///             break ready;
///         }
///         let n = fill(rx.spare_mut());
///         rx.commit(n);
///     };
///     Ok(ready.event(rx))
/// }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "the event is lost once the buffer is used again"]
pub struct Ready {
    pub(crate) kind: ReadyKind,
    pub(crate) number: EventNumber,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadyKind {
    Binary,
    Close(CloseCode),
    Ping,
    Pong,
    Text,
}

impl Ready {
    /// Whether the event is application data.
    pub const fn is_data(&self) -> bool {
        matches!(self.kind, ReadyKind::Binary | ReadyKind::Text)
    }

    /// Borrows the event from `rx`, the buffer that it was received from.
    ///
    /// If that buffer was used in between, by `spare_mut` or another receive, the payload may be gone: the event then
    /// has an empty one, and never other bytes.
    #[inline(always)]
    pub fn event<S: Storage>(self, rx: &RecvBuf<S>) -> Event<'_> {
        match self.kind {
            ReadyKind::Binary | ReadyKind::Text => Event::Data(self.message(rx)),
            ReadyKind::Close(code) => {
                Event::Close(CloseFrame { code, reason: rx.delivered_text(self.number) })
            }
            ReadyKind::Ping => Event::Ping(rx.delivered(self.number)),
            ReadyKind::Pong => Event::Pong(rx.delivered(self.number)),
        }
    }

    /// The same for what is known to be a message.
    #[inline(always)]
    pub(crate) fn message<S: Storage>(self, rx: &RecvBuf<S>) -> Message<'_> {
        match self.kind {
            ReadyKind::Text => Message::Text(rx.delivered_text(self.number)),
            _ => Message::Binary(rx.delivered(self.number)),
        }
    }
}

/// The same as [`Ready`] for messages that are received in pieces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "the event is lost once the buffer is used again"]
pub struct ReadyChunk {
    pub(crate) kind: ReadyChunkKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadyChunkKind {
    FrameEnd {
        fin: bool,
    },
    FrameStart(FrameHeader),
    /// A control frame, or a piece of payload.
    Other(Ready),
}

impl ReadyChunk {
    /// Whether the event is application data, and no control frame.
    pub const fn is_data(&self) -> bool {
        self.as_control().is_none()
    }

    /// The event, if it is a control frame.
    pub const fn as_control(&self) -> Option<Ready> {
        match self.kind {
            ReadyChunkKind::Other(ready) if !ready.is_data() => Some(ready),
            _ => None,
        }
    }

    /// Borrows the event from `rx`, the buffer that it was received from. See [`Ready::event`].
    #[inline]
    pub fn event<S: Storage>(self, rx: &RecvBuf<S>) -> Event<'_, Chunk<'_>> {
        match self.kind {
            ReadyChunkKind::FrameEnd { fin } => Event::Data(Chunk::FrameEnd { fin }),
            ReadyChunkKind::FrameStart(header) => Event::Data(Chunk::FrameStart(header)),
            ReadyChunkKind::Other(ready) => match ready.event(rx) {
                Event::Close(frame) => Event::Close(frame),
                Event::Data(message) => Event::Data(Chunk::Data(message)),
                Event::Ping(payload) => Event::Ping(payload),
                Event::Pong(payload) => Event::Pong(payload),
            },
        }
    }
}
