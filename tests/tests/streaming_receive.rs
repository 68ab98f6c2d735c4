//! Receiving in pieces: `receive_chunk`, alone and mixed with `receive`.
#![allow(clippy::panic, clippy::unwrap_used)]

use core::time::Duration;

use proptest::prelude::*;
use ws_proto::{
    Chunk, Config, Connection, Error, Event, FrameHeader, Instant, Kind, Message, ProtocolError, RecvBuf,
    Role, Rsv, SendBuf, State, Storage, TimeoutReason,
};
use ws_tests::{
    Endpoint, Frame, FrameLength, Seen, any_frame, at, binary, chop, close, close_with, cont, cuts,
    every_byte, fixed_key_role, frames, ping, pong, repair, text, wire,
};

fn quiet() -> Config {
    Config::default().ping_interval(None)
}

// A reader of pieces.

/// What `receive_chunk` gave, copied out of the buffer.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Binary(Vec<u8>),
    End(bool),
    Other(Seen),
    Start(FrameHeader),
    Text(String),
}

impl From<Event<'_, Chunk<'_>>> for Piece {
    fn from(event: Event<'_, Chunk<'_>>) -> Self {
        match event {
            Event::Close(frame) => Self::Other(Seen::close(frame.code.as_u16(), frame.reason)),
            Event::Data(Chunk::Data(Message::Binary(bytes))) => Self::Binary(bytes.to_vec()),
            Event::Data(Chunk::Data(Message::Text(text))) => Self::Text(text.to_owned()),
            Event::Data(Chunk::FrameEnd { fin }) => Self::End(fin),
            Event::Data(Chunk::FrameStart(header)) => Self::Start(header),
            Event::Ping(payload) => Self::Other(Seen::ping(payload)),
            Event::Pong(payload) => Self::Other(Seen::pong(payload)),
        }
    }
}

/// A connection that is received from in pieces.
struct Reader<S: Storage = Vec<u8>> {
    end: Endpoint<S>,
    pieces: Vec<Piece>,
    error: Option<Error>,
}

impl Reader {
    fn server() -> Self {
        Self::with(true, quiet(), Vec::new())
    }

    fn server_with(config: Config) -> Self {
        Self::with(true, config, Vec::new())
    }
}

impl<S: Storage> Reader<S> {
    fn with(is_server: bool, config: Config, storage: S) -> Self {
        let role = if is_server { Role::Server } else { fixed_key_role() };
        let end = Endpoint::with(role, config, storage, SendBuf::new(Vec::new()));
        Self { end, pieces: Vec::new(), error: None }
    }

    /// Receives a piece, and says whether there was something.
    fn receive_one(&mut self) -> bool {
        match self.end.conn.receive_chunk(self.end.now, &mut self.end.rx) {
            Ok(Some(event)) => {
                assert_eq!(self.error, None, "an event after an error");
                let piece = Piece::from(event);
                assert_ne!(piece, Piece::Binary(Vec::new()), "a piece is never empty");
                assert_ne!(piece, Piece::Text(String::new()), "a piece is never empty");
                self.pieces.push(piece);
                true
            }
            Ok(None) => {
                assert_eq!(self.error, None, "the error is forgotten");
                false
            }
            Err(error) => {
                assert!(self.error.is_none_or(|before| before == error), "{:?} became {error:?}", self.error);
                assert_eq!(self.end.conn.error(), Some(error));
                self.error = Some(error);
                false
            }
        }
    }

    fn hear_bytes(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.error.is_none() {
            let taken = self.end.rx.extend_from_slice(rest);
            assert_ne!(taken, 0, "no room after receive_chunk gave None");
            rest = &rest[taken..];
            while self.receive_one() {}
        }
    }

    fn hear(&mut self, frames: &[Frame]) {
        self.hear_bytes(&wire(frames, self.end.is_server));
    }

    /// What came since this was last asked.
    fn pieces(&mut self) -> Vec<Piece> {
        core::mem::take(&mut self.pieces)
    }

    /// What came, put together as `receive` would.
    fn messages(&mut self) -> (Vec<Seen>, Vec<u8>) {
        let mut assembler = Assembler::default();
        for piece in self.pieces() {
            assembler.add(piece);
        }
        assembler.finish()
    }
}

/// Puts messages together from pieces.
#[derive(Default)]
struct Assembler {
    seen: Vec<Seen>,
    message: Vec<u8>,
    is_text: bool,
}

impl Assembler {
    fn add(&mut self, piece: Piece) {
        match piece {
            Piece::Binary(bytes) => self.message.extend(bytes),
            Piece::Text(text) => {
                self.message.extend(text.into_bytes());
            }
            Piece::Start(header) => self.is_text = header.kind == Kind::Text && header.rsv.is_empty(),
            Piece::End(true) => {
                let message = core::mem::take(&mut self.message);
                self.seen.push(if self.is_text {
                    Seen::Text(String::from_utf8(message).unwrap())
                } else {
                    Seen::Binary(message)
                });
            }
            Piece::End(false) => {}
            Piece::Other(seen) => self.seen.push(seen),
        }
    }

