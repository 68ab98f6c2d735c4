//! A transport with what is known of its readiness, its registration, and what it may still do in this turn.

use std::io;

use mio::event::{Event, Source};
use mio::{Interest, Registry, Token};
use ws_proto::{Outbound, RecvBuf, Slices, Storage, Transmit};

use crate::transport::Transport;

/// How many bytes are read in one turn at most, so that one busy connection does not keep the others waiting.
const READ_BUDGET: u32 = 512 << 10;
/// How many bytes are written in one turn at most.
const WRITE_BUDGET: u32 = 1 << 20;
/// How many bytes one read is offered at most.
const MAX_READ: usize = 128 << 10;
/// What a read or write counts at least, so that a transport that moves single bytes does not escape the budgets.
const MIN_COST: u32 = 2 << 10;

/// What came of trying to read or write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moved {
    /// The transport has to become ready first. Its event is still to come.
    Blocked,
    /// So many bytes.
    Bytes(usize),
    /// The peer has ended the stream. Only for reading.
    Eof,
    /// The transport may be ready, but this turn has done enough. No event is to come.
    Later,
}

#[derive(Debug)]
pub(crate) struct Link<IO> {
    io: IO,
    /// Counts while there is a registered interest.
    token: Token,
    registered: Option<Interest>,
    read_budget: u32,
    write_budget: u32,
    readable: bool,
    writable: bool,
    /// The selector said that the peer ended the stream: reading on will meet the end, without another event.
    read_closed: bool,
    hung_up: bool,
    eof: bool,
    write_failed: bool,
    /// Bytes were written since the transport was last flushed.
    unflushed: bool,
    write_shut: bool,
    /// The turn ended with something left to do for which no event is to come.
    more: bool,
}

impl<IO> Link<IO> {
    /// Whatever happened to the transport before: whether it is ready is found out by trying.
    pub(crate) const fn new(io: IO) -> Self {
        Self {
            io,
            token: Token(0),
            registered: None,
            read_budget: READ_BUDGET,
            write_budget: WRITE_BUDGET,
            readable: true,
            writable: true,
            read_closed: false,
            hung_up: false,
            eof: false,
            write_failed: false,
            unflushed: false,
            write_shut: false,
            more: true,
        }
    }

    pub(crate) fn handle_event(&mut self, event: &Event) {
        let (read_closed, write_closed) = (event.is_read_closed(), event.is_write_closed());
        self.readable |= event.is_readable() || read_closed || event.is_error();
        self.writable |= event.is_writable() || write_closed || event.is_error();
        self.read_closed |= read_closed;
        self.hung_up |= event.is_error() || (read_closed && write_closed);
        self.more = true;
    }

    pub(crate) const fn handle_readiness(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
        self.more = true;
    }

    /// There is something to do for which no event is to come.
    pub(crate) const fn set_more(&mut self) {
        self.more = true;
    }

    /// The turn is over: the next one may do as much again.
    pub(crate) const fn end_turn(&mut self, more: bool) {
        self.more = more;
        self.read_budget = READ_BUDGET;
        self.write_budget = WRITE_BUDGET;
    }

    pub(crate) const fn has_more(&self) -> bool {
        self.more
    }

    pub(crate) const fn is_eof(&self) -> bool {
        self.eof
    }

    pub(crate) const fn is_hung_up(&self) -> bool {
        self.hung_up
    }

    pub(crate) const fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// The interest in what a connection waits for.
    pub(crate) fn interest(&self, to_read: bool, to_write: bool) -> Option<Interest> {
        let read = (to_read && !self.eof).then_some(Interest::READABLE);
        let write = ((to_write || self.unflushed) && !self.write_failed).then_some(Interest::WRITABLE);
        match (read, write) {
            (Some(read), Some(write)) => Some(read | write),
            (read, write) => read.or(write),
        }
    }

    pub(crate) const fn io(&self) -> &IO {
        &self.io
    }

    pub(crate) const fn io_mut(&mut self) -> &mut IO {
        &mut self.io
    }

    pub(crate) fn into_io(self) -> IO {
        self.io
    }
}

impl<IO: Transport> Link<IO> {
    /// One read into the spare room of `rx`.
    pub(crate) fn read<S: Storage>(&mut self, rx: &mut RecvBuf<S>) -> io::Result<Moved> {
        if self.eof || !self.readable {
            return Ok(Moved::Blocked);
        }
        while self.read_budget > 0 {
            let spare = rx.spare_mut();
            let offered = spare.len().min(MAX_READ);
            let result = self.io.read(&mut spare[..offered]);
            self.read_budget = self.read_budget.saturating_sub(cost(&result));
            match result {
                Ok(0) => {
                    self.eof = true;
                    return Ok(Moved::Eof);
                }
                Ok(n) if n > offered => {
                    self.eof = true;
                    return Err(lie("a read"));
                }
                Ok(n) => {
                    rx.commit(n);
                    self.readable = n == offered || !IO::SHORT_MEANS_BLOCKED || self.read_closed;
                    return Ok(Moved::Bytes(n));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(Moved::Blocked);
                }
                Err(error) => {
                    self.eof = true;
                    return Err(error);
                }
            }
        }
        Ok(Moved::Later)
    }

