//! Masking long payloads on x86 with the widest vectors that the processor has, which only `std` can find out.
//!
//! There is no other code here than in `portable`: the compiler makes it anew for each set of instructions. This file is
//! on the list of those that may contain `unsafe` code, in `ARCHITECTURE.md`.

#![allow(unsafe_code)]

use std::is_x86_feature_detected;

use super::portable::{self, Word};

/// Whether vectors of 64 bytes are there and cost nothing: VBMI2 is what processors do not have that lower their clock
/// for the width alone.
#[inline]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vbmi2")
}

/// A function of `portable`, compiled for each set of instructions, and one that calls the best of them.
macro_rules! by_processor {
    ($name:ident, $avx2:ident, $avx512:ident, ($($argument:ident: $type:ty),*) -> $returned:ty) => {
        #[inline(never)]
        pub(super) fn $name($($argument: $type),*) -> $returned {
            if has_avx512() {
                // SAFETY: the processor has what the function is compiled for.
                unsafe { $avx512($($argument),*) }
            } else if is_x86_feature_detected!("avx2") {
                // SAFETY: as above.
                unsafe { $avx2($($argument),*) }
            } else {
                portable::$name($($argument),*)
            }
        }

        #[target_feature(enable = "avx2")]
        fn $avx2($($argument: $type),*) -> $returned {
            portable::$name($($argument),*)
        }

        #[target_feature(enable = "avx512f")]
        fn $avx512($($argument: $type),*) -> $returned {
            portable::$name($($argument),*)
        }
    };
}

by_processor!(apply_long, apply_avx2, apply_avx512, (word: Word, payload: &mut [u8]) -> ());
by_processor!(apply_text_long, text_avx2, text_avx512, (word: Word, payload: &mut [u8]) -> bool);
by_processor!(copy_long, copy_avx2, copy_avx512, (word: Word, payload: &[u8], out: &mut [u8]) -> ());
by_processor!(move_long, move_avx2, move_avx512, (word: Word, bytes: &mut [u8], from: usize) -> ());

/// Those that this processor has, for the tests.
#[cfg(test)]
pub(super) fn ways() -> impl Iterator<Item = super::tests::Way> {
    let avx2 = is_x86_feature_detected!("avx2").then_some(super::tests::Way {
        name: "avx2",
        // SAFETY: only if the processor has what it is compiled for.
        apply: |word, payload| unsafe { apply_avx2(word, payload) },
        // SAFETY: as above.
        apply_to_text: |word, payload| unsafe { text_avx2(word, payload) },
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
        apply_to_text: |word, payload| unsafe { text_avx512(word, payload) },
        // SAFETY: as above.
        copy: |word, payload, out| unsafe { copy_avx512(word, payload, out) },
        // SAFETY: as above.
        move_to_front: |word, bytes, from| unsafe { move_avx512(word, bytes, from) },
    });
    avx2.into_iter().chain(avx512)
}
