//! In which order things go out, and that every cut of the output is a sequence of whole frames.
#![allow(clippy::panic, clippy::unwrap_used)]

use proptest::prelude::*;
use ws_proto::{Config, Kind, MAX_SLICES, Outbound, Role, SendBuf, SendQueue, State, Storage};
use ws_tests::{
    Endpoint, Frame, binary, client_role, close, close_with, cont, frames, frames_and_rest, ping, pong, text,
};

fn config() -> Config {
    Config::default().ping_interval(None)
}

#[test]
fn control_frames_overtake_data_at_the_boundaries_of_frames() {
    for is_server in [true, false] {
        let first = if is_server { 12 } else { 16 };
        for room in 0..40 {
            let mut end = Endpoint::of(is_server);
            end.send_binary(&[1; 10]).unwrap();
            end.send_binary(&[2; 10]).unwrap();
            let mut bytes = end.transmit(room);
            end.hear(&[ping("first")]);
            end.conn.ping(b"second").unwrap();
            bytes.extend(end.say_bytes());
            let mut expected = vec![binary([1; 10]), binary([2; 10])];
            let at = room.div_ceil(first).min(2);
            expected.splice(at..at, [pong("first"), ping("second")]);
            assert_eq!(frames(&bytes, !is_server), expected, "{room} bytes were out");
        }
    }
}

#[test]
fn a_pong_waits_for_no_more_than_one_fragment_of_a_big_message() {
    let mut end = Endpoint::server_with(config().fragment_size(Some(1000)));
    end.send_binary(&[7; 100_000]).unwrap();
    let mut bytes = end.transmit(5500);
    end.hear(&[ping("now")]);
    bytes.extend(end.say_bytes());
    let sent = frames(&bytes, false);
    assert_eq!(sent.len(), 101);
    // Five fragments of 1,004 bytes were out, and a part of the sixth.
    assert_eq!(sent[6], pong("now"));
}

#[test]
fn one_byte_of_room_at_a_time_gives_the_same_bytes() {
    for is_server in [true, false] {
        let mut outputs = Vec::new();
        for room in [usize::MAX, 1, 2, 3, 50] {
            let mut end = Endpoint::of(is_server);
            end.hear(&[ping("p")]);
            end.conn.ping(b"q").unwrap();
            end.send_text("Hello").unwrap();
            end.send_fragment(Kind::Binary, &[1; 300], false).unwrap();
            end.send_fragment(Kind::Binary, &[], true).unwrap();
            end.close(1000, "bye").unwrap();
            let mut bytes = Vec::new();
            loop {
                let piece = end.transmit(room);
                if piece.is_empty() {
                    break;
                }
                bytes.extend(piece);
            }
            outputs.push(bytes);
        }
        assert!(outputs.windows(2).all(|two| two[0] == two[1]));
        let expected =
            [pong("p"), ping("q"), text("Hello"), binary([1; 300]).more(), cont(""), close_with(1000, "bye")];
        assert_eq!(frames(&outputs[0], !is_server), expected);
    }
}

#[test]
fn more_slices_than_one_transmit_offers_lose_nothing_and_the_close_stays_last() {
    let mut end =
        Endpoint::with(Role::Server, config(), Vec::new(), SendQueue::<Vec<u8>>::new().limit(1 << 30));
    let mut expected = vec![ping("p")];
    for n in 0..50_u8 {
        end.conn.send_owned(&mut end.tx, Kind::Binary, vec![n; 2000]).unwrap();
        expected.push(binary([n; 2000]));
    }
    end.conn.ping(b"p").unwrap();
    end.close(1000, "").unwrap();
    expected.push(close(1000));
    let first = end.conn.poll_transmit(end.now, &mut end.tx).unwrap().slices().len();
    assert_eq!(first, MAX_SLICES);
    assert_eq!(end.say(), expected);
}

