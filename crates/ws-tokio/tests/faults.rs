//! A transport of which one operation goes wrong, be it a read, a write, a flush or the shutdown, for every operation
//! that a scenario has: one error that says what happened, nothing lost that had arrived, nothing damaged on its way
//! out, and no memory, no payload and no transport left behind.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "../../../tests/src/counting.rs"]
mod counting;
mod support;

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use ws_proto::{Chunk, CloseCode, Error as Cause, Event, Kind, SendError};
use ws_tokio::{Error, Message, WebSocket};

use support::{BINARY, CLOSE, TEXT, client, close_body, frame, masked, quiet, server};

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

/// What goes wrong, once; after an error, and after the end, the transport stays like that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    /// The operation fails.
    Error(ErrorKind),
    /// One byte more than there was room for, or was offered.
    Lie,
    /// As many bytes as a `usize` can count.
    LieMost,
    /// The operation waits once.
    Pending,
    /// One byte is moved.
    Short,
    /// A write takes nothing; a read says that the stream ended.
    Zero,
}

const FAULTS: [Fault; 8] = [
    Fault::Error(ErrorKind::ConnectionReset),
    Fault::Error(ErrorKind::BrokenPipe),
    Fault::Error(ErrorKind::TimedOut),
    Fault::Lie,
    Fault::LieMost,
    Fault::Pending,
    Fault::Short,
    Fault::Zero,
];

/// What is known of a transport from outside.
#[derive(Debug, Default)]
struct Log {
    /// How many operations there were, and what the one with the fault was, and how much had been read before it.
    operations: usize,
    hit: Option<(&'static str, usize)>,
    read: usize,
    written: Vec<u8>,
    shut_down: bool,
    asked_after_error: usize,
}

/// A transport in memory, with all that it will give, and its n-th operation wrong.
struct Scripted {
    incoming: Vec<u8>,
    /// How much a read or a write moves at most.
    step: usize,
    vectored: bool,
    at: usize,
    fault: Fault,
    read_broken: bool,
    write_broken: bool,
    log: Arc<Mutex<Log>>,
}

impl Scripted {
    fn new(incoming: Vec<u8>, vectored: bool, at: usize, fault: Fault) -> (Self, Arc<Mutex<Log>>) {
        let log = Arc::<Mutex<Log>>::default();
        let (step, read_broken, write_broken) = (97, false, false);
        (Self { incoming, step, vectored, at, fault, read_broken, write_broken, log: log.clone() }, log)
    }

    fn next_fault(&mut self, operation: &'static str) -> Option<Fault> {
        let mut log = self.log.lock().unwrap();
        let number = log.operations;
        log.operations += 1;
        if number != self.at {
            return None;
        }
        log.hit = Some((operation, log.read));
        Some(self.fault)
    }

