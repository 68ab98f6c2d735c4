//! Libraries for DEFLATE beside each other, as a WebSocket uses them: raw, flushed after each message, with context
//! takeover and without. What the core's choice of one rests on.

use std::process::ExitCode;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush};
use ws_bench::measure::{Costs, Effort, Work, interleave};
use ws_bench::options::Options;
use ws_bench::table::{Table, digits, machine, size_name, write_region};

const ABOUT: &str = "deflate-libraries: compressing and inflating with the libraries there are";
const SIZES: [usize; 4] = [64, 256, 1024, 64 << 10];
/// How many bytes of messages there are before they come again.
const CORPUS: usize = 256 << 10;

/// A library's two states. Each call is a whole message.
trait Codec {
    const NAME: &'static str;
    fn new(level: u8) -> Self;
    /// Compresses a message, and says to how many bytes.
    fn deflate(&mut self, message: &[u8], out: &mut [u8], takeover: bool) -> usize;
    /// Inflates what was compressed.
    fn inflate(&mut self, message: &[u8], out: &mut [u8], takeover: bool) -> usize;
}

struct ZlibRs(zlib_rs::Deflate, zlib_rs::Inflate);

impl Codec for ZlibRs {
    const NAME: &'static str = "zlib-rs";

    fn new(level: u8) -> Self {
        Self(zlib_rs::Deflate::new(i32::from(level), false, 15), zlib_rs::Inflate::new(false, 15))
    }

    fn deflate(&mut self, message: &[u8], out: &mut [u8], takeover: bool) -> usize {
        if !takeover {
            self.0.reset();
        }
        let before = self.0.total_out();
        self.0.compress(message, out, zlib_rs::DeflateFlush::SyncFlush).expect("there is room");
        (self.0.total_out() - before) as usize
    }

    fn inflate(&mut self, message: &[u8], out: &mut [u8], takeover: bool) -> usize {
        if !takeover {
            self.1.reset(false);
        }
        let before = self.1.total_out();
        self.1.decompress(message, out, zlib_rs::InflateFlush::SyncFlush).expect("it was compressed before");
        (self.1.total_out() - before) as usize
    }
}

/// The C library, through flate2.
struct Zlib(Compress, Decompress);

impl Codec for Zlib {
    const NAME: &'static str = "zlib (C)";

    fn new(level: u8) -> Self {
        Self(Compress::new(Compression::new(level.into()), false), Decompress::new(false))
    }

    fn deflate(&mut self, message: &[u8], out: &mut [u8], takeover: bool) -> usize {
        if !takeover {
            self.0.reset();
        }
        let before = self.0.total_out();
        self.0.compress(message, out, FlushCompress::Sync).expect("there is room");
        (self.0.total_out() - before) as usize
    }

    fn inflate(&mut self, message: &[u8], out: &mut [u8], takeover: bool) -> usize {
        if !takeover {
            self.1.reset(false);
        }
        let before = self.1.total_out();
        self.1.decompress(message, out, FlushDecompress::Sync).expect("it was compressed before");
        (self.1.total_out() - before) as usize
    }
}

struct Miniz(Box<CompressorOxide>, Box<InflateState>);

impl Codec for Miniz {
    const NAME: &'static str = "miniz_oxide";

    fn new(level: u8) -> Self {
        let flags = create_comp_flags_from_zip_params(level.into(), -15, 0);
        Self(Box::new(CompressorOxide::new(flags)), InflateState::new_boxed(DataFormat::Raw))
    }

    fn deflate(&mut self, message: &[u8], out: &mut [u8], takeover: bool) -> usize {
        if !takeover {
            self.0.reset();
        }
        miniz_oxide::deflate::stream::deflate(&mut self.0, message, out, MZFlush::Sync).bytes_written
    }

