//! How many instructions the core takes for this and that: the same on each run, and so fit for CI.
//!
//! Each operation is run twice under valgrind's callgrind, in a process of its own, with a different number of
//! repetitions. The difference is what the repetitions cost, without start, setting up and the first growth of buffers.

mod baseline;
mod operations;
mod valgrind;

use std::process::ExitCode;

use baseline::{Baseline, Conditions};
use lexopt::prelude::*;
use operations::OPERATIONS;

const HELP: &str = "instructions: how many instructions the core takes, under valgrind

  --check          fail if an operation takes over 5 % more than in instructions.txt, if that was made under the same conditions
  --update         rewrite instructions.txt
  --filter WORDS   only operations whose names contain all the words";

/// By how much a figure may rise.
const TOLERANCE: f64 = 1.05;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (mut check, mut update, mut filter) = (false, false, String::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("check") => check = true,
            Long("update") => update = true,
            Long("filter") => filter = parser.value()?.string()?,
            // What valgrind runs: `--repeat OPERATION REPETITIONS`.
            Long("repeat") => {
                let (name, repetitions) = (parser.value()?.string()?, parser.value()?.parse()?);
                let operation = OPERATIONS.iter().find(|operation| operation.name == name);
                operation.ok_or("no such operation")?.repeat(repetitions);
                return Ok(ExitCode::SUCCESS);
            }
            Long("help") => {
                println!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            _ => return Err(argument.unexpected().into()),
        }
    }

    let conditions = Conditions::here()?;
    let baseline = Baseline::read();
    let enforced = baseline.as_ref().is_ok_and(|baseline| baseline.conditions == conditions);
    let wanted =
        OPERATIONS.iter().filter(|operation| filter.split(' ').all(|word| operation.name.contains(word)));
    let (mut measured, mut risen) = (Vec::new(), Vec::new());
    for operation in wanted {
        let count = valgrind::instructions(operation)?;
        let before = baseline.as_ref().ok().and_then(|baseline| baseline.count(operation.name));
        let change = before
            .map_or_else(|| "new".to_owned(), |before| format!("{:+.1} %", 100.0 * (count / before - 1.0)));
        println!("{count:>10.1}  {change:>8}  {}", operation.name);
        if before.is_some_and(|before| count > before * TOLERANCE) {
            risen.push(operation.name);
        }
        measured.push((operation.name.to_owned(), count));
    }

    if update {
        if !filter.is_empty() {
            return Err("the baseline is updated as a whole: no --filter".into());
        }
        Baseline { conditions, counts: measured }.write()?;
    } else if check {
        let baseline = baseline?;
        if !enforced {
            println!(
                "not enforced: the baseline was made with {}, this is {conditions}",
                baseline.conditions
            );
        } else if !risen.is_empty() {
            println!("more than 5 % above the baseline: {}", risen.join(", "));
            return Ok(ExitCode::FAILURE);
        }
        let is_known = |name: &String| OPERATIONS.iter().any(|operation| operation.name == name);
        if let Some((gone, _)) = baseline.counts.iter().find(|(name, _)| !is_known(name)) {
            return Err(format!("the baseline has {gone}, which is not measured any more").into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
