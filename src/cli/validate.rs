//! `wayspan validate` and `wayspan print-config`: look at a configuration
//! without running it.

use super::{Sources, complain};
use crate::{
    auth,
    config::{self, Config, ExporterKind, Guard, ProcessorKind},
    tls,
};
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
};

pub(super) fn run(sources: &Sources, no_files: bool) -> anyhow::Result<ExitCode> {
    let loaded = match no_files {
        true => config::load(&sources.list()),
        false => config::load_inspected(&sources.list(), &inspect),
    };
    let config = match loaded {
        Ok(config) => config,
        Err(error) => return Ok(complain(&error)),
    };
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    io::stdout().write_all(summary(&config)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print(sources: &Sources, show_secrets: bool) -> anyhow::Result<ExitCode> {
    match config::render(&sources.list(), show_secrets) {
        Ok(text) => {
            io::stdout().write_all(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Ok(complain(&error)),
    }
}

/// Reads what a guard names, as the start will.
fn inspect(guard: Guard<'_>) -> Result<(), String> {
    match guard {
        Guard::ServerTls(settings) => tls::Server::build("", settings).map(drop),
        Guard::ClientTls(settings) => tls::Client::build("", Some(settings), drop).map(drop),
        Guard::ServerAuth(settings) => auth::Server::build("", settings).map(drop),
        Guard::ClientAuth(settings) => auth::Client::build("", settings).map(drop),
    }
}

/// What a configuration would do, a line each.
fn summary(config: &Config) -> Result<String, std::fmt::Error> {
    let mut out = String::from("OK\n");
    for pipeline in &config.pipelines {
        let receivers = pipeline
            .receivers
            .iter()
            .filter_map(|&i| config.receivers.get(i));
        let listening = receivers
            .flat_map(|r| {
                let grpc = r
                    .grpc
                    .as_ref()
                    .map(|g| format!("{} grpc {}", r.id, g.endpoint));
                let http = r
                    .http
                    .as_ref()
                    .map(|h| format!("{} http {}", r.id, h.endpoint));
                grpc.into_iter().chain(http)
            })
            .collect::<Vec<_>>();
        let processors = pipeline.processors.iter().map(|p| p.id.to_string());
        let processors = processors
            .chain([pipeline.batch.id.to_string()])
            .collect::<Vec<_>>();
        let exporters = pipeline
            .exporters
            .iter()
            .filter_map(|&i| config.exporters.get(i));
        let sending = exporters
            .map(|e| match &e.kind {
                ExporterKind::OtlpGrpc(c) | ExporterKind::OtlpHttp(c, _) => {
                    format!("{} {}", e.id, c.url)
                }
                ExporterKind::Debug(_) => e.id.to_string(),
            })
            .collect::<Vec<_>>();
        writeln!(
            out,
            "{}: {} -> {} -> {}",
            pipeline.id,
            listening.join(", "),
            processors.join(", "),
            sending.join(", ")
        )?;
        for processor in &pipeline.processors {
            let ProcessorKind::Mesh(mesh) = &processor.kind;
            let (kiali, version) = (&mesh.kiali, mesh.kiali.version);
            writeln!(
                out,
                "{}: names for Kiali {}.{}, namespace_selector {}, use_waypoint_name {}",
                processor.id,
                version.major,
                version.minor,
                kiali.namespace_selector,
                kiali.use_waypoint_name
            )?;
            if let Some(follow) = &mesh.follow {
                writeln!(
                    out,
                    "{}: until Kiali's own configuration is read from {}",
                    processor.id, follow.source
                )?;
            }
        }
    }
    writeln!(
        out,
        "memory: up to {} MiB of spans held",
        config.memory_limit >> 20
    )?;
    for storage in &config.storages {
        writeln!(out, "segment log ({}): {storage}", storage.id)?;
    }
    if let Some(health) = &config.health_check {
        let scheme = health.scheme();
        writeln!(out, "health: {scheme}://{}{}", health.endpoint, health.path)?;
    }
    if let Some(metrics) = config.telemetry.metrics {
        writeln!(out, "metrics: http://{metrics}/metrics")?;
    }
    if let Some(zpages) = config.zpages {
        writeln!(
            out,
            "account of every span: http://{zpages}/debug/pipelinez"
        )?;
    }
    Ok(out)
}
