/*! The keys of `debug`, and of `logging`, its old name. */

use super::Debug;
use crate::{
    config::{Field, Id, KeyReader, Word},
    exporter::{ConfiguredExporter, Exporter, ExporterSettings, Retry, SendingQueue},
    http::ConnectOptions,
};
use std::{sync::Arc, time::Duration};

/// How much `debug` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// A line per batch.
    Basic,
    /// A line per item.
    Normal,
    /// Everything.
    Detailed,
}

impl Word for Verbosity {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("basic", Self::Basic),
        ("normal", Self::Normal),
        ("detailed", Self::Detailed),
    ];
}

/// `loglevel`, from which `verbosity` follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Word for Level {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("warn", Self::Warn),
        ("error", Self::Error),
    ];
}

impl ExporterSettings for Verbosity {
    fn build(
        &self,
        configured: &ConfiguredExporter,
        _: ConnectOptions,
    ) -> Result<Exporter, String> {
        Ok(Exporter::new(configured, Debug::new(*self)))
    }
}

pub(crate) fn read(id: &Id, keys: &mut KeyReader<'_>) -> Option<ConfiguredExporter> {
    let verbosity: Field<Verbosity> = keys.get(
        "verbosity",
        "`basic`",
        "a line per batch, a line per item, or everything",
    );
    let level: Field<Level> = keys.get("loglevel", "none", "the old name of `verbosity`");
    keys.ignored(&[
        "sampling_initial",
        "sampling_thereafter",
        "use_internal_logger",
        "output_paths",
        "sending_queue",
    ]);
    let message = "loglevel is the old name of verbosity";
    keys.reading().warn(level.spot, message);
    let of_level = level.value.map(|level| match level {
        Level::Debug => Verbosity::Detailed,
        Level::Info => Verbosity::Normal,
        Level::Warn | Level::Error => Verbosity::Basic,
    });
    let verbosity = verbosity.value.or(of_level).unwrap_or(Verbosity::Basic);
    Some(ConfiguredExporter {
        id: id.clone(),
        settings: Arc::new(verbosity),
        queue: SendingQueue::default(),
        retry: Retry::default(),
        timeout: Duration::from_secs(5),
    })
}
