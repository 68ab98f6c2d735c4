//! Decoding and encoding in memory, beside the peers.

mod deflate;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::rc::Rc;

use ws_bench::case::{DecodeCase, EncodeCase, Output, Reads, Role, Tally};
use ws_bench::deflate::{LEVEL, WIRE_LEVEL};
use ws_bench::measure::{Costs, Effort, Work, interleave};
use ws_bench::options::Options;
use ws_bench::payload::Content;
use ws_bench::peers::{CONTENDERS, Contender};
use ws_bench::table::{Table, digits, machine, size_name, write_region};
use ws_bench::wire::{Wire, read_frames};

const ABOUT: &str = "codec: decoding and encoding in memory, beside the peers";
const SIZES: [usize; 6] = [20, 125, 1024, 16 << 10, 256 << 10, 1 << 20];
const READS: [Reads; 3] = [Reads::Cut(64 << 10), Reads::Cut(4 << 10), Reads::Whole];

fn main() -> ExitCode {
    let options = match Options::from_args(ABOUT) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}; try --help");
            return ExitCode::FAILURE;
        }
    };
    let bench = Bench { effort: Effort::new(options.quick), options };
    let mut tables = Vec::new();
    for role in [Role::Server, Role::Client] {
        for reads in READS {
            tables.extend(bench.decode(role, reads));
        }
    }
    tables.extend(bench.decode_fragmented());
    for role in [Role::Server, Role::Client] {
        tables.extend(bench.encode(role));
    }
    for role in [Role::Server, Role::Client] {
        tables.extend(bench.decode_compressed(role));
        tables.extend(bench.encode_compressed(role));
    }
    tables.extend(bench.compressed_sizes());
    if bench.options.write_table {
        let effort = bench.effort;
        let notes = format!(
            "Million messages a second of CPU time: medians of {} interleaved slices of {} ms. Ratios are medians of the \
             ratios of the rounds; above 1 we are faster. Who has a * takes text that is none, and is not compared with. With permessage-deflate, all compress at level {LEVEL}, and \
             inflate what was compressed at level {WIRE_LEVEL}. Measured on {}.",
            effort.rounds,
            effort.slice.as_millis(),
            machine()
        );
        if let Err(error) = write_region("codec", &tables, &notes) {
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
    fn decode(&self, role: Role, reads: Reads) -> Option<Table> {
        let reads_name = match reads {
            Reads::Whole => "a message a read".to_owned(),
            Reads::Cut(size) => format!("reads of {} KiB", size >> 10),
        };
        let title = format!("decode as {}, {reads_name}", role.name());
        let cases = SIZES.iter().flat_map(|&size| {
            let contents = [Content::Binary, Content::Text, Content::Unicode];
            contents.map(|content| DecodeCase { role, content, size, fragments: 1, reads, deflate: None })
        });
        self.decode_table(&title, cases)
    }

    fn decode_fragmented(&self) -> Option<Table> {
        let cases = [1024, 16 << 10, 256 << 10].into_iter().flat_map(|size| {
            [Content::Binary, Content::Text].map(|content| DecodeCase {
                role: Role::Server,
                content,
                size,
                fragments: 8,
                reads: Reads::Cut(64 << 10),
                deflate: None,
            })
        });
        self.decode_table("decode as server, 8 fragments a message, reads of 64 KiB", cases)
    }

    fn decode_table(&self, title: &str, cases: impl Iterator<Item = DecodeCase>) -> Option<Table> {
        self.table(title, cases.map(|case| (label(case.content, case.size), case)), |contender, case| {
            let (wire, messages) = Wire::new(case);
            check_decoder(contender, case, wire.clone(), &messages)?;
            let does_less =
                contender.peer && case.content.is_text() && !refuses(contender, case, wire.spoiled());
            let mut decoder = (contender.decoder)(case, wire)?;
            let mut tally = Tally::default();
            Some(Contest { does_less, ..Contest::new(1, move |units| decoder.decode(units, &mut tally)) })
        })
    }

    fn encode(&self, role: Role) -> Option<Table> {
        let cases = SIZES.iter().flat_map(|&size| {
            [Content::Binary, Content::Text].map(|content| EncodeCase {
                role,
                content,
                size,
                // As many as make 16 KiB, at most 16.
                batch: (16 * 1024 / size).clamp(1, 16),
                deflate: None,
            })
        });
        let title = format!("encode as {}", role.name());
        self.table(&title, cases.map(|case| (label(case.content, case.size), case)), |contender, case| {
            let payload = case.content.payload(case.size, 7);
            check_encoder(contender, case, &payload)?;
            let mut encoder = (contender.encoder)(case, payload.into(), Rc::default())?;
            Some(Contest::new(case.batch, move |units| encoder.encode(units)))
        })
    }

    fn contenders(&self) -> Vec<&'static Contender> {
        let wanted = |contender: &&Contender| !contender.peer || self.options.wants_peer(contender.name);
        CONTENDERS.iter().filter(wanted).collect()
    }

    fn table<C>(
        &self,
        title: &str,
        cases: impl Iterator<Item = (String, C)>,
        contest: impl Fn(&Contender, &C) -> Option<Contest>,
    ) -> Option<Table> {
        let contenders = self.contenders();
        let mut rows = Vec::new();
        for (label, case) in cases {
            if !self.options.wants_row(&format!("{title} {label}")) {
                continue;
            }
            eprintln!("{title}: {label}");
            let (mut works, mut columns, mut step) = (Vec::new(), Vec::new(), 1);
            for (column, contender) in contenders.iter().enumerate() {
                if let Some(contest) = contest(contender, &case) {
                    works.push(contest.work);
                    columns.push((column, contest.does_less));
                    step = contest.step;
                }
            }
            let mut costs: Vec<Option<Cost>> = vec![None; contenders.len()];
            for ((column, does_less), costs_of) in
                columns.into_iter().zip(interleave(self.effort, step, &mut works))
            {
                costs[column] = Some(Cost { costs: costs_of, does_less });
            }
            rows.push((label, costs));
        }
        if rows.is_empty() {
            return None;
        }
        // Who takes no part in any of it has no column.
        let taking_part: Vec<_> = (0..contenders.len())
            .filter(|&column| rows.iter().any(|(_, costs)| costs[column].is_some()))
            .collect();
        let names = taking_part.iter().map(|&column| contenders[column].name);
        let mut table = Table::new(title, ["M/s"].into_iter().chain(names).chain(["/ limit", "/ best peer"]));
        for (label, costs) in rows {
            let mut row = vec![label];
            row.extend(
                taking_part.iter().map(|&column| costs[column].as_ref().map_or("–".into(), Cost::to_cell)),
            );
            row.extend(ratios(&contenders, &costs));
            table.rows.push(row);
        }
        println!("{}", table.to_markdown());
        Some(table)
    }
}

