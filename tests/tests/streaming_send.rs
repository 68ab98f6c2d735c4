//! Sending in pieces: pushed with `write_message`, pulled from a `Source`, or fragment by fragment.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::cell::Cell;
use std::collections::{HashSet, VecDeque};

use proptest::prelude::*;
use ws_proto::{
    CloseCode, Config, Kind, Message, Outbound, Pull, Pulled, Role, SendBuf, SendError, SendQueue, Source,
    State, Storage,
};
use ws_tests::{
    Endpoint, Seen, binary, client_role, close, cont, fixed_key_role, frames, frames_and_rest, ping, pong,
    text,
};

fn quiet() -> Config {
    Config::default().ping_interval(None)
}

type Queue = SendQueue<Vec<u8>>;

// A source by script.

#[derive(Clone, Debug)]
enum Step {
    Data(Vec<u8>),
    Failed,
    Last(Vec<u8>),
    /// Claims one byte more than it was offered, as the last piece or not.
    Lie {
        last: bool,
    },
    Pending,
}

fn data(bytes: impl AsRef<[u8]>) -> Step {
    Step::Data(bytes.as_ref().to_vec())
}

fn last(bytes: impl AsRef<[u8]>) -> Step {
    Step::Last(bytes.as_ref().to_vec())
}

/// A source that does what it is told, and remembers how much room it was offered. What does not fit comes next time.
struct Script {
    steps: VecDeque<Step>,
    offered: Vec<usize>,
}

impl Script {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), offered: Vec::new() }
    }
}

impl Source for Script {
    fn pull(&mut self, room: &mut [u8]) -> Pull {
        assert!(!room.is_empty(), "asked without room");
        self.offered.push(room.len());
        let (bytes, is_last) = match self.steps.pop_front() {
            Some(Step::Data(bytes)) => (bytes, false),
            Some(Step::Last(bytes)) => (bytes, true),
            Some(Step::Lie { last }) => {
                return if last { Pull::Last(room.len() + 1) } else { Pull::Data(room.len() + 1) };
            }
            Some(Step::Failed) => return Pull::Failed,
            Some(Step::Pending) | None => return Pull::Pending,
        };
        let n = bytes.len().min(room.len());
        room[..n].copy_from_slice(&bytes[..n]);
        if n < bytes.len() {
            let rest = bytes[n..].to_vec();
            self.steps.push_front(if is_last { Step::Last(rest) } else { Step::Data(rest) });
            Pull::Data(n)
        } else if is_last {
            Pull::Last(n)
        } else {
            Pull::Data(n)
        }
    }
}

/// Short forms.
trait InPieces {
    fn begin(&mut self, kind: Kind) -> Result<(), SendError>;
    fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<usize, SendError>;
    fn finish(&mut self) -> Result<(), SendError>;
    fn pull(&mut self, source: &mut Script) -> Result<Pulled, SendError>;
    fn abort(&mut self);
}

impl<S: Storage, O: Outbound> InPieces for Endpoint<S, O> {
    fn begin(&mut self, kind: Kind) -> Result<(), SendError> {
        self.conn.begin_message(kind)
    }

    fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<usize, SendError> {
        self.conn.write_message(&mut self.tx, bytes.as_ref())
    }

    fn finish(&mut self) -> Result<(), SendError> {
        self.conn.finish_message(&mut self.tx)
    }

    fn pull(&mut self, source: &mut Script) -> Result<Pulled, SendError> {
        self.conn.pull_message(self.now, &mut self.tx, source)
    }

    fn abort(&mut self) {
        self.conn.abort_message(self.now);
    }
}

fn with_output<O: Outbound>(role: Role, tx: O) -> Endpoint<Vec<u8>, O> {
    Endpoint::with(role, quiet(), Vec::new(), tx)
}

fn idle<O: Outbound>(end: &Endpoint<Vec<u8>, O>) -> bool {
    !end.conn.wants_transmit(&end.tx) && end.tx.buffered_amount() == 0 && end.tx.queued_messages() == 0
}

// Pulling.

fn pull_hello<O: Outbound>(role: Role, tx: O) -> Vec<u8> {
    let mut end = with_output(role, tx);
    let mut source = Script::new([data("Hel"), last("lo")]);
    end.begin(Kind::Text).unwrap();
    assert_eq!(end.pull(&mut source), Ok(Pulled::Fragment));
    assert_eq!(end.pull(&mut source), Ok(Pulled::Finished));
    assert!(!end.conn.is_message_in_progress());
    assert_eq!(end.pull(&mut source), Err(SendError::NoMessage));
    end.say_bytes()
}

#[test]
fn a_source_of_three_and_two_bytes_is_byte_exact_whatever_the_output_is() {
    for bytes in [
        pull_hello(Role::Server, SendBuf::new([0; 64])),
        pull_hello(Role::Server, SendBuf::new(Vec::new())),
        pull_hello(Role::Server, Queue::new()),
    ] {
        assert_eq!(bytes, b"\x01\x03Hel\x80\x02lo");
    }
    for bytes in [
        pull_hello(fixed_key_role(), SendBuf::new([0; 64])),
        pull_hello(fixed_key_role(), SendBuf::new(Vec::new())),
        pull_hello(fixed_key_role(), Queue::new()),
    ] {
        assert_eq!(
            bytes,
            [
                0x01, 0x83, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, // Hel
                0x80, 0x82, 0x37, 0xFA, 0x21, 0x3D, 0x5B, 0x95, // lo
            ]
        );
    }
}

#[test]
fn a_source_that_is_empty_and_ends_at_once_is_an_empty_message() {
    let mut end = Endpoint::server();
    end.begin(Kind::Text).unwrap();
    assert_eq!(end.pull(&mut Script::new([last("")])), Ok(Pulled::Finished));
    assert_eq!(end.say_bytes(), [0x81, 0x00]);
}

