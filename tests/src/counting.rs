//! An allocator that counts, for test binaries that say what something costs or that nothing is left of it. The tests of
//! the adapters include this file, so that there is one of it.

// An allocator cannot be written without; this one adds counting to the system's and nothing else.
#![allow(unsafe_code)]
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this, some by including it")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

/// The allocator. To be made the global one by the test binary.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    // Per thread, so that tests beside each other and the harness do not count.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends frees its last memory after these are gone.
    let _ = LIVE.try_with(|live| {
        ALLOCATIONS.set(ALLOCATIONS.get() + usize::from(bytes > 0));
        live.set(live.get() + bytes);
        PEAK.set(PEAK.get().max(live.get()));
    });
}

// SAFETY: every call is passed on to the system's allocator with the caller's own arguments and promises.
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

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
}

/// How many allocations this thread has made.
pub fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// What this thread has allocated and not freed, in bytes.
pub fn live() -> isize {
    LIVE.get()
}

/// Lets [`peak`] count anew, and gives what is live.
pub fn reset_peak() -> isize {
    PEAK.set(live());
    live()
}

/// The most that was live on this thread at once since [`reset_peak`].
pub fn peak() -> isize {
    PEAK.get()
}

/// The same, once the buffers that the thread keeps for its connections are freed.
pub fn live_without_spare_buffers() -> isize {
    // More than it keeps: each takes one, and frees it.
    for _ in 0..16 {
        let mut buffer = ws_proto::RecvBuf::new(Vec::new());
        assert!(!buffer.spare_mut().is_empty());
    }
    live()
}

/// What `work` allocates on this thread at most beyond what is live before it, in bytes; and its result.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = reset_peak();
    let result = work();
    ((peak() - before) as usize, result)
}
