//! Receiving a message that is there as a whole, in one frame: what nearly all messages are.
//!
//! The way through `recv.rs` is made for everything that may come. This is the short one: a look at the state, a look
//! at the header, one pass over the payload. Whatever is not as simple as that goes the other way, from its first byte.

use super::{Connection, Timer};
use crate::buf::recv::RecvBuf;
use crate::buf::storage::Storage;
use crate::event::{Ready, ReadyKind};
use crate::time::Instant;
use crate::utf8::{is_short_ascii, is_utf8};
use crate::wire::header::WholeFrame;
use crate::wire::mask;

/// What the short way came to.
pub(super) enum Whole {
    /// The text is not UTF-8.
    Invalid,
    /// There is no byte to look at.
    Nothing,
    /// This is not for the short way; nothing was taken.
    Other,
    Message(Ready),
}

impl Connection {
    #[inline]
    pub(super) fn take_whole_message<S: Storage>(&mut self, now: Instant, rx: &mut RecvBuf<S>) -> Whole {
        debug_assert_eq!(self.short_ways, self.short_ways_now());
        let below = usize::from(self.short_ways.receive_below);
        let masked = !self.role.is_client();
        let unparsed = rx.unparsed_mut();
        let frame = match WholeFrame::message(unparsed, masked) {
            Some(frame) if frame.len < below => frame,
            // A buffer of no size is stuck also when it is empty.
            _ if below > 0 && rx.is_empty() && !rx.is_stuck() => return Whole::Nothing,
            _ => return Whole::Other,
        };
        let payload = &mut unparsed[frame.header..frame.header + frame.len];
        let text = frame.is_text();
        if text {
            let is_ascii = if masked {
                mask::apply_to_text(frame.masking_key, payload)
            } else {
                is_short_ascii(payload)
            };
            if !is_ascii && !is_utf8(payload) {
                return Whole::Invalid;
            }
        } else if masked {
            mask::apply(frame.masking_key, payload);
        }
        self.incoming.describe_whole(text);
        self.start_timer(Timer::Idle, now);
        let kind = if text { ReadyKind::Text } else { ReadyKind::Binary };
        Whole::Message(Ready { kind, number: rx.deliver_whole(frame.header, frame.len, text) })
    }
}
