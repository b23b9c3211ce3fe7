/*!
A connection's first bytes: what is spoken, and TLS where that is wanted.

What fails here loses spans in silence, since a sender does not say why its
connection broke: so each kind of failure is logged once, with its remedy.
*/

use super::notice::ConnectionNotice;
use crate::tls;
use rustls::{AlertDescription, CertificateError};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::server::TlsStream;

/// How long a TLS handshake may take, after its first byte.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The reply to a plaintext sender on a TLS port.
const PLAINTEXT: &str = "this port takes TLS, and was spoken to in plaintext";

/// Versions of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpVersion {
    /// 1.1 and 1.0.
    One,
    /// 2.
    Two,
}

/// What a peer's first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// A request.
    Http(HttpVersion),
    /// A TLS ClientHello.
    Tls,
    /// It left without a word.
    None,
}

/// How long after a part of a preface is peeked at again, at first and at most.
/// Each time takes twice as long, so that thousands of peers that send a part and no
/// more cost next to nothing.
const PEEK_AGAIN: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// Peeks at the first bytes.
pub(crate) async fn sniff(socket: &TcpStream) -> io::Result<Greeting> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut head = [0; PREFACE.len()];
    let (mut pause, longest) = PEEK_AGAIN;
    loop {
        let seen = socket.peek(&mut head).await?;
        if seen == 0 {
            return Ok(Greeting::None);
        }
        // TLS record type "handshake"; no HTTP method begins with it.
        if head[0] == 0x16 {
            return Ok(Greeting::Tls);
        }
        if !PREFACE.starts_with(head.get(..seen).unwrap_or_default()) {
            return Ok(Greeting::Http(HttpVersion::One));
        }
        if seen == PREFACE.len() {
            return Ok(Greeting::Http(HttpVersion::Two));
        }
        // Part of a preface: peeking cannot wait for more than it has seen.
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// Does the TLS handshake and returns which HTTP follows: `unnegotiated` if the
/// sender does not say. None: it failed, which has been logged.
pub(crate) async fn accept(
    tls: &tls::ReloadedServerTls,
    socket: TcpStream,
    unnegotiated: HttpVersion,
    peer: SocketAddr,
) -> Option<(TlsStream<TcpStream>, HttpVersion)> {
    let shaken = timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(socket)).await;
    match shaken {
        Ok(Ok(stream)) => {
            let version = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => HttpVersion::Two,
                Some(_) => HttpVersion::One,
                // A sender that negotiates nothing speaks what the port is for.
                None => unnegotiated,
            };
            Some((stream, version))
        }
        Ok(Err(error)) => {
            explain(&error, peer);
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "closed: the TLS handshake was not finished in time");
            None
        }
    }
}

fn explain(error: &io::Error, peer: SocketAddr) {
    use rustls::Error as E;
    let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    else {
        // The peer left: a probe, or a sender whose own log says why.
        return tracing::debug!(%peer, %error, "the TLS handshake broke off");
    };
    let (notice, remedy) = match tls {
        E::NoCertificatesPresented => (
            ConnectionNotice::NoCertificate,
            "the sender presents no client certificate, which client_ca_file of this receiver \
             demands: set cert_file and key_file at the sender",
        ),
        E::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => (
            ConnectionNotice::ForeignCertificate,
            "the sender's client certificate has expired: renew it, or set this machine's clock",
        ),
        E::InvalidCertificate(_) => (
            ConnectionNotice::ForeignCertificate,
            "the sender's client certificate is not one of the CA in client_ca_file of this \
             receiver: sign it by that CA, or add its own CA to the file",
        ),
        E::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            // The sender's CA has the right name and another key: it was made anew.
            | AlertDescription::DecryptError,
        ) => (
            ConnectionNotice::Distrusted,
            "the sender does not accept this receiver's certificate (cert_file): has it expired, \
             is it for the name that the sender connects to, and does the sender trust its CA \
             (ca_file)?",
        ),
        _ => (
            ConnectionNotice::Handshake,
            "TLS failed: check min_version, cipher_suites and the certificates on both sides",
        ),
    };
    notice.log(peer, format_args!("{remedy} ({tls})"));
}

/// Answers a sender that speaks plaintext on a TLS port in its own protocol.
pub(crate) async fn refuse_plaintext(
    mut socket: TcpStream,
    version: HttpVersion,
    peer: SocketAddr,
) {
    ConnectionNotice::Plaintext.log(
        peer,
        "the sender speaks plaintext, but this port takes TLS: set tls (https://, not insecure) \
         at the sender, or remove tls from this receiver",
    );
    let answer = match version {
        HttpVersion::One => format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{PLAINTEXT}\n",
            PLAINTEXT.len() + 1
        )
        .into_bytes(),
        HttpVersion::Two => goaway(),
    };
    let answered = async {
        socket.write_all(&answer).await?;
        socket.shutdown().await?;
        // Closing with bytes unread would reset the connection, and the answer with it.
        let mut rest = [0; 1024];
        while tokio::io::AsyncReadExt::read(&mut socket, &mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    if let Ok(Err(error)) = timeout(Duration::from_secs(1), answered).await {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Empty SETTINGS, and GOAWAY with INADEQUATE_SECURITY (RFC 9113, 6.8 and 7) and
/// words, which grpc-go shows.
fn goaway() -> Vec<u8> {
    let length = 8 + PLAINTEXT.len();
    let mut frames = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
    // A constant of less than 256 bytes.
    frames.extend([0, 0, length as u8, 7, 0, 0, 0, 0, 0]);
    frames.extend([0, 0, 0, 0, 0, 0, 0, 0xc]);
    frames.extend(PLAINTEXT.as_bytes());
    frames
}
