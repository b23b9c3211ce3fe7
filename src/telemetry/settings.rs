/*! The settings of wayspan's own logs and metrics. */

use std::{net::SocketAddr, sync::LazyLock};

/// `service.telemetry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Where Prometheus metrics are served; None: off (`level: none`).
    pub metrics: Option<SocketAddr>,
    /// Append `_total` to counters (`without_type_suffix: false`).
    pub type_suffix: bool,
    /// `logs.level`.
    pub log_level: LogLevel,
    /// `logs.encoding: json`.
    pub log_json: bool,
}

/// An id that no other process has: a random UUID (version 4).
static INSTANCE: LazyLock<String> = LazyLock::new(|| {
    let random = rand::random::<u128>();
    let id = random & !(0xf000 << 64) & !(0b11 << 62) | 0x4000 << 64 | 0b10 << 62;
    let hex = format!("{id:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &hex[part]);
    parts.join("-")
});

impl Telemetry {
    /// The id of this process among all collectors.
    pub(crate) fn instance_id(&self) -> String {
        INSTANCE.clone()
    }
}

/// `service.telemetry.logs.level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// debug
    Debug,
    /// info
    Info,
    /// warn
    Warn,
    /// error
    Error,
}
