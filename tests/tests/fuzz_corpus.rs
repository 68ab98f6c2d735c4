//! The seeds of the fuzz targets, `fuzz/seeds`, replayed: what the fuzzer checks holds for each of them. A binary of
//! its own, for it has the allocator that counts.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ws_fuzz_targets::{Counting, TARGETS, peak_of};

#[global_allocator]
static COUNTING: Counting = Counting;

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn replay(target: &str) {
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let files = files(&seeds().join(target));
    assert!(files.len() >= 10, "{} seeds", files.len());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        // So that a failure says which one it was.
        let result = std::panic::catch_unwind(|| run(&bytes));
        assert!(result.is_ok(), "{}", file.display());
    }
}

#[test]
fn seeds_of_deflate() {
    replay("deflate");
}

#[test]
fn seeds_of_differential() {
    replay("differential");
}

#[test]
fn seeds_of_handshake() {
    replay("handshake");
}

#[test]
fn seeds_of_header() {
    replay("header");
}

#[test]
fn seeds_of_operations() {
    replay("operations");
}

#[test]
fn seeds_of_receive() {
    replay("receive");
}

#[test]
fn seeds_of_tokio_stream() {
    replay("tokio_stream");
}

/// Otherwise the bounds on the heap would hold because nothing is counted.
#[test]
fn the_allocator_counts() {
    let (peak, kept) = peak_of(|| vec![0_u8; 5000]);
    assert!((5000..6000).contains(&peak), "{peak}");
    drop(kept);
}

/// No seeds without a target, no target without seeds, and none that is forgotten here.
#[test]
fn every_target_has_seeds_and_is_replayed() {
    let folders: BTreeSet<String> =
        files(&seeds()).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(folders, targets);
    let here = include_str!("fuzz_corpus.rs");
    for target in &targets {
        assert!(here.contains(&format!("replay(\"{target}\");")), "{target}");
        let binary = seeds().join(format!("../fuzz_targets/{target}.rs"));
        assert!(binary.exists(), "{}", binary.display());
    }
}
