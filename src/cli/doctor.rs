/*!
`wayspan doctor`: why Kiali shows no traces, and what to do.

The chain is walked link by link. [`gather`] asks and puts what it heard into
[`facts`]; [`checks`] judge facts and nothing else; [`cause`] makes of what they
found the causes in order; [`report`] prints. Only gathering talks to anybody, so
a mesh can be judged from a file (`--replay`), by tests as well.
*/

mod address;
mod addresses;
mod asked;
mod cause;
mod check;
mod checks;
mod collector;
mod facts;
mod findings;
pub(super) mod gather;
mod istio;
mod jaeger;
mod kiali;
mod kiali_fix;
mod kubernetes;
mod names;
mod nearest;
mod pages;
mod probe;
mod proxies;
mod report;
mod senders;
mod tempo;
mod url;

#[cfg(test)]
mod tests;

use anyhow::Context;
use cause::{Checked, causes, exit_code};
use check::Category;
use facts::{Answer, Facts, Failure, Scope, probe::Probe};
use report::Format;
use std::{fs, io::Write, path::PathBuf, process::ExitCode, time::Duration};
use tokio::time::{Instant, sleep};

/// Between two looks with `--wait`.
const PAUSE: Duration = Duration::from_secs(2);

/// Find out why Kiali shows no traces, and what to do
///
/// Walks the chain from Istio's tracing configuration to the collector, prints a line for each
/// check, and ends with the causes, the most likely first, each with evidence and fix. Changes
/// nothing, and only --probe sends something. Exit code 0: well; 1: broken; 2: it could not be told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The kubeconfig to use; without it, that of the Pod this runs in, or the usual one
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Ask nothing of Kubernetes
    #[arg(long)]
    no_kubernetes: bool,

    /// Where Istio's control plane is
    #[arg(long, value_name = "NAME", default_value = "istio-system")]
    istio_namespace: String,

    /// A namespace to look at, and no other; may be repeated
    #[arg(short, long, value_name = "NAME")]
    namespace: Vec<String>,

    /// An Envoy's admin port, forwarded, such as http://localhost:15000; may be repeated
    #[arg(long, value_name = "URL", value_parser = crate::http::config::url)]
    proxy: Vec<String>,

    /// istiod's debug port, forwarded, such as http://localhost:15014: what it has given to
    /// gateways and waypoints is looked at
    #[arg(long, value_name = "URL", value_parser = crate::http::config::url)]
    istiod: Option<String>,

    /// The collector's OTLP/gRPC address, such as http://localhost:4317
    #[arg(long, value_name = "URL", value_parser = crate::http::config::url)]
    collector: Option<String>,

    /// The collector's OTLP/HTTP address, such as http://localhost:4318
    #[arg(long, value_name = "URL", value_parser = crate::http::config::url)]
    collector_http: Option<String>,

    /// The collector's metrics, such as http://localhost:8888/metrics
    #[arg(long, value_name = "URL", value_parser = crate::http::config::url)]
    collector_metrics: Option<String>,

    /// Jaeger's query address, over HTTP with its base path or over gRPC, such as
    /// http://localhost:16686/jaeger; may be repeated
    #[arg(long, value_name = "URL", value_parser = crate::http::config::url)]
    jaeger: Vec<String>,

    /// Tempo's HTTP address, where Kiali's trace store is a Tempo, such as http://localhost:3200
    #[arg(long, value_name = "URL", value_parser = crate::http::config::url)]
    tempo: Option<String>,

    /// Kiali's address with its web root, such as http://localhost:20001/kiali: asked where its
    /// ConfigMap is not to be had, if it has no login
    #[arg(long, value_name = "URL", value_parser = crate::http::config::url)]
    kiali: Option<String>,

    /// The namespace of the Kiali that is meant
    #[arg(long, value_name = "NAME")]
    kiali_namespace: Option<String>,

    /// Send a marked span through the collector, as a waypoint would, and wait until Jaeger returns
    /// it to Kiali's question. Nothing takes it for traffic
    #[arg(long, conflicts_with_all = ["pre", "replay"])]
    probe: bool,

    /// How to print
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,

    /// Look again until all is well, so long at most, such as 2m
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    wait: Option<Duration>,

    /// Check what has to be right before wayspan is installed
    #[arg(long)]
    pre: bool,

    /// The longest wait for each answer
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// Write all that was seen to a file, for a bug report; secrets are never read
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,

    /// Judge what --bundle wrote, and ask nobody
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kubeconfig", "wait", "bundle"])]
    replay: Option<PathBuf>,
}

