//! The way to a Kiali that is asked about itself.

use crate::{
    config::{ClientTls, Pem},
    http::{WebClient, WebRequest},
    mesh::{
        Endpoint,
        watch::kiali::{Ask, Fetch, Reply},
    },
};

/// The client of one Kiali.
#[derive(Debug)]
pub(super) struct KialiClient(WebClient);

impl KialiClient {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        let tls = endpoint.tls.clone();
        let tls = ClientTls {
            insecure_skip_verify: tls.insecure_skip_verify,
            ca: tls.ca_file.map(Pem::File),
            server_name_override: tls.server_name_override,
            ..ClientTls::default()
        };
        Self(WebClient::new("Kiali", endpoint.url.clone(), tls))
    }
}

impl Fetch for KialiClient {
    async fn fetch(&self, ask: Ask<'_>) -> Result<Reply, String> {
        let request = WebRequest {
            path: ask.path,
            token: ask.token.map(|token| token.reveal()),
            cookies: ask.cookies,
            form: ask.login.map(|token| ("token", token.reveal())),
        };
        let answer = self.0.ask(request).await?;
        Ok(Reply {
            status: answer.status,
            body: answer.body,
            set_cookies: answer.set_cookies,
        })
    }
}
