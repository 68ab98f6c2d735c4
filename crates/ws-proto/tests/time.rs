//! Points in time, and the clock that maps those of the standard library onto them.

use core::time::Duration;

use ws_proto::Instant;

#[test]
fn instants_count_from_the_epoch_and_saturate() {
    let second = Duration::from_secs(1);
    assert_eq!(Instant::from_secs(3), Instant::from_millis(3000));
    assert_eq!(Instant::from_millis(3).as_duration(), Duration::from_millis(3));
    assert_eq!(Instant::from_secs(2) + second, Instant::from_secs(3));
    assert_eq!(Instant::from_secs(3).saturating_duration_since(Instant::from_secs(2)), second);
    assert_eq!(Instant::from_secs(2).saturating_duration_since(Instant::from_secs(3)), Duration::ZERO);
    let last = Instant::from_duration(Duration::MAX);
    assert_eq!((last + second, Instant::from_secs(u64::MAX)), (last, last));
    assert_eq!(last.as_duration(), Duration::from_nanos(u64::MAX));
}

#[cfg(feature = "std")]
#[test]
fn a_clock_maps_the_time_of_the_standard_library_and_back() {
    use ws_proto::Clock;

    let epoch = std::time::Instant::now();
    let clock = Clock::from_epoch(epoch);
    let later = epoch + Duration::from_millis(1500);
    assert_eq!(clock.instant(epoch), Instant::ZERO);
    assert_eq!(clock.instant(later), Instant::from_millis(1500));
    assert_eq!(clock.to_std(Instant::from_millis(1500)), Some(later));
    // What was before the epoch is taken to be at it.
    assert_eq!(Clock::from_epoch(later).instant(epoch), Instant::ZERO);

    let before = std::time::Instant::now();
    for clock in [Clock::new(), Clock::default(), Clock::from_epoch(before)] {
        let now = clock.to_std(clock.now());
        assert!(now.is_some_and(|now| before <= now && now <= std::time::Instant::now()));
    }
    let old = std::time::Instant::now().checked_sub(Duration::from_secs(1));
    assert!(old.is_none_or(|old| Clock::from_epoch(old).now() >= Instant::from_secs(1)));
}