    /// One write of what is to be transmitted.
    pub(crate) fn write<O: Outbound>(&mut self, transmit: &Transmit<'_, O>) -> io::Result<Moved> {
        if let Some(bytes) = transmit.contiguous() {
            return self.write_with(bytes.len(), |io| io.write(bytes));
        }
        self.write_slices(&transmit.slices())
    }

    /// The same of slices, one or more.
    pub(crate) fn write_slices(&mut self, slices: &Slices<'_>) -> io::Result<Moved> {
        if let [slice] = **slices {
            return self.write_with(slice.len(), |io| io.write(slice));
        }
        let offered = slices.iter().map(|slice| slice.len()).sum();
        let (slices, len) = slices.to_io_slices();
        self.write_with(offered, |io| io.write_vectored(&slices[..len]))
    }

    fn write_with(
        &mut self,
        offered: usize,
        mut write: impl FnMut(&mut IO) -> io::Result<usize>,
    ) -> io::Result<Moved> {
        if self.write_failed || !self.writable {
            return Ok(Moved::Blocked);
        }
        while self.write_budget > 0 {
            let result = write(&mut self.io);
            self.write_budget = self.write_budget.saturating_sub(cost(&result));
            match result {
                Ok(0) => {
                    self.write_failed = true;
                    return Err(io::ErrorKind::WriteZero.into());
                }
                Ok(n) if n > offered => {
                    self.write_failed = true;
                    return Err(lie("a write"));
                }
                Ok(n) => {
                    self.unflushed = true;
                    self.writable = n == offered || !IO::SHORT_MEANS_BLOCKED;
                    return Ok(Moved::Bytes(n));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    return Ok(Moved::Blocked);
                }
                Err(error) => {
                    self.write_failed = true;
                    return Err(error);
                }
            }
        }
        Ok(Moved::Later)
    }

    /// Flushes the transport, if anything was written since it was last flushed: TLS and buffered transports keep bytes
    /// back until then.
    pub(crate) fn flush(&mut self) -> io::Result<Moved> {
        if !self.unflushed {
            return Ok(Moved::Bytes(0));
        }
        if self.write_failed || !self.writable {
            return Ok(Moved::Blocked);
        }
        while self.write_budget > 0 {
            self.write_budget = self.write_budget.saturating_sub(MIN_COST);
            match self.io.flush() {
                Ok(()) => {
                    self.unflushed = false;
                    return Ok(Moved::Bytes(0));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    return Ok(Moved::Blocked);
                }
                Err(error) => {
                    self.write_failed = true;
                    return Err(error);
                }
            }
        }
        Ok(Moved::Later)
    }

    /// Ends the writing side, once.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<()> {
        if self.write_shut || self.write_failed {
            return Ok(());
        }
        loop {
            match self.io.shutdown_write() {
                // A transport that needs several attempts is asked again with its next event.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted && self.write_budget > 0 => {
                    self.write_budget = self.write_budget.saturating_sub(MIN_COST);
                }
                result => {
                    self.write_shut = true;
                    return result;
                }
            }
        }
    }

    pub(crate) fn poll_connected(&mut self) -> io::Result<bool> {
        self.io.poll_connected()
    }
}

impl<IO: Source> Link<IO> {
    /// Makes the registration what `interest` says. A system call only if it is something else.
    pub(crate) fn update_registration(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Option<Interest>,
    ) -> io::Result<()> {
        match (self.registered, interest) {
            (_, None) => self.deregister(registry),
            (Some(registered), Some(interest)) if registered == interest && self.token == token => Ok(()),
            (Some(_), Some(interest)) => self.reregister(registry, token, interest),
            (None, Some(interest)) => self.register(registry, token, interest),
        }
    }
}

impl<IO: Source> Source for Link<IO> {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self.io.register(registry, token, interests) {
            // Whoever did the opening handshake may have registered the transport already.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.io.reregister(registry, token, interests)?;
            }
            result => result?,
        }
        (self.token, self.registered) = (token, Some(interests));
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.io.reregister(registry, token, interests)?;
        (self.token, self.registered) = (token, Some(interests));
        Ok(())
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        if self.registered.take().is_some() { self.io.deregister(registry) } else { Ok(()) }
    }
}

/// What an attempt counts against a budget.
#[inline]
fn cost(result: &io::Result<usize>) -> u32 {
    // More than a number has room for is more than any budget.
    result.as_ref().map_or(MIN_COST, |&n| u32::try_from(n).unwrap_or(u32::MAX).max(MIN_COST))
}

fn lie(what: &str) -> io::Error {
    io::Error::other(format!("{what} moved more bytes than it was offered"))
}
