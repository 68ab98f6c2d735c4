//! A transport of which one operation goes wrong, be it a read, a write, a flush or the end of the writing side, for every
//! operation that a scenario has: one error that says what happened, nothing lost that had arrived, nothing damaged on
//! its way out, and no memory, no payload and no source left behind.

#![allow(clippy::panic, clippy::unwrap_used)]

#[path = "../../../tests/src/counting.rs"]
mod counting;
mod support;

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use support::*;
use ws_mio::{
    Chunk, Config, Error, Event, Instant, Kind, MaskKeys, Message, Pull, Role, SendError, Transport,
    WebSocket,
};

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

const NOW: Instant = Instant::from_secs(1000);

/// What goes wrong, once; after an error, and after the end, the transport stays like that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wrong {
    Block,
    Error(ErrorKind),
    Interrupt,
    /// One byte more than there was room for, or was offered.
    Lie,
    /// As many bytes as a `usize` can count.
    LieMost,
    Short,
    /// A write takes nothing; a read says that the stream ended.
    Zero,
}

const WRONG: [Wrong; 9] = [
    Wrong::Block,
    Wrong::Error(ErrorKind::BrokenPipe),
    Wrong::Error(ErrorKind::ConnectionReset),
    Wrong::Error(ErrorKind::TimedOut),
    Wrong::Interrupt,
    Wrong::Lie,
    Wrong::LieMost,
    Wrong::Short,
    Wrong::Zero,
];

/// A transport in memory whose n-th operation goes wrong.
#[derive(Debug)]
struct Failing {
    io: Memory,
    at: usize,
    wrong: Wrong,
    operations: usize,
    hit: Option<&'static str>,
    read: usize,
    read_broken: bool,
    write_broken: bool,
    asked_after_error: usize,
}

impl Failing {
    fn next(&mut self, operation: &'static str) -> Option<Wrong> {
        self.operations += 1;
        if self.operations != self.at + 1 {
            return None;
        }
        self.hit = Some(operation);
        Some(self.wrong)
    }

    /// What an operation does that moves nothing, if it goes wrong.
    fn fail(&mut self, operation: &'static str) -> io::Result<()> {
        match self.next(operation) {
            Some(Wrong::Error(kind)) => {
                self.write_broken = true;
                Err(kind.into())
            }
            Some(Wrong::Interrupt) => Err(ErrorKind::Interrupted.into()),
            Some(Wrong::Block) => {
                self.io.write_blocked = true;
                Err(ErrorKind::WouldBlock.into())
            }
            _ => Ok(()),
        }
    }

    fn broken(&mut self, broken: bool) -> io::Result<()> {
        let Wrong::Error(kind) = self.wrong else { return Ok(()) };
        if !broken {
            return Ok(());
        }
        self.asked_after_error += 1;
        Err(kind.into())
    }
}

impl Read for Failing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.broken(self.read_broken)?;
        let n = match self.next("read") {
            None => self.io.read(buf)?,
            Some(Wrong::Short) => self.io.read(&mut buf[..1])?,
            Some(Wrong::Block) => {
                self.io.read_blocked = true;
                return Err(ErrorKind::WouldBlock.into());
            }
            Some(Wrong::Error(kind)) => {
                (self.read_broken, self.write_broken) = (true, true);
                return Err(kind.into());
            }
            Some(Wrong::Interrupt) => return Err(ErrorKind::Interrupted.into()),
            Some(Wrong::Lie) => return Ok(buf.len() + 1),
            Some(Wrong::LieMost) => return Ok(usize::MAX),
            Some(Wrong::Zero) => {
                self.io.incoming.clear();
                return Ok(0);
            }
        };
        self.read += n;
        Ok(n)
    }
}

impl Write for Failing {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.broken(self.write_broken)?;
        match self.next("write") {
            None => self.io.write(buf),
            Some(Wrong::Short) => self.io.write(&buf[..1]),
            Some(Wrong::Block) => {
                self.io.write_blocked = true;
                Err(ErrorKind::WouldBlock.into())
            }
            Some(Wrong::Error(kind)) => {
                self.write_broken = true;
                Err(kind.into())
            }
            Some(Wrong::Interrupt) => Err(ErrorKind::Interrupted.into()),
            Some(Wrong::Lie) => Ok(buf.len() + 1),
            Some(Wrong::LieMost) => Ok(usize::MAX),
            Some(Wrong::Zero) => Ok(0),
        }
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.write(&bufs.iter().flat_map(|buf| buf.iter().copied()).collect::<Vec<u8>>())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.fail("flush")?;
        self.io.flush()
    }
}

impl Transport for Failing {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.fail("shutdown")?;
        self.io.shutdown_write()
    }
}

/// A payload that is missed when it is dropped.
struct Payload(Vec<u8>, #[allow(dead_code)] Arc<()>);

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The ways to answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Borrowed,
    Chunks,
    Owned,
    Sources,
}

