/*!
`set_semconv_span_name`: the name of a span follows from its attributes, by the semantic conventions for HTTP, RPC,
databases and messaging; a span of none of these keeps its name.

Where an attribute was renamed, its old name is looked up after the new one.
*/

use crate::{
    ottl::{
        Arena, EvalError, State,
        record::Record,
        state::span,
        value::{Value, text_of},
    },
    pdata::{AnyValue, text::put_text},
};

/// Whether this is a version of the conventions that has these names: from 1.37 on.
pub(in crate::ottl) fn is_known_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let numbers: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
    match numbers.as_deref() {
        Ok([1, minor, rest @ ..]) => *minor >= 37 && rest.len() <= 1,
        _ => false,
    }
}

/// Names the span at hand; the name that it had is kept in an attribute, where one is named.
pub(super) fn set(
    original: Option<&str>,
    state: &mut State,
    arena: &Arena,
) -> Result<(), EvalError> {
    let names = Names {
        span: &state.span,
        arena,
    };
    let old = text_of(state.span.bytes(span::NAME));
    let name = names.name(state.span.number(span::KIND))?;
    let Some(name) = name.filter(|name| *name != old) else {
        return Ok(());
    };
    let (name, old) = (arena.text(name)?, arena.text(old)?);
    state.span.set_bytes(span::NAME, name.as_bytes());
    match original {
        Some(key) => state.span.put(key, |out| Value::Str(old).encode(out)),
        None => Ok(()),
    }
}

/// Kinds of spans.
const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const PRODUCER: u64 = 4;
const CONSUMER: u64 = 5;

struct Names<'v> {
    span: &'v Record,
    arena: &'v Arena,
}

/// A name; None: the conventions have none.
type Name<'v> = Result<Option<&'v str>, EvalError>;

impl<'v> Names<'v> {
    fn name(&self, kind: u64) -> Name<'v> {
        let ways: &[fn(&Self) -> Name<'v>] = match kind {
            SERVER => &[Self::http_server, Self::rpc, Self::messaging],
            CLIENT => &[
                Self::http_client,
                Self::rpc,
                Self::database,
                Self::messaging,
            ],
            PRODUCER | CONSUMER => &[Self::messaging],
            _ => &[],
        };
        for way in ways {
            let name = way(self)?;
            if name.is_some_and(|name| !name.is_empty()) {
                return Ok(name);
            }
        }
        Ok(None)
    }

    /// The text of the first of these attributes that is there.
    fn text(&self, keys: &[&str]) -> Name<'v> {
        let found = keys.iter().find_map(|key| self.span.get(key));
        let text = |payload: &'v [u8]| match Value::of(payload) {
            Value::Str(text) => Ok(text),
            _ => self.arena.build_text(|out| {
                put_text(AnyValue::new(payload), out);
                Ok(())
            }),
        };
        found.map(text).transpose()
    }

    fn joined(&self, parts: &[&str]) -> Name<'v> {
        let joined = self.arena.build_text(|out| {
            out.extend(parts.iter().copied());
            Ok(())
        });
        joined.map(Some)
    }

    fn http_server(&self) -> Name<'v> {
        self.http("http.route")
    }

    fn http_client(&self) -> Name<'v> {
        self.http("url.template")
    }

    fn http(&self, target: &str) -> Name<'v> {
        let Some(method) = self.text(&["http.request.method", "http.method"])? else {
            return Ok(None);
        };
        match self.text(&[target])? {
            Some(target) => self.joined(&[method, " ", target]),
            None => Ok(Some(method)),
        }
    }

    fn rpc(&self) -> Name<'v> {
        let Some(system) = self.text(&["rpc.system.name", "rpc.system"])? else {
            return Ok(None);
        };
        let method = self.text(&["rpc.method", "rpc.grpc.method"])?;
        let service = self.text(&["rpc.service", "rpc.grpc.service"])?;
        match (service, method) {
            (Some(service), Some(method)) => self.joined(&[service, "/", method]),
            (None, Some(method)) => Ok(Some(method)),
            (Some(service), None) => self.joined(&[service, "/*"]),
            (None, None) => Ok(Some(system)),
        }
    }

    fn database(&self) -> Name<'v> {
        let Some(system) = self.text(&["db.system.name", "db.system"])? else {
            return Ok(None);
        };
        if let Some(summary) = self.text(&["db.query.summary"])? {
            return Ok(Some(summary));
        }
        let operation = self
            .text(&["db.operation.name", "db.operation"])?
            .unwrap_or_default();
        let target = self.database_target()?.unwrap_or_default();
        match (operation, target) {
            ("", "") => Ok(Some(system)),
            (operation, "") => Ok(Some(operation)),
            ("", target) => Ok(Some(target)),
            (operation, target) => self.joined(&[operation, " ", target]),
        }
    }

    fn database_target(&self) -> Name<'v> {
        let namespace = self.text(&["db.namespace", "db.name"])?.unwrap_or_default();
        let part = self.text(&["db.collection.name", "db.stored_procedure.name"])?;
        match (namespace, part) {
            ("", Some(part)) => Ok(Some(part)),
            (namespace, Some(part)) => self.joined(&[namespace, ".", part]),
            ("", None) => self.server(),
            (namespace, None) => Ok(Some(namespace)),
        }
    }

    fn server(&self) -> Name<'v> {
        let Some(address) = self.text(&["server.address"])? else {
            return Ok(None);
        };
        match self.text(&["server.port"])? {
            Some(port) => self.joined(&[address, ":", port]),
            None => Ok(Some(address)),
        }
    }

    fn messaging(&self) -> Name<'v> {
        let Some(system) = self.text(&["messaging.system"])? else {
            return Ok(None);
        };
        let operation = self.text(&["messaging.operation.name", "messaging.operation"])?;
        let destination = self.destination()?.filter(|name| !name.is_empty());
        match (operation, destination) {
            (Some(operation), Some(destination)) => self.joined(&[operation, " ", destination]),
            (_, Some(destination)) => Ok(Some(destination)),
            (Some(operation), None) => Ok(Some(operation)),
            (None, None) => Ok(Some(system)),
        }
    }

    fn destination(&self) -> Name<'v> {
        let is = |key| matches!(self.span.get(key).map(Value::of), Some(Value::Bool(true)));
        if is("messaging.destination.temporary") {
            return Ok(Some("(temporary)"));
        }
        if is("messaging.destination.anonymous") {
            return Ok(Some("(anonymous)"));
        }
        let keys = [
            "messaging.destination.template",
            "messaging.destination.name",
            "messaging.destination",
        ];
        match self.text(&keys)? {
            Some(name) => Ok(Some(name)),
            None => self.server(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_known_version;

    #[test]
    fn versions_are_those_with_these_names() {
        for (text, expected) in [
            ("1.37.0", true),
            ("1.43.0", true),
            ("v1.38", true),
            ("1.36.0", false),
            ("2.0.0", false),
            ("1", false),
            ("1.40.0-rc", false),
            ("1.40.0.1", false),
            ("", false),
        ] {
            assert_eq!(is_known_version(text), expected, "{text}");
        }
    }
}
