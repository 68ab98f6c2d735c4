//! Room for control frames that wait: there for good without an allocator, with one mostly only while they wait.

/// `N` bytes for what waits.
///
/// Most connections have no control frame waiting most of the time, and then a small one. So where there is an
/// allocator, no more than `SMALL` bytes are there for good. The others are made when what waits exceeds those, and
/// given back when nothing waits any more; so all that comes in the meantime shares them.
#[derive(Debug)]
pub(super) struct Room<const N: usize, const SMALL: usize> {
    #[cfg(feature = "alloc")]
    small: [u8; SMALL],
    #[cfg(feature = "alloc")]
    large: Option<alloc::boxed::Box<[u8; N]>>,
    #[cfg(not(feature = "alloc"))]
    bytes: [u8; N],
}

#[cfg(feature = "alloc")]
impl<const N: usize, const SMALL: usize> Room<N, SMALL> {
    pub(super) const fn new() -> Self {
        Self { small: [0; SMALL], large: None }
    }

    /// What is there at present.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.large {
            Some(large) => &large[..],
            None => &self.small,
        }
    }

    /// The same, and at least `size` bytes of it, which are at most `N`.
    pub(super) fn at_least(&mut self, size: usize) -> &mut [u8] {
        if size <= SMALL && self.large.is_none() {
            return &mut self.small;
        }
        let small = &self.small;
        let large = self.large.get_or_insert_with(|| {
            let mut large = alloc::boxed::Box::new([0; N]);
            large[..SMALL].copy_from_slice(small);
            large
        });
        &mut large[..]
    }

    /// Nothing waits any more.
    pub(super) fn release(&mut self) {
        self.large = None;
    }
}

#[cfg(not(feature = "alloc"))]
impl<const N: usize, const SMALL: usize> Room<N, SMALL> {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N] }
    }

    /// What is there.
    pub(super) const fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, which is all that can be.
    pub(super) const fn at_least(&mut self, _size: usize) -> &mut [u8] {
        &mut self.bytes
    }

    /// Nothing waits any more.
    #[allow(clippy::unused_self)]
    pub(super) const fn release(&mut self) {}
}
