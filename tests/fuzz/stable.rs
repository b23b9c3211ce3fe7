/*!
The fuzz targets without libFuzzer: every input of each corpus, random mutations
of them, and noise.

`WAYSPAN_FUZZ_SEED=n` chooses other mutations (a failure prints its seed), and
`WAYSPAN_FUZZ_RUNS=n` how many there are for each target. What fails is kept
below `target/tmp/fuzz`; once repaired, move it to `tests/fuzz/corpus`, so that it
is tried forever. Under libFuzzer, which needs a nightly toolchain, the same
targets run by `cargo fuzz run --fuzz-dir tests/fuzz NAME --
-dict=tests/fuzz/dictionaries/NAME.dict`.
*/
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod mutate;
mod targets;

use mutate::Mutator;
use std::{
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};
use targets::{Grammar, Target};

/// Mutations for each target.
const RUNS: u64 = 100_000;
/// The seed where none is chosen.
const SEED: u64 = 20_260_601;

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={text}: not a number")),
        Err(_) => default,
    }
}

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// The files of a corpus, in order of their names.
fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fuzz_dir().join("corpus").join(target.name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| (file.clone(), fs::read(file).unwrap()))
        .collect()
}

/// A target's words, in libFuzzer's format: in quotes, one a line, with the
/// escapes `\\`, `\"` and `\xAB`. None where it has no file.
fn dictionary(target: &Target) -> Vec<Vec<u8>> {
    let file = fuzz_dir().join(format!("dictionaries/{}.dict", target.name));
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(word).collect()
}

fn word(line: &str) -> Vec<u8> {
    let quoted = line
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let mut rest = quoted.unwrap_or_else(|| panic!("{line}: not in quotes"));
    let mut word = Vec::new();
    while let Some((before, escape)) = rest.split_once('\\') {
        word.extend(before.bytes());
        let length = if escape.starts_with('x') { 3 } else { 1 };
        let (code, after) = escape.split_at(length);
        word.push(match code.strip_prefix('x') {
            Some(digits) => u8::from_str_radix(digits, 16).unwrap(),
            None => code.as_bytes()[0],
        });
        rest = after;
    }
    word.extend(rest.bytes());
    word
}

/// Runs a target on one input; keeps the input and says where if it fails.
fn attempt(target: &Target, what: impl Fn() -> String, bytes: &[u8]) {
    let run = target.run;
    if catch_unwind(|| run(bytes)).is_err() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
        fs::create_dir_all(&folder).unwrap();
        let kept = folder.join(target.name);
        fs::write(&kept, bytes).unwrap();
        panic!(
            "{}: {} fails; it is in {}",
            target.name,
            what(),
            kept.display()
        );
    }
}

/// Times the others, what an input takes: here it is a configuration, which is read, built and run.
fn dearness(target: &Target) -> u64 {
    match target.name {
        "ottl" => 80,
        _ => 1,
    }
}

fn exercise(target: &Target) {
    let files = corpus(target);
    assert!(!files.is_empty(), "{} has no corpus", target.name);
    for (path, bytes) in &files {
        attempt(target, || path.display().to_string(), bytes);
    }
    let (runs, seed) = (
        number("WAYSPAN_FUZZ_RUNS", RUNS) / dearness(target),
        number("WAYSPAN_FUZZ_SEED", SEED),
    );
    // Noise is of use where state and memory are at stake; elsewhere a little will do.
    let noise = match target.grammar {
        Grammar::FramesThen(_) | Grammar::RequestThen(_) => runs,
        _ => runs / 10,
    };
    println!(
        "{}: {runs} mutations and {noise} inputs of noise, WAYSPAN_FUZZ_SEED={seed}",
        target.name
    );
    let corpus = files.into_iter().map(|(_, bytes)| bytes).collect();
    let words = dictionary(target);
    assert!(
        !words.is_empty() || !matches!(target.grammar, Grammar::Text),
        "no words"
    );
    let mut mutator = Mutator::new(seed, target.grammar, corpus, words);
    for n in 0..runs {
        let mutation = || format!("mutation {n} of WAYSPAN_FUZZ_SEED={seed}");
        attempt(target, mutation, &mutator.next());
    }
    for n in 0..noise {
        let noise = || format!("noise {n} of WAYSPAN_FUZZ_SEED={seed}");
        attempt(target, noise, &mutator.noise());
    }
}

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            exercise(&targets::$name::TARGET);
        })*
        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

tests!(
    validate,
    validate_metrics,
    validate_logs,
    edit,
    json,
    json_write,
    config,
    htpasswd,
    pem,
    ztunnel,
    log_recovery,
    h2,
    pipeline,
    zipkin_json,
    zipkin_proto,
    ottl,
);

/// What is fuzzed is fuzzed by both drivers.
#[test]
fn no_target_is_forgotten() {
    let names: Vec<_> = targets::ALL.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    let manifest = fs::read_to_string(fuzz_dir().join("Cargo.toml")).unwrap();
    for name in &names {
        let path = format!("fuzz_targets/{name}.rs");
        assert!(
            manifest.contains(&format!("path = \"{path}\"")),
            "{path}: no [[bin]]"
        );
        let text = fs::read_to_string(fuzz_dir().join(&path)).unwrap();
        assert!(text.contains(&format!("targets::{name}::TARGET")), "{path}");
    }
    let sources = fs::read_dir(fuzz_dir().join("targets")).unwrap().count();
    assert_eq!(
        sources,
        names.len() + 1,
        "a file in targets without a target"
    );
}
