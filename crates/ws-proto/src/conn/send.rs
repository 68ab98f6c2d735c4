//! Sending: messages in, frames queued.

use super::Connection;
use crate::buf::outbound::{Frame, NoRoom, Outbound};
#[cfg(feature = "alloc")]
use crate::buf::queue::SendQueue;
use crate::error::SendError;
use crate::event::{Kind, Message};
use crate::utf8::Utf8Validator;
use crate::wire::header::{EncodedHeader, MAX_CONTROL_PAYLOAD, Opcode};

/// What is known of a message that is being sent in fragments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing {
    /// The kind of the message, if its last fragment is still to come.
    unfinished: Option<Kind>,
    utf8: Utf8Validator,
}

impl Outgoing {
    pub(super) const fn new() -> Self {
        Self { unfinished: None, utf8: Utf8Validator::new() }
    }
}

impl From<NoRoom> for SendError {
    fn from(no_room: NoRoom) -> Self {
        match no_room {
            NoRoom::Never => Self::MessageTooBig,
            NoRoom::Now => Self::Full,
        }
    }
}

impl Kind {
    const fn opcode(self) -> Opcode {
        match self {
            Self::Binary => Opcode::Binary,
            Self::Text => Opcode::Text,
        }
    }
}

impl Connection {
    /// Queues a message: as one frame, or as several if it is longer than `Config::fragment_size`. The payload is
    /// copied once, and masked on the way if this is a client.
    ///
    /// Nothing is transmitted yet; see [`poll_transmit`](Self::poll_transmit).
    ///
    /// # Errors
    ///
    /// `Full`, `MessageTooBig`, `MessageInProgress` or `Closing`. Nothing is queued then.
    #[inline]
    pub fn send<O: Outbound>(&mut self, tx: &mut O, message: Message<'_>) -> Result<(), SendError> {
        self.check_message()?;
        self.push_message(tx, message.kind().opcode(), message.as_bytes(), true)
    }

    /// Queues a part of a message, `fin` with the last. The parts of a text need not end at a character.
    ///
    /// Frame boundaries carry no meaning for the peer (RFC 6455 section 5.4). Control frames may be sent between
    /// fragments, and other messages not.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; `MessageInProgress` if an unfinished message is of the other
    /// kind. Nothing is queued then.
    pub fn send_fragment<O: Outbound>(
        &mut self,
        tx: &mut O,
        kind: Kind,
        bytes: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        self.check_open()?;
        let (opcode, mut utf8) = match self.outgoing.unfinished {
            None => (kind.opcode(), Utf8Validator::new()),
            Some(unfinished) if unfinished == kind => (Opcode::Continuation, self.outgoing.utf8),
            Some(_) => return Err(SendError::MessageInProgress),
        };
        if kind == Kind::Text {
            let checked = utf8.update(bytes).and_then(|()| if fin { utf8.finish() } else { Ok(()) });
            checked.map_err(|_| SendError::InvalidUtf8)?;
        }
        self.push_message(tx, opcode, bytes, fin)?;
        self.outgoing = Outgoing { unfinished: if fin { None } else { Some(kind) }, utf8 };
        Ok(())
    }

    /// Queues a message whose payload is owned. If it is large and this is a server, it is not copied but transmitted
    /// from where it is, and dropped afterwards. A text is checked to be UTF-8; see
    /// [`send_owned_text`](Self::send_owned_text) for one that is known to be.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; the payload comes back, and nothing is queued.
    #[cfg(feature = "alloc")]
    pub fn send_owned<B: AsRef<[u8]>>(
        &mut self,
        tx: &mut SendQueue<B>,
        kind: Kind,
        payload: B,
    ) -> Result<(), (SendError, B)> {
        if kind == Kind::Text && core::str::from_utf8(payload.as_ref()).is_err() {
            return Err((SendError::InvalidUtf8, payload));
        }
        self.push_owned(tx, kind.opcode(), payload, |payload| payload)
    }

    /// The same as [`send_owned`](Self::send_owned) for text of a type that cannot be anything but UTF-8, such as
    /// `String`.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send); the text comes back, and nothing is queued.
    #[cfg(feature = "alloc")]
    pub fn send_owned_text<B, T>(&mut self, tx: &mut SendQueue<B>, text: T) -> Result<(), (SendError, T)>
    where
        B: AsRef<[u8]>,
        T: AsRef<str> + AsRef<[u8]> + Into<B>,
    {
        self.push_owned(tx, Opcode::Text, text, T::into)
    }

