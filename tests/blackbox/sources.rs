//! A configuration that a server has: fetched at the start and at each reload.

use crate::spans::good;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};
use testkit::{Backend, Grpc, Setup, Wayspan, binary, free_port};

/// A server of one document, or of an error where there is none.
struct Server {
    url: String,
    document: Arc<Mutex<Option<String>>>,
}

impl Server {
    fn start(document: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/relay.yaml", listener.local_addr().unwrap());
        let document = Arc::new(Mutex::new(Some(document)));
        let served = Arc::clone(&document);
        // Ends with the test.
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let head = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<String> = head
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .collect();
                let document = served.lock().unwrap().clone();
                let (status, body) =
                    match document.filter(|_| head[0] == "GET /relay.yaml HTTP/1.1") {
                        Some(document) => ("200 OK", document),
                        None => ("404 Not Found", String::new()),
                    };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, document }
    }

    fn serve(&self, document: Option<String>) {
        *self.document.lock().unwrap() = document;
    }
}

fn document(backend: &Backend) -> String {
    format!(
        "exporters: {{otlp_grpc: {{endpoint: '127.0.0.1:{}', tls: {{insecure: true}}}}}}\n\
         processors: {{batch: {{timeout: 20ms}}}}\n\
         extensions: {{health_check: , zpages: }}\n\
         service::extensions: [health_check, zpages]\n\
         service::pipelines::traces: {{receivers: [otlp], processors: [batch], exporters: [otlp_grpc]}}\n",
        backend.port
    )
}

#[tokio::test]
async fn a_configuration_is_fetched_at_the_start_and_at_each_reload() {
    let (first, second) = (Backend::grpc(), Backend::grpc());
    let server = Server::start(document(&first));
    let mut wayspan = Wayspan::start(Setup::file(&server.url));
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    first.wait(1);

    server.serve(Some(document(&second)));
    wayspan.hang_up();
    wayspan.wait_metric("wayspan_config_reloads{result=\"taken\"}", |n| n == 1.0);
    assert_eq!(client.export(&good(2)).await.grpc_status(), Some(0));
    second.wait(1);

    server.serve(None);
    wayspan.hang_up();
    wayspan.wait_metric("wayspan_config_reloads{result=\"refused\"}", |n| n == 1.0);
    wayspan.wait_said(&format!(
        "{}: cannot fetch: it answers with HTTP 404",
        server.url
    ));
    assert_eq!(client.export(&good(3)).await.grpc_status(), Some(0));
    second.wait(2);
    wayspan.stop();
}

#[test]
fn errors_name_the_address() {
    let validate = |source: &str| {
        let output = binary()
            .args(["validate", "--config", source])
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let url = format!("http://127.0.0.1:{}/relay.yaml", free_port());
    let said = validate(&url);
    assert!(said.contains(&format!("{url}: cannot fetch")), "{said}");
    assert!(said.contains("connection refused"), "{said}");

    let server = Server::start("receivers: {otlp: {protocols: {grpc: {endpiont: x}}}}".to_owned());
    let said = validate(&server.url);
    assert!(said.contains(&format!("{}:1:39", server.url)), "{said}");

    // The same below a key.
    let said = validate(&format!("yaml:receivers: ${{{url}}}"));
    assert!(said.contains(&format!("{url}: cannot fetch")), "{said}");
}
