//! UTF-8 validation of text that arrives in pieces.

/// Up to this length, to look whether a text is ASCII takes less than the validator takes to begin.
const SHORT: usize = 256;

/// In a word, what no ASCII character has.
pub(crate) const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// Validates text piece by piece and fails at the first byte that no continuation can make valid.
///
/// RFC 6455 section 5.6: "a particular text frame might include a partial UTF-8 sequence; however, the whole message
/// MUST contain valid UTF-8". Section 8.1 asks to fail the connection on anything else, and this does so inside an
/// incomplete frame: a byte that cannot be right is refused when it arrives.
///
/// What it remembers between pieces is the sequence that the last piece left unfinished:
///
/// ```text
///   piece n              | piece n+1
///   ... 'h' E2 82        | AC 'l' ...
///           └─ tail, len=2 └─ the sequence E2 82 AC is checked as a whole
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8Validator {
    /// The bytes of an unfinished sequence; never more than three.
    tail: [u8; 3],
    len: u8,
}

/// The text is not UTF-8.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct InvalidUtf8 {
    /// How many bytes of the piece are before the sequence that is wrong.
    pub(crate) valid_up_to: usize,
}

impl Utf8Validator {
    pub(crate) const fn new() -> Self {
        Self { tail: [0; 3], len: 0 }
    }

    /// Checks the next piece.
    #[inline]
    pub(crate) fn update(&mut self, piece: &[u8]) -> Result<(), InvalidUtf8> {
        if self.len == 0 && is_short_ascii(piece) {
            return Ok(());
        }
        let rest = if self.len == 0 { piece } else { self.finish_sequence(piece)? };
        let valid = skip_valid(rest);
        let Err(error) = core::str::from_utf8(&rest[valid..]) else { return Ok(()) };
        let valid_up_to = valid + error.valid_up_to();
        if error.error_len().is_some() {
            return Err(InvalidUtf8 { valid_up_to: piece.len() - rest.len() + valid_up_to });
        }
        // `error_len` is `None` exactly where the end of the piece is a valid prefix of a sequence.
        let tail = &rest[valid_up_to..];
        self.tail[..tail.len()].copy_from_slice(tail);
        self.len = tail.len() as u8;
        Ok(())
    }

    /// How many of the last bytes belong to a sequence that is not finished.
    #[inline]
    pub(crate) const fn unfinished(&self) -> usize {
        self.len as usize
    }

    /// Ends the text: it must not stop inside a sequence.
    #[inline]
    pub(crate) fn finish(self) -> Result<(), InvalidUtf8> {
        if self.len == 0 { Ok(()) } else { Err(InvalidUtf8 { valid_up_to: 0 }) }
    }

    /// Completes the unfinished sequence byte by byte and gives back what is left of the piece.
    fn finish_sequence<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8], InvalidUtf8> {
        let mut sequence = [0; 4];
        let mut len = usize::from(self.len);
        sequence[..len].copy_from_slice(&self.tail[..len]);
        for (index, &byte) in piece.iter().enumerate() {
            // At most three bytes are kept, so there is room for one more; and a fourth byte always decides.
            sequence[len] = byte;
            len += 1;
            match core::str::from_utf8(&sequence[..len]) {
                Ok(_) => {
                    self.len = 0;
                    return Ok(&piece[index + 1..]);
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(InvalidUtf8 { valid_up_to: 0 }),
            }
        }
        let kept = len.min(3);
        self.tail[..kept].copy_from_slice(&sequence[..kept]);
        self.len = kept as u8;
        Ok(&[])
    }
}

/// Whether `text` as a whole is UTF-8.
#[inline]
pub(crate) fn is_utf8(text: &[u8]) -> bool {
    #[cfg(feature = "std")]
    if is_for_vectors(text) {
        return simdutf8::basic::from_utf8(text).is_ok();
    }
    core::str::from_utf8(text).is_ok()
}

/// Whether a text is seen to be ASCII with next to no effort: `false` says nothing. Text of 8 bytes to `SHORT` is looked at,
/// and given up at once if its ends are not ASCII. Without `std`, where code has to be small, the validator is good enough.
#[inline]
pub(crate) fn is_short_ascii(text: &[u8]) -> bool {
    if cfg!(not(feature = "std")) {
        return false;
    }
    let ends = (text.first_chunk(), text.last_chunk());
    let (Some(&first), Some(&last)) = ends else { return false };
    let seen = u64::from_ne_bytes(first) | u64::from_ne_bytes(last);
    if seen & NOT_ASCII != 0 || text.len() > SHORT {
        return false;
    }
    let words = text.as_chunks().0.iter();
    words.fold(seen, |seen, word| seen | u64::from_ne_bytes(*word)) & NOT_ASCII == 0
}

