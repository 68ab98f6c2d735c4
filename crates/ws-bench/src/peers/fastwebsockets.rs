//! fastwebsockets: `FragmentCollector` for reading; for writing `write_frame` with vectored writes, its default. A
//! client masks the payload where it lies, which spares it a copy.

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role as TheirRole, WebSocket};

use super::{Contender, MAX_MESSAGE};
use crate::case::{Decode, Encode, Role, Tally};
use crate::memory_io::{MemoryIo, now};

pub(super) const CONTENDER: Contender = Contender {
    name: "fastwebsockets",
    peer: true,
    decoder: |case, wire| {
        (case.deflate.is_none()).then(|| -> Box<dyn Decode> {
            Box::new(Decoder(FragmentCollector::new(socket(case.role, MemoryIo::reading(wire)))))
        })
    },
    encoder: |case, payload, output| {
        (case.deflate.is_none()).then(|| -> Box<dyn Encode> {
            let opcode = if case.content.is_text() { OpCode::Text } else { OpCode::Binary };
            let batch = case.batch;
            Box::new(Encoder {
                socket: socket(case.role, MemoryIo::writing(output)),
                payload: payload.into(),
                opcode,
                batch,
            })
        })
    },
};

fn socket(role: Role, io: MemoryIo) -> WebSocket<MemoryIo> {
    let role = match role {
        Role::Client => TheirRole::Client,
        Role::Server => TheirRole::Server,
    };
    let mut socket = WebSocket::after_handshake(io, role);
    socket.set_max_message_size(MAX_MESSAGE);
    socket
}

struct Decoder(FragmentCollector<MemoryIo>);

impl Decode for Decoder {
    fn decode(&mut self, messages: usize, tally: &mut Tally) {
        now(async {
            for _ in 0..messages {
                let frame = self.0.read_frame().await.unwrap();
                tally.message(frame.opcode == OpCode::Text, &frame.payload);
            }
        });
    }
}

struct Encoder {
    socket: WebSocket<MemoryIo>,
    payload: Vec<u8>,
    opcode: OpCode,
    batch: usize,
}

impl Encode for Encoder {
    fn encode(&mut self, messages: usize) {
        let socket = &mut self.socket;
        now(async {
            for _ in 0..messages / self.batch {
                for _ in 0..self.batch {
                    let payload = Payload::BorrowedMut(&mut self.payload);
                    socket.write_frame(Frame::new(true, self.opcode, None, payload)).await.unwrap();
                }
                socket.flush().await.unwrap();
            }
        });
    }
}
