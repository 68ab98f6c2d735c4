//! One message to 10,000 connections: referenced where that can be done, copied to each where not.

use std::process::ExitCode;
use std::rc::Rc;

use bytes::Bytes;
use ws_bench::case::{Encode, EncodeCase, Output, Role};
use ws_bench::measure::{Costs, Effort, Work, interleave};
use ws_bench::options::Options;
use ws_bench::payload::Content;
use ws_bench::peers::CONTENDERS;
use ws_bench::table::{Table, digits, machine, size_name, write_region};
use ws_bench::wire::push_frame;

const ABOUT: &str = "broadcast: one message to 10,000 connections";
const CONNECTIONS: usize = 10_000;
const SIZES: [usize; 3] = [125, 1200, 16 << 10];

fn main() -> ExitCode {
    let options = match Options::from_args(ABOUT) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}; try --help");
            return ExitCode::FAILURE;
        }
    };
    let effort = Effort::new(options.quick);
    let contenders: Vec<_> =
        CONTENDERS.iter().filter(|contender| !contender.peer || options.wants_peer(contender.name)).collect();
    let names = contenders.iter().map(|contender| match contender.name {
        "limit" => "frame copied to each",
        "ws-proto" => "ws-proto, `send` in a loop",
        "ws-proto, owned" => "ws-proto, `send_owned`",
        name => name,
    });
    let head =
        ["ns a connection", "one frame for all"].into_iter().chain(names).chain(["loop / `send_owned`"]);
    let mut table = Table::new(format!("binary message to {CONNECTIONS} connections of a server"), head);
    for size in SIZES {
        if !options.wants_row(&size_name(size)) {
            continue;
        }
        eprintln!("{}", size_name(size));
        let case = EncodeCase { role: Role::Server, content: Content::Binary, size, batch: 1, deflate: None };
        let payload = Bytes::from(case.content.payload(size, 7));
        let mut works = vec![one_frame(&payload)];
        let mut columns = vec![None; contenders.len()];
        for (contender, column) in contenders.iter().zip(&mut columns) {
            let connections = (0..CONNECTIONS)
                .map(|_| (contender.encoder)(&case, payload.clone(), Rc::default()))
                .collect::<Option<Vec<_>>>();
            if let Some(connections) = connections {
                *column = Some(works.len());
                works.push(to_all(connections));
            }
        }
        // Always to all of them.
        let costs = interleave(effort, CONNECTIONS, &mut works);
        let of = |name: &str| -> Option<&Costs> {
            let index = contenders.iter().position(|contender| contender.name == name)?;
            costs.get(columns[index]?)
        };
        let mut row = vec![size_name(size), digits(costs[0].median())];
        row.extend(
            columns.iter().map(|column| column.map_or("–".into(), |column| digits(costs[column].median()))),
        );
        row.push(match (of("ws-proto"), of("ws-proto, owned")) {
            (Some(copied), Some(owned)) => digits(owned.times_cheaper_than(copied)),
            _ => "–".into(),
        });
        table.rows.push(row);
    }
    println!("{}", table.to_markdown());
    if options.write_table {
        let notes = format!(
            "Nanoseconds of CPU time a connection, medians of {} interleaved rounds. Measured on {}.",
            effort.rounds,
            machine()
        );
        if let Err(error) = write_region("broadcast", &[table], &notes) {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn to_all(mut connections: Vec<Box<dyn Encode>>) -> Work<'static> {
    Box::new(move |units| {
        for _ in 0..units / CONNECTIONS {
            connections.iter_mut().for_each(|connection| connection.encode(1));
        }
    })
}

/// The limit: no connection knows anything of it.
fn one_frame(payload: &Bytes) -> Work<'static> {
    let payload = payload.clone();
    let outputs: Vec<_> = (0..CONNECTIONS).map(|_| Output::default()).collect();
    Box::new(move |units| {
        for _ in 0..units / CONNECTIONS {
            let mut frame = Vec::with_capacity(payload.len() + 10);
            push_frame(&mut frame, 0x82, None, &payload);
            outputs.iter().for_each(|output| output.take(&frame));
        }
    })
}
