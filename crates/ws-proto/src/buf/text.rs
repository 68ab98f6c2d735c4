//! The one conversion of checked bytes to text without checking them again.
//!
//! Text is validated piece by piece as it arrives. Validating the whole once more when it is delivered would touch
//! each byte a second time, which for messages beyond the caches halves the speed. This file is on the list of those
//! that may contain `unsafe` code, in `ARCHITECTURE.md`.

#![allow(unsafe_code)]

/// The text in `bytes`, which the UTF-8 validator has accepted from the first byte to the last.
///
/// Callers: `RecvBuf::delivered_text` and `Taken::text` only, with bytes under the invariant of `Delivered::utf8`.
#[inline]
pub(super) fn from_checked(bytes: &[u8]) -> &str {
    debug_assert!(core::str::from_utf8(bytes).is_ok(), "delivered text that was not checked");
    // SAFETY: `Delivered::utf8` is set only for ranges whose bytes the buffer's own validator accepted in order and as
    // a whole, whichever connection put them there, or which were seen to be ASCII when they were unmasked behind a
    // whole character; or, by `deliver_whole`, which says so, for those that were checked as a whole where they lie in
    // this buffer. They are forgotten before any byte of the buffer changes, or taken away together with it; and
    // storage is sealed, so that the same bytes come back.
    unsafe { core::str::from_utf8_unchecked(bytes) }
}
