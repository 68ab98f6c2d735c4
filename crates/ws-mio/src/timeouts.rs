//! The deadlines of many connections, folded into the one timeout of `Poll::poll`.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use mio::Token;
use ws_proto::Instant;

/// The deadlines of many connections, each known by its token.
///
/// Ten thousand connections cost no scan: a deadline that moves away, as most do, is only noted, and corrected
/// when its old time has come. Memory is one entry a token.
///
/// ```
/// use std::time::Duration;
/// use mio::Token;
/// use ws_mio::{Instant, Timeouts};
///
/// let mut timeouts = Timeouts::new();
/// timeouts.set(Token(1), Some(Instant::from_secs(20)));
/// timeouts.set(Token(2), Some(Instant::from_secs(30)));
///
/// assert_eq!(timeouts.poll_duration(Instant::from_secs(15)), Some(Duration::from_secs(5)));
/// assert_eq!(timeouts.expired(Instant::from_secs(20)), [Token(1)]);
/// assert_eq!(timeouts.expired(Instant::from_secs(20)), []);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Timeouts {
    tokens: HashMap<Token, Deadline, BuildHasherDefault<TokenHasher>>,
    /// One entry a token, for the time at which it is looked at.
    // INVARIANT: (looked_at, token) is in here exactly if the token has that entry in `tokens`.
    queue: BTreeSet<(Instant, Token)>,
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    at: Instant,
    /// Never later than `at`.
    looked_at: Instant,
}

/// Tokens are numbers that the application chose, mostly small ones in a row, and nobody else can make them collide; so
/// that one multiplication spreads them well enough, for a look-up in each turn of each connection.
#[derive(Clone, Copy, Debug, Default)]
struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_usize(usize::from(byte)));
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        // 2^64 divided by the golden ratio. The high half of the product depends on all bits of the number.
        let product = u128::from(self.0 ^ number as u64) * 0x9E37_79B9_7F4A_7C15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

impl Timeouts {
    /// No deadlines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the deadline of `token`. `None` removes it, as for a connection that is dropped.
    pub fn set(&mut self, token: Token, deadline: Option<Instant>) {
        let Some(at) = deadline else {
            if let Some(old) = self.tokens.remove(&token) {
                self.queue.remove(&(old.looked_at, token));
            }
            return;
        };
        match self.tokens.get_mut(&token) {
            Some(old) if old.looked_at <= at => old.at = at,
            Some(old) => {
                self.queue.remove(&(old.looked_at, token));
                self.queue.insert((at, token));
                *old = Deadline { at, looked_at: at };
            }
            None => {
                self.tokens.insert(token, Deadline { at, looked_at: at });
                self.queue.insert((at, token));
            }
        }
    }

    /// How long `Poll::poll` may sleep: until a deadline may have come. `None` if there is none.
    pub fn poll_duration(&self, now: Instant) -> Option<Duration> {
        // mio rounds up to the millisecond where the system counts in those, so that this does not wake up too early.
        self.queue.first().map(|(at, _)| at.saturating_duration_since(now))
    }

    /// The tokens whose deadlines have come, each once, and forgets those deadlines: set the new ones.
    ///
    /// Ask once a turn. A connection that says that it is due at once again is given with the next call, when the
    /// others had their turn.
    pub fn expired(&mut self, now: Instant) -> Vec<Token> {
        let mut expired = Vec::new();
        while let Some(&(looked_at, token)) = self.queue.first() {
            if looked_at > now {
                break;
            }
            self.queue.pop_first();
            match self.tokens.get_mut(&token) {
                Some(deadline) if deadline.at > now => {
                    deadline.looked_at = deadline.at;
                    self.queue.insert((deadline.at, token));
                }
                _ => {
                    self.tokens.remove(&token);
                    expired.push(token);
                }
            }
        }
        expired
    }

    /// How many tokens have a deadline.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no deadlines.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}