/// What one contender does in one row.
struct Contest {
    work: Work<'static>,
    /// Units come in multiples of this.
    step: usize,
    /// It leaves out a part of the work, and is not compared with.
    does_less: bool,
}

impl Contest {
    fn new(step: usize, work: impl FnMut(usize) + 'static) -> Self {
        Self { work: Box::new(work), step, does_less: false }
    }
}

/// What it came to.
#[derive(Clone, Debug)]
struct Cost {
    costs: Costs,
    does_less: bool,
}

impl Cost {
    fn to_cell(&self) -> String {
        let mark = if self.does_less { "*" } else { "" };
        format!("{}{mark}", digits(1e3 / self.costs.median()))
    }
}

fn label(content: Content, size: usize) -> String {
    format!("{} {}", content.name(), size_name(size))
}

/// Ours to the limit, and to the fastest peer. Ours is the faster of our ways.
fn ratios(contenders: &[&Contender], costs: &[Option<Cost>]) -> [String; 2] {
    let fastest = |wanted: fn(&Contender) -> bool| {
        let of_kind = contenders.iter().zip(costs).filter(|(contender, _)| wanted(contender));
        let measured = of_kind.filter_map(|(contender, cost)| {
            let cost = cost.as_ref().filter(|cost| !cost.does_less)?;
            Some((contender.name, &cost.costs))
        });
        measured.min_by(|a, b| a.1.median().total_cmp(&b.1.median()))
    };
    let Some((_, own)) = fastest(|contender| contender.name.starts_with("ws-proto")) else {
        return ["–".into(), "–".into()];
    };
    let to_limit = fastest(|contender| contender.name == "limit")
        .map_or("–".into(), |(_, limit)| digits(own.times_cheaper_than(limit)));
    let to_peer = fastest(|contender| contender.peer)
        .map_or("–".into(), |(name, peer)| format!("{} ({name})", digits(own.times_cheaper_than(peer))));
    [to_limit, to_peer]
}

/// Whoever is measured has decoded everything, twice around.
fn check_decoder(contender: &Contender, case: &DecodeCase, wire: Wire, messages: &[Vec<u8>]) -> Option<()> {
    let mut decoder = (contender.decoder)(case, wire)?;
    let mut tally = Tally::default();
    tally.kept = Some(Vec::new());
    decoder.decode(2 * messages.len(), &mut tally);
    let kept = tally.kept.unwrap_or_default();
    let text = case.content.is_text();
    let same = kept.len() == 2 * messages.len()
        && kept.iter().zip(messages.iter().cycle()).all(|(kept, sent)| kept.0 == text && kept.1 == *sent);
    assert!(same, "{} does not decode {case:?}", contender.name);
    Some(())
}

/// Whether a message that is no text is refused: by an error, with which a decoder here panics.
fn refuses(contender: &Contender, case: &DecodeCase, wire: Wire) -> bool {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let decoded = panic::catch_unwind(AssertUnwindSafe(|| {
        (contender.decoder)(case, wire).map(|mut decoder| decoder.decode(1, &mut Tally::default()))
    }));
    panic::set_hook(hook);
    decoded.is_err()
}

/// Whoever is measured has encoded the message; the first of the batch at least, for some mask it where it is.
fn check_encoder(contender: &Contender, case: &EncodeCase, payload: &[u8]) -> Option<()> {
    let output = Rc::new(Output::default());
    output.keeps.set(true);
    let mut encoder = (contender.encoder)(case, payload.to_vec().into(), Rc::clone(&output))?;
    encoder.encode(2 * case.batch);
    let frames = read_frames(&output.bytes.borrow());
    let first = if case.content.is_text() { 0x81 } else { 0x82 };
    let well_formed = frames.len() == 2 * case.batch
        && frames.iter().all(|frame| {
            frame.first == first
                && frame.masked == (case.role == Role::Client)
                && frame.payload.len() == payload.len()
        });
    assert!(well_formed && frames[0].payload == payload, "{} does not encode {case:?}", contender.name);
    Some(())
}
