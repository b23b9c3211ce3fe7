//! Passwords whose check takes long, and senders who guess them.

use super::items;
use crate::{
    attack::{Attack, Prepared},
    target::Target,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use std::io;
use testkit::{EXPORT, Grpc, frames};

/// What `htpasswd -B` takes is 5; others take 10.
const COST: u32 = 10;
/// Honest users.
const USERS: usize = 8;
const PASSWORD: &str = "a good one";

pub fn all() -> Vec<Attack> {
    let attacks = vec![
        guesses("passwords, one user", |_| "user-0".to_owned(), Vec::new),
        guesses(
            "passwords, unknown users",
            |n| format!("nobody-{n}"),
            Vec::new,
        ),
        guesses(
            "passwords, with bodies",
            |n| format!("nobody-{n}"),
            || items::empty_spans(100_000),
        ),
    ];
    let guarded = |attack: Attack| attack.with(|its| its.guarded = true);
    let mut attacks: Vec<_> = attacks.into_iter().map(guarded).collect();
    attacks.push(attacks[0].elsewhere());
    attacks.push(attacks[1].elsewhere().long());
    attacks
}

/// The values of the header `authorization` of honest users.
pub fn users() -> Vec<String> {
    (0..USERS)
        .map(|n| basic(&format!("user-{n}"), PASSWORD))
        .collect()
}

/// The extension that knows them.
pub fn extension() -> String {
    let hash = bcrypt::hash(PASSWORD, COST).unwrap();
    let mut yaml = "extensions:\n  basicauth:\n    htpasswd:\n      inline: |\n".to_owned();
    for n in 0..USERS {
        yaml.push_str(&format!("        user-{n}:{}\n", hash.replace('$', "$$")));
    }
    yaml
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Four connections, each with so many guesses under way.
fn guesses(
    name: &str,
    user: impl Fn(usize) -> String + Copy + 'static,
    body: impl Fn() -> Vec<u8> + Copy + 'static,
) -> Attack {
    const IN_FLIGHT: usize = 16;
    Attack::new(name, move || {
        let body = frames::grpc(0, &body());
        Prepared::new(body.len(), move |target: Target| async move {
            let connection = || async {
                let stream = target.connect(target.grpc).await?;
                let client = Grpc::try_over(stream).await.map_err(io::Error::other)?;
                let guess = |at: usize| {
                    let (mut client, body, target) = (client.clone(), body.clone(), target.clone());
                    async move {
                        for n in (at..).step_by(IN_FLIGHT) {
                            let guess = basic(&user(n), &format!("guess {n}"));
                            let headers = [("authorization", &*guess)];
                            let reply = client
                                .try_send("POST", EXPORT, &headers, body.clone())
                                .await?;
                            target.answers.count(reply.grpc_status() == Some(0));
                        }
                        hyper::Result::Ok(())
                    }
                };
                let guesses = (0..IN_FLIGHT).map(guess);
                let ended = futures_util::future::try_join_all(guesses).await;
                ended.map(drop).map_err(io::Error::other)
            };
            join_all((0..4).map(|_| target.insist(connection))).await;
        })
    })
}