const WAYS: [Way; 4] = [Way::Borrowed, Way::Chunks, Way::Owned, Way::Sources];

/// Large enough to be owned by the queue and not copied, and small ones.
fn messages() -> Vec<Vec<u8>> {
    vec![b"one".to_vec(), vec![2; 3000], vec![], vec![4; 200]]
}

#[derive(Debug, Default)]
struct Seen {
    received: Vec<Vec<u8>>,
    unfinished: Vec<u8>,
    closed: bool,
    errors: Vec<Error>,
}

fn accepted<T>(result: Result<(), T>, error: impl FnOnce(T) -> SendError) {
    if let Err(refused) = result {
        // What is sent behind the end is refused, and nothing else.
        assert_eq!(error(refused), SendError::Closing);
    }
}

/// One turn, with answers; says whether it gave an error.
fn turn(ws: &mut WebSocket<Failing>, way: Way, owner: &Arc<()>, seen: &mut Seen) -> Result<(), Error> {
    if way == Way::Chunks {
        while let Some((event, mut reply)) = ws.next_chunk(NOW)? {
            match event {
                Event::Data(Chunk::Data(piece)) => {
                    seen.unfinished.extend(piece.as_bytes());
                    accepted(reply.send_fragment(Kind::Binary, piece.as_bytes(), false), |error| error);
                }
                Event::Data(Chunk::FrameEnd { fin: true }) => {
                    seen.received.push(std::mem::take(&mut seen.unfinished));
                    accepted(reply.send_fragment(Kind::Binary, &[], true), |error| error);
                }
                Event::Close(_) => seen.closed = true,
                _ => {}
            }
        }
        return Ok(());
    }
    while let Some((event, mut reply)) = ws.next(NOW)? {
        match event {
            Event::Close(_) => seen.closed = true,
            Event::Data(message) => {
                seen.received.push(message.as_bytes().to_vec());
                let payload = Payload(message.as_bytes().to_vec(), Arc::clone(owner));
                match way {
                    Way::Owned => {
                        let payload = Bytes::from_owner(payload);
                        accepted(reply.send_owned(Kind::Binary, payload), |(error, _)| error);
                    }
                    Way::Sources => {
                        let mut at = 0;
                        let source = move |room: &mut [u8]| {
                            let n = (payload.0.len() - at).min(room.len()).min(700);
                            room[..n].copy_from_slice(&payload.0[at..at + n]);
                            at += n;
                            if at == payload.0.len() { Pull::Last(n) } else { Pull::Data(n) }
                        };
                        accepted(reply.send_source(Kind::Binary, source), |(error, _)| error);
                    }
                    _ => accepted(reply.send(message), |error| error),
                }
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

/// Drives a connection the way an edge-triggered selector does, to its end.
fn drive(ws: &mut WebSocket<Failing>, way: Way, owner: &Arc<()>, name: &str) -> Seen {
    let mut seen = Seen::default();
    for _ in 0..10_000 {
        let io = &mut ws.io_mut().io;
        let (readable, writable) = (io.read_blocked, io.write_blocked);
        (io.read_blocked, io.write_blocked) = (false, false);
        if readable || writable {
            ws.handle_readiness(readable, writable);
        } else {
            assert!(
                ws.poll_timeout().is_some_and(|deadline| deadline <= NOW),
                "{name}: stands still: {ws:?}"
            );
        }
        if let Err(error) = turn(ws, way, owner, &mut seen) {
            seen.errors.push(error);
        }
        if ws.is_closed() {
            return seen;
        }
    }
    panic!("{name}: never ends");
}

/// Runs a scenario, and says whether it came to the operation that goes wrong.
fn run(is_server: bool, way: Way, wrong: Wrong, at: usize) -> bool {
    let name = format!("{wrong:?} at {at}, {way:?}, server: {is_server}");
    let encode = if is_server { masked } else { unmasked };
    let mut frames: Vec<Vec<u8>> = messages().iter().map(|message| encode(BINARY, message)).collect();
    frames.push(encode(CLOSE, &close_body(1000, "bye")));
    let io = Memory {
        incoming_ends: true,
        chunk: Some(151),
        ..Memory::with_incoming(frames.iter().flatten().copied())
    };
    let io = Failing {
        io,
        at,
        wrong,
        operations: 0,
        hit: None,
        read: 0,
        read_broken: false,
        write_broken: false,
        asked_after_error: 0,
    };
    let role = if is_server { Role::Server } else { Role::Client(MaskKeys::from_seed([5; 32])) };
    let owner = Arc::new(());
    let mut ws = WebSocket::from_upgraded(io, role, Config::default().ping_interval(None), NOW, &[]);
    let seen = drive(&mut ws, way, &owner, &name);
    assert!(matches!(ws.next(NOW), Ok(None)), "{name}: something behind the end");
    assert_eq!((ws.poll_timeout(), ws.interest()), (None, None), "{name}");
    assert_eq!(ws.ping(b""), Err(SendError::Closing), "{name}");
    assert!(ws.outcome().is_some(), "{name}");
    let (clean, peer_closed) = (ws.is_clean(), ws.peer_close().is_some());
    let io = ws.into_io();
    assert_eq!(Arc::strong_count(&owner), 1, "{name}: a payload is left");

    let arrived = whole(&frames, io.read);
    assert_eq!(seen.received, messages()[..arrived.min(4)], "{name}: {seen:?}");
    check_output(is_server, &io.io.outgoing, &name);
    let harmless = matches!(
        (wrong, io.hit),
        (_, None)
            | (Wrong::Block | Wrong::Interrupt | Wrong::Short, _)
            | (Wrong::Zero | Wrong::Lie | Wrong::LieMost, Some("flush" | "shutdown"))
    );
    if harmless {
        assert!(seen.errors.is_empty() && clean && seen.closed && peer_closed, "{name}: {seen:?}");
        assert_eq!(seen.received.len(), 4, "{name}");
    } else {
        let operation = io.hit.unwrap();
        match &seen.errors[..] {
            // Behind the peer's Close frame it does not matter any more how the transport ends.
            [] => assert!(arrived == 5, "{name}: no error: {seen:?}"),
            [error] => {
                let is_right = match (wrong, operation, error) {
                    (Wrong::Error(kind), _, Error::Io(error)) => error.kind() == kind,
                    (Wrong::Zero, "write", Error::Io(error)) => error.kind() == ErrorKind::WriteZero,
                    (Wrong::Zero, "read", Error::Protocol(ws_proto::Error::UnexpectedEof)) => true,
                    (Wrong::Lie | Wrong::LieMost, _, Error::Io(error)) => error.kind() == ErrorKind::Other,
                    _ => false,
                };
                assert!(is_right, "{name}: {error:?} of a {operation}");
            }
            more => panic!("{name}: more than one error: {more:?}"),
        }
        assert!(io.asked_after_error <= 1, "{name}: asked again and again");
    }
    io.hit.is_some()
}

/// How many of `frames` lie whole in the first `read` bytes.
fn whole(frames: &[Vec<u8>], read: usize) -> usize {
    let mut end = 0;
    frames.iter().take_while(|frame| (end += frame.len(), end <= read).1).count()
}

/// The frames that went out, up to the one that was cut off: the messages in their order, then the Close frame.
fn check_output(is_server: bool, written: &[u8], name: &str) {
    let mut rest = written;
    let (mut message, mut sent) = (Vec::new(), 0);
    loop {
        let (Some(&first), Some(&second)) = (rest.first(), rest.get(1)) else { return };
        assert_eq!(second & 0x80 != 0, !is_server, "{name}");
        let (len, at) = match second & 0x7F {
            126 if rest.len() < 4 => return,
            126 => (usize::from(u16::from_be_bytes([rest[2], rest[3]])), 4),
            len => (usize::from(len), 2),
        };
        let (key, at) = if is_server {
            ([0; 4], at)
        } else {
            let Some(key) = rest.get(at..at + 4) else { return };
            (key.try_into().unwrap(), at + 4)
        };
        let part = &rest[at.min(rest.len())..(at + len).min(rest.len())];
        let payload = part.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
        match first {
            0x88 => {
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
            0x88 => assert!(rest.is_empty(), "{name}: something behind the Close frame"),
            0x82 | 0x80 => {
                assert_eq!(std::mem::take(&mut message), messages()[sent], "{name}");
                sent += 1;
            }
            _ => {}
        }
    }
}

/// What is live, once the buffers that the thread keeps are freed.
fn live_without_spare_buffers() -> isize {
    // More than it keeps of ours: each connection takes one of each kind, and frees it with what is in it.
    let with_buffers = || {
        let config = Config::default();
        let mut ws = WebSocket::from_upgraded(Memory::default(), Role::Server, config, NOW, b"left over");
        ws.send(Message::Text("not sent")).unwrap();
        ws
    };
    drop([(); 16].map(|()| with_buffers()));
    counting::live_without_spare_buffers()
}

fn every_operation(is_server: bool) {
    let mut cases = 0;
    for way in WAYS {
        for wrong in WRONG {
            let mut before = live_without_spare_buffers();
            for at in 0.. {
                let hit = run(is_server, way, wrong, at);
                let after = live_without_spare_buffers();
                assert_eq!(after, before, "{way:?}, {wrong:?} at {at}: {} bytes are left", after - before);
                before = after;
                cases += 1;
                if !hit {
                    assert!(at > 20, "{way:?}: {at} operations are too few to mean anything");
                    break;
                }
            }
        }
    }
    assert!(cases > 1000, "{cases}");
}

#[test]
fn a_server_whose_transport_fails_at_any_operation_tells_once_loses_nothing_and_leaves_nothing() {
    every_operation(true);
}

#[test]
fn a_client_whose_transport_fails_at_any_operation_tells_once_loses_nothing_and_leaves_nothing() {
    every_operation(false);
}
