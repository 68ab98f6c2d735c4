//! yawc with its feature `simd`: `next_frame`, and `feed` with one `flush` a batch. UTF-8 validation, which it leaves
//! out by default, is on; the buffers have 64 KiB, since it recommends larger ones for bursts. The state of its codec,
//! zlib-rs, stays with the connection, as it does by default.

use bytes::Bytes;
use futures_util::SinkExt;
use yawc::{CompressionLevel, Frame, OpCode, Options, Role as TheirRole, WebSocket};

use super::{Contender, InTurn, MAX_MESSAGE};
use crate::case::{ContextTakeover, Decode, Encode, Role, Tally};
use crate::deflate::LEVEL;
use crate::memory_io::{MemoryIo, now};

pub(super) const CONTENDER: Contender = Contender {
    name: "yawc",
    peer: true,
    decoder: |case, wire| Some(Box::new(Decoder(socket(case.role, case.deflate, MemoryIo::reading(wire))))),
    encoder: |case, payload, output| {
        let text = case.content.is_text();
        let frame = |payload: Bytes| if text { Frame::text(payload) } else { Frame::binary(payload) };
        let (socket, batch) = (socket(case.role, case.deflate, MemoryIo::writing(output)), case.batch);
        Some(if case.deflate.is_some() {
            let mut frames = InTurn::new(case, &payload, frame);
            Box::new(Encoder { socket, frame: move || frames.next().clone(), batch })
        } else {
            let frame = frame(payload);
            Box::new(Encoder { socket, frame: move || frame.clone(), batch })
        })
    },
};

fn socket(role: Role, deflate: Option<ContextTakeover>, io: MemoryIo) -> WebSocket<MemoryIo> {
    let role = match role {
        Role::Client => TheirRole::Client,
        Role::Server => TheirRole::Server,
    };
    let mut options = Options::default()
        .with_utf8()
        .with_limits(MAX_MESSAGE, 2 * MAX_MESSAGE)
        .with_read_buffer_capacity(64 * 1024)
        .with_write_buffer_capacity(64 * 1024);
    // Agreed on, as a header of the response would say it.
    let extensions = deflate.map(|takeover| match takeover {
        ContextTakeover::With => "permessage-deflate",
        ContextTakeover::Without => {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        }
    });
    if deflate.is_some() {
        options = options.with_compression_level(CompressionLevel::new(LEVEL.into()));
    }
    WebSocket::from_stream_with_extensions(io, role, extensions, options).unwrap()
}

struct Decoder(WebSocket<MemoryIo>);

impl Decode for Decoder {
    fn decode(&mut self, messages: usize, tally: &mut Tally) {
        now(async {
            for _ in 0..messages {
                let frame = self.0.next_frame().await.unwrap();
                tally.message(frame.opcode() == OpCode::Text, frame.payload());
            }
        });
    }
}

struct Encoder<F> {
    socket: WebSocket<MemoryIo>,
    frame: F,
    batch: usize,
}

impl<F: FnMut() -> Frame> Encode for Encoder<F> {
    fn encode(&mut self, messages: usize) {
        now(async {
            for _ in 0..messages / self.batch {
                for _ in 0..self.batch {
                    self.socket.feed((self.frame)()).await.unwrap();
                }
                self.socket.flush().await.unwrap();
            }
        });
    }
}
