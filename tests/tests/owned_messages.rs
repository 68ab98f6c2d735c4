//! Messages that are taken together with the storage that they were received in.
#![allow(clippy::panic, clippy::std_instead_of_alloc, clippy::unwrap_used)]

use proptest::prelude::*;
use ws_proto::{Config, Event, Message, OwnedMessage, Role, SendBuf};
use ws_tests::{Endpoint, Frame, binary, client_role, cont, ping, text, wire};

const TAKE_FROM: usize = 64 << 10;
const COPY_BEHIND: usize = 8 << 10;

type End = Endpoint<Vec<u8>>;

fn end(is_server: bool) -> End {
    let role = if is_server { Role::Server } else { client_role() };
    let config = Config::default().ping_interval(None).max_message_size(1 << 22);
    Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new()))
}

/// The next event, taken if that can be: with where its payload lay before.
fn take(end: &mut End) -> (Option<OwnedMessage>, *const u8) {
    let ready = end.conn.poll_receive(end.now, &mut end.rx).unwrap().unwrap();
    let place = match ready.event(&end.rx) {
        Event::Data(message) => message.as_bytes().as_ptr(),
        Event::Ping(payload) => payload.as_ptr(),
        other => panic!("{other:?}"),
    };
    (ready.take(&mut end.rx), place)
}

fn letters(len: usize) -> String {
    (0..len).map(|n| char::from(b'a' + (n % 26) as u8)).collect()
}

fn hear(end: &mut End, frames: &[Frame], is_server: bool) {
    let bytes = wire(frames, is_server);
    assert_eq!(end.rx.extend_from_slice(&bytes), bytes.len());
}

#[test]
fn a_large_message_lies_where_it_was_received_and_what_is_behind_it_stays_in_the_buffer() {
    let large = letters(300_000);
    for is_server in [true, false] {
        for (is_text, behind, stays) in [
            (false, 0, true),
            (true, 0, true),
            (false, 100, true),
            (false, COPY_BEHIND, true),
            (false, COPY_BEHIND + 1, false),
        ] {
            let mut end = end(is_server);
            let message = if is_text { text(&large) } else { binary(&large) };
            hear(&mut end, &[message], is_server);
            let behind: Vec<u8> = (0..behind).map(|n| n as u8).collect();
            end.rx.extend_from_slice(&behind);
            let (taken, place) = take(&mut end);
            assert_eq!(end.rx.unparsed(), behind);
            assert_eq!(taken.is_some(), stays, "{is_text} {}", behind.len());
            let Some(taken) = taken else { continue };
            assert_eq!(taken.as_ref().as_ptr(), place);
            let expected = if is_text { Message::Text(&large) } else { Message::Binary(large.as_bytes()) };
            assert_eq!(taken.as_message(), expected);
            assert_eq!(taken.kind(), expected.kind());
            assert!(!format!("{taken:?}").contains("abc"));
        }
    }
}

#[test]
fn fragments_that_were_put_together_are_taken_as_well() {
    let (first, second) = (letters(100_000), letters(200_000));
    let mut end = end(true);
    hear(&mut end, &[text(&first).more(), ping("?"), cont(&second)], true);
    assert!(take(&mut end).0.is_none(), "a ping is no message");
    let taken = take(&mut end).0.unwrap();
    assert_eq!(taken.as_message(), Message::Text(&(first + &second)));
    hear(&mut end, &[text("on it goes")], true);
    while end.receive_one() {}
    assert_eq!(end.events(), [ws_tests::Seen::text("on it goes")]);
}

#[test]
fn a_message_that_is_small_or_stale_is_not_taken_and_nothing_happens() {
    let mut end = end(true);
    hear(&mut end, &[binary(vec![7; TAKE_FROM - 1])], true);
    assert!(take(&mut end).0.is_none());
    // Less than half of the storage, which would be kept along with it.
    let mut end = self::end(true);
    hear(
        &mut end,
        &[binary(vec![7; TAKE_FROM]), binary(vec![8; TAKE_FROM]), binary(vec![9; TAKE_FROM])],
        true,
    );
    assert!(take(&mut end).0.is_none());
    let mut end = self::end(true);
    hear(&mut end, &[binary(vec![7; 100_000])], true);
    let ready = end.conn.poll_receive(end.now, &mut end.rx).unwrap().unwrap();
    end.rx.spare_mut();
    assert!(ready.take(&mut end.rx).is_none());
    let ready = {
        hear(&mut end, &[binary(vec![7; 100_000])], true);
        end.conn.poll_receive(end.now, &mut end.rx).unwrap().unwrap()
    };
    assert!(ready.take(&mut end.rx).is_some());
    assert!(ready.take(&mut end.rx).is_none(), "a second time");
}

/// An event of another buffer gives a message of this one, which is what it says to be; or none.
#[test]
fn an_event_of_another_buffer_takes_no_text_that_is_none() {
    let (mut one, mut other) = (end(true), end(true));
    hear(&mut one, &[text(letters(100_000))], true);
    hear(&mut other, &[binary(vec![0xFF; 100_000])], true);
    let ready = one.conn.poll_receive(one.now, &mut one.rx).unwrap().unwrap();
    let _ = other.conn.poll_receive(other.now, &mut other.rx).unwrap().unwrap();
    let taken = ready.take(&mut other.rx).unwrap();
    assert_eq!(taken.as_message(), Message::Text(""));
    assert_eq!(taken.as_ref(), b"");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is taken and whatever not, and however it is cut, the messages are those that were sent.
    #[test]
    fn messages_are_what_was_sent_whether_they_are_taken_or_not(
        sizes in prop::collection::vec(prop_oneof![0..200_usize, 60_000..200_000_usize], 1..8),
        cut in prop_oneof![1000..10_000_usize, Just(usize::MAX)],
    ) {
        let messages: Vec<String> = sizes.into_iter().map(letters).collect();
        let frames: Vec<Frame> = messages.iter().map(text).collect();
        let bytes = wire(&frames, true);
        let mut end = end(true);
        let mut got = Vec::new();
        for piece in bytes.chunks(cut.min(bytes.len())) {
            end.rx.extend_from_slice(piece);
            while let Some(ready) = end.conn.poll_receive(end.now, &mut end.rx).unwrap() {
                got.push(match ready.take(&mut end.rx) {
                    Some(taken) => String::from_utf8(taken.as_ref().to_vec()).unwrap(),
                    None => match ready.event(&end.rx) {
                        Event::Data(Message::Text(text)) => text.to_owned(),
                        other => panic!("{other:?}"),
                    },
                });
            }
        }
        prop_assert!(got == messages);
        prop_assert!(end.rx.is_empty());
    }
}
