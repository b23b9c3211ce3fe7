/*! The settings of wayspan's own logs and metrics. */

use std::net::SocketAddr;

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
