//! A transport in memory, for the peers that bring their own input and output: always ready.

use std::io::{self, IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::case::Output;
use crate::wire::Wire;

/// Gives what is on the wire, and takes whatever is written at once.
#[derive(Debug)]
pub struct MemoryIo {
    /// What is read from, if anything is.
    pub wire: Option<Wire>,
    /// What is written.
    pub output: Rc<Output>,
}

impl MemoryIo {
    /// A transport to read from.
    pub fn reading(wire: Wire) -> Self {
        Self { wire: Some(wire), output: Rc::default() }
    }

    /// A transport to write to.
    pub fn writing(output: Rc<Output>) -> Self {
        Self { wire: None, output }
    }

    fn write_slices(&mut self, slices: &[IoSlice<'_>]) -> usize {
        slices.iter().map(|slice| self.write_slice(slice)).sum()
    }

    fn write_slice(&mut self, slice: &[u8]) -> usize {
        self.output.take(slice);
        slice.len()
    }
}

impl Read for MemoryIo {
    #[inline]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.wire.as_mut().map_or_else(|| Err(io::ErrorKind::WouldBlock.into()), |wire| Ok(wire.read(out)))
    }
}

impl Write for MemoryIo {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.write_slice(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.write_slices(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for MemoryIo {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(wire) = &mut self.get_mut().wire else { return Poll::Pending };
        let next = wire.next(out.remaining());
        out.put_slice(next);
        let n = next.len();
        wire.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for MemoryIo {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.get_mut().write_slice(bytes)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.get_mut().write_slices(slices)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The result of a future that never has to wait.
///
/// # Panics
///
/// If it waits nevertheless.
#[inline]
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the transport in memory is always ready, and yet it waits"),
    }
}
