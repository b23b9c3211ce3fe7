/*!
What a shard does with a request between receiver and exporter, made of the
crate's public parts: admit, mesh processor, batch. Benches and the allocation
test share it.
*/

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
    time::Duration,
};
use wayspan::{
    config,
    mesh::{
        Current, Directory, Knowledge, Settings,
        directory::{AppLabels, NamespaceRecord, PodRecord, ServiceRecord},
    },
    pdata::{Edits, Index, Keys, Signal, admit, write_span},
    pipeline::{
        Decision, Markers, Processor, ResourceId, Resources, ScopeId, Scopes, Span,
        batch::{Batch, Sealed, header_bytes},
        markers,
    },
    processor::mesh::Mesh,
};

/// Who sends: a Pod, where Kubernetes is watched.
pub const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 0, 7));

/// The captured requests of a folder below `tests/fixtures`.
pub fn captured(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// The state of one pipeline on one shard.
pub struct Shard {
    pub keys: Keys,
    pub index: Index,
    pub mesh: Mesh,
    pub resources: Resources,
    pub scopes: Scopes,
    pub batch: Batch,
    edits: Edits,
    markers: Markers,
    marker_scope: Vec<u8>,
}

impl Shard {
    /// Default settings, as when no file is given.
    pub fn new() -> Self {
        Self::with(&Settings::default())
    }

    /// With these settings of the mesh processor.
    pub fn with(settings: &Settings) -> Self {
        Self::knowing(settings, Knowledge::of(settings))
    }

    /// The same where Kubernetes is watched: a thousand Pods and Services, the
    /// sender's among them.
    pub fn watching() -> Self {
        let labels = |app: String| Arc::new([("app".to_owned(), app)].into());
        let pods = (0..1000u16).map(|n| PodRecord {
            namespace: "bookinfo".to_owned(),
            name: format!("app-{n}-x"),
            addresses: vec![match n {
                0 => PEER,
                n => IpAddr::from([10, 245, n.to_be_bytes()[0], n.to_be_bytes()[1]]),
            }],
            labels: labels(format!("App-{n}")),
            ..PodRecord::default()
        });
        let services = (0..1000).map(|n| ServiceRecord {
            namespace: "bookinfo".to_owned(),
            name: format!("app-{n}"),
            selector: labels(format!("App-{n}")),
            ..ServiceRecord::default()
        });
        let namespaces: [NamespaceRecord; 0] = [];
        let directory = Directory::build(pods, services, namespaces, &AppLabels::default());
        let settings = Settings::default();
        let knowledge = Knowledge {
            directory: Arc::new(directory),
            ..Knowledge::of(&settings)
        };
        Self::knowing(&settings, knowledge)
    }

    fn knowing(settings: &Settings, knowledge: Knowledge) -> Self {
        let mut keys = Keys::default();
        let current = Current::new(knowledge);
        let mesh = Mesh::new(settings, &current, &mut keys);
        let id = config::Id {
            kind: "batch".to_owned(),
            name: None,
        };
        let batch = Batch::new(&config::Batch {
            id,
            spans: 8192,
            bytes: 3 << 20,
            timeout: Duration::from_millis(200),
            max_spans: 0,
        });
        Self {
            keys,
            index: Index::default(),
            mesh,
            resources: Resources::default(),
            scopes: Scopes::default(),
            batch,
            edits: Edits::default(),
            markers: Markers::default(),
            marker_scope: markers::scope(),
        }
    }

    /// Takes a whole request; `sealed` gets every batch that became full.
    pub fn take(&mut self, request: &[u8], mut sealed: impl FnMut(Sealed)) {
        let admitted = admit(Signal::Traces, request, &self.keys, &mut self.index).unwrap();
        self.mesh.begin(Some(PEER));
        let mut index = std::mem::take(&mut self.index);
        self.each(&admitted.bytes, &index, |shard, span, resource, scope| {
            shard.append(span, resource, scope, &mut sealed);
        });
        index.clear();
        self.index = index;
    }

    /// Calls `act` for every span with its interned surroundings.
    pub fn each(
        &mut self,
        request: &[u8],
        index: &Index,
        mut act: impl FnMut(&mut Self, Span<'_>, ResourceId, ScopeId),
    ) {
        for entry in &index.resources {
            let resource = self.resources.intern(
                entry.resource.of(request),
                entry.schema_url.of(request),
                entry.rest.of(request),
            );
            for entry in &index.items[entry.first_item as usize..entry.end_item as usize] {
                let at = &index.scopes[entry.scope as usize];
                let scope = self.scopes.intern(
                    at.scope.of(request),
                    at.schema_url.of(request),
                    at.rest.of(request),
                );
                let span = Span {
                    request,
                    index,
                    entry,
                };
                act(self, span, resource, scope);
            }
        }
    }

    /// What the mesh processor says about a span; give the edits back with
    /// [`Shard::done`].
    pub fn decide(&mut self, span: &Span<'_>, resource: ResourceId) -> Decision {
        let mut decision = Decision {
            resource,
            edits: std::mem::take(&mut self.edits),
            drop: false,
            markers: std::mem::take(&mut self.markers),
        };
        decision.edits.clear();
        decision.markers.clear();
        self.mesh.process(span, &mut self.resources, &mut decision);
        decision
    }

    /// Keeps the scratch of a decision.
    pub fn done(&mut self, decision: Decision) {
        self.edits = decision.edits;
        self.markers = decision.markers;
    }

    fn append(
        &mut self,
        span: Span<'_>,
        resource: ResourceId,
        scope: ScopeId,
        sealed: &mut impl FnMut(Sealed),
    ) {
        let mut decision = self.decide(&span, resource);
        let bytes = span.entry.bytes.of(span.request);
        let expected = bytes.len() + decision.edits.added_bytes();
        let (edits, markers) = (&decision.edits, &mut decision.markers);
        let full = self.put(decision.resource, scope, expected, |out| {
            let before = out.len();
            write_span(bytes, edits, out);
            markers.write(&out[before..]);
        });
        full.into_iter().for_each(&mut *sealed);
        if markers.is_empty() {
            return self.done(decision);
        }
        let scope = self.scopes.intern(&self.marker_scope, b"", b"");
        for (resource, marker) in markers.written() {
            let put = |out: &mut Vec<u8>| out.extend_from_slice(marker);
            let full = self.put(resource, scope, marker.len(), put);
            full.into_iter().for_each(&mut *sealed);
        }
        self.done(decision);
    }

    fn put(
        &mut self,
        resource: ResourceId,
        scope: ScopeId,
        expected: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Sealed> {
        let headers = header_bytes(self.resources.get(resource), self.scopes.get(scope));
        let full = self.batch.must_seal_before(expected, headers);
        let sealed = if full { self.seal() } else { None };
        let out = self.batch.group(resource, scope);
        let before = out.len();
        write(out);
        let written = out.len() - before;
        self.batch.appended(written, headers);
        sealed
    }

    /// Ends the open batch.
    pub fn seal(&mut self) -> Option<Sealed> {
        self.batch.seal(&self.resources, &self.scopes)
    }
}