#[test]
fn a_source_that_ends_with_nothing_more_sends_an_empty_final_frame() {
    let mut end = Endpoint::server();
    let mut source = Script::new([data("abc"), last("")]);
    end.begin(Kind::Binary).unwrap();
    assert_eq!(end.pull(&mut source), Ok(Pulled::Fragment));
    assert_eq!(end.pull(&mut source), Ok(Pulled::Finished));
    assert_eq!(end.say_bytes(), b"\x02\x03abc\x80\x00");
}

/// wslay counts 1, 2, 0 here: it counts frames, control frames and unfinished messages among them. Here a message
/// counts from when its last piece is queued, and control frames never do; `buffered_amount` counts data of either.
#[test]
fn a_ping_queued_during_the_first_fragment_leaves_between_the_fragments_and_the_counts_are_of_messages() {
    let mut end = Endpoint::server();
    let mut source = Script::new([data("Hel"), last("lo")]);
    end.begin(Kind::Text).unwrap();
    end.pull(&mut source).unwrap();
    assert_eq!((end.tx.queued_messages(), end.tx.buffered_amount()), (0, 5));
    let mut bytes = end.transmit(2);
    end.conn.ping(b"p").unwrap();
    assert_eq!((end.tx.queued_messages(), end.tx.buffered_amount()), (0, 3));
    end.pull(&mut source).unwrap();
    assert_eq!((end.tx.queued_messages(), end.tx.buffered_amount()), (1, 7));
    bytes.extend(end.say_bytes());
    assert_eq!(frames(&bytes, false), [text("Hel").more(), ping("p"), cont("lo")]);
    assert!(idle(&end));
}

#[test]
fn pending_queues_nothing_and_wants_nothing_until_the_source_is_resumed() {
    fn check<O: Outbound>(role: Role, tx: O) {
        let mut end = with_output(role, tx);
        let mut source = Script::new([Step::Pending, data("Hel"), Step::Pending, data(""), last("lo")]);
        end.begin(Kind::Text).unwrap();
        for expected in [
            Ok(Pulled::Pending),
            Ok(Pulled::Fragment),
            Ok(Pulled::Pending),
            // No bytes, and not the last, are the same as nothing now: no empty frame.
            Ok(Pulled::Pending),
            Ok(Pulled::Finished),
        ] {
            let waiting = end.tx.buffered_amount();
            assert_eq!(end.pull(&mut source), expected);
            if expected == Ok(Pulled::Pending) {
                assert_eq!(end.tx.buffered_amount(), waiting);
                end.say_bytes();
                assert!(idle(&end), "a busy loop");
                assert!(end.conn.poll_transmit(end.now, &mut end.tx).is_none());
                assert_eq!(end.conn.poll_timeout(), None);
                assert!(end.conn.is_message_in_progress());
            }
        }
        assert_eq!(end.say(), [cont("lo")]);
        assert_eq!(source.offered.len(), 5);
    }
    check(Role::Server, SendBuf::new([0; 64]));
    check(client_role(), SendBuf::new(Vec::new()));
    check(client_role(), Queue::new());
}

#[test]
fn a_source_that_claims_more_than_it_was_offered_fails_with_1011_and_nothing_is_cut() {
    for lie in [Step::Lie { last: false }, Step::Lie { last: true }] {
        let mut end = Endpoint::server();
        let mut source = Script::new([data("abc"), lie]);
        end.begin(Kind::Binary).unwrap();
        end.pull(&mut source).unwrap();
        assert_eq!(end.pull(&mut source), Err(SendError::SourceFailed));
        assert_eq!(end.conn.local_close(), Some(CloseCode::INTERNAL_ERROR));
        assert_eq!(end.conn.state(), State::Closing);
        assert!(!end.conn.is_message_in_progress());
        assert_eq!(end.pull(&mut source), Err(SendError::Closing));
        assert_eq!(end.say(), [binary("abc").more(), close(1011)]);
        end.hear(&[close(1011)]);
        assert!(end.conn.is_clean() && end.error().is_none());
    }
}

#[test]
fn a_source_that_fails_closes_with_1011_behind_what_it_gave() {
    let mut end = Endpoint::client();
    let mut source = Script::new([data("abc"), data("def"), Step::Failed]);
    end.begin(Kind::Text).unwrap();
    end.pull(&mut source).unwrap();
    end.pull(&mut source).unwrap();
    assert_eq!(end.pull(&mut source), Err(SendError::SourceFailed));
    assert_eq!(end.say(), [text("abc").more(), cont("def").more(), close(1011)]);
    assert_eq!(end.conn.local_close(), Some(CloseCode::INTERNAL_ERROR));
}

#[test]
fn a_source_that_fails_before_its_first_piece_ends_the_connection_with_1011_as_well() {
    for step in
        [Step::Failed, Step::Lie { last: false }, Step::Lie { last: true }, last(b"\xff"), last(b"\xe2")]
    {
        let mut end = Endpoint::server();
        end.begin(Kind::Text).unwrap();
        let error = end.pull(&mut Script::new([Step::Pending, step.clone()]));
        assert_eq!(error, Ok(Pulled::Pending));
        let error = end.pull(&mut Script::new([step])).unwrap_err();
        assert!(matches!(error, SendError::SourceFailed | SendError::InvalidUtf8));
        assert!(!end.conn.is_message_in_progress());
        assert_eq!(end.conn.local_close(), Some(CloseCode::INTERNAL_ERROR));
        assert_eq!(end.send_text("next"), Err(SendError::Closing));
        assert_eq!(end.say(), [close(1011)]);
    }
}

