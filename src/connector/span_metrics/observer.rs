/*!
What sees the spans of a pipeline on one shard.

Of a span it makes the key of its series, in a buffer that it keeps, and looks that up; so a span
costs one walk over its fields and a hash, and only a new series allocates. What follows from the resource
is remembered by its id.
*/

use super::{
    Shared,
    dimensions::Encoded,
    series::Exemplar,
    settings::{Counted, Settings},
    table::{CountedResource, Table},
};
use crate::{
    pdata::{
        AnyValue,
        message::{Message, text_of},
        sampling::TraceState,
        view::messages,
        wire::{WireFields, WireValue, put_bytes},
    },
    pipeline::{DenseId, Observer, ResourceId, Resources, ScopeId, Scopes},
    random::rng,
};
use rand::{Rng as _, rngs::StdRng};
use std::sync::Arc;

/// Longer trace states are wrong, and say nothing.
const MOST_TRACE_STATE: usize = 1024;

/// What is remembered of a resource.
#[derive(Clone, Debug, Default)]
struct Known {
    /// None: it has no service name, and its spans are not counted.
    resource: Option<Arc<CountedResource>>,
    /// Its index in the table of this number.
    at: Option<(u64, u32)>,
    /// What the keys of its spans begin with.
    prefix: Vec<u8>,
    /// The values that it has for the dimensions.
    values: Vec<Option<Vec<u8>>>,
}

/// Observes spans.
pub(super) struct SpanObserver {
    shared: Arc<Shared>,
    table: Option<Table>,
    /// How many tables there were.
    number: u64,
    /// By resource.
    known: Vec<Option<Known>>,
    current: Option<ResourceId>,
    /// What the scope adds to keys.
    scope: Vec<u8>,
    key: Vec<u8>,
    sampling: Sampling,
}

/// How many spans one stands for, by the share that samplers kept.
struct Sampling {
    /// The last trace state: most spans have that of the span before.
    text: Vec<u8>,
    /// What it says, as a quotient.
    quotient: Option<(u64, u64)>,
    chance: StdRng,
}

impl Sampling {
    fn new() -> Self {
        Self {
            text: Vec::new(),
            quotient: None,
            chance: rng(),
        }
    }

    /// Returns how many spans one with this trace state stands for; None: it says nothing of
    /// that. A fraction is rounded up as often as is right on average.
    fn stands_for(&mut self, trace_state: &[u8]) -> Option<u64> {
        if trace_state.is_empty() || trace_state.len() > MOST_TRACE_STATE {
            return None;
        }
        if trace_state != self.text {
            self.text.clear();
            self.text.extend_from_slice(trace_state);
            let state = TraceState::parse(text_of(trace_state));
            self.quotient = match state.threshold() {
                Some(threshold) if !state.is_wrong => threshold.adjusted_count(),
                _ => None,
            };
        }
        let (all, kept) = self.quotient?;
        let goes_up = all % kept > 0 && self.chance.random_range(0..kept) < all % kept;
        Some(all / kept + u64::from(goes_up))
    }
}

/// What is read of a span.
#[derive(Default)]
struct SpanFields<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    trace_state: &'a [u8],
    name: &'a [u8],
    kind: u64,
    start: u64,
    end: u64,
    status: u64,
}

impl<'a> SpanFields<'a> {
    fn read(span: &'a [u8]) -> Self {
        let mut fields = Self::default();
        for field in WireFields::new(span) {
            match (field.number, field.value) {
                (1, WireValue::Len(id)) => fields.trace_id = id,
                (2, WireValue::Len(id)) => fields.span_id = id,
                (3, WireValue::Len(state)) => fields.trace_state = state,
                (5, WireValue::Len(name)) => fields.name = name,
                (6, WireValue::Varint(kind)) => fields.kind = kind,
                (7, WireValue::Fixed64(start)) => fields.start = start,
                (8, WireValue::Fixed64(end)) => fields.end = end,
                (15, WireValue::Len(status)) => fields.status = Message(status).number(3),
                _ => {}
            }
        }
        fields
    }

    fn exemplar(&self, duration: f64) -> Option<Exemplar> {
        Some(Exemplar {
            trace_id: self.trace_id.try_into().ok()?,
            span_id: self.span_id.try_into().ok()?,
            duration,
        })
    }
}

impl SpanObserver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            table: None,
            number: 0,
            known: Vec::new(),
            current: None,
            scope: Vec::new(),
            key: Vec::new(),
            sampling: Sampling::new(),
        }
    }
}

