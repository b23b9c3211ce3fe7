/*!
What wayspan knows of the Collector's components that it does not have.

The rule is what an operator loses without one. What only adds to spans, makes
metrics of them, or receives beside other receivers is left out with a warning
that says what is not done. What decides where spans go, what may leave or who may
come in is refused, with what to do instead; never with the advice to take it out.
*/

/// Kinds of components that wayspan knows and does not serve.
pub(crate) struct Unserved {
    pub(crate) names: &'static [&'static str],
    pub(crate) verdict: Verdict,
    /// Where a receiver listens by default: for each key of its `protocols`, or for
    /// the receiver itself, whose key is empty.
    pub(crate) ports: &'static [(&'static str, &'static str)],
    /// A key that makes using a component that is left out an error, if it is set
    /// anywhere below it, and why.
    pub(crate) unless: Option<(&'static str, &'static str)>,
    /// What to do instead where another component names an extension.
    pub(crate) instead: &'static str,
}

/// What becomes of a component that is not served.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    /// It is left out with a warning, which says what is not done.
    LeaveOut(&'static str),
    /// Using it is an error, with this advice.
    Refuse(&'static str),
}

use Verdict::{LeaveOut, Refuse};

const fn kinds(names: &'static [&'static str], verdict: Verdict) -> Unserved {
    Unserved {
        names,
        verdict,
        ports: &[],
        unless: None,
        instead: "",
    }
}

const fn listening(
    names: &'static [&'static str],
    ports: &'static [(&'static str, &'static str)],
) -> Unserved {
    Unserved {
        ports,
        ..kinds(names, LeaveOut("nothing is received there"))
    }
}

const fn authenticator(names: &'static [&'static str], instead: &'static str) -> Unserved {
    Unserved {
        instead,
        ..kinds(names, LeaveOut(UNKNOWN_EXTENSION))
    }
}

pub(super) const RECEIVERS: &[Unserved] = &[
    listening(
        &["jaeger"],
        &[
            ("grpc", "14250"),
            ("thrift_http", "14268"),
            ("thrift_compact", "6831/udp"),
            ("thrift_binary", "6832/udp"),
        ],
    ),
    listening(&["opencensus"], &[("", "55678")]),
    listening(&["datadog"], &[("", "8126")]),
    listening(&["skywalking"], &[("grpc", "11800"), ("http", "12800")]),
    listening(&["sapm"], &[("", "7276")]),
    listening(&["awsxray"], &[("", "2000/udp")]),
    listening(&["faro"], &[("", "8080")]),
    #[cfg(not(feature = "kafka"))]
    kinds(
        &["kafka"],
        Refuse("this wayspan was built without the feature kafka"),
    ),
    listening(&["libhoney"], &[("", "8080")]),
    listening(
        &["otelarrow", "otel_arrow"],
        &[("grpc", "4317"), ("arrow", "4317")],
    ),
    kinds(
        &["obi", "hubble", "telemetryapi"],
        LeaveOut("its spans are not made"),
    ),
    kinds(&["nop"], LeaveOut("it receives nothing")),
    kinds(
        &[
            "pulsar",
            "azureeventhub",
            "azure_event_hub",
            "googlecloudpubsub",
            "solace",
            "otlpjsonfile",
            "otlp_json_file",
        ],
        Refuse(
            "spans that lie there would not be read: let a Collector with this receiver send them \
             to wayspan's otlp receiver",
        ),
    ),
];

/// What to do about a receiver of which nothing is known.
pub(super) const UNKNOWN_RECEIVER: &str =
    "let a Collector with this receiver send to wayspan's otlp receiver";

/// What a pipeline without a receiver that is served is told.
pub(super) const NO_RECEIVER: &str = "wayspan receives OTLP: add an otlp receiver to the pipeline; Istio sends to its port 4317 \
     through an extension provider of the kind `opentelemetry`";

/// What to do about a processor of which nothing is known.
pub(super) const UNKNOWN_PROCESSOR: &str = "wayspan does not know what it does to spans: if it only adds attributes, the pipeline may do \
     without it; if it decides what leaves, let a Collector with it stand behind wayspan \
     (otlp_grpc)";