#[test]
fn a_text_source_may_cut_characters_but_not_give_what_is_no_text() {
    let mut end = Endpoint::client();
    let mut source = Script::new([data(b"\xe2"), Step::Pending, data(b"\x82"), last(b"\xac")]);
    end.begin(Kind::Text).unwrap();
    while end.pull(&mut source).unwrap() != Pulled::Finished {}
    assert_eq!(end.say(), [text(b"\xe2").more(), cont(b"\x82").more(), cont(b"\xac")]);

    for bad in [data(b"\xff"), last(b"\xff"), last(""), last("x"), last(b"\x82")] {
        let mut end = Endpoint::client();
        let mut source = Script::new([data(b"\xe2"), bad]);
        end.begin(Kind::Text).unwrap();
        end.pull(&mut source).unwrap();
        assert_eq!(end.pull(&mut source), Err(SendError::InvalidUtf8));
        assert_eq!(end.say(), [text(b"\xe2").more(), close(1011)]);
        assert_eq!(end.conn.local_close(), Some(CloseCode::INTERNAL_ERROR));
    }
    // Bytes need not be text.
    let mut end = Endpoint::client();
    end.begin(Kind::Binary).unwrap();
    end.pull(&mut Script::new([last(b"\xff")])).unwrap();
    assert_eq!(end.say(), [binary(b"\xff")]);
}

#[test]
fn a_source_is_offered_what_fits_in_one_frame_and_is_not_asked_without_room() {
    let mut end = Endpoint::server_with(quiet().fragment_size(Some(100)));
    let mut source = Script::new([data([1; 250]), last("")]);
    end.begin(Kind::Binary).unwrap();
    while end.pull(&mut source).unwrap() != Pulled::Finished {}
    let sizes: Vec<usize> = end.say().iter().map(|frame| frame.payload.len()).collect();
    assert_eq!((sizes, source.offered), (vec![100, 100, 50, 0], vec![100; 4]));

    // However much room there is, it is asked for 16 KiB at most.
    let mut end = Endpoint::server();
    let mut source = Script::new([last([1; 40_000])]);
    end.begin(Kind::Binary).unwrap();
    while end.pull(&mut source).unwrap() != Pulled::Finished {}
    assert_eq!(source.offered, [16 << 10; 3]);
    assert!(end.say().iter().all(|frame| frame.payload.len() <= 16 << 10));

    let mut end = with_output(Role::Server, SendBuf::new([0; 40]));
    let mut source = Script::new([last([1; 100])]);
    end.begin(Kind::Binary).unwrap();
    assert_eq!(end.pull(&mut source), Ok(Pulled::Fragment));
    assert_eq!(end.pull(&mut source), Err(SendError::Full));
    assert_eq!(source.offered, [38]);
    end.say_bytes();
    assert_eq!(end.pull(&mut source), Ok(Pulled::Fragment));
}

#[test]
fn a_source_that_panics_leaves_output_and_message_as_they_were() {
    fn check<O: Outbound>(role: Role, tx: O) {
        let mut end = with_output(role, tx);
        end.begin(Kind::Text).unwrap();
        end.write("abc").unwrap();
        let waiting = end.tx.buffered_amount();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut source = |_: &mut [u8]| -> Pull { std::panic::resume_unwind(Box::new("at the source")) };
            end.conn.pull_message(end.now, &mut end.tx, &mut source)
        }));
        assert!(panicked.is_err());
        assert_eq!(end.tx.buffered_amount(), waiting);
        end.pull(&mut Script::new([last("def")])).unwrap();
        assert_eq!(end.say(), [text("abc").more(), cont("def")]);
    }
    check(Role::Server, SendBuf::new([0; 64]));
    check(client_role(), SendBuf::new(Vec::new()));
    check(client_role(), Queue::new());
}

// Pushing.

#[test]
fn a_message_is_begun_written_and_finished() {
    let mut end = Endpoint::server();
    end.begin(Kind::Text).unwrap();
    assert!(end.conn.is_message_in_progress() && idle(&end));
    assert_eq!(end.write("Hel"), Ok(3));
    assert_eq!(end.write(""), Ok(0));
    assert_eq!(end.write("lo"), Ok(2));
    assert_eq!(end.tx.queued_messages(), 0);
    end.finish().unwrap();
    assert_eq!(end.tx.queued_messages(), 1);
    assert_eq!(end.say(), [text("Hel").more(), cont("lo").more(), cont("")]);
    assert_eq!(end.finish(), Err(SendError::NoMessage));
    assert_eq!(end.write("x"), Err(SendError::NoMessage));
    assert_eq!(end.write(""), Err(SendError::NoMessage));
    assert!(idle(&end));
}

#[test]
fn a_message_that_is_finished_at_once_is_one_empty_frame() {
    for (kind, frame) in [(Kind::Text, text("")), (Kind::Binary, binary(""))] {
        let mut end = Endpoint::client();
        end.begin(kind).unwrap();
        end.finish().unwrap();
        assert_eq!(end.say(), [frame]);
    }
}

#[test]
fn a_message_passes_through_fixed_storage_of_any_size_that_holds_a_byte_and_its_header() {
    let payload: Vec<u8> = (0..1000).map(|n| n as u8).collect();
    for (role, least) in [(client_role as fn() -> Role, 7), (|| Role::Server, 3)] {
        for size in (least..200).chain([600, 1003, 1004, 1008]) {
            let mut storage = vec![0xAA; size];
            let mut end = with_output(role(), SendBuf::new(&mut storage[..]));
            end.begin(Kind::Binary).unwrap();
            let (mut rest, mut said) = (&payload[..], Vec::new());
            while !rest.is_empty() {
                match end.write(rest) {
                    Ok(n) => {
                        assert!(n > 0, "no byte of any");
                        rest = &rest[n..];
                    }
                    Err(error) => {
                        assert_eq!(error, SendError::Full, "{size}");
                        let transmitted = end.transmit(5);
                        assert!(!transmitted.is_empty(), "full with nothing to transmit: {size}");
                        said.extend(transmitted);
                    }
                }
            }
            while end.finish() == Err(SendError::Full) {
                said.extend(end.transmit(1));
            }
            said.extend(end.say_bytes());
            let said = frames(&said, !end.is_server);
            assert!(said.iter().flat_map(|frame| &frame.payload).eq(&payload), "{size}");
            assert_eq!(said.iter().filter(|frame| frame.fin).count(), 1);
        }
    }
}

