//! The frame header of RFC 6455 section 5.2.
//!
//! ```text
//!   byte 0             byte 1        bytes 2..        then
//!  +-+-+-+-+-------+  +-+---------+  +-------------+  +-------------+
//!  |F|R|R|R| opcode|  |M| length  |  | length, 0, 2|  | masking key,|
//!  |I|S|S|S|  (4)  |  |A|   (7)   |  | or 8 bytes  |  | 0 or 4 bytes|
//!  |N|V|V|V|       |  |S|         |  | if 126, 127 |  | as M says   |
//!  | |1|2|3|       |  |K|         |  |             |  |             |
//!  +-+-+-+-+-------+  +-+---------+  +-------------+  +-------------+
//! ```

#[cfg(test)]
mod tests;

use crate::error::ProtocolError;
use crate::rsv::Rsv;

/// The longest header of a frame in bytes: two, a 64-bit length, and a masking key (RFC 6455 section 5.2).
pub const MAX_HEADER_SIZE: usize = 14;
/// "All control frames MUST have a payload length of 125 bytes or less" (section 5.5).
pub(crate) const MAX_CONTROL_PAYLOAD: usize = 125;
/// The longest control frame on the wire: header, masking key and payload.
pub(crate) const MAX_CONTROL_FRAME: usize = 2 + 4 + MAX_CONTROL_PAYLOAD;

pub(super) const FIN: u8 = 0x80;
pub(super) const MASKED: u8 = 0x80;
pub(super) const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// The opcodes that RFC 6455 defines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

impl Opcode {
    const fn from_u8(opcode: u8) -> Option<Self> {
        match opcode {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    /// "Control frames are identified by opcodes where the most significant bit of the opcode is 1" (section 5.5).
    pub(crate) const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// What the next frame has to look like, given the role and what was received before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// Frames from a client are masked, frames from a server are not (section 5.1).
    pub(crate) masked: bool,
    /// Inside a fragmented message a data frame has to continue it, outside none can (section 5.4).
    pub(crate) continuation: bool,
    /// The reserved bits that extensions gave a meaning.
    pub(crate) allowed_rsv: Rsv,
}

/// A frame header, checked against all rules that it can be checked against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) rsv: Rsv,
    pub(crate) opcode: Opcode,
    pub(crate) masking_key: Option<[u8; 4]>,
    /// The length of the payload.
    pub(crate) len: u64,
    /// The length of the header itself.
    pub(crate) size: usize,
}

impl Header {
    /// Reads the header at the front of `bytes`: `None` if it is not complete.
    ///
    /// An incomplete header is an error all the same as soon as a byte of it breaks a rule.
    #[inline]
    pub(crate) fn parse(bytes: &[u8], expected: Expected) -> Result<Option<Self>, ProtocolError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let fin = first & FIN != 0;
        let rsv = Rsv::from_first_byte(first);
        let opcode = check_first(first, expected)?;

        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let masked = second & MASKED != 0;
        if masked != expected.masked {
            // Section 5.1: "a server MUST close a connection upon receiving a frame that is not masked", and "a
            // client MUST close a connection if it detects a masked frame".
            return Err(if masked { ProtocolError::MaskedFrame } else { ProtocolError::UnmaskedFrame });
        }
        let length = second & !MASKED;
        if opcode.is_control() && length > MAX_CONTROL_PAYLOAD as u8 {
            return Err(ProtocolError::ControlFrameTooLong);
        }
        let (len, key_at) = match length {
            LENGTH_16 => match length_16(&bytes[2..]) {
                Ok(Some(len)) => (len, 4),
                other => return other.map(|_| None),
            },
            LENGTH_64 => match length_64(&bytes[2..]) {
                Ok(Some(len)) => (len, 10),
                other => return other.map(|_| None),
            },
            short => (u64::from(short), 2),
        };
        if !masked {
            return Ok(Some(Self { fin, rsv, opcode, masking_key: None, len, size: key_at }));
        }
        let Some(key) = bytes[key_at..].first_chunk::<4>() else { return Ok(None) };
        Ok(Some(Self { fin, rsv, opcode, masking_key: Some(*key), len, size: key_at + 4 }))
    }
}

