//! Messages that own the memory in which they were received.

use alloc::vec::Vec;
use core::fmt;

use crate::buf::recv::{RecvBuf, Taken};
use crate::event::{Kind, Message, Ready, ReadyKind};

/// A message together with the storage that it was received in: owned without a copy. Made by [`Ready::take`].
///
/// The memory is given back to the thread for the next buffer that grows when this is dropped, with `std`.
pub struct OwnedMessage {
    kind: Kind,
    taken: Taken,
}

impl OwnedMessage {
    /// The message, borrowed.
    #[inline]
    pub fn as_message(&self) -> Message<'_> {
        match self.kind {
            Kind::Binary => Message::Binary(self.taken.bytes()),
            Kind::Text => Message::Text(self.taken.text()),
        }
    }

    /// Whether it is text or binary.
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

/// The payload.
impl AsRef<[u8]> for OwnedMessage {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.as_message().as_bytes()
    }
}

/// The size, not the bytes: what was received does not belong into logs.
impl fmt::Debug for OwnedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedMessage").field("kind", &self.kind).field("len", &self.as_ref().len()).finish()
    }
}

impl Ready {
    /// Takes the message out of `rx`, the buffer that it was received from, with the storage that it lies in; the buffer
    /// goes on with another one. `None` if it is to be borrowed and copied, and then nothing has happened.
    ///
    /// That is so if it has less than 64 KiB, or less than half of the storage, so that whoever keeps it keeps no more
    /// than twice its size; if more than 8 KiB have arrived behind it; if it was compressed; if this is no message; or if
    /// the buffer was used in between.
    ///
    /// ```
    /// use ws_proto::{Config, Connection, Instant, Message, RecvBuf, Role};
    ///
    /// # fn main() -> Result<(), ws_proto::Error> {
    /// let mut conn = Connection::new(Role::Server, Config::default(), Instant::ZERO);
    /// let mut rx = RecvBuf::<Vec<u8>>::default();
    /// rx.extend_from_slice(&[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0x86, 0xA0, 7, 7, 7, 7]); // 100,000 bytes
    /// rx.extend_from_slice(&[7; 100_000]);
    ///
    /// let Some(ready) = conn.poll_receive(Instant::ZERO, &mut rx)? else { panic!() };
    /// let message = ready.take(&mut rx).unwrap();
    /// assert_eq!(message.as_message(), Message::Binary(&[0; 100_000]));
    /// assert!(rx.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn take(self, rx: &mut RecvBuf<Vec<u8>>) -> Option<OwnedMessage> {
        let kind = match self.kind {
            ReadyKind::Binary => Kind::Binary,
            ReadyKind::Text => Kind::Text,
            ReadyKind::Close(_) | ReadyKind::Ping | ReadyKind::Pong => return None,
        };
        Some(OwnedMessage { kind, taken: rx.take_delivered(self.number)? })
    }
}