#[test]
fn storage_is_used_to_its_last_byte() {
    for (size, n) in [(3, 1), (127, 125), (128, 125), (129, 125), (130, 126), (1000, 996)] {
        let mut storage = vec![0; size];
        let mut end = with_output(Role::Server, SendBuf::new(&mut storage[..]));
        end.begin(Kind::Binary).unwrap();
        assert_eq!(end.write([1; 2000]), Ok(n), "{size}");
        end.say_bytes();
        let mut source = Script::new([data([1; 2000])]);
        assert_eq!(end.pull(&mut source), Ok(Pulled::Fragment));
        assert_eq!(source.offered, [n], "{size}");
    }
    for (size, n) in [(7, 1), (131, 125), (134, 126), (65_543, 65_535), (65_549, 65_535), (65_550, 65_536)] {
        let mut storage = vec![0; size];
        let mut end = with_output(client_role(), SendBuf::new(&mut storage[..]));
        end.begin(Kind::Binary).unwrap();
        assert_eq!(end.write(vec![1; 100_000]), Ok(n), "{size}");
    }
}

#[test]
fn storage_that_can_never_hold_a_byte_is_an_error_that_waiting_does_not_promise_to_mend() {
    for (role, size) in [(Role::Server, 2), (client_role(), 6), (Role::Server, 0)] {
        let mut storage = vec![0; size];
        let mut end = with_output(role, SendBuf::new(&mut storage[..]));
        end.begin(Kind::Binary).unwrap();
        assert_eq!(end.write("x"), Err(SendError::MessageTooBig));
        assert_eq!(end.pull(&mut Script::new([last("x")])), Err(SendError::MessageTooBig));
        assert!(end.conn.is_message_in_progress() && idle(&end));
    }
}

#[test]
fn a_limit_bounds_what_waits_and_makes_no_message_impossible() {
    fn check<O: Outbound>(limit: usize, tx: O) {
        let mut end = with_output(client_role(), tx);
        end.begin(Kind::Binary).unwrap();
        let (mut left, mut said) = (300, Vec::new());
        while left > 0 {
            match end.write(vec![7; left]) {
                Ok(n) => left -= n,
                Err(error) => {
                    assert_eq!(error, SendError::Full);
                    assert!(end.tx.buffered_amount() > 0, "{limit}");
                    said.extend(end.say_bytes());
                }
            }
            assert!(end.tx.buffered_amount() <= limit.max(15), "{limit}");
        }
        while end.finish() == Err(SendError::Full) {
            said.extend(end.transmit(1));
        }
        said.extend(end.say_bytes());
        assert!(frames(&said, true).iter().flat_map(|frame| &frame.payload).eq(&[7; 300]));
    }
    for limit in [0, 1, 5, 15, 16, 100, 1000] {
        check(limit, SendBuf::new(Vec::new()).limit(limit));
        check(limit, Queue::new().limit(limit));
    }
}

#[test]
fn finishing_without_room_changes_nothing_and_works_when_there_is_some() {
    let mut end = with_output(Role::Server, SendBuf::new([0; 8]));
    end.begin(Kind::Text).unwrap();
    assert_eq!(end.write("abcdefgh"), Ok(6));
    assert_eq!(end.finish(), Err(SendError::Full));
    assert_eq!(end.write("g"), Err(SendError::Full));
    assert_eq!(end.transmit(2).len(), 2);
    end.finish().unwrap();
    assert_eq!(end.tx.queued_messages(), 1);
    assert_eq!(end.say_bytes(), b"abcdef\x80\x00");
}

#[test]
fn text_that_is_written_may_cut_characters_and_is_refused_where_it_is_no_text() {
    let mut end = Endpoint::server();
    end.begin(Kind::Text).unwrap();
    assert_eq!(end.write(b"\xe2"), Ok(1));
    for bad in [&b"\xff"[..], b"x", b"\x82x"] {
        assert_eq!(end.write(bad), Err(SendError::InvalidUtf8));
    }
    assert_eq!(end.finish(), Err(SendError::InvalidUtf8));
    // It is as it was: the right bytes still fit.
    assert_eq!(end.write(b"\x82\xac"), Ok(2));
    end.finish().unwrap();
    assert_eq!(end.say(), [text(b"\xe2").more(), cont(b"\x82\xac").more(), cont("")]);
}

#[test]
fn each_written_piece_respects_the_fragment_size() {
    let mut end = Endpoint::server_with(quiet().fragment_size(Some(3)));
    end.begin(Kind::Text).unwrap();
    let mut rest = "Hello, all".as_bytes();
    while !rest.is_empty() {
        rest = &rest[end.write(rest).unwrap()..];
    }
    end.finish().unwrap();
    end.send_fragment(Kind::Text, b"abcd", false).unwrap();
    end.send_fragment(Kind::Text, b"e", true).unwrap();
    assert_eq!(
        end.say(),
        [
            text("Hel").more(),
            cont("lo,").more(),
            cont(" al").more(),
            cont("l").more(),
            cont(""),
            text("abc").more(),
            cont("d").more(),
            cont("e"),
        ]
    );
}

