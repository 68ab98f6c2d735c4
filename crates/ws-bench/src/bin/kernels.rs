//! Masking and UTF-8 validation, alone and together.
//!
//! The core's own are private. What they cost is told by differences: a server that receives binary messages unmasks, a
//! client does not; a client that receives text validates, and a server that does, both.

use std::hint::black_box;
use std::process::ExitCode;

use ws_bench::case::{DecodeCase, Reads, Role, Tally};
use ws_bench::measure::{Costs, Effort, Work, interleave};
use ws_bench::options::Options;
use ws_bench::payload::Content;
use ws_bench::peers::{CONTENDERS, apply_mask};
use ws_bench::table::{Table, digits, machine, size_name, write_region};
use ws_bench::wire::Wire;

const ABOUT: &str = "kernels: masking and UTF-8 validation";
const SIZES: [usize; 7] = [4, 16, 125, 1024, 16 << 10, 256 << 10, 16 << 20];
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const OURS: &str = "ws-proto (by difference)";

type Kernel = (&'static str, fn(&mut [u8]));

const MASKS: [Kernel; 5] = [
    ("byte by byte", |payload| {
        payload.iter_mut().zip(KEY.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    }),
    ("widest vectors", |payload| apply_mask(payload, KEY)),
    ("nexus-web", |payload| nexus_web::ws::apply_mask(payload, KEY)),
    ("fastwebsockets", |payload| fastwebsockets_unmask(payload)),
    ("sockudo-ws", |payload| sockudo_ws::simd::apply_mask(payload, KEY)),
];

const VALIDATIONS: [Kernel; 2] = [
    ("core", |payload| {
        let _ = black_box(std::str::from_utf8(payload).is_ok());
    }),
    ("simdutf8", |payload| {
        let _ = black_box(simdutf8::basic::from_utf8(payload).is_ok());
    }),
];

const BOTH: [Kernel; 2] = [
    ("widest vectors, then core", |payload| {
        apply_mask(payload, [0; 4]);
        let _ = black_box(std::str::from_utf8(payload).is_ok());
    }),
    ("widest vectors, then simdutf8", |payload| {
        apply_mask(payload, [0; 4]);
        let _ = black_box(simdutf8::basic::from_utf8(payload).is_ok());
    }),
];

fn fastwebsockets_unmask(payload: &mut [u8]) {
    // Its kernel is private as well; a frame that owns the payload is the way to it.
    let mut frame = fastwebsockets::Frame::new(
        true,
        fastwebsockets::OpCode::Binary,
        Some(KEY),
        fastwebsockets::Payload::BorrowedMut(payload),
    );
    frame.unmask();
}

fn main() -> ExitCode {
    let options = match Options::from_args(ABOUT) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}; try --help");
            return ExitCode::FAILURE;
        }
    };
    let effort = Effort::new(options.quick);
    let bench = Bench { effort, options };
    let server = |content| (Role::Server, content);
    let client = |content| (Role::Client, content);
    let tables: Vec<_> = [
        bench.table("masking", &MASKS, Content::Binary, server(Content::Binary), client(Content::Binary)),
        bench.table("UTF-8", &VALIDATIONS, Content::Text, client(Content::Text), client(Content::Binary)),
        bench.table(
            "UTF-8",
            &VALIDATIONS,
            Content::Unicode,
            client(Content::Unicode),
            client(Content::Binary),
        ),
        bench.table(
            "masking and UTF-8",
            &BOTH,
            Content::Text,
            server(Content::Text),
            client(Content::Binary),
        ),
        bench.table(
            "masking and UTF-8",
            &BOTH,
            Content::Unicode,
            server(Content::Unicode),
            client(Content::Binary),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    if bench.options.write_table {
        let notes = format!(
            "GB a second of CPU time, {} rounds of {} ms. Measured on {}.",
            effort.rounds,
            effort.slice.as_millis(),
            machine()
        );
        if let Err(error) = write_region("kernels", &tables, &notes) {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

struct Bench {
    effort: Effort,
    options: Options,
}

impl Bench {
    fn table(
        &self,
        title: &str,
        kernels: &[Kernel],
        content: Content,
        with: (Role, Content),
        without: (Role, Content),
    ) -> Option<Table> {
        let title = format!("{title}, {}", content.name());
        let names = kernels.iter().map(|(name, _)| *name);
        let mut table = Table::new(&title, ["GB/s"].into_iter().chain(names).chain([OURS, "/ best"]));
        for size in SIZES {
            let label = size_name(size);
            if !self.options.wants_row(&format!("{title} {label}")) {
                continue;
            }
            eprintln!("{title}: {label}");
            let mut works: Vec<_> = kernels.iter().map(|(_, kernel)| alone(*kernel, content, size)).collect();
            works.push(receiving(with, size));
            works.push(receiving(without, size));
            let mut costs = interleave(self.effort, 1, &mut works);
            let (Some(without), Some(with)) = (costs.pop(), costs.pop()) else { continue };
            let own = with.minus(&without);
            // A difference of a few bytes can be less than the noise.
            let known =
                |cost: &Costs, figure: f64| if cost.median() > 0.0 { digits(figure) } else { "–".into() };
            let speed = |cost: &Costs| known(cost, size as f64 / cost.median());
            let best = costs.iter().min_by(|a, b| a.median().total_cmp(&b.median()))?;
            let mut row = vec![label];
            row.extend(costs.iter().chain([&own]).map(speed));
            row.push(known(&own, own.times_cheaper_than(best)));
            table.rows.push(row);
        }
        if table.rows.is_empty() {
            return None;
        }
        println!("{}", table.to_markdown());
        Some(table)
    }
}

fn alone(kernel: fn(&mut [u8]), content: Content, size: usize) -> Work<'static> {
    let mut payload = content.payload(size, 7);
    Box::new(move |units| {
        for _ in 0..units {
            kernel(black_box(&mut payload));
        }
    })
}

/// A message a read, so that the payload lies where it was received and never moves.
fn receiving((role, content): (Role, Content), size: usize) -> Work<'static> {
    let case = DecodeCase { role, content, size, fragments: 1, reads: Reads::Whole, deflate: None };
    let (wire, _) = Wire::new(&case);
    let ours = CONTENDERS.iter().find(|contender| contender.name == "ws-proto");
    let Some(mut decoder) = ours.and_then(|contender| (contender.decoder)(&case, wire)) else {
        return Box::new(|_| {});
    };
    let mut tally = Tally::default();
    Box::new(move |units| decoder.decode(units, &mut tally))
}
