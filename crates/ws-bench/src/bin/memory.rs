//! What an idle connection costs a server in memory, before and after it had traffic.

use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use ws_bench::load::{Generator, Load, ServerProcess, Traffic};
use ws_bench::options::Options;
use ws_bench::server::{EventLoop, STACKS, Stack, bind_to_core};
use ws_bench::table::{Table, machine, write_region};

const ABOUT: &str = "memory: what idle connections cost a server, before and after traffic";

fn main() -> ExitCode {
    let run = Options::from_args(ABOUT).map_err(io::Error::other).and_then(run);
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> io::Result<()> {
    bind_to_core(1)?;
    let connections = if options.quick { 2_000 } else { 10_000 };
    let title = format!("bytes a connection, {connections} idle ones");
    let head = [
        "stack",
        "heap, before",
        "heap, after",
        "over raw, before",
        "over raw, after",
        "resident, before",
        "resident, after",
    ];
    let mut table = Table::new(title, head);
    let mut raw: Vec<(EventLoop, Footprint)> = Vec::new();
    for stack in STACKS {
        if !options.wants_row(stack.name) && !stack.raw || stack.peer && !options.wants_peer(stack.name) {
            continue;
        }
        eprintln!("{}", stack.name);
        let found = measure(stack, connections)?;
        if stack.raw {
            raw.push((stack.event_loop, found.clone()));
        }
        let limit = raw.iter().find(|(event_loop, _)| *event_loop == stack.event_loop);
        let over =
            |of: fn(&Footprint) -> i64| limit.map_or(0, |(_, limit)| of(&found) - of(limit)).to_string();
        table.rows.push(vec![
            stack.name.to_owned(),
            found.heap_before.to_string(),
            found.heap_after.to_string(),
            over(|found| found.heap_before),
            over(|found| found.heap_after),
            found.resident_before.to_string(),
            found.resident_after.to_string(),
        ]);
    }
    println!("{}", table.to_markdown());
    if options.write_table {
        let notes = format!(
            "`heap` is what the server's allocator has given out, `resident` the anonymous memory of the process. After: each \
             connection has echoed 16 messages of 1 KiB at once, and is idle again for 2 seconds. Measured on {}.",
            machine()
        );
        write_region("memory", &[table], &notes)?;
    }
    Ok(())
}

/// Bytes a connection.
#[derive(Clone, Debug)]
struct Footprint {
    heap_before: i64,
    heap_after: i64,
    resident_before: i64,
    resident_after: i64,
}

fn measure(stack: &Stack, connections: usize) -> io::Result<Footprint> {
    let named = |error: io::Error| io::Error::other(format!("{}: {error}", stack.name));
    let mut server = ServerProcess::start("memory-server", stack)?;
    let load = Load::new(&Traffic { connections, size: 1024, in_flight: 16 }, stack.raw);
    // What is there once and for all is there after the first connection.
    let mut first = Generator::connect(server.port(), 1, load.clone()).map_err(named)?;
    first.check().map_err(named)?;
    thread::sleep(SETTLE);
    let (heap, resident) = (server.heap()?, server.resident()?);
    let mut generator = Generator::connect(server.port(), connections, load).map_err(named)?;
    thread::sleep(SETTLE);
    let (heap_before, resident_before) = (server.heap()?, server.resident()?);
    generator.check().map_err(named)?;
    thread::sleep(SETTLE);
    let (heap_after, resident_after) = (server.heap()?, server.resident()?);
    let each = |now: u64, then: u64| (now as i64 - then as i64) / connections as i64;
    Ok(Footprint {
        heap_before: each(heap_before, heap),
        heap_after: each(heap_after, heap),
        resident_before: each(resident_before, resident),
        resident_after: each(resident_after, resident),
    })
}

/// Time for a server to come to rest.
const SETTLE: Duration = Duration::from_secs(2);