/// Questions that belong together, and what is judged by their answers.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Cluster,
    Proxies,
    Collector,
    Backend,
    Probe,
}

impl Stage {
    const ALL: [Stage; 5] = [
        Stage::Cluster,
        Stage::Proxies,
        Stage::Collector,
        Stage::Backend,
        Stage::Probe,
    ];

    fn categories(self) -> &'static [Category] {
        match self {
            Self::Cluster => &[Category::Kubernetes, Category::Istio],
            Self::Proxies => &[Category::Proxies],
            Self::Collector => &[Category::Collector],
            Self::Backend => &[
                Category::Jaeger,
                Category::Tempo,
                Category::Kiali,
                Category::Names,
            ],
            Self::Probe => &[Category::Probe],
        }
    }

    async fn ask(self, args: &Args, facts: &mut Facts) {
        let limit = args.timeout;
        match self {
            Self::Cluster if args.no_kubernetes => {}
            Self::Cluster => {
                let api = gather::api::Api::connect(args.kubeconfig.clone(), limit).await;
                facts.kubernetes = gather::kubernetes::ask(&facts.scope, &api).await;
                if facts.kubernetes.api.got().is_some() {
                    let namespace = args.kiali_namespace.as_deref();
                    facts.kialis = gather::kiali::ask(&facts.scope, &api, namespace).await;
                }
            }
            Self::Proxies => {
                facts.proxies.clear();
                for url in &args.proxy {
                    facts
                        .proxies
                        .push(gather::proxies::ask_admin(url, limit).await);
                }
                if let Some(url) = &args.istiod {
                    let seen = gather::proxies::ask_istiod(url, facts, limit).await;
                    facts.proxies.extend(seen);
                }
            }
            Self::Collector if args.pre => {}
            Self::Collector => {
                let at = addresses::collector(args, facts).await;
                facts.collector = gather::collector::ask(&at, limit).await;
            }
            Self::Backend => {
                if let Some(url) = &args.kiali
                    && facts.kialis.list().is_empty()
                {
                    facts.kialis = match gather::kiali::ask_api(url, limit).await {
                        Answer::Got(config) => Answer::Got(vec![config]),
                        Answer::Failed(failure) => Answer::Failed(failure),
                        Answer::NotAsked => Answer::NotAsked,
                    };
                }
                facts.jaegers.clear();
                for (url, is_kialis) in addresses::jaeger(args, facts).await {
                    let address = gather::jaeger::ask(&url, is_kialis, limit).await;
                    facts.jaegers.push(address);
                }
                facts.tempo = match addresses::tempo(args, facts).await {
                    Some((url, grpc)) => {
                        Answer::Got(gather::tempo::ask(&url, grpc.as_deref(), limit).await)
                    }
                    None => Answer::NotAsked,
                };
                ask_pages(facts, limit).await;
            }
            Self::Probe if !args.probe => {}
            Self::Probe => facts.probe = ask_probe(facts, limit).await,
        }
    }
}

