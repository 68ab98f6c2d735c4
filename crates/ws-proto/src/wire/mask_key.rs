//! Masking keys, RFC 6455 sections 5.3 and 10.3.

use chacha20::ChaCha8Rng;
use rand_core::{CryptoRng, Rng, SeedableRng};

/// The size of a seed.
const SEED: usize = 32;
/// How many keys one run of the cipher yields, with the next seed: what there is in the four blocks that it makes at once.
/// Without an allocator they lie in the connection, which one block is enough for.
const KEYS: usize = (if cfg!(feature = "alloc") { 256 } else { 64 } - SEED) / 4;

/// Where a client takes its masking keys from: a fresh and unpredictable one for every frame.
///
/// RFC 6455 section 5.3: "The masking key needs to be unpredictable; thus, the masking key MUST be derived from a
/// strong source of entropy, and the masking key for a given frame MUST NOT make it simple for a server/proxy to
/// predict the masking key for a subsequent frame." Section 10.3 tells what happens otherwise: scripts that poison the
/// caches of intermediaries.
///
/// With the feature `alloc`, where they come from is on the heap, in fewer than 300 bytes, and a connection has a pointer.
///
/// The core has no entropy of its own. Seed it from the operating system, as the adapters do, or from the hardware:
///
/// ```
/// use ws_proto::MaskKeys;
///
/// // From 32 bytes of entropy: the keys are the stream of a cipher that forgets its past.
/// let keys = MaskKeys::from_seed([7; 32]); // a real seed is random
///
/// // From a generator of the hardware, asked once a frame.
/// fn trng() -> [u8; 4] {
///     [1, 2, 3, 4] // a real one reads a register
/// }
/// let keys = MaskKeys::from_fn(trng);
/// ```
pub struct MaskKeys {
    /// Where there is an allocator, not in the connection itself, so that those of servers have no room for it.
    #[cfg(feature = "alloc")]
    source: alloc::boxed::Box<Source>,
    #[cfg(not(feature = "alloc"))]
    source: Source,
}

// The others are rare, and with an allocator nothing of this is in the connection.
#[allow(clippy::large_enum_variant)]
enum Source {
    Seeded(Seeded),
    Function(fn() -> [u8; 4]),
    #[cfg(feature = "alloc")]
    Generator(alloc::boxed::Box<dyn CryptoRng + Send + Sync>),
}

impl MaskKeys {
    /// Keys derived from 32 bytes of entropy with ChaCha8.
    ///
    /// Two connections must not have the same seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self::new(Source::Seeded(Seeded { seed, keys: [[0; 4]; KEYS], used: KEYS as u8 }))
    }

    /// Keys derived from a seed that `rng` gives now.
    pub fn from_rng<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = [0; SEED];
        rng.fill_bytes(&mut seed);
        Self::from_seed(seed)
    }

    /// Keys from a function, called exactly once a frame and used as they are. They must be unpredictable.
    pub fn from_fn(function: fn() -> [u8; 4]) -> Self {
        Self::new(Source::Function(function))
    }

    /// Keys from a generator of the caller's, asked for four bytes exactly once a frame, which are used as they are.
    #[cfg(feature = "alloc")]
    pub fn from_generator(generator: alloc::boxed::Box<dyn CryptoRng + Send + Sync>) -> Self {
        Self::new(Source::Generator(generator))
    }

    fn new(source: Source) -> Self {
        #[cfg(feature = "alloc")]
        let source = alloc::boxed::Box::new(source);
        Self { source }
    }

    #[inline]
    pub(crate) fn next_key(&mut self) -> [u8; 4] {
        let source: &mut Source = &mut self.source;
        match source {
            Source::Seeded(seeded) => seeded.next_key(),
            Source::Function(function) => function(),
            #[cfg(feature = "alloc")]
            Source::Generator(generator) => {
                let mut key = [0; 4];
                generator.fill_bytes(&mut key);
                key
            }
        }
    }
}

/// Never shows the keys to come.
impl core::fmt::Debug for MaskKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MaskKeys { .. }")
    }
}

/// A cipher with its key erased as it goes: each run yields the next seed and a handful of keys, so that the state
/// is small and does not tell which keys were used before.
struct Seeded {
    seed: [u8; SEED],
    keys: [[u8; 4]; KEYS],
    used: u8,
}

impl Seeded {
    #[inline]
    fn next_key(&mut self) -> [u8; 4] {
        if usize::from(self.used) == KEYS {
            self.refill();
        }
        // Taken, not copied: what was used is not kept.
        let key = core::mem::take(&mut self.keys[usize::from(self.used)]);
        self.used += 1;
        key
    }

    #[cold]
    fn refill(&mut self) {
        let mut cipher = ChaCha8Rng::from_seed(self.seed);
        cipher.fill_bytes(&mut self.seed);
        cipher.fill_bytes(self.keys.as_flattened_mut());
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn section_5_3_a_hundred_thousand_keys_are_distinct_balanced_and_never_repeat_in_a_row() {
        let mut keys = MaskKeys::from_seed([1; 32]);
        let mut seen = HashSet::new();
        let mut ones = 0_u64;
        let mut previous = None;
        let count = if cfg!(miri) { 200 } else { 100_000 };
        for _ in 0..count {
            let key = keys.next_key();
            assert_ne!(previous, Some(key));
            previous = Some(key);
            ones += u64::from(u32::from_ne_bytes(key).count_ones());
            seen.insert(key);
        }
        assert!(seen.len() >= count - 10, "{}", seen.len());
        let share = ones as f64 / (count as f64 * 32.0);
        assert!((0.49..=0.51).contains(&share), "{share}");

        let mut other = MaskKeys::from_seed([2; 32]);
        let shared = (0..count).filter(|_| seen.contains(&other.next_key())).count();
        // Chance alone lets 100,000 keys meet 100,000 others among 2^32 about 2.3 times; these two seeds are fixed.
        assert!(shared < 10, "{shared}");
    }

    #[test]
    fn section_5_3_a_function_is_called_once_a_key_and_used_verbatim() {
        let mut keys = MaskKeys::from_fn(|| [1, 2, 3, 4]);
        assert_eq!(keys.next_key(), [1, 2, 3, 4]);
        assert_eq!(keys.next_key(), [1, 2, 3, 4]);
    }
}
