/*!
What a real mesh sent: requests recorded from Envoys, five spans each, of
twenty visits to Istio's bookinfo sample through gateway, waypoint and services.

The recordings are the fixtures of the tests. Their spans are moved to now and
given trace ids of this run, so that a Jaeger given them shows them among
today's traces and a second run does not collide with the first.
*/

use crate::random::rng;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span,
};
use prost::Message;
use rand::Rng as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// The Istio whose form of spans the recording has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Istio {
    /// Ambient, waypoints named `waypoint.bookinfo`, no peer tags (to 1.27).
    #[value(name = "1.24")]
    V1_24,
    /// Ambient, waypoints named after the destination host (1.28).
    #[value(name = "1.28")]
    V1_28,
    /// The same with peer tags (1.29).
    #[value(name = "1.29")]
    V1_29,
    /// Ambient, `waypoint.bookinfo` again, with peer tags (1.30 and later).
    #[value(name = "1.30")]
    V1_30,
    /// A sidecar beside each workload, no waypoint.
    #[value(name = "sidecar")]
    Sidecar,
}

impl Istio {
    /// For the reader: "Istio 1.30, ambient".
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Istio::V1_24 => "Istio 1.24 in ambient mode, with a waypoint,",
            Istio::V1_28 => "Istio 1.28 in ambient mode, with a waypoint,",
            Istio::V1_29 => "Istio 1.29 in ambient mode, with a waypoint,",
            Istio::V1_30 => "Istio 1.30 in ambient mode, with a waypoint,",
            Istio::Sidecar => "Istio with sidecars",
        }
    }

    /// Returns true if the recorded mesh has a waypoint.
    pub(crate) fn has_waypoint(self) -> bool {
        self != Istio::Sidecar
    }

    fn files(self) -> &'static [&'static [u8]] {
        match self {
            Istio::V1_24 => AMBIENT_1_24,
            Istio::V1_28 => AMBIENT_1_28,
            Istio::V1_29 => AMBIENT_1_29,
            Istio::V1_30 => AMBIENT_1_30,
            Istio::Sidecar => SIDECAR,
        }
    }

    /// The recorded requests, moved to now.
    ///
    /// # Errors
    ///
    /// When a recording is not OTLP, which the tests rule out.
    pub(crate) fn requests(self) -> Result<Vec<ExportTraceServiceRequest>, prost::DecodeError> {
        let mut requests = self
            .files()
            .iter()
            .map(|bytes| ExportTraceServiceRequest::decode(*bytes))
            .collect::<Result<Vec<_>, _>>()?;
        let newest = spans(&mut requests)
            .map(|span| span.end_time_unix_nano)
            .max();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let shift = (now as u64).saturating_sub(newest.unwrap_or_default());
        let run: [u8; 8] = rng().random();
        for span in spans(&mut requests) {
            span.start_time_unix_nano = span.start_time_unix_nano.saturating_add(shift);
            span.end_time_unix_nano = span.end_time_unix_nano.saturating_add(shift);
            span.trace_id
                .iter_mut()
                .zip(run)
                .for_each(|(byte, random)| *byte ^= random);
        }
        Ok(requests)
    }
}

fn spans(requests: &mut [ExportTraceServiceRequest]) -> impl Iterator<Item = &mut Span> {
    requests
        .iter_mut()
        .flat_map(|request| &mut request.resource_spans)
        .flat_map(|resource| &mut resource.scope_spans)
        .flat_map(|scope| &mut scope.spans)
}

macro_rules! recording {
    ($folder:literal: $($number:literal)+) => {
        &[$(include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/", $folder, "/0000", $number, ".pb"
        ))),+]
    };
}

const AMBIENT_1_24: &[&[u8]] = recording!("ambient-istio-1.24":
    "00" "01" "02" "03" "04" "05" "06" "07" "08" "09"
    "10" "11" "12" "13" "14" "15" "16" "17" "18" "19");
const AMBIENT_1_28: &[&[u8]] = recording!("ambient-istio-1.28":
    "00" "01" "02" "03" "04" "05" "06" "07" "08" "09"
    "10" "11" "12" "13" "14" "15" "16" "17" "18" "19");
const AMBIENT_1_29: &[&[u8]] = recording!("ambient-istio-1.29":
    "00" "01" "02" "03" "04" "05" "06" "07" "08" "09"
    "10" "11" "12" "13" "14" "15" "16" "17" "18" "19");
const AMBIENT_1_30: &[&[u8]] = recording!("ambient-istio-1.30":
    "00" "01" "02" "03" "04" "05" "06" "07" "08" "09"
    "10" "11" "12" "13" "14" "15" "16" "17" "18" "19");
const SIDECAR: &[&[u8]] = recording!("sidecar":
    "00" "01" "02" "03" "04" "05" "06" "07" "08" "09"
    "10" "11" "12" "13" "14" "15" "16" "17" "18" "19"
    "20" "21" "22" "23" "24" "25" "26" "27");
