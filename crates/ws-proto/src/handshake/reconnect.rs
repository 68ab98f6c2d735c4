//! How long a client waits before it connects again.

use core::time::Duration;

/// RFC 6455 section 7.2.3 on what the first delay is drawn from: "a value chosen randomly between 0 and 5 seconds is a
/// reasonable initial delay though clients MAY choose a different interval".
const FIRST: Duration = Duration::from_secs(5);

/// How long a client waits before it connects again after an abnormal closure: random, so that the clients of a
/// server that restarts do not all come back at once, and longer each time.
///
/// RFC 6455 section 7.2.3: "The first reconnect attempt SHOULD be delayed by a random amount of time. [..] Should the
/// first reconnect attempt fail, subsequent reconnect attempts SHOULD be delayed by increasingly longer amounts of
/// time, using a method such as truncated binary exponential backoff."
///
/// ```
/// use core::time::Duration;
/// use ws_proto::handshake::ReconnectDelay;
///
/// # fn random() -> u32 { 1 << 31 }
/// let mut delay = ReconnectDelay::new();
/// assert_eq!(delay.next(random()), Duration::from_millis(2_500)); // of 0 to 5 seconds
/// assert_eq!(delay.next(random()), Duration::from_secs(5)); // of 0 to 10 seconds
/// delay.reset(); // connected
/// assert_eq!(delay.next(random()), Duration::from_millis(2_500));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReconnectDelay {
    longest: Duration,
    bound: Duration,
}

impl ReconnectDelay {
    /// For the first attempt to connect again.
    pub const fn new() -> Self {
        Self { longest: Duration::from_secs(120), bound: FIRST }
    }

    /// The bound that delays do not grow beyond.
    ///
    /// Default: 2 minutes; whoever is away for longer than that is not missed for two more.
    #[must_use]
    pub const fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// The delay before the next attempt: between nothing and a bound, at a point that `random` chooses, which is any
    /// number, each as likely as another. The bound is 5 seconds at first, and twice as much each time.
    pub fn next(&mut self, random: u32) -> Duration {
        let bound = self.bound.min(self.longest);
        self.bound = self.bound.saturating_mul(2).min(self.longest.max(FIRST));
        let nanos = bound.as_nanos().saturating_mul(u128::from(random)) >> u32::BITS;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Says that a connection was made: the next delay is a first one again.
    pub const fn reset(&mut self) {
        self.bound = FIRST;
    }
}

impl Default for ReconnectDelay {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_7_2_3_delays_are_random_below_a_bound_that_doubles_up_to_a_limit() {
        let mut most = ReconnectDelay::new();
        let mut least = most;
        let secs: [u64; 8] = core::array::from_fn(|_| most.next(u32::MAX).as_millis().div_ceil(1000) as u64);
        assert_eq!(secs, [5, 10, 20, 40, 80, 120, 120, 120]);
        assert!((0..8).all(|_| least.next(0).is_zero()));
        most.reset();
        assert_eq!(most.next(1 << 31), Duration::from_millis(2500));
    }

    #[test]
    fn section_7_2_3_a_limit_holds_for_the_first_delay_as_well_and_none_is_too_long_to_compute() {
        let mut short = ReconnectDelay::new().longest(Duration::from_secs(1));
        assert!((0..100).all(|_| short.next(u32::MAX) <= Duration::from_secs(1)));
        let mut long = ReconnectDelay::new().longest(Duration::MAX);
        assert!((0..200).map(|_| long.next(u32::MAX)).is_sorted());
    }
}
