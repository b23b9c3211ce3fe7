/*!
HPACK (RFC 7541): header blocks to fields, and the few fields of our answers to
header blocks.

Decoding hands each field to a visitor and keeps none: what is not of use to
the caller is never copied. A field that the peer has told us to remember costs
a look into a table. Encoding uses neither dynamic table nor Huffman code, so
that an answer is the same octets on every connection.
*/

mod decode;
mod encode;
mod huffman;
mod table;

pub(crate) use decode::{BlockFault, HpackDecoder};
pub(crate) use encode::{field, status};
pub(crate) use table::{Entry, OVERHEAD};
