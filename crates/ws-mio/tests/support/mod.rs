//! A transport in memory that does what a script says, and frames to feed it with.

#![allow(clippy::expect_used, dead_code, unreachable_pub)] // Each test file uses its part.

pub mod pair;

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use ws_mio::{Error, Event, Instant, Message, Transport, WebSocket};

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// A final frame; masked if `key` is given.
pub fn frame(opcode: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        len @ 0..=125 => frame.push(mask_bit | len as u8),
        len @ 126..=0xFFFF => {
            frame.push(mask_bit | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(mask_bit | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(key.iter().flatten());
    frame.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ key.map_or(0, |key| key[i % 4])));
    frame
}

/// A frame as a client sends it.
pub fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(opcode, Some([0x12, 0x34, 0x56, 0x78]), payload)
}

/// A frame as a server sends it.
pub fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(opcode, None, payload)
}

pub fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// What happens instead of the operation that the fault is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    Block,
    Fail(io::ErrorKind),
    Interrupt,
    /// Says that it moved more than it was offered.
    Lie,
    /// Moves one byte.
    Short,
    /// Moves nothing and says so.
    Zero,
}

/// A transport in memory.
#[derive(Debug, Default)]
pub struct Memory {
    pub incoming: VecDeque<u8>,
    pub incoming_ends: bool,
    pub outgoing: Vec<u8>,
    /// How many bytes it takes before it blocks.
    pub room: Option<usize>,
    /// The numbers of operations, counted from 0, and what happens to them.
    pub faults: Vec<(usize, Fault)>,
    /// Each read and write moves this much at most.
    pub chunk: Option<usize>,
    pub operations: usize,
    pub reads: usize,
    pub writes: usize,
    pub flushes: usize,
    pub write_shut: bool,
    /// The last read or write said that it would block, so that readiness is to be reported again.
    pub read_blocked: bool,
    pub write_blocked: bool,
}

impl Memory {
    pub fn with_incoming(bytes: impl IntoIterator<Item = u8>) -> Self {
        Self { incoming: bytes.into_iter().collect(), ..Self::default() }
    }

    fn fault(&mut self) -> Option<Fault> {
        let number = self.operations;
        self.operations += 1;
        self.faults.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault)
    }
}

impl Read for Memory {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        assert!(!buf.is_empty(), "a read into nothing");
        self.reads += 1;
        let mut most = self.chunk.unwrap_or(usize::MAX).min(buf.len());
        self.read_blocked = false;
        match self.fault() {
            Some(Fault::Block) => {
                self.read_blocked = true;
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Some(Fault::Fail(kind)) => return Err(kind.into()),
            Some(Fault::Interrupt) => return Err(io::ErrorKind::Interrupted.into()),
            Some(Fault::Lie) => return Ok(buf.len() + 1),
            Some(Fault::Short) => most = 1,
            Some(Fault::Zero) => return Ok(0),
            None => {}
        }
        let n = most.min(self.incoming.len());
        if n == 0 && !self.incoming_ends {
            self.read_blocked = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for (to, from) in buf.iter_mut().zip(self.incoming.drain(..n)) {
            *to = from;
        }
        Ok(n)
    }
}

impl Write for Memory {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        assert!(!buf.is_empty(), "a write of nothing");
        assert!(!self.write_shut, "a write after the writing side was ended");
        self.writes += 1;
        let mut most = self.chunk.unwrap_or(usize::MAX).min(buf.len());
        self.write_blocked = false;
        match self.fault() {
            Some(Fault::Block) => {
                self.write_blocked = true;
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Some(Fault::Fail(kind)) => return Err(kind.into()),
            Some(Fault::Interrupt) => return Err(io::ErrorKind::Interrupted.into()),
            Some(Fault::Lie) => return Ok(buf.len() + (1 << 30)),
            Some(Fault::Short) => most = 1,
            Some(Fault::Zero) => return Ok(0),
            None => {}
        }
        if let Some(room) = &mut self.room {
            most = most.min(*room);
            *room -= most;
            if most == 0 {
                self.write_blocked = true;
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        self.outgoing.extend(&buf[..most]);
        Ok(most)
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.write(&bufs.iter().flat_map(|buf| buf.iter().copied()).collect::<Vec<u8>>())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes += 1;
        Ok(())
    }
}

impl Transport for Memory {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.write_shut = true;
        Ok(())
    }
}

/// What a connection gave, owned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Got {
    Binary(Vec<u8>),
    Close(u16, String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Text(String),
}

impl From<Event<'_>> for Got {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Data(Message::Binary(bytes)) => Self::Binary(bytes.to_vec()),
            Event::Data(Message::Text(text)) => Self::Text(text.into()),
            Event::Close(close) => Self::Close(close.code.as_u16(), close.reason.into()),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
        }
    }
}

/// One turn in which every message is echoed.
pub fn echo_turn<IO: Transport>(
    ws: &mut WebSocket<IO>,
    now: Instant,
    got: &mut Vec<Got>,
) -> Result<usize, Error> {
    let before = got.len();
    while let Some((event, mut reply)) = ws.next(now)? {
        got.push(event.into());
        if let Event::Data(message) = event {
            match reply.send(message) {
                Err(ws_mio::SendError::Closing) => {}
                result => result.expect("an echo is never refused"),
            }
        }
    }
    Ok(got.len() - before)
}
