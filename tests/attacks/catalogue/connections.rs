//! Connections that are many, and hold what others need.

use crate::{
    attack::{Attack, Prepared},
    target::Target,
};
use futures_util::future::join_all;
use std::future::pending;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Files that the process may open where connections are to use them up.
const FILES: u32 = 1024;

pub fn all() -> Vec<Attack> {
    let idle =
        held("1500 idle connections, 1024 files", 1500, b"").with(|its| its.files = Some(FILES));
    let partial = held("4000 partial prefaces", 4000, b"PRI * H");
    vec![
        idle.elsewhere(),
        held("600 idle connections, 300 files", 600, b"")
            .with(|its| its.files = Some(300))
            .elsewhere(),
        partial.clone(),
        held("4000 silent connections", 4000, b"").long(),
        held(
            "4000 heads half sent",
            4000,
            b"POST /v1/traces HTTP/1.1\r\nhost: ",
        )
        .long(),
        closed("connections that close at once"),
        partial.elsewhere().long(),
    ]
}

/// So many connections, half of them to each port, that send these bytes and no
/// more, and come back when they are closed.
fn held(name: &str, count: usize, first: &'static [u8]) -> Attack {
    Attack::new(name, move || {
        Prepared::new(first.len(), move |target: Target| async move {
            let hold = |n: usize| {
                let target = target.clone();
                async move {
                    let port = [target.grpc, target.http][n % 2];
                    target
                        .insist(|| async {
                            let mut stream = target.connect(port).await?;
                            stream.write_all(first).await?;
                            let mut answer = [0; 256];
                            while stream.read(&mut answer).await? > 0 {}
                            Ok(())
                        })
                        .await;
                }
            };
            join_all((0..count).map(hold)).await;
        })
    })
}

/// Connections as fast as they can be paid for.
fn closed(name: &str) -> Attack {
    Attack::new(name, || {
        Prepared::new(0, |target: Target| async move {
            let hasty = |n: usize| {
                let target = target.clone();
                async move {
                    let port = [target.grpc, target.http][n % 2];
                    target
                        .insist(|| async {
                            drop(target.connect(port).await?);
                            Ok(())
                        })
                        .await;
                }
            };
            join_all((0..16).map(hasty)).await;
            pending::<()>().await;
        })
    })
}
