//! What the fuzz targets run: each a function that takes the fuzzer's bytes and panics if something does not hold.
//!
//! Nothing here knows the fuzzer. The binaries in `fuzz/fuzz_targets` hand it what libFuzzer makes up, and
//! `tests/tests/fuzz_corpus.rs` what lies in `fuzz/seeds`.
#![allow(clippy::expect_used, clippy::missing_panics_doc, clippy::panic, clippy::unwrap_used)]

mod alloc;
mod input;

pub mod deflate;
pub mod differential;
pub mod handshake;
pub mod header;
pub mod naive;
pub mod operations;
pub mod receive;
pub mod tokio_stream;

pub use alloc::{Counting, peak_of};
pub use input::{Cuts, Input, bit};

/// A target: its name, which is that of its binary and of its folder of seeds, and what it runs.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 7] = [
    ("deflate", deflate::run),
    ("differential", differential::run),
    ("handshake", handshake::run),
    ("header", header::run),
    ("operations", operations::run),
    ("receive", receive::run),
    ("tokio_stream", tokio_stream::run),
];
