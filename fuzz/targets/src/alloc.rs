//! An allocator that counts, a thread at a time: what a target's bound on the heap is measured with.
// An allocator cannot be written without; this one adds counting to the system's and nothing else.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

/// The system's allocator, counted. Binaries that want a bound on the heap held declare it as theirs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

thread_local! {
    // Per thread, so that tests beside each other and the harness do not count.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends may still allocate, when this is gone.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every call is passed on to the system's allocator with the caller's own arguments and promises. `realloc` is
// the default one, which allocates, copies and frees, so that both blocks are counted as long as there may be both.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// What `work` allocates at most beyond what is live before it; 0 where [`Counting`] is not the allocator.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    (usize::try_from(PEAK.get() - before).unwrap_or(0), result)
}
