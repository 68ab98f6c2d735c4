//! The deadlines of many connections, folded into the one timeout of `Poll::poll`.

mod queue;

use std::time::Duration;

use mio::Token;
use ws_proto::Instant;

use self::queue::{Entry, Queue};

/// The deadlines of many connections, each known by its token.
///
/// Ten thousand connections cost no scan: a deadline that moves away, as most do, is only noted, and corrected
/// when its old time has come. Memory is some 35 bytes a token.
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
    /// One entry a token, by the time at which it is looked at.
    queue: Queue,
}

impl Timeouts {
    /// No deadlines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the deadline of `token`. `None` removes it, as for a connection that is dropped.
    pub fn set(&mut self, token: Token, deadline: Option<Instant>) {
        match (self.queue.find(token), deadline) {
            (Some(place), Some(at)) => self.queue.set(place, at),
            (Some(place), None) => self.queue.remove(place),
            (None, Some(at)) => self.queue.push(Entry { token, at, looked_at: at }),
            (None, None) => {}
        }
    }

    /// How long `Poll::poll` may sleep: until a deadline may have come. `None` if there is none.
    pub fn poll_duration(&self, now: Instant) -> Option<Duration> {
        // mio rounds up to the millisecond where the system counts in those, so that this does not wake up too early.
        self.queue.first().map(|entry| entry.looked_at.saturating_duration_since(now))
    }

    /// The tokens whose deadlines have come, each once, and forgets those deadlines: set the new ones.
    ///
    /// Ask once a turn. A connection that says that it is due at once again is given with the next call, when the
    /// others had their turn.
    pub fn expired(&mut self, now: Instant) -> Vec<Token> {
        let mut expired = Vec::new();
        while let Some(&Entry { token, at, looked_at }) = self.queue.first()
            && looked_at <= now
        {
            if at > now {
                self.queue.postpone_first();
            } else {
                self.queue.remove(0);
                expired.push(token);
            }
        }
        expired
    }

    /// How many tokens have a deadline.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether there are no deadlines.
    pub fn is_empty(&self) -> bool {
        self.queue.len() == 0
    }
}
