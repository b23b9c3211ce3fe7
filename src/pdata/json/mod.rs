/*!
OTLP/JSON to protobuf bytes and back.

Both directions are driven by the table of all messages ([`schema`](super::schema))
and touch no structs: the
reader (`read`) writes protobuf while it parses, the writer (`write`) walks
protobuf while it prints. That keeps a request of a million tiny objects as
small as its text (decoded spans are a hundred times larger), and names the JSON
path of whatever is wrong, which the serde derives of `opentelemetry-proto`
cannot; they also refuse names of enums, numbers with a fraction of zero,
snake_case and `null` in places.

Rules, from the OTLP specification ("JSON Protobuf Encoding") and protobuf's own
JSON mapping:

- Trace and span ids are hex of either case; other bytes are base64 (standard or
  URL alphabet, padded or not). An id of the wrong length is passed on, so that
  one span is at fault and not its request.
- Names are lowerCamelCase; snake_case is read as well. Unknown names are
  skipped, `null` is the same as absent, a name given twice is refused.
- 64-bit integers are decimal strings; numbers are read as well, also as `1e3`.
- Enums are integers; their protobuf names are read as well.
- Text that is not Unicode (stray bytes, a lone surrogate such as `"\ud83d"`) is
  passed on as bytes that are not UTF-8: [`super::admit`] replaces and counts it.
- Repeated numbers are written packed; protobuf takes both forms.
- Doubles are numbers, or the strings `NaN`, `Infinity`, `-Infinity`.

Nesting is bounded by the JSON parser at 128 brackets and here at
99 messages, less than protobuf's limit, so what is read can be
decoded.
*/

mod error;
mod read;
mod scalar;
mod write;

pub use error::JsonError;
pub use read::{request_from_json, request_from_json_within};

pub use write::request_to_json;
