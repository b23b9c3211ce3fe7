//! Components as a file configures them: requests through whole pipelines, without sockets.

mod resource;
mod through;

use through::{Through, refused, span};
