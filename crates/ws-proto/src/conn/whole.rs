//! Receiving a message that is there as a whole, in one frame: what nearly all messages are.
//!
//! The way through `recv.rs` is made for everything that may come. This is the short one: a look at the state, a look
//! at the header, one pass over the payload. Whatever is not as simple as that goes the other way, from its first byte.

use super::Connection;
use super::recv::BLOCK;
use crate::buf::recv::RecvBuf;
use crate::buf::storage::Storage;
use crate::config::Config;
use crate::event::{Ready, ReadyKind};
use crate::time::Instant;
use crate::utf8::is_utf8;
use crate::wire::header::WholeFrame;
use crate::wire::mask::Mask;

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
        let expects_message = !self.incoming.in_message
            & self.error.is_none()
            & !self.close.is_queued()
            & self.peer_close.is_none();
        let masked = !self.role.is_client();
        let frame = match WholeFrame::parse(rx.unparsed(), masked) {
            Some(frame) if expects_message && frame.len < usize::from(self.whole_below) => frame,
            _ => return Whole::Other,
        };
        self.incoming.describe_whole(frame.text);
        self.note_data(now);
        let payload = rx.take_whole(frame.header, frame.len);
        if frame.text {
            let is_ascii = masked && Mask::new(frame.masking_key).apply_to_text(payload);
            if !is_ascii && !is_utf8(payload) {
                return Whole::Invalid;
            }
        } else if masked {
            Mask::new(frame.masking_key).apply(payload);
        }
        let kind = if frame.text { ReadyKind::Text } else { ReadyKind::Binary };
        Whole::Message(Ready { kind, place: rx.deliver_whole(0, frame.text) })
    }

    /// Messages shorter than this may go the short way: those within the limits; and of which nothing has left the cache
    /// when the text is checked.
    pub(super) fn whole_below(config: &Config) -> u16 {
        match config.max_fragments {
            0 => 0,
            // A block is shorter than 64 KiB.
            _ => config.max_message_size.min(config.max_frame_size).min(BLOCK) as u16 + 1,
        }
    }
}
