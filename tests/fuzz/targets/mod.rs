/*!
What is fuzzed: for each target one function of bytes, which panics where the
product breaks a promise about them. libFuzzer (`fuzz_targets`) and the stable
driver (`stable.rs`) run the same functions.

A further target is a file here with a `TARGET`, its name in the list below and
in that of `stable.rs`, a folder in `corpus`, for text a dictionary, and the few
lines in `fuzz_targets` and `Cargo.toml` that cargo-fuzz wants.
*/

#![allow(dead_code, reason = "names and grammars are the stable driver's")]

#[path = "../../pdata/changes.rs"]
mod changes;
#[path = "../conversation.rs"]
mod conversation;
#[path = "../frames.rs"]
pub mod frames;
#[path = "../../pdata/oracle.rs"]
mod oracle;
#[path = "../pipelines.rs"]
mod pipelines;
#[path = "../../pdata/signals.rs"]
mod signals;

/// A function of bytes and how inputs for it are made of others.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of its corpus, its dictionary and its cargo-fuzz target.
    pub name: &'static str,
    /// Panics where a promise is broken.
    pub run: fn(&[u8]),
    pub grammar: Grammar,
}

/// What inputs look like, so that mutations get past the first check.
#[derive(Clone, Copy)]
pub enum Grammar {
    /// Protobuf fields.
    Protobuf,
    /// Protobuf fields, and this many bytes behind them that are something else.
    ProtobufThen(usize),
    /// A request of any signal, and this many bytes behind it of which the first says the
    /// signal.
    RequestThen(usize),
    /// HTTP/2 frames behind the client's preface, and this many bytes behind them that are
    /// something else.
    FramesThen(usize),
    /// Text; the words that mean something in it are in `dictionaries`.
    Text,
}

/// Declares the modules, and the list of their targets.
macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*
        pub const ALL: &[Target] = &[$($name::TARGET),*];
    };
}

targets!(
    validate,
    validate_metrics,
    validate_logs,
    edit,
    json,
    json_write,
    config,
    htpasswd,
    pem,
    ztunnel,
    log_recovery,
    h2,
    pipeline,
    zipkin_json,
    zipkin_proto,
    ottl,
);
