//! Runs a target on files, without a fuzzer and on any toolchain: what a crash leaves is looked at with this.
//!
//! `cargo run -p ws-fuzz-targets --example replay -- receive fuzz/artifacts/receive/crash-...`

use std::process::ExitCode;

use ws_fuzz_targets::{Counting, TARGETS};

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let Some((_, run)) = TARGETS.iter().find(|(target, _)| *target == name) else {
        eprintln!("no target {name:?}; there are {:?}", TARGETS.map(|(target, _)| target));
        return ExitCode::FAILURE;
    };
    for file in args {
        match std::fs::read(&file) {
            Ok(bytes) => {
                eprintln!("{file}: {} bytes", bytes.len());
                run(&bytes);
            }
            Err(error) => {
                eprintln!("{file}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
