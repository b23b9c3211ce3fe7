/*! The counters of each kind of part: names, meanings, and where they are kept. */

use crate::telemetry::{Count, ExporterStats, PipelineStats, ProcessorStats, ReceiverStats};

/// A counter: its name, what it counts, and where it is kept.
pub type Row<S> = (&'static str, &'static str, fn(&S) -> &Count);

pub const LOG: &[Row<PipelineStats>] = &[
    (
        "wayspan_log_unlogged_spans",
        "Spans held in memory only, since the segment log did not work or was late.",
        |s| &s.unlogged,
    ),
    (
        "wayspan_log_late",
        "Times that the segment log took longer than its timeout.",
        |s| &s.late,
    ),
];

pub const RECEIVER: &[Row<ReceiverStats>] = &[
    (
        "otelcol_receiver_accepted_spans",
        "Spans taken from senders.",
        |s| &s.accepted_spans,
    ),
    (
        "otelcol_receiver_refused_spans",
        "Spans not taken: no room, or faulty ids.",
        |s| &s.refused_spans,
    ),
    (
        "otelcol_receiver_failed_spans",
        "Spans lost inside the receiver.",
        |s| &s.failed_spans,
    ),
    (
        "wayspan_receiver_requests",
        "Export requests answered with success.",
        |s| &s.requests,
    ),
    (
        "wayspan_receiver_refused_requests",
        "Requests refused: malformed, too large, unknown, unauthenticated, or no room.",
        |s| &s.refused_requests,
    ),
    (
        "wayspan_ztunnel_connections",
        "Spans made of connections in ztunnel's access log; part of the accepted spans.",
        |s| &s.connections,
    ),
    (
        "wayspan_logs_ignored_records",
        "Log records that were no completed connection in ztunnel's access log.",
        |s| &s.ignored_logs,
    ),
    (
        "wayspan_receiver_unauthenticated_requests",
        "Requests refused for missing or wrong credentials, unread: their spans are not counted.",
        |s| &s.unauthenticated_requests,
    ),
    (
        "wayspan_receiver_failed_handshakes",
        "Connections refused by TLS: plaintext, no or a wrong certificate.",
        |s| &s.failed_handshakes,
    ),
];

pub const PROCESSOR: &[Row<ProcessorStats>] = &[
    (
        "otelcol_processor_incoming_items",
        "Spans given to the processor.",
        |s| &s.incoming,
    ),
    (
        "otelcol_processor_outgoing_items",
        "Spans the processor passed on, those it made included.",
        |s| &s.outgoing,
    ),
];

pub const MESH: &[Row<ProcessorStats>] = &[(
    "wayspan_mesh_alias_spans",
    "Marker spans added; part of the outgoing items.",
    |s| &s.mesh.alias_spans,
)];

const REPAIR: &str = "wayspan_mesh_repairs";
const REPAIR_HELP: &str = "Spans whose status, node_id or name was repaired.";

/// By the label `repair`, which is the name of its switch.
pub const REPAIRS: &[(&str, Row<ProcessorStats>)] = &[
    ("status", (REPAIR, REPAIR_HELP, |s| &s.mesh.status)),
    ("node_id", (REPAIR, REPAIR_HELP, |s| &s.mesh.node_id)),
    ("span_name", (REPAIR, REPAIR_HELP, |s| &s.mesh.span_name)),
];

pub const MEMORY_LIMITER: &[Row<PipelineStats>] = &[
    (
        "otelcol_processor_memory_limiter_accepted_spans",
        "Spans the memory limiter let pass.",
        |s| &s.limiter_accepted,
    ),
    (
        "otelcol_processor_memory_limiter_refused_spans",
        "Spans refused for want of room.",
        |s| &s.limiter_refused,
    ),
];

/// What is refused never enters: what goes in comes out.
pub const MEMORY_LIMITER_ITEMS: &[Row<PipelineStats>] = &[
    (
        "otelcol_processor_incoming_items",
        "Spans given to the processor.",
        |s| &s.limiter_accepted,
    ),
    (
        "otelcol_processor_outgoing_items",
        "Spans the processor passed on.",
        |s| &s.limiter_accepted,
    ),
];

pub const BATCH_ITEMS: &[Row<PipelineStats>] = &[
    (
        "otelcol_processor_incoming_items",
        "Spans given to the processor.",
        |s| &s.batched,
    ),
    (
        "otelcol_processor_outgoing_items",
        "Spans the processor passed on.",
        |s| &s.batched,
    ),
];

pub const BATCH: &[Row<PipelineStats>] = &[
    (
        "otelcol_processor_batch_batch_size_trigger_send",
        "Batches sealed because they were large enough.",
        |s| &s.size_trigger,
    ),
    (
        "otelcol_processor_batch_timeout_trigger_send",
        "Batches sealed because they were old enough.",
        |s| &s.timeout_trigger,
    ),
    (
        "wayspan_rejected_spans",
        "Spans dropped for ids of the wrong length or all zero.",
        |s| &s.rejected_spans,
    ),
    (
        "wayspan_utf8_replaced_strings",
        "Strings in which invalid UTF-8 was replaced by U+FFFD.",
        |s| &s.utf8_replaced,
    ),
    (
        "wayspan_unknown_field_bytes_dropped",
        "Bytes of large unknown fields of whole requests, which belong to no span.",
        |s| &s.unknown_dropped,
    ),
];

pub const EXPORTER: &[Row<ExporterStats>] = &[
    (
        "otelcol_exporter_sent_spans",
        "Spans the backend took.",
        |s| &s.sent_spans,
    ),
    (
        "otelcol_exporter_send_failed_spans",
        "Spans given up on, after all retries.",
        |s| &s.send_failed_spans,
    ),
    (
        "wayspan_exporter_rejected_spans",
        "Spans the backend rejected by partial success.",
        |s| &s.rejected_spans,
    ),
    ("wayspan_exporter_retries", "Requests sent again.", |s| {
        &s.retries
    }),
];
