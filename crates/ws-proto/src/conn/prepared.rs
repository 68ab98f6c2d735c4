//! Messages that are made ready once and sent on many connections.

#[cfg(feature = "deflate")]
use alloc::vec::Vec;
use core::fmt;

use super::Connection;
use super::send::First;
use crate::buf::outbound::sealed::Sealed as _;
use crate::buf::queue::SendQueue;
#[cfg(feature = "deflate")]
use crate::deflate::deflater::{Deflater, Flush};
#[cfg(feature = "deflate")]
use crate::deflate::{DeflateConfig, WindowBits};
use crate::error::SendError;
use crate::event::{Kind, Message};
#[cfg(feature = "deflate")]
use crate::rsv::Rsv;
use crate::wire::header::EncodedHeader;

/// A message for many connections: copied once, compressed once, and then shared.
///
/// `B` is a payload that is cheap to clone, such as `Bytes` or `Arc<[u8]>`. A server's connections each hold a clone of
/// it for as long as it waits in their output; no byte of it is copied or compressed again. A client has to mask each
/// frame with a key of its own (RFC 6455 section 5.3), which copies.
///
/// ```
/// use std::sync::Arc;
///
/// use ws_proto::{Config, Connection, Instant, Message, PreparedMessage, Role, SendQueue};
///
/// # fn main() -> Result<(), ws_proto::SendError> {
/// let news = PreparedMessage::<Arc<[u8]>>::new(Message::Text(&"news ".repeat(1000)));
/// for _subscriber in 0..3 {
///     let mut conn = Connection::new(Role::Server, Config::default(), Instant::ZERO);
///     let mut tx = SendQueue::new();
///     conn.send_prepared(&mut tx, &news)?;
/// #   assert_eq!(conn.poll_transmit(Instant::ZERO, &mut tx).unwrap().slices().concat().len(), 4 + 5000);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PreparedMessage<B> {
    kind: Kind,
    plain: B,
    /// The compressed forms, the largest window first.
    #[cfg(feature = "deflate")]
    compressed: Vec<(WindowBits, B)>,
}

impl<B: AsRef<[u8]>> PreparedMessage<B> {
    /// Copies the message, once.
    pub fn new<'m>(message: Message<'m>) -> Self
    where
        B: From<&'m [u8]>,
    {
        Self::from_parts(message.kind(), B::from(message.as_bytes()))
    }

    /// A message of text that is owned already; nothing is copied.
    pub fn from_text<T: AsRef<str> + Into<B>>(text: T) -> Self {
        Self::from_parts(Kind::Text, text.into())
    }

    /// A message of bytes that are owned already; nothing is copied.
    pub const fn from_binary(bytes: B) -> Self {
        Self::from_parts(Kind::Binary, bytes)
    }

    const fn from_parts(kind: Kind, plain: B) -> Self {
        Self {
            kind,
            plain,
            #[cfg(feature = "deflate")]
            compressed: Vec::new(),
        }
    }

    /// Compresses the message for all connections that send with a window of `window_bits` or more; those with less
    /// send it as it is, unless this is called for a smaller window as well. Does nothing if the message is smaller
    /// than `DeflateConfig::min_size` or does not shrink.
    ///
    /// With [`DeflateParams`](crate::deflate::DeflateParams) a server sends with `server_max_window_bits`, which is 15
    /// for most clients.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn compressed(mut self, config: &DeflateConfig, window_bits: WindowBits) -> Self
    where
        B: From<Vec<u8>>,
    {
        let plain = self.plain.as_ref();
        if plain.len() >= config.min_size {
            let mut compressed = Vec::new();
            Deflater::new(config, window_bits, true).deflate(plain, Flush::Finish, &mut compressed);
            if compressed.len() < plain.len() {
                compressed.shrink_to_fit();
                self.compressed.push((window_bits, B::from(compressed)));
                self.compressed.sort_by_key(|(bits, _)| core::cmp::Reverse(bits.get()));
            }
        }
        self
    }

    /// Text or binary.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The payload, not compressed.
    pub const fn payload(&self) -> &B {
        &self.plain
    }
}

impl Connection {
    /// Queues a prepared message. On a server it waits in the output by reference, except for payloads so small that a
    /// copy costs less.
    ///
    /// Whichever connection sends it, the peer can inflate it: it refers to nothing but itself. Where the deflater
    /// keeps its context over messages, it begins anew behind a prepared one, so that the next message compresses less
    /// well.
    ///
    /// Longer than `Config::fragment_size`, it is copied into several frames.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send). Nothing is queued then.
    pub fn send_prepared<B: AsRef<[u8]> + Clone>(
        &mut self,
        tx: &mut SendQueue<B>,
        message: &PreparedMessage<B>,
    ) -> Result<(), SendError> {
        self.check_message()?;
        let plain = First::new(message.kind);
        #[cfg(feature = "deflate")]
        if let Some(bits) = self.compresses_with()
            && let Some((_, compressed)) = message.compressed.iter().find(|(window, _)| *window <= bits)
        {
            self.push_prepared(tx, First { rsv: Rsv::RSV1, ..plain }, compressed)?;
            // The peer's window holds what this deflater has not seen.
            self.forget_compressed();
            return Ok(());
        }
        self.push_prepared(tx, plain, &message.plain)
    }

    fn push_prepared<B: AsRef<[u8]> + Clone>(
        &mut self,
        tx: &mut SendQueue<B>,
        first: First,
        payload: &B,
    ) -> Result<(), SendError> {
        let bytes = payload.as_ref();
        if self.role.is_client() || bytes.len() > self.config.fragment_size {
            return self.push_message(tx, first, bytes, true);
        }
        tx.reserve(self.encoded_size(bytes.len()))?;
        let header = EncodedHeader::new(true, first.rsv, first.opcode, bytes.len(), None);
        tx.push_shared(header, payload);
        Ok(())
    }
}

/// The sizes, not the bytes: what is sent does not belong into logs.
impl<B: AsRef<[u8]>> fmt::Debug for PreparedMessage<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedMessage")
            .field("kind", &self.kind)
            .field("len", &self.plain.as_ref().len())
            .finish_non_exhaustive()
    }
}
