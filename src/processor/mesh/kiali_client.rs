//! The way to a Kiali that is asked about itself.

use crate::{
    http::{WebClient, WebRequest},
    mesh::{
        KialiEndpoint,
        watch::kiali::{KialiClient, KialiReply, KialiRequest},
    },
    tls::{ClientTls, Pem},
};

/// The client of one Kiali.
#[derive(Debug)]
pub(super) struct KialiHttp(WebClient);

impl KialiHttp {
    pub(super) fn new(endpoint: &KialiEndpoint) -> Self {
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

impl KialiClient for KialiHttp {
    async fn send(&self, request: KialiRequest<'_>) -> Result<KialiReply, String> {
        let request = WebRequest {
            path: request.path,
            token: request.token.map(|token| token.reveal()),
            cookies: request.cookies,
            form: request.login.map(|token| ("token", token.reveal())),
        };
        let answer = self.0.ask(request).await?;
        Ok(KialiReply {
            status: answer.status,
            body: answer.body,
            set_cookies: answer.set_cookies,
        })
    }
}
