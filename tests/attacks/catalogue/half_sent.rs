//! Bodies that never come to an end, and take the room of others meanwhile.
//!
//! Idea: what is held for minutes can have been sent over minutes, so bodies are
//! filled without a pace. Where one is refused, a smaller one takes its place,
//! until there is no room left to take; then all drip.

use super::{KIB, MIB};
use crate::{
    attack::{Attack, Prepared},
    target::Target,
};
use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use std::{io, time::Duration};
use testkit::{EXPORT, frames};
use tokio::{io::AsyncWriteExt, time::sleep};

/// Between two bytes of a body that drips.
const DRIP: Duration = Duration::from_millis(500);

pub fn all() -> Vec<Attack> {
    let (three, many) = (
        half_sent("half sent, 3 connections", 3, 16, super::DEFAULT_MIB),
        half_sent("half sent, 200 streams", 1, 200, 8),
    );
    vec![
        three.clone(),
        many.clone(),
        half_sent("half sent, 40 connections", 40, 4, 8),
        http1("half sent, 40 over HTTP/1.1", 40),
        three.elsewhere(),
        three.logged().long(),
        three.away().long(),
        many.elsewhere().long(),
    ]
}

/// Streams on each of so many connections, each with a body just under the limit
/// or with what room is left.
fn half_sent(name: &str, connections: usize, streams: usize, request_mib: u64) -> Attack {
    let most = (request_mib as usize * MIB) - KIB;
    let attack = Attack::new(name, move || {
        Prepared::new(most, move |target: Target| async move {
            let connection = || async {
                let stream = target.connect_unpaced(target.grpc).await?;
                let (sender, connection) = h2::client::handshake(stream)
                    .await
                    .map_err(io::Error::other)?;
                let streams = (0..streams).map(|_| fill(sender.clone(), &target, most));
                tokio::select! {
                    _ = join_all(streams) => Ok(()),
                    ended = connection => ended.map_err(io::Error::other),
                }
            };
            join_all((0..connections).map(|_| target.insist(connection))).await;
        })
    });
    attack.with(|its| {
        its.request_mib = Some(request_mib);
        its.lasts = Duration::from_secs(5);
    })
}

/// Keeps a body half sent: one of `most` bytes, or as many as there is room for.
async fn fill(
    sender: h2::client::SendRequest<Bytes>,
    target: &Target,
    most: usize,
) -> Result<(), h2::Error> {
    let mut size = most;
    loop {
        let request = Request::post(format!("http://localhost{EXPORT}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let mut ready = sender.clone().ready().await?;
        let (answer, mut body) = ready.send_request(request, false)?;
        let sending = async {
            let mut prefix = frames::grpc(0, &[]);
            prefix[1..5].copy_from_slice(&(most as u32).to_be_bytes());
            body.send_data(Bytes::from(prefix), false)?;
            let piece = Bytes::from(vec![0x0a; 16 * KIB]);
            let mut left = size;
            while left > 0 {
                body.reserve_capacity(left.min(piece.len()));
                let Some(room) = std::future::poll_fn(|cx| body.poll_capacity(cx)).await else {
                    return Ok(());
                };
                let count = room?.min(left).min(piece.len());
                body.send_data(piece.slice(..count), false)?;
                left -= count;
            }
            loop {
                sleep(DRIP).await;
                body.send_data(piece.slice(..1), false)?;
            }
        };
        let ended: Result<(), h2::Error> = tokio::select! {
            ended = sending => ended,
            answer = answer => {
                target.answers.count(false);
                answer.map(drop)
            }
        };
        match ended {
            Err(error) if error.is_io() || error.is_go_away() => return Err(error),
            _ => size = (size / 2).max(16 * KIB),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// The same over HTTP/1.1, one body a connection.
fn http1(name: &str, connections: usize) -> Attack {
    let most = 8 * MIB - KIB;
    let attack = Attack::new(name, move || {
        Prepared::new(most, move |target: Target| async move {
            let head = format!(
                "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n\
                 content-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
                most + KIB
            );
            let connection = || async {
                let mut stream = target.connect_unpaced(target.http).await?;
                stream.write_all(head.as_bytes()).await?;
                let piece = vec![0x0a; 16 * KIB];
                for _ in 0..most / piece.len() {
                    stream.write_all(&piece).await?;
                }
                loop {
                    sleep(DRIP).await;
                    stream.write_all(&piece[..1]).await?;
                }
            };
            join_all((0..connections).map(|_| target.insist(connection))).await;
        })
    });
    attack.with(|its| its.lasts = Duration::from_secs(5))
}
