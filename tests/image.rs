//! The binary once more, as an example, from which `tests/run` makes an image. Examples
//! are built with the features of the tests' dependencies, so nothing but this file is
//! compiled after them; the binary alone would have most of its crates built anew.

#![forbid(unsafe_code)]

#[path = "../src/main.rs"]
mod program;

fn main() -> std::process::ExitCode {
    program::main()
}