    /// The rest of a message, as `receive` gives it.
    fn add_rest(&mut self, seen: Seen) {
        let mut message = core::mem::take(&mut self.message);
        match seen {
            Seen::Binary(rest) => {
                message.extend(rest);
                self.seen.push(Seen::Binary(message));
            }
            Seen::Text(rest) => {
                message.extend(rest.into_bytes());
                self.seen.push(Seen::Text(String::from_utf8(message).unwrap()));
            }
            other => {
                self.message = message;
                self.seen.push(other);
            }
        }
    }

    /// What is complete, and what there is of a message that is not.
    fn finish(self) -> (Vec<Seen>, Vec<u8>) {
        (self.seen, self.message)
    }
}

fn start(kind: Kind, fin: bool, len: u64) -> Piece {
    Piece::Start(FrameHeader { kind, continuation: false, fin, rsv: Rsv::NONE, len })
}

fn start_cont(kind: Kind, fin: bool, len: u64) -> Piece {
    Piece::Start(FrameHeader { kind, continuation: true, fin, rsv: Rsv::NONE, len })
}

fn bytes(payload: impl AsRef<[u8]>) -> Piece {
    Piece::Binary(payload.as_ref().to_vec())
}

fn chars(payload: &str) -> Piece {
    Piece::Text(payload.to_owned())
}

// Starts, pieces, ends.

#[test]
fn a_frame_starts_as_soon_as_its_header_is_complete_and_before_any_payload_byte() {
    for (len, header) in
        [(5, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10), (1 << 32, 10), (u64::MAX >> 1, 10)]
    {
        let written = match len {
            0..=125 => FrameLength::Shortest,
            126..=65_535 => FrameLength::Bits16(len as u16),
            _ => FrameLength::Bits64(len),
        };
        let payload = if len <= 125 { vec![7; len as usize] } else { vec![7; 3] };
        for is_server in [true, false] {
            let header = header + if is_server { 4 } else { 0 };
            let wire = wire(&[text(&payload).more().length(written)], is_server);
            let mut reader = Reader::with(is_server, quiet().max_message_size(1), [0; 256]);
            for byte in &wire[..header - 1] {
                reader.hear_bytes(&[*byte]);
                assert_eq!(reader.pieces(), [], "{len}");
            }
            reader.hear_bytes(&wire[header - 1..header]);
            assert_eq!(reader.pieces(), [start(Kind::Text, false, len)]);
            reader.hear_bytes(&wire[header..header + 3]);
            assert_eq!(reader.pieces(), [chars("\u{7}\u{7}\u{7}")]);
        }
    }
}

#[test]
fn data_is_given_as_it_arrives_and_the_end_with_the_last_byte() {
    let mut reader = Reader::server();
    let wire = binary("Hello").masked();
    reader.hear_bytes(&wire[..8]);
    assert_eq!(reader.pieces(), [start(Kind::Binary, true, 5), bytes("He")]);
    reader.hear_bytes(&wire[8..10]);
    assert_eq!(reader.pieces(), [bytes("ll")]);
    reader.hear_bytes(&wire[10..]);
    assert_eq!(reader.pieces(), [bytes("o"), Piece::End(true)]);
    // And byte by byte.
    reader.hear_bytes(&wire[..6]);
    assert_eq!(reader.pieces(), [start(Kind::Binary, true, 5)]);
    for piece in every_byte(&wire[6..]) {
        reader.hear_bytes(piece);
    }
    let pieces = reader.pieces();
    assert_eq!(pieces, [bytes("H"), bytes("e"), bytes("l"), bytes("l"), bytes("o"), Piece::End(true)]);
}

#[test]
fn the_end_of_a_frame_and_the_end_of_a_message_are_told_apart() {
    let mut reader = Reader::server();
    reader.hear(&[text("a").more(), cont("b").more(), cont("c"), binary("d")]);
    assert_eq!(
        reader.pieces(),
        [
            start(Kind::Text, false, 1),
            chars("a"),
            Piece::End(false),
            start_cont(Kind::Text, false, 1),
            chars("b"),
            Piece::End(false),
            start_cont(Kind::Text, true, 1),
            chars("c"),
            Piece::End(true),
            start(Kind::Binary, true, 1),
            bytes("d"),
            Piece::End(true),
        ]
    );
}

#[test]
fn empty_frames_start_and_end_without_a_piece_between() {
    let mut reader = Reader::server();
    reader.hear(&[text(""), binary("").more(), cont("").more(), cont("")]);
    assert_eq!(
        reader.pieces(),
        [
            start(Kind::Text, true, 0),
            Piece::End(true),
            start(Kind::Binary, false, 0),
            Piece::End(false),
            start_cont(Kind::Binary, false, 0),
            Piece::End(false),
            start_cont(Kind::Binary, true, 0),
            Piece::End(true),
        ]
    );
}

// Control frames.

