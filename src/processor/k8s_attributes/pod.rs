/*! The attributes of a Pod. */

use super::{
    field::MetadataField as F,
    owners::Owners,
    rules::{Rules, Source, Tags},
};
use crate::mesh::{
    directory::{OwnerReference, PodDetails, PodRecord},
    watch::Resource,
};

/// How far the minute in a Job's name may be from when its Pod was made, for the Job to be
/// a CronJob's.
const MINUTES: i64 = 24 * 60;

/// Returns what the rules say of a Pod.
pub(super) fn attributes(
    pod: &PodRecord,
    details: &PodDetails,
    rules: &Rules,
    owners: &Owners,
) -> Tags {
    let mut tags = Tags::new();
    let mut put = |field, key: &str, text: &str| {
        if rules.metadata.has(field) {
            tags.insert(key.to_owned(), text.to_owned());
        }
    };
    put(F::PodName, "k8s.pod.name", &pod.name);
    put(F::ServiceName, "service.name", &pod.name);
    put(F::PodHostname, "k8s.pod.hostname", &details.hostname);
    put(F::PodIp, "k8s.pod.ip", &details.ip);
    put(F::NamespaceName, "k8s.namespace.name", &pod.namespace);
    put(F::ServiceNamespace, "service.namespace", &pod.namespace);
    if !details.created.is_empty() {
        put(F::PodStartTime, "k8s.pod.start_time", &details.created);
    }
    put(F::PodUid, "k8s.pod.uid", &details.uid);
    for owner in &details.owners {
        owned_by(owner, pod, details, rules, owners, &mut put);
    }
    put(F::NodeName, "k8s.node.name", &details.node);
    if let Some(uid) = &owners.cluster_uid {
        put(F::ClusterUid, "k8s.cluster.uid", uid);
    }
    rules.extract(Resource::Pods, Source::Labels, &pod.labels, &mut tags);
    let well_known = [
        (F::ServiceName, "app.kubernetes.io/name", "service.name"),
        (F::ServiceName, "app.kubernetes.io/instance", "service.name"),
        (
            F::ServiceVersion,
            "app.kubernetes.io/version",
            "service.version",
        ),
    ];
    for (field, label, key) in well_known {
        if let Some(text) = pod.labels.get(label).filter(|_| rules.metadata.has(field)) {
            tags.insert(key.to_owned(), text.clone());
        }
    }
    let annotations = &details.annotations;
    rules.extract(Resource::Pods, Source::Annotations, annotations, &mut tags);
    tags
}

fn owned_by(
    owner: &OwnerReference,
    pod: &PodRecord,
    details: &PodDetails,
    rules: &Rules,
    owners: &Owners,
    put: &mut impl FnMut(F, &str, &str),
) {
    let OwnerReference {
        kind, name, uid, ..
    } = owner;
    let mut direct = |name_field, name_key, uid_field, uid_key| {
        put(uid_field, uid_key, uid);
        put(name_field, name_key, name);
        put(F::ServiceName, "service.name", name);
    };
    match kind.as_str() {
        "ReplicaSet" => {
            direct(
                F::ReplicaSetName,
                "k8s.replicaset.name",
                F::ReplicaSetUid,
                "k8s.replicaset.uid",
            );
            let known = owners
                .replica_set(uid)
                .filter(|_| rules.needs_replica_sets());
            let deployment = known.map(|set| {
                let controller = set.controller.as_ref();
                controller.filter(|of| of.kind == "Deployment")
            });
            let deployment_name = match deployment {
                Some(of) => of.map_or("", |of| &of.name),
                None => deployment_of(name, pod),
            };
            if !deployment_name.is_empty() {
                put(F::DeploymentName, "k8s.deployment.name", deployment_name);
                put(F::ServiceName, "service.name", deployment_name);
            }
            if let Some(of) = deployment.flatten().filter(|of| !of.uid.is_empty()) {
                put(F::DeploymentUid, "k8s.deployment.uid", &of.uid);
            }
        }
        "DaemonSet" => direct(
            F::DaemonSetName,
            "k8s.daemonset.name",
            F::DaemonSetUid,
            "k8s.daemonset.uid",
        ),
        "StatefulSet" => direct(
            F::StatefulSetName,
            "k8s.statefulset.name",
            F::StatefulSetUid,
            "k8s.statefulset.uid",
        ),
        "Job" => {
            direct(F::JobName, "k8s.job.name", F::JobUid, "k8s.job.uid");
            let cron_job = owners.job(uid).map(|job| {
                let controller = job.controller.as_ref();
                controller.filter(|of| of.kind == "CronJob")
            });
            let cron_job_name = match cron_job {
                Some(of) => of.map_or("", |of| &of.name),
                None => cron_job_of(name, &details.created).unwrap_or_default(),
            };
            if !cron_job_name.is_empty() {
                put(F::CronJobName, "k8s.cronjob.name", cron_job_name);
                put(F::ServiceName, "service.name", cron_job_name);
            }
            if let Some(of) = cron_job.flatten().filter(|of| !of.uid.is_empty()) {
                put(F::CronJobUid, "k8s.cronjob.uid", &of.uid);
            }
        }
        _ => {}
    }
}

/// Returns the Deployment of a ReplicaSet by its name, which ends in the hash that is a
/// label of its Pods; empty where it is no Deployment's.
fn deployment_of<'a>(replica_set: &'a str, pod: &PodRecord) -> &'a str {
    let hash = pod.labels.get("pod-template-hash");
    let name = hash.filter(|hash| !hash.is_empty()).and_then(|hash| {
        let name = replica_set.strip_suffix(hash.as_str())?;
        name.strip_suffix('-')
    });
    name.unwrap_or_default()
}

/// Returns the CronJob of a Job by its name, which ends in the minute for which it was
/// made.
fn cron_job_of<'a>(job: &'a str, pod_created: &str) -> Option<&'a str> {
    let (name, minute) = job.rsplit_once('-')?;
    if minute.len() != 8 || !minute.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let minute: i64 = minute.parse().ok()?;
    let created = humantime::parse_rfc3339(pod_created).ok()?;
    let created = created.duration_since(std::time::UNIX_EPOCH).ok()?;
    let created = i64::try_from(created.as_secs() / 60).ok()?;
    ((created - minute).abs() <= MINUTES).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_of_cron_jobs_end_in_their_minute() {
        // 28 million minutes after the epoch.
        for (job, want) in [
            ("tick-28000000", Some("tick")),
            ("a-b-28001000", Some("a-b")),
            ("tick-20260407", None),
            ("tick-2800000", None),
            ("tick", None),
            ("-28000000", Some("")),
        ] {
            assert_eq!(cron_job_of(job, "2023-03-28T10:40:00Z"), want, "{job}");
        }
        assert_eq!(cron_job_of("tick-28000000", ""), None);
    }
}
