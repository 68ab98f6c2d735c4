//! Text in shared bytes.
//!
//! This file is on the list of those that may contain `unsafe` code, in `ARCHITECTURE.md`: without it, each look at a
//! text would check all of it again.

use core::fmt;
use core::ops::Deref;

use bytes::Bytes;
use ws_proto::{Message, OwnedMessage};

/// Text in shared bytes.
#[derive(Clone, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Utf8Bytes {
    // INVARIANT: is UTF-8.
    bytes: Bytes,
}

impl Utf8Bytes {
    /// Text that is part of the program; nothing is copied.
    pub const fn from_static(text: &'static str) -> Self {
        Self { bytes: Bytes::from_static(text.as_bytes()) }
    }

    /// A text as it was received; nothing is copied. Empty if it is binary.
    pub(crate) fn from_received(message: OwnedMessage) -> Self {
        match message.as_message() {
            // The core's own type: what it says to be text is that for as long as it lives.
            Message::Text(_) => Self { bytes: Bytes::from_owner(message) },
            Message::Binary(_) => Self::default(),
        }
    }

    /// The text.
    #[allow(unsafe_code)]
    pub fn as_str(&self) -> &str {
        // SAFETY: the bytes were text when they came in, by the invariant of the field, and `Bytes` never change.
        unsafe { core::str::from_utf8_unchecked(&self.bytes) }
    }

    /// The bytes of the text, shared.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl Deref for Utf8Bytes {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Utf8Bytes {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for Utf8Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Copies.
impl From<&str> for Utf8Bytes {
    fn from(text: &str) -> Self {
        Self { bytes: Bytes::copy_from_slice(text.as_bytes()) }
    }
}

/// Does not copy.
impl From<String> for Utf8Bytes {
    fn from(text: String) -> Self {
        Self { bytes: text.into() }
    }
}

/// Does not copy.
impl From<Utf8Bytes> for Bytes {
    fn from(text: Utf8Bytes) -> Self {
        text.bytes
    }
}

/// Checks, and does not copy.
impl TryFrom<Bytes> for Utf8Bytes {
    type Error = core::str::Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        core::str::from_utf8(&bytes)?;
        Ok(Self { bytes })
    }
}

impl PartialEq<str> for Utf8Bytes {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Utf8Bytes {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_in_keeps_the_text_and_refuses_what_is_none() {
        for text in ["", "a", "grüße", "€\u{1F600}"] {
            assert_eq!(Utf8Bytes::from(text), text);
            assert_eq!(Utf8Bytes::from(text.to_owned()), text);
            assert_eq!(Utf8Bytes::try_from(Bytes::copy_from_slice(text.as_bytes())).unwrap(), text);
            assert_eq!(Utf8Bytes::from(text).into_bytes(), text.as_bytes());
        }
        assert_eq!(Utf8Bytes::from_static("static"), "static");
        for not_text in [&b"\xff"[..], b"\xed\xa0\x80", b"\xe2\x82"] {
            assert!(Utf8Bytes::try_from(Bytes::from_static(not_text)).is_err());
        }
    }
}
