//! Requests that are sent again and again, over either port.

use crate::{
    attack::{Attack, Prepared},
    target::Target,
};
use flate2::{Compression, write::GzEncoder};
use futures_util::future::{join_all, try_join_all};
use std::{
    io::{self, Write},
    rc::Rc,
    time::Duration,
};
use testkit::{EXPORT, Grpc, Protocol, Signal, frames};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// The protocol and the coding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub carrier: Carrier,
    pub coding: Coding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Grpc,
    /// HTTP/1.1 on the HTTP port; requests are sent without waiting for answers.
    Http1,
    /// HTTP/2 on the HTTP port.
    Http2,
    /// As the first, to the receiver of Zipkin's spans.
    Zipkin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Plain,
    Gzip,
    Zstd,
}

/// What a body is, where it is not JSON.
pub const PROTOBUF: &str = "application/x-protobuf";

/// The ways of a body that is much smaller when compressed; the first two are
/// always tried.
pub const COMPRESSED: &[Way] = &[
    Way::new(Carrier::Grpc, Coding::Zstd),
    Way::new(Carrier::Http1, Coding::Gzip),
    Way::new(Carrier::Grpc, Coding::Gzip),
    Way::new(Carrier::Http1, Coding::Zstd),
    Way::new(Carrier::Http2, Coding::Zstd),
];

impl Way {
    pub const fn new(carrier: Carrier, coding: Coding) -> Self {
        Self { carrier, coding }
    }

    fn name(self) -> String {
        let carrier = match self.carrier {
            Carrier::Grpc => "grpc",
            Carrier::Http1 => "http1",
            Carrier::Http2 => "http2",
            Carrier::Zipkin => "zipkin",
        };
        match self.coding {
            Coding::Plain => carrier.to_owned(),
            Coding::Gzip => format!("{carrier}/gzip"),
            Coding::Zstd => format!("{carrier}/zstd"),
        }
    }

    fn compress(self, body: &[u8]) -> Vec<u8> {
        match self.coding {
            Coding::Plain => body.to_vec(),
            Coding::Gzip => gzip(body),
            Coding::Zstd => frames::zstd(body),
        }
    }

    /// A compressed body as it is sent, and its headers.
    pub fn frame(self, body: &[u8], content_type: &'static str) -> (Vec<u8>, Vec<Header>) {
        let coding = match self.coding {
            Coding::Plain => None,
            Coding::Gzip => Some("gzip"),
            Coding::Zstd => Some("zstd"),
        };
        match self.carrier {
            Carrier::Grpc => {
                let headers = coding.map(|coding| ("grpc-encoding", coding));
                let flag = u8::from(coding.is_some());
                (frames::grpc(flag, body), headers.into_iter().collect())
            }
            Carrier::Http1 | Carrier::Http2 | Carrier::Zipkin => {
                let coding = coding.map(|coding| ("content-encoding", coding));
                let headers = [("content-type", content_type)].into_iter().chain(coding);
                (body.to_vec(), headers.collect())
            }
        }
    }
}

/// As small as it gets.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub type Header = (&'static str, &'static str);

/// How one request is sent.
#[derive(Clone, Copy)]
pub struct Crowd {
    pub connections: usize,
    /// Requests under way on each, where the protocol allows it.
    pub in_flight: usize,
    /// Each request has a connection of its own.
    pub fresh: bool,
}

/// One connection that has much under way.
pub const ONE: Crowd = Crowd {
    connections: 1,
    in_flight: 100,
    fresh: false,
};

/// The same four times, which reaches every shard.
pub const FOUR: Crowd = Crowd {
    connections: 4,
    ..ONE
};

/// A new connection for every request.
pub const FRESH: Crowd = Crowd {
    connections: 16,
    in_flight: 1,
    fresh: true,
};

