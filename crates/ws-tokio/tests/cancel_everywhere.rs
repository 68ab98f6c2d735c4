//! Cancel safety of every asynchronous function: each is polled k times and dropped, for every k until it is ready, and
//! the connection is used on. Nothing is lost that was promised, nothing comes twice.
//!
//! `cancel.rs` has loops in which everything is cancelled all the time; this is one function at a time, at every await.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::time::timeout;
use ws_proto::{Chunk, CloseCode, Config, Event, Kind, Rsv};
use ws_tokio::{Error, Message, WebSocket, WebSocketReader, WebSocketWriter};

use support::transport::Choppy;
use support::{client, close_message, poll_up_to, quiet, recv_all, server};

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("{what}: hangs"))
}

type Io = Choppy<DuplexStream>;

fn config() -> Config {
    quiet().allowed_rsv(Rsv::RSV1)
}

/// A source that waits before every few bytes.
struct Slow<'a> {
    rest: &'a [u8],
    waited: bool,
}

impl<'a> Slow<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self { rest, waited: false }
    }

    fn poll_piece(&mut self, most: usize, cx: &Context<'_>) -> Poll<&'a [u8]> {
        self.waited = !self.waited;
        if self.waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (piece, rest) = self.rest.split_at(self.rest.len().min(100).min(most));
        self.rest = rest;
        Poll::Ready(piece)
    }
}

impl AsyncRead for Slow<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_piece(buf.remaining(), cx).map(|piece| {
            buf.put_slice(piece);
            Ok(())
        })
    }
}

impl<'a> futures_util::Stream for Slow<'a> {
    type Item = io::Result<&'a [u8]>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_piece(usize::MAX, cx).map(|piece| (!piece.is_empty()).then_some(Ok(piece)))
    }
}

// Sending.

/// Every function that sends, of both types and of the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Op {
    Close,
    CloseNow,
    Feed,
    Flush,
    MessageWriter,
    Send,
    SendFragment,
    SendReader,
    SendStream,
    SendWithRsv,
}

const OPS: [Op; 10] = [
    Op::Close,
    Op::CloseNow,
    Op::Feed,
    Op::Flush,
    Op::MessageWriter,
    Op::Send,
    Op::SendFragment,
    Op::SendReader,
    Op::SendStream,
    Op::SendWithRsv,
];

/// What the function under test sends.
fn subject() -> Vec<u8> {
    (0..700_u32).map(|n| n as u8).collect()
}

/// The functions that a whole WebSocket and its writing half have in common.
macro_rules! perform {
    ($ws:expr, $op:expr) => {{
        let payload = subject();
        match $op {
            Op::Close => $ws.close(CloseCode::NORMAL, "op").await,
            Op::CloseNow => $ws.close_now(CloseCode::GOING_AWAY, "op").await,
            Op::Feed => $ws.feed(Message::binary(payload)).await,
            Op::Flush => $ws.flush().await,
            Op::Send => $ws.send(Message::binary(payload)).await,
            Op::SendFragment => $ws.send_fragment(Kind::Binary, &payload, true).await,
            Op::SendReader => $ws.send_reader(Kind::Binary, &mut Slow::new(&payload)).await.map(drop),
            Op::SendStream => $ws.send_stream(Kind::Binary, &mut Slow::new(&payload)).await.map(drop),
            Op::MessageWriter => {
                // It is begun at once or not at all, and not behind what waits in front of a full queue.
                $ws.flush().await?;
                let mut writer = $ws.begin_message(Kind::Binary)?;
                writer.write_all(&payload[..300]).await?;
                writer.flush().await?;
                writer.write_all(&payload[300..]).await?;
                writer.finish().await
            }
            Op::SendWithRsv => unreachable!("not of both"),
        }
    }};
}

async fn perform(ws: &mut WebSocket<Io>, op: Op) -> Result<(), Error> {
    match op {
        Op::SendWithRsv => ws.send_with_rsv(Rsv::RSV1, Kind::Binary, &subject()).await,
        _ => perform!(ws, op),
    }
}

async fn perform_split(ws: &mut WebSocketWriter<Io>, op: Op) -> Result<(), Error> {
    perform!(ws, op)
}

/// A queue that has room, behind which the transport moves a few bytes at a time; and one that is full, so that
/// functions wait for room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Queue {
    Full,
    Room,
}

