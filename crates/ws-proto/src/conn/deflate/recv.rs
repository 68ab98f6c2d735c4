//! Receiving compressed messages: RFC 7692 section 7.2.2.

use crate::buf::recv::{EventNumber, RecvBuf};
use crate::buf::storage::Storage;
use crate::conn::Connection;
use crate::conn::recv_payload::{BLOCK, Form};
use crate::error::Error;
use crate::time::Instant;
use crate::wire::header::Header;

/// How much of a message that is received in pieces is inflated at a time.
const WINDOW: usize = 16 << 10;
/// By how much compressed bytes may exceed the limit on the message that they inflate to: what cannot be compressed
/// grows a little. Of the limit, a sixteenth; and this many bytes.
const WIRE_SLACK: u64 = 1 << 10;

impl Connection {
    pub(in crate::conn) const fn has_deflate(&self) -> bool {
        self.deflate.is_some()
    }

    /// The limit on compressed bytes of a message that is put together. Without it, blocks that inflate to nothing
    /// could go on for ever.
    pub(in crate::conn) fn check_compressed_size(&self, header: Header) -> Result<(), Error> {
        let before = match &self.deflate {
            Some(deflate) if self.incoming.in_message => deflate.received,
            _ => 0,
        };
        let limit = self.config.max_message_size as u64;
        let most = limit.saturating_add(limit / 16).saturating_add(WIRE_SLACK);
        if before.saturating_add(header.len) > most { Err(Error::MessageTooBig { limit }) } else { Ok(()) }
    }

    /// The header of a frame of a compressed message was taken.
    pub(in crate::conn) fn begin_compressed_frame(&mut self, len: u64) {
        if let Some(deflate) = &mut self.deflate {
            let before = if self.incoming.in_message { deflate.received } else { 0 };
            deflate.received = before.saturating_add(len);
            deflate.frame_inflated = false;
        }
    }

    /// Takes as much payload of the present frame as has arrived, or in pieces as there is room for: unmasked,
    /// inflated, and checked. Of a message that is skipped as well, for the ones behind it may refer to it.
    pub(in crate::conn) fn take_compressed<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
        form: Form,
    ) -> Result<(), Error> {
        let limit = self.config.max_message_size;
        let skipped = self.incoming.skipped;
        let most = match form {
            // One more, so as to see that there is one.
            Form::Whole if !skipped => limit.saturating_add(1),
            Form::Whole | Form::Pieces => WINDOW,
        };
        loop {
            if rx.message_len() == 0 {
                let n = self.arrived(rx).min(BLOCK);
                self.take_block(now, rx, n);
            }
            let last = self.incoming.is_last_frame() && self.incoming.frame_left == 0;
            let text = self.incoming.is_checked();
            let Some(deflate) = &mut self.deflate else { return Ok(()) };
            if deflate.frame_inflated {
                return Ok(());
            }
            let through = rx.inflate(&mut deflate.inflater, last, most, text && !skipped)?;
            deflate.frame_inflated = through && self.incoming.frame_left == 0;
            if skipped {
                rx.discard_inflated();
            } else if !through {
                return match form {
                    Form::Whole => Err(Error::MessageTooBig { limit: limit as u64 }),
                    Form::Pieces => Ok(()),
                };
            }
            if through && self.arrived(rx) == 0 {
                return Ok(());
            }
        }
    }

    /// The last frame of a compressed message is complete; says whether the text, if it is text, is as well.
    pub(in crate::conn) fn end_compressed_message<S: Storage>(&mut self, rx: &RecvBuf<S>) -> bool {
        if let Some(deflate) = &mut self.deflate {
            deflate.inflater.end_message();
        }
        rx.inflated_ends_with_character()
    }

    pub(in crate::conn) fn deliver_inflated<S: Storage>(
        &self,
        rx: &mut RecvBuf<S>,
        text: bool,
    ) -> EventNumber {
        rx.deliver_inflated(text)
    }

    pub(in crate::conn) fn deliver_inflated_piece<S: Storage>(
        &self,
        rx: &mut RecvBuf<S>,
        text: bool,
    ) -> Option<EventNumber> {
        rx.deliver_inflated_piece(text)
    }

    pub(in crate::conn) fn forget_inflated<S: Storage>(&self, rx: &mut RecvBuf<S>) {
        rx.discard_inflated();
    }
}
