//! Entries in the order in which they are looked at, each of which can be found by its token.

use hashbrown::HashTable;
use mio::Token;
use ws_proto::Instant;

/// How many entries are behind one in the heap. Four make it half as deep as two would, and each step costs two look-ups.
const ARITY: usize = 4;

/// The deadline of one token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) token: Token,
    pub(super) at: Instant,
    /// Never later than `at`.
    pub(super) looked_at: Instant,
}

impl Entry {
    const fn order(&self) -> (Instant, Token) {
        (self.looked_at, self.token)
    }
}

/// A heap, and where in it the entry of each token is.
///
/// A map of the standard library would have the tokens once more, in buckets of sixteen bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    // INVARIANT: no entry comes before the one at (its place - 1) / ARITY; no two have the same token
    entries: Vec<Entry>,
    // INVARIANT: the numbers below `entries.len()`, each once, by the hash of the token of the entry there
    places: HashTable<u32>,
}

impl Queue {
    /// Adds an entry for a token that has none.
    pub(super) fn push(&mut self, entry: Entry) {
        // More than four billion tokens would need a hundred gigabytes.
        let Ok(place) = u32::try_from(self.entries.len()) else { return };
        if self.entries.len() == self.entries.capacity() {
            // Not twice as many, as most of the memory of a large server's deadlines would be unused then.
            self.entries.reserve_exact((self.entries.len() / 8).max(8));
        }
        self.entries.push(entry);
        let entries = &self.entries;
        self.places.insert_unique(hash(entry.token), place, |&place| hash(entries[place as usize].token));
        self.rise(place as usize);
    }

    pub(super) fn remove(&mut self, place: usize) {
        let last = self.entries.len() - 1;
        self.swap(place, last);
        let found = self.places.find_entry(hash(self.entries[last].token), |&other| other as usize == last);
        if let Ok(found) = found {
            found.remove();
        }
        self.entries.pop();
        if place < last {
            self.rise(place);
            self.sink(place);
        }
    }

    /// Changes the deadline. Only if that is earlier than when it is looked at, the entry moves.
    #[inline]
    pub(super) fn set(&mut self, place: usize, at: Instant) {
        let entry = &mut self.entries[place];
        entry.at = at;
        if at < entry.looked_at {
            entry.looked_at = at;
            self.rise(place);
        }
    }

    /// The first entry is looked at when its deadline has come, and not before.
    pub(super) fn postpone_first(&mut self) {
        if let Some(entry) = self.entries.first_mut() {
            entry.looked_at = entry.at;
            self.sink(0);
        }
    }

    /// The entry that is looked at first.
    pub(super) fn first(&self) -> Option<&Entry> {
        self.entries.first()
    }

    #[inline]
    pub(super) fn find(&self, token: Token) -> Option<usize> {
        let is_its = |&place: &u32| self.entries[place as usize].token == token;
        self.places.find(hash(token), is_its).map(|&place| place as usize)
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Moves an entry to the front as far as it belongs there.
    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let before = (place - 1) / ARITY;
            if self.entries[before].order() <= self.entries[place].order() {
                break;
            }
            self.swap(before, place);
            place = before;
        }
    }

    /// Moves an entry to the back as far as it belongs there.
    fn sink(&mut self, mut place: usize) {
        loop {
            let behind = place * ARITY + 1..self.entries.len().min(place * ARITY + 1 + ARITY);
            let Some(first) = behind.min_by_key(|&behind| self.entries[behind].order()) else { break };
            if self.entries[place].order() <= self.entries[first].order() {
                break;
            }
            self.swap(place, first);
            place = first;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        let hashes = [a, b].map(|place| hash(self.entries[place].token));
        let found = self.places.get_disjoint_mut(hashes, |n, &place| place as usize == [a, b][n]);
        if let [Some(a), Some(b)] = found {
            std::mem::swap(a, b);
        }
        self.entries.swap(a, b);
    }
}

/// Tokens are numbers that the application chose, mostly small ones in a row, and nobody else can make them collide; so
/// that one multiplication spreads them well enough, for a look-up in each turn of each connection.
#[inline]
const fn hash(token: Token) -> u64 {
    // 2^64 divided by the golden ratio. The high half of the product depends on all bits of the number.
    let product = token.0 as u128 * 0x9E37_79B9_7F4A_7C15;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That the invariants hold.
    fn check(queue: &Queue) {
        for (place, entry) in queue.entries.iter().enumerate() {
            assert_eq!(queue.find(entry.token), Some(place));
            assert!(place == 0 || queue.entries[(place - 1) / ARITY].order() <= entry.order());
            assert!(entry.looked_at <= entry.at);
        }
        assert_eq!(queue.places.len(), queue.entries.len());
    }

    #[test]
    fn every_entry_is_where_it_belongs_and_where_it_is_looked_for_whatever_is_done() {
        let mut queue = Queue::default();
        let mut random = 1_u64;
        let mut below = |n: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % n
        };
        for step in 0..if cfg!(miri) { 300 } else { 10_000 } {
            // Sets that grow and shrink again.
            let shrinks = step / 500 % 2 == 1;
            let token = Token((below(500) as usize).wrapping_mul(usize::MAX / 499));
            let at = Instant::from_millis(below(50));
            match (queue.find(token), below(10)) {
                (Some(place), 0..5) if shrinks => queue.remove(place),
                (Some(place), 0) => queue.remove(place),
                (Some(place), _) => queue.set(place, at),
                (None, 0..2) => queue.postpone_first(),
                (None, _) if shrinks => {}
                (None, _) => queue.push(Entry { token, at, looked_at: at }),
            }
            check(&queue);
        }
    }

    #[test]
    fn tokens_in_a_row_or_a_power_of_two_apart_have_hashes_of_their_own_in_every_part_that_a_table_looks_at()
    {
        for shift in 0..54 {
            let (mut low, mut high) = ([0_u8; 1024], [0_u32; 128]);
            for n in 0..1024_usize {
                let hash = hash(Token(n << shift));
                low[(hash % 1024) as usize] += 1;
                high[(hash >> 57) as usize] += 1;
            }
            assert!(low.iter().all(|&count| count <= 8), "{shift}: {:?}", low.iter().max());
            assert!(high.iter().all(|&count| count <= 32), "{shift}: {:?}", high.iter().max());
        }
    }
}
