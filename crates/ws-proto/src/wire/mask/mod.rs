//! Masking, RFC 6455 section 5.3: `transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4)`.

#[cfg(not(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64"))))]
mod baseline;
mod portable;
#[cfg(test)]
mod tests;
#[cfg(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64")))]
mod x86;

#[cfg(not(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64"))))]
use self::baseline::{apply_long, apply_text_long, copy_long, move_long};
use self::portable::Word;
#[cfg(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64")))]
use self::x86::{apply_long, apply_text_long, copy_long, move_long};
use crate::utf8::is_for_vectors;

/// Up to this length the code for long payloads costs more than it saves.
const SHORT: usize = 256;

/// Whether a payload is one for the code that is best for short ones. Without long vectors that code is good for all,
/// and the other saves too little for its size.
#[inline]
const fn is_short(len: usize) -> bool {
    len <= SHORT || !cfg!(any(feature = "std", target_arch = "aarch64", target_feature = "avx2"))
}

/// A masking key together with how far into the payload it has come.
///
/// The key is kept rotated, so that its first byte is always the one for the next byte of payload.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mask {
    key: [u8; 4],
}

impl Mask {
    pub(crate) const fn new(key: [u8; 4]) -> Self {
        Self { key }
    }

    /// Masks or unmasks the next part of the payload where it lies; the two are the same.
    #[inline]
    pub(crate) fn apply(&mut self, payload: &mut [u8]) {
        apply_word(self.advance(payload.len()), payload);
    }

    /// The same, and says whether the result is known to be ASCII; see [`apply_to_text`].
    #[inline]
    pub(crate) fn apply_to_text(&mut self, payload: &mut [u8]) -> bool {
        apply_word_to_text(self.advance(payload.len()), payload)
    }

    /// Unmasks the next part of the payload, which lies behind the first `from` bytes, and moves it over them, in one
    /// pass.
    #[inline]
    pub(crate) fn move_to_front(&mut self, bytes: &mut [u8], from: usize) {
        let len = bytes.len().saturating_sub(from);
        let word = self.advance(len);
        if is_short(len) { portable::move_short(word, bytes, from) } else { move_long(word, bytes, from) }
    }

    /// The word for what comes next; the key goes on to what is `len` bytes behind that.
    #[inline]
    fn advance(&mut self, len: usize) -> Word {
        let word = Word::new(self.key);
        self.key = word.after(len).key();
        word
    }
}

/// Masks or unmasks a payload that is there as a whole.
#[inline]
pub(crate) fn apply(key: [u8; 4], payload: &mut [u8]) {
    apply_word(Word::new(key), payload);
}

/// The same, and says whether the result is known to be ASCII, as most text is: it is examined while it is unmasked. What
/// is seen not to be ASCII is left to whoever checks text, in vectors; and written in vectors then, for to read what was
/// just written in smaller parts is slow.
#[inline]
pub(crate) fn apply_to_text(key: [u8; 4], payload: &mut [u8]) -> bool {
    apply_word_to_text(Word::new(key), payload)
}

/// Writes the masked `payload` into `out`, in one pass. Both have the same length.
#[inline]
pub(crate) fn copy(key: [u8; 4], payload: &[u8], out: &mut [u8]) {
    debug_assert_eq!(payload.len(), out.len());
    let word = Word::new(key);
    if is_short(payload.len()) {
        portable::copy_short(word, payload, out);
    } else {
        copy_long(word, payload, out);
    }
}

#[inline(always)]
fn apply_word(word: Word, payload: &mut [u8]) {
    if is_short(payload.len()) { portable::apply_short(word, payload) } else { apply_long(word, payload) }
}

#[inline(always)]
fn apply_word_to_text(word: Word, payload: &mut [u8]) -> bool {
    if is_short(payload.len()) && (!is_for_vectors(payload) || word.begins_with_ascii(payload)) {
        return portable::apply_ascii(word, payload);
    }
    apply_text_long(word, payload)
}
