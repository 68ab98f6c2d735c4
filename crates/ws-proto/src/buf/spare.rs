//! Memory that belongs to no connection at the moment, but to the thread.
//!
//! Idle connections hold no buffers. To allocate, zero and grow new ones each time something arrives or is sent would cost
//! more than receiving or sending it; so what one connection is done with is what the next one begins with.

use alloc::vec::Vec;
use core::cell::RefCell;

/// How many buffers a thread keeps: one to receive into and one to send from, for each of a few that are busy at once.
const MAX: usize = 8;
/// A larger one, as a large message needs it, is kept apart, so that it does not come to wait with a few bytes in it.
const MAX_LEN: usize = 128 << 10;
/// How much all the larger ones may have together: what a dozen connections need that are in the middle of a message of
/// 1 MiB. Fresh memory for one costs more, in page faults and zeroing, than to receive it.
const MAX_LARGE: usize = 16 << 20;

std::thread_local! {
    static SPARE: RefCell<Spare> = const {
        RefCell::new(Spare { buffers: [const { Vec::new() }; MAX], len: 0, large: Vec::new(), large_bytes: 0 })
    };
}

/// A stack, so that what is in the caches is used again first.
struct Spare {
    buffers: [Vec<u8>; MAX],
    // INVARIANT: at most MAX
    len: usize,
    large: Vec<Vec<u8>>,
    // INVARIANT: the sum of their lengths
    large_bytes: usize,
}

/// Puts the memory that was given last into `buffer`, which has none, if `len` bytes are to be in it that it may have.
pub(super) fn take(buffer: &mut Vec<u8>, len: usize) {
    if len > MAX_LEN {
        return;
    }
    // Not while the thread ends; then the buffer allocates for itself.
    let _ = SPARE.try_with(|spare| {
        let spare = &mut *spare.borrow_mut();
        if spare.len > 0 {
            spare.len -= 1;
            *buffer = core::mem::take(&mut spare.buffers[spare.len]);
        }
    });
}

/// Exchanges `buffer` for a larger one that has at least `len` bytes, with the same in it; if there is one, and `len` is
/// such that a large one is called for.
pub(super) fn exchange(buffer: &mut Vec<u8>, len: usize) {
    if len <= MAX_LEN {
        return;
    }
    let larger = SPARE.try_with(|spare| {
        let spare = &mut *spare.borrow_mut();
        let index = spare.large.iter().rposition(|large| large.len() >= len)?;
        let large = spare.large.remove(index);
        spare.large_bytes -= large.len();
        Some(large)
    });
    if let Ok(Some(mut larger)) = larger {
        larger[..buffer.len()].copy_from_slice(buffer);
        give(core::mem::replace(buffer, larger));
    }
}

/// Takes memory that is not needed any more.
pub(super) fn give(buffer: Vec<u8>) {
    if buffer.is_empty() {
        return;
    }
    let _ = SPARE.try_with(|spare| {
        let spare = &mut *spare.borrow_mut();
        if buffer.len() > MAX_LEN {
            if buffer.len() <= MAX_LARGE - spare.large_bytes {
                spare.large_bytes += buffer.len();
                spare.large.push(buffer);
            }
        } else if spare.len < MAX {
            spare.buffers[spare.len] = buffer;
            spare.len += 1;
        }
    });
}
