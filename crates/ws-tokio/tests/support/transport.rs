//! Transports that do something special with another one.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counts the calls.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) writes: AtomicUsize,
    pub(crate) flushes: AtomicUsize,
}

impl Calls {
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    pub(crate) fn flushes(&self) -> usize {
        self.flushes.load(Ordering::Relaxed)
    }
}

/// A transport that counts its calls, with or without vectored writes.
pub(crate) struct Counting<IO> {
    pub(crate) io: IO,
    pub(crate) calls: Arc<Calls>,
    pub(crate) vectored: bool,
}

impl<IO> Counting<IO> {
    pub(crate) fn new(io: IO) -> (Self, Arc<Calls>) {
        let calls = Arc::<Calls>::default();
        (Self { io, calls: calls.clone(), vectored: true }, calls)
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Counting<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Counting<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.calls.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        assert!(self.vectored, "a transport without vectored writes is asked for one");
        self.calls.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.calls.flushes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Moves at most so many bytes at a time, and before each step says `Pending` once: every await that can wait does.
pub(crate) struct Choppy<IO> {
    io: IO,
    step: usize,
    /// One for reads, one for writes.
    waited: [bool; 2],
}

impl<IO> Choppy<IO> {
    pub(crate) fn new(io: IO, step: usize) -> Self {
        Self { io, step, waited: [false; 2] }
    }

    fn wait(&mut self, direction: usize, cx: &Context<'_>) -> Poll<()> {
        self.waited[direction] = !self.waited[direction];
        if self.waited[direction] {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Choppy<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.wait(0, cx));
        let mut part = buf.take(self.step);
        let result = ready!(Pin::new(&mut self.io).poll_read(cx, &mut part));
        let n = part.filled().len();
        buf.advance(n);
        Poll::Ready(result)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Choppy<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.wait(1, cx));
        let n = buf.len().min(self.step);
        Pin::new(&mut self.io).poll_write(cx, &buf[..n])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// What goes wrong in a [`Faulty`] transport.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// The operation, and all after it, fails with this.
    Error(io::ErrorKind),
    /// A write takes nothing. A read says that the stream ended.
    Zero,
    /// The operation claims one byte more than there was room for or was offered.
    Lie,
    /// The operation waits once.
    Pending,
    /// The operation moves one byte.
    Short,
}

/// A transport whose n-th operation, a read or a write, goes wrong.
pub(crate) struct Faulty<IO> {
    io: IO,
    at: usize,
    fault: Fault,
    operations: usize,
    /// Whether it came to the fault, and which operation it was.
    pub(crate) hit: Arc<std::sync::Mutex<Option<&'static str>>>,
    broken: bool,
}

impl<IO> Faulty<IO> {
    pub(crate) fn new(io: IO, at: usize, fault: Fault) -> Self {
        Self { io, at, fault, operations: 0, hit: Arc::default(), broken: false }
    }

    /// Whether this operation is the one.
    fn is_now(&mut self, operation: &'static str) -> bool {
        self.operations += 1;
        if self.operations == self.at + 1 {
            *self.hit.lock().unwrap() = Some(operation);
            return true;
        }
        false
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Faulty<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.broken || self.is_now("read") {
            match self.fault {
                Fault::Error(kind) => {
                    self.broken = true;
                    return Poll::Ready(Err(kind.into()));
                }
                Fault::Zero => {
                    self.broken = true;
                    return Poll::Ready(Ok(()));
                }
                Fault::Lie => {
                    let size = buf.remaining() + 1;
                    *buf = ReadBuf::new(Box::leak(vec![0; size].into()));
                    buf.advance(size);
                    return Poll::Ready(Ok(()));
                }
                Fault::Pending => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Fault::Short => {
                    let mut part = buf.take(1);
                    let result = ready!(Pin::new(&mut self.io).poll_read(cx, &mut part));
                    let n = part.filled().len();
                    buf.advance(n);
                    return Poll::Ready(result);
                }
            }
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Faulty<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.broken || self.is_now("write") {
            match self.fault {
                Fault::Error(kind) => {
                    self.broken = true;
                    return Poll::Ready(Err(kind.into()));
                }
                Fault::Zero => {
                    self.broken = true;
                    return Poll::Ready(Ok(0));
                }
                Fault::Lie => return Poll::Ready(Ok(buf.len() + 1)),
                Fault::Pending => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Fault::Short => return Pin::new(&mut self.io).poll_write(cx, &buf[..1]),
            }
        }
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
