//! nexus-web on the same loop: one read of 64 KiB at a time, messages borrowed, answers encoded where they are written
//! from.

use std::io;

use mio::net::TcpStream;
use nexus_web::ws::{FrameReader, FrameWriter, Message, Role};

use super::mio_loop::{self, Output, Session};
use super::raw_mio::respond;
use super::{MAX_MESSAGE, READ_SIZE};

struct Nexus {
    reader: FrameReader,
    writer: FrameWriter,
    open: bool,
}

impl Session for Nexus {
    fn new() -> Self {
        let reader = FrameReader::builder()
            .role(Role::Server)
            .buffer_capacity(READ_SIZE)
            .max_frame_size(MAX_MESSAGE as u64)
            .max_message_size(MAX_MESSAGE)
            .build();
        Self { reader, writer: FrameWriter::new(Role::Server), open: false }
    }

    fn read(&mut self, stream: &mut TcpStream, out: &mut Output) -> io::Result<bool> {
        if !self.open {
            self.open = respond(stream, out)?;
            return Ok(true);
        }
        let mut filled = true;
        while filled && out.len() < READ_SIZE {
            let room = self.reader.spare().len();
            match self.reader.read_from(stream) {
                Ok(0) => return Ok(false),
                // A read that leaves room has drained the socket; there will be another event.
                Ok(n) => filled = n >= room,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
            while let Some(message) = self.reader.next().map_err(io::Error::other)? {
                let n = match message {
                    Message::Binary(payload) => {
                        let room = out.room(self.writer.max_encoded_len(payload.len()));
                        self.writer.encode_binary(payload, room)
                    }
                    Message::Text(payload) => {
                        let room = out.room(self.writer.max_encoded_len(payload.len()));
                        self.writer.encode_text(payload.as_bytes(), room)
                    }
                    _ => return Ok(false),
                };
                out.advance(n);
            }
            if self.reader.should_compact() {
                self.reader.compact();
            }
        }
        Ok(true)
    }
}

pub(super) fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    mio_loop::serve::<Nexus>(listener)
}
