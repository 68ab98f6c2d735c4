//! The size of a sliding window.

use core::fmt;

/// The base-2 logarithm of the size of an LZ77 sliding window: 8 to 15, for 256 bytes to 32 KiB (RFC 7692 section
/// 7.1.2).
///
/// ```
/// use ws_proto::deflate::WindowBits;
///
/// let bits = WindowBits::new(10).unwrap();
/// assert_eq!(bits.get(), 10); // a window of 1 KiB
/// assert_eq!((WindowBits::new(7), WindowBits::new(16)), (None, None));
/// assert_eq!(WindowBits::default(), WindowBits::MAX);
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 8, for a window of 256 bytes.
    pub const MIN: Self = Self(8);
    /// 15, for a window of 32 KiB: what holds where nothing is agreed (RFC 7692 section 7.1.2).
    pub const MAX: Self = Self(15);

    /// `None` if it is not 8 to 15.
    pub const fn new(bits: u8) -> Option<Self> {
        if bits >= Self::MIN.0 && bits <= Self::MAX.0 { Some(Self(bits)) } else { None }
    }

    /// The logarithm, 8 to 15.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// RFC 7692 section 7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        match *value {
            [digit @ b'8'..=b'9'] => Self::new(digit - b'0'),
            [b'1', digit @ b'0'..=b'5'] => Self::new(10 + (digit - b'0')),
            _ => None,
        }
    }
}

/// [`MAX`](WindowBits::MAX), what holds where nothing is agreed.
impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

impl fmt::Debug for WindowBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WindowBits({})", self.0)
    }
}

/// The number, as it is written in a header.
impl fmt::Display for WindowBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn rfc_7692_section_7_1_2_1_only_8_to_15_in_plain_decimal_digits_are_a_value() {
        for bits in 0..=u8::MAX {
            let value = WindowBits::new(bits);
            assert_eq!(value.is_some(), (8..=15).contains(&bits), "{bits}");
            assert_eq!(WindowBits::parse(bits.to_string().as_bytes()), value, "{bits}");
        }
        for wrong in
            ["", "0", "7", "16", "08", "010", "+9", "-9", "9.0", " 9", "9 ", "0x9", "1", "99999999999", "९"]
        {
            assert_eq!(WindowBits::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
