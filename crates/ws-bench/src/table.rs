//! Tables in Markdown, and their place in `README.md`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What stands above it.
    pub title: String,
    /// The heads of the columns.
    pub head: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one.
    pub fn new<'h>(title: impl Into<String>, head: impl IntoIterator<Item = &'h str>) -> Self {
        Self { title: title.into(), head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// As Markdown.
    pub fn to_markdown(&self) -> String {
        let mut out = format!("**{}**\n\n| {} |\n|", self.title, self.head.join(" | "));
        for (index, _) in self.head.iter().enumerate() {
            out.push_str(if index == 0 { "---|" } else { "---:|" });
        }
        out.push('\n');
        for row in &self.rows {
            let _ = writeln!(out, "| {} |", row.join(" | "));
        }
        out
    }
}

/// Three significant digits.
pub fn digits(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let decimals = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        v if v >= 0.1 => 3,
        v if v >= 0.01 => 4,
        v if v >= 0.001 => 5,
        _ => 6,
    };
    format!("{value:.decimals$}")
}

/// A number of bytes.
pub fn size_name(size: usize) -> String {
    match size {
        size if size >= 1 << 20 => format!("{} MiB", size >> 20),
        size if size >= 1 << 10 => format!("{} KiB", size >> 10),
        size => format!("{size} B"),
    }
}

/// Replaces the region `name` of the README: what is between `<!-- name -->` and `<!-- /name -->`.
///
/// # Errors
///
/// If the file cannot be read or written, or has no such region.
pub fn write_region(name: &str, tables: &[Table], notes: &str) -> io::Result<()> {
    let path = readme();
    let text = fs::read_to_string(&path)?;
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let missing =
        || io::Error::new(io::ErrorKind::NotFound, format!("no region {name} in {}", path.display()));
    let (before, rest) = text.split_once(&open).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&close).ok_or_else(missing)?;
    let tables: Vec<_> = tables.iter().map(Table::to_markdown).collect();
    fs::write(&path, format!("{before}{open}\n{notes}\n\n{}\n{close}{after}", tables.join("\n")))
}

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// On what it was measured: one line.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").to_owned()
    };
    let flags = field("flags");
    let widest =
        ["avx512f", "avx2", "sse2"].into_iter().find(|flag| flags.contains(flag)).unwrap_or("no SIMD");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    format!(
        "{} ({widest}), {cores} cores, Linux {}, load {load} at the end; {}; ws-proto {}",
        field("model name"),
        kernel.trim(),
        env!("BENCH_RUSTC"),
        env!("BENCH_COMMIT"),
    )
}
