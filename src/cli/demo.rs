/*!
`wayspan demo`: the main job on a recording, with nothing else installed.

The pipeline runs as it would in a cluster, on free ports of the loopback
interface: requests recorded from real Envoys go in over gRPC and come out at a
destination in this process (and at a Jaeger, with `--send-to`). Then it shows,
for every hop, its name before and after, and for every page of Kiali whether
that Kiali would have found its traces before and finds them now.
*/

mod destination;
mod recording;
mod report;

use super::kiali_flags::KialiFlags;
use crate::{
    config,
    mesh::{Kiali, model},
    service::{self, Report},
};
use anyhow::Context;
use destination::ReceivedSpans;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, trace_service_client::TraceServiceClient,
};
use recording::Istio;
use std::{io::Write, process::ExitCode};

/// Show what wayspan does, on spans recorded from a real mesh
///
/// Sends a recording of Istio's bookinfo sample through the pipeline and prints
/// what each hop is called before and after, and which pages of Kiali find
/// their traces. Nothing else needs to run.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The Istio that emitted the spans
    #[arg(long, value_enum, default_value = "1.30")]
    istio: Istio,

    #[command(flatten)]
    kiali: KialiFlags,

    /// Also export to a Jaeger's OTLP/gRPC port, such as localhost:4317
    #[arg(long, value_name = "HOST:PORT")]
    send_to: Option<String>,
}

/// Runs the demo and prints to standard output.
///
/// # Errors
///
/// When a port cannot be bound or the pipeline does not take the recording.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let requests = args
        .istio
        .requests()
        .context("the embedded recording is damaged")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let (delivered, report) = runtime.block_on(through_wayspan(args, &requests))?;

    let emitted: Vec<model::Span> = requests.iter().flat_map(model::spans).collect();
    let story = report::Story {
        istio: args.istio,
        kiali: &args.kiali.kiali(),
        requests: requests.len(),
        emitted: &emitted,
        delivered: &model::spans(&delivered),
    };
    let mut out = std::io::stdout().lock();
    // A closed pipe (`wayspan demo | head`) is the reader's choice.
    let _ = write!(out, "{story}");
    let Some(address) = &args.send_to else {
        return Ok(ExitCode::SUCCESS);
    };
    match report
        .exporters
        .iter()
        .find(|exporter| exporter.id.ends_with("/jaeger"))
    {
        Some(jaeger) if jaeger.failed == 0 => {
            let _ = writeln!(out, "{} spans are in the Jaeger at {address}.", jaeger.sent);
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            let _ = writeln!(
                out,
                "The Jaeger at {address} did not take the spans: is that its OTLP/gRPC port \
                 (4317), and is it running?"
            );
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Sends the recording through a pipeline and returns what came out.
async fn through_wayspan(
    args: &Args,
    requests: &[ExportTraceServiceRequest],
) -> anyhow::Result<(ExportTraceServiceRequest, Report)> {
    let (destination, address) = ReceivedSpans::start().context("cannot listen on 127.0.0.1")?;
    let source = config::Source::Text {
        name: "the demo's pipeline".to_owned(),
        text: pipeline(args, &address.to_string()),
    };
    let config = crate::component::load(&[source])?;
    let service = service::start(config)?;
    let port = service
        .grpc_address()
        .context("the pipeline has no gRPC listener")?
        .port();
    let mut client = TraceServiceClient::connect(format!("http://127.0.0.1:{port}"))
        .await
        .context("the pipeline does not accept connections")?;
    for request in requests {
        client
            .export(request.clone())
            .await
            .context("the pipeline refused the recording")?;
    }
    drop(client);
    let report = tokio::task::spawn_blocking(move || service.shutdown())
        .await
        .context("the pipeline did not stop")?;
    Ok((
        ExportTraceServiceRequest {
            resource_spans: destination.take(),
        },
        report,
    ))
}

/// The pipeline's configuration, as an operator would write it.
fn pipeline(args: &Args, destination: &str) -> String {
    let Kiali {
        version,
        namespace_selector,
        use_waypoint_name,
        ..
    } = args.kiali.kiali();
    let (jaeger, jaeger_id) = match &args.send_to {
        // JSON strings are YAML strings: an argument cannot break out of its place.
        Some(address) => (
            format!(
                "\n  otlp_grpc/jaeger: {{endpoint: {}, tls: {{insecure: true}}, \
                 retry_on_failure: {{enabled: false}}}}",
                serde_json::Value::from(address.as_str())
            ),
            ", otlp_grpc/jaeger",
        ),
        None => (String::new(), ""),
    };
    format!(
        "\
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: \"127.0.0.1:0\"}}}}}}
processors:
  mesh:
    kubernetes: off
    kiali:
      version: \"{version}\"
      namespace_selector: {namespace_selector}
      use_waypoint_name: {use_waypoint_name}
  batch: {{timeout: 20ms}}
exporters:
  otlp_grpc/destination: {{endpoint: \"{destination}\", tls: {{insecure: true}}}}{jaeger}
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [mesh, batch]
      exporters: [otlp_grpc/destination{jaeger_id}]
  telemetry: {{metrics: {{level: none}}}}
"
    )
}
