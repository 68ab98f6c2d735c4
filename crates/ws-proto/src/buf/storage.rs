//! Where the bytes of a buffer lie: an array, a slice, or a vector that grows.

// The interface of a sealed trait: public for the compiler, out of reach for anybody else.
#![allow(unnameable_types)]

/// Memory that a [`RecvBuf`](crate::RecvBuf) or [`SendBuf`](crate::SendBuf) works in.
///
/// Implemented for `[u8; N]` and `&mut [u8]`, which stay as large as they are, and with the feature `alloc` for
/// `Vec<u8>`, which grows; with `std`, one that shrinks to nothing leaves its memory to the next one on the thread that
/// grows from nothing. All of it is initialised memory; a vector's length is its size as storage. The trait is
/// sealed: that the same bytes come back each time is what the buffers rely on.
pub trait Storage: sealed::Sealed {}

pub(crate) mod sealed {
    /// The operations behind `Storage`.
    pub trait Sealed {
        fn bytes(&self) -> &[u8];
        fn bytes_mut(&mut self) -> &mut [u8];
        /// The size beyond which this cannot grow.
        fn max_len(&self) -> usize;
        /// Makes the storage at least `len` bytes long, if it can; what it holds stays.
        fn grow(&mut self, len: usize);
        /// Makes the storage `len` bytes long at most, if it can shrink.
        fn shrink(&mut self, len: usize);
    }
}

impl<const N: usize> Storage for [u8; N] {}

impl<const N: usize> sealed::Sealed for [u8; N] {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }

    fn max_len(&self) -> usize {
        N
    }

    fn grow(&mut self, _len: usize) {}

    fn shrink(&mut self, _len: usize) {}
}

impl Storage for &mut [u8] {}

impl sealed::Sealed for &mut [u8] {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }

    fn max_len(&self) -> usize {
        self.len()
    }

    fn grow(&mut self, _len: usize) {}

    fn shrink(&mut self, _len: usize) {}
}

#[cfg(feature = "alloc")]
impl Storage for alloc::vec::Vec<u8> {}

#[cfg(feature = "alloc")]
impl sealed::Sealed for alloc::vec::Vec<u8> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }

    fn max_len(&self) -> usize {
        isize::MAX as usize
    }

    fn grow(&mut self, len: usize) {
        #[cfg(feature = "std")]
        if self.is_empty() {
            super::spare::take(self, len);
        }
        #[cfg(feature = "std")]
        if len > self.len() {
            super::spare::exchange(self, len);
        }
        if len > self.len() {
            // Exactly, for the caller already decided how far ahead to grow. Only new memory is zeroed, and only
            // once: what is received later overwrites it.
            self.reserve_exact(len - self.len());
            self.resize(len, 0);
        }
    }

    fn shrink(&mut self, len: usize) {
        #[cfg(feature = "std")]
        if len == 0 {
            return super::spare::give(core::mem::take(self));
        }
        self.truncate(len);
        self.shrink_to(len);
    }
}
