/*! What Kubernetes says of the Node that this runs on, and of the cluster. */

use super::settings::NodeDetector;
use crate::mesh::watch::object_uid;
use std::{io, thread, time::Duration};

/// Attributes, and what is missing and why.
type Told = (Vec<(String, String)>, Vec<String>);

/// Asks the API server, each question at most so long. On a thread, since whoever
/// starts a service may have a runtime of its own, in which no other can be waited for.
///
/// # Errors
///
/// When the system refuses a runtime.
pub(super) fn detect(node: &NodeDetector, timeout: Duration) -> io::Result<Told> {
    let ask = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let told = runtime.block_on(ask(node, timeout));
        // A name being looked up must not hold up the start.
        runtime.shutdown_background();
        Ok(told)
    };
    thread::scope(|scope| {
        let asked = scope.spawn(ask).join();
        asked.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

async fn ask(node: &NodeDetector, timeout: Duration) -> Told {
    let (mut told, mut troubles) = (Vec::new(), Vec::new());
    if node.tells_name {
        told.push(("k8s.node.name".to_owned(), node.name.clone()));
    }
    let questions = [
        (
            node.tells_uid,
            "k8s.node.uid",
            format!("/api/v1/nodes/{}", node.name),
        ),
        (
            node.tells_cluster,
            "k8s.cluster.uid",
            "/api/v1/namespaces/kube-system".to_owned(),
        ),
    ];
    for (_, key, path) in questions.into_iter().filter(|(wanted, ..)| *wanted) {
        match object_uid(&node.access, &path, timeout).await {
            Ok(uid) => told.push((key.to_owned(), uid)),
            Err(cause) => troubles.push(format!(
                "{key} is not added: {cause}. It needs the verb get of {path}; \
                 resource_attributes.{key}.enabled: false does without"
            )),
        }
    }
    (told, troubles)
}