#[test]
fn a_ping_inside_a_fragmented_text_is_told_apart_from_the_text() {
    let mut reader = Reader::server();
    reader.hear(&[text("Hel").more(), ping("?"), cont("lo")]);
    assert_eq!(
        reader.pieces(),
        [
            start(Kind::Text, false, 3),
            chars("Hel"),
            Piece::End(false),
            Piece::Other(Seen::ping("?")),
            start_cont(Kind::Text, true, 2),
            chars("lo"),
            Piece::End(true),
        ]
    );
    assert_eq!(reader.end.say(), [pong("?")]);
}

#[test]
fn control_frames_are_whole_however_they_arrive_and_a_character_may_be_open_around_them() {
    let script =
        [text(b"\xe2\x82").more(), ping([9; 125]), pong("x"), cont(b"\xac"), close_with(1000, "bye")];
    for cut in cuts() {
        let mut reader = Reader::with(true, quiet(), [0; 134]);
        for piece in chop(&wire(&script, true), cut) {
            reader.hear_bytes(piece);
        }
        assert_eq!(
            reader.pieces(),
            [
                start(Kind::Text, false, 2),
                Piece::End(false),
                Piece::Other(Seen::ping([9; 125])),
                Piece::Other(Seen::pong("x")),
                start_cont(Kind::Text, true, 1),
                chars("€"),
                Piece::End(true),
                Piece::Other(Seen::close(1000, "bye")),
            ],
            "{cut:?}"
        );
        assert_eq!(reader.error, None);
        assert_eq!(reader.end.say(), [pong([9; 125]), close_with(1000, "bye")]);
    }
}

#[test]
fn a_piece_can_be_answered_while_it_lies_in_the_buffer() {
    let mut conn = Connection::new(Role::Server, quiet(), at(0));
    let mut rx = RecvBuf::new([0; 256]);
    let mut tx = SendBuf::new([0; 256]);
    rx.extend_from_slice(&text("Hello").masked());
    while let Some(event) = conn.receive_chunk(at(0), &mut rx).unwrap() {
        if let Event::Data(Chunk::Data(piece)) = event {
            conn.send(&mut tx, piece).unwrap();
        }
    }
    assert_eq!(conn.poll_transmit(at(0), &mut tx).unwrap().slices()[0], b"\x81\x05Hello");
}

#[test]
fn a_piece_that_was_not_borrowed_in_time_is_empty_and_never_something_else() {
    let mut reader = Reader::server();
    let wire = text("Hello").masked();
    reader.end.rx.extend_from_slice(&wire[..8]);
    let header = reader.end.conn.poll_receive_chunk(at(0), &mut reader.end.rx).unwrap().unwrap();
    let ready = reader.end.conn.poll_receive_chunk(at(0), &mut reader.end.rx).unwrap().unwrap();
    assert_eq!(Piece::from(ready.event(&reader.end.rx)), chars("He"));
    reader.end.rx.extend_from_slice(&wire[8..]);
    assert_eq!(Piece::from(ready.event(&reader.end.rx)), chars(""));
    let next = reader.end.conn.poll_receive_chunk(at(0), &mut reader.end.rx).unwrap().unwrap();
    assert_eq!(Piece::from(next.event(&reader.end.rx)), chars("llo"));
    assert_eq!(Piece::from(ready.event(&reader.end.rx)), chars(""));
    // What holds no payload is always there.
    assert_eq!(Piece::from(header.event(&reader.end.rx)), start(Kind::Text, true, 5));
}

// Any size through a small buffer.

/// Streams `len` bytes in one frame through `storage`, in reads that fill it. Gives how many pieces that took.
fn stream<S: Storage>(storage: S, declared: u64, len: u64) -> (u64, usize) {
    let mut reader = Reader::with(true, quiet().max_message_size(1000), storage);
    let Frame { fin, .. } = binary("");
    assert!(fin);
    let header = binary("").length(FrameLength::Bits64(declared)).masked();
    reader.hear_bytes(&header);
    assert_eq!(reader.pieces(), [start(Kind::Binary, true, declared)]);
    let Endpoint { conn, rx, .. } = &mut reader.end;
    let (mut sent, mut received, mut sum, mut expected, mut pieces) = (0, 0, 0_u64, 0_u64, 0);
    let mut largest = rx.capacity();
    while sent < len {
        let spare = rx.spare_mut();
        assert!(!spare.is_empty());
        let n = (spare.len() as u64).min(len - sent) as usize;
        // The payload is the position, masked; in whole fours.
        let n = if n >= 4 && (len - sent) > n as u64 { n & !3 } else { n };
        let value = (sent as u32).to_le_bytes();
        for (index, byte) in spare[..n].iter_mut().enumerate() {
            *byte = value[index % 4] ^ ws_tests::KEY[index % 4];
        }
        expected += value.iter().cycle().take(n).map(|&byte| u64::from(byte)).sum::<u64>();
        rx.commit(n);
        sent += n as u64;
        while let Some(event) = conn.receive_chunk(at(0), rx).unwrap() {
            match event {
                Event::Data(Chunk::Data(Message::Binary(piece))) => {
                    received += piece.len() as u64;
                    pieces += 1;
                    sum += piece.iter().map(|&byte| u64::from(byte)).sum::<u64>();
                }
                Event::Data(Chunk::FrameEnd { fin: true }) => assert_eq!(received, declared),
                _ => panic!("something else in the middle of a frame"),
            }
        }
        largest = largest.max(rx.capacity());
    }
    assert_eq!((received, sum), (len, expected));
    (pieces, largest)
}

