/*!
From raw types to the checked configuration.

Pipelines come first: they say which components are used. A component that no
pipeline uses is still read, so that its mistakes show, but nothing is
built from it and what wayspan lacks may stand in it.
*/

mod auth;
mod components;
mod exporters;
mod extensions;
mod kiali;
mod pipelines;
mod processors;
mod receivers;
mod storage;
mod telemetry;
mod tls;

use super::{
    checked::{Config, Exporter, Id, Pipeline, Receiver},
    de,
    de::{Field, unknown_key},
    diagnostic::{Diagnostic, Report, Spot},
    inspect::{Guard, Inspect},
    memory,
    node::Node,
    raw, scalar,
    source::Environment,
};
use components::{Component, Section};
use std::{cell::RefCell, net::SocketAddr, time::Duration};

/// Checks a merged and expanded tree. None when it cannot be used; the report
/// then has errors. It may have errors with a value too.
pub(super) fn check(
    root: &Node,
    env: &dyn Environment,
    inspect: Option<Inspect<'_>>,
    report: &Report,
) -> Option<Config> {
    const SECTIONS: [&str; 6] = [
        "receivers",
        "processors",
        "exporters",
        "connectors",
        "extensions",
        "service",
    ];
    for (key, node) in root.entries() {
        if !SECTIONS.contains(&key.as_str()) {
            report.error(unknown_key(key, node, "", &SECTIONS));
        }
    }
    let cx = Context {
        report,
        env,
        inspect,
        listeners: RefCell::default(),
        memory: memory::available(),
    };
    let service = Service::read(root, &cx);
    let receivers = Section::read("receiver", root, &cx);
    let processors = Section::read("processor", root, &cx);
    let exporters = Section::read("exporter", root, &cx);
    let extensions = Section::read("extension", root, &cx);
    let connectors = Section::read("connector", root, &cx);

    let drafts = pipelines::drafts(service.pipelines, &cx);
    for draft in &drafts {
        receivers.use_all(&draft.receivers);
        processors.use_all(&draft.processors);
        exporters.use_all(&draft.exporters);
    }
    connectors.refuse(
        drafts
            .iter()
            .flat_map(|d| d.receivers.iter().chain(&d.exporters)),
        &cx,
    );

    let served = extensions::check(&extensions, service.extensions, &cx);
    let authenticators = auth::Authenticators::read(&extensions, &cx);
    let storages = storage::Storages::read(&extensions, &cx);
    let built_receivers: Vec<Built<Receiver>> = build(&receivers, &cx, |component, cx| {
        receivers::check(component, &authenticators, cx)
    });
    let built_processors = build(&processors, &cx, processors::check);
    let built_exporters: Vec<Built<Exporter>> = build(&exporters, &cx, |component, cx| {
        exporters::check(component, &authenticators, &storages, cx)
    });
    let telemetry = telemetry::check(service.telemetry, &cx);

    let memory_limit = processors::memory_limit(&built_processors)
        .unwrap_or_else(|| memory::default_limit(cx.memory));
    let pipelines: Vec<Pipeline> = drafts
        .iter()
        .filter_map(|draft| {
            draft.resolve(
                (&receivers, &built_receivers),
                (&processors, &built_processors),
                (&exporters, &built_exporters),
                &cx,
            )
        })
        .collect();
    if drafts.is_empty() && !report.has_errors() {
        report.error(no_pipeline(
            service.pipelines.or(service.node).unwrap_or(root),
        ));
    }
    let stored = storages.used();
    let wayspan = service.wayspan;
    let gather = gather(wayspan.gather, !stored.is_empty(), &cx);
    Some(Config {
        receivers: built_receivers.into_iter().map(|b| b.value).collect(),
        exporters: built_exporters.into_iter().map(|b| b.value).collect(),
        pipelines,
        health_check: served.health_check,
        zpages: served.zpages,
        storages: stored,
        telemetry,
        memory_limit,
        shards: shards(wayspan.shards, &cx),
        gather,
        drain_timeout: wayspan
            .drain_timeout
            .value
            .map_or(Duration::from_secs(25), |d| d.0),
        warnings: Vec::new(),
    })
}

/// Longer waits would be felt by senders, and gain nothing more. With a segment
/// log answers are later by the write: less, so that they still take under 5 ms.
fn gather(field: Field<scalar::GoDuration>, stored: bool, cx: &Context<'_>) -> Duration {
    const MOST: Duration = Duration::from_millis(100);
    let default = Duration::from_millis(if stored { 3 } else { 5 });
    let gather = field.value.map_or(default, |d| d.0);
    if let Some(spot) = field.spot.filter(|_| gather > MOST) {
        cx.report
            .error_at(spot, "at most 100ms, since answers come that much later");
    }
    gather.min(MOST)
}

fn shards(field: Field<u16>, cx: &Context<'_>) -> Option<usize> {
    const MOST: u16 = 256;
    let shards = field.value.filter(|&n| n > 0)?;
    if let Some(spot) = field.spot.filter(|_| shards > MOST) {
        cx.report
            .error_at(spot, &format!("at most {MOST}, which is a thread each"));
    }
    Some(usize::from(shards))
}

/// A component that a pipeline uses, checked, and its index in its section.
struct Built<T> {
    component: usize,
    value: T,
}

fn build<'n, T>(
    section: &Section<'n>,
    cx: &Context<'n>,
    check: impl Fn(&Component<'n>, &Context<'n>) -> Option<T>,
) -> Vec<Built<T>> {
    let components = section.components.iter().enumerate();
    components
        .filter_map(|(i, component)| {
            let value = check(component, cx)?;
            component.used.get().then_some(Built {
                component: i,
                value,
            })
        })
        .collect()
}

