//! Any bytes, cut any way, to either role: nothing panics, each poll makes progress, and neither the cuts make a
//! difference nor whether messages are received whole or in pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_proto::{
    Chunk, Config, Connection, Event, Instant, Kind, MaskKeys, Message, RecvBuf, Role, Rsv, SendBuf, Storage,
};

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    client: bool,
    max_message_size: u16,
    max_frame_size: Option<u16>,
    max_fragments: u8,
    allowed_rsv: u8,
    fixed_storage: bool,
    cuts: &'a [u8],
    /// Which of the calls receive in pieces, if both ways are mixed.
    ways: [bool; 8],
    bytes: &'a [u8],
}

impl Input<'_> {
    fn config(&self) -> Config {
        let bits = [Rsv::RSV1, Rsv::RSV2, Rsv::RSV3].into_iter().enumerate();
        let allowed = bits.filter(|(index, _)| self.allowed_rsv & 1 << index != 0).map(|(_, bit)| bit);
        Config::default()
            .max_message_size(usize::from(self.max_message_size))
            .max_frame_size(self.max_frame_size.map_or(usize::MAX, usize::from))
            .max_fragments(u32::from(self.max_fragments))
            .allowed_rsv(allowed.fold(Rsv::NONE, |all, bit| all | bit))
    }

    /// Without the limits that are of no concern in pieces; and with one that keeps those of the storage out of reach.
    fn unlimited(&self) -> Config {
        let max_frame_size = self.max_frame_size.map_or(1 << 40, usize::from);
        self.config().max_message_size(usize::MAX).max_frame_size(max_frame_size).max_fragments(u32::MAX)
    }
}

/// What came of the bytes: the events as text, what there was of a message, and the bytes that went out.
#[derive(Debug, Default, Eq, PartialEq)]
struct Outcome {
    events: Vec<String>,
    error: Option<ws_proto::Error>,
    output: Vec<u8>,
}

/// Puts the pieces of a message together.
#[derive(Default)]
struct Assembler {
    message: Vec<u8>,
}

impl Assembler {
    fn whole(&mut self, event: Event<'_>) -> String {
        let Event::Data(message) = event else { return format!("{event:?}") };
        let mut bytes = core::mem::take(&mut self.message);
        bytes.extend_from_slice(message.as_bytes());
        Self::describe(&bytes, message.kind() == Kind::Text)
    }