#[test]
fn a_frame_of_4_gib_passes_through_256_bytes_as_far_as_it_arrives() {
    let (pieces, capacity) = stream([0; 256], 4 << 30, 12 << 20);
    assert_eq!(capacity, 256);
    assert!(pieces <= (12 << 20) / 250);
}

#[test]
fn a_buffer_that_grows_does_not_grow_beyond_what_reads_fill() {
    let (_, capacity) = stream(Vec::new(), 4 << 30, 4 << 20);
    assert!(capacity <= 128 << 10, "{capacity}");
}

#[test]
#[ignore = "4 GiB take minutes without optimisation"]
fn a_frame_of_4_gib_passes_through_256_bytes_to_its_end() {
    let (_, capacity) = stream([0; 256], 4 << 30, 4 << 30);
    assert_eq!(capacity, 256);
}

#[test]
fn fixed_storage_of_every_size_from_the_smallest_documented_never_gets_stuck() {
    // The worst there is: an open character, then the largest control frame, then a large header; and text whose pieces
    // leave characters open at every read.
    let words = "aé€😀".repeat(30);
    let script = [
        text(&words.as_bytes()[..words.len() - 1]).more(),
        ping([1; 125]),
        cont(&words.as_bytes()[words.len() - 1..]).more(),
        cont("").more(),
        cont(b"\xf0\x9f\x98").more(),
        ping([2; 125]),
        pong([3; 125]),
        cont(b"\x80").more(),
        cont(b"\xf0\x9f").more(),
        cont("").more(),
        cont(b"\x98").more(),
        close_with(1000, "x".repeat(123)),
    ];
    let binary_script = [binary([5; 1000]).more(), ping([1; 125]), cont([6; 20_000]), ping([2; 125])];
    for size in RecvBuf::<Vec<u8>>::MIN_SIZE..RecvBuf::<Vec<u8>>::MIN_SIZE + 25 {
        for cut in cuts() {
            let mut storage = vec![0xAA; size];
            // What the documentation of `receive_chunk` says: three bytes more for text, of which a character can be
            // open.
            if size >= RecvBuf::<Vec<u8>>::MIN_SIZE + 3 {
                let mut reader = Reader::with(true, quiet(), &mut storage[..]);
                for piece in chop(&wire(&script, true), cut) {
                    reader.hear_bytes(piece);
                }
                assert_eq!(reader.error, None, "{size} {cut:?}");
                let (seen, open) = reader.messages();
                assert_eq!(seen.len(), 4, "{size} {cut:?}");
                assert!(open == [words.as_bytes(), "😀".as_bytes()].concat(), "{size} {cut:?}");
            } else if cut == &[1] {
                // With less it is an error, not a read into nothing.
                let mut reader = Reader::with(true, quiet(), &mut storage[..]);
                for byte in wire(&script, true) {
                    reader.hear_bytes(&[byte]);
                }
                assert_eq!(reader.error, Some(Error::MessageTooBig { limit: size as u64 }));
            }
            if cut.first().is_none_or(|&first| first > 7) {
                let mut reader = Reader::with(true, quiet(), &mut storage[..]);
                for piece in chop(&wire(&binary_script, true), cut) {
                    reader.hear_bytes(piece);
                }
                assert_eq!(reader.error, None, "{size} {cut:?}");
                assert_eq!(reader.messages().0.len(), 3, "{size} {cut:?}");
            }
        }
    }
}

// Text.

#[test]
fn pieces_of_text_are_whole_characters_at_every_cut_and_in_every_fragmentation() {
    let words = "aé€😀ß";
    for first_cut in 0..=words.len() {
        for second_cut in first_cut..=words.len() {
            let (a, b, c) = (
                &words.as_bytes()[..first_cut],
                &words.as_bytes()[first_cut..second_cut],
                &words.as_bytes()[second_cut..],
            );
            for cut in cuts() {
                let mut reader = Reader::server();
                for piece in chop(&wire(&[text(a).more(), cont(b).more(), cont(c)], true), cut) {
                    reader.hear_bytes(piece);
                }
                // A piece is a `&str`; what `Reader` copied is one by type. No byte is lost, none comes twice.
                assert_eq!(reader.messages(), (vec![Seen::text(words)], vec![]));
                assert_eq!(reader.error, None);
            }
        }
    }
}

