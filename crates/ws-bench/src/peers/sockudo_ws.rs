//! sockudo-ws: its `Protocol`, the layer below its streams, with messages in batches; its `CompressedProtocol` for
//! those that are compressed.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use sockudo_ws::protocol::{Protocol, Role as TheirRole};
use sockudo_ws::{CompressedProtocol, DeflateConfig, Message};

use super::{Contender, InTurn, MAX_MESSAGE};
use crate::case::{ContextTakeover, Decode, Encode, Output, Role, Tally};
use crate::deflate::LEVEL;
use crate::wire::Wire;

pub(super) const CONTENDER: Contender = Contender {
    name: "sockudo-ws",
    peer: true,
    decoder: |case, wire| {
        Some(if let Some(takeover) = case.deflate {
            let mut protocol = compressed_protocol(case.role, takeover);
            decoder(wire, move |buffer, messages| protocol.process_into(buffer, messages).unwrap())
        } else {
            let mut protocol = protocol(case.role);
            decoder(wire, move |buffer, messages| protocol.process_into(buffer, messages).unwrap())
        })
    },
    encoder: |case, payload, output| {
        let (buffer, batch) = (BytesMut::new(), case.batch);
        let message = |payload: Bytes| {
            if case.content.is_text() {
                Message::text(String::from_utf8(payload.into()).unwrap())
            } else {
                Message::binary(payload)
            }
        };
        Some(if let Some(takeover) = case.deflate {
            let mut protocol = compressed_protocol(case.role, takeover);
            let mut messages = InTurn::new(case, &payload, message);
            let encode = move |buffer: &mut _| protocol.encode_message(messages.next(), buffer).unwrap();
            Box::new(Encoder { encode, buffer, batch, output })
        } else {
            let (mut protocol, message) = (protocol(case.role), message(payload));
            let encode = move |buffer: &mut _| protocol.encode_message(&message, buffer).unwrap();
            Box::new(Encoder { encode, buffer, batch, output })
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

fn compressed_protocol(role: Role, takeover: ContextTakeover) -> CompressedProtocol {
    let config = DeflateConfig {
        server_no_context_takeover: takeover == ContextTakeover::Without,
        client_no_context_takeover: takeover == ContextTakeover::Without,
        compression_level: LEVEL.into(),
        ..DeflateConfig::default()
    };
    match role {
        Role::Client => CompressedProtocol::client(MAX_MESSAGE, MAX_MESSAGE, config),
        Role::Server => CompressedProtocol::server(MAX_MESSAGE, MAX_MESSAGE, config),
    }
}

fn decoder(wire: Wire, process: impl FnMut(&mut BytesMut, &mut Vec<Message>) + 'static) -> Box<dyn Decode> {
    let buffer = BytesMut::with_capacity(sockudo_ws::RECV_BUFFER_SIZE);
    Box::new(Decoder { process, buffer, messages: Vec::new(), taken: 0, wire })
}

struct Decoder<P> {
    process: P,
    buffer: BytesMut,
    messages: Vec<Message>,
    taken: usize,
    wire: Wire,
}

impl<P: FnMut(&mut BytesMut, &mut Vec<Message>)> Decode for Decoder<P> {
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
            (self.process)(&mut self.buffer, &mut self.messages);
        }
    }
}

struct Encoder<E> {
    encode: E,
    buffer: BytesMut,
    batch: usize,
    output: Rc<Output>,
}

impl<E: FnMut(&mut BytesMut)> Encode for Encoder<E> {
    fn encode(&mut self, messages: usize) {
        for _ in 0..messages / self.batch {
            for _ in 0..self.batch {
                (self.encode)(&mut self.buffer);
            }
            self.output.take(&self.buffer);
            self.buffer.clear();
        }
    }
}