/// Sends a marked span and looks for it.
async fn ask_probe(facts: &Facts, limit: Duration) -> Answer<Probe> {
    let collector = &facts.collector.grpc_url;
    if collector.is_empty() {
        return Answer::Failed(Failure {
            cause: "there is nobody to send the probe to: the collector's address is not known"
                .to_owned(),
            remedy: Some("Give --collector http://HOST:4317".to_owned()),
            ..Failure::default()
        });
    }
    let trust = facts.kubernetes.mesh_config.got();
    let trust = trust.map_or("", |config| &*config.trust_domain);
    let kiali = facts.kialis.list().first();
    let kialis_cluster = kiali.map(|config| asked::cluster(facts, config));
    let mut namespaces = facts.scope.namespaces.iter();
    // Where istiod was not looked at, what Kiali says has to do.
    let cluster = match (facts.kubernetes.istiods.got(), &kialis_cluster) {
        (None, Some(cluster)) => cluster.clone(),
        _ => asked::istiods_cluster(facts),
    };
    let mesh = gather::probe::ProbedMesh {
        namespace: namespaces.next().unwrap_or(&facts.scope.istio_namespace),
        cluster: &cluster,
        kiali: kialis_cluster
            .as_deref()
            .zip(kiali.map(|config| config.kiali(trust))),
    };
    let mut jaegers = facts.jaegers.iter();
    let jaeger = jaegers.find(|address| address.services().is_some());
    Answer::Got(gather::probe::ask(collector, jaeger, &mesh, limit).await)
}

/// Asks as Kiali does for its pages, at the first Jaeger that answers.
async fn ask_pages(facts: &mut Facts, limit: Duration) {
    let Some(config) = facts.kialis.list().first() else {
        return;
    };
    let asked = asked::asked(facts, config);
    let mut all = facts.jaegers.iter_mut();
    if let Some(address) = all.find(|address| address.services().is_some()) {
        gather::pages::ask(address, &asked, limit).await;
    }
}

/// Looks at the chain and prints what it found to standard output.
///
/// # Errors
///
/// When a file cannot be read or written.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(file) = &args.replay {
        let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let facts: Facts = serde_json::from_slice(&text)
            .with_context(|| format!("{} was not written by --bundle", file.display()))?;
        let all = checks::run(&facts, &Category::ALL, args.pre);
        print(&all, args.output);
        return Ok(finish(&facts, &all, args.output));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let mut facts = Facts {
        scope: Scope {
            istio_namespace: args.istio_namespace.clone(),
            namespaces: args.namespace.clone(),
        },
        ..Facts::default()
    };
    let all = runtime.block_on(walk(args, &mut facts));
    let code = finish(&facts, &all, args.output);
    if let Some(file) = &args.bundle {
        let text = serde_json::to_vec_pretty(&facts)?;
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(code)
}

/// Asks and judges stage by stage, and prints each when it is judged.
async fn walk(args: &Args, facts: &mut Facts) -> Vec<Checked> {
    let deadline = Instant::now() + args.wait.unwrap_or_default();
    let mut all = Vec::new();
    for stage in Stage::ALL {
        let found = loop {
            stage.ask(args, facts).await;
            let found = checks::run(facts, stage.categories(), args.pre);
            // A stage of which nothing was asked has nothing to wait for.
            let is_looked_at = found.iter().any(|one| one.status().is_some());
            let is_well = !is_looked_at || exit_code(&found) == 0;
            if is_well || Instant::now() + PAUSE > deadline {
                break found;
            }
            sleep(PAUSE).await;
        };
        print(&found, args.output);
        all.extend(found);
    }
    all
}

/// Shows what is written into a buffer. A closed pipe (`wayspan doctor | head`) is the reader's
/// choice.
fn show(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) {
    let mut text = Vec::new();
    let _ = write(&mut text);
    // Names of spans are anybody's to choose, and none of them shall steer a terminal.
    for byte in &mut text {
        if byte.is_ascii_control() && *byte != b'\n' {
            *byte = b'?';
        }
    }
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(&text).and_then(|()| out.flush());
}

fn print(found: &[Checked], format: Format) {
    show(|out| report::lines(out, found, format));
}

fn finish(facts: &Facts, all: &[Checked], format: Format) -> ExitCode {
    let pages = || findings::account(facts);
    show(|out| report::end(out, all, &causes(all), pages, format));
    ExitCode::from(exit_code(all))
}
