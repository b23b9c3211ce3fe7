//! What an attacker knows of the process: its ports. What it may: connect from
//! one address, and send at a pace.

use crate::paced::{Pace, Paced};
use std::{
    cell::Cell,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::sleep,
};

#[derive(Clone)]
pub struct Target {
    pub grpc: u16,
    pub http: u16,
    /// Where Zipkin's spans are taken, if they are.
    pub zipkin: u16,
    pub from: Ipv4Addr,
    pub pace: Pace,
    pub answers: Rc<Answers>,
}

/// What became of an attacker's requests.
#[derive(Default)]
pub struct Answers {
    pub taken: Cell<u64>,
    pub refused: Cell<u64>,
    /// Connections that came to an end.
    pub ended: Cell<u64>,
}

impl Answers {
    pub fn count(&self, is_taken: bool) {
        let counter = if is_taken { &self.taken } else { &self.refused };
        counter.set(counter.get() + 1);
    }
}

impl Target {
    /// Connects to a port of 127.0.0.1.
    pub async fn connect(&self, port: u16) -> io::Result<Paced> {
        self.pace.connection().await;
        Ok(Paced::new(
            self.connect_unpaced(port).await?,
            self.pace.clone(),
        ))
    }

    /// The same for what an attacker could have sent in the hour before.
    pub async fn connect_unpaced(&self, port: u16) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if self.from != Ipv4Addr::LOCALHOST {
            socket.bind(SocketAddr::from((self.from, 0)))?;
        }
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Connects and converses again and again: a peer that is sent away or cut
    /// off comes back.
    pub async fn insist<F: Future<Output = io::Result<()>>>(&self, converse: impl Fn() -> F) {
        loop {
            if converse().await.is_err() {
                // Nobody may listen for now.
                sleep(Duration::from_millis(5)).await;
            }
            self.answers.ended.set(self.answers.ended.get() + 1);
        }
    }

    /// Writes `hello`, then what `more` gives, for as long as the peer reads;
    /// what it answers is thrown away.
    pub async fn flood(
        &self,
        port: u16,
        hello: &[u8],
        mut more: impl FnMut(u32) -> Option<Vec<u8>>,
    ) -> io::Result<()> {
        let (mut read, mut write) = tokio::io::split(self.connect(port).await?);
        let writing = write_all(&mut write, hello, &mut more);
        let reading = async {
            let mut answer = vec![0; 16 << 10];
            while read.read(&mut answer).await? > 0 {}
            io::Result::Ok(())
        };
        tokio::select! {
            ended = writing => ended,
            ended = reading => ended,
        }
    }

    /// The same of a peer that never reads.
    pub async fn flood_unread(
        &self,
        port: u16,
        hello: &[u8],
        mut more: impl FnMut(u32) -> Option<Vec<u8>>,
    ) -> io::Result<()> {
        let mut stream = self.connect(port).await?;
        write_all(&mut stream, hello, &mut more).await
    }
}

async fn write_all(
    to: &mut (impl AsyncWriteExt + Unpin),
    hello: &[u8],
    more: &mut impl FnMut(u32) -> Option<Vec<u8>>,
) -> io::Result<()> {
    to.write_all(hello).await?;
    let mut n = 0;
    while let Some(bytes) = more(n) {
        to.write_all(&bytes).await?;
        n += 1;
    }
    Ok(())
}
