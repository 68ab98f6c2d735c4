//! One receive buffer a thread, which belongs to no connection at the moment.
//!
//! Idle connections hold no buffers. To allocate and grow a new one each time something arrives would cost more than
//! receiving it; so what the last turn on this thread has finished with, the next one begins with.

use std::cell::Cell;

use ws_proto::RecvBuf;

/// A larger buffer, as a large message needs it, is freed instead.
const KEEP: usize = 128 << 10;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Gives `rx` the spare buffer if it has none.
pub(crate) fn lend(rx: &mut RecvBuf<Vec<u8>>) {
    if rx.capacity() == 0 {
        // Not while the thread ends; then the buffer allocates for itself.
        *rx = RecvBuf::new(SPARE.try_with(Cell::take).unwrap_or_default());
    }
}

/// Takes the buffer of `rx` back if nothing is in it.
pub(crate) fn give_back(rx: &mut RecvBuf<Vec<u8>>) {
    if rx.is_empty() && rx.capacity() > 0 {
        let storage = std::mem::take(rx).into_storage();
        if storage.len() <= KEEP {
            let _ = SPARE.try_with(|spare| spare.set(storage));
        }
    }
}