/// A data frame of at most 65,535 bytes without reserved bits, of which every byte is there; what most frames are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct WholeFrame {
    /// FIN and the opcode.
    first: u8,
    /// All zero if the frame is not masked.
    pub(crate) masking_key: [u8; 4],
    /// The length of the payload.
    pub(crate) len: usize,
    /// The length of the header.
    pub(crate) header: usize,
}

impl WholeFrame {
    /// Looks whether there is one at the front of `bytes` that is a whole message. `None` says nothing about what is there
    /// instead.
    #[inline]
    pub(crate) fn message(bytes: &[u8], masked: bool) -> Option<Self> {
        const TEXT: u8 = FIN | Opcode::Text as u8;
        const BINARY: u8 = FIN | Opcode::Binary as u8;
        Self::parse(bytes, masked, |first| first == TEXT || first == BINARY)
    }

    /// The same if it continues a message.
    #[inline]
    pub(crate) fn continuation(bytes: &[u8], masked: bool) -> Option<Self> {
        Self::parse(bytes, masked, |first| first & !FIN == Opcode::Continuation as u8)
    }

    #[inline]
    pub(crate) const fn is_text(self) -> bool {
        self.first & !FIN == Opcode::Text as u8
    }

    /// Whether it is the last of its message.
    #[inline]
    pub(crate) const fn is_last(self) -> bool {
        self.first & FIN != 0
    }

    /// Such a header has at most eight bytes, so that one load gets all of it:
    ///
    /// ```text
    ///   bits 0..8  8..16       16..             32..
    ///   opcode     length      masking key                  of up to 125 bytes
    ///   opcode     126         length           masking key of up to 65,535
    /// ```
    #[inline]
    fn parse(bytes: &[u8], masked: bool, is_expected: impl FnOnce(u8) -> bool) -> Option<Self> {
        let head = match bytes.first_chunk() {
            Some(front) => u64::from_le_bytes(*front),
            // After each read, when all has been received.
            None if bytes.is_empty() => return None,
            None => front_of_few(bytes),
        };
        let first = head as u8;
        if !is_expected(first) {
            return None;
        }
        // What is masked and should not be is too large for any length, and the other way round.
        let length = (head >> 8) as u8 ^ if masked { MASKED } else { 0 };
        let (len, key, before_key) = match length {
            0..LENGTH_16 => (usize::from(length), head >> 16, 2),
            LENGTH_16 => (usize::from(((head >> 16) as u16).swap_bytes()), head >> 32, 4),
            _ => return None,
        };
        let (masking_key, header) = if masked { (key as u32, before_key + 4) } else { (0, before_key) };
        if header + len > bytes.len() || (before_key == 4 && len < 126) {
            return None;
        }
        Some(Self { first, masking_key: masking_key.to_le_bytes(), len, header })
    }
}

/// Fewer than eight bytes in a word. What is missing is zero, and shows in that there is less than the header says.
#[cold]
#[inline(never)]
fn front_of_few(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// The rules that the first byte can break.
#[inline]
fn check_first(first: u8, expected: Expected) -> Result<Opcode, ProtocolError> {
    let rsv = Rsv::from_first_byte(first);
    if !expected.allowed_rsv.contains(rsv) {
        // Section 5.2: "If a nonzero value is received and none of the negotiated extensions defines the meaning of
        // such a nonzero value, the receiving endpoint MUST _Fail the WebSocket Connection_."
        return Err(ProtocolError::ReservedBits);
    }
    let Some(opcode) = Opcode::from_u8(first & 0x0F) else {
        return Err(ProtocolError::ReservedOpcode(first & 0x0F));
    };
    // RFC 7692 section 6: "the RSV1 bit is set on the first fragment of a message" only; and no extension defines any
    // bit for control frames.
    if !rsv.is_empty() && (opcode.is_control() || opcode == Opcode::Continuation) {
        return Err(ProtocolError::ReservedBits);
    }
    if opcode.is_control() {
        if first & FIN == 0 {
            return Err(ProtocolError::FragmentedControlFrame);
        }
    } else if (opcode == Opcode::Continuation) != expected.continuation {
        return Err(if expected.continuation {
            ProtocolError::ExpectedContinuation
        } else {
            ProtocolError::UnexpectedContinuation
        });
    }
    Ok(opcode)
}

/// A 16-bit length. Section 5.2: "the minimal number of bytes MUST be used to encode the length", so 126 is the least;
/// with a first byte of zero the second decides.
#[inline]
fn length_16(bytes: &[u8]) -> Result<Option<u64>, ProtocolError> {
    let Some(bytes) = bytes.first_chunk::<2>() else { return Ok(None) };
    let len = u16::from_be_bytes(*bytes);
    if len < 126 { Err(ProtocolError::NonMinimalLength) } else { Ok(Some(u64::from(len))) }
}

/// A 64-bit length. "The most significant bit MUST be 0", which the first byte shows; and 65,536 is the least, so that
/// six bytes of zero are one too many whatever follows.
#[inline]
fn length_64(bytes: &[u8]) -> Result<Option<u64>, ProtocolError> {
    if bytes.first().is_some_and(|first| first & 0x80 != 0) {
        return Err(ProtocolError::LengthTooLarge);
    }
    if bytes.len() >= 6 && bytes[..6] == [0; 6] {
        return Err(ProtocolError::NonMinimalLength);
    }
    Ok(bytes.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)))
}

