//! Arbitrary operations on a client and a server that are joined by two pipes: what one accepted, the other reports,
//! whole, in order and once, unless the connection ends before; and it ends.
//!
//! Input: two option bytes (first: 0 and 1, 2 and 3: the output of the client and of the server, 0 without a limit, 1
//! of 400 bytes, else a queue with a limit; 4: messages are cut into fragments of 7 bytes; 5: no automatic pong; 6: no
//! automatic close; 7: idle timeout. second: 0 to 1: who closes in the end, 0 both; 2: no keepalive; 3: no write stall
//! timeout; 4 to 7: how much moves at once in the end). Then operations: see `Pair::step`.

mod end;
mod transport;
mod wire;

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use ws_proto::{
    CloseCode, Config, Instant, Kind, MaskKeys, Pull, Pulled, Role, Rsv, SendBuf, SendError, SendQueue,
};

use self::end::{End, Output, Partial, QUEUE_LIMIT, message, with_output};
use crate::input::{Input, bit};

/// How many operations there are at most, so that no input takes long.
const MAX_STEPS: usize = 400;

/// What is on its way to one end.
#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    /// The sender ended its side; behind the bytes, this arrives.
    ended: bool,
    /// The receiver has noticed.
    end_seen: bool,
    /// The transport is gone: nothing arrives any more.
    broken: bool,
}

#[derive(Debug)]
struct Pair {
    ends: [End; 2],
    /// To each of the ends.
    pipes: [Pipe; 2],
    now: u64,
    messages: usize,
    /// Something other than a deadline ended it.
    torn: bool,
}

/// Text and what is no text alone, to be cut anywhere.
fn payload(kind: Kind, number: usize, len: usize) -> Vec<u8> {
    match kind {
        Kind::Binary => (0..len).map(|index| (number * 31 + index * 7) as u8).collect(),
        Kind::Text => {
            let text = ["aé€😀", "€€bé", "😀z"][number % 3].as_bytes();
            text.iter().copied().cycle().take(len).collect()
        }
    }
}

/// The same, but only whole characters.
fn whole_payload(kind: Kind, number: usize, len: usize) -> Vec<u8> {
    let mut bytes = payload(kind, number, len);
    if kind == Kind::Text
        && let Err(error) = core::str::from_utf8(&bytes)
    {
        bytes.truncate(error.valid_up_to());
    }
    bytes
}

/// Runs the operations, then the end.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let options = [input.byte(), input.byte()];
    let mut pair = Pair::new(options);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        pair.step(&mut input);
        pair.ends[0].check();
        pair.ends[1].check();
    }
    pair.finish(options);
}

