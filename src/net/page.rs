/*! A page for operators on a socket of its own, in plaintext or over TLS. */

use super::{connection::HANDSHAKE_TIMEOUT, guards::follow_tls};
use crate::{
    telemetry::http::{self, PageAnswer, PageRequest},
    tls::{ReloadedServerTls, ServerTls},
};
use std::{net::TcpListener as StdListener, sync::Arc, time::Duration};
use tokio::{net::TcpListener, time::timeout};

/// What a page presents, and how often its files are looked at; by default it is in plaintext.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guards {
    tls: Option<Arc<ReloadedServerTls>>,
    looks: Option<Duration>,
}

/// Reads what the page called `what` presents.
///
/// # Errors
///
/// When a file cannot be read or is not what it should be.
pub(crate) fn guards(what: &str, settings: Option<&ServerTls>) -> Result<Guards, String> {
    let tls = settings.map(|tls| ReloadedServerTls::for_page(what, tls).map(Arc::new));
    Ok(Guards {
        tls: tls.transpose()?,
        looks: settings.and_then(|tls| tls.reload_interval),
    })
}

/// Answers by `page`. Runs until dropped; needs a `LocalSet`.
pub(crate) async fn serve(
    socket: Arc<StdListener>,
    guards: Guards,
    page: impl Fn(&PageRequest<'_>) -> Option<PageAnswer> + 'static,
) {
    let listener = match socket.try_clone().and_then(TcpListener::from_std) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("cannot serve a page: {error}"),
    };
    let Some(tls) = guards.tls else {
        let plain = |socket| std::future::ready(Some(socket));
        return http::serve(listener, plain, page).await;
    };
    if let Some(interval) = guards.looks {
        follow_tls(&tls, interval);
    }
    let encrypted = move |socket| {
        let shaken = timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(socket));
        async { shaken.await.ok()?.ok() }
    };
    http::serve(listener, encrypted, page).await;
}
