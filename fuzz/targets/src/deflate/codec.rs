//! Compressed messages: any bytes received as such, and any messages sent and received.
//!
//! Input of both: a byte for the parameters (0: server without takeover; 1: client without takeover; 2 to 4: the
//! server's window; 5 to 7: the client's), and an option byte (0: the client receives; 1: small limits; else, of what
//! sends: 1 to 4 its level, 5 to 7 its memory level). Then cuts, counted, and messages: see [`receive`] and
//! [`converse`].

use ws_proto::deflate::{DeflateConfig, DeflateParams, WindowBits};
use ws_proto::{Chunk, Config, Connection, Error, Event, Instant, Kind, MaskKeys, RecvBuf, Role, SendBuf};

use super::inflate::{Stop, inflate};
use crate::alloc::peak_of;
use crate::input::{Cuts, Input, bit};

/// The most that is inflated of a message, if the limits are not small.
const MOST: usize = 128 << 10;
/// What a codec takes beside the message: the issue of its memory is that a bomb costs no more.
const CODEC: usize = 256 << 10;

fn params(options: u8) -> DeflateParams {
    let bits = |bits| WindowBits::new(8 + bits).expect("8 to 15");
    DeflateParams {
        server_no_context_takeover: bit(options, 0),
        client_no_context_takeover: bit(options, 1),
        server_max_window_bits: bits(options >> 2 & 7),
        client_max_window_bits: bits(options >> 5),
    }
}

/// Of the compressor whose messages go to the client, or to the server: its window, and whether it begins anew.
fn sender(params: DeflateParams, to_client: bool) -> (usize, bool) {
    if to_client {
        (1 << params.server_max_window_bits.get(), params.server_no_context_takeover)
    } else {
        (1 << params.client_max_window_bits.get(), params.client_no_context_takeover)
    }
}

fn connection(client: bool, config: Config, params: DeflateParams, deflate: &DeflateConfig) -> Connection {
    let role = if client { Role::Client(MaskKeys::from_fn(|| [0; 4])) } else { Role::Server };
    let mut conn = Connection::new(role, config.ping_interval(None), Instant::ZERO);
    conn.enable_deflate(params, deflate);
    conn
}

/// A frame; a mask of zeros leaves the payload as it is.
fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut frame = match payload.len() {
        n @ 0..126 => vec![first, mask | n as u8],
        n => [&[first, mask | 126][..], &(n as u16).to_be_bytes()].concat(),
    };
    if masked {
        frame.extend([0; 4]);
    }
    frame.extend_from_slice(payload);
    frame
}

/// Other connections of this thread, each in the middle of a compressed message: they take the states of the codec that
/// others have given back, which then have to do with what they kept themselves.
#[derive(Default)]
struct Others(Vec<(Connection, RecvBuf<Vec<u8>>)>);

impl Others {
    fn begin(&mut self) {
        if self.0.len() == 6 {
            self.0.clear();
        }
        let params = DeflateParams::default();
        let mut conn = connection(true, Config::default(), params, &DeflateConfig::new());
        let mut rx = RecvBuf::new(Vec::new());
        rx.extend_from_slice(&frame(0x42, b"\xF2\x48\xCD", false));
        assert_eq!(conn.receive(Instant::ZERO, &mut rx), Ok(None));
        self.0.push((conn, rx));
    }
}

/// Receives everything, with others in between or not: the binary messages, and the error.
fn receive_all(
    conn: &mut Connection,
    bytes: &[u8],
    cuts: &[u8],
    in_pieces: bool,
    mut others: Option<Others>,
) -> (Vec<Vec<u8>>, Option<Error>) {
    let mut rx = RecvBuf::new(Vec::new());
    let (mut messages, mut message) = (Vec::new(), Vec::new());
    let (mut cuts, mut rest) = (Cuts::new(cuts), bytes);
    loop {
        if let Some(others) = &mut others {
            others.begin();
        }
        let received = if in_pieces {
            conn.receive_chunk(Instant::ZERO, &mut rx).map(|event| {
                event.map(|event| match event {
                    Event::Data(Chunk::Data(piece)) => {
                        assert!(!piece.as_bytes().is_empty());
                        message.extend_from_slice(piece.as_bytes());
                        message.len() <= 8 << 20
                    }
                    Event::Data(Chunk::FrameEnd { fin: true }) => {
                        messages.push(core::mem::take(&mut message));
                        true
                    }
                    _ => true,
                })
            })
        } else {
            conn.receive(Instant::ZERO, &mut rx).map(|event| {
                event.map(|event| {
                    if let Event::Data(message) = event {
                        messages.push(message.as_bytes().to_vec());
                    }
                    true
                })
            })
        };
        match received {
            Ok(Some(true)) => {}
            // More than anybody wants, in pieces.
            Ok(Some(false)) => return (messages, None),
            Ok(None) if rest.is_empty() => return (messages, None),
            Ok(None) => {
                let n = cuts.size().min(rest.len());
                assert_eq!(rx.extend_from_slice(&rest[..n]), n);
                rest = &rest[n..];
            }
            Err(error) => return (messages, Some(error)),
        }
    }
}

