//! The last bytes that were inflated, to which the next compressed ones may refer.

use alloc::vec::Vec;

/// Up to a window of bytes, in a ring that grows with what there is:
///
/// ```text
///   not yet full   | first ..................... last |            (free up to the window)
///   full           | ......... last | first ......... |
///                              next ┘
/// ```
#[derive(Debug, Default)]
pub(super) struct History {
    bytes: Vec<u8>,
    /// Where the next byte goes once the ring is full.
    next: usize,
    /// How many bytes went through, so that two states of the same history can be told apart.
    total: u64,
}

impl History {
    /// How many bytes it has seen.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// An empty one with the memory of this one, which is empty and without afterwards.
    pub(super) fn take_cleared(&mut self) -> Self {
        let mut bytes = core::mem::take(self).bytes;
        bytes.clear();
        Self { bytes, ..Self::default() }
    }

    /// Adds bytes behind the others, and keeps the last `window` of all.
    pub(super) fn push(&mut self, new: &[u8], window: usize) {
        self.total = self.total.wrapping_add(new.len() as u64);
        let new = &new[new.len().saturating_sub(window)..];
        let free = window.saturating_sub(self.bytes.len()).min(new.len());
        let (fills, replaces) = new.split_at(free);
        if self.bytes.capacity() < self.bytes.len() + free {
            // Doubling, but never beyond the window.
            let wanted = (self.bytes.len() + free).max(self.bytes.capacity() * 2).min(window);
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(fills);
        let (until_end, from_start) = replaces.split_at(replaces.len().min(self.bytes.len() - self.next));
        self.bytes[self.next..self.next + until_end.len()].copy_from_slice(until_end);
        self.bytes[..from_start.len()].copy_from_slice(from_start);
        if !replaces.is_empty() {
            self.next = (self.next + replaces.len()) % self.bytes.len();
        }
    }

    /// All that it holds, in the order in which it came.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        let (newer, older) = self.bytes.split_at(self.next);
        [older, newer]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_the_last_window_of_all_that_was_pushed_and_no_more_memory(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..8),
            bits in 8..10_u8,
        ) {
            let window = 1 << bits;
            let mut history = History::default();
            let mut all = Vec::new();
            for piece in &pieces {
                history.push(piece, window);
                all.extend_from_slice(piece);
                let expected = &all[all.len().saturating_sub(window)..];
                prop_assert_eq!(history.parts().concat(), expected);
                prop_assert_eq!(history.total(), all.len() as u64);
                prop_assert!(history.bytes.capacity() <= window);
            }
        }
    }
}
