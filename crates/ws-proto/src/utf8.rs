//! UTF-8 validation of text that arrives in pieces.

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
        let rest = if self.len == 0 { piece } else { self.finish_sequence(piece)? };
        match core::str::from_utf8(rest) {
            Ok(_) => Ok(()),
            // `error_len` is `None` exactly where the end of the piece is a valid prefix of a sequence.
            Err(error) if error.error_len().is_none() => {
                let tail = &rest[error.valid_up_to()..];
                self.tail[..tail.len()].copy_from_slice(tail);
                self.len = tail.len() as u8;
                Ok(())
            }
            Err(error) => Err(InvalidUtf8 { valid_up_to: piece.len() - rest.len() + error.valid_up_to() }),
        }
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

#[cfg(test)]
mod tests {
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
    fn section_8_1_every_sequence_of_up_to_three_bytes_has_the_verdict_of_core() {
        let mut checked = 0_u32;
        for a in 0..=255_u8 {
            for b in 0..=255_u8 {
                let two = [a, b];
                let expected = core::str::from_utf8(&two).is_ok();
                assert_eq!(byte_by_byte(&two).0, expected, "{two:x?}");
                // Three bytes: the whole third dimension only where the first two do not already decide.
                let step = if a < 0xC0 { 64 } else { 1 };
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
        assert!(checked > 4_000_000);
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
}
