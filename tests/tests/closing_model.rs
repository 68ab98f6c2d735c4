//! A model of the end of a connection, RFC 6455 section 7, beside which a connection is held: whatever the order of
//! commands, input, time and the end of the transport. And what holds for timers: none fires early, none is left, and
//! they do not keep anybody busy.
#![allow(clippy::panic, clippy::unwrap_used)]

use core::time::Duration;

use proptest::prelude::*;
use ws_proto::{CloseCode, Config, Error, Instant, SendError, State, TimeoutReason, TransportAction};
use ws_tests::{Endpoint, Seen, at_ms, binary, close, cont, frames_and_rest, ping, pong, text, wire};

/// What may happen to an endpoint.
#[derive(Clone, Copy, Debug)]
enum Act {
    Close(u16),
    CloseNow(u16),
    Eof,
    Hear(Heard),
    Ping,
    Send(usize),
    Time(u64),
    Transmit(usize),
    TransportFailed,
}

/// What may arrive, whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Heard {
    Close(u16),
    Message,
    Ping,
    Pong,
    /// A continuation of nothing, a text that is none, and a message that is too big.
    Violation(usize),
}

const VIOLATIONS: [u16; 3] = [1002, 1007, 1009];

fn act() -> impl Strategy<Value = Act> {
    // 1005 is the empty Close frame; the other two cannot be sent.
    let code = || prop_oneof![Just(1000), 3000..3003_u16, Just(1005), Just(1006), Just(999)];
    let heard = prop_oneof![
        3 => prop_oneof![Just(1000), 4000..4003_u16, Just(1005)].prop_map(Heard::Close),
        4 => Just(Heard::Message),
        3 => Just(Heard::Ping),
        1 => Just(Heard::Pong),
        1 => (0..3_usize).prop_map(Heard::Violation),
    ];
    prop_oneof![
        2 => code().prop_map(Act::Close),
        1 => code().prop_map(Act::CloseNow),
        1 => Just(Act::Eof),
        8 => heard.prop_map(Act::Hear),
        1 => Just(Act::Ping),
        5 => (0..300_usize).prop_map(Act::Send),
        6 => prop_oneof![0..1000_u64, 0..20_000_u64].prop_map(Act::Time),
        8 => prop_oneof![1..10_usize, Just(10_000)].prop_map(Act::Transmit),
        1 => Just(Act::TransportFailed),
    ]
}

/// What is to be expected of it, as the RFC tells it and not as the connection does it.
#[derive(Debug, Default)]
struct Model {
    /// The code of our Close frame, once there is one.
    local: Option<u16>,
    peer: Option<u16>,
    error: Option<Error>,
    /// Our Close frame began to go out: nothing replaces it any more.
    close_begun: bool,
    aborted: bool,
}

impl Model {
    fn is_closing(&self) -> bool {
        self.local.is_some() || self.error.is_some()
    }

    fn fail(&mut self, error: Error) {
        if self.error.is_none() {
            self.error = Some(error);
            if let Some(code) = error.close_code()
                && self.peer.is_none()
                && !self.close_begun
            {
                self.local = Some(code.as_u16());
            }
        }
    }

    fn close(&mut self, code: u16) -> Result<(), SendError> {
        if self.is_closing() {
            return Err(SendError::Closing);
        }
        if matches!(code, 999 | 1006) {
            return Err(SendError::InvalidCloseCode(CloseCode::from(code)));
        }
        self.local = Some(code);
        Ok(())
    }

    fn hear(&mut self, heard: Heard) -> Option<Seen> {
        // Section 7.1.7: after a failure nothing is processed; and nothing comes behind a Close frame.
        if self.error.is_some() || self.peer.is_some() {
            return None;
        }
        match heard {
            Heard::Ping => Some(Seen::ping("?")),
            Heard::Pong => Some(Seen::pong("!")),
            // Nobody wants it behind our Close frame.
            Heard::Message => self.local.is_none().then(|| Seen::text("hello")),
            Heard::Close(code) => {
                self.peer = Some(code);
                self.local.get_or_insert(code);
                Some(Seen::close(code, ""))
            }
            Heard::Violation(_) => None,
        }
    }
}

/// A connection beside its model, and what it has sent.
struct Subject {
    end: Endpoint,
    model: Model,
    sent: Vec<u8>,
    /// Sends that were accepted.
    data: usize,
}

