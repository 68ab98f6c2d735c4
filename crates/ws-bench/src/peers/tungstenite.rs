//! tungstenite: `read`, and `write` with one `flush` a batch. Its buffers have the 128 KiB that it recommends for load,
//! or the 4 KiB that it recommends otherwise where each read brings one message.

use bytes::Bytes;
use tungstenite::protocol::{Role as TheirRole, WebSocketConfig};
use tungstenite::{Message, Utf8Bytes, WebSocket};

use super::{Contender, MAX_MESSAGE};
use crate::case::{Decode, Encode, EncodeCase, Reads, Role, Tally};
use crate::memory_io::MemoryIo;

pub(super) const CONTENDER: Contender = Contender {
    name: "tungstenite",
    peer: true,
    decoder: |case, wire| {
        (case.deflate.is_none()).then(|| -> Box<dyn Decode> {
            let read_buffer = if case.reads == Reads::Whole { 4 * 1024 } else { 128 * 1024 };
            Box::new(Decoder(socket(case.role, read_buffer, MemoryIo::reading(wire))))
        })
    },
    encoder: |case, payload, output| {
        (case.deflate.is_none()).then(|| -> Box<dyn Encode> {
            Box::new(Encoder {
                socket: socket(case.role, 4 * 1024, MemoryIo::writing(output)),
                message: message(case, payload),
                batch: case.batch,
            })
        })
    },
};

fn socket(role: Role, read_buffer: usize, io: MemoryIo) -> WebSocket<MemoryIo> {
    let role = match role {
        Role::Client => TheirRole::Client,
        Role::Server => TheirRole::Server,
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(read_buffer)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    WebSocket::from_raw_socket(io, role, Some(config))
}

fn message(case: &EncodeCase, payload: Bytes) -> Message {
    if case.content.is_text() {
        Message::Text(Utf8Bytes::try_from(payload).unwrap())
    } else {
        Message::Binary(payload)
    }
}

struct Decoder(WebSocket<MemoryIo>);

impl Decode for Decoder {
    fn decode(&mut self, messages: usize, tally: &mut Tally) {
        for _ in 0..messages {
            match self.0.read().unwrap() {
                Message::Binary(payload) => tally.message(false, &payload),
                Message::Text(payload) => tally.message(true, payload.as_bytes()),
                other => panic!("{other:?}"),
            }
        }
    }
}

struct Encoder {
    socket: WebSocket<MemoryIo>,
    message: Message,
    batch: usize,
}

impl Encode for Encoder {
    fn encode(&mut self, messages: usize) {
        for _ in 0..messages / self.batch {
            for _ in 0..self.batch {
                self.socket.write(self.message.clone()).unwrap();
            }
            self.socket.flush().unwrap();
        }
    }
}
