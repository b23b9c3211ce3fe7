/*! The settings of wayspan's own logs and metrics. */

use super::{Resource, Style};
use std::net::SocketAddr;

/// `service.telemetry`, but for readers that push.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// Where Prometheus metrics are served, and how; none: off (`level: none`).
    pub metrics: Vec<(SocketAddr, Style)>,
    /// What metrics and logs say of the process.
    pub resource: Resource,
    /// `logs.level`.
    pub log_level: LogLevel,
    /// `logs.encoding: json`.
    pub log_json: bool,
    /// Lines in JSON have the resource, unless `logs.disable_zap_resource`.
    pub log_resource: bool,
}

impl Telemetry {
    /// The id of this process among all collectors.
    pub(crate) fn instance_id(&self) -> String {
        self.resource.instance_id()
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
