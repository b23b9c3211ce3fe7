/*!
Metrics, each counted by its data points.

`Metric` itself belongs to the group level: its data points are counted, and a
request is split between them, so it has one kind of data or is rewritten.
*/

use super::{
    fields::{MalformedRequest, RequestWalk},
    groups::SignalItems,
};
use crate::pdata::{
    index::ItemEntry,
    schema::{DenseKind, SchemaMessage},
};

/// The items of `ExportMetricsServiceRequest`.
pub(super) struct MetricItems;

impl SignalItems for MetricItems {
    const REQUEST: SchemaMessage = SchemaMessage::MetricsRequest;
    const RESOURCE: SchemaMessage = SchemaMessage::ResourceMetrics;
    const SCOPE: SchemaMessage = SchemaMessage::ScopeMetrics;
    const ITEM: SchemaMessage = SchemaMessage::Metric;

    fn item(
        walk: &mut RequestWalk<'_>,
        entry: &mut ItemEntry,
        depth: u32,
    ) -> Result<(), MalformedRequest> {
        entry.count = 0;
        let buf = walk.until(entry.bytes.end as usize);
        let (mut pos, mut seen) = (entry.bytes.start as usize, 0);
        while pos < buf.len() {
            let field = walk.field::<true>(SchemaMessage::Metric, buf, pos, depth, &mut seen)?;
            match field.kind {
                DenseKind::Message(SchemaMessage::KeyValue) => {
                    walk.canonical(SchemaMessage::KeyValue, field.start, field.end, depth - 1)?;
                }
                DenseKind::Message(data) => {
                    entry.count = walk.data_points(data, field.start, field.end, depth - 1)?;
                }
                _ => {}
            }
            pos = field.end;
        }
        Ok(())
    }
}

impl RequestWalk<'_> {
    /// Walks a gauge, a sum, a histogram or a summary; returns how many data
    /// points it has, in field 1.
    fn data_points(
        &mut self,
        data: SchemaMessage,
        start: usize,
        end: usize,
        depth: u32,
    ) -> Result<u32, MalformedRequest> {
        let buf = self.until(end);
        let (mut pos, mut seen, mut count) = (start, 0, 0);
        while pos < buf.len() {
            let field = self.field::<false>(data, buf, pos, depth, &mut seen)?;
            if let DenseKind::Message(point) = field.kind {
                count += 1;
                self.loose(point, field.start, field.end, depth - 1)?;
            }
            pos = field.end;
        }
        Ok(count)
    }
}
