//! What was received: events that borrow the receive buffer and nothing else.

use crate::buf::recv::{Delivered, RecvBuf};
use crate::buf::storage::Storage;
use crate::close_code::CloseCode;

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
    pub(crate) place: Delivered,
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
    /// If that buffer was used in between, by `spare_mut`, `commit` or another receive, the payload is gone: the event
    /// then has an empty one.
    #[inline]
    pub fn event<S: Storage>(self, rx: &RecvBuf<S>) -> Event<'_> {
        match self.kind {
            ReadyKind::Binary => Event::Data(Message::Binary(rx.delivered(self.place))),
            ReadyKind::Text => Event::Data(Message::Text(rx.delivered_text(self.place))),
            ReadyKind::Close(code) => {
                Event::Close(CloseFrame { code, reason: rx.delivered_text(self.place) })
            }
            ReadyKind::Ping => Event::Ping(rx.delivered(self.place)),
            ReadyKind::Pong => Event::Pong(rx.delivered(self.place)),
        }
    }
}
