/*! A page for operators on a socket of its own, in plaintext or over TLS. */

use super::{connection::HANDSHAKE_TIMEOUT, guards};
use crate::{
    telemetry::http::{self, PageAnswer, PageRequest},
    tls::ReloadedServerTls,
};
use std::{net::TcpListener as StdListener, sync::Arc, time::Duration};
use tokio::{net::TcpListener, time::timeout};

/// Answers by `page`, over TLS if there is some, whose files are looked at so often. Runs until
/// dropped; needs a `LocalSet`.
pub(crate) async fn serve(
    socket: Arc<StdListener>,
    (tls, looks): (Option<Arc<ReloadedServerTls>>, Option<Duration>),
    page: impl Fn(&PageRequest<'_>) -> Option<PageAnswer> + 'static,
) {
    let listener = match socket.try_clone().and_then(TcpListener::from_std) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("cannot serve a page: {error}"),
    };
    let Some(tls) = tls else {
        let plain = |socket| std::future::ready(Some(socket));
        return http::serve(listener, plain, page).await;
    };
    if let Some(interval) = looks {
        guards::follow_tls(&tls, interval);
    }
    let encrypted = move |socket| {
        let shaken = timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(socket));
        async { shaken.await.ok()?.ok() }
    };
    http::serve(listener, encrypted, page).await;
}
