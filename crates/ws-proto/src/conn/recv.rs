//! Receiving: frames in, events out.

use super::{Connection, Timer};
use crate::buf::recv::{RESERVED, RecvBuf};
use crate::buf::storage::Storage;
use crate::close_code::CloseCode;
use crate::error::{Error, ProtocolError};
use crate::event::{Event, Ready, ReadyKind};
use crate::time::Instant;
use crate::utf8::Utf8Validator;
use crate::wire::header::{Expected, Header, MAX_CONTROL_PAYLOAD, Opcode};
use crate::wire::mask::Mask;

/// How much payload is unmasked and then checked at a time: small enough to be in the first-level cache still.
const BLOCK: usize = 16 << 10;

/// What is known of the frame and the message that are being received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming {
    /// How much payload of the present data frame is still to come.
    frame_left: u64,
    /// The length of the message so far, all of the present frame included.
    message_len: u64,
    fragments: u32,
    mask: Mask,
    utf8: Utf8Validator,
    /// A data frame has begun and is not finished.
    in_frame: bool,
    /// The present data frame is the last of its message.
    fin: bool,
    /// A message has begun and is not finished.
    in_message: bool,
    text: bool,
}

impl Incoming {
    pub(super) const fn new() -> Self {
        Self {
            frame_left: 0,
            message_len: 0,
            fragments: 0,
            mask: Mask::new([0; 4]),
            utf8: Utf8Validator::new(),
            in_frame: false,
            fin: false,
            in_message: false,
            text: false,
        }
    }
}

