//! Buffers that a connection has only while there is something in them; else the thread has them.
//!
//! An idle connection holds no more than two empty pointers in their place, and what one connection is done with is what
//! the next one begins with, memory and all.

use core::cell::RefCell;
use core::fmt;
use std::thread::LocalKey;

use bytes::Bytes;
use ws_proto::{RecvBuf, SendQueue};

/// How many of each kind a thread keeps, for connections that are busy at once.
const MAX: usize = 8;
/// How much memory one may keep. What is larger goes to where the core keeps large memory, apart from this.
const MAX_MEMORY: usize = 128 << 10;

/// What a thread lends.
pub(crate) trait Lend: Default + 'static {
    fn pool() -> &'static LocalKey<Pool<Self>>;

    /// What a connection that has none of its own looks like.
    fn empty() -> &'static Self;

    fn is_empty(&self) -> bool;

    /// Gets it ready for the next connection.
    fn tidy(&mut self);
}

#[allow(clippy::vec_box, reason = "they are lent and come back as they are")]
pub(crate) type Pool<T> = RefCell<Vec<Box<T>>>;

static NOTHING_RECEIVED: RecvBuf<Vec<u8>> = RecvBuf::new(Vec::new());
static NOTHING_TO_SEND: SendQueue<Bytes> = SendQueue::new();

std::thread_local! {
    static RECEIVE: Pool<RecvBuf<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static SEND: Pool<SendQueue<Bytes>> = const { RefCell::new(Vec::new()) };
}

impl Lend for RecvBuf<Vec<u8>> {
    fn pool() -> &'static LocalKey<Pool<Self>> {
        &RECEIVE
    }

    #[inline]
    fn empty() -> &'static Self {
        &NOTHING_RECEIVED
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    #[inline]
    fn tidy(&mut self) {
        // At least what was inflated goes.
        self.shrink(if self.capacity() > MAX_MEMORY { 0 } else { MAX_MEMORY });
    }
}

impl Lend for SendQueue<Bytes> {
    fn pool() -> &'static LocalKey<Pool<Self>> {
        &SEND
    }

    #[inline]
    fn empty() -> &'static Self {
        &NOTHING_TO_SEND
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    #[inline]
    fn tidy(&mut self) {
        self.shrink(if self.capacity() > MAX_MEMORY { 0 } else { MAX_MEMORY });
    }
}

/// One that is lent, or none.
pub(crate) struct Lent<T>(Option<Box<T>>);

impl<T> Lent<T> {
    /// What is there, without borrowing one if nothing is.
    #[inline]
    pub(crate) fn present_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}

impl<T: Lend> Lent<T> {
    /// With what the opening handshake left.
    pub(crate) fn from(own: T) -> Self {
        if own.is_empty() { Self(None) } else { Self(Some(Box::new(own))) }
    }

    /// What is there, to be looked at.
    #[inline]
    pub(crate) fn get(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::empty())
    }

    /// What is there; borrows one first if nothing is.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(borrow)
    }

    /// Gives it back if it is empty.
    #[inline]
    pub(crate) fn give_back(&mut self) {
        if self.0.as_ref().is_some_and(|lent| lent.is_empty())
            && let Some(lent) = self.0.take()
        {
            give(lent);
        }
    }

    /// Nothing of it is wanted any more.
    pub(crate) fn discard(&mut self) {
        self.0 = None;
    }
}

impl<T: Lend + fmt::Debug> fmt::Debug for Lent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

fn borrow<T: Lend>() -> Box<T> {
    // Not while the thread ends; then it is made anew.
    T::pool().try_with(|pool| pool.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

fn give<T: Lend>(mut lent: Box<T>) {
    lent.tidy();
    let _ = T::pool().try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < MAX {
            pool.push(lent);
        }
    });
}
