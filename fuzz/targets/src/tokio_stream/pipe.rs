//! Two transports in memory that move a few bytes at a time and wait when their script says so.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One direction.
#[derive(Debug, Default)]
struct Direction {
    bytes: VecDeque<u8>,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// One of the two ends.
#[derive(Debug)]
pub(super) struct Transport {
    input: Arc<Mutex<Direction>>,
    output: Arc<Mutex<Direction>>,
    capacity: usize,
    step: usize,
    /// Before which operations it waits once, a bit each, over and over.
    waits: u8,
    /// The operations that have to be tried again: reading, writing, flushing, shutting down.
    waited: [bool; 4],
}

/// Two ends, each of whose directions holds `capacity` bytes, that move at most `step` at a time.
pub(super) fn pair(capacity: usize, step: usize, waits: [u8; 2]) -> (Transport, Transport) {
    let (a, b) = (Arc::<Mutex<Direction>>::default(), Arc::<Mutex<Direction>>::default());
    let end = |input: &Arc<_>, output: &Arc<_>, waits| Transport {
        input: Arc::clone(input),
        output: Arc::clone(output),
        capacity,
        step,
        waits,
        waited: [false; 4],
    };
    (end(&a, &b, waits[0]), end(&b, &a, waits[1]))
}

fn lock(direction: &Mutex<Direction>) -> MutexGuard<'_, Direction> {
    direction.lock().expect("nothing panics with it")
}

impl Transport {
    /// Whether this operation has to be tried again first.
    fn waits(&mut self, operation: usize, cx: &Context<'_>) -> bool {
        let waited = &mut self.waited[operation];
        if *waited {
            *waited = false;
            return false;
        }
        self.waits = self.waits.rotate_left(1);
        *waited = self.waits & 1 != 0;
        if *waited {
            cx.waker().wake_by_ref();
        }
        *waited
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.waits(0, cx) {
            return Poll::Pending;
        }
        let mut input = lock(&self.input);
        if input.bytes.is_empty() {
            if input.ended {
                return Poll::Ready(Ok(()));
            }
            input.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = self.step.min(buf.remaining()).min(input.bytes.len());
        buf.put_slice(&input.bytes.make_contiguous()[..n]);
        input.bytes.drain(..n);
        if let Some(writer) = input.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.waits(1, cx) {
            return Poll::Pending;
        }
        let mut output = lock(&self.output);
        if output.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let n = self.step.min(bytes.len()).min(self.capacity - output.bytes.len());
        if n == 0 {
            output.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        output.bytes.extend(&bytes[..n]);
        if let Some(reader) = output.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waits(2, cx) { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waits(3, cx) {
            return Poll::Pending;
        }
        let mut output = lock(&self.output);
        output.ended = true;
        if let Some(reader) = output.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(()))
    }
}

/// Nobody is left to read or write.
impl Drop for Transport {
    fn drop(&mut self) {
        for direction in [&self.input, &self.output] {
            let mut direction = lock(direction);
            direction.ended = true;
            let wakers = [direction.reader.take(), direction.writer.take()];
            drop(direction);
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }
}
