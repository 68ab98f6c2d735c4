//! The limit of mio: bytes come back as they came.

use std::io;

use mio::net::TcpStream;

use super::READ_SIZE;
use super::mio_loop::{self, Output, Session, read};
use crate::load::upgrade;

struct Raw {
    open: bool,
}

impl Session for Raw {
    fn new() -> Self {
        Self { open: false }
    }

    fn read(&mut self, stream: &mut TcpStream, out: &mut Output) -> io::Result<bool> {
        if self.open {
            let n = read(stream, &mut out.room(READ_SIZE)[..READ_SIZE])?;
            out.advance(n.unwrap_or(0));
            Ok(n != Some(0))
        } else {
            self.open = respond(stream, out)?;
            Ok(true)
        }
    }
}

/// The opening handshake, whose request comes in one read: the load generator sends it in one write. Says whether it
/// came.
pub(super) fn respond(stream: &mut TcpStream, out: &mut Output) -> io::Result<bool> {
    let mut head = [0; 2048];
    let Some(n) = read(stream, &mut head)? else { return Ok(false) };
    if n == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut response = Vec::new();
    upgrade::respond(&head[..n], &mut response);
    out.room(response.len())[..response.len()].copy_from_slice(&response);
    out.advance(response.len());
    Ok(true)
}

pub(super) fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    mio_loop::serve::<Raw>(listener)
}