#[test]
fn a_client_masks_each_fragment_with_a_fresh_key_and_draws_none_for_what_is_refused() {
    thread_local! {
        static DRAWN: Cell<u8> = const { Cell::new(0) };
    }
    fn key() -> [u8; 4] {
        DRAWN.set(DRAWN.get() + 1);
        [DRAWN.get(); 4]
    }
    let role = Role::Client(ws_proto::MaskKeys::from_fn(key));
    let mut end = with_output(role, SendBuf::new([0; 36]));
    end.begin(Kind::Text).unwrap();
    end.write("aa").unwrap();
    assert_eq!(end.write(b"\xff"), Err(SendError::InvalidUtf8));
    assert_eq!(end.send_text("x"), Err(SendError::MessageInProgress));
    let mut source = Script::new([Step::Pending, data(""), data("bb")]);
    while end.pull(&mut source).unwrap() == Pulled::Pending {}
    end.write("c").unwrap();
    end.write("dd").unwrap();
    assert_eq!(end.write("e"), Err(SendError::Full));
    let raw = end.say_bytes();
    end.finish().unwrap();
    let raw = [raw, end.say_bytes()].concat();
    assert_eq!(
        frames(&raw, true),
        [text("aa").more(), cont("bb").more(), cont("c").more(), cont("dd").more(), cont("")]
    );
    let keys: Vec<u8> = [2, 10, 18, 25, 33].map(|at| raw[at]).to_vec();
    assert_eq!(keys, [1, 2, 3, 4, 5]);
    assert_eq!(DRAWN.get(), 5);

    let mut end = Endpoint::client();
    end.begin(Kind::Binary).unwrap();
    for _ in 0..100 {
        end.write([0]).unwrap();
    }
    let keys: HashSet<Vec<u8>> = end.say_bytes().chunks(7).map(|frame| frame[2..6].to_vec()).collect();
    assert_eq!(keys.len(), 100);
}

// One message at a time, control frames between.

#[test]
fn a_second_message_never_interleaves() {
    let mut end = with_output(Role::Server, Queue::new());
    let in_progress = Err(SendError::MessageInProgress);
    for written in [false, true] {
        if written {
            end.write("abc").unwrap();
        } else {
            end.begin(Kind::Text).unwrap();
        }
        let before = end.tx.buffered_amount();
        assert_eq!(end.send_text("x"), in_progress);
        assert_eq!(end.send_binary(&[1; 5000]), in_progress);
        assert_eq!(end.conn.send(&mut end.tx, Message::Text("")), in_progress);
        let (error, payload) = end.conn.send_owned(&mut end.tx, Kind::Text, b"x".to_vec()).unwrap_err();
        assert_eq!((error, payload), (SendError::MessageInProgress, b"x".to_vec()));
        let (error, payload) = end.conn.send_owned_text(&mut end.tx, "y".to_owned()).unwrap_err();
        assert_eq!((error, payload), (SendError::MessageInProgress, "y".to_owned()));
        assert_eq!(end.conn.send_with_rsv(&mut end.tx, ws_proto::Rsv::NONE, Kind::Text, b"x"), in_progress);
        assert_eq!(end.begin(Kind::Text), in_progress);
        assert_eq!(end.begin(Kind::Binary), in_progress);
        assert_eq!(end.send_fragment(Kind::Binary, b"x", false), in_progress);
        assert_eq!(end.tx.buffered_amount(), before);
    }
    // A fragment of the same kind is one of the same message.
    end.send_fragment(Kind::Text, b"def", false).unwrap();
    end.write("ghi").unwrap();
    end.send_fragment(Kind::Text, b"", true).unwrap();
    end.send_text("next").unwrap();
    assert_eq!(
        end.say(),
        [text("abc").more(), cont("def").more(), cont("ghi").more(), cont(""), text("next")]
    );
}

#[test]
fn control_frames_go_between_the_fragments_of_a_message_and_never_into_one() {
    let mut end = Endpoint::server();
    let mut source = Script::new([data("one"), Step::Pending, data("two"), last("end")]);
    end.begin(Kind::Text).unwrap();
    end.pull(&mut source).unwrap();
    let mut said = end.transmit(4);
    end.hear(&[ping("a")]);
    end.conn.ping(b"b").unwrap();
    assert_eq!(end.pull(&mut source), Ok(Pulled::Pending));
    said.extend(end.say_bytes());
    end.conn.pong(b"c").unwrap();
    said.extend(end.say_bytes());
    end.pull(&mut source).unwrap();
    end.pull(&mut source).unwrap();
    end.conn.ping(b"d").unwrap();
    said.extend(end.transmit(1));
    end.conn.ping(b"e").unwrap();
    said.extend(end.say_bytes());
    assert_eq!(
        frames(&said, false),
        [
            text("one").more(),
            pong("a"),
            ping("b"),
            pong("c"),
            ping("d"),
            ping("e"),
            cont("two").more(),
            cont("end"),
        ]
    );
}

#[test]
fn one_byte_of_room_at_a_time_gives_the_same_bytes() {
    let expected = b"\x01\x03Hel\x00\x02lo\x80\x00\x02\x01x\x80\x01y".to_vec();
    for room in 1..5 {
        let mut end = Endpoint::server();
        let mut said = Vec::new();
        end.begin(Kind::Text).unwrap();
        end.write("Hel").unwrap();
        said.extend(end.transmit(room));
        end.write("lo").unwrap();
        said.extend(end.transmit(room));
        end.finish().unwrap();
        said.extend(end.transmit(room));
        end.begin(Kind::Binary).unwrap();
        let mut source = Script::new([data("x"), last("y")]);
        end.pull(&mut source).unwrap();
        said.extend(end.transmit(room));
        end.pull(&mut source).unwrap();
        while end.conn.wants_transmit(&end.tx) {
            said.extend(end.transmit(room));
        }
        assert_eq!(said, expected, "{room}");
        assert!(idle(&end));
    }
}

// Closing and giving up.

#[test]
fn a_close_while_a_source_is_unfinished_goes_behind_what_it_gave_and_asks_it_for_no_more() {
    for now in [false, true] {
        let mut end = Endpoint::server();
        let mut source = Script::new([data("abc"), last("def")]);
        end.begin(Kind::Text).unwrap();
        end.pull(&mut source).unwrap();
        let mut said = end.transmit(2);
        if now {
            end.close_now(1000, "").unwrap();
        } else {
            end.close(1000, "").unwrap();
        }
        assert_eq!(end.pull(&mut source), Err(SendError::Closing));
        assert_eq!(end.write("x"), Err(SendError::Closing));
        assert_eq!(end.finish(), Err(SendError::Closing));
        assert_eq!(end.begin(Kind::Text), Err(SendError::Closing));
        assert_eq!(source.offered.len(), 1);
        // To give up as well changes nothing.
        end.abort();
        said.extend(end.say_bytes());
        assert_eq!(frames(&said, false), [text("abc").more(), close(1000)]);
        end.hear(&[close(1000)]);
        assert!(end.conn.is_clean());
    }
}

