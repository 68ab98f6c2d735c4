//! What a peer may try with permessage-deflate beside the one big bomb of `deflate_memory.rs`.
#![allow(clippy::panic, clippy::unwrap_used)]

use ws_proto::deflate::DeflateConfig;
use ws_proto::{Chunk, Config, Error, Event};
use ws_tests::bomb::{bomb, params};
use ws_tests::counting::{Counting, peak_of};
use ws_tests::{Endpoint, binary, close, cont};

#[global_allocator]
static COUNTING: Counting = Counting;

const MIB: usize = 1 << 20;
/// RSV1, as `Frame::rsv` counts.
const RSV1: u8 = 4;

fn server(no_context_takeover: bool) -> Endpoint {
    let config = Config::default().ping_interval(None).max_message_size(MIB).max_frame_size(usize::MAX);
    let mut server = Endpoint::server_with(config);
    server.conn.enable_deflate(params(no_context_takeover), &DeflateConfig::new());
    server
}

#[test]
fn a_bomb_is_noticed_within_one_block_of_output_behind_the_limit() {
    let bomb = bomb(16);
    let ratio = 16 * MIB / bomb.len();
    let bytes = binary(&bomb).rsv(RSV1).masked();
    for size in [1, 16] {
        let mut server = server(false);
        let mut heard = 0;
        for piece in bytes.chunks(size) {
            server.hear_bytes(piece);
            heard += piece.len();
            if server.error().is_some() {
                break;
            }
        }
        assert_eq!(server.error(), Some(Error::MessageTooBig { limit: MIB as u64 }));
        let inflated = heard * ratio;
        assert!(inflated <= MIB + (64 << 10), "{heard} bytes, which are {inflated}");
        assert_eq!(server.say(), [close(1009)]);
    }
}

#[test]
fn a_bomb_that_is_received_in_pieces_never_lies_anywhere_as_a_whole() {
    let bomb = bomb(64);
    let bytes = binary(&bomb).rsv(RSV1).masked();
    for no_context_takeover in [false, true] {
        let mut server = server(no_context_takeover);
        let mut total = 0;
        let (peak, ()) = peak_of(|| {
            for piece in bytes.chunks(4096) {
                assert_eq!(server.rx.extend_from_slice(piece), piece.len());
                while let Some(event) = server.conn.receive_chunk(server.now, &mut server.rx).unwrap() {
                    if let Event::Data(Chunk::Data(part)) = event {
                        assert!(part.as_bytes().iter().all(|byte| *byte == 0));
                        total += part.as_bytes().len();
                    }
                }
            }
        });
        assert_eq!(total, 64 * MIB);
        assert!(peak <= 256 << 10, "{peak} bytes");
    }
}

/// Stored and fixed blocks with nothing in them: nothing is inflated that a limit could be about.
#[test]
fn endless_empty_blocks_of_either_kind_are_refused_with_1009_and_take_no_heap() {
    let stored = [0x00, 0x00, 0x00, 0xFF, 0xFF];
    // Three bits of header and seven of "end of block": four of them are five bytes.
    let fixed = [0x02, 0x08, 0x20, 0x80, 0x00];
    for block in [stored, fixed] {
        let blocks = block.repeat(1000);
        for is_fragmented in [false, true] {
            let (peak, ()) = peak_of(|| {
                let mut server = server(false);
                let mut sent = 0;
                if !is_fragmented {
                    let length = ws_tests::FrameLength::Bits64(1 << 40);
                    server.hear(&[binary("").rsv(RSV1).length(length)]);
                }
                while server.error().is_none() {
                    assert!(sent <= 4 * MIB, "never stopped");
                    match (is_fragmented, sent) {
                        (true, 0) => server.hear(&[binary(&blocks).rsv(RSV1).more()]),
                        (true, _) => server.hear(&[cont(&blocks).more()]),
                        // Masked, wherever in the frame that is.
                        (false, _) => {
                            let masked = binary(&blocks).masked();
                            server.hear_bytes(&masked[masked.len() - blocks.len()..]);
                        }
                    }
                    sent += blocks.len();
                }
                assert!(matches!(server.error(), Some(Error::MessageTooBig { .. })), "{:?}", server.error());
                assert_eq!(server.say(), [close(1009)]);
                assert_eq!(server.events(), []);
            });
            assert!(peak <= 256 << 10, "{peak} bytes");
        }
    }
}