    /// Whether the transport is broken already.
    fn is_broken(&mut self, broken: bool) -> Option<ErrorKind> {
        let Fault::Error(kind) = self.fault else { return None };
        if !broken {
            return None;
        }
        self.log.lock().unwrap().asked_after_error += 1;
        Some(kind)
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(kind) = this.is_broken(this.read_broken) {
            return Poll::Ready(Err(kind.into()));
        }
        let mut most = this.step.min(buf.remaining());
        match this.next_fault("read") {
            Some(Fault::Error(kind)) => {
                (this.read_broken, this.write_broken) = (true, true);
                return Poll::Ready(Err(kind.into()));
            }
            Some(Fault::Zero) => {
                this.read_broken = true;
                this.incoming.clear();
                return Poll::Ready(Ok(()));
            }
            Some(Fault::Pending) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // Safe code cannot make a `ReadBuf` claim more than it has, but it can put another one in its place.
            Some(Fault::Lie | Fault::LieMost) => {
                let size = buf.remaining() + 1;
                let other: &'static mut [u8] = vec![0xAA; size].leak();
                counting_leak(size);
                *buf = ReadBuf::new(other);
                buf.advance(size);
                return Poll::Ready(Ok(()));
            }
            Some(Fault::Short) => most = 1,
            None => {}
        }
        let n = most.min(this.incoming.len());
        buf.put_slice(&this.incoming[..n]);
        this.incoming.drain(..n);
        this.log.lock().unwrap().read += n;
        Poll::Ready(Ok(()))
    }
}

thread_local! {
    /// What the transports of this thread leaked on purpose.
    static LEAKED: core::cell::Cell<isize> = const { core::cell::Cell::new(0) };
}

fn counting_leak(bytes: usize) {
    LEAKED.set(LEAKED.get() + bytes as isize);
}

impl AsyncWrite for Scripted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        assert!(this.vectored || bufs.len() == 1, "a transport without vectored writes is asked for one");
        assert!(!this.log.lock().unwrap().shut_down, "a write behind the shutdown");
        if let Some(kind) = this.is_broken(this.write_broken) {
            return Poll::Ready(Err(kind.into()));
        }
        let offered: usize = bufs.iter().map(|buf| buf.len()).sum();
        assert!(offered > 0, "a write of nothing");
        let mut most = this.step;
        match this.next_fault("write") {
            Some(Fault::Error(kind)) => {
                this.write_broken = true;
                return Poll::Ready(Err(kind.into()));
            }
            Some(Fault::Zero) => return Poll::Ready(Ok(0)),
            Some(Fault::Pending) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Fault::Lie) => return Poll::Ready(Ok(offered + 1)),
            Some(Fault::LieMost) => return Poll::Ready(Ok(usize::MAX)),
            Some(Fault::Short) => most = 1,
            None => {}
        }
        let n = most.min(offered);
        let all = bufs.iter().flat_map(|buf| buf.iter().copied());
        this.log.lock().unwrap().written.extend(all.take(n));
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.next_fault("flush") {
            Some(Fault::Error(kind)) => {
                self.write_broken = true;
                Poll::Ready(Err(kind.into()))
            }
            Some(Fault::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.next_fault("shutdown") {
            Some(Fault::Error(kind)) => {
                self.write_broken = true;
                Poll::Ready(Err(kind.into()))
            }
            Some(Fault::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => {
                self.log.lock().unwrap().shut_down = true;
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// A payload that is missed when it is dropped.
struct Payload(Vec<u8>, #[allow(dead_code, reason = "counts")] Arc<()>);

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// What an endpoint saw.
#[derive(Debug, Default)]
struct Seen {
    received: Vec<Vec<u8>>,
    closed: bool,
    errors: Vec<Error>,
    clean: bool,
}

impl Seen {
    fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => return Some(value),
            // Not about the connection, but about a call that came after its end.
            Err(Error::Send(SendError::Closing)) => {}
            Err(error) => self.errors.push(error),
        }
        assert!(self.errors.len() < 3, "errors without end: {:?}", self.errors);
        None
    }
}

/// The ways to use a connection, of the half that receives and the half that sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    /// `recv`, and `send` of a shared payload in answer.
    Owned,
    /// `next`, and an answer with the borrowed message.
    Borrowed,
    /// `next_chunk`, and fragments in answer.
    Chunks,
    /// `next_message` and `send_reader`.
    Streams,
    /// Two halves, one of which sends by itself.
    Halves,
}

const WAYS: [Way; 5] = [Way::Owned, Way::Borrowed, Way::Chunks, Way::Streams, Way::Halves];

/// Large enough to be owned by the queue and not copied, and small ones.
fn messages() -> Vec<Vec<u8>> {
    vec![b"one".to_vec(), vec![2; 3000], vec![], vec![4; 200]]
}

/// The error of a stream inside a connection is the connection's.
fn from_io(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::Io(error),
    }
}

async fn use_up(mut ws: WebSocket<Scripted>, way: Way, owner: &Arc<()>) -> Seen {
    let mut seen = Seen::default();
    match way {
        Way::Owned => {
            while let Some(message) = {
                let result = ws.recv().await;
                seen.note(result).flatten()
            } {
                match message {
                    Message::Binary(payload) => {
                        seen.received.push(payload.to_vec());
                        let payload = Bytes::from_owner(Payload(payload.to_vec(), Arc::clone(owner)));
                        let result = ws.send(Message::Binary(payload)).await;
                        seen.note(result);
                    }
                    Message::Close(_) => seen.closed = true,
                    other => panic!("{other:?}"),
                }
            }
        }
        Way::Borrowed => loop {
            let result = ws.next().await;
            match seen.note(result).flatten() {
                None => break,
                Some((Event::Close(_), _)) => seen.closed = true,
                Some((Event::Data(message), mut reply)) => {
                    seen.received.push(message.as_bytes().to_vec());
                    let result = reply.send(message).await;
                    seen.note(result);
                }
                Some((other, _)) => panic!("{other:?}"),
            }
        },
        Way::Chunks => {
            let mut message = Vec::new();
            loop {
                let result = ws.next_chunk().await;
                match seen.note(result).flatten() {
                    None => break,
                    Some((Event::Data(Chunk::Data(piece)), mut reply)) => {
                        message.extend(piece.as_bytes());
                        let result = reply.send_fragment(Kind::Binary, piece.as_bytes(), false).await;
                        seen.note(result);
                    }
                    Some((Event::Data(Chunk::FrameEnd { fin: true }), mut reply)) => {
                        seen.received.push(std::mem::take(&mut message));
                        let result = reply.send_fragment(Kind::Binary, &[], true).await;
                        seen.note(result);
                    }
                    Some((Event::Close(_), _)) => seen.closed = true,
                    Some(_) => {}
                }
            }
        }
        Way::Streams => loop {
            let result = ws.next_message().await;
            let Some(mut reader) = seen.note(result).flatten() else { break };
            let mut message = Vec::new();
            let result = reader.read_to_end(&mut message).await.map_err(from_io);
            drop(reader);
            match result {
                Ok(_) => {
                    seen.received.push(message.clone());
                    let result = ws.send_reader(Kind::Binary, &mut &message[..]).await;
                    seen.note(result);
                }
                // How streams say that theirs ended too early.
                Err(Error::Io(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                    if ws.connection().error() == Some(Cause::UnexpectedEof) {
                        seen.note::<()>(Err(Cause::UnexpectedEof.into()));
                    }
                }
                Err(error) => drop(seen.note::<()>(Err(error))),
            }
        },
        Way::Halves => {
            let (mut reader, mut writer) = ws.split();
            let errors = Mutex::new(&mut seen);
            let reading = async {
                loop {
                    let result = reader.recv().await;
                    let mut seen = errors.lock().unwrap();
                    match seen.note(result).flatten() {
                        None => break,
                        Some(Message::Binary(payload)) => seen.received.push(payload.to_vec()),
                        Some(Message::Close(_)) => seen.closed = true,
                        Some(other) => panic!("{other:?}"),
                    }
                }
            };
            let writing = async {
                for message in messages() {
                    let payload = Bytes::from_owner(Payload(message, Arc::clone(owner)));
                    let result = writer.send(Message::Binary(payload)).await;
                    errors.lock().unwrap().note(result);
                }
            };
            tokio::join!(reading, writing);
            ws = reader.reunite(writer).unwrap();
        }
    }
    seen.closed |= ws.connection().peer_close().is_some();
    seen.clean = ws.connection().is_clean();
    // It is over, and stays so.
    for _ in 0..2 {
        assert!(matches!(ws.recv().await, Ok(None)));
        assert!(matches!(ws.flush().await, Err(Error::Send(SendError::Closing))));
    }
    assert!(ws.outcome().is_some());
    seen
}

/// How many of `messages` lie whole in the first `read` bytes.
fn whole(frames: &[Vec<u8>], read: usize) -> usize {
    let mut end = 0;
    frames.iter().take_while(|frame| (end += frame.len(), end <= read).1).count()
}

struct Case {
    is_server: bool,
    way: Way,
    vectored: bool,
    fault: Fault,
    at: usize,
}

/// Runs a scenario, and says whether it came to its fault.
async fn run(case: &Case) -> bool {
    let name = format!(
        "{:?} at {} of a {}, {:?}, vectored: {}",
        case.fault,
        case.at,
        if case.is_server { "server" } else { "client" },
        case.way,
        case.vectored
    );
    let encode = if case.is_server { masked } else { frame };
    let mut frames: Vec<Vec<u8>> = messages().iter().map(|message| encode(BINARY, message)).collect();
    frames.push(encode(CLOSE, &close_body(1000, "bye")));
    let (io, log) = Scripted::new(frames.concat(), case.vectored, case.at, case.fault);
    let owner = Arc::new(());
    let ws = if case.is_server { server(io, quiet()) } else { client(io, quiet()) };
    let using = use_up(ws, case.way, &owner);
    let seen = timeout(Duration::from_secs(60), using).await.unwrap_or_else(|_| panic!("{name}: hangs"));
    assert_eq!(Arc::strong_count(&log), 1, "{name}: the transport is left");
    assert_eq!(Arc::strong_count(&owner), 1, "{name}: a payload is left");
    let log = Arc::into_inner(log).unwrap().into_inner().unwrap();

    // What arrived was received, whatever happened behind it, and behind a failed write as well.
    let arrived = whole(&frames, log.read);
    assert_eq!(seen.received, messages()[..arrived.min(4)], "{name}: {seen:?}");
    // What went out is what was to go out, as far as it came.
    check_output(case, &log.written, &name);

    let harmless = matches!(
        (case.fault, log.hit),
        (_, None)
            | (Fault::Pending | Fault::Short, _)
            | (Fault::Zero | Fault::Lie | Fault::LieMost, Some(("flush" | "shutdown", _)))
    );
    if harmless {
        assert!(seen.errors.is_empty() && seen.clean && seen.closed, "{name}: {seen:?}");
        assert_eq!(seen.received.len(), 4, "{name}");
    } else {
        let (operation, _) = log.hit.unwrap();
        match &seen.errors[..] {
            // Behind the peer's Close frame it does not matter any more how the transport ends.
            [] => assert!(arrived == 5, "{name}: no error: {seen:?}"),
            [error] => assert!(is_right(case.fault, operation, error), "{name}: {error:?} of {operation}"),
            more => panic!("{name}: more than one error: {more:?}"),
        }
        assert!(log.asked_after_error <= 2, "{name}: asked again and again");
    }
    log.hit.is_some()
}

fn is_right(fault: Fault, operation: &str, error: &Error) -> bool {
    match (fault, operation, error) {
        (Fault::Error(kind), _, Error::Io(error)) => error.kind() == kind,
        (Fault::Zero, "write", Error::Io(error)) => error.kind() == ErrorKind::WriteZero,
        (Fault::Zero, "read", Error::Connection(Cause::UnexpectedEof)) => true,
        (Fault::Lie | Fault::LieMost, _, Error::Io(error)) => error.kind() == ErrorKind::InvalidData,
        _ => false,
    }
}

/// The frames that went out, up to the one that was cut off: the messages in their order, then the Close frame.
fn check_output(case: &Case, written: &[u8], name: &str) {
    let mut rest = written;
    let (mut message, mut sent) = (Vec::new(), 0);
    loop {
        let (Some(&first), Some(&second)) = (rest.first(), rest.get(1)) else { return };
        assert_eq!(second & 0x80 != 0, !case.is_server, "{name}");
        let (len, at) = match second & 0x7F {
            126 if rest.len() < 4 => return,
            126 => (usize::from(u16::from_be_bytes([rest[2], rest[3]])), 4),
            len => (usize::from(len), 2),
        };
        let (key, at) = if case.is_server {
            ([0; 4], at)
        } else {
            let Some(key) = rest.get(at..at + 4) else { return };
            (key.try_into().unwrap(), at + 4)
        };
        let part = &rest[at.min(rest.len())..(at + len).min(rest.len())];
        let payload = part.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
        match first {
            CLOSE => {
                let body = close_body(1000, "bye");
                assert!(body.starts_with(&payload.collect::<Vec<_>>()), "{name}: another Close frame");
            }
            0x82 | 0x02 | 0x80 | 0x00 => {
                message.extend(payload);
                assert!(messages()[sent].starts_with(&message), "{name}: another message");
            }
            other => panic!("{name}: a frame that begins with {other:x}"),
        }
        if part.len() < len {
            return;
        }
        rest = &rest[at + len..];
        match first {
            CLOSE => assert!(rest.is_empty(), "{name}: something behind the Close frame"),
            0x82 | 0x80 => {
                assert_eq!(std::mem::take(&mut message), messages()[sent], "{name}");
                sent += 1;
            }
            _ => {}
        }
    }
}

/// Runs a case twice, each time on a runtime of its own, and says what memory the second time left: what the thread
/// keeps for its next connections is there after the first.
fn leaves(case: &Case) -> (isize, bool) {
    let once = || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let hit = runtime.block_on(run(case));
        drop(runtime);
        (counting::live_without_spare_buffers() - LEAKED.get(), hit)
    };
    let ((before, _), (after, hit)) = (once(), once());
    (after - before, hit)
}

fn every_operation(is_server: bool) {
    let mut cases = 0;
    for way in WAYS {
        for vectored in [false, true] {
            for fault in FAULTS {
                for at in 0.. {
                    let case = Case { is_server, way, vectored, fault, at };
                    let (left, hit) = leaves(&case);
                    assert_eq!(left, 0, "{way:?}, {fault:?} at {at}: {left} bytes are left");
                    cases += 1;
                    if !hit {
                        assert!(at > 20, "{way:?}: {at} operations are too few to mean anything");
                        break;
                    }
                }
            }
        }
    }
    assert!(cases > 2000, "{cases}");
}

#[test]
fn a_server_whose_transport_fails_at_any_operation_tells_once_loses_nothing_and_leaves_nothing() {
    every_operation(true);
}

#[test]
fn a_client_whose_transport_fails_at_any_operation_tells_once_loses_nothing_and_leaves_nothing() {
    every_operation(false);
}

/// A shutdown that waits for ever is not waited for beyond the deadline.
#[tokio::test(start_paused = true)]
async fn a_shutdown_that_never_ends_is_left_at_the_close_deadline() {
    struct Never(tokio::io::DuplexStream);

    impl AsyncRead for Never {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Never {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, buf)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    let (mut peer, io) = tokio::io::duplex(1 << 16);
    let mut ws = server(Never(io), quiet());
    let began = tokio::time::Instant::now();
    let peer = async {
        use tokio::io::AsyncWriteExt as _;
        peer.write_all(&masked(TEXT, b"x")).await.unwrap();
        support::read_frame(&mut peer).await.unwrap().unwrap();
        peer.write_all(&masked(CLOSE, &close_body(1000, ""))).await.unwrap();
        peer
    };
    let closing = ws.close(CloseCode::NORMAL, "");
    let (closed, _peer) = tokio::join!(timeout(Duration::from_secs(60), closing), peer);
    closed.expect("hangs").unwrap();
    assert!(ws.connection().is_clean());
    assert_eq!(began.elapsed().as_secs(), 10);
}
