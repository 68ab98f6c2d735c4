//! What is known of what is being received.

use crate::error::Error;
use crate::event::Kind;
use crate::rsv::Rsv;
use crate::wire::mask::Mask;

/// Which frame of a message is being received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Frame {
    None,
    /// One that others will continue.
    Middle,
    Last,
}

/// What is wrong with the payload of a message; reported again by each call until the connection has failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    #[cfg(feature = "deflate")]
    Deflate,
    Utf8,
}

impl Fault {
    pub(super) const fn error(self) -> Error {
        match self {
            #[cfg(feature = "deflate")]
            Self::Deflate => Error::InvalidDeflate,
            Self::Utf8 => Error::InvalidUtf8,
        }
    }
}

/// What is known of the frame and the message that are being received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming {
    /// How much payload of the present data frame is still to come.
    pub(super) frame_left: u64,
    /// How many fragments were put together.
    pub(super) fragments: u32,
    pub(super) mask: Mask,
    /// The data frame that has begun and is not finished.
    pub(super) frame: Frame,
    /// The rest of the message is passed over.
    pub(super) skipped: bool,
    /// A message has begun and is not finished.
    pub(super) in_message: bool,
    pub(super) text: bool,
    /// It is text, and not UTF-8; or it cannot be inflated.
    pub(super) fault: Option<Fault>,
    /// It is compressed with permessage-deflate, whose bit is not among the reserved ones then.
    pub(super) compressed: bool,
    /// The reserved bits of the message; if there are any, its payload belongs to an extension.
    pub(super) rsv: Rsv,
}

impl Incoming {
    pub(super) const fn new() -> Self {
        Self {
            frame_left: 0,
            fragments: 0,
            mask: Mask::new([0; 4]),
            frame: Frame::None,
            skipped: false,
            in_message: false,
            text: false,
            fault: None,
            compressed: false,
            rsv: Rsv::NONE,
        }
    }

    /// A message was received that was there as a whole.
    #[inline]
    pub(super) const fn describe_whole(&mut self, text: bool) {
        self.text = text;
        self.rsv = Rsv::NONE;
        self.compressed = false;
    }

    /// The number of fragments with one more. Saturation is as good as the sum: no limit is as high.
    pub(super) const fn with_fragment(&self) -> u32 {
        if self.in_message { self.fragments.saturating_add(1) } else { 1 }
    }

    #[cfg(feature = "deflate")]
    pub(super) fn is_last_frame(&self) -> bool {
        self.frame == Frame::Last
    }

    pub(super) fn is_in_frame(&self) -> bool {
        self.frame != Frame::None
    }

    pub(super) const fn kind(&self) -> Kind {
        if self.text { Kind::Text } else { Kind::Binary }
    }

    /// Whether the message is compressed with permessage-deflate.
    pub(super) const fn is_compressed(&self) -> bool {
        cfg!(feature = "deflate") && self.compressed
    }

    /// Whether the payload is text, and not what an extension made of it.
    pub(super) const fn is_checked(&self) -> bool {
        self.text && self.rsv.is_empty()
    }
}
