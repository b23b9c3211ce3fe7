/*! The UID of one object, asked for once. */

use super::{
    api::{self, ApiError},
    client::{self, Access},
    error::causes,
};
use http::Request;
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
struct Named {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    uid: String,
}

/// Returns the UID of the object at `path`, if the API server tells it within `limit`.
///
/// # Errors
///
/// Says why it is not known.
pub(crate) async fn object_uid(
    access: &Access,
    path: &str,
    limit: Duration,
) -> Result<String, String> {
    let config = client::reach(access)
        .await
        .map_err(|error| error.to_string())?;
    let client = client::client(config).map_err(|error| error.to_string())?;
    let request = Request::get(path).body(Vec::new());
    let request = request.map_err(|error| error.to_string())?;
    let object: Result<Named, ApiError> = api::get(&client, request, limit).await;
    let object = object.map_err(|error| causes(&error))?;
    Ok(object.metadata.uid)
}