/// `Endpoint::transmit` compares it with the slices wherever there is any.
#[test]
fn data_that_lies_in_one_piece_is_offered_as_such_and_nothing_else() {
    let mut end = Endpoint::with(Role::Server, config(), Vec::new(), SendQueue::<Vec<u8>>::new());
    let contiguous = |end: &mut Endpoint<Vec<u8>, SendQueue<Vec<u8>>>| {
        end.conn.poll_transmit(end.now, &mut end.tx).unwrap().contiguous().map(<[u8]>::to_vec)
    };
    end.send_text("a").unwrap();
    end.send_text("b").unwrap();
    assert_eq!(contiguous(&mut end).unwrap(), [0x81, 1, b'a', 0x81, 1, b'b']);
    end.conn.ping(b"").unwrap();
    assert_eq!(contiguous(&mut end), None);
    end.say();
    end.conn.send_owned(&mut end.tx, Kind::Binary, vec![1; 2000]).unwrap();
    assert_eq!(contiguous(&mut end), None);
    end.say();
    end.close(1000, "").unwrap();
    assert_eq!(contiguous(&mut end), None);
}

#[test]
fn polling_again_without_advancing_offers_the_same() {
    let mut end = Endpoint::client();
    end.send_text("Hello").unwrap();
    end.conn.ping(b"").unwrap();
    let offered = |end: &mut Endpoint| {
        let transmit = end.conn.poll_transmit(end.now, &mut end.tx).unwrap();
        transmit.slices().concat()
    };
    let first = offered(&mut end);
    assert_eq!(first, offered(&mut end));
    end.conn.poll_transmit(end.now, &mut end.tx).unwrap().advance(0);
    assert_eq!(first, offered(&mut end));
    end.conn.poll_transmit(end.now, &mut end.tx).unwrap().advance(1);
    assert_eq!(first[1..], offered(&mut end));
    let transmit = end.conn.poll_transmit(end.now, &mut end.tx).unwrap();
    let slices = transmit.slices();
    let (io, n) = slices.to_io_slices();
    assert_eq!(io[..n].iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>(), first[1..]);
}

#[derive(Clone, Debug)]
enum Step {
    Close,
    CloseNow,
    HearClose,
    HearPing(usize),
    Ping(usize),
    Pong(usize),
    Send(usize),
    SendFragment(usize, bool),
    Transmit(usize),
    Violate,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Close),
        1 => Just(Step::CloseNow),
        1 => Just(Step::HearClose),
        12 => (0..126_usize).prop_map(Step::HearPing),
        4 => Just(Step::HearPing(125)),
        8 => (0..126_usize).prop_map(Step::Ping),
        4 => (0..126_usize).prop_map(Step::Pong),
        8 => (0..200_usize).prop_map(Step::Send),
        4 => (0..200_usize, any::<bool>()).prop_map(|(n, fin)| Step::SendFragment(n, fin)),
        24 => (0..300_usize).prop_map(Step::Transmit),
        8 => (0..9_usize).prop_map(Step::Transmit),
        1 => Just(Step::Violate),
    ]
}

/// What a run of the steps must have led to.
#[derive(Default)]
struct Model {
    data: Vec<Frame>,
    pings: Vec<Frame>,
    pongs: Vec<Frame>,
    unfinished: bool,
    /// Queued output was dropped, so that only a prefix of the above is to be expected.
    dropped: bool,
    number: u8,
}

impl Model {
    /// A payload unlike the one before, so that frames can be told apart.
    fn payload(&mut self, n: usize) -> Vec<u8> {
        self.number = self.number.wrapping_add(1);
        vec![self.number; n]
    }
}

