//! What one end ever said, read by the naive reader: whether it is a stream of frames that the RFC allows.

use crate::naive::{Head, head};

/// The bytes of one direction.
#[derive(Debug)]
pub(super) struct Wire {
    masked: bool,
    rsv: u8,
    /// The beginning of a frame that is not whole.
    rest: Vec<u8>,
    inside: bool,
    closed: bool,
}

impl Wire {
    pub(super) const fn new(masked: bool, rsv: u8) -> Self {
        Self { masked, rsv, rest: Vec::new(), inside: false, closed: false }
    }

    /// Looks at all frames that are whole with these bytes.
    pub(super) fn check(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let bytes = &self.rest[at..];
            let (size, len) = match head(bytes, self.masked, self.rsv, self.inside) {
                Head::Whole { size, len } => (size, usize::try_from(len).expect("a length that fits")),
                Head::Incomplete => break,
                Head::Wrong(at) => panic!("we say something that is no frame, at byte {at} of {bytes:02x?}"),
            };
            if bytes.len() < size + len {
                break;
            }
            let opcode = bytes[0] & 0x0F;
            // "The application MUST NOT send any more data frames after sending a Close frame" (section 5.5.1), nor
            // has a second one a meaning, nor a ping that nobody answers.
            assert!(!self.closed || opcode == 10, "opcode {opcode} behind a Close frame");
            self.closed |= opcode == 8;
            if opcode < 8 {
                self.inside = bytes[0] & 0x80 == 0;
            }
            at += size + len;
        }
        self.rest.drain(..at);
    }

    /// Whether a Close frame went out whole.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }
}