/// What every check needs.
struct Context<'n> {
    report: &'n Report,
    env: &'n dyn Environment,
    inspect: Option<Inspect<'n>>,
    /// Addresses taken so far.
    listeners: RefCell<Vec<Listener>>,
    /// Bytes of memory this process may use.
    memory: Option<u64>,
}

/// An address to listen on, by what, and where that was written, if it was.
struct Listener {
    address: SocketAddr,
    owner: String,
    spot: Option<Spot>,
}

impl Listener {
    fn takes(&self, address: SocketAddr) -> bool {
        let other = self.address;
        // Port 0 is a different port every time.
        address.port() != 0
            && other.port() == address.port()
            && (other.ip() == address.ip()
                || other.ip().is_unspecified()
                || address.ip().is_unspecified())
            && other.is_ipv4() == address.is_ipv4()
    }
}

impl Context<'_> {
    /// The address to listen on of `field`, or of `default`. Reports what is
    /// wrong with it, and an address that is taken: there, else at `at`.
    fn listener(
        &self,
        field: &Field<String>,
        default: &str,
        (owner, at): (&str, Option<Spot>),
    ) -> Option<SocketAddr> {
        let text = field.as_ref().map_or(default, |text| text.as_str());
        match scalar::listen_address(text, self.env) {
            Ok(address) => {
                self.listen(address, owner, field.spot.or(at));
                Some(address)
            }
            Err(message) => {
                self.complain(field.spot.or(at), owner, &message);
                None
            }
        }
    }

    fn listen(&self, address: SocketAddr, owner: &str, spot: Option<Spot>) {
        let mut listeners = self.listeners.borrow_mut();
        if let Some(other) = listeners.iter().find(|other| other.takes(address)) {
            match (spot, other.spot) {
                // A default has no place; what meets it has.
                (None, Some(place)) => {
                    let message = format!("{address} is also that of {owner}, by default");
                    self.report.error_at(place, &message);
                }
                _ => {
                    let message = format!("{address} is already used by {}", other.owner);
                    self.complain(spot, owner, &message);
                }
            }
        }
        listeners.push(Listener {
            address,
            owner: owner.to_owned(),
            spot,
        });
    }

    /// Has the files of a guard looked at. What is wrong is reported at the one
    /// of `keys` that the message begins with, else at `at`.
    fn inspect(&self, guard: Guard<'_>, keys: &[(&str, Option<Spot>)], at: Spot) {
        let Some(Err(message)) = self.inspect.map(|inspect| inspect(guard)) else {
            return;
        };
        let found = keys.iter().find_map(|(key, spot)| {
            let rest = message.strip_prefix(key)?;
            let rest = rest.strip_prefix([' ', ':'])?;
            Some(((*spot)?, rest.trim_start()))
        });
        match found {
            Some((spot, rest)) => self.report.error_at(spot, rest),
            None => self.report.error_at_key(at, &message, ""),
        }
    }

    fn complain(&self, spot: Option<Spot>, owner: &str, message: &str) {
        match spot {
            Some(spot) => self.report.error_at(spot, message),
            None => self
                .report
                .error(Diagnostic::nowhere(format!("{owner}: {message}"))),
        }
    }
}

/// The `service` section.
struct Service<'n> {
    node: Option<&'n Node>,
    pipelines: Option<&'n Node>,
    extensions: Field<Vec<Field<String>>>,
    telemetry: raw::service::Telemetry,
    wayspan: raw::service::Wayspan,
}

impl<'n> Service<'n> {
    fn read(root: &'n Node, cx: &Context<'n>) -> Self {
        let node = root.get("service");
        let keys = ["extensions", "pipelines", "telemetry", "wayspan"];
        if let Some(node) = node.filter(|n| !n.is_null() && n.entries().is_empty()) {
            let message = format!("service: expected a map, found {}", node.describe());
            cx.report.error(Diagnostic::at(node.place, message));
        }
        for (key, node) in node.map_or(&[][..], Node::entries) {
            if !keys.contains(&key.as_str()) {
                cx.report.error(unknown_key(key, node, "service", &keys));
            }
        }
        let get = |key| node.and_then(|n| n.get(key));
        Self {
            node,
            pipelines: get("pipelines"),
            extensions: get("extensions")
                .and_then(|n| de::read(n, "service.extensions", true, cx.report))
                .unwrap_or_default(),
            telemetry: get("telemetry")
                .and_then(|n| de::read(n, "service.telemetry", true, cx.report))
                .unwrap_or_default(),
            wayspan: get("wayspan")
                .and_then(|n| de::read(n, "service.wayspan", true, cx.report))
                .unwrap_or_default(),
        }
    }
}

fn no_pipeline(at: &Node) -> Diagnostic {
    let message = "service.pipelines has no pipeline, so there is nothing to run";
    Diagnostic::at_key(at.place, message)
        .help("add service.pipelines.traces with receivers, processors and exporters")
}

/// Parses `type` or `type/name`; what is wrong otherwise.
fn parse_id(text: &str) -> Result<Id, String> {
    let (kind, name) = match text.split_once('/') {
        Some((kind, name)) => (kind.trim(), Some(name.trim())),
        None => (text.trim(), None),
    };
    let valid_kind = kind.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let valid_name = name.is_none_or(|name| {
        !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control())
    });
    if valid_kind && valid_name {
        Ok(Id {
            kind: kind.to_owned(),
            name: name.map(str::to_owned),
        })
    } else {
        Err(format!(
            "\"{}\" is not an id such as otlp or otlp/name",
            super::node::shorten(text)
        ))
    }
}
