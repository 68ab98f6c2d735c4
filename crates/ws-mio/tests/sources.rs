//! Messages that sources give piece by piece, over a transport in memory.

#![allow(clippy::panic, clippy::unwrap_used)] // The helpers of tests may do as tests do.

mod support;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::*;
use ws_mio::{
    CloseCode, Config, Error, Instant, Kind, Message, Pull, Role, Rsv, SendError, Source, State, WebSocket,
};

const NOW: Instant = Instant::from_secs(1000);

fn server(io: Memory) -> WebSocket<Memory> {
    WebSocket::from_upgraded(io, Role::Server, Config::default(), NOW, &[])
}

fn turn(ws: &mut WebSocket<Memory>) {
    while ws.next(NOW).unwrap().is_some() {}
}

/// A source that answers what a script says, and counts how often it is asked and dropped.
#[derive(Debug)]
struct Script {
    answers: VecDeque<(Pull, &'static [u8])>,
    asked: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = (Pull, &'static [u8])>) -> Self {
        Self { answers: answers.into_iter().collect(), asked: Arc::default(), dropped: Arc::default() }
    }

    fn pending() -> Self {
        Self::new([])
    }

    fn counters(&self) -> (Arc<AtomicUsize>, Arc<AtomicUsize>) {
        (self.asked.clone(), self.dropped.clone())
    }
}

impl Source for Script {
    fn pull(&mut self, room: &mut [u8]) -> Pull {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (answer, bytes) = self.answers.pop_front().unwrap_or((Pull::Pending, b""));
        room[..bytes.len()].copy_from_slice(bytes);
        answer
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn get(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::Relaxed)
}

fn data(bytes: &'static [u8]) -> (Pull, &'static [u8]) {
    (Pull::Data(bytes.len()), bytes)
}

fn last(bytes: &'static [u8]) -> (Pull, &'static [u8]) {
    (Pull::Last(bytes.len()), bytes)
}

const PENDING: (Pull, &[u8]) = (Pull::Pending, b"");

#[test]
fn a_source_is_sent_piece_by_piece_and_dropped_at_its_end() {
    let mut ws = server(Memory::default());
    let source = Script::new([data(b"Hel"), last(b"lo")]);
    let (_, dropped) = source.counters();
    ws.send_source(Kind::Text, source).unwrap();
    assert_eq!(ws.queued_messages(), 1);
    assert!(!ws.is_drained() && ws.has_more());
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, b"\x01\x03Hel\x80\x02lo");
    assert!(ws.is_drained());
    assert_eq!((ws.queued_messages(), get(&dropped)), (0, 1));
}

#[test]
fn a_source_that_is_empty_and_last_at_once_sends_an_empty_message() {
    let mut ws = server(Memory::default());
    assert!(ws.send_source(Kind::Binary, |_: &mut [u8]| Pull::Last(0)).is_ok());
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, b"\x82\x00");
}

#[test]
fn what_is_sent_later_waits_behind_a_source_and_keeps_its_order() {
    let config = Config::default().allowed_rsv(Rsv::RSV1);
    let mut ws = WebSocket::from_upgraded(Memory::default(), Role::Server, config, NOW, &[]);
    ws.send(Message::Text("0")).unwrap();
    ws.send_source_with_rsv(Rsv::RSV1, Kind::Binary, Script::new([data(b"a"), PENDING, last(b"b")])).unwrap();
    ws.send(Message::Text("1")).unwrap();
    ws.send_owned(Kind::Binary, bytes::Bytes::from_static(b"2")).unwrap();
    ws.send_source(Kind::Text, Script::new([last(b"3")])).unwrap();
    ws.send_with_rsv(Rsv::RSV1, Kind::Text, b"4").unwrap();
    assert_eq!((ws.queued_messages(), ws.buffered_amount()), (6, 3 + 3));
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, b"\x81\x010\x42\x01a");
    assert_eq!((ws.queued_messages(), ws.buffered_amount()), (5, 3));
    ws.resume_source();
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, b"\x81\x010\x42\x01a\x80\x01b\x81\x011\x82\x012\x81\x013\xC1\x014");
    assert!(ws.is_drained());
}

