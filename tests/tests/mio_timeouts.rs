//! The deadlines of many connections in `ws-mio`: beside a list, and under a counting allocator.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;

use mio::Token;
use proptest::prelude::*;
use ws_mio::{Instant, Timeouts};
use ws_tests::counting::{Counting, allocations, live};

#[global_allocator]
static COUNTING: Counting = Counting;

#[derive(Clone, Debug)]
enum Step {
    Set(Token, Option<Instant>),
    Expire(Instant),
}

fn a_step() -> impl Strategy<Value = Step> {
    let token = prop_oneof![0..12_usize, Just(usize::MAX), Just(1 << 40)].prop_map(Token);
    let deadline = proptest::option::weighted(0.8, (0..40_u64).prop_map(Instant::from_millis));
    prop_oneof![
        3 => (token, deadline).prop_map(|(token, deadline)| Step::Set(token, deadline)),
        1 => (0..40_u64).prop_map(|now| Step::Expire(Instant::from_millis(now))),
    ]
}

/// When each token is due, and when that is looked at.
#[derive(Default)]
struct Naive(BTreeMap<Token, (Instant, Instant)>);

impl Naive {
    fn set(&mut self, token: Token, deadline: Option<Instant>) {
        match deadline {
            Some(at) => {
                let looked_at = self.0.get(&token).map_or(at, |entry| entry.1.min(at));
                self.0.insert(token, (at, looked_at));
            }
            None => drop(self.0.remove(&token)),
        }
    }

    fn first(&self) -> Option<(Instant, Token)> {
        self.0.iter().map(|(&token, &(_, looked_at))| (looked_at, token)).min()
    }

    fn expired(&mut self, now: Instant) -> Vec<Token> {
        let mut expired = Vec::new();
        while let Some((_, token)) = self.first().filter(|&(looked_at, _)| looked_at <= now) {
            let at = self.0[&token].0;
            if at <= now {
                self.0.remove(&token);
                expired.push(token);
            } else {
                self.0.insert(token, (at, at));
            }
        }
        expired
    }
}

proptest! {
    #[test]
    fn every_token_expires_once_when_its_last_deadline_has_come_and_nothing_is_slept_through(
        steps in proptest::collection::vec(a_step(), 0..80),
    ) {
        let (mut timeouts, mut naive) = (Timeouts::new(), Naive::default());
        for step in steps {
            match step {
                Step::Set(token, deadline) => {
                    timeouts.set(token, deadline);
                    naive.set(token, deadline);
                }
                Step::Expire(now) => {
                    let due: Vec<Token> =
                        naive.0.iter().filter(|(_, (at, _))| *at <= now).map(|(&token, _)| token).collect();
                    let mut expired = timeouts.expired(now);
                    prop_assert_eq!(&expired, &naive.expired(now));
                    expired.sort();
                    prop_assert_eq!(expired, due);
                }
            }
            prop_assert_eq!(timeouts.len(), naive.0.len());
            prop_assert_eq!(timeouts.is_empty(), naive.0.is_empty());
            let sleeps = naive.first().map(|(looked_at, _)| looked_at.as_duration());
            prop_assert_eq!(timeouts.poll_duration(Instant::ZERO), sleeps);
        }
    }
}

#[test]
fn ten_thousand_deadlines_take_36_bytes_each_and_no_more_however_often_they_change() {
    const TOKENS: usize = 10_000;
    let before = live();
    let mut timeouts = Timeouts::new();
    for n in 0..TOKENS {
        timeouts.set(Token(n), Some(Instant::from_millis(20_000 + n as u64)));
    }
    let each = (live() - before) as usize / TOKENS;
    println!("{each} bytes a token");
    assert!(each <= 36, "{each}");

    let made = allocations();
    for round in 1..=10_u64 {
        for n in 0..TOKENS {
            let token = Token(n * 7919 % TOKENS);
            let (far, near) = (Instant::from_secs(20 + round), Instant::from_secs(19 - round));
            timeouts.set(token, Some(far));
            timeouts.set(token, Some(near));
            timeouts.set(token, Some(far));
            if n % 3 == 0 {
                timeouts.set(token, None);
                timeouts.set(token, Some(far));
            }
        }
    }
    assert_eq!(timeouts.len(), TOKENS);
    assert_eq!(allocations(), made);
}
