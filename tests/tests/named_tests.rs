//! What the documents claim is proved by tests that they name; here it is that there are such tests.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The names in back quotes that can only be those of tests: nothing else here is as long.
fn named_in(document: &str) -> Vec<&str> {
    document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| {
            name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
                && name.matches('_').count() >= 3
        })
        .collect()
}

/// The functions below a folder that are tests: behind `#[test]` and its like, ignored or not.
fn tests_below(folder: &Path, tests: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                tests_below(&path, tests);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in source.lines().map(str::trim) {
                if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                    is_test = true;
                } else if let Some((_, signature)) = line.split_once("fn ")
                    && is_test
                {
                    tests.insert(signature.split('(').next().unwrap().to_owned());
                    is_test = false;
                }
            }
        }
    }
}

fn check(document: &str, text: &str, at_least: usize) {
    let mut tests = HashSet::new();
    for folder in ["crates", "tests"] {
        tests_below(&root().join(folder), &mut tests);
    }
    assert!(tests.len() > 500, "{} tests found", tests.len());
    let named = named_in(text);
    assert!(named.len() >= at_least, "{document} names {} tests", named.len());
    let missing: Vec<_> = named.into_iter().filter(|name| !tests.contains(*name)).collect();
    assert!(missing.is_empty(), "{document} names tests that there are not: {missing:#?}");
}

#[test]
fn every_test_that_the_security_policy_names_exists() {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    check("SECURITY.md", &text, 50);
    // Every row of the table of threats has one.
    let (_, threats) = text.split_once("## Threats").unwrap();
    for row in threats.lines().filter(|line| line.starts_with("| ")).skip(1) {
        assert!(!named_in(row).is_empty(), "nothing proves {row}");
    }
}

#[test]
fn every_guarantee_of_the_readme_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, guarantees) = text.split_once("\n## Guarantees\n").unwrap();
    let (guarantees, _) = guarantees.split_once("\n## ").unwrap();
    check("README.md", guarantees, 10);
    for guarantee in guarantees.split("\n- ").skip(1) {
        assert!(!named_in(guarantee).is_empty(), "nothing proves {guarantee}");
    }
}
