//! What the tables say about how they were made: the compiler and the commit.

use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    println!("cargo::rustc-env=BENCH_RUSTC={}", output(&rustc, &["--version"]));
    println!("cargo::rustc-env=BENCH_COMMIT={}", output("git", &["describe", "--always", "--dirty"]));
    println!("cargo::rerun-if-changed=build.rs");
    // Wherever the worktree keeps it, this is rewritten whenever the commit changes.
    println!("cargo::rerun-if-changed={}", output("git", &["rev-parse", "--git-path", "logs/HEAD"]));
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text =
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if text.is_empty() { "unknown".into() } else { text }
}
