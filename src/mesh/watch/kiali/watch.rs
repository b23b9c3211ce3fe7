/*!
Reads and follows the objects that hold Kiali's configuration, and Istio's for the
trust domain.
*/

use super::{
    KialiFollower,
    documents::{self, ReadDocument},
    object::{self, Observed, PAUSES, Unread},
};
use crate::{
    backoff::Backoff,
    mesh::{
        KialiSource, ObjectName,
        watch::{client, resource::Resource},
    },
};
use futures_util::future;
use kube::Client;
use serde_json::Value;
use std::convert::Infallible;
use tokio::{sync::Notify, time::sleep};

/// An object with Kiali's configuration in it.
#[derive(Clone, Copy)]
struct Document<'a> {
    resource: Resource,
    name: &'a ObjectName,
    parse: fn(&Value) -> Result<ReadDocument, String>,
}

impl<'a> Document<'a> {
    /// None where Kiali is asked itself.
    fn of(source: &'a KialiSource) -> Option<Self> {
        let (resource, name, parse): (_, _, fn(&Value) -> _) = match source {
            KialiSource::ConfigMap(name) => (Resource::ConfigMaps, name, documents::config_map),
            KialiSource::CustomResource(name) => {
                (Resource::Kialis, name, documents::custom_resource)
            }
            KialiSource::Url(_) | KialiSource::Discovery => return None,
        };
        Some(Self {
            resource,
            name,
            parse,
        })
    }
}

/// Follows the object that `source` names, for ever.
pub(super) async fn run(follower: &KialiFollower, source: &KialiSource) {
    let client = client(follower).await;
    let kiali = async {
        if let Some(document) = Document::of(source) {
            follow_document(follower, &client, document, |cause| follower.failed(&cause)).await;
        }
    };
    future::join(kiali, trust_domain(follower, &client)).await;
}

/// Follows the object that `source` names until it is gone or may not be read any
/// more.
pub(super) async fn follow_until_lost(
    follower: &KialiFollower,
    client: &Client,
    source: &KialiSource,
) {
    let lost = Notify::new();
    if let Some(document) = Document::of(source) {
        tokio::select! {
            never = follow_document(follower, client, document, |_| lost.notify_one()) => match never {},
            () = lost.notified() => {}
        }
    }
}

/// Reads the object that `source` names, once.
pub(super) async fn read(client: &Client, source: &KialiSource) -> Result<ReadDocument, Unread> {
    let Some(document) = Document::of(source) else {
        return Err(Unread::Refused("it is no object".to_owned()));
    };
    let object = object::read(client, document.resource, document.name).await?;
    (document.parse)(&object).map_err(Unread::Refused)
}

/// Returns a client, once one can be made.
pub(super) async fn client(follower: &KialiFollower) -> Client {
    let [first, longest] = PAUSES;
    let mut backoff = Backoff::doubling(first, longest);
    loop {
        let config = client::config(&follower.kubernetes).await;
        match config.and_then(client::client) {
            Ok(client) => return client,
            Err(cause) => follower.failed(&cause.to_string()),
        }
        sleep(backoff.next_wait()).await;
    }
}

/// Follows an object; `lost` is called when it cannot be listed, or is gone.
async fn follow_document(
    follower: &KialiFollower,
    client: &Client,
    document: Document<'_>,
    lost: impl Fn(String),
) -> Infallible {
    let Document {
        resource,
        name,
        parse,
    } = document;
    object::follow(client, resource, name, |observed| match observed {
        Observed::Object(object) => match parse(object) {
            Ok(reading) => follower.learned(reading, true),
            Err(cause) => follower.failed(&cause),
        },
        Observed::ObjectOnly(object) => match parse(object) {
            Ok(reading) => follower.learned_in_part(reading),
            Err(cause) => follower.failed(&cause),
        },
        Observed::Passing(cause) => follower.watch_failed(&cause),
        Observed::Lasting(cause) => follower.failed(&cause),
        Observed::Lost(cause) => lost(cause),
    })
    .await
}

/// Follows Istio's ConfigMap for the trust domain, if it is to be read.
pub(super) async fn trust_domain(follower: &KialiFollower, client: &Client) {
    if let Some(name) = &follower.follow.istio_config_map {
        follow_trust_domain(follower, client, name).await;
    }
}

/// The trust domain is not worth a warning: meshes that change it are rare.
async fn follow_trust_domain(follower: &KialiFollower, client: &Client, name: &ObjectName) {
    let mut reported = None;
    object::follow(client, Resource::ConfigMaps, name, |observed| {
        let cause = match observed {
            Observed::Object(object) => match documents::mesh_config(object) {
                Ok(domain) => {
                    reported = None;
                    return follower.learned_trust_domain(domain);
                }
                Err(cause) => cause,
            },
            Observed::ObjectOnly(object) => match documents::mesh_config(object) {
                Ok(domain) => return follower.learned_trust_domain(domain),
                Err(cause) => cause,
            },
            Observed::Lasting(cause) | Observed::Lost(cause) => cause,
            Observed::Passing(_) => return,
        };
        if reported.as_ref() != Some(&cause) {
            tracing::info!(
                "{}: the trust domain cannot be read from ConfigMap {name}: {cause}. Kiali 2.26 and \
                 later needs it where it has no istio_identity_domain and the mesh's is not \
                 cluster.local: set kiali.trust_domain then",
                follower.processor
            );
            reported = Some(cause);
        }
    })
    .await;
}