/// The attacks that send this body: one for each way.
pub fn bombs(
    name: &str,
    crowd: Crowd,
    ways: &'static [Way],
    content_type: &'static str,
    body: impl Fn() -> Vec<u8> + 'static,
) -> Vec<Attack> {
    let body = Rc::new(body);
    let attack = |(at, way): (usize, &Way)| {
        let (way, body) = (*way, Rc::clone(&body));
        let name = format!("{name} {}", way.name());
        let attack = Attack::new(name, move || {
            let (body, headers) = way.frame(&way.compress(&body()), content_type);
            let requests = Requests {
                carrier: way.carrier,
                crowd,
                body,
                headers,
            };
            Prepared::new(requests.body.len(), |target| requests.send(target))
        });
        match at {
            0 | 1 => attack,
            _ => attack.long(),
        }
    };
    ways.iter().enumerate().map(attack).collect()
}

/// The same of requests in protobuf, over all ways.
pub fn protobuf(name: &str, crowd: Crowd, body: impl Fn() -> Vec<u8> + 'static) -> Vec<Attack> {
    bombs(name, crowd, COMPRESSED, PROTOBUF, body)
}

/// Requests that are all the same.
pub struct Requests {
    pub carrier: Carrier,
    pub crowd: Crowd,
    /// As it is sent.
    pub body: Vec<u8>,
    pub headers: Vec<Header>,
}

/// Bytes of bodies that all connections together have under way.
const UNDER_WAY: usize = 200_000;
/// How long a connection of one request waits for its answer.
const PATIENCE: Duration = Duration::from_secs(1);

impl Requests {
    pub async fn send(self, target: Target) {
        let connections = (0..self.crowd.connections).map(|_| {
            target.insist(|| async {
                match (self.carrier, self.crowd.fresh) {
                    (Carrier::Http1 | Carrier::Zipkin, _) => self.http1(&target).await,
                    (_, false) => self.http2(&target).await,
                    (_, true) => match timeout(PATIENCE, self.http2(&target)).await {
                        Ok(ended) => ended,
                        Err(_) => Ok(()),
                    },
                }
            })
        });
        join_all(connections).await;
    }

    async fn http2(&self, target: &Target) -> io::Result<()> {
        let (port, path) = match self.carrier {
            Carrier::Grpc => (target.grpc, EXPORT),
            _ => (target.http, Protocol::Http.path(Signal::Traces)),
        };
        let stream = target.connect(port).await?;
        let client = Grpc::try_over(stream).await.map_err(io::Error::other)?;
        // Bodies share the connection, and one is whole only when all nearly are.
        let at_once = UNDER_WAY / self.crowd.connections / self.body.len().max(1);
        let requests = (0..at_once.clamp(1, self.crowd.in_flight)).map(|_| async {
            let mut client = client.clone();
            loop {
                let body = self.body.clone();
                let reply = client.try_send("POST", path, &self.headers, body).await?;
                let is_taken = reply.http_status == 200 && reply.grpc_status().unwrap_or(0) == 0;
                target.answers.count(is_taken);
                if self.crowd.fresh {
                    return hyper::Result::Ok(());
                }
            }
        });
        try_join_all(requests).await.map_err(io::Error::other)?;
        Ok(())
    }

    async fn http1(&self, target: &Target) -> io::Result<()> {
        let (port, path) = match self.carrier {
            Carrier::Zipkin => (target.zipkin, "/api/v2/spans"),
            _ => (target.http, Protocol::Http.path(Signal::Traces)),
        };
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n",
            self.body.len()
        );
        for (name, value) in &self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let request = [request.as_bytes(), &self.body].concat();
        let (mut read, mut write) = tokio::io::split(target.connect(port).await?);
        let writing = async {
            loop {
                write.write_all(&request).await?;
                if self.crowd.fresh {
                    return std::future::pending::<io::Result<()>>().await;
                }
            }
        };
        let reading = async {
            let mut answers = vec![0; 16 << 10];
            loop {
                let count = read.read(&mut answers).await?;
                // A status line that is cut in two is missed, which does not matter.
                for status in answers[..count]
                    .windows(12)
                    .filter(|w| w.starts_with(b"HTTP/1.1 "))
                {
                    let is_taken = [&b"200"[..], b"202"]
                        .iter()
                        .any(|code| status.ends_with(code));
                    target.answers.count(is_taken);
                    if self.crowd.fresh {
                        return Ok(());
                    }
                }
                if count == 0 {
                    return Ok(());
                }
            }
        };
        tokio::select! {
            ended = writing => ended,
            ended = reading => ended,
        }
    }
}
