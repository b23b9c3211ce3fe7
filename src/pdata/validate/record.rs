/*! Log records: checked, and passed as they are. */

use super::{
    fields::{MalformedRequest, RequestWalk},
    groups::SignalItems,
};
use crate::pdata::{index::ItemEntry, schema::SchemaMessage};

/// The items of `ExportLogsServiceRequest`.
pub(super) struct LogItems;

impl SignalItems for LogItems {
    const REQUEST: SchemaMessage = SchemaMessage::LogsRequest;
    const RESOURCE: SchemaMessage = SchemaMessage::ResourceLogs;
    const SCOPE: SchemaMessage = SchemaMessage::ScopeLogs;
    const ITEM: SchemaMessage = SchemaMessage::LogRecord;

    fn item(
        walk: &mut RequestWalk<'_>,
        entry: &mut ItemEntry,
        depth: u32,
    ) -> Result<(), MalformedRequest> {
        let (start, end) = (entry.bytes.start as usize, entry.bytes.end as usize);
        walk.loose(SchemaMessage::LogRecord, start, end, depth)
    }
}
