/*!
The grammar: from a text to a tree that knows where each part stands.

What is accepted is what the Collector's generated parser accepts. The odd corners are kept: a name may be cut by
spaces, `1.` is a number, the first elements of a list need no commas.
*/

mod lexer;
mod parser;
mod tree;
mod unquote;

pub(super) use parser::{parse_condition, parse_statement};
pub(super) use tree::{
    Argument, Bool, Call, CompareOp, Key, MathOp, Path, Segment, StatementTree, Value, ValueKind,
};

/// So deep may parentheses, calls, lists and indexes nest.
pub(super) const MAX_DEPTH: u32 = 64;
