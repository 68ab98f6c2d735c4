//! The short look at a header beside the thorough one.

#![allow(clippy::unwrap_used)]

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

/// What the short look for a whole message is to find, or for a frame that continues one, told by the thorough one.
fn whole_frame(bytes: &[u8], masked: bool, continuation: bool) -> Option<WholeFrame> {
    let expected = Expected { masked, continuation, allowed_rsv: Rsv::NONE };
    let header = Header::parse(bytes, expected).ok()??;
    let is_wanted = !header.opcode.is_control() && (header.fin || continuation);
    let len = usize::from(u16::try_from(header.len).ok()?);
    (is_wanted && bytes.len() >= header.size + len).then_some(WholeFrame {
        first: if header.fin { FIN } else { 0 } | header.opcode as u8,
        masking_key: header.masking_key.unwrap_or_default(),
        len,
        header: header.size,
    })
}

fn assert_agreement(bytes: &[u8], masked: bool) {
    let front = &bytes[..bytes.len().min(14)];
    assert_eq!(WholeFrame::message(bytes, masked), whole_frame(bytes, masked, false), "{front:02x?}");
    assert_eq!(WholeFrame::continuation(bytes, masked), whole_frame(bytes, masked, true), "{front:02x?}");
}

/// A frame of any length, minimal or not, of which some bytes may be missing and others may follow.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        2 => Just(0x81), 2 => Just(0x82), 2 => Just(0x00), 2 => Just(0x80), 2 => any::<u8>()
    ];
    let len = prop_oneof![0..=130_u64, 120..=130_u64, 65_530..=65_540_u64, any::<u64>()];
    let room = prop_oneof![Just(2_usize), Just(4), Just(10)];
    let rest = prop_oneof![4 => Just(0_isize), 3 => -3..3_isize, 1 => -20..20_isize];
    (first, len, room, any::<bool>(), any::<[u8; 4]>(), rest).prop_map(
        |(first, len, room, masked, key, rest)| {
            let mask = if masked { MASKED } else { 0 };
            let mut frame = vec![first];
            match room {
                2 => frame.push(mask | (len & 0x7F) as u8),
                4 => {
                    frame.push(mask | LENGTH_16);
                    frame.extend((len as u16).to_be_bytes());
                }
                _ => {
                    frame.push(mask | LENGTH_64);
                    frame.extend(len.to_be_bytes());
                }
            }
            if masked {
                frame.extend(key);
            }
            let payload = if room == 2 { len & 0x7F } else { len & 0xFFFF } as usize;
            frame.resize((frame.len() + payload).saturating_add_signed(rest), b'x');
            frame
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]

    /// RFC 6455 section 5.2. Nothing takes the short way that the long one does not find to be a whole frame, and all
    /// that is one does, so that the short way is the one that is taken.
    #[test]
    fn section_5_2_the_short_look_finds_the_whole_frames_that_the_thorough_one_finds(
        bytes in frame(),
        masked: bool,
    ) {
        assert_agreement(&bytes, masked);
    }
}

/// RFC 6455 section 5.2, with every length and every place to cut around where the form of the length changes.
#[test]
fn section_5_2_the_short_look_agrees_at_every_boundary() {
    for masked in [false, true] {
        for first in 0..=255 {
            for len in [0, 1, 125, 126, 127, 128, 255, 256, 65_535, 65_536] {
                let key = masked.then_some([1, 2, 3, 4]);
                let mut frame =
                    EncodedHeader::new(true, Rsv::NONE, Opcode::Text, len, key).as_slice().to_vec();
                frame[0] = first;
                let header = frame.len();
                frame.resize(header + len, 0);
                for cut in [0, 1, 2, 3, header - 1, header, (header + len).saturating_sub(1), header + len] {
                    let bytes = &frame[..cut.min(frame.len())];
                    for expected in [false, true] {
                        assert_agreement(bytes, expected);
                    }
                }
            }
        }
    }
    let seen = WholeFrame::message(&[0x81, 0x82, 1, 2, 3, 4, 0, 0], true).unwrap();
    assert_eq!(seen, WholeFrame { first: 0x81, masking_key: [1, 2, 3, 4], len: 2, header: 6 });
    assert!(seen.is_text() && seen.is_last());
    let seen = WholeFrame::continuation(&[0x00, 0x01, b'x'], false).unwrap();
    assert_eq!(seen, WholeFrame { first: 0, masking_key: [0; 4], len: 1, header: 2 });
    assert!(!seen.is_text() && !seen.is_last());
}
