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
/// read, write and look at the timer. So if they are used by two tasks, then what they leave there is a waker for both.
///
/// Nearly all connections belong to one task, which leaves its own waker and needs nothing in between. The first time
/// that a second one comes, it is the last to have asked wherever it does, and so leaves the waker for both wherever
/// the first one's was replaced.
#[derive(Debug)]
pub(crate) enum Waiters {
    /// At most one task; and in which halves it may be waiting.
    One(Option<Waker>, [bool; 2]),
    Two(Arc<Halves>),
}

#[derive(Debug)]
pub(crate) struct Halves(Mutex<[Option<Waker>; 2]>);

impl Waiters {
    pub(crate) const fn new() -> Self {
        Self::One(None, [false; 2])
    }

    /// Remembers the task that polls as the one that waits in this half, and gives the waker to wait with, if that is
    /// not the task's own; and says whether it may be another one than the last time.
    #[inline]
    pub(crate) fn register(&mut self, half: Half, cx: &Context<'_>) -> (Option<Waker>, bool) {
        if let Self::One(Some(waker), waits) = self
            && waker.will_wake(cx.waker())
        {
            waits[half as usize] = true;
            return (None, false);
        }
        (self.register_other(half, cx), true)
    }

    #[cold]
    fn register_other(&mut self, half: Half, cx: &Context<'_>) -> Option<Waker> {
        if let Self::One(waker, waits) = self {
            let only_here = !waits[1 - half as usize];
            match waker {
                Some(waker) if only_here => waker.clone_from(cx.waker()),
                Some(_) => return Some(self.register_second(half, cx)),
                None => *waker = Some(cx.waker().clone()),
            }
            waits[half as usize] = true;
            return None;
        }
        Some(self.register_second(half, cx))
    }

    fn register_second(&mut self, half: Half, cx: &Context<'_>) -> Waker {
        let halves = match self {
            Self::One(waker, waits) => {
                let first = waits.map(|waits| waker.as_ref().filter(|_| waits).cloned());
                Arc::new(Halves(Mutex::new(first)))
            }
            Self::Two(halves) => Arc::clone(halves),
        };
        halves.register(half, cx);
        *self = Self::Two(Arc::clone(&halves));
        halves.into()
    }

    /// Something changed that neither the transport nor the timer tells.
    pub(crate) fn wake(&mut self) {
        match self {
            Self::One(waker, waits) => {
                *waits = [false; 2];
                if let Some(waker) = waker.take() {
                    waker.wake();
                }
            }
            Self::Two(halves) => halves.wake_by_ref(),
        }
    }
}

impl Halves {
    fn register(&self, half: Half, cx: &Context<'_>) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut halves[half as usize] {
            Some(waker) => waker.clone_from(cx.waker()),
            empty => *empty = Some(cx.waker().clone()),
        }
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
