/*! What Kiali is told of Jaeger and of the mesh, against what is there. */

use super::{
    check::{Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, known},
    facts::{Facts, jaeger::JaegerAddress, kiali::KialiConfig},
    kiali_fix::set,
    url::{UrlParts, parts},
};

/// The checks.
pub(super) static CHECKS: &[Check] = &[
    Check::new(
        Category::Kiali,
        "kiali-config",
        "its configuration is found",
        config,
    ),
    Check::new(Category::Kiali, "kiali-tracing", "tracing is on", tracing),
    Check::new(
        Category::Kiali,
        "kiali-protocol",
        "it speaks what Jaeger speaks",
        protocol,
    )
    .once_installed()
    .following(&["jaeger-reachable"]),
    Check::new(
        Category::Kiali,
        "kiali-path",
        "it asks below the right path",
        path,
    )
    .once_installed(),
    Check::new(
        Category::Kiali,
        "kiali-oauth",
        "its credentials can be sent",
        oauth,
    ),
    Check::new(
        Category::Kiali,
        "kiali-cluster",
        "it calls the cluster as istiod does",
        cluster,
    ),
    Check::new(
        Category::Kiali,
        "kiali-questions",
        "nothing in it hides traces",
        questions,
    ),
];

fn first(facts: &Facts) -> Result<&KialiConfig, Inconclusive> {
    // That none was found, the first check says.
    let all = known(&facts.kialis).map_err(|_| Inconclusive::NotApplicable)?;
    all.first().ok_or(Inconclusive::NotApplicable)
}

fn config(facts: &Facts) -> Verdict {
    let all = known(&facts.kialis)?;
    let said = |one: &KialiConfig| {
        let version = if one.version.is_empty() {
            "of unknown version"
        } else {
            &*one.version
        };
        format!("{} (Kiali {version})", one.place())
    };
    match &all[..] {
        [] => Err(Inconclusive::NotApplicable),
        [one] => Outcome::well(said(one)),
        [one, others @ ..] => {
            let problem = Problem::warning(
                format!(
                    "there are {} Kialis, of which {} is looked at",
                    all.len(),
                    one.place()
                ),
                others.iter().map(said).collect::<Vec<_>>().join(", "),
                Fix::text("If another one is meant, name its namespace with --kiali-namespace"),
            );
            Outcome::one(said(one), problem)
        }
    }
}

fn tracing(facts: &Facts) -> Verdict {
    let config = first(facts)?;
    match config.tracing.enabled {
        true => Outcome::well(""),
        false => Outcome::one(
            "",
            Problem::broken(
                "tracing is off in Kiali, which shows no traces then",
                "external_services.tracing.enabled is not true",
                set(config, "external_services: {tracing: {enabled: true}}"),
            ),
        ),
    }
}

fn kialis_jaeger(facts: &Facts) -> Result<&JaegerAddress, Inconclusive> {
    let mut all = facts.jaegers.iter();
    all.find(|address| address.is_kialis)
        .ok_or(Inconclusive::NotApplicable)
}

/// Returns the URL with another port.
fn with_port(url: &str, port: u16) -> String {
    let UrlParts {
        scheme: Some(scheme),
        authority,
        path,
    } = parts(url)
    else {
        return url.to_owned();
    };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    format!("{scheme}://{host}:{port}{path}")
}

fn protocol(facts: &Facts) -> Verdict {
    let config = first(facts)?;
    let address = kialis_jaeger(facts)?;
    let url = &config.tracing.internal_url;
    let (http, grpc) = (address.speaks_http(), address.grpc.got().is_some());
    let saw = format!(
        "{} to {url}",
        if config.uses_grpc() { "gRPC" } else { "HTTP" }
    );
    if !http && !grpc {
        // Nobody answers there, which Jaeger's check has said.
        return Err(Inconclusive::NotApplicable);
    }
    if config.uses_grpc() && !grpc {
        let failure = address.grpc.failure();
        let has_searches = address
            .http
            .got()
            .is_some_and(|http| http.services.is_some());
        let grpc_url = with_port(url, 16685);
        // What was seen to answer goes before what is usual.
        let fix = match has_searches {
            true => {
                let yaml = "external_services: {tracing: {use_grpc: false}}";
                let mut fix = set(config, yaml);
                fix.text.push_str(&format!(
                    "\nor keep gRPC, as Jaeger after 2.20 needs it, with internal_url {grpc_url} if its port is the usual one"
                ));
                fix
            }
            false => {
                let keys = format!("use_grpc: true, internal_url: \"{grpc_url}\"");
                set(
                    config,
                    &format!("external_services: {{tracing: {{{keys}}}}}"),
                )
            }
        };
        let problem = Problem::broken(
            format!("Kiali speaks gRPC to {url}, where Jaeger speaks HTTP"),
            failure.map_or("", |failure| &failure.cause),
            fix,
        );
        return Outcome::one(saw, problem);
    }
    if !config.uses_grpc() && !http {
        let failure = address.http.failure();
        let problem = Problem::broken(
            format!("Kiali speaks HTTP to {url}, where Jaeger speaks gRPC"),
            failure.map_or("", |failure| &failure.cause),
            set(config, "external_services: {tracing: {use_grpc: true}}"),
        );
        return Outcome::one(saw, problem);
    }
    Outcome::well(saw)
}

