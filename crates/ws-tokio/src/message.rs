//! Messages that own their payload.

use bytes::Bytes;
use ws_proto::{CloseCode, Event, Kind, OwnedMessage, Ready, RecvBuf};

use crate::lent::Lent;
use crate::utf8_bytes::Utf8Bytes;

/// A message or control frame that owns its payload.
///
/// Cloning is cheap: the payload is shared. A message sent to many connections is held once.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Message {
    /// Any bytes.
    Binary(Bytes),
    /// A Close frame. Received: the peer's, already answered, and the last message. Sent: begins the closing
    /// handshake.
    Close(CloseFrame),
    /// A ping of at most 125 bytes. Received ones are already answered.
    Ping(Bytes),
    /// A pong of at most 125 bytes.
    Pong(Bytes),
    /// Text.
    Text(Utf8Bytes),
}

impl Message {
    /// A binary message.
    pub fn binary(payload: impl Into<Bytes>) -> Self {
        Self::Binary(payload.into())
    }

    /// A text message.
    pub fn text(payload: impl Into<Utf8Bytes>) -> Self {
        Self::Text(payload.into())
    }

    /// The text, if this is a text message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What was received: a large message with the buffer that it lies in, anything else as a copy.
    pub(crate) fn received(rx: &mut Lent<RecvBuf<Vec<u8>>>, ready: Ready) -> Self {
        match rx.present_mut().and_then(|rx| ready.take(rx)) {
            Some(message) => message.into(),
            None => ready.event(rx.get()).into(),
        }
    }

    /// The bytes that it carries; of a Close the reason.
    pub(crate) fn payload(&self) -> &[u8] {
        match self {
            Self::Binary(payload) | Self::Ping(payload) | Self::Pong(payload) => payload,
            Self::Close(frame) => frame.reason.as_ref(),
            Self::Text(text) => text.as_ref(),
        }
    }

    /// Whether this is application data, text or binary.
    pub const fn is_data(&self) -> bool {
        matches!(self, Self::Binary(_) | Self::Text(_))
    }
}

/// Does not copy: the memory is shared, and given back when the last clone is dropped.
impl From<OwnedMessage> for Message {
    fn from(message: OwnedMessage) -> Self {
        match message.kind() {
            Kind::Binary => Self::Binary(Bytes::from_owner(message)),
            Kind::Text => Self::Text(Utf8Bytes::from_received(message)),
        }
    }
}

/// Copies the payload: an owned message does not keep the receive buffer alive.
impl From<Event<'_>> for Message {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Close(frame) => Self::Close(CloseFrame { code: frame.code, reason: frame.reason.into() }),
            Event::Data(ws_proto::Message::Binary(bytes)) => Self::Binary(Bytes::copy_from_slice(bytes)),
            Event::Data(ws_proto::Message::Text(text)) => Self::Text(text.into()),
            Event::Ping(payload) => Self::Ping(Bytes::copy_from_slice(payload)),
            Event::Pong(payload) => Self::Pong(Bytes::copy_from_slice(payload)),
        }
    }
}

/// The content of a Close frame, owned.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct CloseFrame {
    /// The code; [`CloseCode::NO_STATUS`] for an empty frame.
    pub code: CloseCode,
    /// The reason, at most 123 bytes; for people who debug, not for end users.
    pub reason: Utf8Bytes,
}
