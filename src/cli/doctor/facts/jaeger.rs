/*! What was seen of a Jaeger, by each address that leads to it. */

use super::{Answer, Failure, traces::Traces};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct JaegerAddress {
    pub(crate) url: String,
    /// Is true for the address in Kiali's configuration.
    pub(crate) is_kialis: bool,
    pub(crate) http: Answer<HttpSeen>,
    /// The services that it holds.
    pub(crate) grpc: Answer<Vec<String>>,
    /// The same address with the other scheme, where a Jaeger answers that and not this.
    pub(crate) other_scheme: Option<String>,
    /// Of the names that pages ask for, those that have spans of late.
    pub(crate) recent: BTreeMap<String, Recent>,
    /// What became of the traces that were returned for a page, by its title.
    pub(crate) pages: BTreeMap<String, Shown>,
    /// How many of the names that are held were not searched for, being too many.
    pub(crate) unsearched: usize,
    /// Why a search failed, if one did.
    pub(crate) search_failure: Option<Failure>,
    pub(crate) traces: Traces,
}

/// What was answered over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HttpSeen {
    /// The status of `/api/services` below the URL.
    pub(crate) status: u16,
    /// The services in its answer; None: it is not what Kiali expects.
    pub(crate) services: Option<Vec<String>>,
    /// The path before `/api/services` by which they are to be had.
    pub(crate) base: Option<String>,
    /// Jaeger's newer API answers.
    pub(crate) has_v3: bool,
    /// The version that the page of its user interface says.
    pub(crate) version: Option<String>,
}

/// Spans of a service in the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Recent {
    #[default]
    None,
    /// There are some, and none with the tags that Kiali asks for.
    Untagged,
    /// The same, and they are of another cluster, which this is.
    OfCluster(String),
    Some,
}

/// What Kiali does with the traces that its search returns for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shown {
    /// It shows some.
    Some,
    /// It drops all of them, though some go to what the page is of.
    Dropped,
    /// It drops all of them, and none tells that it goes there.
    OfOthers,
}

impl HttpSeen {
    /// Returns true if what was answered is a Jaeger's.
    pub(crate) fn is_jaegers(&self) -> bool {
        self.services.is_some() || self.base.is_some() || self.has_v3
    }

    /// Returns true if credentials are wanted, so that nothing can be told.
    pub(crate) fn is_closed(&self) -> bool {
        !self.is_jaegers() && matches!(self.status, 401 | 403)
    }
}

impl JaegerAddress {
    /// Returns true if a Jaeger answers in some way.
    pub(crate) fn is_jaeger(&self) -> bool {
        self.grpc.got().is_some() || self.speaks_http()
    }

    /// Returns true if a Jaeger answers over HTTP.
    pub(crate) fn speaks_http(&self) -> bool {
        self.http.got().is_some_and(HttpSeen::is_jaegers)
    }

    /// Returns the services that it holds, by either way of asking.
    pub(crate) fn services(&self) -> Option<&[String]> {
        let of_http = || self.http.got()?.services.as_deref();
        self.grpc.got().map(Vec::as_slice).or_else(of_http)
    }
}
