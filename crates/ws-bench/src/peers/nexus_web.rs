//! nexus-web: its reader with messages borrowed, its writer into one buffer. The reader has 64 KiB, as in its own
//! benchmarks, and as much more as the longest message needs.

use std::rc::Rc;

use bytes::Bytes;
use nexus_web::ws::{FrameReader, FrameWriter, Message, Role as TheirRole};

use super::{Contender, MAX_MESSAGE};
use crate::case::{Decode, Encode, Output, Role, Tally};
use crate::memory_io::MemoryIo;

pub(super) const CONTENDER: Contender = Contender {
    name: "nexus-web",
    peer: true,
    decoder: |case, wire| {
        (case.deflate.is_none()).then(|| -> Box<dyn Decode> {
            let reader = FrameReader::builder()
                .role(role(case.role))
                .buffer_capacity(64 * 1024 + case.size)
                .message_capacity(case.size)
                .max_frame_size(MAX_MESSAGE as u64)
                .max_message_size(MAX_MESSAGE)
                .build();
            Box::new(Decoder { reader, io: MemoryIo::reading(wire) })
        })
    },
    encoder: |case, payload, output| {
        (case.deflate.is_none()).then(|| -> Box<dyn Encode> {
            let writer = FrameWriter::new(role(case.role));
            let buffer = vec![0; case.batch * writer.max_encoded_len(payload.len())];
            let (text, batch) = (case.content.is_text(), case.batch);
            Box::new(Encoder { writer, payload, text, buffer, batch, output })
        })
    },
};

fn role(role: Role) -> TheirRole {
    match role {
        Role::Client => TheirRole::Client,
        Role::Server => TheirRole::Server,
    }
}

struct Decoder {
    reader: FrameReader,
    io: MemoryIo,
}

impl Decode for Decoder {
    fn decode(&mut self, messages: usize, tally: &mut Tally) {
        let mut left = messages;
        loop {
            while left > 0
                && let Some(message) = self.reader.next().unwrap()
            {
                match message {
                    Message::Binary(payload) => tally.message(false, payload),
                    Message::Text(payload) => tally.message(true, payload.as_bytes()),
                    _ => panic!("neither binary nor text"),
                }
                left -= 1;
            }
            if left == 0 {
                return;
            }
            if self.reader.should_compact() {
                self.reader.compact();
            }
            self.reader.read_from(&mut self.io).unwrap();
        }
    }
}

struct Encoder {
    writer: FrameWriter,
    payload: Bytes,
    text: bool,
    buffer: Vec<u8>,
    batch: usize,
    output: Rc<Output>,
}

impl Encode for Encoder {
    fn encode(&mut self, messages: usize) {
        for _ in 0..messages / self.batch {
            let mut end = 0;
            for _ in 0..self.batch {
                let out = &mut self.buffer[end..];
                end += if self.text {
                    self.writer.encode_text(&self.payload, out)
                } else {
                    self.writer.encode_binary(&self.payload, out)
                };
            }
            self.output.take(&self.buffer[..end]);
        }
    }
}