    fn inflate(&mut self, message: &[u8], out: &mut [u8], takeover: bool) -> usize {
        if !takeover {
            self.1.reset(DataFormat::Raw);
        }
        inflate(&mut self.1, message, out, MZFlush::Sync).bytes_written
    }
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
    let mut tables = Vec::new();
    for level in [1, 6] {
        let head = ["", ZlibRs::NAME, Zlib::NAME, Miniz::NAME, "sizes", "zlib-rs / best other"];
        let mut table = Table::new(format!("deflate, level {level}"), head);
        for (deflating, takeover) in [(true, true), (true, false), (false, true), (false, false)] {
            for size in SIZES {
                let what = if deflating { "compress" } else { "inflate" };
                let how = if takeover { "with takeover" } else { "without takeover" };
                let name = format!("{what} {}, {how}", size_name(size));
                if options.wants_row(&name) {
                    table.rows.push(row(name, effort, level, size, deflating, takeover));
                }
            }
        }
        println!("{}", table.to_markdown());
        tables.push(table);
    }
    if options.write_table {
        let notes = format!("MB a second of CPU time, as ratios of one run. Measured on {}.", machine());
        if let Err(error) = write_region("deflate-libraries", &tables, &notes) {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn row(name: String, effort: Effort, level: u8, size: usize, deflating: bool, takeover: bool) -> Vec<String> {
    let messages: Vec<Vec<u8>> = json(CORPUS).chunks_exact(size).map(<[u8]>::to_vec).collect();
    let (zlib_rs, a) = contender::<ZlibRs>(&messages, level, deflating, takeover);
    let (zlib, b) = contender::<Zlib>(&messages, level, deflating, takeover);
    let (miniz, c) = contender::<Miniz>(&messages, level, deflating, takeover);
    let costs = interleave(effort, messages.len(), &mut [zlib_rs, zlib, miniz]);
    let [ours, zlib, miniz] = &costs[..] else { unreachable!("three of them") };
    let speed = |costs: &Costs| digits(size as f64 * 1e3 / costs.median());
    let best = if zlib.median() < miniz.median() { zlib } else { miniz };
    let ratio = digits(ours.times_cheaper_than(best));
    vec![name, speed(ours), speed(zlib), speed(miniz), format!("{a} % {b} % {c} %"), ratio]
}

/// The work of one library, and to what it compresses, in percent.
fn contender<C: Codec + 'static>(
    messages: &[Vec<u8>],
    level: u8,
    deflating: bool,
    takeover: bool,
) -> (Work<'static>, usize) {
    let mut codec = C::new(level);
    let mut out = vec![0; 2 * messages[0].len() + 64];
    let mut deflate = |message: &Vec<u8>| {
        let size = codec.deflate(message, &mut out, takeover);
        out[..size].to_vec()
    };
    let compressed: Vec<Vec<u8>> = messages.iter().map(&mut deflate).collect();
    let sizes: usize = compressed.iter().map(Vec::len).sum();
    let percent = 100 * sizes / messages.concat().len();
    let (messages, mut next) = (messages.to_vec(), 0);
    let mut codec = C::new(level);
    let work = move |units: usize| {
        for _ in 0..units {
            if deflating {
                codec.deflate(&messages[next], &mut out, takeover);
            } else {
                // The first refers to nothing before it, so the round can begin anew.
                let size = codec.inflate(&compressed[next], &mut out, takeover && next > 0);
                assert_eq!(size, messages[next].len());
            }
            next = (next + 1) % messages.len();
        }
    };
    (Box::new(work), percent)
}

/// Objects that are alike, as messages are.
fn json(len: usize) -> Vec<u8> {
    let mut state = 12_345_u64;
    let mut text = String::new();
    while text.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = |shift: u32, below: u64| (state >> shift) % below;
        let status = ["open", "closed", "pending"][number(50, 3) as usize];
        text += &format!(
            "{{\"id\":{},\"user\":\"user{}\",\"price\":{}.{:02},\"status\":\"{status}\",\"ts\":\"2026-11-27T22:{:02}:{:02}Z\"}},",
            number(40, 1 << 24),
            number(20, 1000),
            number(30, 5000),
            number(12, 100),
            number(33, 60),
            number(44, 60)
        );
    }
    text.truncate(len);
    text.into_bytes()
}
