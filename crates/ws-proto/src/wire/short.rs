//! Writing a whole message in one frame, as nearly all are sent: the header in one store, the payload in one pass.

use super::header::{FIN, LENGTH_16, MASKED, Opcode};
use super::mask;

/// The header of a message of at most 65,535 bytes in one frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortHeader {
    first: u8,
    len: u16,
}

impl ShortHeader {
    pub(crate) const MAX_PAYLOAD: usize = 0xFFFF;

    /// `len` is at most `MAX_PAYLOAD`.
    #[inline]
    pub(crate) const fn new(opcode: Opcode, len: usize) -> Self {
        Self { first: FIN | opcode as u8, len: len as u16 }
    }

    /// How long the header is.
    #[inline]
    pub(crate) const fn size(self, masked: bool) -> usize {
        (if self.len <= 125 { 2 } else { 4 }) + if masked { 4 } else { 0 }
    }

    /// Writes the frame to `out`, which has exactly its size.
    #[inline]
    pub(crate) fn write_frame(self, payload: &[u8], out: &mut [u8]) {
        let [high, low] = self.len.to_be_bytes();
        let body = if self.len <= 125 {
            write_header([self.first, low], out)
        } else {
            write_header([self.first, LENGTH_16, high, low], out)
        };
        copy(payload, body);
    }

    /// The same with the payload masked.
    #[inline]
    pub(crate) fn write_masked_frame(self, key: [u8; 4], payload: &[u8], out: &mut [u8]) {
        let (first, [high, low], [a, b, c, d]) = (self.first, self.len.to_be_bytes(), key);
        let body = if self.len <= 125 {
            write_header([first, MASKED | low, a, b, c, d], out)
        } else {
            write_header([first, MASKED | LENGTH_16, high, low, a, b, c, d], out)
        };
        mask::copy(key, payload, body);
    }
}

/// Gives what is behind the header.
#[inline(always)]
fn write_header<const N: usize>(header: [u8; N], out: &mut [u8]) -> &mut [u8] {
    let Some((head, body)) = out.split_first_chunk_mut() else { return &mut [] };
    *head = header;
    body
}

/// Copies a payload; a small one without a call.
#[inline(always)]
fn copy(payload: &[u8], out: &mut [u8]) {
    match payload.len() {
        16..=32 => copy_both_ends::<16>(payload, out),
        8..16 => copy_both_ends::<8>(payload, out),
        _ => out.copy_from_slice(payload),
    }
}

/// Copies the first and the last `N` bytes, which together are all, and may overlap.
#[inline(always)]
fn copy_both_ends<const N: usize>(payload: &[u8], out: &mut [u8]) {
    if let (Some(from), Some(to)) = (payload.first_chunk::<N>(), out.first_chunk_mut()) {
        *to = *from;
    }
    if let (Some(from), Some(to)) = (payload.last_chunk::<N>(), out.last_chunk_mut()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rsv::Rsv;
    use crate::wire::header::EncodedHeader;

    // Miri is slow; it looks at a few.
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]
        #[test]
        fn section_5_2_a_short_frame_is_what_header_and_mask_make_of_it(
            payload in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..140),
                (any::<u8>(), if cfg!(miri) { 300..=301 } else { 65_530..=65_535_usize }).prop_map(|(byte, len)| std::vec![byte; len]),
            ],
            key: Option<[u8; 4]>,
        ) {
            let header = EncodedHeader::new(true, Rsv::NONE, Opcode::Text, payload.len(), key);
            let mut expected = header.as_slice().to_vec();
            let short = ShortHeader::new(Opcode::Text, payload.len());
            prop_assert_eq!(short.size(key.is_some()), expected.len());
            expected.extend(payload.iter().zip(key.unwrap_or_default().iter().cycle()).map(|(byte, key)| byte ^ key));
            let mut out = std::vec![0xAA; expected.len()];
            match key {
                Some(key) => short.write_masked_frame(key, &payload, &mut out),
                None => short.write_frame(&payload, &mut out),
            }
            prop_assert_eq!(out, expected);
        }
    }
}
