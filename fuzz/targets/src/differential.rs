//! One input, three decoders: ours, the naive one, and tungstenite's, which was written by others.
//!
//! Input: an option byte (0: client; 1: cut into pieces; 2: a small limit on messages), then what arrives.
//!
//! **The naive decoder** has to agree exactly: the same events, the same failure with the same code.
//!
//! **tungstenite** is another reading of the same RFC, with other policies. What may differ, and why:
//!
//! | difference | reason |
//! |---|---|
//! | a length that is not in its shortest form is read as what it says, of control frames as well | it is left to the receiver what to do with it; we fail the connection, as the sender "MUST" not do it (section 5.2) |
//! | the code of the Close frame that answers a failure | it gives errors to its caller, who chooses; we compare only that there is one |
//! | where a failure is noticed: later than with us, when more of the frame is there, or never if that does not come | we report a fault at the byte that shows it (section 8.1 allows both) |
//! | it may report a fault of the header or a limit earlier than what comes first in order | it looks at a header before what it delivers; we deliver in order |
//! | a failure because of a limit, ours or its | limits are configuration, and each counts other things |
//! | data and control frames behind a Close frame | nothing that anybody wants (section 5.5.1); each stops where it likes |
//! | what it says of a Close frame with a code from 1012 to 1014 | they were registered after the RFC; each has its own list |
//! | a Close frame with a code that must not be on the wire, and what stands in a body of one byte | it answers with a code, we fail with 1002 |
//!
//! So what it must not do is to deliver other messages: what both deliver is the same, in the same order, and what it
//! delivers and we do not is explained by the table alone.

use std::io::{self, Read, Write};

use tungstenite::protocol::{Role as OtherRole, WebSocketConfig};
use ws_proto::{Config, Connection, Error, Event, Instant, MaskKeys, Message, RecvBuf, Role};

use crate::input::{Input, bit};
use crate::naive::{self, Rules, Seen, Verdict};

/// The limits of all three.
const MAX_FRAGMENTS: u32 = 64;

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Close(frame) => Self::Close(frame.code.as_u16(), frame.reason.to_owned()),
            Event::Data(Message::Binary(bytes)) => Self::Binary(bytes.to_vec()),
            Event::Data(Message::Text(text)) => Self::Text(text.to_owned()),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
        }
    }
}

/// What ours makes of it, and its error.
fn ours(bytes: &[u8], client: bool, max_message: usize, piece: usize) -> (Verdict, Option<Error>) {
    let role = if client { Role::Client(MaskKeys::from_fn(|| [9; 4])) } else { Role::Server };
    let config = Config::default().max_message_size(max_message).max_fragments(MAX_FRAGMENTS);
    let mut conn = Connection::new(role, config, Instant::ZERO);
    let mut rx = RecvBuf::new(Vec::new());
    let mut verdict = Verdict::default();
    for piece in bytes.chunks(piece) {
        assert_eq!(rx.extend_from_slice(piece), piece.len());
        loop {
            match conn.receive(Instant::ZERO, &mut rx) {
                Ok(Some(event)) => verdict.events.push(event.into()),
                Ok(None) => break,
                Err(error) => {
                    verdict.failure = error.close_code().map(u16::from);
                    return (verdict, Some(error));
                }
            }
        }
    }
    (verdict, None)
}

/// A stream that gives these bytes and then has nothing, and takes whatever is written.
struct Bytes<'d>(&'d [u8]);

impl Read for Bytes<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.read(out)
    }
}

impl Write for Bytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tungstenite makes of it, up to a Close frame, and whether it failed.
fn others(bytes: &[u8], client: bool, max_message: usize) -> (Vec<Seen>, bool) {
    let role = if client { OtherRole::Client } else { OtherRole::Server };
    let config =
        WebSocketConfig::default().max_message_size(Some(max_message)).max_frame_size(Some(max_message));
    let mut socket = tungstenite::WebSocket::from_raw_socket(Bytes(bytes), role, Some(config));
    let mut seen = Vec::new();
    loop {
        use tungstenite::Message as Other;
        match socket.read() {
            Ok(Other::Binary(bytes)) => seen.push(Seen::Binary(bytes.to_vec())),
            Ok(Other::Text(text)) => seen.push(Seen::Text(text.as_str().to_owned())),
            Ok(Other::Ping(payload)) => seen.push(Seen::Ping(payload.to_vec())),
            Ok(Other::Pong(payload)) => seen.push(Seen::Pong(payload.to_vec())),
            Ok(Other::Close(frame)) => {
                seen.push(match frame {
                    None => Seen::Close(1005, String::new()),
                    Some(frame) => Seen::Close(frame.code.into(), frame.reason.as_str().to_owned()),
                });
                return (seen, false);
            }
            Ok(Other::Frame(_)) => unreachable!("only sent"),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (seen, false);
            }
            Err(_) => return (seen, true),
        }
    }
}

/// Whether the table allows that tungstenite goes on where we failed like this.
fn may_go_on(error: Error) -> bool {
    use ws_proto::ProtocolError as Fault;
    matches!(
        error,
        Error::MessageTooBig { .. }
            | Error::TooManyFragments { .. }
            // A length of a control frame in a longer form shows as too long, whatever it is.
            | Error::Protocol(
                Fault::NonMinimalLength
                    | Fault::ControlFrameTooLong
                    | Fault::InvalidCloseCode(_)
                    | Fault::CloseBodyTooShort
            )
    )
}

/// All three.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let options = input.byte();
    let bytes = input.rest();
    let client = bit(options, 0);
    let piece = if bit(options, 1) { 1 + usize::from(options >> 4) } else { bytes.len().max(1) };
    let max_message = if bit(options, 2) { 100 } else { 1 << 20 };

    let (ours, error) = ours(bytes, client, max_message, piece);
    let rules = Rules {
        masked: !client,
        rsv: 0,
        max_message: max_message as u64,
        max_frame: u64::MAX,
        max_fragments: u64::from(MAX_FRAGMENTS),
    };
    assert_eq!(ours, naive::receive(bytes, rules), "the naive decoder says something else ({error:?})");

    let (theirs, they_failed) = others(bytes, client, max_message);
    let common = ours.events.len().min(theirs.len());
    for (our, their) in ours.events.iter().zip(&theirs) {
        let registered_later = matches!((our, their), (Seen::Close(1012..=1014, _), Seen::Close(..)));
        assert!(registered_later || our == their, "tungstenite delivers {their:?}, and not {our:?}");
    }
    if theirs.len() > ours.events.len() {
        let error = error.expect("tungstenite delivers what we do not");
        assert!(may_go_on(error), "tungstenite goes on behind {error:?}: {:?}", &theirs[common..]);
    }
    if ours.events.len() > theirs.len() {
        assert!(they_failed, "we deliver what tungstenite does not: {:?}", &ours.events[common..]);
        let closed = matches!(theirs.last(), Some(Seen::Close(..)));
        assert!(!closed, "we deliver something behind a Close frame");
    }
}
