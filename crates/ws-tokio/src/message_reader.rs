//! Reading one message as a stream of bytes.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use tokio::io::{AsyncRead, ReadBuf};
use ws_proto::{Chunk, Event, FrameHeader, Kind, ReadyChunk, Rsv};

use crate::error::Error;

/// What a message can be read from, piece by piece: a [`WebSocket`](crate::WebSocket), or the reading half of one.
/// Sealed.
pub trait ReceiveChunks: sealed::Sealed {}

pub(crate) mod sealed {
    use core::task::{Context, Poll};

    use ws_proto::{Chunk, Event, ReadyChunk};

    use crate::error::Error;

    /// The operations behind `ReceiveChunks`.
    #[allow(unnameable_types)]
    pub trait Sealed {
        fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<ReadyChunk>, Error>>;
        fn event(&self, ready: ReadyChunk) -> Event<'_, Chunk<'_>>;
        /// See [`ws_proto::Connection::skip_message`].
        fn skip(&mut self);
    }
}

/// Reads the payload of one message, as it arrives; at its end it reads 0 bytes, as at the end of a file.
///
/// Made by `next_message`. Pings between the pieces are answered. A connection that ends inside the message is an
/// error of kind `UnexpectedEof`. The bytes of a text message are UTF-8, and checked to be, but a read may stop inside
/// a character.
///
/// Dropped before the end, the rest of the message is passed over, whichever way the next one is received.
#[derive(Debug)]
pub struct MessageReader<'w, R: ReceiveChunks> {
    from: &'w mut R,
    header: FrameHeader,
    /// A piece that was received, and how much of it is read. It lies in the receive buffer, which nobody else uses as
    /// long as this borrows it.
    piece: Option<(ReadyChunk, usize)>,
    finished: bool,
}

impl<'w, R: ReceiveChunks> MessageReader<'w, R> {
    /// Waits for a message to begin.
    pub(crate) async fn next(from: &'w mut R) -> Result<Option<Self>, Error> {
        // What is left of a message that was begun in another way is passed over, also if this is dropped meanwhile.
        from.skip();
        loop {
            let Some(ready) = poll_fn(|cx| from.poll_chunk(cx)).await? else { return Ok(None) };
            if let Event::Data(Chunk::FrameStart(header)) = from.event(ready)
                && !header.continuation
            {
                return Ok(Some(Self { from, header, piece: None, finished: false }));
            }
        }
    }

    /// The kind of the message.
    pub const fn kind(&self) -> Kind {
        self.header.kind
    }

    /// The reserved bits of the message.
    pub const fn rsv(&self) -> Rsv {
        self.header.rsv
    }

    /// How many bytes the message has, if it is one frame; `None` if it may go on beyond its first.
    pub const fn len_hint(&self) -> Option<u64> {
        if self.header.fin { Some(self.header.len) } else { None }
    }
}

impl<R: ReceiveChunks> AsyncRead for MessageReader<'_, R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.finished || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if let Some((ready, read)) = &mut this.piece {
                if let Event::Data(Chunk::Data(piece)) = this.from.event(*ready) {
                    let rest = &piece.as_bytes()[*read..];
                    let n = rest.len().min(buf.remaining());
                    buf.put_slice(&rest[..n]);
                    *read += n;
                    if n == rest.len() {
                        this.piece = None;
                    }
                    return Poll::Ready(Ok(()));
                }
                this.piece = None;
            }
            let ready = match ready!(this.from.poll_chunk(cx)) {
                Ok(Some(ready)) => ready,
                Ok(None) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Err(error) => return Poll::Ready(Err(error.into())),
            };
            match this.from.event(ready) {
                Event::Data(Chunk::Data(_)) => this.piece = Some((ready, 0)),
                Event::Data(Chunk::FrameEnd { fin }) => this.finished = fin,
                Event::Close(_) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Event::Data(Chunk::FrameStart(_)) | Event::Ping(_) | Event::Pong(_) => {}
            }
        }
    }
}

impl<R: ReceiveChunks> Drop for MessageReader<'_, R> {
    fn drop(&mut self) {
        if !self.finished {
            self.from.skip();
        }
    }
}
