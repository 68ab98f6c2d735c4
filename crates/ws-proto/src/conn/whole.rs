//! Receiving a message that is there as a whole, in one frame: what nearly all messages are.
//!
//! The way through `recv.rs` is made for everything that may come. This is the short one: a look at the state, a look
//! at the header, one pass over the payload. Whatever is not as simple as that goes the other way, from its first byte.

use super::recv::BLOCK;
use super::{Connection, Timer};
use crate::buf::recv::RecvBuf;
use crate::buf::storage::Storage;
use crate::config::Config;
use crate::event::{Ready, ReadyKind};
use crate::time::Instant;
use crate::utf8::is_utf8;
use crate::wire::header::WholeFrame;
use crate::wire::mask;

/// What the short way came to.
pub(super) enum Whole {
    /// The text is not UTF-8.
    Invalid,
    /// This is not for the short way; nothing was taken.
    Other,
    Message(Ready),
}

impl Connection {
    #[inline]
    pub(super) fn take_whole_message<S: Storage>(&mut self, now: Instant, rx: &mut RecvBuf<S>) -> Whole {
        debug_assert_eq!(self.whole_below, self.whole_below_now());
        let masked = !self.role.is_client();
        let unparsed = rx.unparsed_mut();
        let frame = match WholeFrame::parse(unparsed, masked) {
            Some(frame) if frame.len < usize::from(self.whole_below) => frame,
            _ => return Whole::Other,
        };
        let payload = &mut unparsed[frame.header..frame.header + frame.len];
        if frame.text {
            let is_ascii = masked && mask::apply_to_text(frame.masking_key, payload);
            if !is_ascii && !is_utf8(payload) {
                return Whole::Invalid;
            }
        } else if masked {
            mask::apply(frame.masking_key, payload);
        }
        self.incoming.describe_whole(frame.text);
        self.start_timer(Timer::Idle, now);
        let kind = if frame.text { ReadyKind::Text } else { ReadyKind::Binary };
        Whole::Message(Ready { kind, number: rx.deliver_whole(frame.header, frame.len, frame.text) })
    }

    /// To be called whenever what [`whole_below_now`](Self::whole_below_now) looks at has changed, so that the short way
    /// has one number to look at.
    #[inline]
    pub(super) fn update_whole_below(&mut self) {
        self.whole_below = self.whole_below_now();
    }

    /// Messages shorter than this may go the short way at present; none while something else than a message is expected.
    #[inline]
    fn whole_below_now(&self) -> u16 {
        let expects_message = !self.incoming.in_message
            & self.error.is_none()
            & !self.close.is_queued()
            & self.peer_close.is_none();
        if expects_message { Self::whole_below(&self.config) } else { 0 }
    }

    /// Messages shorter than this may go the short way: those within the limits; and of which nothing has left the cache
    /// when the text is checked.
    #[inline]
    pub(super) fn whole_below(config: &Config) -> u16 {
        match config.max_fragments {
            0 => 0,
            // A block is shorter than 64 KiB.
            _ => config.max_message_size.min(config.max_frame_size).min(BLOCK) as u16 + 1,
        }
    }
}
