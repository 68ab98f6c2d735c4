//! Masking, RFC 6455 section 5.3: `transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4)`.

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
        let wide = self.wide();
        // Words of eight, which the compiler turns into the widest vectors that the target has.
        let mut words = payload.chunks_exact_mut(8);
        for word in &mut words {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(word);
            word.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
        }
        for (byte, key) in words.into_remainder().iter_mut().zip(wide.to_ne_bytes()) {
            *byte ^= key;
        }
        self.advance(payload.len());
    }

    /// Writes the masked `payload` into `out`, in one pass. Both have the same length.
    #[inline]
    pub(crate) fn copy(&mut self, payload: &[u8], out: &mut [u8]) {
        debug_assert_eq!(payload.len(), out.len());
        let wide = self.wide();
        let mut words = payload.chunks_exact(8);
        let mut out_words = out.chunks_exact_mut(8);
        for (word, out) in (&mut words).zip(&mut out_words) {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(word);
            out.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
        }
        let rest = words.remainder().iter().zip(wide.to_ne_bytes());
        for (out, (byte, key)) in out_words.into_remainder().iter_mut().zip(rest) {
            *out = byte ^ key;
        }
        self.advance(payload.len());
    }

    #[inline]
    fn wide(self) -> u64 {
        let [a, b, c, d] = self.key;
        u64::from_ne_bytes([a, b, c, d, a, b, c, d])
    }

    #[inline]
    fn advance(&mut self, len: usize) {
        self.key.rotate_left(len % 4);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Section 5.3, word for word.
    fn naive(payload: &mut [u8], key: [u8; 4]) {
        payload.iter_mut().enumerate().for_each(|(i, byte)| *byte ^= key[i % 4]);
    }

    proptest! {
        #[test]
        fn section_5_3_masking_at_any_alignment_and_cut_is_the_naive_loop(
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            key: [u8; 4],
            offset in 0..16_usize,
            cut in 0..300_usize,
        ) {
            let mut expected = payload.clone();
            naive(&mut expected, key);
            let cut = cut.min(payload.len());

            let mut in_place = std::vec![0; offset];
            in_place.extend_from_slice(&payload);
            let mut mask = Mask::new(key);
            let (head, tail) = in_place[offset..].split_at_mut(cut);
            mask.apply(head);
            mask.apply(tail);
            prop_assert_eq!(&in_place[offset..], &expected[..]);

            let mut copied = std::vec![0; payload.len()];
            let mut mask = Mask::new(key);
            let (head, tail) = copied.split_at_mut(cut);
            mask.copy(&payload[..cut], head);
            mask.copy(&payload[cut..], tail);
            prop_assert_eq!(copied, expected);
        }
    }
}
