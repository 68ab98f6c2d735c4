//! Who waits for a connection: the task that receives and the one that sends may be two.

use core::task::{Context, Waker};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

/// A half of a connection that was split.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Half {
    Receive = 0,
    Send = 1,
}

/// A transport remembers one task for each direction, and a timer one at all: the last that asked. But both halves
/// read, write and look at the timer. So what they leave there is a waker for both.
#[derive(Debug)]
pub(crate) struct Waiters {
    halves: Arc<Halves>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Halves(Mutex<[Option<Waker>; 2]>);

impl Waiters {
    pub(crate) fn new() -> Self {
        let halves = Arc::<Halves>::default();
        Self { waker: halves.clone().into(), halves }
    }

    /// Remembers the task that polls as the one that waits in this half, and gives the waker to wait with.
    pub(crate) fn register(&self, half: Half, cx: &Context<'_>) -> Waker {
        let mut halves = self.halves.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut halves[half as usize] {
            Some(waker) => waker.clone_from(cx.waker()),
            empty => *empty = Some(cx.waker().clone()),
        }
        self.waker.clone()
    }

    /// Something changed that neither the transport nor the timer tells.
    pub(crate) fn wake(&self) {
        self.waker.wake_by_ref();
    }
}

impl Wake for Halves {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let wakers = core::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}
