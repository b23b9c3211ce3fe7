/*! The tree of a text. Places are bytes from its beginning. */

/// A statement: a call of an editor, and when it applies.
#[derive(Clone, Debug)]
pub(in crate::ottl) struct StatementTree {
    pub(in crate::ottl) editor: Call,
    pub(in crate::ottl) condition: Option<Bool>,
}

/// A call of an editor or a converter.
#[derive(Clone, Debug)]
pub(in crate::ottl) struct Call {
    pub(in crate::ottl) at: usize,
    pub(in crate::ottl) name: String,
    pub(in crate::ottl) arguments: Vec<Argument>,
    /// Indexes of what a converter returns.
    pub(in crate::ottl) keys: Vec<Key>,
}

#[derive(Clone, Debug)]
pub(in crate::ottl) struct Argument {
    pub(in crate::ottl) name: Option<(usize, String)>,
    pub(in crate::ottl) value: Value,
}

/// A condition.
#[derive(Clone, Debug)]
pub(in crate::ottl) enum Bool {
    Or(Vec<Bool>),
    And(Vec<Bool>),
    Not(Box<Bool>),
    Literal(bool),
    /// A converter that returns a boolean.
    Call(Call),
    Compare(CompareOp, Box<(Value, Value)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ottl) enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Ge,
    Gt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ottl) enum MathOp {
    Add,
    Sub,
    Mul,
    Div,
}

#[derive(Clone, Debug)]
pub(in crate::ottl) struct Value {
    pub(in crate::ottl) at: usize,
    pub(in crate::ottl) width: usize,
    pub(in crate::ottl) kind: ValueKind,
}

#[derive(Clone, Debug)]
pub(in crate::ottl) enum ValueKind {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    Bytes(Vec<u8>),
    Enum(String),
    /// The name of a function, as an argument of another.
    Function(String),
    Path(Path),
    Call(Call),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
    Math(MathOp, Box<(Value, Value)>),
    Negative(Box<Value>),
    /// In parentheses or with a plus sign, which is no literal and no path any more.
    Group(Box<Value>),
}

/// `span.attributes["a"][0]`
#[derive(Clone, Debug)]
pub(in crate::ottl) struct Path {
    pub(in crate::ottl) segments: Vec<Segment>,
}

impl Path {
    /// The path as text, for messages.
    pub(in crate::ottl) fn text(&self) -> String {
        let segment = |segment: &Segment| {
            let keys = segment.keys.iter().map(|key| match key {
                Key::String(text) => format!("[\"{text}\"]"),
                Key::Int(n) => format!("[{n}]"),
                Key::Value(_) => "[…]".to_owned(),
            });
            segment.name.clone() + &keys.collect::<String>()
        };
        let segments: Vec<_> = self.segments.iter().map(segment).collect();
        segments.join(".")
    }

    /// The first segment, if others follow and it has no index: it may name a context.
    pub(in crate::ottl) fn prefix(&self) -> Option<&str> {
        match &self.segments[..] {
            [first, _, ..] if first.keys.is_empty() => Some(&first.name),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(in crate::ottl) struct Segment {
    pub(in crate::ottl) at: usize,
    pub(in crate::ottl) name: String,
    pub(in crate::ottl) keys: Vec<Key>,
}

/// An index in brackets.
#[derive(Clone, Debug)]
pub(in crate::ottl) enum Key {
    String(String),
    Int(i64),
    Value(Value),
}
