//! Masking by words, for every target; the compiler makes vectors of the widest kind that it may use of them.
//!
//! What is left behind the last whole word is not masked byte by byte. It is part of one more word, which overlaps the
//! one before it:
//!
//! ```text
//!   | word      | word      | word      |           20 bytes, in words of 8
//!                      | last word     |            taken before the others are masked, put in its place after them
//! ```

use crate::utf8::NOT_ASCII;

/// The size of a cache line, and of the widest vector.
const LINE: usize = 64;
/// What long payloads are cut into, so that no loop over less than the widest vectors remains.
pub(super) const BLOCK: usize = 128;

/// The key, repeated to the length of a word; its first byte is the one for the first byte of the word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word(u64);

impl Word {
    #[inline]
    pub(super) const fn new(key: [u8; 4]) -> Self {
        let half = u32::from_ne_bytes(key) as u64;
        Self(half << 32 | half)
    }

    /// The word for what begins `offset` bytes further on.
    #[inline]
    pub(super) const fn after(self, offset: usize) -> Self {
        let bits = 8 * (offset % 4) as u32;
        Self(if cfg!(target_endian = "little") {
            self.0.rotate_right(bits)
        } else {
            self.0.rotate_left(bits)
        })
    }

    #[inline]
    pub(super) const fn key(self) -> [u8; 4] {
        // Both halves are the same.
        (self.0 as u32).to_ne_bytes()
    }

    /// Whether the first eight bytes of the payload are there, and ASCII once they are unmasked.
    #[inline]
    pub(super) fn begins_with_ascii(self, payload: &[u8]) -> bool {
        payload.first_chunk().is_some_and(|first| u64::from_ne_bytes(self.mask_8(*first)) & NOT_ASCII == 0)
    }

    #[inline]
    const fn mask_4(self, bytes: [u8; 4]) -> [u8; 4] {
        (u32::from_ne_bytes(bytes) ^ self.0 as u32).to_ne_bytes()
    }

    #[inline]
    const fn mask_8(self, bytes: [u8; 8]) -> [u8; 8] {
        (u64::from_ne_bytes(bytes) ^ self.0).to_ne_bytes()
    }

    #[inline]
    const fn mask_16(self, bytes: [u8; 16]) -> [u8; 16] {
        let wide = self.0 as u128;
        (u128::from_ne_bytes(bytes) ^ (wide << 64 | wide)).to_ne_bytes()
    }

    /// `N` is a multiple of 8.
    #[inline(always)]
    fn mask_all<const N: usize>(self, mut bytes: [u8; N]) -> [u8; N] {
        for word in bytes.as_chunks_mut().0 {
            *word = self.mask_8(*word);
        }
        bytes
    }
}

/// Masks the first and the last `$size` bytes, which together are all of `$payload`, and puts them into `$out`; says
/// what they are.
macro_rules! both_ends {
    ($size:literal, $mask:ident, $word:expr, $payload:expr, $out:expr) => {
        if let (Some(first), Some(last)) = ($payload.first_chunk::<$size>(), $payload.last_chunk::<$size>()) {
            // Both are taken before either is put back, for they may overlap.
            let first = $word.$mask(*first);
            let last = $word.after($payload.len() - $size).$mask(*last);
            if let Some(out) = $out.first_chunk_mut() {
                *out = first;
            }
            if let Some(out) = $out.last_chunk_mut() {
                *out = last;
            }
        }
    };
}

/// Masks where the payload lies. For any length, and best for short ones: a step for each doubling of the length up to
/// 32, and no loop before that.
#[inline(always)]
pub(super) fn apply_short(word: Word, payload: &mut [u8]) {
    match payload.len() {
        0..4 => {
            for (byte, key) in payload.iter_mut().zip(word.key()) {
                *byte ^= key;
            }
        }
        4..8 => both_ends!(4, mask_4, word, payload, payload),
        8..16 => both_ends!(8, mask_8, word, payload, payload),
        16..=32 => both_ends!(16, mask_16, word, payload, payload),
        len => {
            let last = payload.last_chunk().map(|last| word.after(len - 32).mask_all::<32>(*last));
            for block in payload.as_chunks_mut().0 {
                *block = word.mask_all::<32>(*block);
            }
            if let (Some(out), Some(last)) = (payload.last_chunk_mut(), last) {
                *out = last;
            }
        }
    }
}

