/*! Log records: checked, and passed as they are. */

use super::{
    fields::{Malformed, Walk},
    groups::Items,
};
use crate::pdata::{index::ItemEntry, schema::SchemaMessage};

/// The items of `ExportLogsServiceRequest`.
pub(super) struct LogRecords;

impl Items for LogRecords {
    const REQUEST: SchemaMessage = SchemaMessage::LogsRequest;
    const RESOURCE: SchemaMessage = SchemaMessage::ResourceLogs;
    const SCOPE: SchemaMessage = SchemaMessage::ScopeLogs;
    const ITEM: SchemaMessage = SchemaMessage::LogRecord;

    fn item(walk: &mut Walk<'_>, entry: &mut ItemEntry, depth: u32) -> Result<(), Malformed> {
        let (start, end) = (entry.bytes.start as usize, entry.bytes.end as usize);
        walk.loose(SchemaMessage::LogRecord, start, end, depth)
    }
}
