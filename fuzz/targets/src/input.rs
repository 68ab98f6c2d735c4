//! Reading decisions from the fuzzer's bytes: from the front, in the order in which they are asked for, so that seeds
//! can be written by hand.

/// The bytes that are left.
#[derive(Clone, Copy, Debug)]
pub struct Input<'d> {
    rest: &'d [u8],
}

impl<'d> Input<'d> {
    /// From all that the fuzzer gave.
    pub const fn new(data: &'d [u8]) -> Self {
        Self { rest: data }
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte; 0 where there is none.
    pub fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        byte
    }

    /// The next two bytes, in network order.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// The next bytes, as many of `n` as there are.
    pub fn take(&mut self, n: usize) -> &'d [u8] {
        let (taken, rest) = self.rest.split_at(n.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// As many bytes as the next one says.
    pub fn counted(&mut self) -> &'d [u8] {
        let n = usize::from(self.byte());
        self.take(n)
    }

    /// As many bytes as the next one says, as the text that is at their front.
    pub fn counted_text(&mut self) -> &'d str {
        let bytes = self.counted();
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        }
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'d [u8] {
        core::mem::take(&mut self.rest)
    }
}

/// One of the eight bits of an option byte.
pub const fn bit(byte: u8, index: u8) -> bool {
    byte >> index & 1 != 0
}

/// The sizes of pieces into which a stream is cut, over and over: 0 counts as all that there is.
#[derive(Clone, Debug)]
pub struct Cuts<'d> {
    sizes: &'d [u8],
    next: usize,
}

impl<'d> Cuts<'d> {
    /// These sizes; none at all cuts nothing.
    pub const fn new(sizes: &'d [u8]) -> Self {
        Self { sizes, next: 0 }
    }

    /// The size of the next piece.
    pub fn size(&mut self) -> usize {
        let Some(&size) = self.sizes.get(self.next) else { return usize::MAX };
        self.next = (self.next + 1) % self.sizes.len();
        if size == 0 { usize::MAX } else { usize::from(size) }
    }
}
