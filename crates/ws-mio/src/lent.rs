//! Buffers that a connection has only while there is something in them.
//!
//! Idle connections hold no buffers, and not even the bookkeeping of empty ones, which is larger than most of what else
//! they are. What one connection is done with is what the next one on the thread begins with, memory included.

use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use ws_proto::{RecvBuf, SendQueue};

/// How many of each kind a thread keeps: for a few connections that are busy at once.
const MAX_SPARE: usize = 8;
/// One that has become larger is kept without its memory.
const MAX_KEPT: usize = 128 << 10;

/// What can be lent.
pub(crate) trait Buffer: fmt::Debug + Sized {
    fn new() -> Self;

    /// Whether nothing is in it.
    fn is_empty(&self) -> bool;

    /// Makes it one that a thread may keep. Nothing is in it.
    fn trim(&mut self);

    /// What the thread keeps; `None` while the thread ends.
    fn with_spare<R>(use_spare: impl FnOnce(&mut Spare<Self>) -> R) -> Option<R>;
}

/// A stack, so that what is in the caches is used again first.
pub(crate) struct Spare<B> {
    // Boxes, for they move between here and the connections, and what is in them does not.
    buffers: [Option<Box<B>>; MAX_SPARE],
    // INVARIANT: the first `len` are there, at most MAX_SPARE
    len: usize,
}

impl<B> Spare<B> {
    const fn new() -> Self {
        Self { buffers: [const { None }; MAX_SPARE], len: 0 }
    }

    #[inline]
    fn take(&mut self) -> Option<Box<B>> {
        self.len = self.len.checked_sub(1)?;
        self.buffers.get_mut(self.len)?.take()
    }

    /// Gives back what there is no room for.
    #[inline]
    fn keep(&mut self, buffer: Box<B>) -> Option<Box<B>> {
        let Some(place) = self.buffers.get_mut(self.len) else { return Some(buffer) };
        self.len += 1;
        place.replace(buffer)
    }
}

/// A buffer while it is needed. It takes the room of a pointer otherwise.
pub(crate) struct Lent<B>(Option<Box<B>>);

impl<B> Lent<B> {
    /// None yet.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// The buffer, if there may be something in it.
    #[inline]
    pub(crate) fn get(&self) -> Option<&B> {
        self.0.as_deref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut B> {
        self.0.as_deref_mut()
    }
}

impl<B: Buffer> Lent<B> {
    /// The buffer, and one that is empty if there was none.
    #[inline]
    pub(crate) fn needed(&mut self) -> &mut B {
        self.0.get_or_insert_with(lend)
    }

    /// Gives the buffer back if nothing is in it.
    #[inline(never)]
    pub(crate) fn give_back(&mut self) {
        if self.0.as_ref().is_some_and(|buffer| buffer.is_empty())
            && let Some(mut buffer) = self.0.take()
        {
            buffer.trim();
            // What is too much is dropped here, and not while the others are borrowed.
            let _surplus = B::with_spare(|spare| spare.keep(buffer));
        }
    }
}

#[cold]
fn new<B: Buffer>() -> Box<B> {
    Box::new(B::new())
}

// Once a turn and not once an event, which is why it is not inlined.
#[inline(never)]
fn lend<B: Buffer>() -> Box<B> {
    B::with_spare(Spare::take).flatten().unwrap_or_else(new)
}

impl<B: fmt::Debug> fmt::Debug for Lent<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where what was received waits.
pub(crate) type Received = RecvBuf<Vec<u8>>;

impl Buffer for Received {
    fn new() -> Self {
        Self::default()
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    #[inline]
    fn trim(&mut self) {
        self.shrink(if self.capacity() > MAX_KEPT { 0 } else { MAX_KEPT });
    }

    #[inline]
    fn with_spare<R>(use_spare: impl FnOnce(&mut Spare<Self>) -> R) -> Option<R> {
        std::thread_local! {
            static SPARE: RefCell<Spare<Received>> = const { RefCell::new(Spare::new()) };
        }
        SPARE.try_with(|spare| use_spare(&mut spare.borrow_mut())).ok()
    }
}

/// Where what is to be sent waits.
pub(crate) type Sending = SendQueue<Bytes>;

impl Buffer for Sending {
    fn new() -> Self {
        // The limits are kept in front of it.
        Self::new().limit(usize::MAX)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    #[inline]
    fn trim(&mut self) {
        self.shrink(if self.capacity() > MAX_KEPT { 0 } else { MAX_KEPT });
    }

    #[inline]
    fn with_spare<R>(use_spare: impl FnOnce(&mut Spare<Self>) -> R) -> Option<R> {
        std::thread_local! {
            static SPARE: RefCell<Spare<Sending>> = const { RefCell::new(Spare::new()) };
        }
        SPARE.try_with(|spare| use_spare(&mut spare.borrow_mut())).ok()
    }
}

/// What waits to be sent while there is no queue.
static NOTHING: Sending = Sending::new();

impl Lent<Sending> {
    /// The queue, if only to look at it.
    #[inline]
    pub(crate) fn queue(&self) -> &Sending {
        self.get().unwrap_or(&NOTHING)
    }
}
