//! Exporters behind a proxy of HTTP, which alone knows where the backend is.

use crate::spans::good;
use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};
use testkit::{Backend, Grpc, Setup, Wayspan, wait_for};

/// A request's line, and its credentials.
type FirstRequest = (String, Option<String>);

/// A proxy that reaches one backend, by whatever name it is asked for. Its threads end
/// with the connections, and the last with the test.
struct Proxy {
    port: u16,
    /// Of each connection.
    seen: Arc<Mutex<Vec<FirstRequest>>>,
}

impl Proxy {
    /// With `credentials`, it wants them of each request.
    fn start(backend: u16, credentials: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let seen_by_proxy = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let seen = Arc::clone(&seen_by_proxy);
                // Whoever hangs up ends it.
                thread::spawn(move || drop(relay(client, backend, credentials, &seen)));
            }
        });
        Self { port, seen }
    }

    fn lines(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(line, _)| line.clone()).collect()
    }
}

fn relay(
    mut client: TcpStream,
    backend: u16,
    credentials: Option<&str>,
    seen: &Mutex<Vec<FirstRequest>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut given) = (Vec::new(), None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        match line.to_lowercase().starts_with("proxy-authorization:") {
            true => {
                given = line
                    .split_once(": ")
                    .map(|(_, value)| value.trim().to_owned())
            }
            false => head.push(line),
        }
    }
    let first = head.first().cloned().unwrap_or_default();
    seen.lock()
        .unwrap()
        .push((first.trim_end().to_owned(), given.clone()));
    if credentials.is_some() && given.as_deref() != credentials {
        return client.write_all(
            b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\
              connection: close\r\n\r\n",
        );
    }
    let mut server = TcpStream::connect(("127.0.0.1", backend))?;
    match first.starts_with("CONNECT ") {
        true => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
        false => server.write_all(format!("{}\r\n", head.concat()).as_bytes())?,
    }
    let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
    let answering = thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let _ = io::copy(&mut reader, &mut server);
    let _ = server.shutdown(Shutdown::Both);
    let _ = answering.join();
    Ok(())
}

/// A pipeline to the exporter of this id, with these keys.
fn setup(id: &str, keys: &str) -> Setup {
    Setup::usual().layer(format!(
        "exporters: {{{id}: {{{keys}}}}}\n\
         service: {{pipelines: {{traces: {{receivers: [otlp], processors: [memory_limiter, batch], \
         exporters: [{id}]}}}}}}"
    ))
}

/// Sends a span, which then comes to the backend.
async fn passes(setup: Setup, backend: &Backend) {
    let mut wayspan = Wayspan::start(setup);
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    backend.wait(1);
    wayspan.stop();
}

#[tokio::test]
async fn a_plain_request_goes_to_the_proxy_with_its_whole_url() {
    let backend = Backend::http();
    let proxy = Proxy::start(backend.port, Some("Basic dXNlcjpwYXNzd29yZA=="));
    let keys = format!(
        "endpoint: 'http://backend.invalid:4318', \
         proxy_url: 'http://user:password@127.0.0.1:{}'",
        proxy.port
    );
    passes(setup("otlp_http", &keys), &backend).await;
    assert_eq!(
        proxy.lines(),
        ["POST http://backend.invalid:4318/v1/traces HTTP/1.1"]
    );
}

#[tokio::test]
async fn grpc_goes_through_the_tunnel_that_the_environment_names() {
    let backend = Backend::grpc();
    let proxy = Proxy::start(backend.port, None);
    let setup = setup(
        "otlp_grpc",
        "endpoint: 'backend.invalid:4317', tls: {insecure: true}",
    );
    let url = format!("http://127.0.0.1:{}", proxy.port);
    passes(setup.env("HTTPS_PROXY", url), &backend).await;
    let lines = proxy.lines();
    assert!(!lines.is_empty());
    assert!(
        lines
            .iter()
            .all(|line| line == "CONNECT backend.invalid:4317 HTTP/1.1"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn hosts_in_no_proxy_are_reached_without() {
    let backend = Backend::http();
    let nobody = testkit::free_port();
    let setup = Setup::to(&backend)
        .env("HTTP_PROXY", format!("http://127.0.0.1:{nobody}"))
        .env("NO_PROXY", "example.com,127.0.0.0/8");
    passes(setup, &backend).await;
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_is_told_of() {
    let backend = Backend::grpc();
    let proxy = Proxy::start(backend.port, Some("Basic dXNlcjpwYXNzd29yZA=="));
    let setup = setup(
        "otlp_grpc",
        "endpoint: 'backend.invalid:4317', tls: {insecure: true}",
    );
    let setup = setup.env("HTTPS_PROXY", format!("127.0.0.1:{}", proxy.port));
    let mut wayspan = Wayspan::start(setup);
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    wayspan.wait_said("wants credentials: write http://USER:PASSWORD@127.0.0.1");
    wait_for("another attempt", || {
        (proxy.lines().len() > 1).then_some(())
    });
    wayspan.kill();
    assert!(backend.spans().is_empty());
}
