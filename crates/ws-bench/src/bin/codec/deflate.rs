//! The same with permessage-deflate: texts that look like JSON, with context takeover and without.

use std::rc::Rc;

use ws_bench::case::{ContextTakeover, DecodeCase, EncodeCase, Output, Reads, Role};
use ws_bench::deflate::{read_texts, texts, wire};
use ws_bench::payload::Content;
use ws_bench::peers::Contender;
use ws_bench::table::{Table, digits};

use super::{Bench, Contest, check_decoder, label};

const SIZES: [usize; 4] = [256, 1024, 16 << 10, 256 << 10];

impl Bench {
    pub(super) fn decode_compressed(&self, role: Role) -> Option<Table> {
        let cases = sizes().map(|(name, size, takeover)| {
            let reads = Reads::Cut(64 << 10);
            let deflate = Some(takeover);
            (name, DecodeCase { role, content: Content::Text, size, fragments: 1, reads, deflate })
        });
        let title = format!("decode as {}, permessage-deflate, reads of 64 KiB", role.name());
        self.table(&title, cases, |contender, case| {
            let (wire, messages) = wire(case);
            check_decoder(contender, case, wire.clone(), &messages)?;
            let mut decoder = (contender.decoder)(case, wire)?;
            let mut tally = Default::default();
            Some(Contest::new(1, move |units| decoder.decode(units, &mut tally)))
        })
    }

    pub(super) fn encode_compressed(&self, role: Role) -> Option<Table> {
        let title = format!("encode as {}, permessage-deflate", role.name());
        self.table(&title, encode_cases(role), |contender, case| {
            let messages = texts(case.content, case.size);
            compressed_size(contender, case, &messages)?;
            let mut encoder = (contender.encoder)(case, messages.concat().into(), Rc::default())?;
            Some(Contest::new(case.batch, move |units| encoder.encode(units)))
        })
    }

    /// What the encoders' time was spent for.
    pub(super) fn compressed_sizes(&self) -> Option<Table> {
        let title = "encoded with permessage-deflate, % of the message";
        let (mut names, mut rows) = (Vec::new(), Vec::new());
        for (name, case) in encode_cases(Role::Server) {
            if !self.options.wants_row(&format!("{title} {name}")) {
                continue;
            }
            let messages = texts(case.content, case.size);
            let sizes = self.contenders().into_iter().filter_map(|contender| {
                let size = compressed_size(contender, &case, &messages)?;
                Some((contender.name, digits(100.0 * size as f64 / messages.concat().len() as f64)))
            });
            let (contenders, sizes): (Vec<_>, Vec<_>) = sizes.unzip();
            names = contenders;
            rows.push([vec![name], sizes].concat());
        }
        let mut table = Table::new(title, ["%"].into_iter().chain(names));
        table.rows = rows;
        (!table.rows.is_empty()).then(|| {
            println!("{}", table.to_markdown());
            table
        })
    }
}

fn sizes() -> impl Iterator<Item = (String, usize, ContextTakeover)> {
    [ContextTakeover::With, ContextTakeover::Without].into_iter().flat_map(|takeover| {
        SIZES.map(|size| (format!("{}, {}", label(Content::Text, size), takeover.name()), size, takeover))
    })
}

fn encode_cases(role: Role) -> impl Iterator<Item = (String, EncodeCase)> {
    sizes().map(move |(name, size, takeover)| {
        let batch = (16 * 1024 / size).clamp(1, 16);
        (name, EncodeCase { role, content: Content::Text, size, batch, deflate: Some(takeover) })
    })
}

/// Whoever is measured has compressed all messages, twice around, into what inflates to them again; and how long that
/// is the first time.
fn compressed_size(contender: &Contender, case: &EncodeCase, messages: &[Vec<u8>]) -> Option<usize> {
    let output = Rc::new(Output::default());
    output.keeps.set(true);
    let mut encoder = (contender.encoder)(case, messages.concat().into(), Rc::clone(&output))?;
    encoder.encode(messages.len());
    let size = output.bytes.borrow().len();
    encoder.encode(messages.len());
    let (read, compressed) = read_texts(case.role, case.deflate?, &output.bytes.borrow());
    assert!(
        compressed == read.len()
            && read.len() == 2 * messages.len()
            && read.iter().eq(messages.iter().cycle().take(read.len())),
        "{} does not compress {case:?}",
        contender.name
    );
    Some(size)
}
