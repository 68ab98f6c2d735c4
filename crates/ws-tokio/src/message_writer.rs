//! Writing one message as a stream of bytes.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_proto::{Kind, SendError};

use crate::error::Error;

/// What a message can be written to, piece by piece: a [`WebSocket`](crate::WebSocket), or the writing half of one.
/// Sealed.
pub trait SendPieces: sealed::Sealed {}

pub(crate) mod sealed {
    use core::task::{Context, Poll};

    use ws_proto::{Kind, SendError};

    use crate::error::Error;

    /// The operations behind `SendPieces`.
    #[allow(unnameable_types)]
    pub trait Sealed {
        fn begin(&mut self, kind: Kind) -> Result<(), SendError>;
        fn write(&mut self, bytes: &[u8]) -> Result<usize, SendError>;
        /// Queues what was held back; see `Connection::flush_message`.
        fn flush_written(&mut self) -> Result<(), SendError>;
        fn finish(&mut self) -> Result<(), SendError>;
        fn abort(&mut self);
        fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;
        /// Serves everything else; see `Driver::poll_control`.
        fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Error>;
    }
}

/// Writes the payload of one message. What one write takes is one fragment, so write in large pieces or through a
/// `BufWriter`. If the message is compressed, up to 16 KiB of it are held back until `flush` of `AsyncWriteExt`.
///
/// Made by `begin_message`. [`finish`](Self::finish), or `shutdown` of `AsyncWriteExt`, ends the message. Dropped
/// before, it is given up: if a piece of it was queued, there is no way to tell the peer but to close the connection
/// with 1011.
#[derive(Debug)]
pub struct MessageWriter<'w, W: SendPieces> {
    to: &'w mut W,
    finished: bool,
}

impl<'w, W: SendPieces> MessageWriter<'w, W> {
    pub(crate) fn begin(to: &'w mut W, kind: Kind) -> Result<Self, Error> {
        to.begin(kind)?;
        Ok(Self { to, finished: false })
    }

    /// Begins as soon as no message waits in front of the full queue.
    async fn begin_in_turn(to: &'w mut W, kind: Kind) -> Result<Self, Error> {
        poll_fn(|cx| {
            let mut flushed = Poll::Ready(());
            loop {
                match to.begin(kind) {
                    Err(SendError::Full) => ready!(flushed),
                    other => return Poll::Ready(other.map_err(Error::Send)),
                }
                flushed = to.poll_flush(cx)?;
            }
        })
        .await?;
        Ok(Self { to, finished: false })
    }

    /// Ends the message, and waits until all of it is with the transport.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if a text stops inside a character; any other if the connection ended.
    ///
    /// # Cancel safety
    ///
    /// Safe to begin again with `shutdown` of `AsyncWriteExt` on a `&mut` of this; here the writer is given away, and
    /// dropped with the future.
    pub async fn finish(mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_finish(cx)).await
    }

    pub(crate) async fn write_whole(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let n = poll_fn(|cx| self.poll_write_piece(cx, bytes)).await?;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    /// Serves the connection while the source has nothing; ready only with the error that ends it. What the source gave
    /// before goes out.
    pub(crate) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if let Poll::Ready(Err(error)) = self.poll_flush_written(cx) {
            return Poll::Ready(error);
        }
        self.to.poll_wait(cx)
    }

    fn poll_write_piece(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Error>> {
        loop {
            match self.to.write(bytes) {
                Err(SendError::Full) => ready!(self.to.poll_flush(cx))?,
                other => return Poll::Ready(other.map_err(Error::Send)),
            }
        }
    }

    /// What was written is with the transport, all of it.
    fn poll_flush_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if !self.finished {
            while let Err(error) = self.to.flush_written() {
                match error {
                    SendError::Full => ready!(self.to.poll_flush(cx))?,
                    error => return Poll::Ready(Err(error.into())),
                }
            }
        }
        self.to.poll_flush(cx)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.finished {
            match self.to.finish() {
                Ok(()) => self.finished = true,
                Err(SendError::Full) => ready!(self.to.poll_flush(cx))?,
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        self.to.poll_flush(cx)
    }
}

impl<W: SendPieces> AsyncWrite for MessageWriter<'_, W> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_piece(cx, buf).map_err(io::Error::from)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush_written(cx).map_err(io::Error::from)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_finish(cx).map_err(io::Error::from)
    }
}

impl<W: SendPieces> Drop for MessageWriter<'_, W> {
    fn drop(&mut self) {
        if !self.finished {
            self.to.abort();
        }
    }
}

/// How much is taken from a source at once.
const SOURCE_BUFFER: usize = 16 << 10;

/// See [`WebSocket::send_reader`](crate::WebSocket::send_reader).
pub(crate) async fn send_reader<W, R>(to: &mut W, kind: Kind, source: &mut R) -> Result<u64, Error>
where
    W: SendPieces,
    R: AsyncRead + Unpin + ?Sized,
{
    let mut buffer = vec![0; SOURCE_BUFFER];
    let mut total = 0;
    let mut writer = MessageWriter::begin_in_turn(to, kind).await?;
    loop {
        let n = poll_fn(|cx| {
            let mut buffer = ReadBuf::new(&mut buffer);
            match Pin::new(&mut *source).poll_read(cx, &mut buffer) {
                Poll::Ready(result) => Poll::Ready(result.map(|()| buffer.filled().len()).map_err(Error::Io)),
                Poll::Pending => writer.poll_wait(cx).map(Err),
            }
        })
        .await?;
        if n == 0 {
            writer.finish().await?;
            return Ok(total);
        }
        writer.write_whole(&buffer[..n]).await?;
        total += n as u64;
    }
}

/// See [`WebSocket::send_stream`](crate::WebSocket::send_stream).
pub(crate) async fn send_stream<W, S, B>(to: &mut W, kind: Kind, source: &mut S) -> Result<u64, Error>
where
    W: SendPieces,
    S: Stream<Item = io::Result<B>> + Unpin + ?Sized,
    B: AsRef<[u8]>,
{
    let mut total = 0;
    let mut writer = MessageWriter::begin_in_turn(to, kind).await?;
    loop {
        let item = poll_fn(|cx| match Pin::new(&mut *source).poll_next(cx) {
            Poll::Ready(item) => Poll::Ready(item.transpose().map_err(Error::Io)),
            Poll::Pending => writer.poll_wait(cx).map(Err),
        })
        .await?;
        let Some(item) = item else {
            writer.finish().await?;
            return Ok(total);
        };
        writer.write_whole(item.as_ref()).await?;
        total += item.as_ref().len() as u64;
    }
}
