//! Any bytes, cut any way, to either role: nothing panics, each poll makes progress, memory is bounded by the limits,
//! and neither the cuts make a difference nor whether messages are received whole or in pieces.
//!
//! Input: an option byte (0: client; 1: no automatic pong; 2: no automatic close; 3 to 5: RSV1 to RSV3 allowed; 6:
//! fixed storage; 7: a limit on frames); the largest message, two bytes, and the largest frame, two bytes; the most
//! fragments, one byte; the size of fixed storage above the least, a quarter of it, one byte; which calls receive in
//! pieces, a bit each; a count and that many cuts; then what arrives.

use ws_proto::{
    Chunk, Config, Connection, Event, Instant, Kind, MaskKeys, Message, RecvBuf, Role, Rsv, SendBuf, Storage,
};

use crate::alloc::peak_of;
use crate::input::{Cuts, Input, bit};

/// The largest control frame, masked: what a receive buffer has to hold beside a message.
const CONTROL_FRAME: usize = 131;
/// A receive buffer that grows has at least this size, and reads grow it up to that size whatever the limits are.
const LEAST: usize = 64 << 10;

#[derive(Debug)]
struct Script<'d> {
    options: u8,
    max_message_size: u16,
    max_frame_size: u16,
    max_fragments: u8,
    storage: usize,
    ways: u8,
    cuts: &'d [u8],
    bytes: &'d [u8],
}

impl<'d> Script<'d> {
    fn new(mut input: Input<'d>) -> Self {
        Self {
            options: input.byte(),
            max_message_size: input.u16(),
            max_frame_size: input.u16(),
            max_fragments: input.byte(),
            storage: 4 * usize::from(input.byte()),
            ways: input.byte(),
            cuts: input.counted(),
            bytes: input.rest(),
        }
    }

    fn is_client(&self) -> bool {
        bit(self.options, 0)
    }

    fn has_fixed_storage(&self) -> bool {
        bit(self.options, 6)
    }

    /// The limit on frames, if there is one.
    fn frame_limit(&self) -> Option<usize> {
        bit(self.options, 7).then(|| usize::from(self.max_frame_size))
    }

    fn config(&self) -> Config {
        let bits = [Rsv::RSV1, Rsv::RSV2, Rsv::RSV3].into_iter().zip(3..);
        let allowed = bits.filter(|(_, index)| bit(self.options, *index)).map(|(bits, _)| bits);
        Config::default()
            .max_message_size(usize::from(self.max_message_size))
            .max_frame_size(self.frame_limit().unwrap_or(usize::MAX))
            .max_fragments(u32::from(self.max_fragments))
            .allowed_rsv(allowed.fold(Rsv::NONE, |all, bits| all | bits))
            .automatic_pong(!bit(self.options, 1))
            .automatic_close(!bit(self.options, 2))
    }

    /// Without the limits that are of no concern in pieces; and with one that keeps those of the storage out of reach.
    fn unlimited(&self) -> Config {
        let max_frame_size = self.frame_limit().unwrap_or(1 << 40);
        self.config().max_message_size(usize::MAX).max_frame_size(max_frame_size).max_fragments(u32::MAX)
    }