impl Connection {
    /// Looks at what is in `rx` and gives the next event, or `None` if more bytes are needed for one.
    ///
    /// The event borrows `rx`, and nothing of the connection: answer it while it lives. It is gone when `rx` is next used.
    /// Call this until it gives `None` before reading again.
    ///
    /// Control frames are dealt with before they are reported: a ping is answered, a Close frame as well.
    ///
    /// # Errors
    ///
    /// What the peer did wrong, or which deadline passed; fatal, and the same each time. Input behind the fault is ignored
    /// (RFC 6455 section 7.1.7).
    #[inline]
    pub fn receive<'b, S: Storage>(
        &mut self,
        now: Instant,
        rx: &'b mut RecvBuf<S>,
    ) -> Result<Option<Event<'b>>, Error> {
        match self.poll_receive(now, rx) {
            Ok(Some(ready)) => Ok(Some(ready.event(rx))),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same as [`receive`](Self::receive) without the borrow: see [`Ready`].
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    #[inline]
    pub fn poll_receive<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
    ) -> Result<Option<Ready>, Error> {
        if let Some(error) = self.error {
            rx.discard();
            return Err(error);
        }
        match self.next_event(now, rx) {
            Ok(ready) => Ok(ready),
            Err(error) => {
                self.fail(now, error);
                rx.discard();
                Err(error)
            }
        }
    }

    fn next_event<S: Storage>(&mut self, now: Instant, rx: &mut RecvBuf<S>) -> Result<Option<Ready>, Error> {
        if self.peer_close.is_some() {
            // Section 5.5.1: "the application MUST NOT send any more data frames after sending a Close frame"; so there
            // is nothing behind it that anybody wants.
            rx.discard();
            return Ok(None);
        }
        loop {
            if !self.incoming.in_frame {
                let expected =
                    Expected { masked: !self.role.is_client(), continuation: self.incoming.in_message };
                let Some(header) = Header::parse(rx.unparsed(), expected)? else {
                    return self.need_more(rx);
                };
                if header.opcode.is_control() {
                    if rx.unparsed().len() < header.size + header.len as usize {
                        // A header is consumed whole, and this one together with its payload, or not at all.
                        return self.need_more(rx);
                    }
                    return self.take_control_frame(now, rx, header).map(Some);
                }
                self.begin_frame(rx, header)?;
                if !self.discards_data() {
                    self.start_timer(Timer::Idle, now);
                }
            }
            self.take_payload(rx)?;
            if self.incoming.frame_left > 0 {
                return self.need_more(rx);
            }
            self.incoming.in_frame = false;
            if self.incoming.fin {
                self.incoming.in_message = false;
                if !self.discards_data() {
                    return self.finish_message(rx).map(Some);
                }
            }
        }
    }

    /// More bytes are needed; and there must be room for them, or they can never come.
    fn need_more<S: Storage>(&self, rx: &RecvBuf<S>) -> Result<Option<Ready>, Error> {
        if rx.is_stuck() { Err(Error::MessageTooBig { limit: rx.max_len() as u64 }) } else { Ok(None) }
    }

    /// After we have said Close, data is passed over: nobody wants it, and it must not cost memory.
    const fn discards_data(&self) -> bool {
        self.close.is_queued()
    }

    /// A data frame begins: everything that its header can exceed is checked now, before any payload.
    fn begin_frame<S: Storage>(&mut self, rx: &mut RecvBuf<S>, header: Header) -> Result<(), Error> {
        let limit = |limit: usize| Error::MessageTooBig { limit: limit as u64 };
        let incoming = &mut self.incoming;
        if !incoming.in_message {
            incoming.message_len = 0;
            incoming.fragments = 0;
            incoming.utf8 = Utf8Validator::new();
            incoming.text = header.opcode == Opcode::Text;
        }
        incoming.fragments = incoming.fragments.saturating_add(1);
        // Saturation is as good as the sum: no limit is as high.
        incoming.message_len = incoming.message_len.saturating_add(header.len);
        incoming.frame_left = header.len;
        incoming.fin = header.fin;
        incoming.mask = Mask::new(header.masking_key.unwrap_or_default());

        if header.len > self.config.max_frame_size as u64 {
            return Err(limit(self.config.max_frame_size));
        }
        if !self.close.is_queued() {
            if incoming.message_len > self.config.max_message_size as u64 {
                return Err(limit(self.config.max_message_size));
            }
            if incoming.fragments > self.config.max_fragments {
                return Err(Error::TooManyFragments { limit: self.config.max_fragments });
            }
            // What follows a fragment is at least the header of another, and maybe a whole control frame.
            let reserved = if header.fin { 0 } else { RESERVED as u64 };
            if !rx.can_hold(incoming.message_len.saturating_add(reserved)) {
                return Err(limit(rx.max_len().saturating_sub(reserved as usize)));
            }
        }
        rx.consume(header.size);
        if !incoming.in_message {
            rx.begin_message();
        }
        incoming.in_frame = true;
        incoming.in_message = true;
        Ok(())
    }

    /// Takes as much payload of the present frame as has arrived: moved to where the message is, unmasked, and checked, a
    /// block at a time.
    fn take_payload<S: Storage>(&mut self, rx: &mut RecvBuf<S>) -> Result<(), Error> {
        let available = rx.unparsed().len();
        let mut n = usize::try_from(self.incoming.frame_left).map_or(available, |left| left.min(available));
        self.incoming.frame_left -= n as u64;
        if self.discards_data() {
            rx.consume(n);
            rx.discard_message();
            return Ok(());
        }
        let masked = !self.role.is_client();
        while n > 0 {
            let block = rx.append_to_message(n.min(BLOCK));
            n -= block.len();
            if masked {
                self.incoming.mask.apply(block);
            }
            if self.incoming.text {
                // Section 8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream
                // is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_."
                self.incoming.utf8.update(block).map_err(|_| Error::InvalidUtf8)?;
            }
        }
        Ok(())
    }

    fn finish_message<S: Storage>(&mut self, rx: &mut RecvBuf<S>) -> Result<Ready, Error> {
        if self.incoming.text {
            self.incoming.utf8.finish().map_err(|_| Error::InvalidUtf8)?;
            Ok(Ready { kind: ReadyKind::Text, place: rx.deliver_message(true) })
        } else {
            Ok(Ready { kind: ReadyKind::Binary, place: rx.deliver_message(false) })
        }
    }

    /// A control frame, which has arrived as a whole.
    fn take_control_frame<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
        header: Header,
    ) -> Result<Ready, Error> {
        let payload = rx.take_control(header.size, header.len as usize);
        if let Some(key) = header.masking_key {
            Mask::new(key).apply(payload);
        }
        match header.opcode {
            Opcode::Ping => {
                // Section 5.5.2: "it MUST send a Pong frame in response, unless it already received a Close frame".
                if self.config.automatic_pong {
                    let key = self.role.next_key();
                    self.outbox.push_pong(payload, key);
                }
                Ok(Ready { kind: ReadyKind::Ping, place: rx.deliver_control(0, false) })
            }
            Opcode::Close => self.take_close(now, rx, header.len as usize),
            // A pong: no other control frame is left.
            _ => {
                if self.keepalive.is_answered_by(payload) && self.timers.is_running(Timer::Pong) {
                    self.timers.stop(Timer::Pong);
                    self.start_timer(Timer::Ping, now);
                }
                Ok(Ready { kind: ReadyKind::Pong, place: rx.deliver_control(0, false) })
            }
        }
    }

    /// The Close frame whose payload of `len` bytes was just taken.
    fn take_close<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
        len: usize,
    ) -> Result<Ready, Error> {
        // A copy, so that the answer can be made while the event refers to the buffer; it is small.
        let mut body = [0; MAX_CONTROL_PAYLOAD];
        let place = rx.deliver_control(0, false);
        let body = &mut body[..len];
        body.copy_from_slice(rx.delivered(place));
        let (code, reason) = match *body {
            [] => (CloseCode::NO_STATUS, &[][..]),
            [_] => return Err(ProtocolError::CloseBodyTooShort.into()),
            [high, low, ref reason @ ..] => (CloseCode::from(u16::from_be_bytes([high, low])), reason),
        };
        if !body.is_empty() && !code.is_sendable() {
            return Err(ProtocolError::InvalidCloseCode(code.as_u16()).into());
        }
        let reason = core::str::from_utf8(reason).map_err(|_| Error::InvalidUtf8)?;
        self.handle_peer_close(now, code, reason);
        Ok(Ready { kind: ReadyKind::Close(code), place: rx.deliver_control(2, true) })
    }
}
