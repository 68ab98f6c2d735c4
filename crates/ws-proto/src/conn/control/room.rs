//! Room for control frames that wait: there for good without an allocator, with one mostly only while they wait.

/// `N` bytes for what waits, and what is known of it.
///
/// Most connections have no control frame waiting most of the time, and then a small one. So where there is an
/// allocator, no more than `SMALL` bytes are there for good. The others are made when what waits exceeds those, and
/// given back when nothing waits any more; so all that comes in the meantime shares them.
///
/// What is known, `K`, is in here because it fits beside what tells where the bytes are.
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub(super) enum Room<K, const N: usize, const SMALL: usize> {
    Small(K, [u8; SMALL]),
    Large(K, alloc::boxed::Box<[u8; N]>),
}

/// `N` bytes for what waits, and what is known of it.
#[cfg(not(feature = "alloc"))]
#[derive(Debug)]
pub(super) struct Room<K, const N: usize, const SMALL: usize> {
    known: K,
    bytes: [u8; N],
}

#[cfg(feature = "alloc")]
impl<K: Copy, const N: usize, const SMALL: usize> Room<K, N, SMALL> {
    pub(super) const fn new(known: K) -> Self {
        Self::Small(known, [0; SMALL])
    }

    #[inline]
    pub(super) const fn known(&self) -> K {
        let (Self::Small(known, _) | Self::Large(known, _)) = self;
        *known
    }

    pub(super) const fn known_mut(&mut self) -> &mut K {
        let (Self::Small(known, _) | Self::Large(known, _)) = self;
        known
    }

    /// The bytes that are there at present.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Small(_, small) => small,
            Self::Large(_, large) => &large[..],
        }
    }

    /// The same, and at least `size` of them, which are at most `N`.
    pub(super) fn at_least(&mut self, size: usize) -> &mut [u8] {
        if let Self::Small(known, small) = self
            && size > SMALL
        {
            let mut large = alloc::boxed::Box::new([0; N]);
            large[..SMALL].copy_from_slice(small);
            *self = Self::Large(*known, large);
        }
        match self {
            Self::Small(_, small) => small,
            Self::Large(_, large) => &mut large[..],
        }
    }

    /// Nothing waits any more.
    pub(super) fn release(&mut self) {
        if let Self::Large(known, _) = self {
            *self = Self::new(*known);
        }
    }
}

#[cfg(not(feature = "alloc"))]
impl<K: Copy, const N: usize, const SMALL: usize> Room<K, N, SMALL> {
    pub(super) const fn new(known: K) -> Self {
        Self { known, bytes: [0; N] }
    }

    #[inline]
    pub(super) const fn known(&self) -> K {
        self.known
    }

    pub(super) const fn known_mut(&mut self) -> &mut K {
        &mut self.known
    }

    /// The bytes.
    pub(super) const fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, which are all that can be.
    pub(super) const fn at_least(&mut self, _size: usize) -> &mut [u8] {
        &mut self.bytes
    }

    /// Nothing waits any more.
    #[allow(clippy::unused_self)]
    pub(super) const fn release(&mut self) {}
}