/// RFC 7692 section 6: the bit is that of permessage-deflate.
#[cfg(feature = "deflate")]
#[test]
fn the_bit_of_permessage_deflate_is_refused_behind_a_source_as_well() {
    use ws_proto::deflate::{DeflateConfig, DeflateParams};

    let config = Config::default().allowed_rsv(Rsv::RSV1);
    let mut ws = WebSocket::from_upgraded(Memory::default(), Role::Server, config, NOW, &[]);
    ws.enable_deflate(DeflateParams::default(), &DeflateConfig::new());
    ws.send_source(Kind::Text, Script::pending()).unwrap();
    assert_eq!(ws.send_with_rsv(Rsv::RSV1, Kind::Text, b"x"), Err(SendError::ReservedBits));
    let refused = ws.send_source_with_rsv(Rsv::RSV1, Kind::Text, Script::pending());
    assert_eq!(refused.unwrap_err().0, SendError::ReservedBits);
}

#[test]
fn what_could_not_be_sent_is_refused_behind_a_source_as_well() {
    let mut ws = server(Memory::default());
    ws.set_send_limit(1000);
    ws.send_source(Kind::Text, Script::pending()).unwrap();
    let invalid = bytes::Bytes::from_static(&[0xFF]);
    assert_eq!(ws.send_owned(Kind::Text, invalid.clone()), Err((SendError::InvalidUtf8, invalid)));
    assert_eq!(ws.send_with_rsv(Rsv::RSV1, Kind::Text, b""), Err(SendError::ReservedBits));
    assert_eq!(ws.send_with_rsv(Rsv::NONE, Kind::Text, b"\xFF"), Err(SendError::InvalidUtf8));
    assert_eq!(ws.send_fragment(Kind::Text, b"x", true), Err(SendError::MessageInProgress));
    assert_eq!(ws.begin_message(Kind::Text), Err(SendError::MessageInProgress));
    turn(&mut ws);
    // The message in progress is the source's, nobody else's.
    assert_eq!(ws.write_message(b"x"), Err(SendError::NoMessage));
    assert_eq!(ws.finish_message(), Err(SendError::NoMessage));
    ws.abort_message(NOW);
    assert_eq!(ws.queued_messages(), 1);
    ws.send(Message::Binary(&[0; 800])).unwrap();
    assert_eq!(ws.send(Message::Binary(&[0; 800])), Err(SendError::Full));
    let source = Script::new([last(b"came back")]);
    let (_, dropped) = source.counters();
    let mut taken = 0;
    let (error, source) = loop {
        match ws.send_source(Kind::Text, Script::pending()) {
            Ok(()) => taken += 1,
            Err(_) => break ws.send_source(Kind::Text, source).unwrap_err(),
        }
        assert!(taken < 20, "sources are not bounded");
    };
    assert_eq!((error, get(&dropped), source.answers.len()), (SendError::Full, 0, 1));
}

#[test]
fn a_message_is_answered_by_a_source() {
    let mut ws = server(Memory::with_incoming(masked(TEXT, b"the file, please")));
    let (_, mut reply) = ws.next(NOW).unwrap().unwrap();
    reply.send_source(Kind::Text, Script::new([data(b"He"), last(b"re")])).unwrap();
    reply.send(Message::Text("done")).unwrap();
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, b"\x01\x02He\x80\x02re\x81\x04done");
}

#[test]
fn a_source_behind_a_message_that_is_being_pushed_comes_back() {
    let mut ws = server(Memory::default());
    ws.begin_message(Kind::Text).unwrap();
    let (error, _) = ws.send_source(Kind::Text, Script::pending()).unwrap_err();
    assert_eq!(error, SendError::MessageInProgress);
}

#[test]
fn a_pending_source_is_not_asked_and_nothing_waits_for_it_until_it_is_resumed() {
    let config = Config::default().ping_interval(None);
    let mut ws = WebSocket::from_upgraded(Memory::default(), Role::Server, config, NOW, &[]);
    let source = Script::new([data(b"a"), PENDING, PENDING, last(b"b")]);
    let (asked, _) = source.counters();
    ws.send_source(Kind::Text, source).unwrap();
    assert_eq!(ws.interest(), Some(mio::Interest::READABLE | mio::Interest::WRITABLE));
    for _ in 0..3 {
        turn(&mut ws);
        assert_eq!(ws.interest(), Some(mio::Interest::READABLE));
        assert_eq!((ws.poll_timeout(), get(&asked)), (None, 2));
        ws.handle_readiness(false, true);
    }
    ws.resume_source();
    assert!(ws.has_more());
    turn(&mut ws);
    assert_eq!((ws.poll_timeout(), get(&asked)), (None, 3));
    ws.resume_source();
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, b"\x01\x01a\x80\x01b");
}

