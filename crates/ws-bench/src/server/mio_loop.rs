//! The loop of the mio servers that bring none of their own: accepts, reads, writes, and keeps what cannot be written.

use std::io::{self, Read, Write};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

/// What a server does with the bytes of a connection.
pub(super) trait Session {
    /// A new one; it begins with the opening handshake.
    fn new() -> Self;

    /// Reads until the transport would block, and adds answers to `out`, what is common to all connections. `false` if
    /// the connection is over.
    fn read(&mut self, stream: &mut TcpStream, out: &mut Output) -> io::Result<bool>;
}

/// Where answers are put together: room that is made, and filled with zeros, once.
pub(super) struct Output {
    bytes: Vec<u8>,
    len: usize,
}

impl Output {
    /// At least `size` bytes to write to. Say with `advance` how many were.
    pub(super) fn room(&mut self, size: usize) -> &mut [u8] {
        if self.bytes.len() - self.len < size {
            self.bytes.resize(self.len + size, 0);
        }
        &mut self.bytes[self.len..]
    }

    pub(super) fn advance(&mut self, n: usize) {
        self.len += n;
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

struct Connection<S> {
    stream: TcpStream,
    session: S,
    /// What could not be written; no allocation while it is empty.
    pending: Vec<u8>,
}

const LISTENER: Token = Token(usize::MAX);

pub(super) fn serve<S: Session>(listener: std::net::TcpListener) -> io::Result<()> {
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut connections = Slab::<Connection<S>>::new();
    let mut out = Output { bytes: vec![0; super::READ_SIZE], len: 0 };
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    loop {
        wait(&mut poll, &mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let entry = connections.vacant_entry();
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(entry.key()), interest)?;
                    entry.insert(Connection { stream, session: S::new(), pending: Vec::new() });
                }
                continue;
            }
            let key = event.token().0;
            let Some(connection) = connections.get_mut(key) else { continue };
            if !connection.turn(&mut out).unwrap_or(false) {
                connections.remove(key);
            }
        }
    }
}

impl<S: Session> Connection<S> {
    fn turn(&mut self, out: &mut Output) -> io::Result<bool> {
        let Self { stream, session, pending } = self;
        let written = write(stream, pending)?;
        pending.drain(..written);
        if !pending.is_empty() {
            // Nothing is read that could not be answered.
            return Ok(true);
        }
        *pending = Vec::new();
        loop {
            out.len = 0;
            let goes_on = session.read(stream, out)?;
            let answers = &out.bytes[..out.len];
            let written = write(stream, answers)?;
            if written < answers.len() {
                pending.extend_from_slice(&answers[written..]);
                return Ok(goes_on);
            }
            // A session stops early for the sake of the output's size.
            if out.len < super::READ_SIZE || !goes_on {
                return Ok(goes_on);
            }
        }
    }
}

fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(n) => written += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// Waits for events. A tracer that attaches interrupts it, and changes nothing.
pub(super) fn wait(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
    match poll.poll(events, timeout) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            events.clear();
            Ok(())
        }
        result => result,
    }
}

/// Reads into `buffer`: `None` if nothing is there, 0 at the end.
pub(super) fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match stream.read(buffer) {
        Ok(n) => Ok(Some(n)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
