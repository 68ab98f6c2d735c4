//! Which messages may go the short ways at present: numbers that are kept up to date, so that there is one to look at.
//!
//! A connection is nearly always in the state in which any message may come or go. What else it can be in is looked at
//! when it changes, and not with every message.

use super::Connection;
use super::recv_payload::BLOCK;
use crate::wire::short::ShortHeader;

/// The lengths below which messages go the short ways.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ShortWays {
    /// Received ones: within the limits; and of which nothing has left the cache when the text is checked. Zero while
    /// something else than a message is expected.
    pub(super) receive_below: u16,
    /// Sent ones: in one frame, and not compressed. Zero while no message may be sent.
    pub(super) send_below: u16,
}

impl ShortWays {
    pub(super) const NONE: Self = Self { receive_below: 0, send_below: 0 };
}

impl Connection {
    /// To be called whenever something has changed that [`short_ways_now`](Self::short_ways_now) looks at.
    pub(super) fn update_short_ways(&mut self) {
        self.short_ways = self.short_ways_now();
    }

    /// What they are by the rules.
    pub(super) fn short_ways_now(&self) -> ShortWays {
        if self.check_open().is_err() {
            return ShortWays::NONE;
        }
        let config = &self.config;
        let receives = !self.incoming.in_message && config.max_fragments > 0;
        let longest = config.max_message_size.min(config.max_frame_size).min(BLOCK);
        let sends = self.check_message().is_ok();
        let sent = ShortHeader::MAX_PAYLOAD.min(config.fragment_size.saturating_add(1));
        ShortWays {
            // Both are shorter than 64 KiB.
            receive_below: if receives { longest as u16 + 1 } else { 0 },
            send_below: if sends {
                self.compresses_from().map_or(sent, |from| from.min(sent)) as u16
            } else {
                0
            },
        }
    }
}