impl Pair {
    fn new(options: [u8; 2]) -> Self {
        let mut config = Config::default()
            .max_fragments(u32::MAX)
            .allowed_rsv(Rsv::RSV1 | Rsv::RSV3)
            .automatic_pong(!bit(options[0], 5))
            .automatic_close(!bit(options[0], 6))
            .fragment_size(bit(options[0], 4).then_some(7));
        if bit(options[0], 7) {
            config = config.idle_timeout(Some(Duration::from_secs(15)));
        }
        if bit(options[1], 2) {
            config = config.ping_interval(None);
        }
        if bit(options[1], 3) {
            config = config.write_stall_timeout(None);
        }
        let output = |bits: u8| match bits & 3 {
            0 => Output::Unlimited(SendBuf::new(Vec::new())),
            1 => Output::Fixed(Box::new(SendBuf::new([0; 400]))),
            _ => Output::Queue(SendQueue::new().limit(QUEUE_LIMIT)),
        };
        let client = Role::Client(MaskKeys::from_seed([5; 32]));
        Self {
            ends: [
                End::new(client, config, output(options[0])),
                End::new(Role::Server, config, output(options[0] >> 2)),
            ],
            pipes: [Pipe::default(), Pipe::default()],
            now: 0,
            messages: 0,
            torn: false,
        }
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    /// One operation: a byte says what (its low bits) and at which end (its top bit); up to two more say how much.
    fn step(&mut self, input: &mut Input<'_>) {
        let operation = input.byte();
        let side = usize::from(operation >> 7);
        let text = bit(operation, 6);
        let kind = if text { Kind::Text } else { Kind::Binary };
        match operation & 0x1F {
            0..=2 => self.send(side, kind, usize::from(input.byte())),
            3 => self.send(side, kind, usize::from(input.u16() % 3000)),
            4 => self.send_owned(side, kind, usize::from(input.u16() % 3000)),
            5 => self.send_with_rsv(side, kind, input.byte()),
            6 | 7 => self.send_fragment(side, kind, input.byte()),
            8 => self.begin(side, kind, input.byte()),
            9 | 10 => self.write(side, usize::from(input.byte())),
            11 => self.finish_message(side),
            12 => self.abort(side),
            13 => self.pull(side, input.byte()),
            14 => self.ping(side, usize::from(input.byte()), text),
            15 => self.close(side, input.byte(), false),
            16 => self.close(side, input.byte(), true),
            17..=20 => self.transmit(side, usize::from(input.byte())),
            21 => self.transmit(side, usize::MAX),
            22..=25 => self.deliver(side, usize::from(input.byte()), input.byte()),
            26 => self.deliver(side, usize::MAX, input.byte()),
            27 => self.time(u64::from(input.byte())),
            28 => self.time(u64::from(input.u16())),
            29 => self.act(side),
            30 => self.control(side),
            _ => self.tear(side, input.byte()),
        }
    }

    fn number(&mut self) -> usize {
        self.messages += 1;
        self.messages
    }

    /// What sending a whole message has to give, if there is room.
    fn may_send(&self, side: usize) -> Result<(), SendError> {
        let end = &self.ends[side];
        if end.is_closing() {
            Err(SendError::Closing)
        } else if end.partial.is_some() {
            Err(SendError::MessageInProgress)
        } else {
            Ok(())
        }
    }

    fn send(&mut self, side: usize, kind: Kind, len: usize) {
        let payload = whole_payload(kind, self.number(), len);
        let expected = self.may_send(side);
        let end = &mut self.ends[side];
        let result = with_output!(&mut end.tx, tx => end.conn.send(tx, message(kind, &payload)));
        if end.judge(result, expected, 15 * payload.len() + 15) {
            end.accepted.push(message_seen(kind, payload));
        }
    }

    fn send_owned(&mut self, side: usize, kind: Kind, len: usize) {
        let payload = whole_payload(kind, self.number(), len);
        let expected = self.may_send(side);
        let end = &mut self.ends[side];
        let Output::Queue(tx) = &mut end.tx else { return };
        let result = end.conn.send_owned(tx, kind, Bytes::from(payload.clone()));
        let result = result.map_err(|(error, back)| {
            assert_eq!(back, payload, "something else comes back");
            error
        });
        if end.judge(result, expected, 15 * payload.len() + 15) {
            end.accepted.push(message_seen(kind, payload));
        }
    }

    fn send_with_rsv(&mut self, side: usize, kind: Kind, how: u8) {
        let payload = payload(kind, self.number(), usize::from(how >> 2));
        let bits = [Rsv::NONE, Rsv::RSV1, Rsv::RSV3, Rsv::RSV2][usize::from(how & 3)];
        let text = kind == Kind::Text && bits.is_empty();
        let expected = match self.may_send(side) {
            Ok(()) if bits == Rsv::RSV2 => Err(SendError::ReservedBits),
            Ok(()) if text && core::str::from_utf8(&payload).is_err() => Err(SendError::InvalidUtf8),
            other => other,
        };
        let end = &mut self.ends[side];
        let result = with_output!(&mut end.tx, tx => end.conn.send_with_rsv(tx, bits, kind, &payload));
        if end.judge(result, expected, 15 * payload.len() + 15) {
            end.accepted.push(message_seen(if text { kind } else { Kind::Binary }, payload));
        }
    }

    fn send_fragment(&mut self, side: usize, kind: Kind, how: u8) {
        let number = self.number();
        let fin = bit(how, 0);
        let end = &mut self.ends[side];
        // A text goes on where it was cut.
        let sent = end.partial.as_ref().map_or(0, |partial| partial.payload.len());
        let bytes =
            &payload(kind, if kind == Kind::Text { 0 } else { number }, sent + usize::from(how >> 1))[sent..];
        let mut whole = end.partial.as_ref().map_or_else(Vec::new, |partial| partial.payload.clone());
        whole.extend_from_slice(bytes);
        let plain = end.partial.as_ref().is_none_or(|partial| partial.plain);
        let expected = match &end.partial {
            _ if end.is_closing() => Err(SendError::Closing),
            Some(partial) if partial.kind != kind => Err(SendError::MessageInProgress),
            _ if kind == Kind::Text && plain && !may_go_on(&whole, fin) => Err(SendError::InvalidUtf8),
            _ => Ok(()),
        };
        let result = with_output!(&mut end.tx, tx => end.conn.send_fragment(tx, kind, bytes, fin));
        if end.judge(result, expected, 15 * bytes.len() + 15) {
            end.partial = Some(Partial { kind, plain, payload: whole });
            if fin {
                end.finish_partial();
            }
        }
    }

    fn begin(&mut self, side: usize, kind: Kind, how: u8) {
        let bits = [Rsv::NONE, Rsv::NONE, Rsv::RSV1, Rsv::RSV2][usize::from(how & 3)];
        let expected = match self.may_send(side) {
            Ok(()) if bits == Rsv::RSV2 => Err(SendError::ReservedBits),
            other => other,
        };
        let end = &mut self.ends[side];
        let result = end.conn.begin_message_with_rsv(bits, kind);
        assert_eq!(result, expected);
        if result.is_ok() {
            end.partial = Some(Partial { kind, plain: bits.is_empty(), payload: Vec::new() });
        }
    }

    fn write(&mut self, side: usize, len: usize) {
        let end = &mut self.ends[side];
        let (kind, sent) =
            end.partial.as_ref().map_or((Kind::Binary, 0), |partial| (partial.kind, partial.payload.len()));
        let bytes = &payload(kind, 0, sent + len)[sent..];
        let result = with_output!(&mut end.tx, tx => end.conn.write_message(tx, bytes));
        let taken = *result.as_ref().unwrap_or(&0);
        assert!(taken <= len && (taken > 0 || len == 0 || result.is_err()), "{result:?} of {len}");
        if let (Output::Unlimited(_), Ok(n)) = (&end.tx, result) {
            assert!(n == len || n == 7, "{n} bytes of {len}, with room for everything");
        }
        let expected = end.may_go_on();
        if end.judge(result.map(drop), expected, 15 + len)
            && let Some(partial) = &mut end.partial
        {
            partial.payload.extend_from_slice(&bytes[..taken]);
        }
    }

    fn finish_message(&mut self, side: usize) {
        let end = &mut self.ends[side];
        let expected = match (end.may_go_on(), &end.partial) {
            (Ok(()), Some(partial)) if partial.is_text() && !may_go_on(&partial.payload, true) => {
                Err(SendError::InvalidUtf8)
            }
            (expected, _) => expected,
        };
        let result = with_output!(&mut end.tx, tx => end.conn.finish_message(tx));
        if end.judge(result, expected, 15) {
            end.finish_partial();
        }
    }

    fn abort(&mut self, side: usize) {
        let now = self.now();
        let end = &mut self.ends[side];
        end.conn.abort_message(now);
        end.partial = None;
        assert!(!end.conn.is_message_in_progress());
    }

    /// Asks a source: the low bits say what it does, the rest how much it has.
    fn pull(&mut self, side: usize, how: u8) {
        let now = self.now();
        let end = &mut self.ends[side];
        let (kind, sent) =
            end.partial.as_ref().map_or((Kind::Binary, 0), |partial| (partial.kind, partial.payload.len()));
        let bytes = &payload(kind, 0, sent + usize::from(how >> 2))[sent..];
        let mut given = None;
        let mut source = |room: &mut [u8]| {
            assert!(!room.is_empty() && given.is_none());
            let n = bytes.len().min(room.len());
            given = Some(n);
            room[..n].copy_from_slice(&bytes[..n]);
            match how & 3 {
                0 if how & 4 != 0 => Pull::Data(room.len() + 1),
                0 if how & 8 != 0 => Pull::Failed,
                0 => Pull::Pending,
                1 | 2 => Pull::Data(n),
                _ => Pull::Last(n),
            }
        };
        let expected = end.may_go_on();
        let result = with_output!(&mut end.tx, tx => end.conn.pull_message(now, tx, &mut source));
        let Some(n) = given else {
            end.judge(result.map(drop), expected, 0);
            return;
        };
        assert_eq!(expected, Ok(()), "a source is asked for nothing");
        let mut whole = end.partial.as_ref().map_or_else(Vec::new, |partial| partial.payload.clone());
        whole.extend_from_slice(&bytes[..n]);
        let text = end.partial.as_ref().is_some_and(Partial::is_text);
        let expected = match how & 3 {
            0 if how & 12 != 0 => Err(SendError::SourceFailed),
            0 => Ok(Pulled::Pending),
            1 | 2 if n == 0 => Ok(Pulled::Pending),
            1 | 2 if text && !may_go_on(&whole, false) => Err(SendError::InvalidUtf8),
            1 | 2 => Ok(Pulled::Fragment),
            _ if text && !may_go_on(&whole, true) => Err(SendError::InvalidUtf8),
            _ => Ok(Pulled::Finished),
        };
        assert_eq!(result, expected);
        match result {
            Ok(Pulled::Fragment | Pulled::Finished) => {
                if let Some(partial) = &mut end.partial {
                    partial.payload = whole;
                }
                if result == Ok(Pulled::Finished) {
                    end.finish_partial();
                }
            }
            Ok(Pulled::Pending) => {}
            Err(_) => {
                end.partial = None;
                assert_eq!(end.conn.local_close(), Some(CloseCode::INTERNAL_ERROR));
            }
        }
    }

    fn ping(&mut self, side: usize, len: usize, pong: bool) {
        let payload = payload(Kind::Binary, self.number(), len);
        let end = &mut self.ends[side];
        let result = if pong { end.conn.pong(&payload) } else { end.conn.ping(&payload) };
        let expected = if len > 125 {
            Err(SendError::ControlFrameTooLong)
        } else if end.is_closing() {
            Err(SendError::Closing)
        } else {
            Ok(())
        };
        if !pong && result == Err(SendError::Full) {
            assert!(expected.is_ok() && with_output!(&mut end.tx, tx => end.conn.wants_transmit(tx)));
            return;
        }
        assert_eq!(result, expected);
        if result.is_ok() && !pong && !payload.starts_with(b"ping") {
            end.pings.push(payload);
        }
    }

    fn close(&mut self, side: usize, how: u8, at_once: bool) {
        let now = self.now();
        let code = [1000, 1001, 1005, 1006, 1011, 3000, 4999, 5000][usize::from(how & 7)];
        let reason = "r".repeat(if code == 1005 { 0 } else { usize::from(how >> 1) });
        let end = &mut self.ends[side];
        let expected = if end.conn.local_close().is_some() || end.conn.error().is_some() {
            Err(SendError::Closing)
        } else if matches!(code, 1006 | 5000) {
            Err(SendError::InvalidCloseCode(code.into()))
        } else if reason.len() > 123 {
            Err(SendError::ReasonTooLong)
        } else {
            Ok(())
        };
        assert_eq!(end.conn.check_close(code.into(), &reason), expected);
        let result = if at_once {
            end.conn.close_now(now, code.into(), &reason)
        } else {
            end.conn.close(now, code.into(), &reason)
        };
        assert_eq!(result, expected);
        if result.is_ok() {
            assert_eq!(end.conn.local_close().map(u16::from), Some(code));
            end.partial = None;
        }
        end.dropped |= at_once && end.conn.local_close().is_some();
    }
}

/// Whether text can go on like this, or end if `fin`.
fn may_go_on(bytes: &[u8], fin: bool) -> bool {
    core::str::from_utf8(bytes).map_or_else(|error| !fin && error.error_len().is_none(), |_| true)
}

fn message_seen(kind: Kind, payload: Vec<u8>) -> crate::naive::Seen {
    match kind {
        Kind::Binary => crate::naive::Seen::Binary(payload),
        Kind::Text => crate::naive::Seen::Text(String::from_utf8(payload).expect("made to be text")),
    }
}
