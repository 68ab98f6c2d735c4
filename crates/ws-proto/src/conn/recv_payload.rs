//! Receiving payload: as much as has arrived is moved to where the message is, unmasked and checked.

use super::incoming::Fault;
use super::{Connection, Timer};
use crate::buf::recv::RecvBuf;
use crate::buf::storage::Storage;
use crate::error::Error;
use crate::time::Instant;

/// How much payload is unmasked and then checked at a time: small enough to be in the first-level cache still.
pub(super) const BLOCK: usize = 16 << 10;

/// How a message is received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    Pieces,
    Whole,
}

impl Connection {
    /// Data arrived: the connection is not idle. Once it is closing, that is no matter.
    #[inline]
    pub(super) fn note_data(&mut self, now: Instant) {
        if !self.close.is_queued() {
            self.start_timer(Timer::Idle, now);
        }
    }

    /// Takes as much payload of the present frame as has arrived: moved to where the message is, unmasked, and
    /// checked, a block at a time. Of text that is not UTF-8, what is right before the fault remains.
    pub(super) fn take_payload<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
        form: Form,
    ) -> Result<(), Error> {
        if self.discards_data() && !self.is_inflating() {
            self.pass_over_payload(now, rx);
            return Ok(());
        }
        if let Some(fault) = self.incoming.fault {
            return Err(fault.error());
        }
        let result = if self.incoming.is_compressed() {
            self.take_compressed(now, rx, form)
        } else {
            self.take_plain(now, rx)
        };
        self.incoming.fault = match result {
            Err(Error::InvalidUtf8) => Some(Fault::Utf8),
            #[cfg(feature = "deflate")]
            Err(Error::InvalidDeflate) => Some(Fault::Deflate),
            _ => None,
        };
        result
    }

    #[inline]
    fn take_plain<S: Storage>(&mut self, now: Instant, rx: &mut RecvBuf<S>) -> Result<(), Error> {
        let mut n = self.arrived(rx);
        while n > 0 {
            let len = n.min(BLOCK);
            n -= len;
            let ascii = self.take_block(now, rx, len);
            // Section 8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is
            // not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_."
            if self.incoming.is_checked() && rx.check_text(ascii).is_err() {
                return Err(Error::InvalidUtf8);
            }
        }
        Ok(())
    }

    /// How much payload of the present frame has arrived and is not taken.
    #[inline]
    pub(super) fn arrived<S: Storage>(&self, rx: &RecvBuf<S>) -> usize {
        let available = rx.unparsed().len();
        usize::try_from(self.incoming.frame_left).map_or(available, |left| left.min(available))
    }

    /// Takes the next `n` bytes of payload into the message, and unmasks them. Says how many are known to be ASCII: short
    /// text mostly is, which is seen while it is unmasked.
    #[inline]
    pub(super) fn take_block<S: Storage>(&mut self, now: Instant, rx: &mut RecvBuf<S>, n: usize) -> usize {
        if n == 0 {
            return 0;
        }
        self.note_data(now);
        self.incoming.frame_left -= n as u64;
        let (bytes, hole) = rx.append_to_message(n);
        if self.role.is_client() {
            if hole > 0 {
                bytes.copy_within(hole.., 0);
            }
        } else if hole > 0 {
            self.incoming.mask.move_to_front(bytes, hole);
        } else if self.incoming.is_checked() && !self.incoming.is_compressed() {
            return if self.incoming.mask.apply_to_text(bytes) { n } else { 0 };
        } else {
            self.incoming.mask.apply(bytes);
        }
        0
    }

    /// Takes payload that nobody wants.
    fn pass_over_payload<S: Storage>(&mut self, now: Instant, rx: &mut RecvBuf<S>) {
        let n = self.arrived(rx);
        if n > 0 {
            self.note_data(now);
        }
        self.incoming.frame_left -= n as u64;
        rx.consume(n);
        rx.discard_message();
    }
}
