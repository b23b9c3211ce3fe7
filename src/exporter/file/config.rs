/*! The keys of `file`. */

use super::{
    FileSender,
    encode::Encoding,
    options::{FileOptions, Rotation},
    writer::Writer,
};
use crate::{
    config::{Field, Id, KeyReader, Setting, Word},
    exporter::{ConfiguredExporter, Exporter, ExporterSettings, Retry, SendingQueue},
    http::ConnectOptions,
};
use std::{cell::RefCell, path::PathBuf, sync::Arc, time::Duration};

const MIB: u64 = 1 << 20;
const DAY: Duration = Duration::from_secs(86_400);

/// `format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Proto,
}

impl Word for Format {
    const WORDS: &'static [(&'static str, Self)] = &[("json", Self::Json), ("proto", Self::Proto)];
}

/// `compression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Zstd,
}

impl Word for Compression {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("zstd", Self::Zstd), ("", Self::None)];
}

/// The checked settings.
#[derive(Clone, Debug)]
struct FileSettings {
    options: FileOptions,
    encoding: Encoding,
}

impl ExporterSettings for FileSettings {
    fn destination(&self) -> Option<String> {
        let format = match self.encoding.is_proto {
            true => "proto",
            false => "json",
        };
        let compressed = self.encoding.zstd.map_or("", |_| ", zstd");
        let path = self.options.path.display();
        Some(format!("file {path} ({format}{compressed})"))
    }

    fn build(
        &self,
        configured: &ConfiguredExporter,
        _: ConnectOptions,
    ) -> Result<Exporter, String> {
        let path = self.options.path.display().to_string();
        let writer = Writer::open(self.options.clone());
        let writer = writer.map_err(|error| format!("path {path}: cannot be opened: {error}"))?;
        let sender = FileSender {
            encoding: self.encoding,
            path,
            writer: RefCell::new(writer),
        };
        Ok(Exporter::new(configured, sender))
    }
}

pub(crate) fn read(id: &Id, keys: &mut KeyReader<'_>) -> Option<ConfiguredExporter> {
    let path: Field<String> = keys.get("path", "required", "the file");
    let format = keys.or(
        "format",
        Format::Json,
        "`json`: a line for each batch; `proto`: its length in four bytes, then protobuf",
    );
    let append = keys.or(
        "append",
        false,
        "`false`: what is in the file when wayspan starts is deleted, unless `rotation` is set",
    );
    let compression = keys.or(
        "compression",
        Compression::None,
        "`zstd`: each batch by itself, after its length in four bytes",
    );
    let level = keys.section("compression_params", |keys| {
        keys.or("level", 3_u32, "of zstd, 1 to 22")
    });
    let rotation = keys.section("rotation", rotation);
    let creates = keys.or(
        "create_directory",
        false,
        "make the directory if it is missing",
    );
    let permissions: Field<String> = keys.get(
        "directory_permissions",
        "`0755`",
        "of a directory that is made, in octal",
    );
    // Each batch is written when it comes.
    keys.ignored(&["flush_interval"]);
    keys.refused(&["encoding"]);
    let groups = keys.section("group_by", |keys| {
        keys.ignored(&["resource_attribute", "max_open_files"]);
        keys.or("enabled", false, "`true` is refused: there is one file")
    });

    let cx = keys.reading();
    if groups.value && keys.is_used() {
        let message = "wayspan writes one file for each exporter, and none by resource";
        let help = "let pipelines with filter processors lead to file exporters of their own";
        cx.error_with_help(groups.spot, message, help);
    }
    if append.value && rotation.is_some() {
        let message = "append beside rotation: remove one of the two";
        cx.error_at_key(append.spot, message, "");
    }
    cx.in_range(level.spot, level.value, &(1..=22));
    let directory_mode = directory_mode(&creates, &permissions, keys);
    let Some(path) = path.given() else {
        let message = "needs the path of a file";
        cx.error_at_key(path.spot.or(keys.spot()), message, "");
        return None;
    };
    let settings = FileSettings {
        options: FileOptions {
            path: PathBuf::from(path),
            append: append.value,
            rotation,
            directory_mode,
        },
        encoding: Encoding {
            is_proto: format.value == Format::Proto,
            zstd: (compression.value == Compression::Zstd)
                .then(|| i32::try_from(level.value).unwrap_or(3)),
        },
    };
    Some(ConfiguredExporter {
        id: id.clone(),
        settings: Arc::new(settings),
        // One after the other, in their order.
        queue: SendingQueue {
            consumers: 1,
            ..SendingQueue::default()
        },
        retry: Retry::default(),
        timeout: Duration::from_secs(5),
    })
}

/// Reads `rotation`, which holds where the key is written.
fn rotation(keys: &mut KeyReader<'_>) -> Option<Rotation> {
    let megabytes = keys.or(
        "max_megabytes",
        100_u64,
        "a file that would become larger is put aside, with the time in its name; 0: the default",
    );
    let days = keys.or(
        "max_days",
        0_u64,
        "files that were put aside are deleted after so many days; 0: never",
    );
    let backups = keys.or("max_backups", 100_u64, "so many of them are kept; 0: all");
    let local = keys.or("localtime", false, "names have UTC, whatever this says");
    if local.value {
        let message = "files that are put aside have UTC in their names; ignored";
        keys.reading().warn(local.spot, message);
    }
    let max_bytes = match megabytes.value {
        0 => 100 * MIB,
        given => given.saturating_mul(MIB),
    };
    let is_set = |value: u64| (value > 0).then_some(value);
    let rotation = Rotation {
        max_bytes,
        max_age: is_set(days.value).map(|days| DAY * u32::try_from(days).unwrap_or(u32::MAX)),
        max_backups: is_set(backups.value).and_then(|most| usize::try_from(most).ok()),
    };
    keys.spot().map(|_| rotation)
}

fn directory_mode(
    creates: &Setting<bool>,
    permissions: &Field<String>,
    keys: &KeyReader<'_>,
) -> Option<u32> {
    let cx = keys.reading();
    let given = permissions.trimmed();
    if given.is_some() && !creates.value {
        let message = "has no effect without create_directory: true";
        cx.error_at_key(permissions.spot, message, "");
    }
    let mode = given.map_or(Some(0o755), |text| {
        let mode = u32::from_str_radix(text, 8).ok();
        mode.filter(|mode| *mode <= 0o777)
    });
    if mode.is_none() {
        cx.error(permissions.spot, "not permissions in octal, such as 0755");
    }
    mode.filter(|_| creates.value)
}
