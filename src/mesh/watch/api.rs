/*!
Requests to the API server whose answers are bounded, in time and in memory: a
server that is silent, or that never comes to an end, is an error like another.
*/

use bytes::BytesMut;
use http::{Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kube::{
    Client,
    client::Body,
    core::{Status, WatchEvent},
};
use serde::de::DeserializeOwned;
use std::{marker::PhantomData, time::Duration};
use tokio::time::timeout;

/// The body of a list's page: some thirty times as much as a common page of Pods.
const MAX_PAGE: usize = 32 << 20;

/// A line of a watch: an object, which etcd bounds at one and a half MiB.
const MAX_LINE: usize = 4 << 20;

/// What an error may say.
const MAX_REFUSAL: usize = 64 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The client's, or the API server's own.
    #[error(transparent)]
    Client(#[from] kube::Error),
    /// The server is silent.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
    /// It cannot be kept.
    #[error("its answer is longer than {} MiB", .0 >> 20)]
    TooLong(usize),
    /// It is not what was asked for. The text quotes nothing of it.
    #[error("unexpected answer: {0}")]
    Malformed(String),
    /// A watch whose connection ended in the middle.
    #[error("cut off: {0}")]
    CutOff(kube::Error),
}

impl ApiError {
    fn json(error: &serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Sends a request and reads its answer as a whole, both within `limit`.
pub(crate) async fn get<T: DeserializeOwned>(
    client: &Client,
    request: Request<Vec<u8>>,
    limit: Duration,
) -> Result<T, ApiError> {
    let answer = async {
        let body = read(send(client, request).await?.into_body(), MAX_PAGE).await?;
        serde_json::from_slice(&body).map_err(|error| ApiError::json(&error))
    };
    timeout(limit, answer)
        .await
        .map_err(|_| ApiError::Timeout(limit))?
}

/// Begins a watch within `limit`.
pub(crate) async fn watch<T: DeserializeOwned>(
    client: &Client,
    request: Request<Vec<u8>>,
    limit: Duration,
) -> Result<Events<T>, ApiError> {
    let answer = timeout(limit, send(client, request))
        .await
        .map_err(|_| ApiError::Timeout(limit))??;
    Ok(Events {
        body: answer.into_body(),
        lines: Lines::default(),
        of: PhantomData,
    })
}

async fn send(client: &Client, request: Request<Vec<u8>>) -> Result<Response<Body>, ApiError> {
    let answer = client.send(request.map(Body::from)).await?;
    let code = answer.status();
    if !code.is_client_error() && !code.is_server_error() {
        return Ok(answer);
    }
    let body = read(answer.into_body(), MAX_REFUSAL).await?;
    let status = serde_json::from_slice::<Status>(&body).unwrap_or_else(|_| {
        // Proxies answer in their own words.
        let text: String = String::from_utf8_lossy(&body).chars().take(300).collect();
        Status::failure(text.trim(), "").with_code(code.as_u16())
    });
    Err(kube::Error::Api(Box::new(status)).into())
}

async fn read(body: Body, limit: usize) -> Result<bytes::Bytes, ApiError> {
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::TooLong(limit)),
        Err(error) => Err(match error.downcast::<kube::Error>() {
            Ok(error) => (*error).into(),
            Err(error) => kube::Error::Service(error).into(),
        }),
    }
}

/// The events of a watch.
pub(crate) struct Events<T> {
    body: Body,
    lines: Lines,
    of: PhantomData<T>,
}

impl<T: DeserializeOwned> Events<T> {
    /// Returns the next one; None: the server has ended the watch. May be
    /// dropped and called again.
    pub(crate) async fn next(&mut self) -> Result<Option<WatchEvent<T>>, ApiError> {
        loop {
            while let Some(line) = self.lines.next()? {
                if !line.trim_ascii().is_empty() {
                    return event(&line).map(Some);
                }
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.lines.bytes.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(ApiError::CutOff(error)),
                // What is left is a part of a line.
                None => return Ok(None),
            }
        }
    }
}

fn event<T: DeserializeOwned>(line: &[u8]) -> Result<WatchEvent<T>, ApiError> {
    serde_json::from_slice(line).map_err(|error| match serde_json::from_slice::<Status>(line) {
        Ok(status) if status.code >= 400 => kube::Error::Api(Box::new(status)).into(),
        _ => ApiError::json(&error),
    })
}

/// Bytes that came, taken line by line.
#[derive(Default)]
struct Lines {
    bytes: BytesMut,
    /// How many of them have no end of line.
    searched: usize,
}

impl Lines {
    fn next(&mut self) -> Result<Option<BytesMut>, ApiError> {
        let rest = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(at) = rest.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.bytes.len();
            return match self.searched > MAX_LINE {
                true => Err(ApiError::TooLong(MAX_LINE)),
                false => Ok(None),
            };
        };
        let line = self.bytes.split_to(self.searched + at + 1);
        self.searched = 0;
        match line.len() > MAX_LINE {
            true => Err(ApiError::TooLong(MAX_LINE)),
            false => Ok(Some(line)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_come_whole_however_they_were_cut() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for part in [&b"on"[..], b"e\ntw", b"o\n\nthree", b"\n", b"rest"] {
            lines.bytes.extend_from_slice(part);
            while let Some(line) = lines.next().unwrap() {
                seen.push(String::from_utf8(line.to_vec()).unwrap());
            }
        }
        assert_eq!(seen, ["one\n", "two\n", "\n", "three\n"]);
        lines.bytes.resize(MAX_LINE + 1, b'x');
        assert!(matches!(lines.next(), Err(ApiError::TooLong(MAX_LINE))));
    }
}
