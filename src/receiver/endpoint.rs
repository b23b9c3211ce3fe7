/*!
What one listener of a receiver is on one shard, and what its requests know of
their connection.
*/

use super::{
    decoder::Decoder,
    notice::{PeerFault, note_ended, note_refusal},
    scratch::Scratch,
};
use crate::{
    auth::ServerAuth,
    net::{
        admission::{Admission, Denied},
        closing::CloseOrder,
        permit::ConnectionProof,
    },
    pipeline::{Ingest, Refusal, RefusalKind, Taken},
    receiver::{http::HttpServer, otlp::GrpcServer},
    telemetry::ReceiverStats,
    tls,
    tls::ServerTls,
};
use std::{future::poll_fn, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};
use tokio::sync::{Mutex, watch};

/// How long a request's body may pause between two pieces. A gRPC call is then
/// answered with DEADLINE_EXCEEDED, an HTTP request with 408.
pub(crate) const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a request's body may take in all: a sender that drips a byte now
/// and then must not hold memory without end.
const BODY_TOTAL_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a body may take for which nothing has come, and how many bytes a second
/// it must have after that.
const BODY_GRACE: Duration = Duration::from_secs(30);
const BODY_LEAST_RATE: u64 = 1024;

/// Returns how long a body may take of which so much has come.
pub(crate) fn body_time(received: usize) -> Duration {
    let earned = Duration::from_secs(received as u64 / BODY_LEAST_RATE);
    (BODY_GRACE + earned).min(BODY_TOTAL_TIMEOUT)
}

/// Which protocol a listener speaks.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc(GrpcServer),
    /// Some format over HTTP.
    Http(HttpServer, Arc<dyn Decoder>),
}

impl Protocol {
    /// Returns the settings of TLS; None: plaintext.
    pub(crate) fn tls(&self) -> Option<&ServerTls> {
        match self {
            Self::Grpc(settings) => settings.tls.as_ref(),
            Self::Http(settings, _) => settings.tls.as_ref(),
        }
    }

    /// Returns the credentials that are demanded, if any are.
    pub(crate) fn auth(&self) -> Option<&ServerAuth> {
        match self {
            Self::Grpc(settings) => settings.auth.as_ref(),
            Self::Http(settings, _) => settings.auth.as_ref(),
        }
    }
}

/// Everything a shard needs to serve the connections of one listener. One per
/// (shard, listener); `Rc`, since a shard is one thread.
pub struct Endpoint {
    /// Protocol and limits.
    pub protocol: Protocol,
    /// What is presented and trusted; None: plaintext.
    pub tls: Option<Arc<tls::ReloadedServerTls>>,
    /// Who may send; None: whoever can connect.
    pub admission: Option<Admission>,
    /// Where requests go.
    pub ingest: Rc<dyn Ingest>,
    /// Which of the shard's connections are to close, so that their senders
    /// connect again, to another shard.
    pub closing: Rc<CloseOrder>,
    /// Memory that the requests of the shard use in turn.
    pub scratch: Rc<Scratch>,
    /// Counters of this shard for this listener. The receiver counts requests;
    /// items are counted by the [`Ingest`] that knows them.
    pub stats: ReceiverStats,
}

/// What requests know of their connection.
pub(crate) struct ConnectionContext {
    /// The listener's endpoint.
    pub(crate) endpoint: Rc<Endpoint>,
    /// Who is at the other end.
    pub(crate) peer: SocketAddr,
    /// Is told when a request was taken.
    pub(crate) proof: ConnectionProof,
    /// Turns true when the process shuts down.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Held while credentials of the connection are checked slowly: one at a time, so
    /// that a connection with many guesses does not crowd out others of its address.
    checking: Mutex<()>,
}

impl ConnectionContext {
    /// Makes the context of a connection that has just been accepted.
    pub(crate) fn new(
        endpoint: Rc<Endpoint>,
        peer: SocketAddr,
        proof: ConnectionProof,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        Self {
            endpoint,
            peer,
            proof,
            shutdown,
            checking: Mutex::const_new(()),
        }
    }

    /// Judges the credentials of a request, however long that takes.
    ///
    /// # Errors
    ///
    /// When the request is not admitted.
    pub(crate) async fn admit(&self, given: Option<&[u8]>) -> Result<(), Refusal> {
        let Some(admission) = &self.endpoint.admission else {
            return Ok(());
        };
        let judged = match (admission.judge(given), given) {
            (None, Some(given)) => {
                let _checking = self.checking.lock().await;
                admission.check(given, self.peer.ip()).await
            }
            (judged, _) => judged.unwrap_or(Err(Denied::Missing)),
        };
        judged.map_err(denied)
    }

    /// Counts a request that was taken.
    pub(crate) fn note_taken(&self) {
        self.endpoint.stats.requests.add(1);
        self.proof.taken();
    }

    /// Counts a refusal and logs the first of its kind.
    pub(crate) fn note(&self, refusal: &Refusal) {
        note_refusal(refusal, &self.endpoint.stats, self.peer);
    }

    /// Counts the connection as one that is ended for what its peer did.
    pub(crate) fn note_ended(&self, fault: PeerFault) {
        note_ended(fault, &self.endpoint.stats, self.peer);
    }

    /// Notes a request whose head is over the limit.
    pub(crate) fn note_long_head(&self) {
        self.note(&Refusal::new(
            RefusalKind::TooLarge,
            "the header fields are longer than max_header_bytes of the receiver",
        ));
    }

    /// Waits until what was taken may be answered.
    ///
    /// # Errors
    ///
    /// When the sender is to hear that it was not delivered.
    pub(crate) async fn settled(&self, mut taken: Taken) -> Result<Taken, Refusal> {
        if let Some(ticket) = taken.stored {
            poll_fn(|cx| self.endpoint.ingest.poll_stored(ticket, cx)).await;
        }
        for result in std::mem::take(&mut taken.results) {
            result.get().await?;
        }
        Ok(taken)
    }
}

/// Makes the refusal of a request that is not admitted.
pub(crate) fn denied(denied: Denied) -> Refusal {
    match denied {
        Denied::Missing => Refusal::new(
            RefusalKind::MissingCredentials,
            "the request has no credentials, which auth of this receiver demands",
        ),
        Denied::Wrong => Refusal::new(
            RefusalKind::WrongCredentials,
            "the request's credentials are not those that auth of this receiver expects",
        ),
        Denied::Crowded => Refusal::crowded("too many passwords to check at once"),
    }
}