#[test]
fn a_character_that_is_cut_waits_for_the_rest_of_it() {
    let mut reader = Reader::server();
    let wire = wire(&[text(b"x\xf0\x9f").more(), cont(b"\x98\x80y")], true);
    for piece in every_byte(&wire) {
        reader.hear_bytes(piece);
    }
    assert_eq!(
        reader.pieces(),
        [
            start(Kind::Text, false, 3),
            chars("x"),
            Piece::End(false),
            start_cont(Kind::Text, true, 3),
            chars("😀"),
            chars("y"),
            Piece::End(true),
        ]
    );
}

#[test]
fn invalid_text_fails_at_the_offending_byte_and_what_was_before_it_is_given_however_it_is_cut() {
    for (payload, good, bad_at) in [
        (&b"abc\xffdef"[..], "abc", 4),
        (b"\xff", "", 1),
        (b"h\xe2\x82xyz", "h", 4),
        (
            "é€\u{10ffff}".as_bytes().iter().chain(b"\xed\xa0\x80").copied().collect::<Vec<_>>().leak(),
            "é€\u{10ffff}",
            11,
        ),
    ] {
        let wire = wire(&[text(payload).more(), cont("never")], true);
        for cut in cuts() {
            let mut reader = Reader::server();
            for piece in chop(&wire, cut) {
                reader.hear_bytes(piece);
            }
            assert_eq!(reader.error, Some(Error::InvalidUtf8), "{payload:x?} {cut:?}");
            let (seen, open) = reader.messages();
            assert_eq!((seen, open.as_slice()), (vec![], good.as_bytes()), "{payload:x?} {cut:?}");
            assert_eq!(reader.end.say(), [close(1007)]);
        }
        // Not before, and not later.
        let mut reader = Reader::server();
        reader.hear_bytes(&wire[..6 + bad_at - 1]);
        assert_eq!(reader.error, None);
        reader.hear_bytes(&wire[6 + bad_at - 1..6 + bad_at]);
        assert_eq!(reader.error, Some(Error::InvalidUtf8));
    }
}

#[test]
fn invalid_text_behind_many_blocks_of_good_text_in_one_read_fails_as_well() {
    let good = "é".repeat(20_000);
    let mut payload = good.clone().into_bytes();
    payload.extend(b"\xc3(");
    let mut reader = Reader::server();
    reader.hear(&[text(&payload)]);
    assert_eq!(reader.error, Some(Error::InvalidUtf8));
    let (seen, open) = reader.messages();
    assert!(seen.is_empty() && open == good.as_bytes());
}

#[test]
fn invalid_text_that_was_noticed_is_not_forgotten_by_receive() {
    let mut reader = Reader::server();
    reader.end.rx.extend_from_slice(&text(b"abc\xff").masked());
    assert!(reader.receive_one() && reader.receive_one());
    assert_eq!(reader.pieces(), [start(Kind::Text, true, 4), chars("abc")]);
    assert!(!reader.end.receive_one());
    assert_eq!(reader.end.error(), Some(Error::InvalidUtf8));
    assert_eq!(reader.end.say(), [close(1007)]);
}

#[test]
fn text_that_ends_inside_a_character_fails_at_its_end() {
    let mut reader = Reader::server();
    reader.hear(&[text(b"x\xe2").more()]);
    assert_eq!(reader.pieces(), [start(Kind::Text, false, 2), chars("x"), Piece::End(false)]);
    reader.hear(&[cont(b"\x82")]);
    assert_eq!(reader.pieces(), [start_cont(Kind::Text, true, 1)]);
    assert_eq!(reader.error, Some(Error::InvalidUtf8));
}

// Limits.

#[test]
fn max_message_size_and_max_fragments_do_not_apply_but_max_frame_size_does() {
    let config = quiet().max_message_size(4).max_fragments(2).max_frame_size(10);
    let mut reader = Reader::server_with(config);
    reader.hear(&[binary([0; 10]).more()]);
    for _ in 0..100 {
        reader.hear(&[cont([0; 10]).more()]);
    }
    assert_eq!(reader.error, None);
    reader.pieces();
    // On the header, before any payload.
    reader.hear_bytes(&cont([0; 11]).masked()[..6]);
    assert_eq!((reader.error, reader.pieces()), (Some(Error::MessageTooBig { limit: 10 }), vec![]));
    assert_eq!(reader.end.say(), [close(1009)]);
}

#[test]
fn limits_count_what_receive_puts_together_and_not_what_was_given_in_pieces() {
    let config = quiet().max_message_size(10).max_fragments(2);
    let mut reader = Reader::server_with(config);
    reader.hear(&[binary([1; 100]).more(), cont([2; 100]).more(), cont([3; 100]).more()]);
    reader.pieces();
    reader.end.hear(&[cont([4; 5]).more(), cont([5; 5])]);
    assert_eq!(reader.end.error(), None);
    assert_eq!(reader.end.events(), [Seen::binary([4, 4, 4, 4, 4, 5, 5, 5, 5, 5])]);
    // The next message counts from its beginning.
    reader.end.hear(&[binary([0; 11])]);
    assert_eq!(reader.end.error(), Some(Error::MessageTooBig { limit: 10 }));
}

