/*!
`node_id`: which proxy speaks.

Istio's proxies call themselves `type~ip~pod.namespace~namespace.svc.domain`
(istio `pkg/istio-agent`), where `type` is `sidecar`, `router` or `waypoint`
today. Types not known yet are read all the same.
*/

/// A proxy's `node_id`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId<'a> {
    /// `sidecar`, `router`, `waypoint`, or a type of the future.
    pub(crate) kind: &'a str,
    /// The pod's address, IPv4 or IPv6.
    pub(crate) ip: &'a str,
    /// The pod's name.
    pub(crate) pod: &'a str,
    /// The pod's namespace.
    pub(crate) namespace: &'a str,
    /// `namespace.svc.domain`, or empty.
    pub(crate) dns_domain: &'a str,
}

impl<'a> NodeId<'a> {
    /// Reads a `node_id`; `None` when it does not have Istio's form.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split('~');
        let (kind, ip, id) = (parts.next()?, parts.next()?, parts.next()?);
        let dns_domain = parts.next().unwrap_or_default();
        if kind.is_empty() || parts.next().is_some() {
            return None;
        }
        // Pod names may contain dots, namespaces may not.
        let (pod, namespace) = id.rsplit_once('.')?;
        (!pod.is_empty() && !namespace.is_empty()).then_some(Self {
            kind,
            ip,
            pod,
            namespace,
            dns_domain,
        })
    }

    /// Returns the workload the pod belongs to, see [`workload_of_pod`].
    pub(crate) fn workload(&self) -> &'a str {
        workload_of_pod(self.pod)
    }
}

/// Returns the workload a pod name stands for, by the rule Kiali uses: the last
/// part is the pod's own, and the part before it is a ReplicaSet's hash if it
/// is 6 to 16 characters of the alphabet Kubernetes draws hashes from (which
/// has no vowels and no 0, 1, 3, so that words are not mistaken for one).
///
/// A name without such parts is its own workload.
pub(crate) fn workload_of_pod(pod: &str) -> &str {
    let Some((owner, own)) = pod.rsplit_once('-') else {
        return pod;
    };
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let owner_ok = !owner.is_empty() && owner.bytes().all(|b| lower(b) || b == b'-' || b == b'.');
    if own.is_empty() || !own.bytes().all(lower) || !owner_ok {
        return pod;
    }
    match owner.rsplit_once('-') {
        Some((workload, hash)) if !workload.is_empty() && is_hash(hash) => workload,
        _ => owner,
    }
}

/// Returns true if a part of a name is a ReplicaSet's hash.
pub(super) fn is_hash(part: &str) -> bool {
    (6..=16).contains(&part.len()) && part.bytes().all(is_drawn)
}

/// Returns true if Kubernetes draws names from this letter.
pub(super) fn is_drawn(letter: u8) -> bool {
    b"bcdfghjklmnpqrstvwxz2456789".contains(&letter)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn forms() {
        let id = NodeId::parse(
            "waypoint~10.244.0.28~waypoint-5b7c754ccb-55jwk.bookinfo~bookinfo.svc.cluster.local",
        )
        .unwrap();
        assert_eq!(
            (id.kind, id.ip, id.pod, id.namespace, id.workload()),
            (
                "waypoint",
                "10.244.0.28",
                "waypoint-5b7c754ccb-55jwk",
                "bookinfo",
                "waypoint"
            )
        );
        let v6 = NodeId::parse("sidecar~fd00::1:2~a.b-1-0.ns~ns.svc.my.domain").unwrap();
        assert_eq!(
            (v6.ip, v6.pod, v6.namespace),
            ("fd00::1:2", "a.b-1-0", "ns")
        );
        assert_eq!(v6.dns_domain, "ns.svc.my.domain");
        assert_eq!(NodeId::parse("agent~~p.n").unwrap().kind, "agent");
        for bad in [
            "",
            "x",
            "~~~",
            "sidecar~1.2.3.4~pod~d",
            "sidecar~i~.ns~d",
            "a~b~c.d~e~f",
            "~i~p.n~d",
        ] {
            assert_eq!(NodeId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn workloads() {
        for (pod, workload) in [
            ("details-v1-794db9df8f-8ksxt", "details-v1"),
            (
                "bookinfo-gateway-istio-6754756766-pmxnn",
                "bookinfo-gateway-istio",
            ),
            ("waypoint-6f7d9c5b4-qwert", "waypoint"),
            ("db-0", "db"),
            ("istio-ingressgateway-x7k2p", "istio-ingressgateway"),
            ("my.app-794db9df8f-8ksxt", "my.app"),
            ("pod", "pod"),
            ("Pod-abc", "Pod-abc"),
            ("-abc", "-abc"),
            ("abc-", "abc-"),
            ("", ""),
            ("a-12345-xyz", "a-12345"),
        ] {
            assert_eq!(workload_of_pod(pod), workload, "{pod}");
        }
    }
}
