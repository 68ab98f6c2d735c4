//! sockudo-ws: its `Protocol`, the layer below its streams, with messages in batches.

use std::rc::Rc;

use bytes::BytesMut;
use sockudo_ws::Message;
use sockudo_ws::protocol::{Protocol, Role as TheirRole};

use super::{Contender, MAX_MESSAGE};
use crate::case::{Decode, Encode, Output, Role, Tally};
use crate::wire::Wire;

pub(super) const CONTENDER: Contender = Contender {
    name: "sockudo-ws",
    peer: true,
    decoder: |case, wire| {
        (!case.deflate).then(|| -> Box<dyn Decode> {
            let buffer = BytesMut::with_capacity(sockudo_ws::RECV_BUFFER_SIZE);
            let messages = Vec::new();
            Box::new(Decoder { protocol: protocol(case.role), buffer, messages, taken: 0, wire })
        })
    },
    encoder: |case, payload, output| {
        (!case.deflate).then(|| -> Box<dyn Encode> {
            let message = if case.content.is_text() {
                Message::text(String::from_utf8(payload.into()).unwrap())
            } else {
                Message::binary(payload)
            };
            let (protocol, batch) = (protocol(case.role), case.batch);
            Box::new(Encoder { protocol, message, buffer: BytesMut::new(), batch, output })
        })
    },
};

fn protocol(role: Role) -> Protocol {
    let role = match role {
        Role::Client => TheirRole::Client,
        Role::Server => TheirRole::Server,
    };
    Protocol::new(role, MAX_MESSAGE, MAX_MESSAGE)
}

struct Decoder {
    protocol: Protocol,
    buffer: BytesMut,
    messages: Vec<Message>,
    taken: usize,
    wire: Wire,
}

impl Decode for Decoder {
    fn decode(&mut self, messages: usize, tally: &mut Tally) {
        let mut left = messages;
        loop {
            let waiting = &self.messages[self.taken..];
            for message in &waiting[..waiting.len().min(left)] {
                tally.message(message.is_text(), message.as_bytes());
                self.taken += 1;
                left -= 1;
            }
            if left == 0 {
                return;
            }
            self.messages.clear();
            self.taken = 0;
            // As its own streams make room.
            if self.buffer.is_empty() && !self.buffer.try_reclaim(sockudo_ws::RECV_BUFFER_SIZE)
                || self.buffer.capacity() - self.buffer.len() < 4096
            {
                self.buffer.reserve(sockudo_ws::RECV_BUFFER_SIZE);
            }
            let next = self.wire.next(self.buffer.capacity() - self.buffer.len());
            self.buffer.extend_from_slice(next);
            let n = next.len();
            self.wire.advance(n);
            self.protocol.process_into(&mut self.buffer, &mut self.messages).unwrap();
        }
    }
}

struct Encoder {
    protocol: Protocol,
    message: Message,
    buffer: BytesMut,
    batch: usize,
    output: Rc<Output>,
}

impl Encode for Encoder {
    fn encode(&mut self, messages: usize) {
        for _ in 0..messages / self.batch {
            for _ in 0..self.batch {
                self.protocol.encode_message(&self.message, &mut self.buffer).unwrap();
            }
            self.output.take(&self.buffer);
            self.buffer.clear();
        }
    }
}
