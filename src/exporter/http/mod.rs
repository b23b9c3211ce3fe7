/*!
What exporters over HTTP share, whatever they send: posting to one address after the
other, and what an answer means.
*/

mod answer;
mod status;

pub(crate) use answer::{media_type, retry_after};
pub(crate) use status::described;

use crate::{
    exporter::Outcome,
    http::{HttpAnswer, HttpClient, Payload},
    telemetry::Count,
};
use ::http::Uri;
use answer::said;
use std::time::SystemTime;

/// What to ask an operator where nothing is served under a URL.
#[derive(Clone, Debug)]
pub(crate) struct WrongPort {
    /// What the path should be.
    pub(crate) path: String,
    /// What the port should be.
    pub(crate) port: &'static str,
}

/// Decides what an answer other than success means.
pub(crate) fn refused(received: &HttpAnswer, expected: &WrongPort, now: SystemTime) -> Outcome {
    let HttpAnswer { head, body, .. } = received;
    let after = retry_after(&head.headers, now);
    let message = said(&head.headers, body);
    status::outcome(head.status, &message, after, expected)
}

/// Posts a payload to one address after the other until one takes it. `judge`
/// says what an answer means.
pub(crate) async fn post(
    client: &HttpClient,
    uri: &Uri,
    payload: &Payload,
    resent: &Count,
    judge: impl Fn(&HttpAnswer) -> Outcome,
) -> Outcome {
    let judge = |answer: &HttpAnswer| match judge(answer) {
        outcome if outcome.passes_elsewhere() => Err(outcome),
        outcome => Ok(outcome),
    };
    let posted = client.post(uri, payload, resent, judge).await;
    posted.unwrap_or_else(|outcome| outcome)
}
