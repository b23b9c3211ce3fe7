/*!
Items with their attributes, whatever the signal: where they are in a span, a log record and the
data points of a metric.
*/

use crate::pdata::{
    AttributeList, AttributeScratch, Signal, groups,
    wire::{WireFields, put_message},
};

/// The field of a span that holds its attributes.
pub(super) const OF_SPAN: u32 = 9;
/// The field of a log record that holds its attributes.
pub(super) const OF_RECORD: u32 = 6;

/// Appends an item, a payload, to a scope group, with its attributes as `change` leaves them: once
/// for a span or a log record, and for each data point of a metric. Returns true if any were
/// changed.
pub(super) fn put_item(
    signal: Signal,
    item: &[u8],
    scratch: &mut AttributeScratch,
    out: &mut Vec<u8>,
    mut change: impl FnMut(&mut AttributeList<'_>),
) -> bool {
    let number = match signal {
        Signal::Traces => OF_SPAN,
        Signal::Logs => OF_RECORD,
        Signal::Metrics => {
            let before = out.len();
            let mut is_changed = false;
            put_message(ITEM, out, |out| {
                is_changed = put_points(item, scratch, out, &mut change)
            });
            if !is_changed {
                out.truncate(before);
                groups::put_item(item, out);
            }
            return is_changed;
        }
    };
    let mut list = AttributeList::read(item, number, scratch);
    change(&mut list);
    match list.is_changed() {
        true => put_message(ITEM, out, |out| list.write(out)),
        false => groups::put_item(item, out),
    }
    list.is_changed()
}

/// The field of a scope group that holds an item.
const ITEM: u32 = 2;

/// The field of a kind of data, by the number of that kind in a metric, that holds the
/// attributes of its points.
fn of_points(data: u32) -> Option<u32> {
    match data {
        // Gauge, sum and summary.
        5 | 7 | 11 => Some(7),
        // Histogram.
        9 => Some(9),
        // Exponential histogram.
        10 => Some(1),
        _ => None,
    }
}

fn put_points(
    metric: &[u8],
    scratch: &mut AttributeScratch,
    out: &mut Vec<u8>,
    change: &mut impl FnMut(&mut AttributeList<'_>),
) -> bool {
    let mut is_changed = false;
    for field in WireFields::new(metric) {
        let (Some(number), Some(data)) = (of_points(field.number), field.bytes()) else {
            out.extend_from_slice(field.raw);
            continue;
        };
        put_message(field.number, out, |out| {
            for field in WireFields::new(data) {
                let Some(point) = field.bytes().filter(|_| field.number == 1) else {
                    out.extend_from_slice(field.raw);
                    continue;
                };
                let mut list = AttributeList::read(point, number, scratch);
                change(&mut list);
                is_changed |= list.is_changed();
                match list.is_changed() {
                    true => put_message(1, out, |out| list.write(out)),
                    false => out.extend_from_slice(field.raw),
                }
            }
        });
    }
    is_changed
}
