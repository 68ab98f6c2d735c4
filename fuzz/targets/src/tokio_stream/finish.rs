//! The end, when the operations are over.

use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use ws_proto::CloseCode;

use super::model::Queued;
use super::{End, Socket};
use crate::input::bit;

/// From here on both do what they should: one closes, the other receives until there is nothing more.
pub(super) async fn finish(options: u8, ends: [End; 2], mut queued: [Queued; 2]) {
    let closer = usize::from(bit(options, 0));
    let [mut a, mut b] = ends;
    a.reunite();
    b.reunite();
    let (closing, other) = if closer == 0 { (a, b) } else { (b, a) };
    let (Socket::Whole(closing_ws), Socket::Whole(other_ws)) = (closing.socket, other.socket) else {
        unreachable!("reunited");
    };
    let mut other = End { socket: Socket::Gone, ..other };
    let incoming = &mut queued[closer];
    let (mut closed, mut closed_by_peer) = (false, false);
    {
        // Both are dropped with their transports: one that stays and is not used keeps the other waiting.
        let close = async {
            let mut ws = closing_ws;
            if bit(options, 1) {
                let _ = ws.flush().await;
            }
            let _ = ws.close(CloseCode::NORMAL, "").await;
            closed = ws.connection().is_clean();
        };
        let receive = async {
            let mut ws = other_ws;
            let mut more = true;
            while more {
                let next = ws.recv().await;
                more = matches!(next, Ok(Some(_)));
                other.took(Some(next), incoming);
            }
            closed_by_peer = ws.connection().is_clean() && ws.connection().is_closed_by_peer();
        };
        let (mut close, mut receive) = (pin!(close), pin!(receive));
        let (mut close_is_done, mut receive_is_done) = (false, false);
        let both = core::future::poll_fn(|cx| {
            close_is_done = close_is_done || close.as_mut().poll(cx).is_ready();
            receive_is_done = receive_is_done || receive.as_mut().poll(cx).is_ready();
            if close_is_done && receive_is_done { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::time::timeout(Duration::from_secs(1000), both).await.expect("it hangs");
    }
    if closed && closed_by_peer && !other.skipping && !other.discarding && !incoming.dropped {
        assert!(incoming.is_done(), "messages are lost: {incoming:?}");
    }
}
