//! Echo servers, one for each stack, each a process of its own on one core and with one thread that works.
//!
//! A second thread waits for commands on the standard input: `cpu` is answered with the CPU time of the process in
//! nanoseconds, `heap` with the bytes on its heap, and the end of the input ends the process.

mod mio_loop;
mod nexus_mio;
mod raw_mio;
mod tokio_stacks;
mod ws_mio;

use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::exit;
use std::thread;

use rustix::time::{ClockId, clock_gettime};

/// An echo server.
#[derive(Clone, Copy)]
pub struct Stack {
    /// The name in the tables.
    pub name: &'static str,
    /// Which event loop it is for.
    pub event_loop: EventLoop,
    /// Whether it is neither ours nor raw.
    pub peer: bool,
    /// Whether it echoes bytes instead of messages: masked frames come back masked.
    pub raw: bool,
    serve: fn(TcpListener) -> io::Result<()>,
}

/// An event loop, and with it the limit that a stack is compared with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventLoop {
    /// mio, used directly.
    Mio,
    /// tokio, with one thread.
    Tokio,
}

const fn stack(
    name: &'static str,
    event_loop: EventLoop,
    peer: bool,
    serve: fn(TcpListener) -> io::Result<()>,
) -> Stack {
    Stack { name, event_loop, peer, raw: false, serve }
}

/// All of them, in the order of the tables.
pub const STACKS: &[Stack] = &[
    Stack { raw: true, ..stack("raw mio", EventLoop::Mio, false, raw_mio::serve) },
    stack("ws-mio", EventLoop::Mio, false, ws_mio::serve),
    stack("nexus-web + mio", EventLoop::Mio, true, nexus_mio::serve),
    Stack { raw: true, ..stack("raw tokio", EventLoop::Tokio, false, tokio_stacks::raw) },
    stack("ws-tokio", EventLoop::Tokio, false, tokio_stacks::ws_tokio),
    stack("tokio-tungstenite", EventLoop::Tokio, true, tokio_stacks::tokio_tungstenite),
    stack("fastwebsockets", EventLoop::Tokio, true, tokio_stacks::fastwebsockets),
    stack("tokio-websockets", EventLoop::Tokio, true, tokio_stacks::tokio_websockets),
    stack("yawc", EventLoop::Tokio, true, tokio_stacks::yawc),
    #[cfg(feature = "wtx")]
    stack("wtx", EventLoop::Tokio, true, tokio_stacks::wtx),
    stack("sockudo-ws", EventLoop::Tokio, true, tokio_stacks::sockudo_ws),
];

/// Larger than any message that is measured.
const MAX_MESSAGE: usize = 16 << 20;

/// What a mio server reads at once.
const READ_SIZE: usize = 64 << 10;

/// Runs the stack that the first argument names, and says on the standard output at which port.
///
/// # Errors
///
/// If there is no such stack, or the loop fails.
pub fn run(heap: fn() -> usize) -> io::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let stack = STACKS.iter().find(|stack| stack.name == name);
    let stack = stack.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no stack {name:?}")))?;
    bind_to_core(0)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?.port());
    thread::spawn(move || answer_commands(heap));
    (stack.serve)(listener)
}

/// Binds the calling thread, and those that it will start, to a core.
///
/// # Errors
///
/// If there is no such core.
pub fn bind_to_core(core: usize) -> io::Result<()> {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    Ok(rustix::thread::sched_setaffinity(None, &cores)?)
}

fn answer_commands(heap: fn() -> usize) {
    for line in io::stdin().lock().lines() {
        let answer = match line.as_deref() {
            Ok("cpu") => {
                let time = clock_gettime(ClockId::ProcessCPUTime);
                time.tv_sec as u128 * 1_000_000_000 + time.tv_nsec as u128
            }
            Ok("heap") => heap() as u128,
            _ => break,
        };
        let mut out = io::stdout();
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    exit(0);
}
