/*!
Captured requests made into templates: regrouped to so many spans a request,
with the places of their ids, to be copied and patched for each request sent.

Spans keep their resource and scope: a template has one `ResourceSpans` with
one `ScopeSpans` for each that its spans came under, as a batching sender has.
*/

use crate::{ids, walk};
use anyhow::{Context, ensure};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use std::{fs, io::Write as _, path::Path};
use wayspan::pdata::wire::{Fields, put_bytes, put_message};

/// A request without ids.
struct Template {
    /// Five bytes for gRPC's frame, then the message.
    frame: Vec<u8>,
    /// Offsets in `frame` of (trace id, span id).
    ids: Vec<(usize, usize)>,
}

/// The frame's header: flag and length.
pub const PREFIX: usize = 5;

/// What a span stands under: the fields around `spans`, in wire order.
#[derive(Clone, PartialEq)]
struct Place {
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
        ensure!(spans > 0, "a request needs a span");
        let captured = read(folder)?;
        let all: Vec<&(Place, Vec<u8>)> = captured.iter().collect();
        // As many requests as it takes to use every span equally often.
        let requests = all.len() / gcd(all.len(), spans);
        let templates = (0..requests)
            .map(|request| {
                let picked = (request * spans..(request + 1) * spans).map(|n| all[n % all.len()]);
                template(picked)
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
    pub fn next(&mut self) -> (Bytes, u64) {
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
        let frame = close_frame(encoder.finish()?, true)?;
        Ok((frame.into(), spans))
    }
}

/// Every span of every file, with its surroundings.
fn read(folder: &Path) -> anyhow::Result<Vec<(Place, Vec<u8>)>> {
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
        for resource in walk::resource_spans(&request) {
            for scope in walk::scope_spans(resource) {
                let place = Place {
                    resource: without(resource, 2),
                    scope: without(scope, 2),
                };
                spans.extend(walk::spans(scope).map(|span| (place.clone(), span.to_vec())));
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

fn template<'a>(spans: impl Iterator<Item = &'a (Place, Vec<u8>)>) -> anyhow::Result<Template> {
    let mut groups: Vec<(&Place, Vec<u8>)> = Vec::new();
    for (place, span) in spans {
        let at = match groups.iter().position(|(known, _)| *known == place) {
            Some(at) => at,
            None => {
                groups.push((place, place.scope.clone()));
                groups.len() - 1
            }
        };
        put_bytes(2, span, &mut groups[at].1);
    }
    let mut frame = vec![0; PREFIX];
    for (place, scope_spans) in &groups {
        put_message(1, &mut frame, |out| {
            out.extend_from_slice(&place.resource);
            put_bytes(2, scope_spans, out);
        });
    }
    let frame = close_frame(frame, false)?;
    let at = |part: &[u8]| part.as_ptr() as usize - frame.as_ptr() as usize;
    let ids = walk::all_spans(&frame[PREFIX..])
        .map(|span| {
            let (trace, id) = (walk::trace_id(span), walk::span_id(span));
            ensure!(
                trace.len() == 16 && id.len() == 8,
                "a captured span has odd ids"
            );
            Ok((at(trace), at(id)))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Template { frame, ids })
}

/// Fills in the frame's header.
fn close_frame(mut frame: Vec<u8>, compressed: bool) -> anyhow::Result<Vec<u8>> {
    let length = u32::try_from(frame.len() - PREFIX)?;
    frame[0] = u8::from(compressed);
    frame[1..PREFIX].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