#[test]
fn a_fast_source_is_asked_only_while_the_output_has_room() {
    let mut ws = server(Memory { room: Some(100_000), ..Memory::default() });
    let sent = ws.send_source(Kind::Binary, |room: &mut [u8]| {
        room.fill(7);
        Pull::Data(room.len())
    });
    assert!(sent.is_ok());
    turn(&mut ws);
    assert_eq!(ws.io().outgoing.len(), 100_000);
    assert!(ws.buffered_amount() < 33 << 10, "{}", ws.buffered_amount());
    assert!(!ws.has_more());
    ws.io_mut().room = Some(50_000);
    ws.handle_readiness(false, true);
    turn(&mut ws);
    assert_eq!(ws.io().outgoing.len(), 150_000);
}

#[test]
fn one_turn_asks_an_endless_source_a_bounded_number_of_times() {
    for piece in [1, 16 << 10] {
        let mut ws = server(Memory::default());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let sent = ws.send_source(Kind::Binary, move |room: &mut [u8]| {
            counter.fetch_add(1, Ordering::Relaxed);
            Pull::Data(piece.min(room.len()))
        });
        assert!(sent.is_ok());
        turn(&mut ws);
        assert!(get(&asked) <= 128, "{}", get(&asked));
        assert!(ws.has_more() && ws.poll_timeout().unwrap() <= NOW);
        assert!(ws.io().outgoing.len() <= 3 << 20);
    }
}

#[test]
fn control_frames_go_between_the_fragments_of_a_slow_source_and_the_peers_close_is_answered() {
    let mut ws = server(Memory::default());
    let source = Script::new([data(b"a"), PENDING, data(b"b"), PENDING]);
    let (_, dropped) = source.counters();
    ws.send_source(Kind::Text, source).unwrap();
    ws.send(Message::Text("behind")).unwrap();
    turn(&mut ws);
    ws.io_mut().incoming.extend(masked(PING, b"?"));
    ws.handle_readiness(true, false);
    turn(&mut ws);
    ws.resume_source();
    ws.ping(b"!").unwrap();
    turn(&mut ws);
    ws.io_mut().incoming.extend(masked(CLOSE, &close_body(1001, "")));
    ws.handle_readiness(true, false);
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, b"\x01\x01a\x8A\x01?\x89\x01!\x00\x01b\x88\x02\x03\xE9");
    assert!(ws.is_clean());
    assert_eq!((get(&dropped), ws.queued_messages(), ws.buffered_amount()), (1, 0, 0));
}

#[test]
fn what_piles_up_behind_a_slow_source_is_bounded_and_does_not_keep_pings_from_being_answered() {
    let input = [masked(BINARY, &[7; 90_000]).repeat(20), masked(PING, b"?")].concat();
    let mut ws = server(Memory::with_incoming(input));
    ws.send_source(Kind::Binary, Script::pending()).unwrap();
    let mut refused = 0;
    while ws.has_more() {
        while let Some((event, mut reply)) = ws.next(NOW).unwrap() {
            if let ws_mio::Event::Data(message) = event
                && let Err(error) = reply.send(message)
            {
                assert_eq!(error, SendError::Full);
                refused += 1;
            }
        }
    }
    // As much as the send limit lets in.
    assert_eq!((refused, ws.queued_messages(), ws.buffered_amount()), (9, 12, 11 * 90_000));
    assert_eq!(ws.io().outgoing, unmasked(PONG, b"?"));
    assert_eq!(ws.interest(), Some(mio::Interest::READABLE));
}

#[test]
fn a_paused_writer_does_not_ask_its_sources() {
    let mut ws = server(Memory::default());
    let source = Script::new([last(b"x")]);
    let (asked, _) = source.counters();
    ws.pause_writing();
    ws.send_source(Kind::Text, source).unwrap();
    turn(&mut ws);
    assert_eq!((get(&asked), ws.interest(), ws.has_more()), (0, Some(mio::Interest::READABLE), false));
    ws.resume_writing();
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, b"\x81\x01x");
}

