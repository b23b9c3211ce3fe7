//! The `wayspan` binary: parse, run, exit code. Everything else is the library.

#![forbid(unsafe_code)]

use std::process::ExitCode;

// Long-lived growing buffers on several threads are where the system
// allocator's locks and fragmentation show; jemalloc is what the peers ship.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

// Not private, for the example `tests/image.rs` is this file, too.
pub(crate) fn main() -> ExitCode {
    wayspan::cli::main()
}
