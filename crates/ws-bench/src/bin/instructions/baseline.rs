//! What the figures were when they were last looked at: `instructions.txt`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, fs, io};

/// Everything but the code that the figures depend on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Conditions(Vec<(String, String)>);

/// The figures, and what they were measured with.
#[derive(Debug)]
pub(crate) struct Baseline {
    pub(crate) conditions: Conditions,
    pub(crate) counts: Vec<(String, f64)>,
}

impl Conditions {
    /// Those of this machine. Valgrind shows the program a processor of its own, which has AVX2 if the real one has,
    /// and never AVX-512; the C library has `memcpy`.
    pub(crate) fn here() -> io::Result<Self> {
        let avx2 = fs::read_to_string("/proc/cpuinfo")?.contains(" avx2");
        let pairs = [
            ("rustc", env!("BENCH_RUSTC").to_owned()),
            ("valgrind", output("valgrind", &["--version"])?),
            ("libc", output("getconf", &["GNU_LIBC_VERSION"])?),
            ("avx2", if avx2 { "yes" } else { "no" }.to_owned()),
        ];
        Ok(Self(pairs.map(|(name, value)| (name.to_owned(), value)).into()))
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name} {value}")).collect();
        f.write_str(&pairs.join(", "))
    }
}

impl Baseline {
    /// Reads the file: lines of `name = value`, the conditions first.
    pub(crate) fn read() -> io::Result<Self> {
        let (mut conditions, mut counts) = (Vec::new(), Vec::new());
        for line in fs::read_to_string(path())?.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.split_once(" = ") else { continue };
            match value.parse() {
                Ok(count) => counts.push((name.to_owned(), count)),
                Err(_) => conditions.push((name.to_owned(), value.to_owned())),
            }
        }
        Ok(Self { conditions: Conditions(conditions), counts })
    }

    /// Writes the file.
    pub(crate) fn write(&self) -> io::Result<()> {
        let mut text = String::from(
            "# Instructions an operation of ws-proto takes, and what they were counted with. Made by\n\
             # cargo run --release --no-default-features --manifest-path crates/ws-bench/Cargo.toml --bin instructions -- --update\n",
        );
        for (name, value) in &self.conditions.0 {
            text.push_str(&format!("{name} = {value}\n"));
        }
        for (name, count) in &self.counts {
            text.push_str(&format!("{name} = {count:.1}\n"));
        }
        fs::write(path(), text)
    }

    /// The figure of an operation, if there was one.
    pub(crate) fn count(&self, name: &str) -> Option<f64> {
        self.counts.iter().find(|(known, _)| known == name).map(|(_, count)| *count)
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
}

fn output(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| io::Error::other(format!("{program}: {error}")))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
