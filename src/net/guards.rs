/*!
What guards a listener, TLS and credentials: made at the start, and followed as
their files change. The admin thread looks, so that no shard ever waits for a
disk.
*/

use crate::{auth, auth::ServerAuth, tls, tls::ServerTls};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{task, time};

/// How often files of tokens and users are looked at.
const CREDENTIALS_INTERVAL: Duration = Duration::from_secs(5);

/// The certificate that a listener presents, and the credentials it demands.
pub(crate) type Guards = (
    Option<Arc<tls::ReloadedServerTls>>,
    Option<Arc<auth::RequestAuthenticator>>,
);

/// Builds both from their settings; `what` names the listener in errors.
///
/// # Errors
///
/// When a file cannot be read or is not what it should be.
pub(crate) fn build(
    what: &str,
    tls: Option<&ServerTls>,
    auth: Option<&ServerAuth>,
) -> Result<Guards, String> {
    let tls = tls.map(|tls| tls::ReloadedServerTls::build(what, tls));
    let auth = auth.map(|auth| auth::RequestAuthenticator::build(what, auth));
    Ok((
        tls.transpose()?.map(Arc::new),
        auth.transpose()?.map(Arc::new),
    ))
}

/// Looks at the files of tokens and users from now on, if there are any. For a
/// runtime with a `LocalSet`.
pub(crate) fn follow_credentials(auth: &Arc<auth::RequestAuthenticator>) {
    if auth.has_files() {
        every(CREDENTIALS_INTERVAL, Arc::downgrade(auth), |auth| {
            auth.look();
        });
    }
}

/// Looks at certificates from now on. For a runtime with a `LocalSet`.
pub(crate) fn follow_tls(tls: &Arc<tls::ReloadedServerTls>, interval: Duration) {
    every(interval, Arc::downgrade(tls), |tls| {
        tls.look();
    });
}

/// Looks for as long as a listener has what is followed: a reload may end that.
fn every<T: 'static>(interval: Duration, followed: Weak<T>, look: impl Fn(&T) + 'static) {
    task::spawn_local(async move {
        loop {
            time::sleep(interval).await;
            let Some(followed) = followed.upgrade() else {
                return;
            };
            look(&followed);
        }
    });
}