#[test]
fn fixed_storage_takes_the_rest_of_a_message_of_any_size() {
    let mut reader = Reader::with(true, quiet(), [0; 200]);
    reader.hear(&[binary([1; 5000]).more()]);
    reader.pieces();
    reader.end.hear(&[cont([2; 20]).more(), ping([0; 125]), cont([3; 150])]);
    assert_eq!(reader.end.error(), None);
    assert_eq!(reader.end.events()[1], Seen::binary([[2; 20].as_slice(), &[3; 150]].concat()));
}

#[test]
fn receive_in_the_middle_of_a_frame_checks_the_rest_of_it_against_the_limits_at_once() {
    let mut reader = Reader::server_with(quiet().max_message_size(10));
    let wire = binary([7; 100]).masked();
    reader.hear_bytes(&wire[..6 + 89]);
    assert_eq!(reader.pieces().len(), 2);
    // 11 bytes are left.
    assert!(!reader.end.receive_one());
    assert_eq!(reader.end.error(), Some(Error::MessageTooBig { limit: 10 }));
    // With ten it is all right.
    let mut reader = Reader::server_with(quiet().max_message_size(10));
    reader.hear_bytes(&wire[..6 + 90]);
    assert!(!reader.end.receive_one());
    reader.end.hear_bytes(&wire[6 + 90..]);
    assert_eq!((reader.end.error(), reader.end.events()), (None, vec![Seen::binary([7; 10])]));
    // What fixed storage cannot hold is known at once as well.
    let mut reader = Reader::with(true, quiet(), [0; 200]);
    reader.hear_bytes(&binary([7; 1000]).masked()[..6 + 200]);
    assert!(!reader.end.receive_one());
    assert_eq!(reader.end.error(), Some(Error::MessageTooBig { limit: 200 }));
}

#[test]
fn a_frame_whose_pieces_keep_coming_is_not_idle_and_one_that_stands_still_is() {
    let idle = |end: &mut Endpoint, secs| {
        end.time(at(secs));
        end.conn.error()
    };
    let mut reader = Reader::server_with(quiet().idle_timeout(Some(Duration::from_secs(10))));
    let wire = binary([0; 100]).length(FrameLength::Bits64(1 << 32)).masked();
    reader.hear_bytes(&wire[..14]);
    for n in 0..20 {
        assert_eq!(idle(&mut reader.end, 9 * n), None);
        reader.hear_bytes(&[0]);
    }
    // Control frames, and calls that give nothing, are no data.
    assert_eq!(idle(&mut reader.end, 9 * 19 + 9), None);
    assert!(!reader.receive_one());
    assert_eq!(idle(&mut reader.end, 9 * 19 + 10), Some(Error::Timeout(TimeoutReason::Idle)));
}

#[test]
fn headers_are_checked_at_the_offending_byte_in_the_middle_of_a_stream() {
    for (bad, error) in [
        (vec![0x82], ProtocolError::ExpectedContinuation),
        (vec![0x83], ProtocolError::ReservedOpcode(3)),
        (vec![0xC0], ProtocolError::ReservedBits),
        (vec![0x09], ProtocolError::FragmentedControlFrame),
        (vec![0x80, 0x05], ProtocolError::UnmaskedFrame),
        (vec![0x80, 0xFE, 0x00, 0x7D], ProtocolError::NonMinimalLength),
        (vec![0x80, 0xFF, 0x80], ProtocolError::LengthTooLarge),
    ] {
        let mut reader = Reader::server();
        reader.hear(&[binary("abc").more()]);
        assert_eq!(reader.pieces().len(), 3);
        for byte in &bad {
            assert_eq!(reader.error, None);
            reader.hear_bytes(&[*byte]);
        }
        assert_eq!(reader.error, Some(error.into()));
        assert_eq!(reader.pieces(), []);
        assert_eq!(reader.end.say(), [close(1002)]);
    }
}

// Closing.

#[test]
fn after_our_close_nothing_is_given_and_nothing_kept_wherever_it_comes() {
    let script =
        [text("abc\u{20ac}").more(), ping("p"), cont([b'x'; 3000]).more(), cont("y"), binary([1; 3000])];
    let wire = wire(&script, true);
    let answer = close(1000).masked();
    for closed_at in (0..60).chain((60..wire.len()).step_by(97)) {
        let mut reader = Reader::with(true, quiet(), [0; 256]);
        reader.hear_bytes(&wire[..closed_at]);
        reader.pieces();
        reader.end.close(1000, "").unwrap();
        reader.hear_bytes(&wire[closed_at..]);
        reader.hear_bytes(&answer);
        let pieces = reader.pieces();
        let data = pieces.iter().filter(|piece| !matches!(piece, Piece::Other(_))).count();
        assert_eq!(data, 0, "{closed_at}");
        assert_eq!(pieces.last(), Some(&Piece::Other(Seen::close(1000, ""))), "{closed_at}");
        assert!(reader.end.rx.is_empty(), "{closed_at}");
        reader.end.say();
        assert!(reader.end.conn.is_clean());
    }
}

