//! Receiving a frame that continues a message and is there as a whole: what fragmented messages mostly are made of.
//!
//! As in `whole.rs`, this is the short way: a look at the state, a look at the header, one pass over the payload. Whatever
//! is not as simple as that, and whatever breaks a rule, goes the other way. To look at the header alone, and leave the
//! payload to the other way, would make fragments of 128 bytes take a sixth longer.

use super::incoming::Frame;
use super::recv_payload::BLOCK;
use super::{Connection, Timer};
use crate::buf::recv::RecvBuf;
use crate::buf::storage::Storage;
use crate::error::Error;
use crate::time::Instant;
use crate::wire::header::WholeFrame;
use crate::wire::mask::Mask;

impl Connection {
    /// Takes the next frame if it is such a one, up to where [`end_frame`](Self::end_frame) is all that is left to do;
    /// says whether it was.
    #[inline]
    pub(super) fn take_whole_fragment<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
    ) -> Result<bool, Error> {
        // Where the code has to be small, the long way does.
        let is_simple = cfg!(feature = "std")
            && self.incoming.in_message
            && !self.incoming.is_in_frame()
            && !self.incoming.is_compressed()
            && !self.discards_data()
            && self.peer_close.is_none();
        if !is_simple {
            return Ok(false);
        }
        debug_assert!(self.incoming.fault.is_none(), "a frame that is at fault is not left");
        let masked = !self.role.is_client();
        let Some(frame) = WholeFrame::continuation(rx.unparsed(), masked) else { return Ok(false) };
        if frame.len > BLOCK.min(self.config.max_frame_size)
            || self.incoming.fragments >= self.config.max_fragments
            || self.check_message_size(rx, frame.len as u64, frame.is_last()).is_err()
        {
            return Ok(false);
        }
        self.incoming.frame = if frame.is_last() { Frame::Last } else { Frame::Middle };
        self.incoming.fragments += 1;
        self.start_timer(Timer::Idle, now);
        rx.consume(frame.header);
        let (bytes, hole) = rx.append_to_message(frame.len);
        if masked {
            Mask::new(frame.masking_key).move_to_front(bytes, hole);
        } else {
            bytes.copy_within(hole.., 0);
        }
        if self.incoming.is_checked() && rx.check_text(0).is_err() {
            return Err(Error::InvalidUtf8);
        }
        Ok(true)
    }
}
