/*!
A connection as a span.
*/

use super::{Connection, Direction, FieldValue, ids::Hash, names};
use crate::mesh::key;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::{
        Span, Status,
        span::{Link, SpanKind},
        status::StatusCode,
    },
};

/// The port of ztunnel's own tunnels, behind which the real one is named.
const HBONE: &str = "15008";

impl Connection {
    /// Returns the span of this connection. Its service name and Istio's tags
    /// are the rules' business.
    pub fn span(&self) -> Span {
        let length = u64::try_from(self.duration.as_nanos()).unwrap_or(u64::MAX);
        let ids = self.ids();
        let mut attributes = Vec::with_capacity(self.fields.len() + 4);
        // `error` is a flag in spans; ztunnel's text is the status's message.
        let fields = self.fields.iter().filter(|(name, _)| *name != "error");
        attributes.extend(fields.map(|(name, value)| match value {
            FieldValue::Text(text) => attribute(name, any_value::Value::StringValue(text.clone())),
            FieldValue::Int(n) => attribute(name, any_value::Value::IntValue(*n)),
        }));
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                let value = any_value::Value::StringValue(value.to_owned());
                attributes.push(attribute(name, value));
            }
        };
        add(key::SYNTHETIC, Some("true"));
        let (own_cluster, peer) = match self.direction {
            Direction::Outbound => ("src.cluster", "dst.addr"),
            Direction::Inbound => ("dst.cluster", "src.addr"),
        };
        add(key::CLUSTER_ID, self.text(own_cluster));
        // By this Kiali shows the span as TCP.
        add("peer.address", self.text(peer));
        add("error", self.error.is_some().then_some("true"));
        Span {
            trace_id: ids.trace_id().to_vec(),
            span_id: ids.span_id().to_vec(),
            name: self.name(),
            kind: match self.direction {
                Direction::Outbound => SpanKind::Client,
                Direction::Inbound => SpanKind::Server,
            }
            .into(),
            // Kiali drops spans that start at 0.
            start_time_unix_nano: self.end.saturating_sub(length).max(1),
            end_time_unix_nano: self.end,
            attributes,
            links: self
                .linked
                .iter()
                .map(|linked| Link {
                    trace_id: linked.trace_id.to_vec(),
                    span_id: linked.span_id.to_vec(),
                    ..Link::default()
                })
                .collect(),
            status: self.error.as_ref().map(|message| Status {
                message: message.clone(),
                code: StatusCode::Error.into(),
            }),
            ..Span::default()
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.fields.get(name) {
            Some(FieldValue::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// `host:port` of the destination, as Envoy names spans and Kiali reads
    /// them: the service, else the workload, else the address.
    fn name(&self) -> String {
        let (target, address) = (self.text("dst.hbone_addr"), self.text("dst.addr"));
        let split = |address: &'_ str| -> (String, Option<String>) {
            match address.rsplit_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port.to_owned())),
                None => (address.to_owned(), None),
            }
        };
        let (address, port) = target
            .map(split)
            .or_else(|| {
                let (host, port) = split(address?);
                Some((host, port.filter(|port| port != HBONE)))
            })
            .unwrap_or_default();
        // Through a gateway the target is a service's host name.
        let is_name = address.contains(|c: char| c.is_ascii_alphabetic()) && !address.contains(':');
        let host = match self.text("dst.service") {
            Some(service) => service.to_owned(),
            None if is_name => address,
            None => match self.text("dst.workload").zip(self.text("dst.namespace")) {
                Some((pod, namespace)) => format!("{}.{namespace}", names::workload(pod)),
                None => address,
            },
        };
        match (host.is_empty(), port) {
            (true, _) => "connection".to_owned(),
            (false, Some(port)) => format!("{host}:{port}"),
            (false, None) => host,
        }
    }

    fn ids(&self) -> Hash {
        let mut hash = Hash::default();
        hash.add(&self.end.to_le_bytes());
        for (name, value) in &self.fields {
            hash.add(name.as_bytes());
            match value {
                FieldValue::Text(text) => hash.add(text.as_bytes()),
                FieldValue::Int(n) => hash.add(n.to_string().as_bytes()),
            }
        }
        hash
    }
}

fn attribute(name: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
