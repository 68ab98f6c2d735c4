//! Compressing the messages of a connection: RFC 7692 section 7.2.1.

use alloc::vec::Vec;

use super::codec::{Deflate as _, Deflating, Settings};
use super::{DeflateConfig, WindowBits, pool};

/// What a flush ends with, and the payload of a message does without. Section 7.2.1: "Remove 4 octets (that are 0x00
/// 0x00 0xff 0xff) from the tail end."
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
/// More room than a flush takes that has nothing to flush. With less, the codec would end it twice.
const FLUSH_ROOM: usize = 16;

/// How far what is compressed has to come out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flush {
    /// The message ends here.
    Finish,
    /// As the codec sees fit.
    None,
    /// All of it.
    Sync,
}

/// What compresses the messages that a connection sends.
///
/// With context takeover it holds the state of the codec from the first message on. Without, the state is taken from
/// the thread's pool for as long as a message lasts.
#[derive(Debug)]
pub(crate) struct Deflater {
    state: Option<Deflating>,
    settings: Settings,
    no_context_takeover: bool,
    /// Something was compressed since the last flush.
    pending: bool,
}

impl Deflater {
    pub(crate) const fn new(
        config: &DeflateConfig,
        window_bits: WindowBits,
        no_context_takeover: bool,
    ) -> Self {
        let settings = Settings {
            level: config.level,
            memory_level: config.memory_level,
            window_bits: window_bits.get(),
        };
        Self { state: None, settings, no_context_takeover, pending: false }
    }

    /// Compresses the next bytes of a message, and adds what comes out to `out`.
    pub(crate) fn deflate(&mut self, mut bytes: &[u8], flush: Flush, out: &mut Vec<u8>) {
        self.pending |= !bytes.is_empty();
        if self.pending {
            let state = self.state.get_or_insert_with(|| pool::take_deflating(self.settings));
            loop {
                let start = out.len();
                out.resize(start + bytes.len() + bytes.len() / 8 + FLUSH_ROOM, 0);
                let progress = state.deflate(bytes, &mut out[start..], flush != Flush::None);
                let is_full = start + progress.produced == out.len();
                out.truncate(start + progress.produced);
                bytes = &bytes[progress.consumed..];
                // A codec that neither takes nor gives anything would never end.
                if (bytes.is_empty() && !is_full) || (progress.consumed == 0 && progress.produced == 0) {
                    break;
                }
            }
        }
        match flush {
            Flush::None => {}
            Flush::Sync => self.pending = false,
            Flush::Finish => {
                if self.pending {
                    debug_assert!(out.ends_with(&TAIL));
                    out.truncate(out.len().saturating_sub(TAIL.len()));
                } else {
                    // Section 7.2.3.6: an empty block without compression, and without its tail. The codec makes none
                    // where it has nothing to flush.
                    out.push(0x00);
                }
                self.pending = false;
                if self.no_context_takeover {
                    self.release();
                }
            }
        }
    }

    /// Forgets what was compressed, so that nothing that follows refers to it.
    pub(crate) fn release(&mut self) {
        self.pending = false;
        if let Some(state) = self.state.take() {
            pool::give_deflating(self.settings, state);
        }
    }
}
