/*!
Contexts: what a statement is run for, and how that follows from its paths where nobody says it.
*/

use super::grammar::{Argument, Bool, Call, Key, Path, StatementTree, Value, ValueKind};

/// What a statement is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Context {
    Resource,
    Scope,
    Span,
    SpanEvent,
}

/// Whether paths must begin with the name of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Required,
    Optional,
}

impl Context {
    /// By the order in which they are preferred where the paths of a list name several.
    const PREFERRED: [Self; 4] = [Self::SpanEvent, Self::Span, Self::Scope, Self::Resource];

    /// The context that a file calls so.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::PREFERRED.into_iter().find(|c| c.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Scope => "scope",
            Self::Span => "span",
            Self::SpanEvent => "spanevent",
        }
    }

    /// With what its paths may begin.
    pub(super) fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Resource => &["resource"],
            Self::Scope => &["scope", "resource"],
            Self::Span => &["span", "resource", "scope", "instrumentation_scope"],
            Self::SpanEvent => &[
                "spanevent",
                "span",
                "resource",
                "scope",
                "instrumentation_scope",
            ],
        }
    }
}

/// A set of contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contexts(u8);

impl Contexts {
    pub(crate) const ALL: Self = Self(0b1111);
    pub(crate) const SPAN: Self = Self(1 << Context::Span as u8);

    pub(crate) fn has(self, context: Context) -> bool {
        self.0 & 1 << context as u8 != 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// What a list of texts says about its context.
#[derive(Debug)]
pub(super) struct Hints<'t> {
    /// First segments of paths.
    prefixes: Vec<&'t str>,
    /// Contexts that have all functions and enums.
    able: Contexts,
    /// There is a function or an enum.
    demands: bool,
    /// What a function of this name is available in.
    available: fn(&str) -> Contexts,
}

impl<'t> Hints<'t> {
    pub(super) fn new(available: fn(&str) -> Contexts) -> Self {
        Self {
            prefixes: Vec::new(),
            able: Contexts::ALL,
            demands: false,
            available,
        }
    }

    /// The context that fits: the most particular one that a path names, else one that has it and
    /// all functions and enums.
    pub(super) fn infer(&self) -> Option<Context> {
        let rank = |prefix: &&&str| match **prefix {
            "instrumentation_scope" => 5,
            name => match Context::of(name) {
                Some(Context::SpanEvent) => 1,
                Some(Context::Span) => 2,
                Some(Context::Scope) => 4,
                Some(Context::Resource) => 6,
                None => 9,
            },
        };
        let named = self.prefixes.iter().min_by_key(rank)?;
        if let Some(context) = Context::of(named).filter(|c| self.able.has(*c)) {
            return Some(context);
        }
        // Where nothing is demanded the Collector looks no further, and refuses the other name of a scope.
        if !self.demands {
            return None;
        }
        let others = Context::PREFERRED.into_iter();
        let mut able = others.filter(|c| self.able.has(*c) && c.name() != *named);
        able.find(|context| context.prefixes().contains(named))
    }

    pub(super) fn statement(&mut self, statement: &'t StatementTree) {
        self.call(&statement.editor);
        statement.condition.iter().for_each(|c| self.condition(c));
    }

    pub(super) fn condition(&mut self, condition: &'t Bool) {
        match condition {
            Bool::Or(of) | Bool::And(of) => of.iter().for_each(|c| self.condition(c)),
            Bool::Not(of) => self.condition(of),
            Bool::Literal(_) => {}
            Bool::Call(call) => self.call(call),
            Bool::Compare(_, sides) => {
                self.value(&sides.0);
                self.value(&sides.1);
            }
        }
    }

    fn call(&mut self, call: &'t Call) {
        self.demands = true;
        self.able = self.able.and((self.available)(&call.name));
        for Argument { value, .. } in &call.arguments {
            self.value(value);
        }
        self.keys(&call.keys);
    }

    fn keys(&mut self, keys: &'t [Key]) {
        for key in keys {
            if let Key::Value(value) = key {
                self.value(value);
            }
        }
    }

    fn path(&mut self, path: &'t Path) {
        self.prefixes.extend(path.prefix());
        path.segments
            .iter()
            .for_each(|segment| self.keys(&segment.keys));
    }

    fn value(&mut self, value: &'t Value) {
        match &value.kind {
            ValueKind::Enum(name) => {
                self.demands = true;
                let able = match enumerator(name) {
                    Some(_) => Contexts(Contexts::SPAN.0 | 1 << Context::SpanEvent as u8),
                    None => Contexts(0),
                };
                self.able = self.able.and(able);
            }
            ValueKind::Path(path) => self.path(path),
            ValueKind::Call(call) => self.call(call),
            ValueKind::List(values) => values.iter().for_each(|v| self.value(v)),
            ValueKind::Map(entries) => entries.iter().for_each(|(_, v)| self.value(v)),
            ValueKind::Math(_, sides) => {
                self.value(&sides.0);
                self.value(&sides.1);
            }
            ValueKind::Negative(of) | ValueKind::Group(of) => self.value(of),
            _ => {}
        }
    }
}

/// The value of an enum's symbol.
pub(super) fn enumerator(name: &str) -> Option<i64> {
    let symbols = [
        ("SPAN_KIND_UNSPECIFIED", 0),
        ("SPAN_KIND_INTERNAL", 1),
        ("SPAN_KIND_SERVER", 2),
        ("SPAN_KIND_CLIENT", 3),
        ("SPAN_KIND_PRODUCER", 4),
        ("SPAN_KIND_CONSUMER", 5),
        ("STATUS_CODE_UNSET", 0),
        ("STATUS_CODE_OK", 1),
        ("STATUS_CODE_ERROR", 2),
    ];
    let found = symbols.iter().find(|(symbol, _)| *symbol == name);
    found.map(|(_, value)| *value)
}
