//! Tokio's clock as the core wants it, and the one sleep that waits for its deadlines.

use core::future::Future as _;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;

use tokio::task::unconstrained;
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};
use ws_proto::Instant;

/// A clock, and one timer of tokio's for all deadlines of a connection.
///
/// The timer is moved only when a deadline comes nearer. One that went further away lets it fire early, which costs one
/// look and is cheaper than moving the timer with every message.
#[derive(Debug)]
pub(crate) struct Timer {
    epoch: TokioInstant,
    sleep: Option<Pin<Box<Sleep>>>,
    /// When the timer wakes whoever waits; `NEVER` if it has to be polled before it does.
    armed: Instant,
}

/// Later than all deadlines.
const NEVER: Instant = Instant::from_duration(Duration::MAX);

impl Timer {
    pub(crate) fn new() -> Self {
        Self { epoch: TokioInstant::now(), sleep: None, armed: NEVER }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_duration(TokioInstant::now().saturating_duration_since(self.epoch))
    }

    /// Another one waits now: the timer is polled again before it is relied upon.
    pub(crate) const fn forget_waker(&mut self) {
        self.armed = NEVER;
    }

    /// Ready when it is worth while to look whether `deadline` has passed; never if there is none. `now` is what
    /// [`now`](Self::now) said since the task was woken.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        // It wakes whoever waits, early enough, and has not done so yet. The sleep itself is not looked at: of thousands
        // of connections, few have theirs in the cache.
        if self.armed <= deadline && now < self.armed {
            return Poll::Pending;
        }
        self.poll_sleep(cx, deadline)
    }

    #[cold]
    fn poll_sleep(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        self.armed = NEVER;
        if deadline <= self.now() {
            return Poll::Ready(());
        }
        // A point that the platform cannot express is beyond anybody's life.
        let Some(at) = self.epoch.checked_add(deadline.as_duration()) else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.is_elapsed() || at < sleep.deadline() {
            sleep.as_mut().reset(at);
        }
        // Not bound by tokio's budget, for then it may be pending without having taken the waker.
        let polled = pin!(unconstrained(sleep.as_mut())).poll(cx);
        if polled.is_pending() {
            self.armed = Instant::from_duration(sleep.deadline().saturating_duration_since(self.epoch));
        }
        polled
    }
}
