/*! Giving one record to the pipelines. */

use super::topics::Contents;
use crate::{
    kafka::Encoding,
    pdata::json,
    pipeline::{AwaitedResult, Ingest, NotTaken, Preparation, Refusal, Taken},
    receiver::{
        Fetching,
        large::{turn_limit, turn_limit_slow},
    },
};
use bytes::Bytes;
use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
};

/// Who has sent a record is not known.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Gives a record's value to the pipelines. Returns the results of the batches that have its items.
///
/// # Errors
///
/// When nothing of it was taken.
pub(super) async fn take(
    value: &Bytes,
    contents: Contents,
    fetching: &Fetching,
) -> Result<Vec<AwaitedResult>, Refusal> {
    let taken = match take_here(value, contents, &*fetching.ingest) {
        Ok(taken) => taken,
        Err(NotTaken::Refused(refusal)) => return Err(refusal),
        Err(NotTaken::Large) => take_large(value, contents, fetching).await?,
    };
    Ok(taken.results)
}

/// Takes a record in this turn of the shard, if it is short enough for that.
fn take_here(value: &Bytes, contents: Contents, ingest: &dyn Ingest) -> Result<Taken, NotTaken> {
    let most = match contents.encoding {
        Encoding::Proto => turn_limit(value.len()),
        Encoding::Json => turn_limit_slow(value.len()),
    };
    if value.len() > most {
        return Err(NotTaken::Large);
    }
    let request = decode(value, contents, usize::MAX)?;
    ingest.take(contents.signal, &request, NOBODY)
}

/// Has a record read in the lane, and takes it piece by piece.
async fn take_large(
    value: &Bytes,
    contents: Contents,
    fetching: &Fetching,
) -> Result<Taken, Refusal> {
    let ingest = &fetching.ingest;
    let (value, preparation) = (value.clone(), ingest.preparation());
    let read = move |memory: usize| {
        let most = Preparation::longest(memory);
        let request = decode(&value, contents, most)?.into_owned();
        preparation.prepare(contents.signal, request, memory)
    };
    let read = fetching.lane.submit(NOBODY, Box::new(read)).await;
    let mut result = read.map_err(|_| Refusal::unavailable())?;
    // The lane's place is held until all of it is appended.
    let prepared = result.take()?;
    Rc::clone(ingest).take_prepared(prepared, NOBODY).await
}

/// The export request that a value is.
fn decode(value: &Bytes, contents: Contents, most: usize) -> Result<Cow<'_, [u8]>, Refusal> {
    match contents.encoding {
        Encoding::Proto => Ok(Cow::Borrowed(value)),
        Encoding::Json => json::request_from_json_within(contents.signal, value, most)
            .map(Cow::Owned)
            .map_err(|error| Refusal::malformed(error.to_string())),
    }
}