#[test]
fn close_now_drops_the_pieces_that_wait() {
    let mut end = Endpoint::server();
    end.begin(Kind::Text).unwrap();
    end.write("abc").unwrap();
    end.write("def").unwrap();
    end.close_now(1001, "").unwrap();
    assert_eq!(end.say(), [close(1001)]);
    assert!(idle(&end));
}

#[test]
fn the_peers_close_or_fault_while_a_source_is_unfinished_ends_it_too() {
    for (heard, answer) in [(close(1000), close(1000)), (cont(""), close(1002))] {
        let mut end = Endpoint::server();
        let mut source = Script::new([data("abc"), last("def")]);
        end.begin(Kind::Text).unwrap();
        end.pull(&mut source).unwrap();
        end.hear(&[heard]);
        assert_eq!(end.pull(&mut source), Err(SendError::Closing));
        assert_eq!(end.write("x"), Err(SendError::Closing));
        end.abort();
        assert_eq!(end.say(), [text("abc").more(), answer]);
        assert_eq!(source.offered.len(), 1);
    }
}

#[test]
fn abort_before_the_first_piece_is_as_if_nothing_had_happened() {
    let mut end = Endpoint::server();
    end.abort();
    end.begin(Kind::Text).unwrap();
    end.abort();
    assert_eq!(end.write("x"), Err(SendError::NoMessage));
    end.begin(Kind::Binary).unwrap();
    assert_eq!(end.pull(&mut Script::new([])), Ok(Pulled::Pending));
    end.abort();
    assert!(!end.conn.is_message_in_progress() && idle(&end));
    assert_eq!(end.conn.state(), State::Open);
    end.send_text("next").unwrap();
    end.abort();
    assert_eq!(end.say(), [text("next")]);
}

#[test]
fn abort_after_a_piece_closes_with_1011_behind_it() {
    for by_fragment in [false, true] {
        let mut end = Endpoint::server();
        if by_fragment {
            end.send_fragment(Kind::Text, b"abc", false).unwrap();
        } else {
            end.begin(Kind::Text).unwrap();
            end.write("abc").unwrap();
        }
        end.abort();
        assert!(!end.conn.is_message_in_progress());
        assert_eq!(end.send_text("x"), Err(SendError::Closing));
        assert_eq!(end.say(), [text("abc").more(), close(1011)]);
        assert_eq!(end.conn.local_close(), Some(CloseCode::INTERNAL_ERROR));
        end.abort();
        assert_eq!(end.say(), []);
    }
}

#[test]
fn abort_answers_the_peers_close_if_nobody_else_does() {
    let mut end = Endpoint::server_with(quiet().automatic_close(false));
    end.begin(Kind::Text).unwrap();
    end.write("abc").unwrap();
    end.hear(&[close(1000)]);
    end.abort();
    assert_eq!(end.say(), [text("abc").more(), close(1011)]);
    assert!(end.conn.is_clean());
}

// Any sequence.

#[derive(Clone, Debug)]
enum Op {
    Abort,
    Begin(Kind),
    Close,
    Finish,
    Fragment(Kind, usize, bool),
    Ping,
    Pull(Give),
    Send(Kind, usize),
    Transmit(usize),
    Write(usize),
}

#[derive(Clone, Copy, Debug)]
enum Give {
    Data(usize),
    Failed,
    Last(usize),
    Lie,
    Pending,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Text), Just(Kind::Binary)]
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![12 => 0..10_usize, 6 => 0..200_usize, 1 => 0..70_000_usize]
}

fn give() -> impl Strategy<Value = Give> {
    prop_oneof![
        60 => size().prop_map(Give::Data),
        20 => size().prop_map(Give::Last),
        10 => Just(Give::Pending),
        1 => Just(Give::Failed),
        1 => Just(Give::Lie),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => Just(Op::Abort),
        20 => kind().prop_map(Op::Begin),
        1 => Just(Op::Close),
        10 => Just(Op::Finish),
        10 => (kind(), size(), any::<bool>()).prop_map(|(kind, n, fin)| Op::Fragment(kind, n, fin)),
        5 => Just(Op::Ping),
        40 => give().prop_map(Op::Pull),
        10 => (kind(), size()).prop_map(|(kind, n)| Op::Send(kind, n)),
        30 => prop_oneof![1..10_usize, 1..1000_usize, Just(usize::MAX)].prop_map(Op::Transmit),
        20 => size().prop_map(Op::Write),
    ]
}

const WORDS: &[u8] = "aé€😀ß-".as_bytes();

/// The next `n` bytes of a message of which there are `from`. Text is cut anywhere.
fn content(kind: Kind, from: usize, n: usize) -> Vec<u8> {
    match kind {
        Kind::Binary => (from..from + n).map(|at| at as u8).collect(),
        Kind::Text => WORDS.iter().copied().cycle().skip(from % WORDS.len()).take(n).collect(),
    }
}

/// What was sent, as the caller was told.
#[derive(Default)]
struct Model {
    open: Option<(Kind, Vec<u8>, bool)>,
    done: Vec<Seen>,
    closing: bool,
    pings: usize,
    results: Vec<String>,
}

impl Model {
    fn check_open(&self) -> Result<(), SendError> {
        if self.closing { Err(SendError::Closing) } else { Ok(()) }
    }

    fn check_message(&self) -> Result<(), SendError> {
        self.check_open()?;
        if self.open.is_some() { Err(SendError::MessageInProgress) } else { Ok(()) }
    }

    fn check_unfinished(&self) -> Result<(Kind, usize), SendError> {
        self.check_open()?;
        self.open.as_ref().map(|(kind, bytes, _)| (*kind, bytes.len())).ok_or(SendError::NoMessage)
    }