#[test]
fn after_our_close_a_message_that_was_being_put_together_is_not_kept_either() {
    for chunked in [false, true] {
        let mut reader = Reader::server();
        reader.end.hear(&[text("half a mess").more()]);
        assert!(!reader.end.rx.is_empty());
        reader.end.close(1000, "").unwrap();
        if chunked {
            assert!(!reader.receive_one());
        } else {
            assert!(!reader.end.receive_one());
        }
        assert!(reader.end.rx.is_empty());
        // The rest of it is passed over, text or not.
        reader.end.hear(&[cont(b"\xff\xff"), close(1000)]);
        assert_eq!((reader.end.events(), reader.end.error()), (vec![Seen::close(1000, "")], None));
    }
}

#[test]
fn data_behind_the_peers_close_is_ignored() {
    let mut reader = Reader::server();
    reader.hear(&[binary("abc").more(), close(1000), cont("def"), ping("?")]);
    let pieces = reader.pieces();
    assert_eq!((pieces.len(), pieces.last()), (4, Some(&Piece::Other(Seen::close(1000, "")))));
    assert_eq!(reader.end.say(), [close(1000)]);
    assert_eq!((reader.error, reader.end.conn.state()), (None, State::Closed));
}

#[test]
fn the_end_of_the_stream_inside_a_frame_is_an_error() {
    let mut reader = Reader::server();
    reader.hear_bytes(&binary("abc").masked()[..7]);
    assert_eq!(reader.pieces(), [start(Kind::Binary, true, 3), bytes("a")]);
    assert_eq!(reader.end.conn.receive_eof(), Err(Error::UnexpectedEof));
    assert!(!reader.receive_one());
    assert_eq!(reader.error, Some(Error::UnexpectedEof));
}

// Both ways of receiving.

/// Feeds `bytes` in `pieces`, and asks by `receive_chunk` where `ways` says so, else by `receive`; over and over.
fn receive_mixed(
    config: Config,
    is_server: bool,
    pieces: &[&[u8]],
    ways: &[bool],
) -> (Vec<Seen>, Vec<u8>, Option<Error>, Vec<u8>) {
    let mut reader = Reader::with(is_server, config, Vec::new());
    let mut assembler = Assembler::default();
    let mut ways = ways.iter().copied().cycle();
    let mut said = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let taken = reader.end.rx.extend_from_slice(rest);
            rest = &rest[taken..];
            loop {
                let got = if ways.next().unwrap() {
                    let got = reader.receive_one();
                    // There is no start of a frame that `receive` began.
                    let conn = &reader.end.conn;
                    assembler.is_text = conn.received_kind() == Kind::Text && conn.received_rsv().is_empty();
                    reader.pieces().into_iter().for_each(|piece| assembler.add(piece));
                    got
                } else {
                    let got = reader.end.receive_one();
                    reader.end.events().into_iter().for_each(|seen| assembler.add_rest(seen));
                    got
                };
                said.extend(reader.end.say_bytes());
                if !got {
                    break;
                }
            }
        }
    }
    let (seen, open) = assembler.finish();
    (seen, open, reader.end.conn.error(), said)
}

#[test]
fn receive_and_receive_chunk_mixed_at_any_point_lose_nothing_and_give_nothing_twice() {
    let script = [
        text("aé€").more(),
        ping("1"),
        cont(b"x\xe2").more(),
        cont(b"\x82\xac"),
        binary([7; 200]).more(),
        cont("").more(),
        ping("2"),
        cont("end"),
        text(""),
        binary("z"),
        close(1000),
    ];
    let wire = wire(&script, true);
    let expected = [
        Seen::ping("1"),
        Seen::text("aé€x€"),
        Seen::ping("2"),
        Seen::binary([&[7; 200][..], b"end"].concat()),
        Seen::text(""),
        Seen::binary("z"),
        Seen::close(1000, ""),
    ];
    for cut in [&[][..], &[1], &[3], &[7, 2], &[64]] {
        let pieces = chop(&wire, cut);
        for pattern in 1..64_u8 {
            let ways: Vec<bool> = (0..6).map(|bit| pattern & 1 << bit != 0).collect();
            let (seen, open, error, said) = receive_mixed(quiet(), true, &pieces, &ways);
            assert_eq!((seen, open.len(), error), (expected.to_vec(), 0, None), "{cut:?} {ways:?}");
            assert_eq!(frames(&said, false), [pong("1"), pong("2"), close(1000)]);
        }
    }
}

#[test]
fn pieces_go_on_with_what_receive_had_put_together() {
    let mut reader = Reader::server();
    let wire = wire(&[text("ab").more(), cont("cdef")], true);
    // A fragment and a half are with `receive`.
    reader.end.hear_bytes(&wire[..wire.len() - 2]);
    assert_eq!(reader.end.events(), []);
    // The header of the second is gone already; its payload is not.
    assert!(reader.receive_one() && !reader.receive_one());
    assert_eq!(reader.pieces(), [chars("abcd")]);
    reader.hear_bytes(&wire[wire.len() - 2..]);
    assert_eq!(reader.pieces(), [chars("ef"), Piece::End(true)]);
}

