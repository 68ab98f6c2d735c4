//! Everything of a connection but its receive buffer: so that an event, which borrows that buffer, and the means to
//! answer it can be handed out side by side.

mod receive;
mod send;

use core::future::Future as _;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_proto::{Connection, Ending, Instant, RecvBuf, SendQueue, TransportAction};

pub(crate) use self::receive::AnyReady;
use crate::error::Error;
use crate::lent::Lent;
use crate::message::Message;
use crate::timer::Timer;
use crate::waiters::{Half, Waiters};

/// How many events are given in a row. Those that lie in the buffer cost no operation of the transport, so that
/// tokio's own budget does not count them; and a peer can send very small ones.
const EVENT_BUDGET: u16 = 1024;

/// How many bytes are read in a row. What gives no event, as empty fragments and data behind our Close frame do, would
/// otherwise keep a task busy as long as it comes: tokio's own budget counts reads, which are large, and not every
/// transport knows of it.
const READ_BUDGET: u32 = 256 << 10;

/// What a read counts at least, so that a transport that moves single bytes does not escape the budget.
const MIN_COST: u32 = 1 << 10;

/// How many bytes may wait in the queue.
const QUEUE_LIMIT: usize = 1 << 20;

/// The transport, the connection, its output, and its timer.
#[derive(Debug)]
pub(crate) struct Driver<IO> {
    pub(crate) io: IO,
    pub(crate) conn: Connection,
    pub(crate) tx: Lent<SendQueue<Bytes>>,
    pub(crate) timer: Timer,
    /// When the transport was last asked for something: what time it is for all that came of that. To ask the clock for
    /// each message would cost more than the message.
    now: Instant,
    pub(crate) waiters: Waiters,
    /// A message that a `Sink` took and that found no room yet. Nothing is sent before it. Rare, hence the box.
    pending: Option<Box<Message>>,
    /// The transport has bytes that it was not yet asked to flush.
    unflushed: bool,
    shut_down: bool,
    eof: bool,
    /// The transport failed; to be reported once.
    failure: Option<io::Error>,
    /// Writing is in vain: what is queued is discarded, what arrived before is still received.
    write_failed: bool,
    /// Whoever uses this was told the error.
    told: bool,
    /// Those who wait were woken because the connection failed.
    woken: bool,
    /// What was received last was received in pieces.
    in_pieces: bool,
    /// How many events may be given before other tasks have their turn.
    events_left: u16,
    /// How many bytes may be read before that.
    read_left: u32,
    /// What there is to tell of the end.
    pub(crate) ending: Ending<Error>,
    /// The connection is wound up.
    pub(crate) done: bool,
}

impl<IO> Driver<IO> {
    pub(crate) fn new(io: IO, conn: Connection, tx: SendQueue<Bytes>, timer: Timer) -> Self {
        Self {
            io,
            conn,
            tx: Lent::from(tx),
            now: timer.now(),
            timer,
            waiters: Waiters::new(),
            pending: None,
            unflushed: false,
            shut_down: false,
            eof: false,
            failure: None,
            write_failed: false,
            told: false,
            woken: false,
            in_pieces: false,
            events_left: EVENT_BUDGET,
            read_left: READ_BUDGET,
            ending: Ending::new(),
            done: false,
        }
    }

    /// Lets deadlines that have passed take effect; says whether there were any.
    fn check_deadlines(&mut self) -> bool {
        let is_due = self.conn.poll_timeout().is_some_and(|deadline| deadline <= self.now);
        if is_due {
            self.conn.handle_timeout(self.now);
        }
        is_due
    }

    /// Remembers who waits in this half, as [`Waiters::register`] does.
    pub(crate) fn register(&mut self, half: Half, cx: &Context<'_>) -> Option<Waker> {
        let (shared, is_new) = self.waiters.register(half, cx);
        if is_new {
            self.timer.forget_waker();
        }
        shared
    }

    /// Whether there is something to write.
    fn has_output(&self) -> bool {
        let tx = self.tx.get();
        // What waits in the queue may have to be dropped, which writing does as well.
        !tx.is_empty() || self.unflushed || self.pending.is_some() || self.conn.wants_transmit(tx)
    }

