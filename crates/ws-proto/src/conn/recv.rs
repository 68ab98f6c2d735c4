//! Receiving: frames in, events out.

use super::Connection;
use super::incoming::Frame;
use super::recv_payload::Form;
use super::whole::Whole;
use crate::buf::recv::{EventNumber, RESERVED, RecvBuf};
use crate::buf::storage::Storage;
use crate::error::Error;
use crate::event::{Event, Kind, Ready, ReadyKind};
use crate::rsv::Rsv;
use crate::time::Instant;
use crate::wire::header::{Expected, Header, Opcode};
use crate::wire::mask::Mask;

/// What comes next in the receive buffer.
#[derive(Clone, Copy, Debug)]
pub(super) enum NextFrame {
    /// A control frame, taken.
    Control(Ready),
    /// A data frame, of which nothing is taken yet.
    Data(Header),
    /// Not a whole header, or not a whole control frame.
    Incomplete,
}

impl Connection {
    /// Looks at what is in `rx` and gives the next event, or `None` if more bytes are needed for one.
    ///
    /// The event borrows `rx`, and nothing of the connection: answer it while it lives. It is gone when `rx` is next
    /// used. Call this until it gives `None` before reading again.
    ///
    /// Control frames are dealt with before they are reported: a ping is answered, a Close frame as well.
    ///
    /// # Errors
    ///
    /// What the peer did wrong, or which deadline passed; fatal, and the same each time. Input behind the fault is
    /// ignored (RFC 6455 section 7.1.7).
    // Always inlined, so that what was received is not passed on through memory.
    #[inline(always)]
    pub fn receive<'b, S: Storage>(
        &mut self,
        now: Instant,
        rx: &'b mut RecvBuf<S>,
    ) -> Result<Option<Event<'b>>, Error> {
        match self.take_whole_message(now, rx) {
            Whole::Message(ready) => return Ok(Some(Event::Data(ready.message(rx)))),
            Whole::Nothing => return Ok(None),
            Whole::Invalid => self.refuse_text(now, rx),
            Whole::Other => {
                if let Some(ready) = self.receive_other(now, rx) {
                    return Ok(Some(ready.event(rx)));
                }
            }
        }
        self.nothing_received()
    }

    /// The same as [`receive`](Self::receive) without the borrow: see [`Ready`].
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    // Always inlined, so that what was received is not passed on through memory.
    #[inline(always)]
    pub fn poll_receive<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
    ) -> Result<Option<Ready>, Error> {
        match self.take_whole_message(now, rx) {
            Whole::Message(ready) => return Ok(Some(ready)),
            Whole::Nothing => return Ok(None),
            Whole::Invalid => self.refuse_text(now, rx),
            Whole::Other => {
                if let Some(ready) = self.receive_other(now, rx) {
                    return Ok(Some(ready));
                }
            }
        }
        self.nothing_received()
    }

    /// Where the short way does not lead. Not inlined, so that the short way stays short.
    #[inline(never)]
    fn receive_other<S: Storage>(&mut self, now: Instant, rx: &mut RecvBuf<S>) -> Option<Ready> {
        self.receive_with(now, rx, Self::next_event)
    }

    #[cold]
    fn refuse_text<S: Storage>(&mut self, now: Instant, rx: &mut RecvBuf<S>) {
        self.receive_with(now, rx, |_, _, _| Err::<Option<Ready>, _>(Error::InvalidUtf8));
    }

    /// What all ways of receiving have in common: a failure is sticky, and input behind it is ignored.
    ///
    /// What comes back is small enough for registers, and has nothing of the error, which
    /// [`nothing_received`](Self::nothing_received) adds. If it went through memory, each next step would wait for it.
    #[inline]
    pub(super) fn receive_with<S: Storage, R>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
        next: impl FnOnce(&mut Self, Instant, &mut RecvBuf<S>) -> Result<Option<R>, Error>,
    ) -> Option<R> {
        if self.error.is_none() {
            match next(self, now, rx) {
                Ok(received) => return received,
                Err(error) => self.fail(now, error),
            }
        }
        rx.discard();
        None
    }

    /// Nothing was received: more bytes are needed, or the connection failed.
    #[inline]
    pub(super) fn nothing_received<R>(&self) -> Result<Option<R>, Error> {
        self.error.map_or(Ok(None), Err)
    }

    /// Passes over what is still to come of the message that is being received, and forgets what was put together of
    /// it. Nothing more is reported of it, not even its end, and its text is not checked any further. Does nothing
    /// between messages.
    ///
    /// For a message that is received in pieces and turns out not to be wanted.
    pub fn skip_message<S: Storage>(&mut self, rx: &mut RecvBuf<S>) {
        // A fault that was found is still a fault.
        if self.incoming.in_message && self.incoming.fault.is_none() {
            self.incoming.skipped = true;
            self.forget_message(rx);
        }
    }

    /// The reserved bits of the message that was received last, or is being received.
    pub const fn received_rsv(&self) -> Rsv {
        self.incoming.rsv
    }

    /// The kind of the message that was received last, or is being received; by its opcode, also if it has reserved
    /// bits.
    pub const fn received_kind(&self) -> Kind {
        self.incoming.kind()
    }

    fn next_event<S: Storage>(&mut self, now: Instant, rx: &mut RecvBuf<S>) -> Result<Option<Ready>, Error> {
        if self.incoming.is_in_frame() && !self.incoming.is_compressed() {
            // It may have begun in pieces, for which there is no limit.
            self.check_message_size(rx, self.incoming.frame_left, self.incoming.frame == Frame::Last)?;
        }
        loop {
            if !self.take_whole_fragment(now, rx)? {
                if !self.incoming.is_in_frame() {
                    match self.next_frame(now, rx)? {
                        NextFrame::Control(ready) => return Ok(Some(ready)),
                        NextFrame::Data(header) => {
                            self.check_limits(rx, header)?;
                            self.begin_frame(now, rx, header);
                        }
                        NextFrame::Incomplete => return Ok(None),
                    }
                }
                self.take_payload(now, rx, Form::Whole)?;
                if self.incoming.frame_left > 0 {
                    self.check_room(rx)?;
                    return Ok(None);
                }
            }
            if self.end_frame(rx)? && !self.discards_data() {
                let text = self.incoming.is_checked();
                let kind = if text { ReadyKind::Text } else { ReadyKind::Binary };
                return Ok(Some(Ready { kind, number: self.deliver_message(rx, text) }));
            }
        }
    }

    /// Looks at the next frame: takes a control frame that is complete, and gives the header of a data frame, which is
    /// still to be taken.
    #[inline]
    pub(super) fn next_frame<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
    ) -> Result<NextFrame, Error> {
        if self.peer_close.is_some() {
            // Section 5.5.1: "the application MUST NOT send any more data frames after sending a Close frame"; so there
            // is nothing behind it that anybody wants.
            rx.discard();
            return Ok(NextFrame::Incomplete);
        }
        if self.discards_data() {
            self.forget_message(rx);
        }
        if !self.incoming.in_message {
            self.incoming.skipped = false;
        }
        let expected = Expected {
            masked: !self.role.is_client(),
            continuation: self.incoming.in_message,
            allowed_rsv: self.config.allowed_rsv,
        };
        match Header::parse(rx.unparsed(), expected)? {
            Some(header) if !header.opcode.is_control() => Ok(NextFrame::Data(header)),
            // A header is consumed whole, and this one together with its payload, or not at all.
            Some(header) if rx.unparsed().len() >= header.size + header.len as usize => {
                self.take_control_frame(now, rx, header).map(NextFrame::Control)
            }
            _ => {
                self.check_room(rx)?;
                Ok(NextFrame::Incomplete)
            }
        }
    }

    /// More bytes are needed; and there must be room for them, or they can never come.
    pub(super) fn check_room<S: Storage>(&self, rx: &RecvBuf<S>) -> Result<(), Error> {
        if rx.is_stuck() { Err(Error::MessageTooBig { limit: rx.max_len() as u64 }) } else { Ok(()) }
    }

    /// After we have said Close, data is passed over: nobody wants it, and it must not cost memory. So is the rest of a
    /// message that is skipped.
    pub(super) const fn discards_data(&self) -> bool {
        self.close.is_queued() || self.incoming.skipped
    }

    /// Everything that the next frame of a message that is put together can exceed is checked on its header, before any
    /// payload.
    #[inline]
    fn check_limits<S: Storage>(&self, rx: &RecvBuf<S>, header: Header) -> Result<(), Error> {
        self.check_frame_size(header)?;
        if self.discards_data() {
            return Ok(());
        }
        if self.is_compressed(header) {
            self.check_compressed_size(header)?;
        } else {
            self.check_message_size(rx, header.len, header.fin)?;
        }
        if self.incoming.with_fragment() > self.config.max_fragments {
            return Err(Error::TooManyFragments { limit: self.config.max_fragments });
        }
        Ok(())
    }

    /// The message that is put together, with the `left` bytes of its present frame that are still to come.
    #[inline]
    pub(super) fn check_message_size<S: Storage>(
        &self,
        rx: &RecvBuf<S>,
        left: u64,
        fin: bool,
    ) -> Result<(), Error> {
        let limit = |limit: usize| Error::MessageTooBig { limit: limit as u64 };
        if self.discards_data() {
            return Ok(());
        }
        // Saturation is as good as the sum: no limit is as high.
        let message_len = left.saturating_add(rx.message_len() as u64);
        if message_len > self.config.max_message_size as u64 {
            return Err(limit(self.config.max_message_size));
        }
        // What follows a fragment is at least the header of another, and maybe a whole control frame.
        let reserved = if fin { 0 } else { RESERVED as u64 };
        if !rx.can_hold(message_len.saturating_add(reserved)) {
            return Err(limit(rx.max_len().saturating_sub(reserved as usize)));
        }
        Ok(())
    }

    pub(super) fn check_frame_size(&self, header: Header) -> Result<(), Error> {
        // The largest number is no limit, also where a length can exceed it.
        let limit = if self.config.max_frame_size == usize::MAX {
            u64::MAX
        } else {
            self.config.max_frame_size as u64
        };
        if header.len > limit { Err(Error::MessageTooBig { limit }) } else { Ok(()) }
    }

    /// Whether the frame with this header belongs to a compressed message: RFC 7692 section 6, "the 'Per-Message
    /// Compressed' bit, which indicates whether or not the message is compressed"; on its first frame.
    #[inline]
    fn is_compressed(&self, header: Header) -> bool {
        if self.incoming.in_message {
            return self.incoming.is_compressed();
        }
        !header.rsv.is_empty() && self.has_deflate() && header.rsv.contains(Rsv::RSV1)
    }

    /// Takes the header of a data frame.
    #[inline]
    pub(super) fn begin_frame<S: Storage>(&mut self, now: Instant, rx: &mut RecvBuf<S>, header: Header) {
        let compressed = self.is_compressed(header);
        if compressed {
            self.begin_compressed_frame(header.len);
        }
        let incoming = &mut self.incoming;
        rx.consume(header.size);
        incoming.fragments = incoming.with_fragment();
        if !incoming.in_message {
            incoming.text = header.opcode == Opcode::Text;
            incoming.rsv = if compressed { header.rsv.without(Rsv::RSV1) } else { header.rsv };
            incoming.compressed = compressed;
            rx.begin_message();
            rx.begin_frame(header.len);
        }
        incoming.frame_left = header.len;
        incoming.frame = if header.fin { Frame::Last } else { Frame::Middle };
        incoming.mask = Mask::new(header.masking_key.unwrap_or_default());
        incoming.in_message = true;
        self.short_ways.receive_below = 0;
        self.note_data(now);
    }

    /// Whether the message that is skipped has to be inflated all the same, because those behind it may refer to it.
    pub(super) fn is_inflating(&self) -> bool {
        self.incoming.is_compressed() && !self.close.is_queued()
    }

    /// Forgets what was put together of the present message.
    fn forget_message<S: Storage>(&self, rx: &mut RecvBuf<S>) {
        // What is compressed still has to be inflated.
        if self.is_inflating() { self.forget_inflated(rx) } else { rx.discard_message() }
    }

    #[inline]
    fn deliver_message<S: Storage>(&self, rx: &mut RecvBuf<S>, text: bool) -> EventNumber {
        if self.incoming.is_compressed() { self.deliver_inflated(rx, text) } else { rx.deliver_message(text) }
    }

    /// Ends the present frame; says whether the message ends with it.
    #[inline]
    pub(super) fn end_frame<S: Storage>(&mut self, rx: &RecvBuf<S>) -> Result<bool, Error> {
        let incoming = &mut self.incoming;
        let fin = incoming.frame == Frame::Last;
        incoming.frame = Frame::None;
        if fin {
            incoming.in_message = false;
            self.update_short_ways();
            let complete = if self.incoming.is_compressed() {
                self.end_compressed_message(rx)
            } else {
                rx.ends_with_character()
            };
            if self.incoming.is_checked() && !self.discards_data() && !complete {
                return Err(Error::InvalidUtf8);
            }
        }
        Ok(fin)
    }
}