// However the bytes are cut.

fn script() -> impl Strategy<Value = Vec<Frame>> {
    (prop::collection::vec(any_frame(), 1..12), prop::bool::weighted(0.9)).prop_map(|(mut frames, legal)| {
        if legal {
            repair(&mut frames);
        }
        frames
    })
}

/// Receives all of it in pieces, transmitting after each.
fn receive_pieces<S: Storage>(
    config: Config,
    is_server: bool,
    storage: S,
    pieces: &[&[u8]],
) -> (Vec<Seen>, Vec<u8>, Option<Error>, Vec<u8>) {
    let mut reader = Reader::with(is_server, config, storage);
    let mut said = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() && reader.error.is_none() {
            let taken = reader.end.rx.extend_from_slice(rest);
            assert_ne!(taken, 0, "no room after receive_chunk gave None");
            rest = &rest[taken..];
            while reader.receive_one() {
                said.extend(reader.end.say_bytes());
            }
        }
    }
    said.extend(reader.end.say_bytes());
    let (seen, open) = reader.messages();
    (seen, open, reader.error, said)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn however_the_bytes_are_cut_the_pieces_are_the_messages_of_receive(
        script in script(),
        is_server: bool,
        sizes in prop::collection::vec(1..200_usize, 1..8),
        size in 134..400_usize,
        max_frame_size in prop_oneof![Just(usize::MAX), 0..200_usize],
    ) {
        let bytes = wire(&script, is_server);
        let config = quiet()
            .max_message_size(usize::MAX)
            .max_fragments(u32::MAX)
            .max_frame_size(max_frame_size)
            .allowed_rsv(Rsv::RSV1 | Rsv::RSV3);
        let role = if is_server { Role::Server } else { fixed_key_role() };
        let mut whole = Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new()));
        let said = whole.converse(&[&bytes]);
        let (seen, error) = (whole.events(), whole.error());
        let mut open = None;
        for sizes in [&[usize::MAX][..], &[1], &sizes] {
            let pieces = chop(&bytes, sizes);
            let mut storage = vec![0xAA; size];
            for got in [
                receive_pieces(config, is_server, Vec::new(), &pieces),
                receive_pieces(config, is_server, &mut storage[..], &pieces),
            ] {
                prop_assert!(got.0 == seen, "other messages");
                prop_assert_eq!(got.2, error);
                prop_assert_eq!(&got.3, &said);
                prop_assert!(*open.get_or_insert_with(|| got.1.clone()) == got.1, "other beginnings");
            }
        }
    }

    #[test]
    fn mixed_in_any_order_the_messages_are_those_of_receive(
        script in script(),
        is_server: bool,
        sizes in prop::collection::vec(1..200_usize, 1..8),
        ways in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        let bytes = wire(&script, is_server);
        let config = quiet().max_message_size(1 << 40).max_fragments(u32::MAX).allowed_rsv(Rsv::RSV1);
        let role = if is_server { Role::Server } else { fixed_key_role() };
        let mut whole = Endpoint::with(role, config, Vec::new(), SendBuf::new(Vec::new()));
        // The lengths that are announced and do not come: the limit may be met or not, by either.
        prop_assume!(script.iter().all(|frame| frame.length == FrameLength::Shortest));
        let said = whole.converse(&[&bytes]);
        let got = receive_mixed(config, is_server, &chop(&bytes, &sizes), &ways);
        prop_assert!(got.0 == whole.events(), "other messages");
        prop_assert_eq!(got.2, whole.error());
        prop_assert_eq!(got.3, said);
    }
}

#[test]
fn a_message_that_is_skipped_is_not_reported_kept_or_checked_and_the_next_one_is() {
    for chunks_first in [true, false] {
        let mut conn = Connection::new(Role::Server, Config::default().ping_interval(None), Instant::ZERO);
        let mut rx = RecvBuf::new(Vec::new());
        // Between messages there is nothing to skip.
        conn.skip_message(&mut rx);
        rx.extend_from_slice(&wire(&[text("to be").more()], true));
        while conn.receive_chunk(Instant::ZERO, &mut rx).unwrap().is_some() {}
        conn.skip_message(&mut rx);
        let rest = [cont(b"\xff no text").more(), ping("p"), cont("the end"), text("next")];
        rx.extend_from_slice(&wire(&rest, true));
        let first = conn.receive(Instant::ZERO, &mut rx).unwrap();
        assert_eq!(first, Some(Event::Ping(b"p")));
        if chunks_first {
            let start = conn.receive_chunk(Instant::ZERO, &mut rx).unwrap();
            assert!(matches!(start, Some(Event::Data(Chunk::FrameStart(header))) if !header.continuation));
        }
        let next = conn.receive(Instant::ZERO, &mut rx).unwrap();
        assert_eq!(next, Some(Event::Data(Message::Text("next"))));
        assert_eq!(conn.receive(Instant::ZERO, &mut rx), Ok(None));
        assert!(rx.is_empty());
    }
}
