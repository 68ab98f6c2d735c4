//! The timers of a connection: a table of deadlines, nothing else.

#[cfg(test)]
mod tests;

use crate::time::Instant;

/// What there are deadlines for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Timer {
    /// Data must have arrived.
    Idle,
    /// The transport must have taken some output.
    WriteStall,
    /// The closing handshake, and what comes after it, must be over.
    Close,
    /// A keepalive ping is due.
    Ping,
    /// The keepalive ping must have been answered.
    Pong,
}

/// The place in the table of those that share one: the last.
const SHARED: usize = Timer::Close as usize;

impl Timer {
    /// In the order in which they have their effect.
    pub(super) const ALL: [Self; 5] = [Self::Close, Self::Idle, Self::Ping, Self::Pong, Self::WriteStall];

    /// Which of the places in the table it has.
    const fn place(self) -> usize {
        if (self as usize) < SHARED { self as usize } else { SHARED }
    }
}

/// The deadline of each timer that runs.
///
/// Of Close, Ping and Pong one runs at a time, so that they share a place: a ping is due, or the last one is to be
/// answered, and when the connection is closing, neither matters any more. To set one is to stop the others; but while
/// Close runs, Ping and Pong are not set, for its deadline is absolute.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimerTable {
    deadlines: [Instant; SHARED + 1],
    /// Whose deadline is in the place that is shared.
    shared_by: Timer,
}

impl TimerTable {
    pub(super) const fn new() -> Self {
        Self { deadlines: [Instant::NEVER; SHARED + 1], shared_by: Timer::Ping }
    }

    pub(super) fn set(&mut self, timer: Timer, deadline: Instant) {
        if timer.place() == SHARED {
            if timer != Timer::Close && self.is_running(Timer::Close) {
                return;
            }
            self.shared_by = timer;
        }
        self.deadlines[timer.place()] = deadline;
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        if self.has(timer) {
            self.deadlines[timer.place()] = Instant::NEVER;
        }
    }

    pub(super) fn stop_all(&mut self) {
        *self = Self::new();
    }

    pub(super) fn is_running(&self, timer: Timer) -> bool {
        self.deadline(timer) != Instant::NEVER
    }

    pub(super) fn is_due(&self, timer: Timer, now: Instant) -> bool {
        self.is_running(timer) && self.deadline(timer) <= now
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.deadlines.into_iter().min().filter(|&deadline| deadline != Instant::NEVER)
    }

    fn deadline(&self, timer: Timer) -> Instant {
        if self.has(timer) { self.deadlines[timer.place()] } else { Instant::NEVER }
    }

    /// Whether what is in its place is its own.
    fn has(&self, timer: Timer) -> bool {
        timer.place() != SHARED || timer == self.shared_by
    }
}
