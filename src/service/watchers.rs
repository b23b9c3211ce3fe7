/*!
Starts the followers of Kiali's own configuration. All run on one thread, which exists only where there are any and
is not waited for at shutdown: a look-up of a name may take longer than that.
*/

use super::{StartError, on_runtime, web::Web};
use crate::{
    config::{Config, Id, ProcessorKind},
    extension::health_check::Health,
    mesh::{
        Current, Settings, Source,
        watch::kiali::{Follower, Shown, Status},
    },
    telemetry::Registry,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::watch;

/// Starts the watchers of every `mesh` processor, which end with `end`, and
/// registers what metrics show of them.
pub(super) fn start(
    config: &Config,
    knowledge: &BTreeMap<Id, Current>,
    registry: &Arc<Registry>,
    end: &watch::Receiver<bool>,
    health: &Health,
) -> Result<(), StartError> {
    let mut seen = BTreeSet::new();
    let mut jobs = Vec::new();
    let mut followed = Vec::new();
    for processor in config.pipelines.iter().flat_map(|p| &p.processors) {
        let ProcessorKind::Mesh(settings) = &processor.kind;
        // Processors of the same id share their knowledge.
        let (true, Some(current)) = (seen.insert(&processor.id), knowledge.get(&processor.id))
        else {
            continue;
        };
        let id = processor.id.to_string();
        let shown = Shown::of(&current.get().scheme, "static");
        let status = Arc::new(Status::new(shown.clone()));
        show(registry, &id, &status, shown);
        if settings.follow.is_none() {
            continue;
        }
        register(registry, &id, &status);
        followed.push((id.clone(), Arc::clone(&status)));
        jobs.push((id, settings.clone(), current.clone(), status));
    }
    if jobs.is_empty() {
        return Ok(());
    }
    health.detail("kiali", move || {
        let of = |(id, status): &(String, Arc<Status>)| (id.clone(), detail(status));
        followed.iter().map(of).collect()
    });
    let registry = Arc::clone(registry);
    let mut end = end.clone();
    let followers = move || async move {
        let followers = jobs.into_iter().map(|(id, settings, current, status)| {
            follow(id, settings, current, status, Arc::clone(&registry))
        });
        tokio::select! {
            _ = end.wait_for(|end| *end) => {}
            _ = join_all(followers) => {}
        }
    };
    // The thread ends by itself.
    let _thread = on_runtime("watchers", health.clone(), |_| {}, followers)?;
    Ok(())
}

async fn follow(
    id: String,
    settings: Settings,
    current: Current,
    status: Arc<Status>,
    registry: Arc<Registry>,
) {
    let web = match settings.follow.as_ref().map(|follow| &follow.source) {
        Some(Source::Url(endpoint)) => Some(Web::new(endpoint)),
        _ => None,
    };
    let on_change = {
        let (id, status) = (id.clone(), Arc::clone(&status));
        move |shown: &Shown| show(&registry, &id, &status, shown.clone())
    };
    if let Some(follower) = Follower::new(id, &settings, current, status, on_change) {
        follower.run(web).await;
    }
}

/// A series of value 1 for as long as its scheme is in force, then 0.
fn show(registry: &Registry, processor: &str, status: &Arc<Status>, shown: Shown) {
    let labels = [
        ("processor", processor),
        ("form", shown.form),
        (
            "namespace_selector",
            if shown.namespace_selector {
                "true"
            } else {
                "false"
            },
        ),
        ("version", &shown.version),
        ("source", shown.source),
    ];
    let (status, own) = (Arc::clone(status), shown.clone());
    registry.gauge(
        "wayspan_kiali_scheme",
        "1 for the Kiali whose questions names answer now, by form of waypoint names.",
        &labels,
        move || f64::from(u8::from(status.shown() == own)),
    );
}

/// What the health page says of one processor's Kiali.
fn detail(status: &Status) -> Value {
    let shown = status.shown();
    let mut value = json!({
        "version": shown.version,
        "form": shown.form,
        "namespace_selector": shown.namespace_selector,
        "source": shown.source,
    });
    if let Some(trouble) = status.trouble() {
        value["trouble"] = trouble.into();
    }
    value
}

fn register(registry: &Registry, processor: &str, status: &Arc<Status>) {
    let labels = [("processor", processor)];
    let read = Arc::clone(status);
    registry.counter_fn(
        "wayspan_kiali_read_errors",
        "Failed attempts to read Kiali's own configuration.",
        &labels,
        move || read.errors(),
    );
    let read = Arc::clone(status);
    registry.gauge(
        "wayspan_kiali_last_read_timestamp_seconds",
        "When Kiali's own configuration was last known for sure; 0: never.",
        &labels,
        move || read.last_read() as f64,
    );
}
