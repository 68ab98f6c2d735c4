//! Frame headers, read through the public interface, beside a naive reader: the same verdict at the same byte.
//!
//! Input: an option byte (0: client; 1 to 3: RSV1 to RSV3 allowed; 4: inside a fragmented message; 5: that is text;
//! 6: received in pieces), then the header.

use ws_proto::{
    Chunk, Config, Connection, Error, Event, FrameHeader, Instant, Kind, MaskKeys, RecvBuf, Role, Rsv,
};

use crate::input::{Input, bit};
use crate::naive::{Head, head};

/// The key of the frames that are made up here.
const KEY: [u8; 4] = [0xA5, 0x5A, 0x01, 0xFE];

/// The reserved bits among bits 1 to 3 of an option byte, and as they stand in a header.
fn allowed(options: u8) -> (Rsv, u8) {
    let mut all = (Rsv::NONE, 0);
    for (index, rsv, bits) in [(1, Rsv::RSV1, 0x40), (2, Rsv::RSV2, 0x20), (3, Rsv::RSV3, 0x10)] {
        if bit(options, index) {
            all = (all.0 | rsv, all.1 | bits);
        }
    }
    all
}

/// One header, one byte at a time.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let options = input.byte();
    let bytes = input.take(14);
    let client = bit(options, 0);
    let (rsv, rsv_bits) = allowed(options);
    let inside = bit(options, 4);
    let begun_with = if bit(options, 5) { Kind::Text } else { Kind::Binary };
    let in_pieces = bit(options, 6);

    let config = Config::default().allowed_rsv(rsv).max_message_size(usize::MAX);
    let role = if client { Role::Client(MaskKeys::from_fn(|| KEY)) } else { Role::Server };
    let mut conn = Connection::new(role, config, Instant::ZERO);
    let mut rx = RecvBuf::new(Vec::new());
    if inside {
        let first = if begun_with == Kind::Text { 0x01 } else { 0x02 };
        let frame: &[u8] = if client { &[first, 0] } else { &[first, 0x80, 0, 0, 0, 0] };
        assert_eq!(rx.extend_from_slice(frame), frame.len());
        assert_eq!(conn.receive(Instant::ZERO, &mut rx), Ok(None));
    }

    for n in 1..=bytes.len() {
        let before = head(&bytes[..n - 1], !client, rsv_bits, inside);
        assert!(before == Head::Incomplete, "{before:?} and not noticed");
        assert_eq!(rx.extend_from_slice(&bytes[n - 1..n]), 1);
        let expected = head(&bytes[..n], !client, rsv_bits, inside);
        let opcode = bytes[0] & 0x0F;
        match expected {
            Head::Incomplete => {
                assert_eq!(receive(&mut conn, &mut rx, in_pieces), Ok(None), "{:02x?}", &bytes[..n]);
                assert_eq!(rx.unparsed(), &bytes[..n], "a header is taken whole or not at all");
            }
            Head::Wrong(at) => {
                assert_eq!(at, n - 1, "the naive reader is late");
                let received = receive(&mut conn, &mut rx, in_pieces);
                assert!(matches!(received, Err(Error::Protocol(_))), "{received:?} for {:02x?}", &bytes[..n]);
                assert_eq!(conn.error().and_then(|error| error.close_code()).map(u16::from), Some(1002));
                return;
            }
            Head::Whole { size, len } => {
                assert_eq!(size, n);
                let (frame_kind, frame_rsv) = match opcode {
                    0 => (begun_with, Rsv::NONE),
                    1 => (Kind::Text, bits(bytes[0])),
                    _ => (Kind::Binary, bits(bytes[0])),
                };
                if opcode >= 8 {
                    control(
                        &mut conn,
                        &mut rx,
                        opcode,
                        len,
                        if client { None } else { Some(&bytes[n - 4..n]) },
                    );
                    return;
                }
                if !in_pieces {
                    let received = receive(&mut conn, &mut rx, false);
                    let limit = u64::try_from(isize::MAX).unwrap();
                    if len > limit - 131 && matches!(received, Err(Error::MessageTooBig { .. })) {
                        return;
                    }
                    let fin = bytes[0] & 0x80 != 0;
                    assert_eq!(received, Ok((len == 0 && fin).then_some(None)));
                    assert_eq!((conn.received_kind(), conn.received_rsv()), (frame_kind, frame_rsv));
                    assert!(rx.capacity() <= 4 << 10, "something is reserved for a length");
                    return;
                }
                let received = receive(&mut conn, &mut rx, true);
                let expected = FrameHeader {
                    kind: frame_kind,
                    continuation: opcode == 0,
                    fin: bytes[0] & 0x80 != 0,
                    rsv: frame_rsv,
                    len,
                };
                assert_eq!(received, Ok(Some(Some(expected))), "{:02x?}", &bytes[..n]);
                return;
            }
        }
    }
}

/// The reserved bits of a first byte.
fn bits(first: u8) -> Rsv {
    let all = [(Rsv::RSV1, 0x40), (Rsv::RSV2, 0x20), (Rsv::RSV3, 0x10)];
    all.into_iter().filter(|(_, bit)| first & bit != 0).fold(Rsv::NONE, |all, (rsv, _)| all | rsv)
}

/// Receives once; of an event, the header if it is one.
fn receive(
    conn: &mut Connection,
    rx: &mut RecvBuf<Vec<u8>>,
    in_pieces: bool,
) -> Result<Option<Option<FrameHeader>>, Error> {
    if !in_pieces {
        return Ok(conn.receive(Instant::ZERO, rx)?.map(|_| None));
    }
    Ok(conn.receive_chunk(Instant::ZERO, rx)?.map(|event| match event {
        Event::Data(Chunk::FrameStart(header)) => Some(header),
        _ => None,
    }))
}

/// The payload of a control frame arrives: its bytes come back, unmasked; a Close frame is judged by its body.
fn control(conn: &mut Connection, rx: &mut RecvBuf<Vec<u8>>, opcode: u8, len: u64, key: Option<&[u8]>) {
    let payload: Vec<u8> =
        (0..len).map(|index| 3 + (index == 1) as u8 * 0xE5 + (index > 1) as u8 * 0x40).collect();
    let masked: Vec<u8> =
        payload.iter().enumerate().map(|(index, byte)| byte ^ key.map_or(0, |key| key[index % 4])).collect();
    for (index, byte) in masked.iter().enumerate() {
        assert_eq!(conn.receive(Instant::ZERO, rx), Ok(None), "{index} of {len} bytes");
        assert_eq!(rx.extend_from_slice(&[*byte]), 1);
    }
    let received = conn.receive(Instant::ZERO, rx);
    match opcode {
        9 => assert_eq!(received, Ok(Some(Event::Ping(&payload)))),
        10 => assert_eq!(received, Ok(Some(Event::Pong(&payload)))),
        _ if len == 1 => assert!(matches!(received, Err(Error::Protocol(_)))),
        _ => {
            let Ok(Some(Event::Close(frame))) = received else { panic!("{received:?}") };
            // 1000, written as 3, 232.
            assert_eq!(frame.code.as_u16(), if len == 0 { 1005 } else { 1000 });
            assert_eq!(frame.reason.as_bytes(), payload.get(2..).unwrap_or(&[]));
        }
    }
}