    #[cfg(feature = "alloc")]
    fn push_owned<B: AsRef<[u8]>, P: AsRef<[u8]>>(
        &mut self,
        tx: &mut SendQueue<B>,
        opcode: Opcode,
        payload: P,
        into: impl FnOnce(P) -> B,
    ) -> Result<(), (SendError, P)> {
        use crate::buf::outbound::sealed::Sealed as _;

        let bytes = payload.as_ref();
        let stays = !self.role.is_client() && bytes.len() <= self.config.fragment_size;
        let header = EncodedHeader::new(true, opcode, bytes.len(), None);
        let queued = self.check_message().and_then(|()| {
            if stays {
                Ok(tx.reserve(header.as_slice().len().saturating_add(bytes.len()))?)
            } else {
                // Masked or cut into fragments: written anew.
                self.push_message(tx, opcode, bytes, true)
            }
        });
        match queued {
            Err(error) => return Err((error, payload)),
            Ok(()) if stays => tx.push_owned(header, into(payload), true),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Queues a ping. It overtakes data that is queued. The peer's answer is `Event::Pong` with the same payload.
    ///
    /// Keepalive pings need none of this: see `Config::ping_interval`.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Full` if pings or long pongs before it wait for the transport; `Closing`
    /// after a Close frame was queued.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check_control(payload)?;
        let role = &mut self.role;
        self.outbox.push_ping(payload, || role.next_key()).map_err(|_| SendError::Full)
    }

    /// Queues a pong that no ping asked for, or that answers one if `Config::automatic_pong` is off. It overtakes data that
    /// is queued; if there is no room it replaces pongs that wait.
    ///
    /// # Errors
    ///
    /// `ControlFrameTooLong` beyond 125 bytes; `Closing` after a Close frame was queued.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check_control(payload)?;
        let key = self.role.next_key();
        self.outbox.push_pong(payload, key);
        Ok(())
    }

    /// Whether the next automatic pong may have to replace one that waits. An adapter that transmits when this becomes
    /// true answers every ping of a peer that reads, instead of only the latest.
    pub fn should_transmit(&self) -> bool {
        self.outbox.is_tight()
    }

    const fn check_open(&self) -> Result<(), SendError> {
        // After the peer's Close frame nobody listens any more; after ours nothing may follow.
        if self.close.is_queued() || self.peer_close.is_some() || self.error.is_some() {
            Err(SendError::Closing)
        } else {
            Ok(())
        }
    }

    /// Whether a whole message may be sent now.
    fn check_message(&self) -> Result<(), SendError> {
        self.check_open()?;
        if self.outgoing.unfinished.is_some() { Err(SendError::MessageInProgress) } else { Ok(()) }
    }

    const fn check_control(&self, payload: &[u8]) -> Result<(), SendError> {
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlFrameTooLong);
        }
        self.check_open()
    }

    /// Queues `bytes` in as many frames as `Config::fragment_size` asks for, all or none.
    fn push_message<O: Outbound>(
        &mut self,
        tx: &mut O,
        opcode: Opcode,
        bytes: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        let masked = self.role.is_client();
        let fragment_size = self.config.fragment_size;
        if bytes.len() <= fragment_size {
            tx.reserve(EncodedHeader::size_for(bytes.len(), masked).saturating_add(bytes.len()))?;
            self.push_frame(tx, opcode, bytes, fin);
            return Ok(());
        }
        let (whole, rest) = (bytes.len() / fragment_size, bytes.len() % fragment_size);
        let headers = (whole * EncodedHeader::size_for(fragment_size, masked)).saturating_add(if rest > 0 {
            EncodedHeader::size_for(rest, masked)
        } else {
            0
        });
        tx.reserve(headers.saturating_add(bytes.len()))?;
        let last = bytes.len().div_ceil(fragment_size) - 1;
        for (index, fragment) in bytes.chunks(fragment_size).enumerate() {
            let opcode = if index == 0 { opcode } else { Opcode::Continuation };
            self.push_frame(tx, opcode, fragment, fin && index == last);
        }
        Ok(())
    }

    #[inline]
    fn push_frame<O: Outbound>(&mut self, tx: &mut O, opcode: Opcode, payload: &[u8], fin: bool) {
        let masking_key = self.role.next_key();
        let header = EncodedHeader::new(fin, opcode, payload.len(), masking_key);
        tx.push_frame(Frame { header, masking_key, payload, ends_message: fin });
    }
}
