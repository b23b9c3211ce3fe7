/*!
The messages of OTLP, once: what the .proto files of opentelemetry-proto 1.x say
about traces, metrics and logs.

[`table`] is the one list. The validating walk and the canonical rewriting look
fields up by number in dense rows made of it at compile time ([`dense`]); JSON
reads and writes by the fields' names and types ([`SchemaField`]).

A field that is not in the table is unknown: it is skipped, and kept.
*/

mod dense;
mod table;
mod types;

pub(crate) use dense::DenseField;
pub use dense::{DenseKind, field};
pub(crate) use table::SPAN_KINDS;
pub(crate) use types::{SchemaField, SchemaKind};
pub use types::{SchemaLabel, SchemaMessage};
