//! Echo servers over loopback, each a process on one core, with the load from another.

mod system_calls;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use ws_bench::load::{Generator, Load, Result as Run, ServerProcess, Traffic};
use ws_bench::measure::Costs;
use ws_bench::options::Options;
use ws_bench::server::{EventLoop, STACKS, Stack, bind_to_core};
use ws_bench::table::{Table, digits, machine, size_name, write_region};

const ABOUT: &str = "echo: echo servers over loopback, beside the peers";

const fn traffic(connections: usize, size: usize, in_flight: usize) -> Traffic {
    Traffic { connections, size, in_flight }
}

const TRAFFIC: [Traffic; 12] = [
    traffic(1, 20, 1),
    traffic(50, 20, 1),
    traffic(50, 20, 16),
    traffic(50, 20, 64),
    traffic(50, 125, 16),
    traffic(50, 1024, 1),
    traffic(50, 1024, 16),
    traffic(50, 16 << 10, 16),
    traffic(10, 1 << 20, 1),
    traffic(1000, 20, 1),
    traffic(5000, 20, 1),
    traffic(10_000, 20, 1),
];

/// Of these, latencies and system calls are of interest too.
const CLOSER: [Traffic; 4] =
    [traffic(50, 20, 1), traffic(50, 20, 16), traffic(50, 16 << 10, 16), traffic(1000, 20, 1)];

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
    let stacks: Vec<_> =
        STACKS.iter().filter(|stack| !stack.peer || options.wants_peer(stack.name)).copied().collect();
    let (rounds, duration) =
        if options.quick { (2, Duration::from_millis(60)) } else { (5, Duration::from_millis(250)) };
    let mut servers = stacks
        .iter()
        .map(|stack| Ok((*stack, ServerProcess::start("server", stack)?)))
        .collect::<io::Result<Vec<_>>>()?;

    let names = || stacks.iter().map(|stack| stack.name);
    let ratios = ["ws-mio / raw", "ws-tokio / raw", "ws-mio / best peer", "ws-tokio / best peer"];
    let mut cpu = Table::new(
        "server CPU a message, µs",
        ["connections × size × in flight"].into_iter().chain(names()).chain(ratios),
    );
    let mut latency = Table::new(
        "time until a batch is back, µs: median / 99 % / 99.9 %",
        ["connections × size × in flight"].into_iter().chain(names()),
    );
    let mut calls = Table::new(
        "system calls of the server a message",
        ["connections × size × in flight"].into_iter().chain(names()),
    );
    for traffic in TRAFFIC {
        let label = label(&traffic);
        if !options.wants_row(&label) {
            continue;
        }
        eprintln!("{label}");
        let mut costs = vec![Vec::new(); servers.len()];
        let mut latencies: Vec<Option<Run>> = servers.iter().map(|_| None).collect();
        for round in 0..rounds {
            for turn in 0..servers.len() {
                let index = (turn + round) % stacks.len();
                let (stack, server) = &mut servers[index];
                let (cost, run) = measure(stack, server, &traffic, duration)?;
                costs[index].push(cost);
                match &mut latencies[index] {
                    Some(all) => all.latency += run.latency,
                    none => *none = Some(run),
                }
            }
        }
        let costs: Vec<_> = costs.into_iter().map(Costs::from_rounds).collect();
        let mut row = vec![label.clone()];
        row.extend(costs.iter().map(|cost| digits(cost.median())));
        row.extend(compare(&stacks, &costs));
        cpu.rows.push(row);
        if CLOSER.contains(&traffic) {
            let mut row = vec![label.clone()];
            row.extend(latencies.iter().flatten().map(|run| {
                let quantile = |at| digits(run.latency.value_at_quantile(at) as f64 / 1e3);
                format!("{} / {} / {}", quantile(0.5), quantile(0.99), quantile(0.999))
            }));
            latency.rows.push(row);
            let mut row = vec![label];
            for (stack, server) in &mut servers {
                row.push(system_calls::a_message(stack, server, &traffic)?.map_or("–".into(), digits));
            }
            calls.rows.push(row);
        }
    }
    let tables: Vec<_> = [cpu, latency, calls].into_iter().filter(|table| !table.rows.is_empty()).collect();
    tables.iter().for_each(|table| println!("{}", table.to_markdown()));
    if options.write_table {
        let notes = format!(
            "Medians of {rounds} interleaved rounds of {} ms; ratios are medians of the rounds' ratios, below 1 we take less. \
             Measured on {}.",
            duration.as_millis(),
            machine()
        );
        write_region("echo", &tables, &notes)?;
    }
    Ok(())
}

/// Microseconds of the server's CPU time a message.
fn measure(
    stack: &Stack,
    server: &mut ServerProcess,
    traffic: &Traffic,
    duration: Duration,
) -> io::Result<(f64, Run)> {
    let named = |error: io::Error| io::Error::other(format!("{}: {error}", stack.name));
    let load = Load::new(traffic, stack.raw);
    let mut generator = Generator::connect(server.port(), traffic.connections, load).map_err(named)?;
    generator.check().map_err(named)?;
    generator.run(duration / 8).map_err(named)?;
    let before = server.cpu()?;
    let run = generator.run(duration).map_err(named)?;
    let used = server.cpu()? - before;
    Ok((used.as_secs_f64() * 1e6 / run.messages as f64, run))
}

fn compare(stacks: &[Stack], costs: &[Costs]) -> [String; 4] {
    let of = |name: &str| stacks.iter().position(|stack| stack.name == name).map(|index| &costs[index]);
    let ratio = |own: &str, other: Option<&Costs>| match (of(own), other) {
        (Some(own), Some(other)) => digits(1.0 / own.times_cheaper_than(other)),
        _ => "–".into(),
    };
    let best_peer = |event_loop: EventLoop| {
        let peers =
            stacks.iter().zip(costs).filter(|(stack, _)| stack.peer && stack.event_loop == event_loop);
        peers.min_by(|a, b| a.1.median().total_cmp(&b.1.median()))
    };
    let to_best = |own: &str, event_loop| {
        let best = best_peer(event_loop);
        let name = best.map_or("none", |(stack, _)| stack.name);
        format!("{} ({name})", ratio(own, best.map(|(_, cost)| cost)))
    };
    [
        ratio("ws-mio", of("raw mio")),
        ratio("ws-tokio", of("raw tokio")),
        to_best("ws-mio", EventLoop::Mio),
        to_best("ws-tokio", EventLoop::Tokio),
    ]
}

fn label(traffic: &Traffic) -> String {
    format!("{} × {} × {}", traffic.connections, size_name(traffic.size), traffic.in_flight)
}