impl Subject {
    fn perform(&mut self, act: Act, now: &mut u64) -> Result<(), TestCaseError> {
        let Self { end, model, .. } = self;
        match act {
            Act::Close(code) => prop_assert_eq!(end.close(code, ""), model.close(code)),
            Act::CloseNow(code) => prop_assert_eq!(end.close_now(code, ""), model.close(code)),
            Act::Ping => {
                let expected = if model.is_closing() { Err(SendError::Closing) } else { Ok(()) };
                let got = end.conn.ping(b"mine");
                prop_assert!(got == expected || got == Err(SendError::Full), "{:?}", got);
            }
            Act::Send(n) => {
                let expected = if model.is_closing() { Err(SendError::Closing) } else { Ok(()) };
                prop_assert_eq!(end.send_binary(&vec![0; n]), expected);
                self.data += usize::from(expected.is_ok());
            }
            Act::Hear(heard) => {
                let frame = match heard {
                    Heard::Message => text("hello"),
                    Heard::Ping => ping("?"),
                    Heard::Pong => pong("!"),
                    Heard::Close(1005) => ws_tests::empty_close(),
                    Heard::Close(code) => close(code),
                    Heard::Violation(0) => cont(""),
                    Heard::Violation(1) => text(b"\xff"),
                    Heard::Violation(_) => binary([0; 1001]),
                };
                let expected = model.hear(heard);
                let ignored = model.error.is_some() || (model.peer.is_some() && expected.is_none());
                end.hear_bytes(&wire(&[frame], true));
                prop_assert_eq!(end.events(), expected.into_iter().collect::<Vec<_>>());
                if let Heard::Violation(which) = heard
                    && !ignored
                {
                    // A text is not looked at behind our Close frame, for it is passed over.
                    let passed_over = which > 0 && model.local.is_some();
                    if passed_over && end.error().is_none() {
                        return Ok(());
                    }
                    let error = end.error();
                    let code = error.and_then(|error| error.close_code()).map(CloseCode::as_u16);
                    prop_assert_eq!(code, Some(VIOLATIONS[which]));
                    model.fail(error.unwrap());
                }
            }
            Act::Eof => {
                let failed = model.peer.is_none() && model.error.is_none();
                if failed {
                    model.error = Some(Error::UnexpectedEof);
                }
                prop_assert_eq!(end.conn.receive_eof(), model.error.map_or(Ok(()), Err));
            }
            Act::TransportFailed => {
                if model.peer.is_none() && model.error.is_none() {
                    model.error = Some(Error::UnexpectedEof);
                }
                model.aborted = true;
                prop_assert_eq!(end.conn.transport_failed(), model.error.map_or(Ok(()), Err));
                prop_assert_eq!(end.conn.transport_action(&end.tx), TransportAction::Close);
            }
            Act::Transmit(room) => self.sent.extend(end.transmit(room)),
            Act::Time(ms) => self.pass(now, ms)?,
        }
        Ok(())
    }

