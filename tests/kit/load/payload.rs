/*!
Captured requests made into templates: regrouped to so many spans a request,
with the places of their ids, to be copied and patched for each request sent.

Spans keep their resource and scope: a template has one `ResourceSpans` with
one `ScopeSpans` for each that its spans came under, as a batching sender has.
*/

use super::ids;
use crate::{
    Signal,
    frames::{PREFIX, fill_prefix},
    wire::{Fields, inside, put_bytes, put_message},
};
use anyhow::{Context, ensure};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use std::{fs, io::Write as _, path::Path};

/// A request without ids.
struct Template {
    /// Five bytes for gRPC's frame, then the message.
    frame: Vec<u8>,
    /// Offsets in `frame` of (trace id, span id).
    ids: Vec<(usize, usize)>,
}

/// What an item stands under: the fields around it, in wire order.
#[derive(Clone, Default, PartialEq)]
struct Surroundings {
    /// Fields of `ResourceSpans` but `scope_spans`.
    resource: Vec<u8>,
    /// Fields of `ScopeSpans` but `spans`.
    scope: Vec<u8>,
}

/// Where requests come from.
pub struct Source {
    templates: Vec<Template>,
    next: usize,
    sent: u64,
    /// Compressed requests, used in turn, since compressing each would cost
    /// the sender more than the receiver; their ids repeat.
    pool: Vec<(Bytes, u64)>,
}

/// How many compressed requests there are, at most: some 64 MiB of spans.
const POOL_SPANS: usize = 64 << 10;

impl Source {
    /// Requests of `spans` spans each made of the `.pb` files in `folder`.
    pub fn load(folder: &Path, spans: usize, gzip: bool) -> anyhow::Result<Self> {
        Self::of_items(Signal::Traces, &read(folder)?, spans, gzip)
    }

    /// Requests of `items` items each: those of [`Source::load`], or log
    /// records or metrics with nothing in them but ids.
    pub fn made(signal: Signal, folder: &Path, items: usize) -> anyhow::Result<Self> {
        match made(signal) {
            None => Self::load(folder, items, false),
            Some(item) => Self::of_items(signal, &[(Surroundings::default(), item)], items, false),
        }
    }

    fn of_items(
        signal: Signal,
        all: &[(Surroundings, Vec<u8>)],
        spans: usize,
        gzip: bool,
    ) -> anyhow::Result<Self> {
        ensure!(spans > 0, "a request needs a span");
        // As many requests as it takes to use every span equally often.
        let requests = all.len() / gcd(all.len(), spans);
        let templates = (0..requests)
            .map(|request| {
                let picked = (request * spans..(request + 1) * spans).map(|n| &all[n % all.len()]);
                template(signal, picked)
            })
            .collect::<anyhow::Result<_>>()?;
        let mut source = Self {
            templates,
            next: 0,
            sent: 0,
            pool: Vec::new(),
        };
        if gzip {
            let requests = (POOL_SPANS / spans).max(16);
            source.pool = (0..requests)
                .map(|_| source.compressed())
                .collect::<Result<_, _>>()?;
            source.next = 0;
        }
        Ok(source)
    }

    /// Whether every span sent has an id of its own.
    pub fn ids_are_unique(&self) -> bool {
        self.pool.is_empty()
    }

    /// The next request, framed for gRPC, and its number of spans. Without the
    /// first [`PREFIX`] bytes it is the body for HTTP.
    pub fn next_request(&mut self) -> (Bytes, u64) {
        if let Some(request) = self.pool.get(self.next) {
            self.next = (self.next + 1) % self.pool.len();
            return request.clone();
        }
        let (frame, spans) = self.patched();
        (frame.into(), spans)
    }

    fn patched(&mut self) -> (Vec<u8>, u64) {
        let template = &self.templates[self.next];
        self.next = (self.next + 1) % self.templates.len();
        let mut frame = template.frame.clone();
        for (trace, span) in &template.ids {
            self.sent += 1;
            frame[*trace..trace + 16].copy_from_slice(&ids::trace_id(self.sent));
            frame[*span..span + 8].copy_from_slice(&ids::span_id(self.sent));
        }
        (frame, template.ids.len() as u64)
    }

    fn compressed(&mut self) -> anyhow::Result<(Bytes, u64)> {
        let (frame, spans) = self.patched();
        let mut encoder = GzEncoder::new(vec![0; PREFIX], Compression::new(6));
        encoder.write_all(&frame[PREFIX..])?;
        let mut frame = encoder.finish()?;
        fill_prefix(1, &mut frame);
        Ok((frame.into(), spans))
    }
}

/// Every span of every file, with its surroundings.
fn read(folder: &Path) -> anyhow::Result<Vec<(Surroundings, Vec<u8>)>> {
    let shown = folder.display();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {shown}"))?;
    let mut files: Vec<_> = entries
        .map(|e| Ok(e?.path()))
        .collect::<anyhow::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|e| e == "pb"));
    files.sort();
    let mut spans = Vec::new();
    for file in files {
        let request = fs::read(&file)?;
        for resource in inside(&request, 1) {
            for scope in inside(resource, 2) {
                let place = Surroundings {
                    resource: without(resource, 2),
                    scope: without(scope, 2),
                };
                spans.extend(inside(scope, 2).map(|span| (place.clone(), span.to_vec())));
            }
        }
    }
    ensure!(!spans.is_empty(), "no spans in {shown}");
    Ok(spans)
}

/// The fields of a message but those with this number.
fn without(message: &[u8], number: u32) -> Vec<u8> {
    let kept = Fields::new(message).filter(|field| field.number != number);
    kept.flat_map(|field| field.raw).copied().collect()
}

fn template<'a>(
    signal: Signal,
    items: impl Iterator<Item = &'a (Surroundings, Vec<u8>)>,
) -> anyhow::Result<Template> {
    let mut groups: Vec<(&Surroundings, Vec<u8>)> = Vec::new();
    for (place, item) in items {
        let at = match groups.iter().position(|(known, _)| *known == place) {
            Some(at) => at,
            None => {
                groups.push((place, place.scope.clone()));
                groups.len() - 1
            }
        };
        put_bytes(2, item, &mut groups[at].1);
    }
    let mut frame = vec![0; PREFIX];
    for (place, scope_spans) in &groups {
        put_message(1, &mut frame, |out| {
            out.extend_from_slice(&place.resource);
            put_bytes(2, scope_spans, out);
        });
    }
    fill_prefix(0, &mut frame);
    let at = |part: &[u8]| part.as_ptr() as usize - frame.as_ptr() as usize;
    let ids = Signal::items(&frame[PREFIX..])
        .map(|item| {
            let (trace, id) = (signal.trace_id(item), signal.span_id(item));
            ensure!(
                trace.len() == 16 && id.len() == 8,
                "a captured span has odd ids"
            );
            Ok((at(trace), at(id)))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Template { frame, ids })
}

/// An item with room for ids and nothing else; None: spans are captured.
fn made(signal: Signal) -> Option<Vec<u8>> {
    let mut item = Vec::new();
    match signal {
        Signal::Traces => return None,
        Signal::Logs => {
            put_bytes(9, &[0; 16], &mut item);
            put_bytes(10, &[0; 8], &mut item);
        }
        Signal::Metrics => {
            put_bytes(1, b"requests", &mut item);
            put_message(5, &mut item, |gauge| {
                put_message(1, gauge, |point| {
                    put_message(5, point, |exemplar| {
                        put_bytes(4, &[0; 8], exemplar);
                        put_bytes(5, &[0; 16], exemplar);
                    });
                });
            });
        }
    }
    Some(item)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
