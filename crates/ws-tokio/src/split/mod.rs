//! A WebSocket in two halves, for two tasks.

mod reader;
mod writer;

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ws_proto::RecvBuf;

pub use self::reader::WebSocketReader;
pub use self::writer::WebSocketWriter;
use crate::driver::Driver;
use crate::lent::Lent;

/// Two halves that do not belong together; they come back as they were.
pub struct ReuniteError<IO>(pub WebSocketReader<IO>, pub WebSocketWriter<IO>);

type Shared<IO> = Mutex<Driver<IO>>;

fn lock<IO>(shared: &Shared<IO>) -> MutexGuard<'_, Driver<IO>> {
    // What panicked was the transport of the caller's; the state here is as good as it was.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn split<IO>(
    rx: Lent<RecvBuf<Vec<u8>>>,
    driver: Driver<IO>,
) -> (WebSocketReader<IO>, WebSocketWriter<IO>) {
    let shared = Arc::new(Mutex::new(driver));
    (WebSocketReader { rx, shared: Arc::clone(&shared) }, WebSocketWriter { shared })
}

impl<IO> fmt::Debug for ReuniteError<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReuniteError")
    }
}

impl<IO> fmt::Display for ReuniteError<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves are not of the same WebSocket")
    }
}

impl<IO> core::error::Error for ReuniteError<IO> {}
