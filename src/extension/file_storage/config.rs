/*! The keys of `file_storage`. */

use crate::{
    config::{Field, Id, KeyReader, Setting, Word},
    extension::{ExtensionOffer, ExtensionSettings},
    queue::{Fsync, Storage},
};
use std::{rc::Rc, sync::Arc, time::Duration};

const DIRECTORY: &str = "/var/lib/otelcol/file_storage";
/// The Collector has 0750.
const PERMISSIONS: &str = "0700";
/// What the owner needs of a directory to use it.
const OWNER: u32 = 0o700;
const SECOND: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;
/// The log needs room for a few segments, else it can only be full.
const LEAST_MIB: u64 = 64;
const DEFAULT_MIB: u64 = 4096;

/// When to sync: the Collector's boolean, or one of three words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    Always,
    Interval,
    Never,
}

impl Word for Sync {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("always", Self::Always),
        ("true", Self::Always),
        ("interval", Self::Interval),
        ("false", Self::Never),
        ("never", Self::Never),
    ];
}

impl ExtensionSettings for Storage {
    fn describe(&self, id: &Id) -> Vec<String> {
        vec![format!("segment log ({id}): {self}")]
    }

    fn offer(&self) -> Option<ExtensionOffer> {
        Some(Rc::new(self.clone()))
    }
}

pub(crate) fn read(id: &Id, keys: &mut KeyReader<'_>) -> Option<Arc<dyn ExtensionSettings>> {
    let directory = keys.or(
        "directory",
        DIRECTORY.to_owned(),
        "where the log is, in `wayspan/PIPELINE`; one process at a time",
    );
    let create_directory = keys.or("create_directory", true, "make it if it is missing");
    let permissions = keys.or(
        "directory_permissions",
        PERMISSIONS.to_owned(),
        "of a directory that is made, in octal; the files in it are always 0600",
    );
    let fsync = keys.or(
        "fsync",
        Sync::Never,
        "when what is written is made safe against the loss of the machine: `always` (or `true`): before a sender is answered; `interval`; `never` (or `false`): at a time that the operating system chooses, which is safe against the end of the process",
    );
    let interval = keys.or(
        "fsync_interval",
        SECOND,
        "with `fsync: interval`: at most so often",
    );
    let timeout = keys.or(
        "timeout",
        SECOND,
        "a write that takes longer is not waited for: senders are answered from memory until the disk keeps up; `0s`: the default",
    );
    let max_mib = keys.or(
        "max_size_mib",
        DEFAULT_MIB,
        "of all files of a pipeline together; at least 64",
    );
    let max_size: Field<u64> = keys.get(
        "max_size",
        "none",
        "the Collector's key, in bytes of a file; taken as `max_size_mib`, and as 64 if it is less; 0: the default",
    );
    // Damage costs the records that are damaged, so there is nothing to recreate;
    // segments are deleted whole, so there is nothing to compact.
    keys.ignored(&["recreate", "compaction"]);
    if !keys.is_used() {
        return None;
    }
    let cx = keys.reading();
    let least = |setting: &Setting<Duration>, message: &str| {
        if setting.value < Duration::from_millis(1) {
            cx.error(setting.spot, message);
        }
    };
    least(&interval, "at least 1ms; fsync: always syncs every write");
    // The Collector's wait for the lock of its file, where 0 is for ever.
    let timeout = Setting {
        value: match timeout.value {
            Duration::ZERO => SECOND,
            given => given,
        },
        ..timeout
    };
    least(&timeout, "at least 1ms, or every write is too slow");
    if fsync.value != Sync::Interval {
        cx.warn(interval.spot, "has no effect unless fsync is interval");
    }
    let max_mib = match max_size.value {
        Some(_) if max_mib.spot.is_some() => {
            cx.error(max_size.spot, "beside max_size_mib: write one of the two");
            max_mib
        }
        Some(bytes) if bytes > 0 => {
            if bytes < LEAST_MIB * MIB {
                let message = format!("less than {LEAST_MIB} MiB, a few segments; taken as that");
                cx.warn(max_size.spot, &message);
            }
            Setting {
                value: bytes.div_ceil(MIB).max(LEAST_MIB),
                ..max_mib
            }
        }
        Some(_) | None => max_mib,
    };
    if max_mib.value < LEAST_MIB {
        let message = format!("at least {LEAST_MIB}, which is a few segments");
        cx.error(max_mib.spot, &message);
    }
    let directory_mode = mode(&permissions.value).unwrap_or_else(|message| {
        cx.error(permissions.spot, message);
        OWNER
    });
    Some(Arc::new(Storage {
        id: id.clone(),
        directory: directory.value.into(),
        create_directory: create_directory.value,
        directory_mode,
        fsync: match fsync.value {
            Sync::Always => Fsync::Always,
            Sync::Interval => Fsync::Interval(interval.value),
            Sync::Never => Fsync::Never,
        },
        timeout: timeout.value,
        max_bytes: max_mib.value.saturating_mul(MIB),
    }))
}

/// Reads permissions in octal.
fn mode(text: &str) -> Result<u32, &'static str> {
    match u32::from_str_radix(text.trim(), 8) {
        Ok(mode) if mode > 0o777 => Err("more than 0777, which is all there is to permit"),
        Ok(mode) if mode & OWNER != OWNER => {
            Err("the owner could not use the directory: 0700 at least")
        }
        Ok(mode) => Ok(mode),
        Err(_) => Err("not permissions in octal, such as 0750"),
    }
}
