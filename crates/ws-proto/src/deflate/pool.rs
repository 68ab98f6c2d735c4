//! States of the codec and scratch buffers that are in use only while something is inflated or compressed, and are
//! shared by all connections of a thread. Without `std` there are no threads to share in: they are made and dropped.

use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use super::codec::{Deflate as _, Deflating, Inflate as _, Inflating, Settings};
use super::history::History;

/// How many states of each kind a thread keeps. More than a few are in use at a time only if so many messages are
/// received or sent in pieces at once.
#[cfg(feature = "std")]
const MAX_IDLE: usize = 4;
/// A buffer that has grown beyond this is given back to the system.
#[cfg(feature = "std")]
const MAX_KEPT: usize = 256 << 10;

#[cfg(feature = "std")]
std::thread_local! {
    static INFLATING: core::cell::RefCell<Vec<IdleInflating>> = const { core::cell::RefCell::new(Vec::new()) };
    static DEFLATING: core::cell::RefCell<Vec<(Settings, Deflating)>> = const { core::cell::RefCell::new(Vec::new()) };
    static SCRATCH: core::cell::Cell<Vec<u8>> = const { core::cell::Cell::new(Vec::new()) };
    static ROOM: core::cell::Cell<Vec<u8>> = const { core::cell::Cell::new(Vec::new()) };
}

/// Whose history a state for inflating has seen, and how far; `None` if it is nobody's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Seen {
    owner: Owner,
    total: u64,
}

/// One history among all of the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Owner(#[cfg(feature = "std")] u64);

impl Owner {
    pub(super) fn new() -> Self {
        #[cfg(feature = "std")]
        {
            use core::sync::atomic::{AtomicUsize, Ordering};
            // It may come round where usize has 32 bits: then the totals would have to be the same as well, in a
            // state that has not been used for four billion connections.
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            Self(NEXT.fetch_add(1, Ordering::Relaxed) as u64)
        }
        #[cfg(not(feature = "std"))]
        Self()
    }

    pub(super) const fn seen(self, history: &History) -> Seen {
        Seen { owner: self, total: history.total() }
    }
}

/// A state for inflating that waits to be used.
pub(super) struct IdleInflating {
    pub(super) state: Inflating,
    pub(super) seen: Option<Seen>,
    /// An empty one, whose memory is for whoever keeps no history between messages.
    pub(super) spare: History,
}

/// A state for inflating. Of those at hand the one that has seen the same, which saves copying a window; otherwise it has
/// to be restarted.
pub(super) fn take_inflating(seen: Option<Seen>) -> IdleInflating {
    #[cfg(feature = "std")]
    if let Some(idle) = take_idle(&INFLATING, |idle| idle.seen == seen) {
        return idle;
    }
    let _ = seen;
    IdleInflating { state: Inflating::new(), seen: None, spare: History::default() }
}

/// A state for inflating is not needed any more.
pub(super) fn give_inflating(idle: IdleInflating) {
    #[cfg(feature = "std")]
    give_idle(&INFLATING, idle);
    #[cfg(not(feature = "std"))]
    drop(idle);
}

/// A state for compressing that has seen nothing.
pub(super) fn take_deflating(settings: Settings) -> Deflating {
    #[cfg(feature = "std")]
    {
        let idle = DEFLATING.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            let at = pool.iter().rposition(|idle| idle.0 == settings)?;
            Some(pool.swap_remove(at))
        });
        if let Ok(Some((_, mut state))) = idle {
            state.reset();
            return state;
        }
    }
    Deflating::new(settings)
}

/// A state for compressing is not needed any more.
pub(super) fn give_deflating(settings: Settings, state: Deflating) {
    #[cfg(feature = "std")]
    give_idle(&DEFLATING, (settings, state));
    #[cfg(not(feature = "std"))]
    let _ = (settings, state);
}

/// The one that fits, or else the one that has been idle for longest.
#[cfg(feature = "std")]
fn take_idle<T>(
    pool: &'static std::thread::LocalKey<core::cell::RefCell<Vec<T>>>,
    fits: impl Fn(&T) -> bool,
) -> Option<T> {
    let take = |pool: &core::cell::RefCell<Vec<T>>| {
        let mut pool = pool.borrow_mut();
        let at = pool.iter().rposition(fits).unwrap_or(0);
        if pool.is_empty() { None } else { Some(pool.remove(at)) }
    };
    // Where the thread is at its end and the pool is gone, there is none.
    pool.try_with(take).ok().flatten()
}

#[cfg(feature = "std")]
fn give_idle<T>(pool: &'static std::thread::LocalKey<core::cell::RefCell<Vec<T>>>, idle: T) {
    let _ = pool.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() == MAX_IDLE {
            pool.remove(0);
        }
        pool.push(idle);
    });
}

/// An empty `Vec` for the time being.
#[derive(Debug)]
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    pub(crate) fn take() -> Self {
        #[cfg(feature = "std")]
        return Self(SCRATCH.try_with(core::cell::Cell::take).unwrap_or_default());
        #[cfg(not(feature = "std"))]
        Self(Vec::new())
    }
}

impl Deref for Scratch {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

#[cfg(feature = "std")]
impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.capacity() <= MAX_KEPT {
            self.0.clear();
            let bytes = core::mem::take(&mut self.0);
            let _ = SCRATCH.try_with(|scratch| scratch.set(bytes));
        }
    }
}

/// Room to inflate into, all of it initialised; none at first.
pub(crate) fn take_room() -> Vec<u8> {
    #[cfg(feature = "std")]
    return ROOM.try_with(core::cell::Cell::take).unwrap_or_default();
    #[cfg(not(feature = "std"))]
    Vec::new()
}

/// The room is not needed any more.
pub(crate) fn give_room(bytes: Vec<u8>) {
    #[cfg(feature = "std")]
    if bytes.len() <= MAX_KEPT {
        let _ = ROOM.try_with(|room| room.set(bytes));
    }
    #[cfg(not(feature = "std"))]
    drop(bytes);
}