/// Returns what is to be remembered of a resource.
fn read_resource(payload: &[u8], settings: &Settings, encoded: &Encoded) -> Known {
    let attributes = || messages(payload, 1);
    let named = |name: &str| {
        let mut attributes = attributes();
        attributes.find(|pair| Message(pair).text(1) == name)
    };
    let Some(service) = named("service.name") else {
        return Known::default();
    };
    let service = match Message(service).any(2) {
        AnyValue::String(name) => name,
        _ => "",
    };
    let mut prefix = Vec::new();
    encoded.put_resource(service.as_bytes(), &mut prefix);
    let value_of = |name: &str| named(name).map(|pair| Message(pair).bytes(2).to_vec());
    let dimensions = settings.dimensions.iter();
    let values = dimensions
        .map(|dimension| value_of(&dimension.name))
        .collect();
    let counts = |pair: &&[u8]| {
        let keys = &settings.resource_key;
        keys.is_empty() || keys.iter().any(|key| Message(pair).text(1) == key)
    };
    // The order of attributes says nothing.
    let mut pairs: Vec<_> = attributes().filter(counts).collect();
    pairs.sort_unstable();
    let mut key = Vec::new();
    for pair in pairs {
        put_bytes(1, pair, &mut key);
    }
    Known {
        resource: Some(Arc::new(CountedResource {
            key: key.into(),
            payload: payload.into(),
        })),
        at: None,
        prefix,
        values,
    }
}

impl Observer for SpanObserver {
    fn enter(
        &mut self,
        (resource, scope): (ResourceId, ScopeId),
        (resources, scopes): (&Resources, &Scopes),
    ) {
        let shared = &*self.shared;
        let at = resource.index();
        if at >= self.known.len() {
            self.known.resize(at + 1, None);
        }
        self.current = Some(resource);
        self.known[at].get_or_insert_with(|| {
            let payload = &resources.get(resource).payload;
            read_resource(payload, &shared.settings, &shared.encoded)
        });
        self.scope.clear();
        if !shared.settings.scopes.is_empty() {
            let scope = Message(&scopes.get(scope).payload);
            let name = scope.text(1);
            if !name.is_empty() && shared.settings.scopes.iter().any(|scope| scope == name) {
                (shared.encoded).put_scope(name, scope.text(2), &mut self.scope);
            }
        }
    }

    fn observe(&mut self, span: &[u8]) {
        let shared = &*self.shared;
        let (settings, encoded) = (&shared.settings, &shared.encoded);
        let known = self.current.and_then(|id| self.known.get_mut(id.index()));
        let Some(known) = known.and_then(Option::as_mut) else {
            return;
        };
        let Some(resource) = &known.resource else {
            return;
        };
        let table = self.table.get_or_insert_with(|| {
            self.number += 1;
            Table::new()
        });
        let at = match known.at {
            Some((number, at)) if number == self.number => at,
            _ => table.resource(resource, shared),
        };
        known.at = Some((self.number, at));
        let fields = SpanFields::read(span);
        let duration = fields.end.saturating_sub(fields.start) as f64 / settings.unit.nanoseconds();
        let adjusted = self.sampling.stands_for(fields.trace_state);
        let spans = adjusted.unwrap_or(1);
        let key = &mut self.key;
        key.clear();
        key.extend_from_slice(&known.prefix);
        let own = (fields.name, fields.kind, fields.status);
        encoded.put_span(own, adjusted.is_some(), key);
        key.extend_from_slice(&self.scope);
        let common = key.len();
        for (number, meter) in settings.meters.iter().enumerate() {
            let mut count = |event: Option<&[u8]>| {
                key.truncate(common);
                for dimension in &meter.dimensions {
                    put_dimension(*dimension, (span, event), known, (settings, encoded), key);
                }
                let (series, is_known) = table.series((at, number as u8, key), shared);
                series.record(duration, spans, settings.bounds());
                if is_known && series.exemplars.len() < settings.most_exemplars {
                    series.exemplars.extend(fields.exemplar(duration));
                }
            };
            match meter.counts {
                Counted::Events => messages(span, 11).for_each(|event| count(Some(event))),
                Counted::Calls | Counted::Durations | Counted::Both => count(None),
            }
        }
    }

    fn publish(&mut self) -> bool {
        let Some(table) = self.table.take() else {
            return true;
        };
        match self.shared.inbox.push(table) {
            Ok(()) => true,
            Err(table) => {
                self.table = Some(table);
                false
            }
        }
    }

    fn forget(&mut self) {
        self.known.clear();
        self.current = None;
    }
}

/// Appends a dimension of the file, where the span, its event or its resource has it, or it has
/// a default.
fn put_dimension(
    dimension: usize,
    (span, event): (&[u8], Option<&[u8]>),
    known: &Known,
    (settings, encoded): (&Settings, &Encoded),
    key: &mut Vec<u8>,
) {
    let (Some(declared), Some((name, default))) = (
        settings.dimensions.get(dimension),
        encoded.named.get(dimension),
    ) else {
        return;
    };
    let find = |message, number| {
        let mut pairs = messages(message, number);
        let is_it = |pair: &&[u8]| Message(pair).bytes(1) == declared.name.as_bytes();
        pairs.find(is_it).map(|pair| Message(pair).bytes(2))
    };
    let of_span = find(span, 9);
    let of_event = || event.and_then(|event| find(event, 3));
    let of_resource = || known.values.get(dimension)?.as_deref();
    let value = of_span
        .or_else(of_event)
        .or_else(of_resource)
        .or(default.as_deref());
    if let Some(value) = value {
        name.put(value, key);
    }
}
