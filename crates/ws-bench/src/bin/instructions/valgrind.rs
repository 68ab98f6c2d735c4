//! Counting with callgrind.

use std::io;
use std::process::Command;
use std::{env, str, thread};

use crate::operations::Operation;

const TUNABLES: &str =
    "glibc.cpu.x86_rep_movsb_threshold=0x7fffffff:glibc.cpu.x86_rep_stosb_threshold=0x7fffffff";

/// The instructions of one repetition.
pub(crate) fn instructions(operation: &Operation) -> io::Result<f64> {
    // Two rounds to warm up, and two to measure.
    let round = operation.round;
    let (less, more) = thread::scope(|scope| {
        let less = scope.spawn(|| count(operation, 2 * round));
        let more = count(operation, 4 * round);
        (less.join(), more)
    });
    let (less, more) = (less.map_err(|_| io::Error::other("the counting thread panicked"))??, more?);
    Ok((more - less) as f64 / (2 * round) as f64)
}

/// The instructions of a whole process.
fn count(operation: &Operation, repetitions: usize) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["--repeat", operation.name, &repetitions.to_string()])
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        // Each step of `rep movsb` would be counted as an instruction, which it is not in any real sense.
        .env("GLIBC_TUNABLES", TUNABLES)
        .output()?;
    let text = str::from_utf8(&output.stderr).unwrap_or_default();
    let collected = text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match collected {
        Some(collected) if output.status.success() => Ok(collected),
        _ => Err(io::Error::other(format!("valgrind does not count {}:\n{text}", operation.name))),
    }
}
