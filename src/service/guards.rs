/*!
A listener's TLS and credentials: made at the start, and followed as their files
change. The admin thread looks, so that no shard ever waits for a disk.
*/

use super::{StartError, listen::Listener};
use crate::{auth, receiver::Protocol, tls};
use std::{sync::Arc, time::Duration};
use tokio::{task, time};

/// How often files of tokens and users are looked at.
const CREDENTIALS_INTERVAL: Duration = Duration::from_secs(5);

type Guards = (Option<Arc<tls::Server>>, Option<Arc<auth::Server>>);

/// What a protocol's settings ask for; `what` is whose they are.
pub fn build(what: &str, protocol: &Protocol) -> Result<Guards, StartError> {
    let (tls, auth) = match protocol {
        Protocol::Grpc(settings) => (&settings.tls, &settings.auth),
        Protocol::Http(settings) => (&settings.tls, &settings.auth),
    };
    let failed = |message| StartError::Receiver {
        what: what.to_owned(),
        message,
    };
    let tls = tls.as_ref().map(|tls| tls::Server::build(what, tls));
    let auth = auth.as_ref().map(|auth| auth::Server::build(what, auth));
    Ok((
        tls.transpose().map_err(failed)?.map(Arc::new),
        auth.transpose().map_err(failed)?.map(Arc::new),
    ))
}

/// Looks at the files from now on. For a runtime with a `LocalSet`.
pub fn follow(listener: &Listener) {
    let interval = match &listener.protocol {
        Protocol::Grpc(settings) => &settings.tls,
        Protocol::Http(settings) => &settings.tls,
    };
    let interval = interval.as_ref().and_then(|tls| tls.reload_interval);
    if let Some((tls, interval)) = listener.tls.clone().zip(interval) {
        follow_tls(tls, interval);
    }
    if let Some(auth) = listener.auth.clone().filter(|auth| auth.has_files()) {
        every(CREDENTIALS_INTERVAL, move || auth.look());
    }
}

/// Looks at certificates from now on. For a runtime with a `LocalSet`.
pub fn follow_tls(tls: Arc<tls::Server>, interval: Duration) {
    every(interval, move || tls.look());
}

fn every(interval: Duration, look: impl Fn() -> bool + 'static) {
    task::spawn_local(async move {
        loop {
            time::sleep(interval).await;
            look();
        }
    });
}
