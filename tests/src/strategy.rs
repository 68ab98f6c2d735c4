//! Streams of frames for properties: mostly legal, and some that are not.

use proptest::prelude::*;

use crate::{Frame, FrameLength, binary, close_with, cont, frame, ping, pong, raw_close, text};

/// Payloads, short and at the lengths where headers change, text and what is none.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..10),
        8 => "[a-zé€😀]{0,40}".prop_map(String::into_bytes),
        2 => (120..135_usize, any::<u8>()).prop_map(|(n, byte)| vec![byte; n]),
        1 => (65_530..65_540_usize).prop_map(|n| vec![b'x'; n]),
        2 => Just(b"\xe2\x82".to_vec()),
        2 => Just(b"\xac\xc3".to_vec()),
    ]
}

/// Mostly legal frames, and some that are not.
pub fn any_frame() -> impl Strategy<Value = Frame> {
    let short = prop::collection::vec(any::<u8>(), 0..126);
    prop_oneof![
        8 => payload().prop_map(text),
        8 => payload().prop_map(binary),
        8 => payload().prop_map(|payload| text(payload).more()),
        8 => payload().prop_map(|payload| binary(payload).more()),
        12 => payload().prop_map(|payload| cont(payload).more()),
        12 => payload().prop_map(cont),
        8 => short.clone().prop_map(ping),
        6 => short.prop_map(pong),
        1 => (990..1020_u16, "[a-zé]{0,20}").prop_map(|(code, reason)| close_with(code, reason)),
        1 => prop::collection::vec(any::<u8>(), 0..126).prop_map(raw_close),
        1 => (0..16_u8, payload()).prop_map(|(opcode, payload)| frame(opcode, payload)),
        3 => (1..8_u8, payload()).prop_map(|(rsv, payload)| text(payload).rsv(rsv)),
        1 => (1..8_u8, payload()).prop_map(|(rsv, payload)| cont(payload).rsv(rsv)),
        1 => any::<u16>().prop_map(|len| binary("").length(FrameLength::Bits16(len))),
        1 => any::<u64>().prop_map(|len| binary("").length(FrameLength::Bits64(len))),
    ]
}

/// Makes a stream legal up to its last few frames as often as not: continuations come where they belong.
pub fn repair(frames: &mut [Frame]) {
    let mut inside = false;
    for frame in frames {
        match frame.opcode {
            0 if !inside => frame.opcode = 2,
            1 | 2 if inside => (frame.opcode, frame.rsv) = (0, 0),
            _ => {}
        }
        if frame.opcode < 8 {
            inside = !frame.fin;
        }
    }
}