#[test]
fn a_source_that_fails_or_claims_too_much_or_gives_no_text_closes_with_1011_and_is_reported_once() {
    let cases = [
        ((Pull::Failed, &b""[..]), SendError::SourceFailed),
        ((Pull::Data(usize::MAX), b""), SendError::SourceFailed),
        ((Pull::Last(1 << 20), b""), SendError::SourceFailed),
        ((Pull::Data(2), b"a\xFF"), SendError::InvalidUtf8),
        ((Pull::Last(1), b"\xC3"), SendError::InvalidUtf8),
    ];
    for (bad, expected) in cases {
        for sent_before in [false, true] {
            let mut ws = server(Memory::default());
            let good = sent_before.then_some(data(b"ok"));
            let source = Script::new(good.into_iter().chain([bad]));
            let (_, dropped) = source.counters();
            ws.send_source(Kind::Text, source).unwrap();
            ws.send(Message::Text("behind")).unwrap();
            let error = ws.next(NOW).unwrap_err();
            assert!(matches!(error, Error::Source(error) if error == expected), "{error:?}");
            assert_eq!((get(&dropped), ws.queued_messages()), (1, 0));
            let mut wire = if sent_before { b"\x01\x02ok".to_vec() } else { Vec::new() };
            wire.extend(unmasked(CLOSE, &close_body(1011, "")));
            assert_eq!(ws.io().outgoing, wire);
            assert_eq!(ws.local_close(), Some(CloseCode::INTERNAL_ERROR));
            // The closing handshake is completed as ever.
            ws.io_mut().incoming.extend(masked(CLOSE, &close_body(1011, "")));
            ws.io_mut().incoming_ends = true;
            ws.handle_readiness(true, false);
            turn(&mut ws);
            assert!(ws.is_closed());
        }
    }
}

#[test]
fn a_close_goes_behind_messages_and_gives_sources_up() {
    let mut ws = server(Memory::default());
    let source = Script::new([PENDING]);
    let (_, dropped) = source.counters();
    ws.send_source(Kind::Text, source).unwrap();
    turn(&mut ws);
    ws.send(Message::Text("kept")).unwrap();
    // A close that is refused changes nothing.
    assert_eq!(ws.close(NOW, CloseCode::NORMAL, &"x".repeat(124)), Err(SendError::ReasonTooLong));
    assert!(ws.close(NOW, CloseCode::ABNORMAL, "").is_err());
    assert_eq!((get(&dropped), ws.queued_messages()), (0, 2));
    ws.close(NOW, CloseCode::NORMAL, "").unwrap();
    assert_eq!((get(&dropped), ws.queued_messages()), (1, 1));
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, b"\x81\x04kept\x88\x02\x03\xE8");

    // Inside a source's message no other may follow.
    let mut ws = server(Memory::default());
    ws.send_source(Kind::Text, Script::new([data(b"a"), PENDING])).unwrap();
    turn(&mut ws);
    ws.send(Message::Text("cannot follow")).unwrap();
    ws.close(NOW, CloseCode::NORMAL, "").unwrap();
    assert_eq!(ws.queued_messages(), 0);
    turn(&mut ws);
    assert_eq!(ws.io().outgoing, b"\x01\x01a\x88\x02\x03\xE8");
}

#[test]
fn sources_are_released_in_every_way_that_a_connection_ends() {
    type End = fn(WebSocket<Memory>);
    let ends: [(&str, End); 7] = [
        ("dropped", drop),
        ("taken apart", |ws| drop(ws.into_io())),
        ("close", |mut ws| {
            ws.close(NOW, CloseCode::NORMAL, "").unwrap();
            std::mem::forget(ws);
        }),
        ("close_now", |mut ws| {
            ws.close_now(NOW, CloseCode::NORMAL, "").unwrap();
            std::mem::forget(ws);
        }),
        ("a violation", |mut ws| {
            ws.io_mut().incoming.extend([0xFF; 10]);
            ws.handle_readiness(true, false);
            ws.next(NOW).unwrap_err();
            std::mem::forget(ws);
        }),
        ("the end of the stream", |mut ws| {
            ws.io_mut().incoming_ends = true;
            ws.handle_readiness(true, false);
            ws.next(NOW).unwrap_err();
            std::mem::forget(ws);
        }),
        ("a deadline", |mut ws| {
            let later = NOW + Duration::from_secs(3600);
            ws.handle_timeout(later);
            while ws.state() == State::Open {
                ws.handle_timeout(later + Duration::from_secs(3600));
                let _ = ws.next(later + Duration::from_secs(3600));
            }
            let _ = ws.next(later + Duration::from_secs(3600));
            std::mem::forget(ws);
        }),
    ];
    for begun in [false, true] {
        for (what, end) in ends {
            for paused in [false, true] {
                let mut ws = server(Memory::default());
                let (front, behind) = (Script::new(begun.then_some(data(b"x"))), Script::pending());
                let counters = [front.counters().1, behind.counters().1];
                ws.send_source(Kind::Binary, front).unwrap();
                ws.send_source(Kind::Binary, behind).unwrap();
                turn(&mut ws);
                if paused {
                    ws.pause_writing();
                }
                end(ws);
                assert_eq!(counters.map(|counter| get(&counter)), [1, 1], "{what}, begun: {begun}");
            }
        }
    }
}
