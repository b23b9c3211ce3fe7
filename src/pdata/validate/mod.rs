/*!
One forward walk that decides whether a request is well formed, and indexes it.

The walk accepts exactly what prost's generated decoder accepts for the
signal's request, nesting counted the same way, except that invalid UTF-8 in a
string is not an error but a reason for repair. It allocates nothing but the
growth of the reused [`Index`], and its stack is bounded by
[`MAX_DEPTH`](super::wire::MAX_DEPTH) small frames.

Nearly every byte of real traffic belongs to attributes with a short key and a
string value, encoded the one usual way. `plain` recognises that
shape with a handful of comparisons, and in spans one ASCII scan covers a whole
run of such attributes; whatever looks different goes through the schema table,
field by field.

The three signals have the same groups under other names, so [`groups`] is
compiled once for each; [`span`], [`metric`] and [`record`] are their items.
[`fields`] checks a single field and the messages of which nothing is indexed.
*/

mod fields;
mod groups;
mod metric;
mod record;
mod span;

pub(crate) use fields::MalformedRequest;

use super::{index::Index, keys::Keys, signal::Signal};
use fields::RequestWalk;

/// Walks the `request` of a signal and fills `index`, which is emptied first.
///
/// # Errors
///
/// When prost would refuse the bytes for another reason than invalid UTF-8,
/// when they are 4 GiB or more, or when they hold more than an [`Index`] does.
/// The index is then of no use.
pub fn validate(
    signal: Signal,
    request: &[u8],
    keys: &Keys,
    index: &mut Index,
) -> Result<(), MalformedRequest> {
    index.clear();
    let mut walk = RequestWalk::new(signal, request, keys, index)?;
    match signal {
        Signal::Traces => walk.request::<span::SpanItems>(),
        Signal::Metrics => walk.request::<metric::MetricItems>(),
        Signal::Logs => walk.request::<record::LogItems>(),
    }
}
