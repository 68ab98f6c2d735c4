//! tokio-websockets: its `Stream`, and its `Sink` with `feed` and one `flush` a batch.

use futures_util::{SinkExt, StreamExt};
use tokio_websockets::{ClientBuilder, Limits, Message, Payload, ServerBuilder, WebSocketStream};

use super::{Contender, MAX_MESSAGE};
use crate::case::{Decode, Encode, Role, Tally};
use crate::memory_io::{MemoryIo, now};

pub(super) const CONTENDER: Contender = Contender {
    name: "tokio-websockets",
    peer: true,
    decoder: |case, wire| {
        (case.deflate.is_none())
            .then(|| -> Box<dyn Decode> { Box::new(Decoder(socket(case.role, MemoryIo::reading(wire)))) })
    },
    encoder: |case, payload, output| {
        (case.deflate.is_none()).then(|| -> Box<dyn Encode> {
            let message = if case.content.is_text() {
                Message::text(String::from_utf8(payload.into()).unwrap())
            } else {
                Message::binary(Payload::from(payload))
            };
            Box::new(Encoder {
                socket: socket(case.role, MemoryIo::writing(output)),
                message,
                batch: case.batch,
            })
        })
    },
};

fn socket(role: Role, io: MemoryIo) -> WebSocketStream<MemoryIo> {
    let limits = Limits::default().max_payload_len(Some(MAX_MESSAGE));
    match role {
        Role::Client => ClientBuilder::new().limits(limits).take_over(io),
        Role::Server => ServerBuilder::new().limits(limits).serve(io),
    }
}

struct Decoder(WebSocketStream<MemoryIo>);

impl Decode for Decoder {
    fn decode(&mut self, messages: usize, tally: &mut Tally) {
        now(async {
            for _ in 0..messages {
                let message = self.0.next().await.unwrap().unwrap();
                tally.message(message.is_text(), message.as_payload());
            }
        });
    }
}

struct Encoder {
    socket: WebSocketStream<MemoryIo>,
    message: Message,
    batch: usize,
}

impl Encode for Encoder {
    fn encode(&mut self, messages: usize) {
        now(async {
            for _ in 0..messages / self.batch {
                for _ in 0..self.batch {
                    self.socket.feed(self.message.clone()).await.unwrap();
                }
                self.socket.flush().await.unwrap();
            }
        });
    }
}
