/*! Paths: the fields that each context has, and what a path of the text means. */

use super::{
    Context, Names, ParseError,
    grammar::{Key, Path, Segment},
};

/// A message that has attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Resource,
    Scope,
    Span,
    Event,
}

/// What a path stands for, indexes aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Attributes(Owner),
    Cache,
    DroppedAttributes(Owner),
    SchemaUrl(Owner),
    TraceId,
    TraceIdString,
    SpanId,
    SpanIdString,
    ParentSpanId,
    ParentSpanIdString,
    TraceState,
    Kind,
    KindString,
    KindDeprecatedString,
    /// Name of a scope, a span or an event.
    Name(Owner),
    Version,
    StartNanos,
    StartTime,
    EndNanos,
    EndTime,
    Events,
    DroppedEvents,
    Links,
    DroppedLinks,
    Status,
    StatusCode,
    StatusMessage,
    Flags,
    EventNanos,
    EventTime,
    EventIndex,
}

impl Field {
    /// Whether indexes may follow.
    fn is_indexed(self) -> bool {
        matches!(self, Self::Attributes(_) | Self::Cache | Self::TraceState)
    }

    /// The message that it belongs to; None: the cache.
    pub(super) fn owner(self) -> Option<Owner> {
        match self {
            Self::Cache => None,
            Self::Attributes(owner)
            | Self::DroppedAttributes(owner)
            | Self::SchemaUrl(owner)
            | Self::Name(owner) => Some(owner),
            Self::Version => Some(Owner::Scope),
            Self::EventNanos | Self::EventTime | Self::EventIndex => Some(Owner::Event),
            _ => Some(Owner::Span),
        }
    }
}

/// What `path` means in a context, and its indexes.
pub(super) fn resolve(
    path: &Path,
    context: Context,
    names: Names,
) -> Result<(Field, &[Key]), ParseError> {
    let text = path.text();
    let wrong = |segment: Option<&Segment>, message: String| {
        let (at, width) = segment.map_or((0, 1), |s| (s.at, s.name.len()));
        ParseError::new(at, width, message)
    };
    let prefix = path.prefix().filter(|p| context.prefixes().contains(p));
    let segments = match prefix {
        Some(_) => path.segments.get(1..).unwrap_or_default(),
        None => &path.segments[..],
    };
    let first = path.segments.first();
    if prefix.is_none() && names == Names::Required {
        let valid = context
            .prefixes()
            .iter()
            .map(|name| format!("{name}.{text}"));
        let valid: Vec<_> = valid.collect();
        return Err(wrong(
            first,
            format!("the path {text} lacks the name of its context"),
        )
        .help(format!("write one of {}", valid.join(", "))));
    }
    let owner = prefix.map_or_else(|| owner_of(context.name()), owner_of);
    let is_own = prefix.is_none_or(|prefix| prefix == context.name());
    let name = |i: usize| segments.get(i).map(|segment| segment.name.as_str());
    let Some((field, used)) = field(owner, is_own, (name(0), name(1))) else {
        let at = match name(0).is_some_and(|name| valid(owner).contains(&name)) {
            true => segments.get(1).or(segments.first()),
            false => segments.first(),
        };
        let message = format!("{text} is no path of the {} context", context.name());
        let help = match (name(0), at.or(first)) {
            (Some("cache"), _) => {
                format!("the cache of this context is {}.cache", context.name())
            }
            _ => format!("valid are {}", valid(owner).join(", ")),
        };
        return Err(wrong(at.or(first), message).help(help));
    };
    if let Some(extra) = segments.get(used) {
        return Err(wrong(
            Some(extra),
            format!("nothing is below {}", name(used - 1).unwrap_or_default()),
        ));
    }
    let (parents, rest) = segments.split_at(used - 1);
    let last_segment = rest.first();
    if let Some(indexed) = parents.iter().find(|segment| !segment.keys.is_empty()) {
        return Err(wrong(
            Some(indexed),
            format!("{} cannot be indexed", indexed.name),
        ));
    }
    let keys = last_segment.map_or(&[][..], |segment| &segment.keys[..]);
    if !keys.is_empty() && !field.is_indexed() {
        return Err(wrong(last_segment, format!("{text} cannot be indexed")));
    }
    if field == Field::TraceState && keys.len() > 1 {
        return Err(wrong(last_segment, "trace_state has one index".to_owned()));
    }
    Ok((field, keys))
}