fn path(facts: &Facts) -> Verdict {
    let config = first(facts)?;
    let http = kialis_jaeger(facts)?.http.got();
    // gRPC has no path.
    let Some(http) = http.filter(|_| !config.uses_grpc()) else {
        return Err(Inconclusive::NotApplicable);
    };
    let url = &config.tracing.internal_url;
    match (&http.services, &http.base) {
        (None, Some(base)) => {
            let UrlParts {
                scheme, authority, ..
            } = parts(url);
            let scheme = scheme.unwrap_or("http");
            let right = format!("{scheme}://{authority}{base}");
            let problem = Problem::broken(
                format!("Kiali asks Jaeger at {url}, and Jaeger answers below {right}"),
                format!(
                    "{url}/api/services answers {}, {right}/api/services the services",
                    http.status
                ),
                set(
                    config,
                    &format!("external_services: {{tracing: {{internal_url: \"{right}\"}}}}"),
                ),
            );
            Outcome::one(url, problem)
        }
        (Some(_), _) => Outcome::well(url),
        (None, None) => Err(Inconclusive::NotApplicable),
    }
}

fn oauth(facts: &Facts) -> Verdict {
    let config = first(facts)?;
    let kind = config.tracing.auth_type.to_ascii_lowercase();
    if !(config.uses_grpc() && kind.contains("oauth")) {
        return Err(Inconclusive::NotApplicable);
    }
    let problem = Problem::broken(
        "Kiali does not send OAuth2 credentials over gRPC",
        format!(
            "external_services.tracing has auth.type {} and use_grpc true",
            config.tracing.auth_type
        ),
        set(
            config,
            "external_services: {tracing: {auth: {type: bearer}}}",
        ),
    );
    Outcome::one(kind, problem)
}

fn cluster(facts: &Facts) -> Verdict {
    let config = first(facts)?;
    let mut istiods = facts.kubernetes.istiods.list().iter();
    let id = istiods.find_map(|pod| pod.variable("CLUSTER_ID"));
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return Err(Inconclusive::NotApplicable);
    };
    let own = config.cluster_name.as_str();
    if own.is_empty() || own == id {
        return Outcome::well(id);
    }
    let problem = Problem::broken(
        format!("Kiali asks for spans of cluster {own}, and proxies say that they are of {id}"),
        format!("kubernetes_config.cluster_name is {own}, istiod's CLUSTER_ID is {id}"),
        set(
            config,
            &format!("kubernetes_config: {{cluster_name: {id}}}"),
        ),
    );
    Outcome::one(own, problem)
}

fn questions(facts: &Facts) -> Verdict {
    let config = first(facts)?;
    let switch = |value: Option<bool>| if value == Some(true) { "on" } else { "off" };
    let saw = format!(
        "namespace_selector {}, use_waypoint_name {}",
        switch(config.namespace_selector),
        switch(config.use_waypoint_name)
    );
    let off = |note: &&String| !note.contains("tracing.enabled");
    let notes = config.notes.iter().filter(off);
    let problems = notes.map(|note| {
        Problem::warning(
            note,
            format!("in {}", config.place()),
            Fix::text("Change it there, unless it is meant"),
        )
    });
    Ok(Outcome {
        saw,
        problems: problems.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_replaced_or_added() {
        for (url, want) in [
            ("http://jaeger:16686/jaeger", "http://jaeger:16685/jaeger"),
            ("http://jaeger/jaeger", "http://jaeger:16685/jaeger"),
            ("http://[::1]", "http://[::1]:16685"),
            ("http://[::1]:80", "http://[::1]:16685"),
        ] {
            assert_eq!(with_port(url, 16685), want);
        }
    }
}
