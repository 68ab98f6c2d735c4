//! A server as a process of its own.

use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use crate::server::Stack;

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    port: u16,
}

impl ServerProcess {
    /// Starts `program`, which lies beside this one, for the stack.
    ///
    /// # Errors
    ///
    /// If it cannot be started, as when it was not built.
    pub fn start(program: &str, stack: &Stack) -> io::Result<Self> {
        let path = sibling(program)?;
        let child = Command::new(&path).arg(stack.name).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        let (Some(commands), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a server without pipes"));
        };
        let mut process = Self { child, commands, answers: BufReader::new(answers), port: 0 };
        process.port = process.answer()?;
        Ok(process)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The CPU time that it has used.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub fn cpu(&mut self) -> io::Result<Duration> {
        writeln!(self.commands, "cpu")?;
        self.answer().map(Duration::from_nanos)
    }

    /// The bytes on its heap.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub fn heap(&mut self) -> io::Result<u64> {
        writeln!(self.commands, "heap")?;
        self.answer()
    }

    /// The bytes of memory that are its own: resident, and neither files nor shared.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn resident(&self) -> io::Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
        let kibibytes =
            line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|n| n.parse::<u64>().ok());
        kibibytes.map(|n| n * 1024).ok_or_else(|| io::Error::other("no anonymous memory in smaps_rollup"))
    }

    fn answer<T: std::str::FromStr>(&mut self) -> io::Result<T> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        line.trim().parse().map_err(|_| io::Error::other(format!("the server says {line:?}")))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // If it cannot be killed, it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sibling(program: &str) -> io::Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(program))
}