pub(super) const PROCESSORS: &[Unserved] = &[
    kinds(
        &["geoip", "dnslookup", "dns_lookup"],
        LeaveOut("its attributes are not added"),
    ),
    Unserved {
        unless: Some((
            "remove_originals",
            "it takes attributes away once they are renamed: let a Collector with it stand behind \
             wayspan (otlp_grpc)",
        )),
        ..kinds(
            &["gen_ai_normalizer", "genainormalizer"],
            LeaveOut("the attributes of GenAI libraries are not added under their standard names"),
        )
    },
    kinds(
        &["spanmetrics", "servicegraph", "service_graph"],
        LeaveOut("it makes metrics of spans, which are not made; the connector span_metrics does"),
    ),
    kinds(
        &["queued_retry"],
        LeaveOut("exporters have sending_queue and retry_on_failure"),
    ),
    kinds(
        &["groupbytrace"],
        LeaveOut("spans are not gathered by trace, and leave at once"),
    ),
    kinds(
        &["remotetap", "remote_tap"],
        LeaveOut("it only shows spans"),
    ),
    kinds(
        &[
            "cumulativetodelta",
            "cumulative_to_delta",
            "deltatocumulative",
            "delta_to_cumulative",
            "deltatorate",
            "interval",
            "metricstransform",
            "metrics_transform",
            "metricsgeneration",
            "metric_start_time",
            "logdedup",
            "log_dedup",
        ],
        LeaveOut("it is for another signal than traces"),
    ),
    kinds(
        &["span", "groupbyattrs"],
        Refuse(
            "it changes spans, and may take away what must not leave: let a Collector with it \
             stand behind wayspan (otlp_grpc). Tags can also be set where spans are made, by \
             customTags of a Telemetry",
        ),
    ),
    kinds(
        &["tail_sampling"],
        Refuse(
            "it decides which traces are kept: let a Collector with it stand behind wayspan \
             (otlp_grpc)",
        ),
    ),
    kinds(
        &["routing"],
        Refuse(
            "it decides where spans go: let a Collector with it stand behind wayspan (otlp_grpc), \
             or give each tenant an Istio provider and a wayspan of its own",
        ),
    ),
];

/// What to do about an exporter of which nothing else is known.
pub(super) const UNKNOWN_EXPORTER: &str = "wayspan does not speak its protocol: let a Collector with it stand behind wayspan (otlp_grpc), or \
     use the OTLP endpoint of that backend, if it has one";

pub(super) const EXPORTERS: &[Unserved] = &[
    kinds(
        &["jaeger", "jaeger_thrift"],
        Refuse("Jaeger takes OTLP: use otlp_grpc with endpoint jaeger-collector:4317"),
    ),
    kinds(
        &["jaeger_storage_exporter"],
        Refuse(
            "this is a configuration of Jaeger itself, and not of a collector: run Jaeger with it, \
             and give wayspan an otlp_grpc exporter with the endpoint of that Jaeger",
        ),
    ),
    kinds(
        &["loadbalancing", "load_balancing"],
        Refuse(
            "it keeps each trace at one backend, which otlp_grpc to several does not: send to one \
             backend, or let a Collector with it stand behind wayspan (otlp_grpc)",
        ),
    ),
    #[cfg(not(feature = "kafka"))]
    kinds(
        &["kafka"],
        Refuse("this wayspan was built without the feature kafka"),
    ),
    kinds(
        &["pulsar"],
        Refuse("let a Collector with it stand behind wayspan (otlp_grpc)"),
    ),
    kinds(
        &["googlecloud", "google_cloud"],
        Refuse(
            "Google Cloud takes OTLP at telemetry.googleapis.com:443: let a Collector with \
             googleclientauth stand behind wayspan (otlp_grpc), which cannot sign in there",
        ),
    ),
    kinds(
        &["datadog"],
        Refuse("Datadog's agent takes OTLP: use otlp_grpc with the agent's port 4317"),
    ),
];

/// What to do about a connector of which nothing is known.
pub(super) const UNKNOWN_CONNECTOR: &str = "wayspan does not know where it leads: name exporters in the pipeline, or let a Collector with \
     this connector stand behind wayspan (otlp_grpc)";

/// What a pipeline of traces is told that takes from a connector which is left out elsewhere.
pub(super) const NO_CONNECTOR: &str = "name the exporters of this pipeline in those that feed the connector; or let a Collector with it \
     stand behind wayspan (otlp_grpc)";

pub(super) const CONNECTORS: &[Unserved] = &[
    kinds(
        &[
            "servicegraph",
            "service_graph",
            "count",
            "sum",
            "exceptions",
            "grafanacloud",
            "signaltometrics",
            "signal_to_metrics",
            "datadog",
            "metricsaslogs",
        ],
        LeaveOut("it makes metrics or logs of spans, which are not made"),
    ),
    kinds(
        &["routing", "failover", "roundrobin", "round_robin"],
        Refuse(
            "it decides where spans go: let a Collector with it stand behind wayspan (otlp_grpc)",
        ),
    ),
];

/// What becomes of an extension that is enabled. One that would be unsafe to leave out, an
/// authenticator or a storage, is refused where a component names it.
pub(super) const UNKNOWN_EXTENSION: &str = "nothing that wayspan serves needs it";

pub(super) const EXTENSIONS: &[Unserved] = &[
    authenticator(
        &["headers_setter"],
        "headers with values of the file stand below headers of the exporter; for those taken from \
         requests let a Collector with this extension stand behind wayspan (otlp_grpc)",
    ),
    authenticator(
        &[
            "oauth2client",
            "sigv4auth",
            "googleclientauth",
            "google_client_auth",
            "azureauth",
            "azure_auth",
            "asapclient",
        ],
        "let a Collector with it stand behind wayspan (otlp_grpc); or let something else renew a \
         file with a token, and name it as filename of bearertokenauth",
    ),
    authenticator(
        &["oidc"],
        "in a mesh a RequestAuthentication with an AuthorizationPolicy checks tokens in front of \
         wayspan",
    ),
];
