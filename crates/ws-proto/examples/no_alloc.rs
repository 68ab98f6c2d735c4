//! A server and a client that talk to each other through fixed arrays, without an allocator.
//!
//! ```text
//! cargo run -p ws-proto --example no_alloc
//! ```
//!
//! An example needs the standard library to be started and to print. To show that the protocol takes no memory from
//! it, this one installs an allocator that counts, and ends with an error if anything was allocated while the two
//! talked. That the crate does not even link an allocator is proved elsewhere, by a library that has none:
//! `tests/no-alloc-proof`.

// An allocator cannot be written without; this one adds counting to the system's and nothing else.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::System;

use ws_proto::{
    CloseCode, Config, Connection, Event, Instant, MaskKeys, Message, RecvBuf, Role, SendBuf, TransportAction,
};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator with the caller's own arguments and promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One end: the state, and the two arrays that it works in.
struct Peer {
    conn: Connection,
    rx: RecvBuf<[u8; 512]>,
    tx: SendBuf<[u8; 512]>,
}

impl Peer {
    fn new(role: Role) -> Self {
        Self {
            conn: Connection::new(role, Config::default(), Instant::ZERO),
            rx: RecvBuf::new([0; 512]),
            tx: SendBuf::new([0; 512]),
        }
    }

    /// Moves what this end has to say to the other, as a cable would.
    fn transmit_to(&mut self, other: &mut Self, now: Instant) {
        while let Some(mut transmit) = self.conn.poll_transmit(now, &mut self.tx) {
            let n = other.rx.extend_from_slice(transmit.slices()[0]);
            if n == 0 {
                break;
            }
            transmit.advance(n);
        }
    }
}

/// Sends `count` messages to an echo, and says how many came back as they went.
fn talk(count: u32) -> Result<u32, &'static str> {
    let mut client = Peer::new(Role::Client(MaskKeys::from_seed([7; 32]))); // a real seed is random
    let mut server = Peer::new(Role::Server);
    let now = Instant::ZERO; // firmware reads its tick counter here
    let mut payload = [0_u8; 100];
    let (mut sent, mut received, mut done) = (0, 0, false);
    while !done {
        if sent == received && sent < count {
            payload[..4].copy_from_slice(&sent.to_be_bytes());
            client
                .conn
                .send(&mut client.tx, Message::Binary(&payload))
                .map_err(|_| "the client cannot send")?;
            sent += 1;
        } else if received == count {
            let _ = client.conn.close(now, CloseCode::NORMAL, "that is all");
        }
        client.transmit_to(&mut server, now);
        while let Some(event) =
            server.conn.receive(now, &mut server.rx).map_err(|_| "the client broke a rule")?
        {
            if let Event::Data(message) = event {
                // The message lies in `rx`, where it was received; it is copied once, into `tx`.
                server.conn.send(&mut server.tx, message).map_err(|_| "the server cannot send")?;
            }
        }
        server.transmit_to(&mut client, now);
        while let Some(event) =
            client.conn.receive(now, &mut client.rx).map_err(|_| "the server broke a rule")?
        {
            match event {
                Event::Data(Message::Binary(echo)) if echo == payload => received += 1,
                Event::Close(frame) if frame.code == CloseCode::NORMAL => done = true,
                _ => return Err("the echo is not what was sent"),
            }
        }
    }
    // Both Close frames went their way; the server would now end the transport.
    if server.conn.transport_action(&server.tx) == TransportAction::ShutdownWrite && client.conn.is_clean() {
        Ok(received)
    } else {
        Err("the closing handshake is not complete")
    }
}

fn main() -> Result<(), &'static str> {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let echoed = talk(10_000)?;
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    println!("{echoed} messages went both ways with {allocations} allocations");
    println!("each end took {} bytes, all of them on the stack", size_of::<Peer>());
    match allocations {
        0 => Ok(()),
        // Where there is an allocator, a connection is smaller for having masking keys and waiting control frames there.
        _ if cfg!(feature = "alloc") => {
            Err("built with the feature `alloc`, so that something was allocated")
        }
        _ => Err("something was allocated"),
    }
}