/// The same from one place to another of the same length.
#[inline(always)]
pub(super) fn copy_short(word: Word, payload: &[u8], out: &mut [u8]) {
    match payload.len() {
        0..4 => {
            for (out, (byte, key)) in out.iter_mut().zip(payload.iter().zip(word.key())) {
                *out = byte ^ key;
            }
        }
        4..8 => both_ends!(4, mask_4, word, payload, out),
        8..16 => both_ends!(8, mask_8, word, payload, out),
        16..=32 => both_ends!(16, mask_16, word, payload, out),
        len => {
            for (block, out) in payload.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
                *out = word.mask_all::<32>(*block);
            }
            if let (Some(out), Some(last)) = (out.last_chunk_mut(), payload.last_chunk()) {
                *out = word.after(len - 32).mask_all::<32>(*last);
            }
        }
    }
}

/// Masks the payload that begins at `from`, and moves it to the front. What it is moved over is behind what was read, so
/// that the two places may overlap:
///
/// ```text
///   before  | hole | payload                  |
///   after   | payload                  | dead |
/// ```
#[inline(always)]
pub(super) fn move_short(word: Word, bytes: &mut [u8], from: usize) {
    move_blocks::<32>(word, bytes, from, |word, bytes| {
        let len = bytes.len() - from;
        match len {
            0..4 => {
                for (at, key) in (0..len).zip(word.key()) {
                    bytes[at] = bytes[from + at] ^ key;
                }
            }
            4..8 => move_both_ends(bytes, from, |part: [u8; 4], at| word.after(at).mask_4(part)),
            8..16 => move_both_ends(bytes, from, |part: [u8; 8], at| word.after(at).mask_8(part)),
            _ => move_both_ends(bytes, from, |part: [u8; 16], at| word.after(at).mask_16(part)),
        }
    });
}

/// The same, best for long payloads.
#[inline(always)]
pub(super) fn move_long(word: Word, bytes: &mut [u8], from: usize) {
    move_blocks::<BLOCK>(word, bytes, from, |word, bytes| move_short(word, bytes, from));
}

/// Moves whole blocks of `N`, the last of which overlaps the one before; `less` moves what is shorter than one.
#[inline(always)]
fn move_blocks<const N: usize>(
    word: Word,
    bytes: &mut [u8],
    from: usize,
    less: impl FnOnce(Word, &mut [u8]),
) {
    let len = bytes.len().saturating_sub(from);
    let Some(end) = bytes.last_chunk().filter(|_| len >= N) else { return less(word, bytes) };
    // Taken before anything is put over it.
    let end = word.after(len - N).mask_all::<N>(*end);
    for at in (0..len - N).step_by(N) {
        if let Some(block) = bytes[from + at..].first_chunk() {
            let block = word.mask_all::<N>(*block);
            bytes[at..at + N].copy_from_slice(&block);
        }
    }
    bytes[len - N..len].copy_from_slice(&end);
}

/// Moves the first and the last `N` bytes, which together are all; both are taken before either is put back.
#[inline(always)]
fn move_both_ends<const N: usize>(bytes: &mut [u8], from: usize, mask: impl Fn([u8; N], usize) -> [u8; N]) {
    let len = bytes.len() - from;
    if let (Some(&first), Some(&last)) = (bytes[from..].first_chunk(), bytes.last_chunk()) {
        let (first, last) = (mask(first, 0), mask(last, len - N));
        bytes[..N].copy_from_slice(&first);
        bytes[len - N..len].copy_from_slice(&last);
    }
}

/// Masks where the payload lies, and says whether the result is ASCII. For any length, and best for short ones.
#[inline(always)]
pub(super) fn apply_ascii(word: Word, payload: &mut [u8]) -> bool {
    let after = word.after(payload.len());
    let mut seen = 0;
    if let Some(last) = payload.last_chunk() {
        let last = after.mask_8(*last);
        for block in payload.as_chunks_mut::<8>().0 {
            *block = word.mask_8(*block);
            seen |= u64::from_ne_bytes(*block);
        }
        if let Some(out) = payload.last_chunk_mut() {
            *out = last;
        }
        seen |= u64::from_ne_bytes(last);
    } else if let (Some(first), Some(last)) = (payload.first_chunk(), payload.last_chunk()) {
        let (first, last) = (word.mask_4(*first), after.mask_4(*last));
        if let Some(out) = payload.first_chunk_mut() {
            *out = first;
        }
        if let Some(out) = payload.last_chunk_mut() {
            *out = last;
        }
        seen = u64::from(u32::from_ne_bytes(first) | u32::from_ne_bytes(last));
    } else {
        for (byte, key) in payload.iter_mut().zip(word.key()) {
            *byte ^= key;
            seen |= u64::from(*byte);
        }
    }
    seen & NOT_ASCII == 0
}