    fn connection(&self, config: Config) -> Connection {
        let role =
            if self.is_client() { Role::Client(MaskKeys::from_fn(|| [1, 2, 3, 4])) } else { Role::Server };
        Connection::new(role, config, Instant::ZERO)
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

/// Receives everything: whole, in pieces, or as the bits of `ways` say, over and over.
fn receive_all<S: Storage>(
    script: &Script<'_>,
    config: Config,
    cuts: &[u8],
    ways: u8,
    storage: S,
) -> Outcome {
    let mut conn = script.connection(config);
    let mut rx = RecvBuf::new(storage);
    let mut tx = SendBuf::new([0_u8; 0]);
    let mut outcome = Outcome::default();
    let mut assembler = Assembler::default();
    let mut polls = 0;
    let mut cuts = Cuts::new(cuts);
    let mut rest = script.bytes;
    loop {
        loop {
            let in_pieces = bit(ways, (polls % 8) as u8);
            polls += 1;
            assert!(polls <= 6 * script.bytes.len() + 16, "polls without progress");
            let received = if in_pieces {
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
            transmit(&mut conn, &mut tx, |bytes| outcome.output.extend_from_slice(bytes));
        }
        transmit(&mut conn, &mut tx, |bytes| outcome.output.extend_from_slice(bytes));
        if rest.is_empty() || outcome.error.is_some() {
            return outcome;
        }
        rest = read(&mut rx, rest, cuts.size());
    }
}

/// A read of at most `n` bytes; gives what is behind them.
fn read<'d, S: Storage>(rx: &mut RecvBuf<S>, bytes: &'d [u8], n: usize) -> &'d [u8] {
    let spare = rx.spare_mut();
    assert!(!spare.is_empty(), "a read into nothing looks like the end of the stream");
    let n = n.min(bytes.len()).min(spare.len());
    spare[..n].copy_from_slice(&bytes[..n]);
    rx.commit(n);
    &bytes[n..]
}

fn transmit(conn: &mut Connection, tx: &mut SendBuf<[u8; 0]>, mut to: impl FnMut(&[u8])) {
    while let Some(mut transmit) = conn.poll_transmit(Instant::ZERO, tx) {
        let len = {
            let slices = transmit.slices();
            to(slices[0]);
            slices[0].len()
        };
        transmit.advance(len);
    }
}

/// How much heap all of it takes; nothing is kept, and nothing printed.
fn heap(script: &Script<'_>, config: Config, in_pieces: bool) -> usize {
    let (peak, ()) = peak_of(|| {
        let mut conn = script.connection(config);
        let mut rx = RecvBuf::new(Vec::new());
        let mut tx = SendBuf::new([0_u8; 0]);
        let mut cuts = Cuts::new(script.cuts);
        let mut rest = script.bytes;
        loop {
            let more = if in_pieces {
                conn.receive_chunk(Instant::ZERO, &mut rx).map(|event| event.is_some())
            } else {
                conn.receive(Instant::ZERO, &mut rx).map(|event| event.is_some())
            };
            transmit(&mut conn, &mut tx, |_| ());
            match more {
                Ok(true) => {}
                Ok(false) if !rest.is_empty() => rest = read(&mut rx, rest, cuts.size()),
                _ => return,
            }
        }
    });
    peak
}

/// What a receive buffer may take for `kept` bytes that have to be together: it doubles when they fill more than three
/// quarters of it, and while it does there are the old half and the new whole.
const fn bound(kept: usize) -> usize {
    let doubled = kept / 3 * 8 + 8;
    let capacity = if doubled > 2 * LEAST { doubled } else { 2 * LEAST };
    capacity / 2 * 3
}

/// All of it.
pub fn run(data: &[u8]) {
    let script = Script::new(Input::new(data));
    let (config, unlimited) = (script.config(), script.unlimited());
    let fixed = |above: usize| vec![0; RecvBuf::<Vec<u8>>::MIN_SIZE + above];

    let (one, cut) = if script.has_fixed_storage() {
        let (mut a, mut b) = (fixed(script.storage), fixed(script.storage));
        let one = receive_all(&script, config, &[], 0, &mut a[..]);
        (one, receive_all(&script, config, script.cuts, 0, &mut b[..]))
    } else {
        (
            receive_all(&script, config, &[], 0, Vec::new()),
            receive_all(&script, config, script.cuts, 0, Vec::new()),
        )
    };
    assert_eq!(one, cut, "the cuts make a difference");

    let one = receive_all(&script, unlimited, &[], 0, Vec::new());
    let pieces = if script.has_fixed_storage() {
        let mut storage = fixed(3 + script.storage);
        receive_all(&script, unlimited, script.cuts, u8::MAX, &mut storage[..])
    } else {
        receive_all(&script, unlimited, script.cuts, u8::MAX, Vec::new())
    };
    assert_eq!(one, pieces, "in pieces it is something else");
    let mixed = receive_all(&script, unlimited, script.cuts, script.ways, Vec::new());
    assert_eq!(one, mixed, "mixed it is something else");

    let peak = heap(&script, config, false);
    assert!(peak <= bound(usize::from(script.max_message_size) + CONTROL_FRAME), "{peak} bytes of heap");
    let peak = heap(&script, unlimited, true);
    assert!(peak <= bound(CONTROL_FRAME + 3), "{peak} bytes of heap in pieces");
}
