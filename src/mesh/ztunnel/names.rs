/*!
What the names that ztunnel writes stand for.

`src.workload` and `dst.workload` hold the name of the Pod; where ztunnel does
not know it, that of the workload or its canonical service (`src/proxy/
metrics.rs`, `ConnectionResultBuilder`). A text does not say which it is, so
only endings that Kubernetes itself draws are taken off.
*/

use crate::mesh::node_id::{is_drawn, is_hash};

/// Returns the workload a Pod's name stands for; another name is its own
/// workload.
///
/// Unlike [`workload_of_pod`](crate::mesh::node_id::workload_of_pod), which knows that
/// it has a Pod before it, this leaves `reviews-v1` alone.
pub(crate) fn workload(name: &str) -> &str {
    let Some((owner, own)) = name.rsplit_once('-') else {
        return name;
    };
    let is_ordinal = !own.is_empty() && own.bytes().all(|b| b.is_ascii_digit());
    if owner.is_empty() || !(is_ordinal || own.len() == 5 && own.bytes().all(is_drawn)) {
        return name;
    }
    match owner.rsplit_once('-') {
        Some((workload, hash)) if !is_ordinal && !workload.is_empty() && is_hash(hash) => workload,
        _ => owner,
    }
}

/// Returns the app a workload most likely belongs to: its own name without a
/// version (`-v1`), the convention of Istio's and Kiali's examples. For want of
/// labels.
pub(crate) fn app(workload: &str) -> &str {
    match workload.rsplit_once("-v") {
        Some((app, version))
            if !app.is_empty()
                && !version.is_empty()
                && version.bytes().all(|b| b.is_ascii_digit()) =>
        {
            app
        }
        _ => workload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_and_workloads() {
        for (name, want) in [
            ("shell-6d8bcd654d-t88gp", "shell"),
            ("httpbin-54845dfb75-4tsvd", "httpbin"),
            ("details-v1-cf74bb974-wg44w", "details-v1"),
            ("reviews-v1", "reviews-v1"),
            ("node-agent-x7k2p", "node-agent"),
            ("db-0", "db"),
            ("db-12", "db"),
            ("client", "client"),
            ("my-waypoint", "my-waypoint"),
            ("order-batch", "order-batch"),
            ("-abcde", "-abcde"),
            ("-0", "-0"),
            ("a-", "a-"),
            ("", ""),
        ] {
            assert_eq!(workload(name), want, "{name}");
        }
    }

    #[test]
    fn apps() {
        for (name, want) in [
            ("reviews-v1", "reviews"),
            ("reviews-v12", "reviews"),
            ("reviews", "reviews"),
            ("api-v", "api-v"),
            ("api-v1beta1", "api-v1beta1"),
            ("-v1", "-v1"),
            ("a-v1-v2", "a-v1"),
        ] {
            assert_eq!(app(name), want, "{name}");
        }
    }
}
