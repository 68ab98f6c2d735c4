//! The timers of a connection: a table of deadlines, nothing else.

use crate::time::Instant;

/// What there are deadlines for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Timer {
    /// The closing handshake, and what comes after it, must be over.
    Close = 0,
    /// Data must have arrived.
    Idle = 1,
    /// A keepalive ping is due.
    Ping = 2,
    /// The keepalive ping must have been answered.
    Pong = 3,
    /// The transport must have taken some output.
    WriteStall = 4,
}

impl Timer {
    pub(super) const ALL: [Self; 5] = [Self::Close, Self::Idle, Self::Ping, Self::Pong, Self::WriteStall];
}

/// The deadline of each timer that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimerTable {
    deadlines: [Instant; Timer::ALL.len()],
}

impl TimerTable {
    pub(super) const fn new() -> Self {
        Self { deadlines: [Instant::NEVER; Timer::ALL.len()] }
    }

    pub(super) fn set(&mut self, timer: Timer, deadline: Instant) {
        self.deadlines[timer as usize] = deadline;
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.set(timer, Instant::NEVER);
    }

    pub(super) fn stop_all(&mut self) {
        *self = Self::new();
    }

    pub(super) fn is_running(&self, timer: Timer) -> bool {
        self.deadlines[timer as usize] != Instant::NEVER
    }

    pub(super) fn is_due(&self, timer: Timer, now: Instant) -> bool {
        self.is_running(timer) && self.deadlines[timer as usize] <= now
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.deadlines.into_iter().min().filter(|&deadline| deadline != Instant::NEVER)
    }
}
