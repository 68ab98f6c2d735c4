//! Sending payloads that are owned, and need not be copied.

use super::Connection;
use super::send::First;
use crate::buf::outbound::sealed::Sealed as _;
use crate::buf::queue::{COPY_UP_TO, SendQueue};
use crate::error::SendError;
use crate::event::Kind;
use crate::rsv::Rsv;
use crate::utf8::is_utf8;
use crate::wire::header::EncodedHeader;
use crate::wire::mask;

impl Connection {
    /// Queues a message whose payload is owned. If it is large and this is a server, it is not copied but transmitted
    /// from where it is, and dropped afterwards. A text is checked to be UTF-8; see
    /// [`send_owned_text`](Self::send_owned_text) for one that is known to be.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and `InvalidUtf8`; the payload comes back, and nothing is queued.
    pub fn send_owned<B: AsRef<[u8]>>(
        &mut self,
        tx: &mut SendQueue<B>,
        kind: Kind,
        payload: B,
    ) -> Result<(), (SendError, B)> {
        if kind == Kind::Text && !is_utf8(payload.as_ref()) {
            return Err((SendError::InvalidUtf8, payload));
        }
        self.push_owned(tx, kind, payload, |payload| payload)
    }

    /// The same as [`send_owned`](Self::send_owned) for text of a type that cannot be anything but UTF-8, such as
    /// `String`.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send); the text comes back, and nothing is queued.
    pub fn send_owned_text<B, T>(&mut self, tx: &mut SendQueue<B>, text: T) -> Result<(), (SendError, T)>
    where
        B: AsRef<[u8]>,
        T: AsRef<str> + AsRef<[u8]> + Into<B>,
    {
        self.push_owned(tx, Kind::Text, text, T::into)
    }

    /// Queues a message whose payload lies in `frame` behind `headroom` bytes of room for its header, which is written
    /// there: header and payload are transmitted from where they are, and nothing is copied. A client masks the payload
    /// where it lies.
    ///
    /// With a headroom of [`MAX_HEADER_SIZE`](crate::MAX_HEADER_SIZE) there is always room; it need not be zeroed. If
    /// there is less than this message needs, and if it is small, compressed, or longer than `Config::fragment_size`,
    /// the payload is copied as by [`send`](Self::send). Of a `frame` shorter than the headroom, the payload is empty.
    ///
    /// ```text
    ///   frame    | headroom            | payload |
    ///   queued          | header       | payload |
    /// ```
    ///
    /// ```
    /// use ws_proto::{Config, Connection, Instant, Kind, MAX_HEADER_SIZE, Role, SendQueue};
    ///
    /// let mut conn = Connection::new(Role::Server, Config::default(), Instant::ZERO);
    /// let mut tx = SendQueue::<Vec<u8>>::new();
    ///
    /// let mut frame = vec![0; MAX_HEADER_SIZE]; // and behind it what is read from a file, say
    /// frame.extend_from_slice(&[7; 100_000]);
    /// let payload = frame[MAX_HEADER_SIZE..].as_ptr();
    /// conn.send_in_place(&mut tx, Kind::Binary, frame, MAX_HEADER_SIZE).unwrap();
    ///
    /// let transmit = conn.poll_transmit(Instant::ZERO, &mut tx).unwrap();
    /// let [frame] = &transmit.slices()[..] else { panic!("one slice") };
    /// assert_eq!(frame[10..].as_ptr(), payload);
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send_owned`](Self::send_owned); `frame` comes back as it was.
    pub fn send_in_place<B: AsRef<[u8]> + AsMut<[u8]>>(
        &mut self,
        tx: &mut SendQueue<B>,
        kind: Kind,
        mut frame: B,
        headroom: usize,
    ) -> Result<(), (SendError, B)> {
        let payload = frame.as_ref().get(headroom..).unwrap_or(&[]);
        if kind == Kind::Text && !is_utf8(payload) {
            return Err((SendError::InvalidUtf8, frame));
        }
        let len = payload.len();
        let size = EncodedHeader::size_for(len, self.role.is_client());
        let copied =
            len <= COPY_UP_TO || size > headroom || len > self.config.fragment_size || self.compresses(len);
        let queued = if copied {
            self.send_bytes(tx, kind, payload)
        } else {
            self.check_message().and_then(|()| Ok(tx.reserve(size.saturating_add(len))?))
        };
        match queued {
            Err(error) => return Err((error, frame)),
            Ok(()) if copied => return Ok(()),
            Ok(()) => {}
        }
        let key = self.role.next_key();
        let header = EncodedHeader::new(true, Rsv::NONE, kind.opcode(), len, key);
        let start = headroom - size;
        let whole = frame.as_mut().get_mut(start..);
        if let Some((head, payload)) = whole.and_then(|whole| whole.split_at_mut_checked(size)) {
            head.copy_from_slice(header.as_slice());
            if let Some(key) = key {
                mask::apply(key, payload);
            }
        }
        tx.push_in_place(frame, start);
        Ok(())
    }

    #[inline]
    fn push_owned<B: AsRef<[u8]>, P: AsRef<[u8]>>(
        &mut self,
        tx: &mut SendQueue<B>,
        kind: Kind,
        payload: P,
        into: impl FnOnce(P) -> B,
    ) -> Result<(), (SendError, P)> {
        let bytes = payload.as_ref();
        if bytes.len() <= COPY_UP_TO && self.send_short(tx, kind, bytes) {
            return Ok(());
        }
        let compressed = self.compresses(bytes.len());
        let stays = !compressed && !self.role.is_client() && bytes.len() <= self.config.fragment_size;
        let header = EncodedHeader::new(true, Rsv::NONE, kind.opcode(), bytes.len(), None);
        let queued = self.check_message().and_then(|()| {
            if stays {
                Ok(tx.reserve(header.as_slice().len().saturating_add(bytes.len()))?)
            } else if compressed {
                self.push_compressed(tx, kind, bytes)
            } else {
                // Masked or cut into fragments: written anew.
                self.push_message(tx, First::new(kind), bytes, true)
            }
        });
        match queued {
            Err(error) => return Err((error, payload)),
            Ok(()) if stays => tx.push_owned(header, into(payload), true),
            Ok(()) => {}
        }
        Ok(())
    }
}
