//! Messages in pieces: pushed by the application, or pulled from sources.

use ws_proto::{Kind, Rsv, SendError, Source, State};

use super::{Limit, Output};
use crate::Instant;
use crate::backlog::Pumped;

impl Output {
    pub(crate) fn send_fragment(
        &mut self,
        limit: Limit,
        kind: Kind,
        bytes: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        self.check_no_source()?;
        if !self.connection.is_message_in_progress() {
            self.check_not_stopped()?;
        }
        self.check_room(limit, bytes.len())?;
        self.queue(|connection, tx| connection.send_fragment(tx, kind, bytes, fin))
    }

    pub(crate) fn begin_message(&mut self, rsv: Rsv, kind: Kind) -> Result<(), SendError> {
        self.check_not_stopped()?;
        self.check_no_source()?;
        self.connection.begin_message_with_rsv(rsv, kind)
    }

    pub(crate) fn write_message(&mut self, bytes: &[u8]) -> Result<usize, SendError> {
        self.check_pushed()?;
        let n = bytes.len().min(self.room());
        if n == 0 && !bytes.is_empty() {
            return Err(SendError::Full);
        }
        self.queue(|connection, tx| connection.write_message(tx, &bytes[..n]))
    }

    pub(crate) fn flush_message(&mut self) -> Result<(), SendError> {
        self.check_pushed()?;
        self.queue(|connection, tx| connection.flush_message(tx))
    }

    pub(crate) fn finish_message(&mut self) -> Result<(), SendError> {
        self.check_pushed()?;
        self.queue(|connection, tx| connection.finish_message(tx))
    }

    pub(crate) fn abort_message(&mut self, now: Instant) {
        // A source's message is not the caller's to give up.
        if self.backlog.is_none() {
            self.connection.abort_message(now);
        }
    }

    pub(crate) fn send_source<S: Source + Send + 'static>(
        &mut self,
        rsv: Rsv,
        kind: Kind,
        source: S,
    ) -> Result<(), (SendError, S)> {
        let checked = self.check(Limit::Applies, 0);
        if let Err(error) = checked.and_then(|()| self.connection.check_payload(rsv, kind, &[])) {
            return Err((error, source));
        }
        if self.backlog.is_none() && self.connection.is_message_in_progress() {
            return Err((SendError::MessageInProgress, source));
        }
        self.backlog.get_or_insert_default().push_source(rsv, kind, Box::new(source));
        Ok(())
    }

    pub(crate) fn resume_source(&mut self) {
        if let Some(backlog) = &mut self.backlog {
            backlog.resume();
        }
    }

    /// Asks sources, as far as the output has room. Says whether they may have more.
    pub(crate) fn pump(&mut self, now: Instant) -> bool {
        if self.backlog.is_none() {
            return false;
        }
        if self.connection.state() != State::Open {
            self.release_backlog();
        }
        let Some(backlog) = &mut self.backlog else { return false };
        let pumped = backlog.pump(now, &mut self.connection, self.tx.needed(), &mut self.pull_budget);
        if backlog.is_empty() {
            self.backlog = None;
        }
        match pumped {
            Ok(pumped) => pumped == Pumped::More,
            Err(error) => {
                self.lost_data = true;
                self.rare.set_source_error(error);
                false
            }
        }
    }

    /// Whether sources may be asked in this turn.
    pub(crate) const fn may_pump(&self) -> bool {
        self.pull_budget > 0
    }

    /// How much payload the next piece of a message may have.
    fn room(&self) -> usize {
        match self.buffered_amount() {
            0 => self.send_limit.max(1),
            waiting => self.send_limit.saturating_sub(waiting),
        }
    }

    /// Whether a message that is pushed in pieces may begin or go on: not while one comes from a source.
    fn check_no_source(&self) -> Result<(), SendError> {
        if self.backlog.is_none() { Ok(()) } else { Err(SendError::MessageInProgress) }
    }

    /// Whether there is a message that is pushed in pieces.
    fn check_pushed(&self) -> Result<(), SendError> {
        self.check_open()?;
        let pushed = self.backlog.is_none() && self.connection.is_message_in_progress();
        if pushed { Ok(()) } else { Err(SendError::NoMessage) }
    }
}
