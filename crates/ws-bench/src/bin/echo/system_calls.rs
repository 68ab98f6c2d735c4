//! How many system calls a message costs the server: with strace, if that is installed.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use ws_bench::load::{Generator, Load, ServerProcess, Traffic};
use ws_bench::server::Stack;

/// Nothing, without strace.
pub(crate) fn a_message(stack: &Stack, server: &ServerProcess, traffic: &Traffic) -> io::Result<Option<f64>> {
    let load = Load::new(traffic, stack.raw);
    let mut generator = Generator::connect(server.port(), traffic.connections, load)?;
    generator.check()?;
    let tracer = Command::new("strace")
        .args(["-c", "-f", "-p", &server.id().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut tracer) = tracer else { return Ok(None) };
    let Some(output) = tracer.stderr.take() else { return Ok(None) };
    let mut lines = BufReader::new(output).lines();
    // It says when it is there; if it is not allowed to be, it ends.
    if !lines.next().transpose()?.is_some_and(|line| line.contains("attached")) {
        tracer.wait()?;
        return Ok(None);
    }
    let run = generator.run(Duration::from_millis(200));
    if let Some(pid) = Pid::from_raw(tracer.id() as i32) {
        kill_process(pid, Signal::INT)?;
    }
    let mut calls = 0;
    for line in lines {
        let line = line?;
        // `% time  seconds  usecs/call  calls  [errors]  syscall`
        let fields: Vec<_> = line.split_whitespace().collect();
        if fields.len() >= 5 && fields.last() != Some(&"total") && fields[0].parse::<f64>().is_ok() {
            calls += fields[3].parse::<u64>().unwrap_or(0);
        }
    }
    tracer.wait()?;
    Ok(Some(calls as f64 / run?.messages as f64))
}