/// Messages as the fuzzer has them. Each: an option byte (0: not compressed; 1: in two fragments; 2 to 7: where it is
/// cut, in sixty-fourths), its length, two bytes, and its payload.
pub(super) fn receive(input: &mut Input<'_>) {
    let params = params(input.byte());
    let options = input.byte();
    let client = bit(options, 0);
    let limit = if bit(options, 1) { 300 } else { MOST };
    let cuts = input.counted();
    let (window, anew) = sender(params, client);

    let mut bytes = Vec::new();
    let (mut expected, mut history): (Vec<Vec<u8>>, Vec<u8>) = (Vec::new(), Vec::new());
    let mut end = Stop::Complete;
    while !input.is_empty() {
        let how = input.byte();
        let len = usize::from(input.u16());
        let payload = input.take(len);
        let rsv = if bit(how, 0) { 0 } else { 0x40 };
        if bit(how, 1) {
            let (a, b) = payload.split_at(payload.len() * usize::from(how >> 2) / 64);
            bytes.extend(frame(0x02 | rsv, a, !client));
            bytes.extend(frame(0x80, b, !client));
        } else {
            bytes.extend(frame(0x82 | rsv, payload, !client));
        }
        if end != Stop::Complete {
            continue;
        }
        let wire_limit = limit + limit / 16 + 1024;
        if payload.len() > if rsv == 0 { limit } else { wire_limit } {
            end = Stop::Unfinished;
            continue;
        }
        if rsv == 0 {
            expected.push(payload.to_vec());
            continue;
        }
        if anew {
            history.clear();
        }
        let (message, stop) = inflate(payload, &history, window, limit);
        end = stop;
        if stop == Stop::Complete {
            history.extend_from_slice(&message);
            history.drain(..history.len().saturating_sub(32 << 10));
            expected.push(message);
        }
    }

    let config = Config::default().max_message_size(limit);
    let deflate = DeflateConfig::new();
    let run = |cuts: &[u8], in_pieces, config| {
        receive_all(&mut connection(client, config, params, &deflate), &bytes, cuts, in_pieces, None)
    };
    let whole = run(&[], false, config);
    let (messages, error) = &whole;
    let known = messages.get(..expected.len()).expect("at least as many as the naive inflater gives");
    assert!(known == expected, "something else than the naive inflater gives");
    match end {
        Stop::Complete => assert_eq!((messages.len(), *error), (expected.len(), None)),
        Stop::Invalid => {
            let right = matches!(error, Some(Error::InvalidDeflate | Error::MessageTooBig { .. }));
            assert!(right && messages.len() == expected.len(), "{error:?}, and it cannot be inflated");
        }
        Stop::Farther | Stop::Unfinished => {}
    }
    if end != Stop::Farther {
        assert!(whole == run(cuts, false, config), "the cuts make a difference");
        let mut conn = connection(client, config, params, &deflate);
        let beside = receive_all(&mut conn, &bytes, cuts, false, Some(Others::default()));
        assert!(whole == beside, "other connections make a difference");
        let unlimited = config.max_message_size(MOST << 6);
        let whole = run(&[], false, unlimited);
        assert!(whole == run(cuts, true, unlimited), "in pieces it is something else");
    }

    let (peak, ()) = peak_of(|| {
        let mut conn = connection(client, config, params, &deflate);
        let mut rx = RecvBuf::new(Vec::new());
        let (mut cuts, mut rest) = (Cuts::new(cuts), &bytes[..]);
        loop {
            match conn.receive(Instant::ZERO, &mut rx) {
                Ok(Some(_)) => {}
                Ok(None) if !rest.is_empty() => {
                    // As a read, which takes no more than there is room for.
                    let spare = rx.spare_mut();
                    let n = cuts.size().min(rest.len()).min(spare.len());
                    spare[..n].copy_from_slice(&rest[..n]);
                    rx.commit(n);
                    rest = &rest[n..];
                }
                _ => return,
            }
        }
    });
    assert!(peak <= 4 * limit + CODEC, "{peak} bytes of heap for messages of {limit}");
}

