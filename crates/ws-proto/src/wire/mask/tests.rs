//! Each way of masking beside the naive loop.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::portable::{self, Word};
use super::{Mask, copy};

/// One way of masking.
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) apply: fn(Word, &mut [u8]),
    pub(super) apply_to_text: fn(Word, &mut [u8]) -> bool,
    pub(super) copy: fn(Word, &[u8], &mut [u8]),
    pub(super) move_to_front: fn(Word, &mut [u8], usize),
}

/// Section 5.3, word for word.
fn naive(payload: &mut [u8], key: [u8; 4]) {
    payload.iter_mut().enumerate().for_each(|(i, byte)| *byte ^= key[i % 4]);
}

/// The code for short payloads and for long ones, and for the latter once more for each set of instructions that this
/// processor has.
fn ways() -> Vec<Way> {
    let short = Way {
        name: "short",
        apply: |word, payload| portable::apply_short(word, payload),
        apply_to_text: |word, payload| portable::apply_ascii(word, payload),
        copy: |word, payload, out| portable::copy_short(word, payload, out),
        move_to_front: |word, bytes, from| portable::move_short(word, bytes, from),
    };
    let long = Way {
        name: "long",
        apply: |word, payload| portable::apply_long(word, payload),
        apply_to_text: |word, payload| portable::apply_text_long(word, payload),
        copy: |word, payload, out| portable::copy_long(word, payload, out),
        move_to_front: |word, bytes, from| portable::move_long(word, bytes, from),
    };
    let ways = [short, long].into_iter();
    #[cfg(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64")))]
    let ways = ways.chain(super::x86::ways());
    ways.collect()
}

/// Miri is slow; it looks at the edges.
fn lengths() -> impl Iterator<Item = usize> {
    let edge =
        |len: &usize| *len < 18 || matches!(len, 31..35 | 63..66 | 127..130 | 191..194 | 255..258 | 330);
    (0..700).filter(move |len| !cfg!(miri) || edge(len))
}

#[test]
fn section_5_3_each_way_at_each_length_and_alignment_is_the_naive_loop_and_touches_nothing_else() {
    const ALIGNMENTS: usize = 64;
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let original: Vec<u8> = (0..900).map(|i| (i * 7 + i / 256) as u8).collect();
    let step = if cfg!(miri) { 21 } else { 1 };
    for Way { name, apply, apply_to_text, copy, move_to_front } in ways() {
        for len in lengths() {
            for at in (0..ALIGNMENTS).step_by(step) {
                let mut expected = original.clone();
                naive(&mut expected[at..at + len], key);

                let mut in_place = original.clone();
                apply(Word::new(key), &mut in_place[at..at + len]);
                assert!(in_place == expected, "{name}: {len} bytes at {at}");

                let mut text = original.clone();
                apply_to_text(Word::new(key), &mut text[at..at + len]);
                assert!(text == expected, "{name}: {len} bytes of text at {at}");

                // What is copied begins somewhere else within its line.
                let mut copied = original.clone();
                let mut payload = std::vec![0; 5];
                payload.extend_from_slice(&original[at..at + len]);
                copy(Word::new(key), &payload[5..], &mut copied[at..at + len]);
                assert!(copied == expected, "{name}: {len} bytes copied to {at}");

                // By as much as the headers of a few fragments.
                let hole = at + 1;
                let mut moved = std::vec![0xA5; hole];
                moved.extend_from_slice(&original[at..at + len]);
                move_to_front(Word::new(key), &mut moved, hole);
                assert!(moved[..len] == expected[at..at + len], "{name}: {len} bytes moved by {hole}");
            }
        }
    }
}

#[test]
fn section_5_6_ascii_is_what_has_no_byte_above_7f_after_unmasking() {
    let key = [0x80, 0xff, 0x00, 0x91];
    let unmask = |way: &Way, text: &[u8]| {
        let mut payload = text.to_vec();
        naive(&mut payload, key);
        let is_ascii = (way.apply_to_text)(Word::new(key), &mut payload);
        assert_eq!(payload, text);
        is_ascii
    };
    for way in ways() {
        for len in lengths() {
            let ascii: Vec<u8> = (0..len).map(|i| (i % 128) as u8).collect();
            // The code for long payloads does not look for it in less than a block.
            let looks = way.name == "short" || len >= portable::BLOCK;
            assert_eq!(unmask(&way, &ascii), looks, "{}: {len}", way.name);
            for at in (0..len).step_by(if cfg!(miri) { 61 } else { 5 }) {
                let mut text = ascii.clone();
                text[at] |= 0x80;
                assert!(!unmask(&way, &text), "{}: {at} of {len}", way.name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 256 }))]
    #[test]
    fn section_5_3_masking_in_parts_is_the_naive_loop_over_the_whole(
        payload in proptest::collection::vec(any::<u8>(), 0..2000),
        key: [u8; 4],
        offset in 0..64_usize,
        cuts in proptest::collection::vec(0..2000_usize, 0..4),
    ) {
        let mut expected = payload.clone();
        naive(&mut expected, key);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(payload.len())).collect();
        cuts.extend([0, payload.len()]);
        cuts.sort_unstable();

        let mut in_place = std::vec![0; offset];
        in_place.extend_from_slice(&payload);
        let mut as_text = in_place.clone();
        let mut copied = in_place.clone();
        let mut moved = in_place.clone();
        let (mut mask, mut text_mask, mut move_mask) = (Mask::new(key), Mask::new(key), Mask::new(key));
        for part in cuts.windows(2) {
            let (from, to) = (part[0], part[1]);
            mask.apply(&mut in_place[offset + from..offset + to]);
            let ascii = text_mask.apply_to_text(&mut as_text[offset + from..offset + to]);
            let is_ascii = expected[from..to].is_ascii();
            prop_assert_eq!(ascii, is_ascii, "{} to {}", from, to);
            move_mask.move_to_front(&mut moved[from..offset + to], offset);
            let mut key = key;
            key.rotate_left(from % 4);
            copy(key, &payload[from..to], &mut copied[offset + from..offset + to]);
        }
        prop_assert_eq!(&in_place[offset..], &expected[..]);
        prop_assert_eq!(&as_text[offset..], &expected[..]);
        prop_assert_eq!(&copied[offset..], &expected[..]);
        prop_assert_eq!(&moved[..payload.len()], &expected[..]);
    }
}