fn run<S: Storage, O: Outbound>(mut end: Endpoint<S, O>, steps: &[Step]) -> (Vec<u8>, Model) {
    let mut model = Model::default();
    let mut bytes = Vec::new();
    for step in steps {
        let closing = end.conn.state() != State::Open;
        match *step {
            Step::Close => assert_eq!(end.close(1000, "bye").is_ok(), !closing),
            Step::CloseNow => {
                assert_eq!(end.close_now(1001, "").is_ok(), !closing);
                // Behind the echo of the peer's Close it drops data too.
                model.dropped = true;
            }
            Step::HearClose => end.hear(&[close(3000)]),
            Step::HearPing(n) => {
                let payload = model.payload(n);
                end.hear(&[ping(&payload)]);
                if end.conn.peer_close().is_none() && end.conn.error().is_none() {
                    model.pongs.push(pong(&payload));
                }
            }
            Step::Ping(n) => {
                let payload = model.payload(n);
                if end.conn.ping(&payload).is_ok() {
                    assert!(!closing);
                    model.pings.push(ping(&payload));
                }
            }
            Step::Pong(n) => {
                let payload = model.payload(n);
                let result = end.conn.pong(&payload);
                assert_eq!(result.is_ok(), !closing);
                if result.is_ok() {
                    model.pongs.push(pong(&payload));
                }
            }
            Step::Send(n) => {
                let payload = model.payload(n);
                if end.send_binary(&payload).is_ok() {
                    assert!(!closing && !model.unfinished);
                    model.data.push(binary(&payload));
                }
            }
            Step::SendFragment(n, fin) => {
                let payload = model.payload(n);
                if end.send_fragment(Kind::Binary, &payload, fin).is_ok() {
                    assert!(!closing);
                    let mut frame = if model.unfinished { cont(&payload) } else { binary(&payload) };
                    frame.fin = fin;
                    model.unfinished = !fin;
                    model.data.push(frame);
                }
            }
            Step::Transmit(n) => bytes.extend(end.transmit(n)),
            Step::Violate => {
                if end.conn.peer_close().is_none() && end.conn.error().is_none() {
                    end.hear(&[cont("")]);
                    assert!(end.conn.error().is_some());
                    model.dropped = true;
                }
            }
        }
        // At any time, what is out is whole frames and the beginning of one.
        frames_and_rest(&bytes, !end.is_server);
    }
    bytes.extend(end.say_bytes());
    assert!(!end.conn.wants_transmit(&end.tx));
    if end.conn.local_close().is_some() {
        let sent = frames(&bytes, !end.is_server);
        let closes: Vec<&Frame> = sent.iter().filter(|frame| frame.opcode == 8).collect();
        assert_eq!(closes.len(), 1, "one Close frame");
        let code = end.conn.local_close().map_or(0, |code| code.as_u16());
        assert_eq!(closes[0].payload[..2], code.to_be_bytes());
    }
    (bytes, model)
}

fn is_subsequence(few: &[Frame], many: &[Frame]) -> bool {
    let mut many = many.iter();
    few.iter().all(|frame| many.any(|other| other == frame))
}

fn check(bytes: &[u8], model: &Model, masked: bool) {
    let sent = frames(bytes, masked);
    let of = |wanted: &[u8]| -> Vec<Frame> {
        sent.iter().filter(|frame| wanted.contains(&frame.opcode)).cloned().collect()
    };
    let closes = of(&[8]);
    assert!(closes.len() <= 1, "two Close frames");
    if let Some(at) = sent.iter().position(|frame| frame.opcode == 8) {
        assert!(sent[at..].iter().all(|frame| frame.opcode >= 8), "data behind a Close frame");
        assert!(sent[at..].iter().all(|frame| frame.opcode != 9), "a ping behind a Close frame");
    }
    let (data, pings, pongs) = (of(&[0, 1, 2]), of(&[9]), of(&[10]));
    if model.dropped {
        assert!(model.data.starts_with(&data), "{data:?}");
        assert!(model.pings.starts_with(&pings), "{pings:?}");
    } else {
        assert_eq!(data, model.data, "all data, and in order, also before a Close");
        assert_eq!(pings, model.pings, "a ping that was accepted is never dropped");
        assert_eq!(pongs.last(), model.pongs.last(), "the latest ping is answered");
    }
    assert!(is_subsequence(&pongs, &model.pongs), "pongs out of order");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_commands_and_any_partial_writes_give_whole_frames_in_legal_order(
        steps in prop::collection::vec(step(), 1..80),
        is_server: bool,
        fixed: bool,
    ) {
        let role = if is_server { Role::Server } else { client_role() };
        let (bytes, model) = if fixed {
            run(Endpoint::with(role, config(), [0; 300], SendBuf::new([0; 700])), &steps)
        } else {
            run(Endpoint::with(role, config(), Vec::new(), SendQueue::<Vec<u8>>::new()), &steps)
        };
        check(&bytes, &model, !is_server);
    }
}
