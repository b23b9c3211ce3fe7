//! Sockets that share so many bytes a second.
//!
//! Idea: bytes are taken from one account before they are written, whatever
//! protocol writes them. A new connection costs what its packets have.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// Bytes a second of all attackers together.
const RATE: f64 = 1e6;
/// What may be sent at once after a pause.
const BURST: f64 = 64e3;
/// The headers of the packets that open and close a connection.
const CONNECTION: f64 = 240.0;

/// How much may be sent now.
#[derive(Clone)]
pub struct Pace(Arc<Mutex<Account>>);

struct Account {
    bytes: f64,
    at: Instant,
    sent: u64,
}

impl Pace {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Account {
            bytes: BURST,
            at: Instant::now(),
            sent: 0,
        })))
    }

    /// Bytes that were sent so far.
    pub fn sent(&self) -> u64 {
        self.0.lock().unwrap().sent
    }

    /// Takes up to so many bytes, or says how long there are none.
    fn take(&self, wanted: usize) -> Result<usize, Duration> {
        let mut account = self.0.lock().unwrap();
        let now = Instant::now();
        let earned = now.duration_since(account.at).as_secs_f64() * RATE;
        account.bytes = (account.bytes + earned).min(BURST);
        account.at = now;
        if account.bytes < 1.0 {
            // Timers tick in milliseconds, so shorter waits would not be.
            let lacking = (1.0 - account.bytes) / RATE;
            return Err(Duration::from_secs_f64(lacking.max(0.001)));
        }
        let taken = wanted.min(account.bytes as usize);
        account.bytes -= taken as f64;
        account.sent += taken as u64;
        Ok(taken)
    }

    fn give_back(&self, bytes: usize) {
        let mut account = self.0.lock().unwrap();
        account.bytes += bytes as f64;
        account.sent -= bytes as u64;
    }

    /// Pays for a connection, and waits until there is something to send again.
    pub async fn connection(&self) {
        self.0.lock().unwrap().bytes -= CONNECTION;
        while let Err(lacking) = self.take(0) {
            sleep(lacking).await;
        }
    }
}

/// A connection that writes at this pace.
pub struct Paced {
    stream: TcpStream,
    pace: Pace,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub fn new(stream: TcpStream, pace: Pace) -> Self {
        Self {
            stream,
            pace,
            pause: None,
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.pace.take(buf.len()) {
                Err(lacking) => self.pause = Some(Box::pin(sleep(lacking))),
                Ok(taken) => {
                    let written = Pin::new(&mut self.stream).poll_write(cx, &buf[..taken]);
                    let used = match &written {
                        Poll::Ready(Ok(used)) => *used,
                        _ => 0,
                    };
                    self.pace.give_back(taken - used);
                    return written;
                }
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
