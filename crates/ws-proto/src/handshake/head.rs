//! Receiving a head, within its limits and its deadline: the same for both roles.

use super::error::HandshakeError;
use super::http::{self, Kind, RequestLine, Scanner, StatusLine};
use super::limits::HandshakeLimits;
use crate::buf::recv::{EventNumber, RecvBuf};
use crate::buf::storage::Storage;
use crate::time::Instant;

/// Reads one head out of a receive buffer.
#[derive(Clone, Debug)]
pub(super) struct HeadReader {
    limits: HandshakeLimits,
    deadline: Instant,
    kind: Kind,
    progress: Progress,
}

#[derive(Clone, Copy, Debug)]
enum Progress {
    Reading(Scanner),
    /// The head is there, consumed, and what the buffer delivers until it is next used.
    Complete(EventNumber),
    Failed(HandshakeError),
}

impl HeadReader {
    pub(super) fn new(kind: Kind, limits: HandshakeLimits, now: Instant) -> Self {
        let deadline = limits.timeout.after(now).unwrap_or(Instant::NEVER);
        Self { limits, deadline, kind, progress: Progress::Reading(Scanner::new(kind)) }
    }

    pub(super) fn poll_receive<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
    ) -> Result<bool, HandshakeError> {
        self.handle_timeout(now);
        let outcome = match &mut self.progress {
            Progress::Reading(scanner) => read(self.kind, scanner, &self.limits, rx),
            Progress::Complete(_) => return Ok(true),
            Progress::Failed(error) => return Err(*error),
        };
        match outcome {
            Ok(None) => Ok(false),
            Ok(Some(head)) => {
                self.progress = Progress::Complete(head);
                Ok(true)
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// The head, as long as the buffer is not used for something else.
    pub(super) fn head<'b, S: Storage>(&self, rx: &'b RecvBuf<S>) -> Option<&'b [u8]> {
        match self.progress {
            Progress::Complete(head) => Some(rx.delivered(head)).filter(|head| !head.is_empty()),
            _ => None,
        }
    }

    pub(super) fn receive_eof(&mut self) -> HandshakeError {
        match self.progress {
            Progress::Reading(_) => self.fail(HandshakeError::UnexpectedEof),
            Progress::Complete(_) => HandshakeError::UnexpectedEof,
            Progress::Failed(error) => error,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.fail(HandshakeError::Timeout);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.progress {
            Progress::Reading(_) if self.deadline < Instant::NEVER => Some(self.deadline),
            _ => None,
        }
    }

    fn fail(&mut self, error: HandshakeError) -> HandshakeError {
        self.progress = Progress::Failed(error);
        error
    }
}

fn read<S: Storage>(
    kind: Kind,
    scanner: &mut Scanner,
    limits: &HandshakeLimits,
    rx: &mut RecvBuf<S>,
) -> Result<Option<EventNumber>, HandshakeError> {
    loop {
        let unparsed = rx.unparsed();
        let Some(len) = scanner.scan(unparsed, limits)? else {
            // A buffer that is full has no room for the rest: to wait for it would be to wait for ever.
            let full = HandshakeError::HeadTooLarge { limit: rx.max_len() };
            return if rx.is_stuck() { Err(full) } else { Ok(None) };
        };
        let head = unparsed.get(..len).unwrap_or(unparsed);
        let is_interim = match kind {
            Kind::Request => RequestLine::parse(head).map(|_| false)?,
            Kind::Response => StatusLine::parse(head)?.is_interim(),
        };
        http::check_fields(head)?;
        if !is_interim {
            // Consumed like a control frame: delivered from where it lies, and what is behind it stays
            // unparsed.
            return Ok(Some(rx.deliver_whole(0, len, false)));
        }
        rx.consume(len);
        *scanner = scanner.next();
    }
}
