//! Messages that come from sources, and what waits behind them.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use ws_proto::{Connection, Instant, Kind, Outbound as _, Pulled, Rsv, SendError, SendQueue, Source};

/// A source is asked only while less output than this waits, so that a fast one does not fill the memory.
const PULL_BELOW: usize = 16 << 10;
/// How often sources are asked in one turn at most, whatever little they give.
pub(crate) const PULL_BUDGET: u16 = 128;
/// What an entry counts beside its payload, so that the send limit bounds the number of sources and empty messages too.
const ENTRY_COST: usize = size_of::<Entry>();

/// A queue in front of the send queue. It exists only while there is a source.
// INVARIANT: the front entry, if there is any, is a source.
#[derive(Default)]
pub(crate) struct Backlog {
    entries: VecDeque<Entry>,
    /// The payload of all messages in here.
    bytes: usize,
    /// The message of the front source was begun.
    begun: bool,
    /// A piece of it was queued.
    has_frames: bool,
    /// The front source has nothing now.
    pending: bool,
}

enum Entry {
    Message { rsv: Rsv, kind: Kind, payload: Bytes },
    Source { rsv: Rsv, kind: Kind, source: Box<dyn Source + Send> },
}

/// What came of asking the sources.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pumped {
    /// There may be more, when there is room, or in the next turn.
    More,
    /// Nothing is left, or the front source has nothing now.
    Nothing,
}

impl Backlog {
    pub(crate) fn push_message(&mut self, rsv: Rsv, kind: Kind, payload: Bytes) {
        self.bytes = self.bytes.saturating_add(payload.len());
        self.entries.push_back(Entry::Message { rsv, kind, payload });
    }

    pub(crate) fn push_source(&mut self, rsv: Rsv, kind: Kind, source: Box<dyn Source + Send>) {
        self.entries.push_back(Entry::Source { rsv, kind, source });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Messages and sources.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) const fn buffered_amount(&self) -> usize {
        self.bytes
    }

    /// What this counts against the limits.
    pub(crate) fn cost(&self) -> usize {
        self.bytes.saturating_add(self.entries.len() * ENTRY_COST)
    }

    /// Whether there is a use in being writable.
    pub(crate) const fn wants_transmit(&self) -> bool {
        !self.pending
    }

    pub(crate) const fn resume(&mut self) {
        self.pending = false;
    }

    /// Asks sources while the output has room, and moves on the messages whose turn it is.
    ///
    /// # Errors
    ///
    /// Why a source failed. Nothing more can be sent then, and all is released.
    pub(crate) fn pump(
        &mut self,
        now: Instant,
        connection: &mut Connection,
        tx: &mut SendQueue<Bytes>,
        budget: &mut u16,
    ) -> Result<Pumped, SendError> {
        while let Some(Entry::Source { rsv, kind, source }) = self.entries.front_mut() {
            if self.pending {
                return Ok(Pumped::Nothing);
            }
            if *budget == 0 || tx.buffered_amount() >= PULL_BELOW {
                return Ok(Pumped::More);
            }
            *budget -= 1;
            let pulled = if self.begun { Ok(()) } else { connection.begin_message_with_rsv(*rsv, *kind) }
                .and_then(|()| connection.pull_message(now, tx, &mut **source));
            self.begun = true;
            match pulled {
                Ok(Pulled::Fragment) => self.has_frames = true,
                Ok(Pulled::Pending) => self.pending = true,
                Ok(Pulled::Finished) => {
                    self.entries.pop_front();
                    (self.begun, self.has_frames) = (false, false);
                    self.flush_messages(connection, tx);
                }
                Err(SendError::Full) => return Ok(Pumped::More),
                Err(error) => {
                    self.release();
                    return Err(error);
                }
            }
        }
        Ok(Pumped::Nothing)
    }

    /// Gives sources up for a close, and queues the messages. If a source is in the middle of its message, no other can
    /// follow that, and they are given up too.
    pub(crate) fn give_up_sources(
        mut self,
        now: Instant,
        connection: &mut Connection,
        tx: &mut SendQueue<Bytes>,
    ) {
        if self.has_frames {
            return;
        }
        if self.begun {
            // Nothing of it is queued, so that this has no consequence.
            connection.abort_message(now);
        }
        self.entries.retain(|entry| matches!(entry, Entry::Message { .. }));
        self.flush_messages(connection, tx);
    }

    /// Moves the messages in front on to the send queue.
    fn flush_messages(&mut self, connection: &mut Connection, tx: &mut SendQueue<Bytes>) {
        while let Some(Entry::Message { .. }) = self.entries.front()
            && let Some(Entry::Message { rsv, kind, payload }) = self.entries.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(payload.len());
            // All that could be refused was when it came in here. What is refused now is so because the connection is
            // over.
            let _ = if rsv.is_empty() {
                connection.send_owned(tx, kind, payload).map_err(|(error, _)| error)
            } else {
                connection.send_with_rsv(tx, rsv, kind, &payload)
            };
        }
    }

    fn release(&mut self) {
        *self = Self::default();
    }
}

/// The sizes, not the bytes: what is sent does not belong into logs.
impl fmt::Debug for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backlog")
            .field("entries", &self.entries.len())
            .field("bytes", &self.bytes)
            .field("pending", &self.pending)
            .finish()
    }
}
