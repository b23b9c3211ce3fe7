/*!
Tempo, where Kiali has it for the trace store: whether it answers what Kiali asks. The names
that it holds are not looked at.
*/

use super::{
    address::in_cluster,
    check::{Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, known},
    facts::{Answer, Facts, kiali::KialiConfig, tempo::TempoSeen},
    kiali_fix::set,
};

/// The checks.
pub(super) static CHECKS: &[Check] = &[
    Check::new(
        Category::Tempo,
        "tempo-search",
        "it answers Kiali's searches",
        search,
    )
    .once_installed(),
    Check::new(
        Category::Tempo,
        "tempo-grpc",
        "it answers them over gRPC",
        grpc,
    )
    .once_installed()
    .following(&["tempo-search"]),
    Check::new(
        Category::Tempo,
        "tempo-echo",
        "Kiali can tell that it is there",
        echo,
    )
    .once_installed()
    .following(&["tempo-search"]),
];

/// Returns the Kiali whose trace store is a Tempo.
pub(super) fn kiali(facts: &Facts) -> Option<&KialiConfig> {
    let first = facts.kialis.list().first();
    first.filter(|config| config.asks_tempo())
}

fn asked(facts: &Facts) -> Result<(&TempoSeen, Option<&KialiConfig>), Inconclusive> {
    let config = kiali(facts);
    match (&facts.tempo, config) {
        (Answer::NotAsked, Some(config)) => {
            let tempo = in_cluster(&config.tracing.internal_url);
            Err(tempo.unreached(&[tempo.way("--tempo", 3200)]))
        }
        (tempo, config) => Ok((known(tempo)?, config)),
    }
}

/// Returns how keys of Kiali are set, where one is known.
fn fix(config: Option<&KialiConfig>, yaml: &str) -> Fix {
    match config {
        Some(config) => set(config, yaml),
        None => Fix::text(format!("In Kiali's configuration set\n{yaml}")),
    }
}

fn search(facts: &Facts) -> Verdict {
    let (tempo, config) = asked(facts)?;
    let url = &tempo.url;
    let tracing = |keys: &str| {
        fix(
            config,
            &format!("external_services: {{tracing: {{{keys}}}}}"),
        )
    };
    if let Some(other) = &tempo.other_scheme {
        return Outcome::one(
            url,
            Problem::broken(
                format!("Kiali asks Tempo at {url}, and Tempo answers at {other}"),
                "the one speaks TLS, the other plaintext",
                tracing(&format!("internal_url: \"{other}\"")),
            ),
        );
    }
    if tempo.is_jaeger {
        return Outcome::one(
            url,
            Problem::broken(
                format!("Kiali takes {url} for a Tempo, and a Jaeger answers there"),
                "it answers Jaeger's questions, and /api/search not as Tempo does",
                tracing("provider: jaeger"),
            ),
        );
    }
    let found = match &tempo.search {
        Answer::Failed(failure) => {
            let fix = Fix::text(
                "See whether Tempo runs, whether address and scheme are right (3200 is HTTP, of the query frontend where Tempo \
                 has several parts), and whether a NetworkPolicy stands in between",
            );
            let problem =
                Problem::broken(format!("no Tempo answers at {url}"), &failure.cause, fix);
            return Outcome::one(url, problem);
        }
        answer => known(answer)?,
    };
    let header = "X-Scope-OrgID";
    let mut headers = config
        .into_iter()
        .flat_map(|config| &config.tracing.custom_headers);
    let sends_tenant = headers.any(|name| name.eq_ignore_ascii_case(header));
    match found.status {
        200 if found.is_tempos => Outcome::well(match &tempo.version {
            Some(version) => format!("{url}, version {version}"),
            None => url.clone(),
        }),
        401 if found.wants_tenant && config.is_some() && !sends_tenant => Outcome::one(
            url,
            Problem::broken(
                "Tempo has tenants, and Kiali does not say of which it wants traces",
                format!(
                    "{url}/api/search answers 401, no org id, and Kiali has no header {header}"
                ),
                tracing(&format!("custom_headers: {{{header}: TENANT}}")),
            ),
        ),
        status @ (401 | 403) => Err(Inconclusive::Unknown {
            why: format!(
                "{url} answers {status}: it wants a tenant or credentials, which are not sent from here"
            ),
            remedy: None,
        }),
        status => Outcome::one(
            url,
            Problem::broken(
                format!("what answers at {url} is no Tempo"),
                format!("{url}/api/search answers HTTP status {status}, not as Tempo does"),
                Fix::text(
                    "Give internal_url the HTTP port of Tempo's query frontend, 3200 unless it was changed (9095 is gRPC, 4317 \
                     and 4318 take spans); behind a gateway with tenants the path is /api/traces/v1/TENANT/tempo",
                ),
            ),
        ),
    }
}

fn grpc(facts: &Facts) -> Verdict {
    let (tempo, config) = asked(facts).map_err(|_| Inconclusive::NotApplicable)?;
    let url = &tempo.grpc_url;
    match &tempo.grpc {
        Answer::NotAsked => {
            let answers = tempo.search.got().is_some_and(|search| search.is_tempos);
            let grpc_url = config.and_then(KialiConfig::tempo_grpc_url);
            Err(match grpc_url.filter(|_| answers) {
                Some(grpc_url) => Inconclusive::Unknown {
                    why: format!("Kiali searches over gRPC at {grpc_url}, which was not asked"),
                    remedy: None,
                },
                None => Inconclusive::NotApplicable,
            })
        }
        Answer::Got(()) => Outcome::well(url),
        Answer::Failed(failure) => Outcome::one(
            url,
            Problem::broken(
                format!("Kiali searches over gRPC at {url}, where Tempo does not answer"),
                &failure.cause,
                fix(config, "external_services: {tracing: {use_grpc: false}}"),
            ),
        ),
    }
}

fn echo(facts: &Facts) -> Verdict {
    let (tempo, config) = asked(facts).map_err(|_| Inconclusive::NotApplicable)?;
    if config.is_some_and(|config| !config.tracing.health_check_url.is_empty()) {
        return Err(Inconclusive::NotApplicable);
    }
    match known(&tempo.echo)? {
        200 => Outcome::well(""),
        status => Outcome::one(
            "",
            Problem::warning(
                "Kiali takes this Tempo for one that is down",
                format!("{}/api/echo answers HTTP status {status}", tempo.url),
                fix(
                    config,
                    &format!(
                        "external_services: {{tracing: {{health_check_url: \"{}/ready\"}}}}",
                        tempo.url
                    ),
                ),
            ),
        ),
    }
}