/// Messages that one end sends. Each: an option byte (0 and 1: how, 0 whole, 1 in fragments, 2 written, flushed and
/// finished, 3 with compression switched off; 2 to 4: what it is made of; 5 to 7: how long that is), and a length.
pub(super) fn converse(input: &mut Input<'_>) {
    let params = params(input.byte());
    let options = input.byte();
    let to_client = bit(options, 0);
    let cuts = input.counted();
    let (window, anew) = sender(params, to_client);
    let deflate = DeflateConfig::new().min_size(0).level(options >> 1 & 15).memory_level(1 + (options >> 5));
    let config = Config::default();
    let mut from = connection(!to_client, config, params, &deflate);
    let mut to = connection(to_client, config, params, &deflate);
    let mut tx = SendBuf::new(Vec::new());
    let mut sent = Vec::new();
    for _ in 0..20 {
        if input.is_empty() {
            break;
        }
        let how = input.byte();
        let len = (usize::from(input.byte()) << (how >> 5)).min(12_000);
        let seed = usize::from(how >> 2 & 7);
        // From a run of one byte to what does not compress; the same again refers back to what was before.
        let message: Vec<u8> = (0..len)
            .map(|n| match seed {
                0 => 0,
                1 => b"Hello "[n % 6],
                2 => ((n * n) >> 5) as u8,
                3 => (n.wrapping_mul(0x9E37_79B9) >> 13) as u8,
                seed => (n % (seed * 97)) as u8,
            })
            .collect();
        from.set_compression(how & 3 != 3);
        match how & 3 {
            1 => {
                let third = message.len() / 3;
                from.send_fragment(&mut tx, Kind::Binary, &message[..third], false).expect("room");
                from.send_fragment(&mut tx, Kind::Binary, &message[third..], true).expect("room");
            }
            2 => {
                from.begin_message(Kind::Binary).expect("no message in progress");
                let mut rest = &message[..];
                while !rest.is_empty() {
                    let n = from.write_message(&mut tx, &rest[..rest.len().min(1000)]).expect("room");
                    assert!(n > 0, "nothing is taken");
                    rest = &rest[n..];
                    from.flush_message(&mut tx).expect("room");
                }
                from.finish_message(&mut tx).expect("room");
            }
            _ => from.send(&mut tx, ws_proto::Message::Binary(&message)).expect("room"),
        }
        sent.push(message);
    }
    let mut wire = Vec::new();
    while let Some(mut transmit) = from.poll_transmit(Instant::ZERO, &mut tx) {
        let n = {
            let slices = transmit.slices();
            wire.extend_from_slice(slices[0]);
            slices[0].len()
        };
        transmit.advance(n);
    }
    let (received, error) =
        receive_all(&mut to, &wire, cuts, bit(options, 7), bit(options, 2).then(Others::default));
    assert!(error.is_none() && received == sent, "{error:?}: something else arrives");

    // And anybody else can inflate it, with a window no larger than agreed on.
    let mut history = Vec::new();
    for (compressed, payload, message) in messages(&wire, !to_client).zip(&sent).map(|((c, p), m)| (c, p, m))
    {
        if !compressed {
            assert!(payload == *message);
            continue;
        }
        if anew {
            history.clear();
        }
        let (inflated, stop) = inflate(&payload, &history, window, message.len());
        assert_eq!(stop, Stop::Complete);
        assert!(inflated == *message, "anybody else inflates something else");
        history.extend_from_slice(&inflated);
        history.drain(..history.len().saturating_sub(window));
    }
}

/// The messages of a stream of our own frames: whether they are compressed, and all their payload.
fn messages(wire: &[u8], masked: bool) -> impl Iterator<Item = (bool, Vec<u8>)> {
    use crate::naive::{Head, head};
    let (mut rest, mut inside) = (wire, false);
    core::iter::from_fn(move || {
        let (mut compressed, mut payload) = (false, Vec::new());
        loop {
            let (size, len) = match head(rest, masked, 0x40, inside) {
                Head::Incomplete if rest.is_empty() && !inside => return None,
                Head::Whole { size, len } => (size, usize::try_from(len).expect("a length that fits")),
                other => panic!("{other:?}"),
            };
            compressed |= rest[0] & 0x40 != 0;
            // The key is zeros.
            payload.extend_from_slice(&rest[size..size + len]);
            inside = rest[0] & 0x80 == 0;
            rest = &rest[size + len..];
            if !inside {
                return Some((compressed, payload));
            }
        }
    })
}
