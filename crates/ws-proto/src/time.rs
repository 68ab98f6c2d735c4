//! Time as data: a point since an epoch of the caller's choosing.

use core::time::Duration;

/// A point in time, counted in nanoseconds since an epoch that the caller chooses.
///
/// The core never asks what time it is: whoever drives it says so. Any monotonic source will do; with the
/// feature `std`, `Clock` makes one from `std::time::Instant`. Firmware uses its tick counter, a test
/// uses numbers. All instants given to one connection must have the same epoch. Time that runs backwards is
/// harmless: timers fire later than they could have.
///
/// ```
/// use core::time::Duration;
/// use ws_proto::Instant;
///
/// let start = Instant::from_millis(1_500);
/// assert_eq!(start + Duration::from_millis(500), Instant::from_secs(2));
/// assert_eq!(Instant::from_secs(2).saturating_duration_since(start), Duration::from_millis(500));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Instant {
    nanos: u64,
}

impl Instant {
    /// The epoch itself.
    pub const ZERO: Self = Self { nanos: 0 };

    /// So far away that no deadline reaches it: 584 years after the epoch.
    pub(crate) const NEVER: Self = Self { nanos: u64::MAX };

    /// The point `since_epoch` after the epoch. Saturates after 584 years.
    pub const fn from_duration(since_epoch: Duration) -> Self {
        let nanos = since_epoch.as_nanos();
        Self { nanos: if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 } }
    }

    /// The point `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self { nanos: millis.saturating_mul(1_000_000) }
    }

    /// The point `secs` seconds after the epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self { nanos: secs.saturating_mul(1_000_000_000) }
    }

    /// The time since the epoch.
    pub const fn as_duration(self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// The same as the sum with a duration, for one of milliseconds, of which the nanoseconds are in range.
    #[inline]
    pub(crate) const fn saturating_add_millis(self, millis: u32) -> Self {
        Self { nanos: self.nanos.saturating_add(millis as u64 * 1_000_000) }
    }

    /// The time from `earlier` until `self`, or zero if `earlier` is in fact later.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos.saturating_sub(earlier.nanos))
    }
}

impl core::ops::Add<Duration> for Instant {
    type Output = Self;

    /// Saturates 584 years after the epoch, as everything here does: a timer set to "for ever" is no panic.
    fn add(self, duration: Duration) -> Self {
        Self { nanos: self.nanos.saturating_add(Self::from_duration(duration).nanos) }
    }
}

/// Turns the standard library's clock into [`Instant`]s and back.
///
/// One `Clock` a program is enough; connections that share it can be compared.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: std::time::Instant,
}

#[cfg(feature = "std")]
impl Clock {
    /// A clock whose epoch is now.
    pub fn new() -> Self {
        Self { epoch: std::time::Instant::now() }
    }

    /// A clock whose epoch is `epoch`.
    pub fn from_epoch(epoch: std::time::Instant) -> Self {
        Self { epoch }
    }

    /// The current time. Sample it once a turn of the loop, not once a call.
    pub fn now(&self) -> Instant {
        self.instant(std::time::Instant::now())
    }

    /// The standard library's `at`, seen from this clock; points before the epoch are the epoch.
    pub fn instant(&self, at: std::time::Instant) -> Instant {
        Instant::from_duration(at.saturating_duration_since(self.epoch))
    }

    /// The standard library's name for `at`; `None` if the platform cannot express it.
    pub fn to_std(&self, at: Instant) -> Option<std::time::Instant> {
        self.epoch.checked_add(at.as_duration())
    }
}

#[cfg(feature = "std")]
impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
