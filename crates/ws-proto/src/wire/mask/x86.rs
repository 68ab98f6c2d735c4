//! Masking long payloads on x86 with the widest vectors that the processor has, which only `std` can find out.
//!
//! There is no other code here than in `portable`: the compiler makes it anew for each set of instructions. This file is
//! on the list of those that may contain `unsafe` code, in `ARCHITECTURE.md`.

#![allow(unsafe_code)]

use std::is_x86_feature_detected;

use super::portable::{self, Word};

#[inline(never)]
pub(super) fn apply_long(word: Word, payload: &mut [u8]) {
    if has_avx512() {
        // SAFETY: the processor has what the function is compiled for.
        unsafe { apply_avx512(word, payload) }
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: as above.
        unsafe { apply_avx2(word, payload) }
    } else {
        portable::apply_long(word, payload);
    }
}

#[inline(never)]
pub(super) fn copy_long(word: Word, payload: &[u8], out: &mut [u8]) {
    if has_avx512() {
        // SAFETY: the processor has what the function is compiled for.
        unsafe { copy_avx512(word, payload, out) }
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: as above.
        unsafe { copy_avx2(word, payload, out) }
    } else {
        portable::copy_long(word, payload, out);
    }
}

#[inline(never)]
pub(super) fn move_long(word: Word, bytes: &mut [u8], from: usize) {
    if has_avx512() {
        // SAFETY: the processor has what the function is compiled for.
        unsafe { move_avx512(word, bytes, from) }
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: as above.
        unsafe { move_avx2(word, bytes, from) }
    } else {
        portable::move_long(word, bytes, from);
    }
}

/// Whether vectors of 64 bytes are there and cost nothing: VBMI2 is what processors do not have that lower their clock
/// for the width alone.
#[inline]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vbmi2")
}

#[target_feature(enable = "avx2")]
fn apply_avx2(word: Word, payload: &mut [u8]) {
    portable::apply_long(word, payload);
}

#[target_feature(enable = "avx2")]
fn copy_avx2(word: Word, payload: &[u8], out: &mut [u8]) {
    portable::copy_long(word, payload, out);
}

#[target_feature(enable = "avx2")]
fn move_avx2(word: Word, bytes: &mut [u8], from: usize) {
    portable::move_long(word, bytes, from);
}

#[target_feature(enable = "avx512f")]
fn apply_avx512(word: Word, payload: &mut [u8]) {
    portable::apply_long(word, payload);
}

#[target_feature(enable = "avx512f")]
fn copy_avx512(word: Word, payload: &[u8], out: &mut [u8]) {
    portable::copy_long(word, payload, out);
}

#[target_feature(enable = "avx512f")]
fn move_avx512(word: Word, bytes: &mut [u8], from: usize) {
    portable::move_long(word, bytes, from);
}

/// Those that this processor has, for the tests.
#[cfg(test)]
pub(super) fn ways() -> impl Iterator<Item = super::tests::Way> {
    let avx2 = is_x86_feature_detected!("avx2").then_some(super::tests::Way {
        name: "avx2",
        // SAFETY: only if the processor has what it is compiled for.
        apply: |word, payload| unsafe { apply_avx2(word, payload) },
        // SAFETY: as above.
        copy: |word, payload, out| unsafe { copy_avx2(word, payload, out) },
        // SAFETY: as above.
        move_to_front: |word, bytes, from| unsafe { move_avx2(word, bytes, from) },
    });
    let avx512 = has_avx512().then_some(super::tests::Way {
        name: "avx512",
        // SAFETY: as above.
        apply: |word, payload| unsafe { apply_avx512(word, payload) },
        // SAFETY: as above.
        copy: |word, payload, out| unsafe { copy_avx512(word, payload, out) },
        // SAFETY: as above.
        move_to_front: |word, bytes, from| unsafe { move_avx512(word, bytes, from) },
    });
    avx2.into_iter().chain(avx512)
}