fn owner_of(prefix: &str) -> Owner {
    match prefix {
        "resource" => Owner::Resource,
        "scope" | "instrumentation_scope" => Owner::Scope,
        "spanevent" => Owner::Event,
        _ => Owner::Span,
    }
}

/// The fields that an owner's paths begin with.
fn valid(owner: Owner) -> &'static [&'static str] {
    match owner {
        Owner::Resource => &[
            "attributes",
            "dropped_attributes_count",
            "schema_url",
            "cache",
        ],
        Owner::Scope => &[
            "name",
            "version",
            "attributes",
            "dropped_attributes_count",
            "schema_url",
            "cache",
        ],
        Owner::Event => &[
            "time_unix_nano",
            "time",
            "name",
            "attributes",
            "dropped_attributes_count",
            "event_index",
            "cache",
        ],
        Owner::Span => &[
            "trace_id",
            "span_id",
            "trace_state",
            "parent_span_id",
            "name",
            "kind",
            "start_time_unix_nano",
            "end_time_unix_nano",
            "start_time",
            "end_time",
            "attributes",
            "dropped_attributes_count",
            "events",
            "dropped_events_count",
            "links",
            "dropped_links_count",
            "status",
            "flags",
            "cache",
        ],
    }
}

/// The field that these segments name, and how many of them do.
fn field(
    owner: Owner,
    is_own: bool,
    names: (Option<&str>, Option<&str>),
) -> Option<(Field, usize)> {
    let field = match (owner, names.0?) {
        (_, "cache") if is_own => Field::Cache,
        (_, "attributes") => Field::Attributes(owner),
        (_, "dropped_attributes_count") => Field::DroppedAttributes(owner),
        (Owner::Resource | Owner::Scope, "schema_url") => Field::SchemaUrl(owner),
        (Owner::Scope, "version") => Field::Version,
        (Owner::Scope | Owner::Span | Owner::Event, "name") => Field::Name(owner),
        (Owner::Event, "time_unix_nano") => Field::EventNanos,
        (Owner::Event, "time") => Field::EventTime,
        (Owner::Event, "event_index") => Field::EventIndex,
        (Owner::Span, name) => return span_field(name, names.1),
        _ => return None,
    };
    Some((field, 1))
}

fn span_field(name: &str, next: Option<&str>) -> Option<(Field, usize)> {
    let below = match (name, next) {
        ("trace_id", Some("string")) => Some(Field::TraceIdString),
        ("span_id", Some("string")) => Some(Field::SpanIdString),
        ("parent_span_id", Some("string")) => Some(Field::ParentSpanIdString),
        ("kind", Some("string")) => Some(Field::KindString),
        ("kind", Some("deprecated_string")) => Some(Field::KindDeprecatedString),
        ("status", Some("code")) => Some(Field::StatusCode),
        ("status", Some("message")) => Some(Field::StatusMessage),
        _ => None,
    };
    if let Some(below) = below {
        return Some((below, 2));
    }
    let field = match name {
        "trace_id" => Field::TraceId,
        "span_id" => Field::SpanId,
        "parent_span_id" => Field::ParentSpanId,
        "trace_state" => Field::TraceState,
        "kind" => Field::Kind,
        "start_time_unix_nano" => Field::StartNanos,
        "end_time_unix_nano" => Field::EndNanos,
        "start_time" => Field::StartTime,
        "end_time" => Field::EndTime,
        "events" => Field::Events,
        "dropped_events_count" => Field::DroppedEvents,
        "links" => Field::Links,
        "dropped_links_count" => Field::DroppedLinks,
        "status" => Field::Status,
        "flags" => Field::Flags,
        _ => return None,
    };
    // What may have fields of its own has those above, and no others.
    let is_known = next.is_none()
        || !matches!(
            name,
            "trace_id" | "span_id" | "parent_span_id" | "kind" | "status"
        );
    is_known.then_some((field, 1))
}