/// Masks where the payload lies. For any length, and best for long ones.
#[inline(always)]
pub(super) fn apply_long(word: Word, payload: &mut [u8]) {
    apply_lines::<false>(word, payload);
}

/// The same, and says whether the result is known to be ASCII. To look at what is in a register already costs next to
/// nothing, but that little is saved where the beginning is not ASCII. In less than a block it does not look.
#[inline(always)]
pub(super) fn apply_text_long(word: Word, payload: &mut [u8]) -> bool {
    if payload.len() >= BLOCK && word.begins_with_ascii(payload) {
        return apply_lines::<true>(word, payload);
    }
    apply_long(word, payload);
    false
}

/// What both do; nothing is known to be ASCII unless this looks for `ASCII`.
///
/// ```text
///   | first line           |                                  as it comes, and so mostly across two cache lines
///            | block       | block       | block       |      each within its cache lines, which is up to twice as fast
///                                              | last block  |   as it comes
/// ```
#[inline(always)]
fn apply_lines<const ASCII: bool>(word: Word, payload: &mut [u8]) -> bool {
    let last = word.after(payload.len().wrapping_sub(BLOCK));
    let (Some(&first), Some(&end)) = (payload.first_chunk::<LINE>(), payload.last_chunk::<BLOCK>()) else {
        apply_short(word, payload);
        return false;
    };
    let (first, end) = (word.mask_all(first), last.mask_all(end));
    let mut seen = if ASCII { all_bits(&first) | all_bits(&end) } else { 0 };
    let middle = before_line(payload);
    let word = word.after(middle);
    for bytes in payload[middle..].as_chunks_mut::<BLOCK>().0.as_flattened_mut().as_chunks_mut().0 {
        *bytes = word.mask_8(*bytes);
        if ASCII {
            seen |= u64::from_ne_bytes(*bytes);
        }
    }
    if let Some(out) = payload.first_chunk_mut() {
        *out = first;
    }
    if let Some(out) = payload.last_chunk_mut() {
        *out = end;
    }
    ASCII && seen & NOT_ASCII == 0
}

/// What bits there are in any of the words. `N` is a multiple of 8.
#[inline(always)]
fn all_bits<const N: usize>(bytes: &[u8; N]) -> u64 {
    bytes.as_chunks().0.iter().fold(0, |seen, word| seen | u64::from_ne_bytes(*word))
}

/// The same from one place to another of the same length; it is what is written that lies within cache lines.
#[inline(always)]
pub(super) fn copy_long(word: Word, payload: &[u8], out: &mut [u8]) {
    let last = word.after(payload.len().wrapping_sub(BLOCK));
    let (Some(&first), Some(&end)) = (payload.first_chunk::<LINE>(), payload.last_chunk::<BLOCK>()) else {
        return copy_short(word, payload, out);
    };
    if let Some(out) = out.first_chunk_mut() {
        *out = word.mask_all(first);
    }
    let middle = before_line(out);
    let word = word.after(middle);
    let blocks = payload[middle..].as_chunks::<BLOCK>().0.as_flattened().as_chunks().0;
    let out_blocks = out[middle..].as_chunks_mut::<BLOCK>().0.as_flattened_mut().as_chunks_mut().0;
    for (bytes, out) in blocks.iter().zip(out_blocks) {
        *out = word.mask_8(*bytes);
    }
    if let Some(out) = out.last_chunk_mut() {
        *out = last.mask_all(end);
    }
}

/// Where the first cache line begins of those that lie in `bytes` as a whole.
#[inline(always)]
fn before_line(bytes: &[u8]) -> usize {
    // A compiler may answer that it cannot tell. The result is right wherever the first line is said to begin.
    bytes.as_ptr().align_offset(LINE).min(LINE)
}
