//! `zlib-rs` as the library for DEFLATE.

use core::fmt;

use zlib_rs::{DeflateConfig, DeflateFlush, InflateFlush, Status};

use super::codec::{Deflate, Inflate, InvalidData, Progress, Settings, Until};

/// The library refuses raw streams with a window of 256 bytes, and with 512 never refers back further than 512 bytes
/// less the 262 that it looks ahead: 250 bytes, which a window of 256 holds.
const MIN_WINDOW_BITS: u8 = 9;

/// A state of 48 KB: its window is always of 32 KiB.
pub(super) struct Inflating(zlib_rs::Inflate);

impl Inflate for Inflating {
    fn new() -> Self {
        Self(zlib_rs::Inflate::new(false, 15))
    }

    fn restart(&mut self, history: [&[u8]; 2]) {
        self.0.reset(false);
        for part in history {
            // It refuses one only where there is a header of zlib's.
            let _ = self.0.set_dictionary(part);
        }
    }

    fn inflate(&mut self, input: &[u8], output: &mut [u8], until: Until) -> Result<Progress, InvalidData> {
        let before = (self.0.total_in(), self.0.total_out());
        let flush = match until {
            Until::Block => InflateFlush::Block,
            Until::Input => InflateFlush::SyncFlush,
        };
        let status = self.0.decompress(input, output, flush).map_err(|_| InvalidData)?;
        Ok(Progress {
            consumed: (self.0.total_in() - before.0) as usize,
            produced: (self.0.total_out() - before.1) as usize,
            ended: status == Status::StreamEnd,
        })
    }
}

impl fmt::Debug for Inflating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflating").finish_non_exhaustive()
    }
}

/// A state of 140 to 400 KB, as the settings are.
pub(super) struct Deflating(zlib_rs::Deflate);

impl Deflate for Deflating {
    fn new(settings: Settings) -> Self {
        // In these ranges it does not panic.
        let window_bits = settings.window_bits.clamp(MIN_WINDOW_BITS, 15);
        Self(zlib_rs::Deflate::new_with_config(DeflateConfig {
            level: i32::from(settings.level.min(9)),
            // Negative: without a header of zlib's.
            window_bits: -i32::from(window_bits),
            mem_level: i32::from(settings.memory_level.clamp(1, 9)),
            ..DeflateConfig::default()
        }))
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn deflate(&mut self, input: &[u8], output: &mut [u8], flush: bool) -> Progress {
        let before = (self.0.total_in(), self.0.total_out());
        let flush = if flush { DeflateFlush::SyncFlush } else { DeflateFlush::NoFlush };
        // The one error is a state that was not initialised. That nothing could be done is none.
        let _ = self.0.compress(input, output, flush);
        Progress {
            consumed: (self.0.total_in() - before.0) as usize,
            produced: (self.0.total_out() - before.1) as usize,
            ended: false,
        }
    }
}

impl fmt::Debug for Deflating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflating").finish_non_exhaustive()
    }
}
