//! What is in the file, whatever comes between.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{
    backups,
    encode::Encoding,
    options::{FileOptions, Rotation},
    writer::Writer,
};
use crate::pdata::Signal;
use bytes::Bytes;
use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

fn options(path: &Path) -> FileOptions {
    FileOptions {
        path: path.to_owned(),
        append: false,
        rotation: None,
        directory_mode: None,
    }
}

fn rotating(max_bytes: u64, max_backups: usize) -> Rotation {
    Rotation {
        max_bytes,
        max_age: None,
        max_backups: Some(max_backups),
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A request of a resource that says nothing, in two pieces.
fn chunks() -> Vec<Bytes> {
    vec![
        Bytes::from_static(&[0x0a]),
        Bytes::from_static(&[0x02, 0x0a, 0x00]),
    ]
}

#[test]
fn records_are_as_the_collectors() {
    let encode = |is_proto, zstd| {
        let encoding = Encoding { is_proto, zstd };
        encoding.encode(Signal::Traces, &chunks()).unwrap()
    };
    let json = encode(false, None);
    let (line, end) = json.split_at(json.len() - 1);
    assert_eq!(end, b"\n");
    assert!(!line.contains(&b'\n'));
    let value: serde_json::Value = serde_json::from_slice(line).unwrap();
    assert_eq!(value["resourceSpans"].as_array().map(Vec::len), Some(1));
    let proto = [0x0a, 0x02, 0x0a, 0x00];
    assert_eq!(encode(true, None), [&[0, 0, 0, 4][..], &proto].concat());
    for (is_proto, want) in [(true, &proto[..]), (false, line)] {
        let record = encode(is_proto, Some(3));
        let (length, packed) = record.split_first_chunk().unwrap();
        assert_eq!(u32::from_be_bytes(*length) as usize, packed.len());
        assert_eq!(zstd::bulk::decompress(packed, 1000).unwrap(), want);
    }
}

#[test]
fn a_file_is_begun_anew_or_continued() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("spans.json");
    let add = |options: FileOptions, text: &str| {
        let mut writer = Writer::open(options).unwrap();
        writer.write(text.as_bytes()).unwrap();
    };
    add(options(&path), "a\n");
    add(options(&path), "b\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "b\n");
    let append = FileOptions {
        append: true,
        ..options(&path)
    };
    add(append, "c\n");
    let rotation = FileOptions {
        rotation: Some(rotating(100, 1)),
        ..options(&path)
    };
    add(rotation, "d\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "b\nc\nd\n");
}

#[test]
fn directories_are_made_if_that_is_asked_for() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a/b/spans.json");
    assert!(Writer::open(options(&path)).is_err());
    let creating = FileOptions {
        directory_mode: Some(0o700),
        ..options(&path)
    };
    Writer::open(creating).unwrap();
    assert!(path.exists());
}

#[test]
fn a_file_that_would_be_too_large_is_put_aside_whole() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("spans.json");
    let options = FileOptions {
        rotation: Some(rotating(10, 2)),
        ..options(&path)
    };
    let mut writer = Writer::open(options).unwrap();
    // The names tell times in milliseconds.
    let pause = || std::thread::sleep(Duration::from_millis(2));
    for record in [
        "aaaa\n",
        "bbbb\n",
        "cccc\n",
        "longer than ten\n",
        "dd\n",
        "eeeeeeeee\n",
    ] {
        writer.write(record.as_bytes()).unwrap();
        pause();
    }
    let names = names(dir.path());
    let [first, second, open] = &names[..] else {
        panic!("{names:?}")
    };
    assert_eq!(open, "spans.json");
    assert!(
        first.starts_with("spans-20") && first.ends_with("-size.json"),
        "{first}"
    );
    let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(text(first), "longer than ten\n");
    assert_eq!((&*text(second), &*text(open)), ("dd\n", "eeeeeeeee\n"));
}

#[test]
fn files_put_aside_are_deleted_by_age_and_number_and_no_others() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("spans.json");
    let now = SystemTime::now();
    let day = Duration::from_secs(86_400);
    let aside = |days: u32| backups::name(&path, now - day * days);
    for days in 1..=5 {
        fs::write(aside(days), "").unwrap();
    }
    let others = [
        "spans-old-size.json",
        "spans-2026-01-01T00-00-00.000.json",
        "other.json",
    ];
    for other in others {
        fs::write(dir.path().join(other), "").unwrap();
    }
    let kept = |rotation: Rotation| {
        backups::clean(&path, &rotation, now);
        (1..=5)
            .filter(|days| aside(*days).exists())
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(rotating(1, 4)), [1, 2, 3, 4]);
    let aged = Rotation {
        max_age: Some(day * 2 + day / 2),
        max_backups: None,
        ..rotating(1, 0)
    };
    assert_eq!(kept(aged), [1, 2]);
    for other in others {
        assert!(dir.path().join(other).exists(), "{other}");
    }
}

/// A disk that is full takes a part of a record: the part is cut off.
#[test]
fn a_file_that_is_gone_is_made_again_after_an_error() {
    let dir = TempDir::new().unwrap();
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("spans.json");
    let options = FileOptions {
        rotation: Some(rotating(4, 1)),
        ..options(&path)
    };
    let mut writer = Writer::open(options).unwrap();
    writer.write(b"aaa\n").unwrap();
    fs::remove_dir_all(&inner).unwrap();
    assert!(writer.write(b"bbb\n").is_err(), "it cannot be put aside");
    assert!(writer.write(b"bbb\n").is_err(), "there is no directory");
    fs::create_dir(&inner).unwrap();
    writer.write(b"bbb\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "bbb\n");
}