    fn add(&mut self, bytes: &[u8], fin: bool) {
        let (kind, message, has_frames) = self.open.as_mut().unwrap();
        message.extend_from_slice(bytes);
        *has_frames = true;
        if fin {
            self.done.push(match kind {
                Kind::Text => Seen::Text(String::from_utf8(core::mem::take(message)).unwrap()),
                Kind::Binary => Seen::Binary(core::mem::take(message)),
            });
            self.open = None;
        }
    }

    fn give_up(&mut self) {
        self.closing |= self.open.take().is_some_and(|(_, _, has_frames)| has_frames);
    }

    fn fail_source(&mut self) {
        self.open = None;
        self.closing = true;
    }

    fn ends_inside_a_character(&self, more: &[u8]) -> bool {
        let Some((Kind::Text, bytes, _)) = &self.open else { return false };
        core::str::from_utf8(&[bytes, more].concat()).is_err()
    }
}

/// Does one thing, and compares what the caller is told with the model.
fn act<O: Outbound>(end: &mut Endpoint<Vec<u8>, O>, model: &mut Model, op: &Op, said: &mut Vec<u8>) {
    let waiting = end.tx.buffered_amount();
    let full = |error: SendError, fixed: bool| {
        assert!(
            error == SendError::Full && waiting > 0 || error == SendError::MessageTooBig && fixed,
            "{error}"
        );
    };
    let result = match *op {
        Op::Abort => {
            end.abort();
            model.give_up();
            Ok(0)
        }
        Op::Begin(kind) => {
            let result = end.begin(kind);
            assert_eq!(result, model.check_message());
            if result.is_ok() {
                model.open = Some((kind, Vec::new(), false));
            }
            result.map(|()| 0)
        }
        Op::Close => {
            let result = end.close(1000, "");
            assert_eq!(result, model.check_open());
            model.closing = true;
            result.map(|()| 0)
        }
        Op::Finish => {
            let result = end.finish();
            match (model.check_unfinished(), result) {
                (Err(expected), result) => assert_eq!(result, Err(expected)),
                (Ok(_), Err(SendError::InvalidUtf8)) => assert!(model.ends_inside_a_character(&[])),
                (Ok(_), Err(error)) => full(error, false),
                (Ok(_), Ok(())) => model.add(&[], true),
            }
            result.map(|()| 0)
        }
        Op::Fragment(kind, n, fin) => {
            let from = model.open.as_ref().map_or(0, |(_, bytes, _)| bytes.len());
            let bytes = content(kind, from, n);
            let other = model.open.as_ref().is_some_and(|(open, ..)| *open != kind);
            let result = end.send_fragment(kind, &bytes, fin);
            match (model.check_open(), result) {
                (Err(expected), result) => assert_eq!(result, Err(expected)),
                (Ok(()), result) if other => assert_eq!(result, Err(SendError::MessageInProgress)),
                (Ok(()), Err(SendError::InvalidUtf8)) => {
                    assert!(kind == Kind::Text && fin);
                    assert!(model.open.is_none() || model.ends_inside_a_character(&bytes));
                }
                (Ok(()), Err(error)) => full(error, true),
                (Ok(()), Ok(())) => {
                    model.open.get_or_insert((kind, Vec::new(), false));
                    model.add(&bytes, fin);
                }
            }
            result.map(|()| 0)
        }
        Op::Ping => {
            let result = end.conn.ping(b"p");
            model.pings += usize::from(result.is_ok());
            assert!(result == model.check_open() || result == Err(SendError::Full));
            result.map(|()| 0)
        }
        Op::Pull(give) => {
            let expected = model.check_unfinished();
            let (kind, from) = expected.unwrap_or((Kind::Binary, 0));
            let step = match give {
                Give::Data(n) => data(content(kind, from, n)),
                Give::Last(n) => last(content(kind, from, n)),
                Give::Failed => Step::Failed,
                Give::Lie => Step::Lie { last: from % 2 == 0 },
                Give::Pending => Step::Pending,
            };
            let mut source = Script::new([step]);
            let result = end.pull(&mut source);
            // What was taken is what the script has not any more.
            let (n, left) = match (give, source.steps.front()) {
                (Give::Data(n) | Give::Last(n), Some(Step::Data(rest) | Step::Last(rest))) => {
                    (n - rest.len(), rest.len())
                }
                (Give::Data(n) | Give::Last(n), _) => (n, 0),
                _ => (0, 0),
            };
            match (expected, result) {
                (Err(expected), result) => assert_eq!(result, Err(expected)),
                (Ok(_), Ok(Pulled::Pending)) => {
                    assert!(matches!(give, Give::Pending | Give::Data(0)));
                    assert_eq!(end.tx.buffered_amount(), waiting);
                }
                (Ok(_), Ok(Pulled::Fragment)) => {
                    assert!(n > 0 && (left > 0 || matches!(give, Give::Data(_))));
                    model.add(&content(kind, from, n), false);
                }
                (Ok(_), Ok(Pulled::Finished)) => {
                    assert!(left == 0 && matches!(give, Give::Last(_)));
                    model.add(&content(kind, from, n), true);
                }
                (Ok(_), Err(SendError::SourceFailed)) => {
                    assert!(matches!(give, Give::Failed | Give::Lie));
                    model.fail_source();
                }
                (Ok(_), Err(SendError::InvalidUtf8)) => {
                    assert!(matches!(give, Give::Last(_)));
                    assert!(model.ends_inside_a_character(&content(kind, from, n)));
                    model.fail_source();
                }
                (Ok(_), Err(error)) => {
                    full(error, false);
                    assert_eq!(source.offered.len(), 0, "asked without room");
                }
            }
            result.map(|_| n)
        }
        Op::Send(kind, n) => {
            let n = if kind == Kind::Text { n / WORDS.len() * WORDS.len() } else { n };
            let bytes = content(kind, 0, n);
            let result = match kind {
                Kind::Text => end.send_text(core::str::from_utf8(&bytes).unwrap()),
                Kind::Binary => end.send_binary(&bytes),
            };
            match (model.check_message(), result) {
                (Err(expected), result) => assert_eq!(result, Err(expected)),
                (Ok(()), Err(error)) => full(error, true),
                (Ok(()), Ok(())) => {
                    model.open = Some((kind, Vec::new(), false));
                    model.add(&bytes, true);
                }
            }
            result.map(|()| 0)
        }
        Op::Transmit(n) => {
            said.extend(end.transmit(n));
            Ok(0)
        }
        Op::Write(n) => {
            let expected = model.check_unfinished();
            let (kind, from) = expected.unwrap_or((Kind::Binary, 0));
            let bytes = content(kind, from, n);
            let result = end.write(&bytes);
            match (expected, result) {
                (Err(expected), result) => assert_eq!(result, Err(expected)),
                (Ok(_), Ok(written)) => {
                    assert!(written <= n && (written > 0 || n == 0));
                    if written > 0 {
                        model.add(&bytes[..written], false);
                    }
                }
                (Ok(_), Err(error)) => full(error, false),
            }
            result
        }
    };
    if result.is_err() && !matches!(op, Op::Pull(_)) {
        assert_eq!(end.tx.buffered_amount(), waiting, "something was queued, and refused: {op:?}");
    }
    assert_eq!(
        end.conn.is_message_in_progress(),
        model.open.is_some() || end.conn.is_message_in_progress() && model.closing
    );
    model.results.push(format!("{result:?}"));
}

