/*!
ztunnel's access log, read as connections and told as spans.

ztunnel emits no spans. When a connection ends it writes one line, in plain
text or in JSON (ztunnel `src/proxy/metrics.rs`, `src/telemetry.rs`), which a
collector of logs brings along as a log record in one of several shapes:

- [`Fields`] gathers a record's names and values, wherever they stand: in a
  text ([`plain`], [`json`]), in a list of values, or in the attributes;
- [`Connection`] is what they say, or why they say nothing ([`Ignored`]);
- [`Connection::span`] tells it: CLIENT from the source's ztunnel, SERVER from
  the destination's, with ztunnel's own field names, by which the rules name
  and tag it as any span that carries them.

Such a span is a connection and not a request. It is marked synthetic and has
no parent; a trace the line names is linked. The two ztunnels of a connection
write nothing by which their lines could be told to belong together (the
destination's sees the ports of a tunnel, which several connections share), so
each line is a trace of its own. Its ids follow from what the line says: the
same line sent again gives the same span.
*/

mod connection;
mod fields;
mod ids;
pub(crate) mod names;
mod record;
mod span;
mod text;

#[cfg(test)]
mod tests;

pub use connection::Connection;
pub(crate) use connection::{Direction, Ignored};
pub(crate) use fields::{FieldValue, Fields};
pub(crate) use text::{json, plain};
