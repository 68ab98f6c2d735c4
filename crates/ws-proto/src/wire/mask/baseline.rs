//! Masking long payloads with the vectors that the target is known to have when the crate is compiled: NEON on 64-bit
//! ARM, and what `-C target-feature` adds.

use super::portable::{self, Word};

#[inline(never)]
pub(super) fn apply_long(word: Word, payload: &mut [u8]) {
    portable::apply_long(word, payload);
}

#[inline(never)]
pub(super) fn apply_text_long(word: Word, payload: &mut [u8]) -> bool {
    portable::apply_text_long(word, payload)
}

#[inline(never)]
pub(super) fn copy_long(word: Word, payload: &[u8], out: &mut [u8]) {
    portable::copy_long(word, payload, out);
}

#[inline(never)]
pub(super) fn move_long(word: Word, bytes: &mut [u8], from: usize) {
    portable::move_long(word, bytes, from);
}
