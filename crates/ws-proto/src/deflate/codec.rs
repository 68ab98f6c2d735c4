//! What is needed of a library for DEFLATE (RFC 1951), so that it can be exchanged for another.
//!
//! The choice is `zlib-rs`; `ARCHITECTURE.md` has the figures. Its states are in `zlib.rs`, and named nowhere else.

use super::zlib;

/// The state of the library in use that inflates.
pub(super) type Inflating = zlib::Inflating;
/// The state of the library in use that deflates.
pub(super) type Deflating = zlib::Deflating;

/// The bytes are not what DEFLATE makes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct InvalidData;

/// What one call did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Progress {
    /// So many bytes of the input were used.
    pub(super) consumed: usize,
    /// So many bytes of the output were written.
    pub(super) produced: usize,
    /// When inflating: a block with BFINAL has ended, and nothing can follow without a new start.
    pub(super) ended: bool,
}

/// How far to inflate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Until {
    /// The end of the present block.
    Block,
    /// The end of the input.
    Input,
}

/// Inflates a stream without zlib's header or checksum.
pub(super) trait Inflate: Sized {
    /// A state that has seen nothing.
    fn new() -> Self;

    /// Begins anew at a block, as if the bytes of `history`, in this order, had been inflated before it.
    fn restart(&mut self, history: [&[u8]; 2]);

    /// Inflates some of `input` into `output`, as far as either goes and `until` allows.
    fn inflate(&mut self, input: &[u8], output: &mut [u8], until: Until) -> Result<Progress, InvalidData>;
}

/// Compresses a stream without zlib's header or checksum, that never ends.
pub(super) trait Deflate: Sized {
    /// A state that has seen nothing.
    fn new(settings: Settings) -> Self;

    /// Forgets all that was compressed.
    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "only states of a pool are used again"))]
    fn reset(&mut self);

    /// Compresses some of `input` into `output`, as far as either goes. With `flush`, what was compressed so far has
    /// come out to the last byte once there is room left in `output`: RFC 7692 section 7.2.1, "an empty DEFLATE block
    /// with no compression" is at its end.
    fn deflate(&mut self, input: &[u8], output: &mut [u8], flush: bool) -> Progress;
}

/// How to compress; what a state cannot change once it is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Settings {
    /// 0 to 9.
    pub(super) level: u8,
    /// 1 to 9.
    pub(super) memory_level: u8,
    /// 8 to 15: nothing farther back than 2 to this power is referred to.
    pub(super) window_bits: u8,
}
