//! yawc with its feature `simd`: `next_frame`, and `feed` with one `flush` a batch. UTF-8 validation, which it leaves
//! out by default, is on; the buffers have 64 KiB, since it recommends larger ones for bursts.

use futures_util::SinkExt;
use yawc::{Frame, OpCode, Options, Role as TheirRole, WebSocket};

use super::{Contender, MAX_MESSAGE};
use crate::case::{Decode, Encode, Role, Tally};
use crate::memory_io::{MemoryIo, now};

pub(super) const CONTENDER: Contender = Contender {
    name: "yawc",
    peer: true,
    decoder: |case, wire| {
        (!case.deflate)
            .then(|| -> Box<dyn Decode> { Box::new(Decoder(socket(case.role, MemoryIo::reading(wire)))) })
    },
    encoder: |case, payload, output| {
        (!case.deflate).then(|| -> Box<dyn Encode> {
            let frame = if case.content.is_text() { Frame::text(payload) } else { Frame::binary(payload) };
            Box::new(Encoder {
                socket: socket(case.role, MemoryIo::writing(output)),
                frame,
                batch: case.batch,
            })
        })
    },
};

fn socket(role: Role, io: MemoryIo) -> WebSocket<MemoryIo> {
    let role = match role {
        Role::Client => TheirRole::Client,
        Role::Server => TheirRole::Server,
    };
    let options = Options::default()
        .with_utf8()
        .with_limits(MAX_MESSAGE, 2 * MAX_MESSAGE)
        .with_read_buffer_capacity(64 * 1024)
        .with_write_buffer_capacity(64 * 1024);
    WebSocket::from_stream(io, role, options).unwrap()
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

struct Encoder {
    socket: WebSocket<MemoryIo>,
    frame: Frame,
    batch: usize,
}

impl Encode for Encoder {
    fn encode(&mut self, messages: usize) {
        now(async {
            for _ in 0..messages / self.batch {
                for _ in 0..self.batch {
                    self.socket.feed(self.frame.clone()).await.unwrap();
                }
                self.socket.flush().await.unwrap();
            }
        });
    }
}
