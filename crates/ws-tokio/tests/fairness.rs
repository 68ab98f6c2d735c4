//! A peer that sends without end what gives no event: however much of it there is, a task does a bounded part of it before
//! others have their turn. The transport here always has more, and knows nothing of tokio's own budget.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_proto::{CloseCode, Kind};
use ws_tokio::{Message, WebSocket};

use support::{BINARY, PING, masked, quiet, server};

/// What one turn may read at most.
const MOST: usize = 512 << 10;

/// Gives the same bytes over and over, behind some others.
struct Endless {
    first: Vec<u8>,
    again: Vec<u8>,
    at: usize,
    read: Arc<AtomicUsize>,
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.remaining();
        while buf.remaining() > 0 {
            let (first, at) = (self.first.len(), self.at);
            let rest =
                if at < first { &self.first[at..] } else { &self.again[(at - first) % self.again.len()..] };
            let n = rest.len().min(buf.remaining());
            buf.put_slice(&rest[..n]);
            self.at += n;
        }
        let read = self.read.fetch_add(before, Ordering::Relaxed);
        assert!(read < 16 * MOST, "{read} bytes in one turn, and no end");
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn endless(first: &[u8], again: &[u8]) -> (WebSocket<Endless>, Arc<AtomicUsize>) {
    let read = Arc::<AtomicUsize>::default();
    let io = Endless { first: first.to_vec(), again: again.repeat(1000), at: 0, read: read.clone() };
    (server(io, quiet().max_fragments(u32::MAX)), read)
}

/// Polls once, expects that there is no event, and says how much was read.
async fn one_turn<F: Future>(mut future: Pin<&mut F>, read: &AtomicUsize) -> usize {
    read.store(0, Ordering::Relaxed);
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending(), "an event");
        Poll::Ready(())
    })
    .await;
    read.load(Ordering::Relaxed)
}

fn fragment(payload: &[u8]) -> Vec<u8> {
    let mut bytes = masked(0x00, payload);
    bytes[0] &= 0x7F;
    bytes
}

#[tokio::test]
async fn a_flood_of_empty_fragments_is_taken_in_bounded_turns() {
    let mut first = masked(BINARY, b"");
    first[0] &= 0x7F;
    let (mut ws, read) = endless(&first, &fragment(b""));
    let mut receiving = pin!(ws.recv());
    for _ in 0..5 {
        let turn = one_turn(receiving.as_mut(), &read).await;
        assert!((1..=MOST).contains(&turn), "{turn} bytes in one turn");
    }
}

#[tokio::test]
async fn data_that_is_passed_over_after_our_close_is_taken_in_bounded_turns() {
    for payload in [&b""[..], &[7; 60_000]] {
        let (mut ws, read) = endless(b"", &masked(BINARY, payload));
        let mut closing = pin!(ws.close(CloseCode::NORMAL, ""));
        for _ in 0..5 {
            let turn = one_turn(closing.as_mut(), &read).await;
            assert!((1..=MOST).contains(&turn), "{turn} bytes in one turn");
        }
    }
}

#[tokio::test]
async fn a_flood_of_pings_while_a_source_is_slow_is_answered_in_bounded_turns() {
    struct Never;

    impl AsyncRead for Never {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    let (mut ws, read) = endless(b"", &masked(PING, b"?"));
    let mut source = Never;
    let mut sending = pin!(ws.send_reader(Kind::Binary, &mut source));
    for _ in 0..5 {
        let turn = one_turn(sending.as_mut(), &read).await;
        assert!((1..=MOST).contains(&turn), "{turn} bytes in one turn");
    }
}

/// Many small messages are events, which have a budget of their own: here it is that others are let in between.
#[tokio::test]
async fn others_have_their_turn_during_a_flood_without_end() {
    let mut first = masked(BINARY, b"");
    first[0] &= 0x7F;
    let (mut ws, read) = endless(&first, &fragment(b""));
    let flooded = tokio::spawn(async move {
        let message: Option<Message> = ws.recv().await.unwrap();
        panic!("{message:?}");
    });
    let other = tokio::spawn(async move {
        let mut total = 0;
        for _ in 0..10 {
            tokio::task::yield_now().await;
            total += read.swap(0, Ordering::Relaxed);
        }
        // The flooded one has woken itself each time, so that it goes on; and had about as many turns as this one.
        assert!((MOST..=12 * MOST).contains(&total), "{total} bytes in ten turns");
    });
    other.await.unwrap();
    assert!(!flooded.is_finished());
    flooded.abort();
}