    /// Time passes, in a step that may go beyond deadlines or stop short of them.
    fn pass(&mut self, now: &mut u64, ms: u64) -> Result<(), TestCaseError> {
        let Self { end, model, .. } = self;
        *now += ms;
        let deadline = end.conn.poll_timeout();
        let looks = |end: &Endpoint| {
            let conn = &end.conn;
            let wants = conn.wants_transmit(&end.tx);
            (conn.state(), conn.error(), conn.local_close(), conn.poll_timeout(), wants)
        };
        let before = looks(end);
        end.time(at_ms(*now));
        if deadline.is_none_or(|deadline| deadline > at_ms(*now)) {
            prop_assert_eq!(looks(end), before, "a timer fired early");
        }
        let next = end.conn.poll_timeout();
        prop_assert!(next.is_none_or(|next| next > at_ms(*now)), "due again at once");
        if model.error.is_none()
            && let Some(error) = end.conn.error()
        {
            prop_assert!(matches!(error, Error::Timeout(_)), "time made {:?}", error);
            model.fail(error);
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let Self { end, model, sent, data } = self;
        let (frames, rest) = frames_and_rest(sent, false);
        let closes: Vec<_> = frames.iter().filter(|frame| frame.opcode == 8).collect();
        prop_assert!(closes.len() <= 1, "two Close frames");
        let close_at = frames.iter().position(|frame| frame.opcode == 8).unwrap_or(frames.len());
        prop_assert!(frames[close_at..].iter().all(|frame| frame.opcode >= 8), "data behind the Close frame");
        prop_assert!(close_at == frames.len() || rest.first().is_none_or(|first| first & 0x0F >= 8));
        prop_assert!(frames.iter().filter(|frame| frame.opcode < 8).count() <= *data);
        model.close_begun |= !closes.is_empty() || rest.first().is_some_and(|first| first & 0x0F == 8);

        let conn = &end.conn;
        prop_assert_eq!(conn.local_close().map(CloseCode::as_u16), model.local);
        prop_assert_eq!(conn.peer_close().map(CloseCode::as_u16), model.peer);
        prop_assert_eq!(conn.error(), model.error);
        if let [frame] = closes[..] {
            let expected = match model.local {
                Some(1005) => vec![],
                code => code.unwrap().to_be_bytes().to_vec(),
            };
            prop_assert_eq!(&frame.payload, &expected, "another code than it says");
        }
        let both = model.peer.is_some() && !closes.is_empty();
        prop_assert_eq!(conn.is_clean(), both && model.error.is_none());
        let state = match () {
            // Without a transport there is nothing more to come, also where one of the Close frames is outstanding.
            () if model.error.is_some() || both || model.aborted => State::Closed,
            () if model.local.is_some() || model.peer.is_some() => State::Closing,
            () => State::Open,
        };
        prop_assert_eq!(conn.state(), state);
        // Received again, it says the same, once more or never.
        prop_assert!(!end.receive_one());
        prop_assert_eq!(end.error(), model.error);
        Ok(())
    }
}

fn some_seconds() -> impl Strategy<Value = Option<Duration>> {
    prop::option::of((1..30_u64).prop_map(Duration::from_secs))
}

/// A configuration, and whether a connection with it may wait for a peer for ever.
fn config() -> impl Strategy<Value = (Config, bool)> {
    (some_seconds(), some_seconds(), some_seconds(), some_seconds(), 1..20_u64).prop_map(
        |(idle, ping, pong, stall, close)| {
            let config = Config::default()
                .max_message_size(1000)
                .idle_timeout(idle)
                .ping_interval(ping)
                .pong_timeout(pong)
                .write_stall_timeout(stall)
                .close_timeout(Duration::from_secs(close));
            (config, idle.is_none() && (ping.is_none() || pong.is_none()))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn section_7_a_connection_ends_as_the_model_does_whatever_happens_in_whatever_order(
        acts in prop::collection::vec(act(), 1..60),
        (config, may_wait) in config(),
    ) {
        let mut subject = Subject {
            end: Endpoint::server_with(config),
            model: Model::default(),
            sent: Vec::new(),
            data: 0,
        };
        let mut now = 0;
        for act in acts {
            subject.perform(act, &mut now)?;
            subject.check()?;
        }
        // Whatever was started comes to an end, although the peer and the transport do nothing any more. A connection
        // that nobody closed and that waits for nothing may stay.
        let began = now;
        let mut wakeups = 0;
        while let Some(deadline) = subject.end.conn.poll_timeout() {
            let deadline = u64::try_from(deadline.as_duration().as_millis()).unwrap();
            let ms = deadline.saturating_sub(now);
            subject.pass(&mut now, ms)?;
            subject.check()?;
            wakeups += 1;
            let waits = may_wait && subject.end.conn.state() == State::Open;
            prop_assert!(wakeups < 50 || waits, "timers without end");
            if wakeups == 50 {
                break;
            }
        }
        let conn = &subject.end.conn;
        if conn.state() == State::Open {
            prop_assert!(may_wait, "a deadline was missed");
        } else {
            prop_assert_eq!(conn.poll_timeout(), None);
            prop_assert_eq!(conn.transport_action(&subject.end.tx), TransportAction::Close);
            prop_assert!(now - began <= 2 * 20_000 + 3 * 30_000, "it took {} ms", now - began);
        }
    }

    #[test]
    fn timers_never_fire_early_and_wake_nobody_more_often_than_something_is_due(
        (config, _) in config(),
        answers: bool,
        steps in prop::collection::vec((1..5000_u64, any::<bool>()), 1..200),
    ) {
        let mut end = Endpoint::client_with(config);
        let (mut now, mut wakeups, mut data) = (0_u64, 0_u64, 0_u64);
        for (ms, message) in &steps {
            let until = now + ms;
            // As an adapter does: it sleeps until the deadline or until something arrives.
            while let Some(deadline) = end.conn.poll_timeout().filter(|&deadline| deadline <= at_ms(until)) {
                end.time(deadline);
                wakeups += 1;
                for frame in end.say() {
                    if frame.opcode == 9 && answers {
                        end.hear(&[pong(&frame.payload)]);
                    }
                }
                prop_assert!(end.conn.poll_timeout().is_none_or(|next| next > deadline), "due again at once");
            }
            now = until;
            end.now = at_ms(now);
            if *message {
                end.hear(&[text("x")]);
                data += 1;
            }
        }
        // The shortest of what can be due over and over is a second; an idle timer that was moved is looked at never.
        prop_assert!(wakeups <= now / 1000 + 4, "{} wakeups in {} ms with {} messages", wakeups, now, data);
        if let Some(Error::Timeout(reason)) = end.error() {
            prop_assert!(reason != TimeoutReason::Pong || !answers, "{:?}", reason);
        }
        prop_assert!(end.now >= Instant::ZERO);
    }
}
