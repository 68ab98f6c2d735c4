//! `Sec-WebSocket-Key` and the `Sec-WebSocket-Accept` that answers it, RFC 6455 sections 1.3 and 4.2.2.

use base64ct::{Base64, Encoding};
use sha1_smol::Sha1;

/// "a Globally Unique Identifier ... in string form, which is unlikely to be used by network endpoints that
/// do not understand the WebSocket Protocol" (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The length of a key: 16 bytes in base64.
const KEY_LEN: usize = 24;
/// The length of what answers it: 20 bytes in base64.
const ACCEPT_LEN: usize = 28;

/// The `Sec-WebSocket-Accept` that belongs to a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct AcceptKey([u8; ACCEPT_LEN]);

impl AcceptKey {
    /// RFC 6455 section 4.2.2: "concatenating this value with the string ..., taking the SHA-1 hash of this
    /// concatenated value to obtain a 20-byte value, and base64-encoding ... this 20-byte hash".
    pub(super) fn answering(key: &[u8]) -> Self {
        let mut sha1 = Sha1::new();
        sha1.update(key);
        sha1.update(GUID);
        let mut out = [0; ACCEPT_LEN];
        encode(&sha1.digest().bytes(), &mut out);
        Self(out)
    }

    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The `Sec-WebSocket-Key` made from a nonce.
pub(super) fn key_from_nonce(nonce: &[u8; 16]) -> [u8; KEY_LEN] {
    let mut out = [0; KEY_LEN];
    encode(nonce, &mut out);
    out
}

/// Whether `key` looks like 16 bytes in base64.
///
/// It is not decoded: RFC 6455 section 4.2.1 says that "It is not necessary for the server to base64-decode"
/// it. And strictly decoded, the RFC's own example in section 4.1 would be refused: its last character has
/// bits set that belong to no byte (erratum 3150).
pub(super) fn is_key(key: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match key.strip_suffix(b"==") {
        Some(digits) => key.len() == KEY_LEN && digits.iter().all(is_base64),
        None => false,
    }
}

/// Encodes into a buffer of exactly the right size; the only way to fail would be a wrong one.
fn encode(bytes: &[u8], out: &mut [u8]) {
    let encoded = Base64::encode(bytes, out);
    debug_assert!(encoded.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_1_3_the_example_key_gives_the_example_answer() {
        let accept = AcceptKey::answering(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept.as_bytes(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn section_4_1_a_nonce_is_encoded_as_in_the_rfc() {
        // "if ... the value selected were the sequence of bytes 0x01 0x02 ... 0x10".
        let nonce = core::array::from_fn(|i| i as u8 + 1);
        assert_eq!(&key_from_nonce(&nonce), b"AQIDBAUGBwgJCgsMDQ4PEA==");
    }

    #[test]
    fn section_4_2_1_the_shape_of_a_key_is_checked_and_its_padding_bits_are_not() {
        // The second is the erroneous example of section 4.1, erratum 3150.
        for good in ["dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEC==", "+++++++++++///////////=="] {
            assert!(is_key(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "==",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ===",
            "dGhlIHNhbXBsZSBub25jZ===",
            "dGhlIHNhbXBsZSBub25jZQAA",
            "dGhlIHNhbXBsZSBub25j ZQ==",
            "dGhlIHNhbXBsZSBub25-ZQ==",
            "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==",
        ] {
            assert!(!is_key(bad.as_bytes()), "{bad}");
        }
    }
}