/// A header as it goes onto the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncodedHeader {
    bytes: [u8; Self::ROOM],
    size: u8,
}

impl EncodedHeader {
    /// As long as a whole number of words, so that it is put together and written in registers.
    pub(crate) const ROOM: usize = 16;

    #[inline]
    pub(crate) fn new(fin: bool, rsv: Rsv, opcode: Opcode, len: usize, masking_key: Option<[u8; 4]>) -> Self {
        let first = if fin { FIN } else { 0 } | rsv.bits() | opcode as u8;
        let masked = if masking_key.is_some() { MASKED } else { 0 };
        // Its first byte is the lowest.
        let (second, length, size) = match len {
            0..=125 => (len as u8, 0, 2),
            126..=0xFFFF => (LENGTH_16, u64::from(u16::from_le_bytes((len as u16).to_be_bytes())), 4),
            _ => (LENGTH_64, u64::from_le_bytes((len as u64).to_be_bytes()), 10),
        };
        let mut bits = u128::from(first) | u128::from(masked | second) << 8 | u128::from(length) << 16;
        let mut total = size;
        if let Some(key) = masking_key {
            bits |= u128::from(u32::from_le_bytes(key)) << (8 * size);
            total += 4;
        }
        Self { bytes: bits.to_le_bytes(), size: total }
    }

    /// How long the header of a frame with `len` bytes of payload is.
    pub(crate) const fn size_for(len: usize, masked: bool) -> usize {
        let length = match len {
            0..=125 => 2,
            126..=0xFFFF => 4,
            _ => 10,
        };
        length + if masked { 4 } else { 0 }
    }

    /// The most payload that a frame of `size` bytes can have, its header included.
    pub(crate) fn max_payload(size: usize, masked: bool) -> usize {
        // With each length of header: what is left beside it, but no more than it can express.
        let most = |len: usize| size.saturating_sub(Self::size_for(len, masked)).min(len);
        most(125).max(most(0xFFFF)).max(most(usize::MAX))
    }

    /// The header, and zeros behind it.
    #[inline]
    pub(crate) const fn bytes(&self) -> [u8; Self::ROOM] {
        self.bytes
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.size)]
    }
}

/// How many bytes the frame at the front of our own output has, and whether it is the last of a message.
///
/// `bytes` holds at least the whole header: output is queued frame by frame, and a header is never cut by storage.
pub(crate) fn encoded_frame(bytes: &[u8]) -> Option<EncodedFrame> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let masked = second & MASKED != 0;
    let len = match second & !MASKED {
        LENGTH_16 => u64::from(u16::from_be_bytes(*bytes[2..].first_chunk::<2>()?)),
        LENGTH_64 => u64::from_be_bytes(*bytes[2..].first_chunk::<8>()?),
        short => u64::from(short),
    };
    let len = usize::try_from(len).ok()?;
    let size = EncodedHeader::size_for(len, masked).checked_add(len)?;
    Some(EncodedFrame { size, ends_message: first & FIN != 0 })
}

/// See [`encoded_frame`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct EncodedFrame {
    /// Header and payload together.
    pub(crate) size: usize,
    pub(crate) ends_message: bool,
}