    /// Whoever waits to send need not wait for the winding up.
    fn wake_if_failed(&mut self) {
        if !self.woken && self.conn.error().is_some() {
            self.woken = true;
            self.waiters.wake();
        }
    }

    /// How it ended; `None` as long as it has not.
    pub(crate) fn outcome(&self) -> Option<crate::Outcome<'_>> {
        self.done.then(|| self.ending.outcome(&self.conn))
    }

    /// Why the connection failed, if it did and nobody was told yet.
    pub(crate) fn take_error(&mut self) -> Option<Error> {
        if self.told {
            return None;
        }
        let failure = self.failure.take().map(Error::Io);
        let error = failure.or_else(|| self.conn.error().map(Error::Connection));
        self.told = error.is_some();
        if let Some(error) = &error {
            self.ending.keep_error(error.duplicate());
        }
        error
    }

    /// There is nothing left to do: memory is given back, and nothing more comes of this.
    pub(crate) fn finish(&mut self) {
        self.done = true;
        self.pending = None;
        self.tx.discard();
        // Nothing is at hand any more.
        self.events_left = 0;
        self.waiters.wake();
    }

    /// The transport failed for good. After a Close frame of the peer that is how connections end.
    fn fail(&mut self, error: io::Error) {
        if self.conn.peer_close().is_none() && self.conn.error().is_none() {
            self.failure.get_or_insert(error);
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Driver<IO> {
    /// Reads once. `Ready` if that brought something, be it the end. `Pending` as well, and woken at once, if it is the turn of
    /// others.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, rx: &mut Lent<RecvBuf<Vec<u8>>>) -> Poll<()> {
        if self.eof {
            return Poll::Pending;
        }
        if self.read_left == 0 {
            self.read_left = READ_BUDGET;
            // The others can use it meanwhile.
            rx.give_back();
            let_others(cx);
            return Poll::Pending;
        }
        let buffer = rx.get_mut();
        let mut buf = ReadBuf::new(buffer.spare_mut());
        let room = buf.remaining();
        let result = match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
            Poll::Ready(result) => result.map(|()| buf.filled().len()),
            Poll::Pending if self.write_failed => Ok(0),
            Poll::Pending => {
                self.read_left = READ_BUDGET;
                // Idle connections hold no memory.
                rx.give_back();
                return Poll::Pending;
            }
        };
        let cost = result.as_ref().map_or(0, |&n| u32::try_from(n).unwrap_or(u32::MAX)).max(MIN_COST);
        self.read_left = self.read_left.saturating_sub(cost);
        match result {
            Ok(n) if n > room => self.end(Some(lie("read", n, room))),
            Ok(0) => self.end(None),
            Ok(n) => buffer.commit(n),
            Err(error) => self.end(Some(error)),
        }
        Poll::Ready(())
    }

    /// Nothing more will arrive.
    fn end(&mut self, error: Option<io::Error>) {
        self.eof = true;
        let failed = error.is_some();
        if let Some(error) = error {
            self.fail(error);
        }
        // Whether that is an error is known to the connection, and is told when it is wound up.
        let _ =
            if self.write_failed || failed { self.conn.transport_failed() } else { self.conn.receive_eof() };
    }

    /// Does with the transport what the connection asks for. `Ready` if that was the last.
    pub(crate) fn poll_wind_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let action = self.conn.transport_action(self.tx.get());
        if action != TransportAction::Keep && !self.shut_down {
            // An error here means that the transport is gone, which reading tells as well.
            self.shut_down = Pin::new(&mut self.io).poll_shutdown(cx).is_ready();
        }
        if action == TransportAction::Close { Poll::Ready(()) } else { Poll::Pending }
    }

    fn is_failed(&self) -> bool {
        self.told || self.write_failed || self.failure.is_some() || self.conn.error().is_some()
    }
}

/// Wakes this task when others have had their turn, those included that the runtime has not yet seen to be ready: a task
/// that just wakes itself goes on many times before the runtime looks.
fn let_others(cx: &mut Context<'_>) {
    // It has registered the waker when it is first polled, and that is all that it does.
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}

/// A transport that claims more than it was offered is not to be believed in anything.
pub(crate) fn lie(what: &str, claimed: usize, offered: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the transport {what} {claimed} bytes of {offered}"))
}
