//! Unix sockets: receivers that listen on them, and what becomes of their files.

use crate::spans::good;
use std::{
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream as StdUnixStream},
    },
    path::Path,
};
use testkit::{Backend, Grpc, Setup, Wayspan, http_over, wait_for};
use tokio::net::UnixStream;

/// A setup with a second receiver, whose protocols are these.
fn setup(backend: &Backend, protocols: &str) -> Setup {
    Setup::to(backend).layer(format!(
        "receivers: {{otlp/unix: {{protocols: {{{protocols}}}}}}}\n\
         service: {{pipelines: {{traces: {{receivers: [otlp, otlp/unix]}}}}}}"
    ))
}

/// Sends span number `n` over gRPC on a socket's file.
async fn send(path: &Path, n: u64) {
    let mut client = Grpc::over(UnixStream::connect(path).await.unwrap()).await;
    assert_eq!(client.export(&good(n)).await.grpc_status(), Some(0));
}

#[tokio::test]
async fn spans_come_over_sockets_with_and_without_a_file() {
    let backend = Backend::grpc();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("grpc.sock");
    // As a process that was killed leaves it.
    drop(UnixListener::bind(&path).unwrap());
    let name = format!("wayspan-{}", std::process::id());
    let protocols = format!(
        "grpc: {{endpoint: '{}'}}, http: {{transport: unix, endpoint: '@{name}'}}",
        path.display()
    );
    let mut wayspan = Wayspan::start(setup(&backend, &protocols));
    wayspan.wait_said(&format!("OTLP/gRPC on unix:{}", path.display()));

    send(&path, 1).await;
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let stream = StdUnixStream::connect_addr(&address).unwrap();
    stream.set_nonblocking(true).unwrap();
    let stream = UnixStream::from_std(stream).unwrap();
    let headers = [("content-type", "application/x-protobuf")];
    let reply = http_over(stream, "POST", "/v1/traces", &headers, &good(2)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    backend.wait(2);
    wayspan.wait_metric(
        "otelcol_receiver_accepted_spans{receiver=\"otlp/unix\"}",
        |n| n == 2.0,
    );
    wayspan.stop();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_stays_over_a_reload_and_goes_when_it_is_no_longer_named() {
    let backend = Backend::grpc();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("grpc.sock");
    let grpc = |keys: &str| format!("grpc: {{endpoint: '{}'{keys}}}", path.display());
    let mut wayspan = Wayspan::start(setup(&backend, &grpc("")));
    send(&path, 1).await;
    // Another listener on the same socket.
    wayspan.rewrite(setup(&backend, &grpc(", max_recv_msg_size_mib: 1")));
    wayspan.hang_up();
    wayspan.wait_metric("wayspan_config_reloads{result=\"taken\"}", |n| n == 1.0);
    send(&path, 2).await;
    wayspan.rewrite(setup(&backend, "grpc: {endpoint: '127.0.0.1:0'}"));
    wayspan.hang_up();
    wayspan.wait_metric("wayspan_config_reloads{result=\"taken\"}", |n| n == 2.0);
    wait_for("the end of the socket", || (!path.exists()).then_some(()));
    backend.wait(2);
    wayspan.stop();
}

#[tokio::test]
async fn an_exporter_sends_over_a_socket_to_what_listens_there() {
    let backend = Backend::grpc();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("grpc.sock");
    let exporter = format!(
        "exporters: {{otlp_grpc: {{endpoint: 'unix://{}', tls: {{insecure: true}}}}}}",
        path.display()
    );
    // The first address is overlaid.
    let mut sender = Wayspan::start(Setup::to(&backend).layer(exporter));
    let mut client = Grpc::connect(sender.grpc).await;
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    sender.wait_said(&format!("unix:{}", path.display()));
    // Nobody has listened so far.
    let grpc = format!("grpc: {{endpoint: '{}'}}", path.display());
    let mut listener = Wayspan::start(setup(&backend, &grpc));
    backend.wait(1);
    sender.stop();
    listener.stop();
}
