//! What a connection is made of before it is one.

use std::io;

use mio::Interest;
use ws_proto::RecvBuf;
use ws_proto::handshake::poll_transmit;

use crate::lent::{Lent, Received, Sending};
use crate::link::{Link, Moved};
use crate::transport::Transport;

#[derive(Debug)]
pub(crate) struct Parts<IO> {
    pub(crate) link: Link<IO>,
    pub(crate) rx: Lent<Received>,
    pub(crate) tx: Lent<Sending>,
}

impl<IO> Parts<IO> {
    pub(crate) fn new(io: IO) -> Self {
        Self { link: Link::new(io), rx: Lent::none(), tx: Lent::none() }
    }

    pub(crate) fn interest(&self) -> Option<Interest> {
        self.link.interest(true, !self.is_transmitted())
    }

    pub(crate) fn into_io(self) -> (IO, Vec<u8>) {
        let received = self.rx.get().map_or_else(Vec::new, |rx| rx.unparsed().to_vec());
        (self.link.into_io(), received)
    }

    fn is_transmitted(&self) -> bool {
        self.tx.queue().is_empty()
    }

    /// The turn is over.
    pub(crate) fn end_turn(&mut self, more: bool) {
        self.link.end_turn(more);
        if !more {
            self.rx.give_back();
            self.tx.give_back();
        }
    }
}

impl<IO: Transport> Parts<IO> {
    /// Writes what waits, as far as the transport takes it. Says whether there is more to write, but not in this turn.
    pub(crate) fn transmit(&mut self) -> io::Result<bool> {
        while let Some(mut transmit) = self.tx.get_mut().and_then(poll_transmit) {
            match self.link.write_slices(&transmit.slices())? {
                Moved::Bytes(n) => transmit.advance(n),
                Moved::Later => return Ok(true),
                Moved::Blocked | Moved::Eof => break,
            }
        }
        Ok(self.link.flush()? == Moved::Later)
    }

    /// Writes what waits, ends the writing side, and reads and discards what the peer still sends. Says whether the
    /// peer has ended its side too, and nothing is left to do.
    pub(crate) fn wind_up(&mut self) -> io::Result<bool> {
        let mut more = self.transmit()?;
        let done = self.is_transmitted() && !self.link.is_unflushed();
        if done {
            self.link.shutdown_write()?;
        }
        // Nobody wants what came behind the request.
        self.rx = Lent::none();
        loop {
            match self.link.read(&mut RecvBuf::new([0; 4096]))? {
                Moved::Bytes(_) => {}
                Moved::Later => {
                    more = true;
                    break;
                }
                Moved::Blocked | Moved::Eof => break,
            }
        }
        self.end_turn(more);
        Ok(done && self.link.is_eof())
    }
}
