//! What a crash may leave of a segment log: opened, scanned and read without a
//! panic, and the same by each.

use super::{Grammar, Target};
use tempfile::TempDir;

#[path = "../../log/check.rs"]
mod check;

pub const TARGET: Target = Target {
    name: "log_recovery",
    run,
    grammar: Grammar::Protobuf,
};

/// The length of the settlements, two bytes with the lower first; they; the
/// segment.
fn run(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return;
    };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (settlements, segment) = rest.split_at(length);
    // In memory where that is at hand: a log is many small files.
    let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    check::check_recovery(dir.path(), segment, settlements).unwrap();
}