/// Whether a text of this length is checked in vectors. Up to it the standard library is as fast; and without run-time
/// detection of what the processor has, it is all there is.
#[inline]
pub(crate) const fn is_for_vectors(text: &[u8]) -> bool {
    cfg!(feature = "std") && text.len() >= 64
}

/// How many of the first bytes need not be looked at again, being valid: all whole sequences of a long text that has no
/// fault, else none. The vectors that find this out do not say where a fault is.
#[cfg(feature = "std")]
#[inline]
fn skip_valid(text: &[u8]) -> usize {
    if !is_for_vectors(text) {
        return 0;
    }
    let whole = text.len() - unfinished(text);
    if simdutf8::basic::from_utf8(&text[..whole]).is_ok() { whole } else { 0 }
}

/// Without vectors all is looked at.
#[cfg(not(feature = "std"))]
#[inline]
const fn skip_valid(_: &[u8]) -> usize {
    0
}

/// How many of the last bytes look like the beginning of a sequence that goes on behind them.
#[cfg(feature = "std")]
#[inline]
fn unfinished(text: &[u8]) -> usize {
    // In a sequence of n bytes the lead is followed by n - 1 continuations; so only the last three can be unfinished.
    for (before, byte) in (1..4).zip(text.iter().rev()) {
        let len = match byte {
            0x80..0xC0 => continue,
            0xC0..0xE0 => 2,
            0xE0..0xF0 => 3,
            0xF0.. => 4,
            _ => 1,
        };
        return if len > before { before } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// The verdict, and after how many bytes an invalid text is noticed when it arrives byte by byte.
    fn byte_by_byte(text: &[u8]) -> (bool, usize) {
        let mut validator = Utf8Validator::new();
        for (index, byte) in text.iter().enumerate() {
            if validator.update(core::slice::from_ref(byte)).is_err() {
                return (false, index + 1);
            }
        }
        (validator.finish().is_ok(), text.len())
    }

    fn cut_at(text: &[u8], cut: usize) -> bool {
        let mut validator = Utf8Validator::new();
        validator.update(&text[..cut]).is_ok()
            && validator.update(&text[cut..]).is_ok()
            && validator.finish().is_ok()
    }

    #[test]
    fn section_8_1_short_text_is_ascii_only_without_any_byte_above_7f() {
        for len in (0..300).step_by(if cfg!(miri) { 19 } else { 1 }) {
            let mut text: Vec<u8> = (0..len).map(|i| (i % 128) as u8).collect();
            let is_looked_at = cfg!(feature = "std") && (8..=SHORT).contains(&len);
            assert_eq!(is_short_ascii(&text), is_looked_at, "{len}");
            for at in 0..len {
                text[at] |= 0x80;
                assert!(!is_short_ascii(&text), "{at} of {len}");
                text[at] &= 0x7F;
            }
        }
    }

    #[test]
    fn section_8_1_every_sequence_of_up_to_three_bytes_has_the_verdict_of_core() {
        let mut checked = 0_u32;
        // Miri is slow; it looks at a few of them.
        let every = if cfg!(miri) { 37 } else { 1 };
        for a in (0..=255_u8).step_by(every) {
            for b in (0..=255_u8).step_by(every) {
                let two = [a, b];
                let expected = core::str::from_utf8(&two).is_ok();
                assert_eq!(byte_by_byte(&two).0, expected, "{two:x?}");
                // Three bytes: the whole third dimension only where the first two do not already decide.
                let step = if a < 0xC0 { 64 } else { every };
                for c in (0..=255_u8).step_by(step) {
                    let three = [a, b, c];
                    let expected = core::str::from_utf8(&three).is_ok();
                    assert_eq!(byte_by_byte(&three).0, expected, "{three:x?}");
                    assert_eq!(cut_at(&three, 1), expected, "{three:x?}");
                    assert_eq!(cut_at(&three, 2), expected, "{three:x?}");
                    checked += 1;
                }
            }
        }
        assert!(checked > 4_000_000 || cfg!(miri));
    }

    #[test]
    fn section_8_1_the_edges_of_four_byte_sequences_have_the_verdict_of_core_at_every_cut() {
        for lead in [0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF] {
            for second in [0x00, 0x7F, 0x80, 0x8F, 0x90, 0xBF, 0xC0, 0xFF] {
                for third in [0x7F, 0x80, 0xBF, 0xC0] {
                    for fourth in [0x7F, 0x80, 0xBF, 0xC0] {
                        let text = [lead, second, third, fourth];
                        let expected = core::str::from_utf8(&text).is_ok();
                        assert_eq!(byte_by_byte(&text).0, expected, "{text:x?}");
                        for cut in 0..=4 {
                            assert_eq!(cut_at(&text, cut), expected, "{text:x?} cut at {cut}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn section_8_1_a_byte_that_cannot_be_right_is_refused_when_it_arrives() {
        for (text, noticed_after) in [
            (&b"ok\xff"[..], 3),
            (b"\xc0\x80", 1),                 // an overlong lead
            (b"\xed\xa0\x80", 2),             // a surrogate is decided by its second byte
            (b"\xf4\x90\x80\x80", 2),         // above U+10FFFF
            (b"\xce\xba\xe1\xbd\xb9\x80", 6), // a continuation without a lead
        ] {
            assert_eq!(byte_by_byte(text), (false, noticed_after), "{text:x?}");
        }
    }

    /// Texts longer than any block that a vectorised validator looks at, of characters of one length or all.
    fn long_texts(len: usize) -> impl Iterator<Item = Vec<u8>> {
        ["a", "ж", "語", "😀", "a ж語😀ß"]
            .into_iter()
            .map(move |text| text.bytes().cycle().take(len).collect())
    }

    /// What core says: how much is valid, and whether the rest is a sequence that is not finished.
    fn core_verdict(text: &[u8]) -> Result<usize, InvalidUtf8> {
        match core::str::from_utf8(text) {
            Ok(_) => Ok(0),
            Err(error) if error.error_len().is_none() => Ok(text.len() - error.valid_up_to()),
            Err(error) => Err(InvalidUtf8 { valid_up_to: error.valid_up_to() }),
        }
    }

    #[test]
    fn section_8_1_a_long_text_has_the_verdict_of_core_at_every_length_and_every_cut() {
        let (most, step) = if cfg!(miri) { (150, 23) } else { (330, 1) };
        for len in (0..most).step_by(step) {
            for text in long_texts(len) {
                let verdict = core_verdict(&text);
                assert_eq!(is_utf8(&text), verdict == Ok(0));
                for cut in (0..=len).step_by(step) {
                    let mut validator = Utf8Validator::new();
                    let pieces = validator.update(&text[..cut]).and_then(|()| validator.update(&text[cut..]));
                    assert_eq!(pieces.map(|()| validator.unfinished()), verdict, "{len} bytes cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn section_8_1_a_fault_at_any_place_of_a_long_text_is_found_where_core_finds_it() {
        const LEN: usize = 200;
        let faults: [&[u8]; 8] = [
            b"\x80",
            b"\xff",
            b"\xc0\x80",
            b"\xe0\x80",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xe8\xaa",
            b"\xf0\x9f\x98",
        ];
        for text in long_texts(LEN) {
            for fault in faults {
                for at in (0..LEN).step_by(if cfg!(miri) { 41 } else { 1 }) {
                    let mut text = text.clone();
                    text.splice(at..at, fault.iter().copied());
                    let verdict = core_verdict(&text);
                    let mut validator = Utf8Validator::new();
                    let whole = validator.update(&text);
                    assert_eq!(whole.map(|()| validator.unfinished()), verdict, "{fault:x?} at {at}");
                    assert_eq!(is_utf8(&text), core::str::from_utf8(&text).is_ok());
                    // In pieces, the same byte is too much.
                    let decided = byte_by_byte(&text);
                    for size in [63, 64, 65, 128] {
                        let mut validator = Utf8Validator::new();
                        let refused = text.chunks(size).position(|piece| validator.update(piece).is_err());
                        let expected = verdict.is_err().then(|| (decided.1 - 1) / size);
                        assert_eq!(refused, expected, "{fault:x?} at {at} in pieces of {size}");
                    }
                }
            }
        }
    }
}
