//! Tokio's clock as the core wants it, and the one sleep that waits for its deadlines.

use core::future::Future as _;
use core::pin::Pin;
use core::task::{Context, Poll};

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
}

impl Timer {
    pub(crate) fn new() -> Self {
        Self { epoch: TokioInstant::now(), sleep: None }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_duration(TokioInstant::now().saturating_duration_since(self.epoch))
    }

    /// Ready when it is worth while to look whether `deadline` has passed; never if there is none.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        // A point that the platform cannot express is beyond anybody's life.
        let Some(deadline) = self.epoch.checked_add(deadline.as_duration()) else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.is_elapsed() || deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}
