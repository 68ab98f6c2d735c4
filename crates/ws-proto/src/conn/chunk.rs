//! Receiving messages in pieces.

use super::Connection;
use super::recv::NextFrame;
use super::recv_payload::Form;
use crate::buf::recv::RecvBuf;
use crate::buf::storage::Storage;
use crate::error::Error;
use crate::event::{Chunk, Event, FrameHeader, Ready, ReadyChunk, ReadyChunkKind, ReadyKind};
use crate::rsv::Rsv;
use crate::time::Instant;
use crate::wire::header::{Header, Opcode};

impl Connection {
    /// The same as [`receive`](Self::receive) without putting messages together: a frame begins, pieces of its payload
    /// arrive, the frame ends. Messages of any size pass through a buffer of a few hundred bytes; what it has to hold
    /// at the least is [`RecvBuf::MIN_SIZE`] and 3 bytes more, the beginning of a character and a whole control frame.
    ///
    /// `Config::max_message_size` and `Config::max_fragments` bound what is put together, and so have no say here;
    /// `Config::max_frame_size` has. Control frames are whole, between the pieces of data. Text is validated, and its
    /// pieces are whole characters; if it is not UTF-8, what is right before the fault is given, and the error next.
    ///
    /// Both ways of receiving can be mixed: what arrived of a message before the change is given by whichever call
    /// comes next, together with what follows. `receive` then gives the rest of the message as if that were all of it,
    /// and the limits are those of the rest. Of a frame whose header `receive` has taken there is no `FrameStart`:
    /// [`received_kind`](Self::received_kind) tells what it is.
    ///
    /// ```
    /// use ws_proto::{Chunk, Config, Connection, Event, Instant, Message, RecvBuf, Role};
    ///
    /// # fn main() -> Result<(), ws_proto::Error> {
    /// let mut conn = Connection::new(Role::Server, Config::default(), Instant::ZERO);
    /// let mut rx = RecvBuf::new([0; 256]);
    /// // A frame of 64 KiB begins; 3 bytes of it have arrived.
    /// rx.extend_from_slice(&[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 7, 7, 7, 7, 7 ^ b'a', 7 ^ b'b', 7 ^ b'c']);
    ///
    /// let Some(Event::Data(Chunk::FrameStart(header))) = conn.receive_chunk(Instant::ZERO, &mut rx)? else { panic!() };
    /// assert_eq!(header.len, 65_536);
    /// let Some(Event::Data(Chunk::Data(piece))) = conn.receive_chunk(Instant::ZERO, &mut rx)? else { panic!() };
    /// assert_eq!(piece, Message::Binary(b"abc"));
    /// assert_eq!(conn.receive_chunk(Instant::ZERO, &mut rx)?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    pub fn receive_chunk<'b, S: Storage>(
        &mut self,
        now: Instant,
        rx: &'b mut RecvBuf<S>,
    ) -> Result<Option<Event<'b, Chunk<'b>>>, Error> {
        Ok(self.poll_receive_chunk(now, rx)?.map(|ready| ready.event(rx)))
    }

    /// The same as [`receive_chunk`](Self::receive_chunk) without the borrow: see [`Ready`].
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    pub fn poll_receive_chunk<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
    ) -> Result<Option<ReadyChunk>, Error> {
        let received = self.receive_with(now, rx, Self::next_chunk);
        if received.is_some() { Ok(received) } else { self.nothing_received() }
    }

    fn next_chunk<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
    ) -> Result<Option<ReadyChunk>, Error> {
        loop {
            if !self.incoming.is_in_frame() {
                match self.next_frame(now, rx)? {
                    NextFrame::Control(ready) => return Ok(Some(ReadyChunkKind::Other(ready).into())),
                    NextFrame::Data(header) => {
                        self.check_frame_size(header)?;
                        self.begin_frame(now, rx, header);
                        // Not put together, and so not counted if `receive` goes on with the message.
                        self.incoming.fragments = 0;
                        if !self.discards_data() {
                            return Ok(Some(ReadyChunkKind::FrameStart(self.describe(header)).into()));
                        }
                    }
                    NextFrame::Incomplete => return Ok(None),
                }
            }
            let taken = self.take_payload(now, rx, Form::Pieces);
            if !self.discards_data()
                && let Some(piece) = self.take_piece(rx)
            {
                // Also before a fault, which is noticed again by the next call.
                return Ok(Some(ReadyChunkKind::Other(piece).into()));
            }
            taken?;
            if self.incoming.frame_left > 0 {
                self.check_room(rx)?;
                return Ok(None);
            }
            let fin = self.end_frame(rx)?;
            if !self.discards_data() {
                return Ok(Some(ReadyChunkKind::FrameEnd { fin }.into()));
            }
        }
    }

    /// What there is of the payload, without a character that is not finished.
    fn take_piece<S: Storage>(&self, rx: &mut RecvBuf<S>) -> Option<Ready> {
        let text = self.incoming.is_checked();
        let kind = if text { ReadyKind::Text } else { ReadyKind::Binary };
        let number = if self.incoming.is_compressed() {
            self.deliver_inflated_piece(rx, text)
        } else {
            rx.deliver_piece(text)
        };
        Some(Ready { kind, number: number? })
    }

    fn describe(&self, header: Header) -> FrameHeader {
        FrameHeader {
            kind: self.incoming.kind(),
            continuation: header.opcode == Opcode::Continuation,
            fin: header.fin,
            rsv: if self.incoming.is_compressed() { header.rsv.without(Rsv::RSV1) } else { header.rsv },
            len: header.len,
        }
    }
}

impl From<ReadyChunkKind> for ReadyChunk {
    fn from(kind: ReadyChunkKind) -> Self {
        Self { kind }
    }
}
