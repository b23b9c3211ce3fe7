/*! Requests of logs. */

use super::{any_value, attributes, count, enumeration, id, resource, scope, text};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use proptest::{collection::vec, option, prelude::*};

prop_compose! {
    fn record()(
        times: [u64; 2],
        severity_number in enumeration(),
        texts in (text(), text()),
        body in option::of(any_value()),
        attributes in attributes(4),
        dropped_attributes_count in count(),
        flags: u32,
        ids in (id(16), id(8)),
    ) -> LogRecord {
        LogRecord {
            time_unix_nano: times[0],
            observed_time_unix_nano: times[1],
            severity_number,
            severity_text: texts.0,
            body,
            attributes,
            dropped_attributes_count,
            flags,
            trace_id: ids.0,
            span_id: ids.1,
            event_name: texts.1,
        }
    }
}

prop_compose! {
    fn scope_logs()(
        scope in option::of(scope()),
        log_records in vec(record(), 0..4),
        schema_url in text(),
    ) -> ScopeLogs {
        ScopeLogs { scope, log_records, schema_url }
    }
}

prop_compose! {
    fn resource_logs()(
        resource in option::of(resource()),
        scope_logs in vec(scope_logs(), 0..3),
        schema_url in text(),
    ) -> ResourceLogs {
        ResourceLogs { resource, scope_logs, schema_url }
    }
}

pub fn request() -> impl Strategy<Value = ExportLogsServiceRequest> {
    vec(resource_logs(), 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}
