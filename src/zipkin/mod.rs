/*!
Zipkin's formats, from and to OTLP bytes.

[`read`] makes an OTLP export request of a list of Zipkin spans: version 2 in JSON and
in protobuf, version 1 in JSON. [`write_json`] and [`write_proto`] make a list of
version 2 of an OTLP export request. What becomes of each field is what the Collector's
translator does (`pkg/translator/zipkin`, version 0.155), whose two directions fit
together: what OTLP has and Zipkin has not travels in tags with names of its own
([`names`]).

Everything here is pure: it knows no network and no clock.

- Reading needs memory for one span and for what is made of all. Text is borrowed from
  the body, unless it has escapes.
- Writing needs memory for the tags of one span.
*/

mod error;
mod export;
mod import;
mod names;

pub use error::ZipkinError;
pub use export::{ExportOptions, write_json, write_proto};
pub use import::{ImportOptions, ZipkinFormat, read};
