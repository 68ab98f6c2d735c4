//! The arguments that all benchmarks have.

use lexopt::prelude::*;

/// How a benchmark is run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Less exact, and in a fraction of the time.
    pub quick: bool,
    /// Rows whose names contain all of these words.
    pub filters: Vec<String>,
    /// Contenders with these names only, ours and the limit aside.
    pub peers: Vec<String>,
    /// Put the result into `README.md`.
    pub write_table: bool,
}

impl Options {
    /// Reads the arguments; `about` is printed with `--help`.
    ///
    /// # Errors
    ///
    /// If there is one that is not known.
    pub fn from_args(about: &str) -> Result<Self, lexopt::Error> {
        let mut options = Self::default();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("quick") => options.quick = true,
                Long("write-table") => options.write_table = true,
                Long("filter") => options.filters.push(parser.value()?.string()?),
                Long("peer") => options.peers.push(parser.value()?.string()?),
                Long("help") => {
                    println!("{about}\n\n{HELP}");
                    std::process::exit(0);
                }
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(options)
    }

    /// Whether the row is wanted.
    pub fn wants_row(&self, name: &str) -> bool {
        self.filters.iter().flat_map(|filter| filter.split(' ')).all(|word| name.contains(word))
    }

    /// Whether the contender is wanted.
    pub fn wants_peer(&self, name: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|peer| peer == name)
    }
}

const HELP: &str = "  --quick          less exact, and in a fraction of the time
  --filter WORDS   only rows whose names contain all the words
  --peer NAME      only this peer beside ours and the limit; may be repeated
  --write-table    put the result into crates/ws-bench/README.md";