    fn piece(&mut self, conn: &Connection, event: Event<'_, Chunk<'_>>) -> Option<String> {
        let is_text = conn.received_kind() == Kind::Text && conn.received_rsv().is_empty();
        match event {
            Event::Data(Chunk::Data(piece)) => {
                assert!(!piece.as_bytes().is_empty(), "an empty piece");
                assert_eq!(piece.kind() == Kind::Text, is_text);
                if let Message::Text(text) = piece {
                    assert!(core::str::from_utf8(text.as_bytes()).is_ok(), "half a character");
                }
                self.message.extend_from_slice(piece.as_bytes());
                None
            }
            Event::Data(Chunk::FrameEnd { fin: true }) => {
                Some(Self::describe(&core::mem::take(&mut self.message), is_text))
            }
            Event::Data(Chunk::FrameEnd { .. }) => None,
            Event::Data(Chunk::FrameStart(header)) => {
                assert_eq!(header.kind, conn.received_kind());
                assert!(header.continuation || header.rsv == conn.received_rsv());
                None
            }
            Event::Close(frame) => Some(format!("{:?}", Event::<Message<'_>>::Close(frame))),
            Event::Ping(payload) => Some(format!("{:?}", Event::<Message<'_>>::Ping(payload))),
            Event::Pong(payload) => Some(format!("{:?}", Event::<Message<'_>>::Pong(payload))),
        }
    }

    fn describe(bytes: &[u8], is_text: bool) -> String {
        if is_text {
            let text = core::str::from_utf8(bytes).expect("pieces of text are text");
            format!("{:?}", Event::Data(Message::Text(text)))
        } else {
            format!("{:?}", Event::Data(Message::Binary(bytes)))
        }
    }
}

/// Receives everything: whole, in pieces, or as `ways` says, over and over.
fn run<S: Storage>(input: &Input<'_>, config: Config, cuts: &[u8], ways: &[bool], storage: S) -> Outcome {
    let role = if input.client { Role::Client(MaskKeys::from_fn(|| [1, 2, 3, 4])) } else { Role::Server };
    let mut conn = Connection::new(role, config, Instant::ZERO);
    let mut rx = RecvBuf::new(storage);
    let mut tx = SendBuf::new([0_u8; 0]);
    let mut outcome = Outcome::default();
    let mut assembler = Assembler::default();
    let mut polls = 0;
    let mut cuts = cuts.iter().cycle();
    let mut ways = ways.iter().cycle();
    let mut rest = input.bytes;
    loop {
        loop {
            polls += 1;
            assert!(polls <= 6 * input.bytes.len() + 16, "polls without progress");
            let received = if *ways.next().unwrap_or(&false) {
                match conn.receive_chunk(Instant::ZERO, &mut rx) {
                    Ok(Some(event)) => Ok(Some(assembler.piece(&conn, event))),
                    Ok(None) => Ok(None),
                    Err(error) => Err(error),
                }
            } else {
                match conn.receive(Instant::ZERO, &mut rx) {
                    Ok(Some(event)) => Ok(Some(Some(assembler.whole(event)))),
                    Ok(None) => Ok(None),
                    Err(error) => Err(error),
                }
            };
            match received {
                Ok(Some(event)) => outcome.events.extend(event),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(conn.receive(Instant::ZERO, &mut rx), Err(error), "errors are sticky");
                    assert_eq!(conn.receive_chunk(Instant::ZERO, &mut rx), Err(error), "errors are sticky");
                    outcome.error = Some(error);
                    break;
                }
            }
            transmit(&mut conn, &mut tx, &mut outcome.output);
        }
        transmit(&mut conn, &mut tx, &mut outcome.output);
        if rest.is_empty() || outcome.error.is_some() {
            return outcome;
        }
        let spare = rx.spare_mut();
        assert!(!spare.is_empty(), "a read into nothing looks like the end of the stream");
        let n = usize::from(*cuts.next().unwrap_or(&255)).clamp(1, rest.len()).min(spare.len());
        spare[..n].copy_from_slice(&rest[..n]);
        rx.commit(n);
        rest = &rest[n..];
    }
}

fn transmit(conn: &mut Connection, tx: &mut SendBuf<[u8; 0]>, output: &mut Vec<u8>) {
    while let Some(mut transmit) = conn.poll_transmit(Instant::ZERO, tx) {
        let slice = transmit.slices()[0].to_vec();
        transmit.advance(slice.len());
        output.extend(slice);
    }
}

fuzz_target!(|input: Input<'_>| {
    let config = input.config();
    let whole = &[false];
    let (one, cut) = if input.fixed_storage {
        (run(&input, config, &[255], whole, [0; 512]), run(&input, config, input.cuts, whole, [0; 512]))
    } else {
        (run(&input, config, &[255], whole, Vec::new()), run(&input, config, input.cuts, whole, Vec::new()))
    };
    assert_eq!(one, cut, "the cuts make a difference");

    let config = input.unlimited();
    let one = run(&input, config, &[255], whole, Vec::new());
    let pieces = if input.fixed_storage {
        run(&input, config, input.cuts, &[true], [0; 134])
    } else {
        run(&input, config, input.cuts, &[true], Vec::new())
    };
    assert_eq!(one, pieces, "in pieces it is something else");
    let mixed = run(&input, config, input.cuts, &input.ways, Vec::new());
    assert_eq!(one, mixed, "mixed it is something else");
});
