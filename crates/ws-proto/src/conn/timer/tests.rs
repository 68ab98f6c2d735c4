//! The table beside one with a place for each timer.

use proptest::prelude::*;

use super::*;

/// What the table has to be like, as simple as can be.
struct Naive([Option<Instant>; Timer::ALL.len()]);

impl Naive {
    fn deadline(&mut self, timer: Timer) -> &mut Option<Instant> {
        &mut self.0[timer as usize]
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Set(Timer, Instant),
    Stop(Timer),
    StopAll,
}

/// What the connection does: of these three one runs at a time, and only Close is set in spite of the others.
const EXCLUSIVE: [Timer; 3] = [Timer::Close, Timer::Ping, Timer::Pong];

fn a_timer() -> impl Strategy<Value = Timer> {
    prop::sample::select(&Timer::ALL[..])
}

fn an_instant() -> impl Strategy<Value = Instant> {
    prop_oneof![9 => (0..20_u64).prop_map(Instant::from_millis), 1 => Just(Instant::NEVER)]
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (a_timer(), an_instant()).prop_map(|(timer, deadline)| Step::Set(timer, deadline)),
        3 => a_timer().prop_map(Step::Stop),
        1 => Just(Step::StopAll),
    ]
}

proptest! {
    #[test]
    fn it_is_one_deadline_a_timer_as_close_ping_and_pong_exclude_each_other(
        steps in prop::collection::vec(a_step(), 0..40),
        now in an_instant(),
    ) {
        let (mut table, mut naive) = (TimerTable::new(), Naive([None; 5]));
        for step in steps {
            match step {
                Step::Set(timer, deadline) => {
                    let mut others = EXCLUSIVE.into_iter().filter(|&other| other != timer);
                    if EXCLUSIVE.contains(&timer) && others.any(|other| naive.deadline(other).is_some()) {
                        if timer != Timer::Close {
                            continue;
                        }
                        for other in [Timer::Ping, Timer::Pong] {
                            table.stop(other);
                            *naive.deadline(other) = None;
                        }
                    }
                    table.set(timer, deadline);
                    *naive.deadline(timer) = Some(deadline).filter(|&deadline| deadline != Instant::NEVER);
                }
                Step::Stop(timer) => {
                    table.stop(timer);
                    *naive.deadline(timer) = None;
                }
                Step::StopAll => {
                    table.stop_all();
                    naive = Naive([None; 5]);
                }
            }
            for timer in Timer::ALL {
                let deadline = *naive.deadline(timer);
                prop_assert_eq!(table.is_running(timer), deadline.is_some(), "{:?}", timer);
                let due = deadline.is_some_and(|deadline| deadline <= now);
                prop_assert_eq!(table.is_due(timer, now), due, "{:?}", timer);
            }
            prop_assert_eq!(table.next(), naive.0.into_iter().flatten().min());
        }
    }
}

#[test]
fn what_keepalive_does_leaves_the_deadline_of_the_closing_handshake_as_it_is() {
    let deadline = Instant::from_secs(10);
    for timer in [Timer::Ping, Timer::Pong] {
        let mut table = TimerTable::new();
        table.set(timer, Instant::from_secs(1));
        table.set(Timer::Close, deadline);
        assert!(!table.is_running(timer) && table.is_running(Timer::Close));
        table.set(timer, Instant::from_secs(1));
        table.stop(timer);
        assert!(!table.is_running(timer) && table.is_running(Timer::Close));
        assert_eq!(table.next(), Some(deadline));
    }
}