impl Queue {
    fn fillers(self) -> Vec<Message> {
        match self {
            // The first is taken whatever its size, and leaves no room for the others; the last waits in front.
            Self::Full => vec![Message::binary(vec![1; (1 << 20) - 2000]), Message::binary(vec![2; 3000])],
            Self::Room => vec![Message::binary(vec![1; 100])],
        }
    }

    fn step(self) -> usize {
        match self {
            Self::Full => 100 << 10,
            Self::Room => 50,
        }
    }
}

/// What the peer must have seen when `op` was dropped, or not, and "after" was sent and the connection closed.
fn check(op: Op, outcome: Option<&Result<(), Error>>, queue: Queue, polls: usize, received: &[Message]) {
    let case = format!("{op:?}, {queue:?}, {polls} polls, {outcome:?}");
    let fillers = queue.fillers();
    let (Some(last), data) = (received.last(), &received[..received.len().saturating_sub(1)]) else {
        panic!("{case}: nothing received")
    };
    if op == Op::CloseNow && polls > 0 {
        assert_eq!(*last, close_message(1001, "op"), "{case}");
        assert!(fillers.starts_with(data), "{case}");
        return;
    }
    assert!(data.starts_with(&fillers), "{case}: what was queued before is lost");
    let rest = &data[fillers.len()..];
    let (subject, after) = (Message::binary(subject()), Message::text("after"));
    let is_in_pieces = matches!(op, Op::MessageWriter | Op::SendReader | Op::SendStream);
    match (op, outcome) {
        (Op::Close, _) if polls > 0 => {
            assert_eq!((rest, last), (&[][..], &close_message(1000, "op")), "{case}");
        }
        // Begun and given up: there is no other way to tell the peer.
        (_, None) if is_in_pieces && *last != close_message(1000, "") => {
            assert_eq!((rest, last), (&[][..], &close_message(1011, "")), "{case}");
        }
        (Op::Close | Op::CloseNow | Op::Flush, _) => {
            assert_eq!((rest, last), (&[after][..], &close_message(1000, "")), "{case}");
        }
        (_, Some(result)) => {
            assert!(result.is_ok(), "{case}");
            assert_eq!((rest, last), (&[subject, after][..], &close_message(1000, "")), "{case}");
        }
        // Whole or not at all. Those that only queue have queued nothing; and if nothing waits, sending has.
        (_, None) => {
            assert_eq!(*last, close_message(1000, ""), "{case}");
            let is_whole = rest == [subject, after.clone()];
            assert!(is_whole || rest == [after], "{case}");
            if matches!(op, Op::Feed | Op::SendFragment | Op::SendWithRsv) || polls == 0 {
                assert!(!is_whole, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn every_way_to_send_can_be_dropped_at_every_await() {
    for queue in [Queue::Room, Queue::Full] {
        for op in OPS {
            for is_client in [true, false] {
                for polls in 0.. {
                    let case = format!("{op:?}, {queue:?}, {polls} polls");
                    let (a, b) = tokio::io::duplex(200 << 10);
                    let (a, b) = (Choppy::new(a, queue.step()), Choppy::new(b, queue.step()));
                    let (client, server) = (client(a, config()), server(b, config()));
                    let (mut ws, mut peer) = if is_client { (client, server) } else { (server, client) };
                    let receiving = tokio::spawn(async move { recv_all(&mut peer).await });
                    for filler in queue.fillers() {
                        ws.feed(filler).await.unwrap();
                    }
                    let outcome = poll_up_to(polls, perform(&mut ws, op)).await;
                    // Used on, whatever it has come to.
                    let _ = within(&case, ws.send(Message::text("after"))).await;
                    within(&case, ws.close(CloseCode::NORMAL, "")).await.unwrap();
                    let (received, error) = within(&case, receiving).await.unwrap();
                    assert!(error.is_none(), "{case}: {error:?}");
                    check(op, outcome.as_ref(), queue, polls, &received);
                    if outcome.is_some() {
                        let waits = queue == Queue::Full
                            || !matches!(op, Op::Feed | Op::SendFragment | Op::SendWithRsv);
                        assert!(polls > 1 || !waits, "{case}: never waited");
                        break;
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn every_way_to_send_of_the_writing_half_can_be_dropped_at_every_await() {
    for queue in [Queue::Room, Queue::Full] {
        for op in OPS.into_iter().filter(|op| *op != Op::SendWithRsv) {
            for polls in 0.. {
                let case = format!("{op:?}, {queue:?}, {polls} polls, split");
                let (a, b) = tokio::io::duplex(200 << 10);
                let (a, b) = (Choppy::new(a, queue.step()), Choppy::new(b, queue.step()));
                let (ws, mut peer) = (client(a, config()), server(b, config()));
                let receiving = tokio::spawn(async move { recv_all(&mut peer).await });
                let (mut reader, mut writer) = ws.split();
                for filler in queue.fillers() {
                    writer.feed(filler).await.unwrap();
                }
                let outcome = poll_up_to(polls, perform_split(&mut writer, op)).await;
                let reading = tokio::spawn(async move { while let Ok(Some(_)) = reader.recv().await {} });
                let _ = within(&case, writer.send(Message::text("after"))).await;
                let _ = within(&case, writer.close(CloseCode::NORMAL, "")).await;
                let (received, error) = within(&case, receiving).await.unwrap();
                within(&case, reading).await.unwrap();
                assert!(error.is_none(), "{case}: {error:?}");
                check(op, outcome.as_ref(), queue, polls, &received);
                if outcome.is_some() {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn every_answer_can_be_dropped_at_every_await() {
    const ANSWERS: [Op; 5] = [Op::Feed, Op::Flush, Op::Send, Op::SendFragment, Op::SendWithRsv];
    for queue in [Queue::Room, Queue::Full] {
        for op in ANSWERS {
            for polls in 0.. {
                let case = format!("{op:?}, {queue:?}, {polls} polls, answer");
                let (a, b) = tokio::io::duplex(200 << 10);
                let (a, b) = (Choppy::new(a, queue.step()), Choppy::new(b, queue.step()));
                let (mut peer, mut ws) = (client(a, config()), server(b, config()));
                let receiving = tokio::spawn(async move {
                    peer.send(Message::text("go")).await.unwrap();
                    recv_all(&mut peer).await
                });
                for filler in queue.fillers() {
                    ws.feed(filler).await.unwrap();
                }
                let (_, mut reply) = within(&case, ws.next()).await.unwrap().unwrap();
                // What went out before the answer is filled up again.
                for filler in queue.fillers() {
                    reply.send_owned(filler).await.unwrap();
                }
                let payload = subject();
                let answering = async {
                    match op {
                        Op::Feed => reply.send_owned(Message::binary(payload)).await,
                        Op::Flush => reply.flush().await,
                        Op::Send => reply.send(ws_proto::Message::Binary(&payload)).await,
                        Op::SendFragment => reply.send_fragment(Kind::Binary, &payload, true).await,
                        _ => reply.send_with_rsv(Rsv::RSV1, Kind::Binary, &payload).await,
                    }
                };
                let outcome = poll_up_to(polls, answering).await;
                let _ = within(&case, ws.send(Message::text("after"))).await;
                within(&case, ws.close(CloseCode::NORMAL, "")).await.unwrap();
                let (mut received, error) = within(&case, receiving).await.unwrap();
                assert!(error.is_none(), "{case}: {error:?}");
                received.drain(..queue.fillers().len());
                let op = if op == Op::Send { Op::Feed } else { op };
                check(op, outcome.as_ref(), queue, polls, &received);
                if outcome.is_some() {
                    break;
                }
            }
        }
    }
}

// Receiving.

/// Every function that receives, of both types.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Receive {
    Next,
    NextChunk,
    NextMessage,
    Recv,
}

/// What is received, however: messages without their pings.
#[derive(Debug, Default)]
struct Received {
    messages: Vec<Vec<u8>>,
    unfinished: Vec<u8>,
    pings: usize,
    closes: usize,
    ended: bool,
}

impl Received {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Data(message) => self.messages.push(message.as_bytes().to_vec()),
            Event::Ping(_) => self.pings += 1,
            Event::Pong(_) => {}
            Event::Close(_) => self.closes += 1,
        }
    }

    fn chunk(&mut self, event: Event<'_, Chunk<'_>>) {
        match event {
            Event::Data(Chunk::Data(piece)) => self.unfinished.extend(piece.as_bytes()),
            Event::Data(Chunk::FrameEnd { fin: true }) => {
                self.messages.push(std::mem::take(&mut self.unfinished));
            }
            Event::Data(_) | Event::Pong(_) => {}
            Event::Ping(_) => self.pings += 1,
            Event::Close(_) => self.closes += 1,
        }
    }
}

/// One call, dropped after `polls`, whichever type it is of; says whether it was ready.
macro_rules! receive {
    ($ws:expr, $how:expr, $polls:expr, $received:expr, $event:expr) => {
        match $how {
            Receive::Recv => match poll_up_to($polls, $ws.recv()).await {
                None => false,
                Some(message) => {
                    match message.unwrap() {
                        None => $received.ended = true,
                        Some(Message::Ping(_)) => $received.pings += 1,
                        Some(Message::Close(_)) => $received.closes += 1,
                        Some(Message::Binary(bytes)) => $received.messages.push(bytes.to_vec()),
                        Some(Message::Text(text)) => $received.messages.push(text.as_bytes().to_vec()),
                        Some(Message::Pong(_)) => {}
                    }
                    true
                }
            },
            Receive::Next => match poll_up_to($polls, $ws.next()).await {
                None => false,
                Some(event) => {
                    match event.unwrap().map($event) {
                        None => $received.ended = true,
                        Some(event) => $received.event(event),
                    }
                    true
                }
            },
            Receive::NextChunk => match poll_up_to($polls, $ws.next_chunk()).await {
                None => false,
                Some(event) => {
                    match event.unwrap().map($event) {
                        None => $received.ended = true,
                        Some(event) => $received.chunk(event),
                    }
                    true
                }
            },
            Receive::NextMessage => match poll_up_to($polls, $ws.next_message()).await {
                None => false,
                Some(reader) => {
                    match reader.unwrap() {
                        None => $received.ended = true,
                        Some(mut reader) => {
                            let (mut message, mut buffer) = (Vec::new(), [0; 64]);
                            loop {
                                // Reading is dropped as often, and goes on.
                                match poll_up_to($polls, reader.read(&mut buffer)).await {
                                    None => tokio::task::yield_now().await,
                                    Some(n) => match n.unwrap() {
                                        0 => break,
                                        n => message.extend(&buffer[..n]),
                                    },
                                }
                            }
                            $received.messages.push(message);
                        }
                    }
                    true
                }
            },
        }
    };
}

async fn receive(ws: &mut WebSocket<Io>, how: Receive, polls: usize, received: &mut Received) -> bool {
    fn first<E, R>((event, _): (E, R)) -> E {
        event
    }
    receive!(ws, how, polls, received, first)
}

async fn receive_split(
    ws: &mut WebSocketReader<Io>,
    how: Receive,
    polls: usize,
    received: &mut Received,
) -> bool {
    fn same<E>(event: E) -> E {
        event
    }
    receive!(ws, how, polls, received, same)
}

#[tokio::test]
async fn every_way_to_receive_can_be_dropped_at_every_await() {
    for how in [Receive::Next, Receive::NextChunk, Receive::NextMessage, Receive::Recv] {
        for is_split in [false, true] {
            for polls in 1.. {
                let case = format!("{how:?}, {polls} polls, split: {is_split}");
                let (a, b) = tokio::io::duplex(64);
                let (mut peer, ws) = (client(Choppy::new(a, 9), quiet()), server(Choppy::new(b, 7), quiet()));
                let sending = tokio::spawn(async move {
                    peer.send(Message::text("")).await.unwrap();
                    peer.send(Message::text("grüße")).await.unwrap();
                    peer.send_fragment(Kind::Binary, &[1; 50], false).await.unwrap();
                    peer.send(Message::Ping("between".into())).await.unwrap();
                    peer.send_fragment(Kind::Binary, &[2; 50], true).await.unwrap();
                    peer.send(Message::binary(vec![3; 500])).await.unwrap();
                    peer.close(CloseCode::NORMAL, "bye").await.unwrap();
                });
                let (mut received, mut dropped) = (Received::default(), 0);
                let receiving = async {
                    let mut whole = Some(ws);
                    let mut halves = if is_split { whole.take().map(WebSocket::split) } else { None };
                    while !received.ended {
                        let was_ready = match (&mut whole, &mut halves) {
                            (Some(ws), _) => receive(ws, how, polls, &mut received).await,
                            (_, Some((reader, _))) => receive_split(reader, how, polls, &mut received).await,
                            _ => unreachable!(),
                        };
                        if !was_ready {
                            dropped += 1;
                            tokio::task::yield_now().await;
                        }
                    }
                };
                within(&case, receiving).await;
                within(&case, sending).await.unwrap();
                let fragments = [[1; 50], [2; 50]].concat();
                let expected = [vec![], "grüße".into(), fragments, vec![3; 500]];
                assert_eq!(received.messages, expected, "{case}");
                assert!(received.unfinished.is_empty(), "{case}");
                if how != Receive::NextMessage {
                    assert_eq!((received.pings, received.closes), (1, 1), "{case}");
                }
                if dropped == 0 {
                    assert!(polls > 3, "{case}: never waited");
                    break;
                }
            }
        }
    }
}
