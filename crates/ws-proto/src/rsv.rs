//! The reserved bits of a frame header.

use core::fmt;
use core::ops::BitOr;

/// The reserved bits RSV1, RSV2 and RSV3 of RFC 6455 section 5.2, which belong to extensions.
///
/// ```
/// use ws_proto::Rsv;
///
/// let bits = Rsv::RSV1 | Rsv::RSV3;
/// assert!(bits.contains(Rsv::RSV1) && !bits.contains(Rsv::RSV2));
/// assert!(Rsv::NONE.is_empty());
/// ```
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct Rsv(u8);

impl Rsv {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// The first; permessage-deflate has it (RFC 7692).
    pub const RSV1: Self = Self(0x40);
    /// The second.
    pub const RSV2: Self = Self(0x20);
    /// The third.
    pub const RSV3: Self = Self(0x10);

    /// Those of the first byte of a header.
    pub(crate) const fn from_first_byte(byte: u8) -> Self {
        Self(byte & 0x70)
    }

    /// As they stand in the first byte of a header.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// Whether no bit is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all bits of `other` are set here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits that are not set in `other`.
    #[must_use]
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The bits of both, in a `const` context.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOr for Rsv {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl fmt::Debug for Rsv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rsv({:03b})", self.0 >> 4)
    }
}