/// What went onto the wire, what should have, and what the caller was told.
fn run<O: Outbound>(role: Role, config: Config, tx: O, ops: &[Op]) -> (Vec<u8>, Model) {
    let mut end = Endpoint::with(role, config, Vec::new(), tx);
    let (mut model, mut said) = (Model::default(), Vec::new());
    for op in ops {
        act(&mut end, &mut model, op, &mut said);
        // A message counts from when its last piece is queued until that is transmitted.
        if said.len() < 2000 {
            let sent = frames_and_rest(&said, !end.is_server).0;
            let sent = sent.iter().filter(|frame| frame.fin && frame.opcode < 8).count();
            assert_eq!(end.tx.queued_messages(), model.done.len() - sent, "{op:?}");
        }
    }
    // The message that is open comes to its end.
    while !model.closing && model.open.is_some() {
        act(&mut end, &mut model, &Op::Transmit(usize::MAX), &mut said);
        let next = if model.ends_inside_a_character(&[]) { Op::Write(1) } else { Op::Finish };
        act(&mut end, &mut model, &next, &mut said);
    }
    said.extend(end.say_bytes());
    assert!(idle(&end));
    (said, model)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_sequence_of_operations_is_a_legal_stream_of_what_was_written(
        ops in prop::collection::vec(op(), 1..60),
        is_server: bool,
        storage in prop_oneof![7..40_usize, 40..70_100_usize],
        limit in prop_oneof![Just(usize::MAX), 0..300_usize],
        fragment_size in prop::option::of(prop_oneof![0..10_usize, 100..70_000_usize]),
        cut in prop_oneof![Just(usize::MAX), 1..50_usize],
    ) {
        let config = quiet().fragment_size(fragment_size);
        let role = || if is_server { Role::Server } else { client_role() };
        let mut bytes = vec![0xAA; storage];
        for (said, model) in [
            run(role(), config, SendBuf::new(&mut bytes[..]).limit(limit), &ops),
            run(role(), config, SendBuf::new(Vec::new()).limit(limit), &ops),
            run(role(), config, Queue::new().limit(limit), &ops),
        ] {
            // The frames, read naively.
            let (sent, rest) = frames_and_rest(&said, !is_server);
            prop_assert!(rest.is_empty());
            let most = fragment_size.unwrap_or(usize::MAX).max(1);
            prop_assert!(sent.iter().all(|frame| frame.opcode >= 8 || frame.payload.len() <= most));
            prop_assert!(sent.iter().all(|frame| frame.rsv == 0));
            // What the other side makes of them.
            let config = quiet().max_message_size(usize::MAX).max_fragments(u32::MAX);
            let role = if is_server { client_role() } else { Role::Server };
            let mut peer = Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new()));
            peer.hear_pieces(&ws_tests::chop(&said, &[cut]));
            prop_assert_eq!(peer.error(), None);
            let events = peer.events();
            let messages: Vec<&Seen> =
                events.iter().filter(|seen| matches!(seen, Seen::Text(_) | Seen::Binary(_))).collect();
            prop_assert!(messages.iter().copied().eq(&model.done), "other messages");
            let pings = events.iter().filter(|seen| matches!(seen, Seen::Ping(_))).count();
            prop_assert_eq!(pings, model.pings);
            let closes = events.iter().filter(|seen| matches!(seen, Seen::Close(..))).count();
            prop_assert_eq!(closes, usize::from(model.closing));
        }
    }

    #[test]
    fn every_kind_of_output_gives_the_same_bytes_and_the_same_answers(
        ops in prop::collection::vec(op(), 1..60),
        is_server: bool,
        fragment_size in prop::option::of(prop_oneof![1..10_usize, 100..70_000_usize]),
    ) {
        let config = quiet().fragment_size(fragment_size);
        let role = || if is_server { Role::Server } else { client_role() };
        // Room for all of it, so that it makes no difference what is transmitted when.
        let mut storage = vec![0; 6 << 20];
        let (array, array_model) = run(role(), config, SendBuf::new(&mut storage[..]), &ops);
        let (vec, vec_model) = run(role(), config, SendBuf::new(Vec::new()), &ops);
        let (queue, queue_model) = run(role(), config, Queue::new().limit(1 << 30), &ops);
        prop_assert!(array == vec, "SendBuf<&mut [u8]> and SendBuf<Vec<u8>>");
        prop_assert!(array == queue, "SendBuf and SendQueue");
        prop_assert!(array_model.results == vec_model.results && array_model.results == queue_model.results);
    }
}
