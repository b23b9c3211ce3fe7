//! The peers that `tests/peers/install` put in place. One that is missing is an
//! error: a skipped proof proves nothing.

use std::path::{Path, PathBuf};

/// Where `tests/peers/install` put a peer.
pub fn peer(path: &str) -> PathBuf {
    let root = std::env::var_os("WAYSPAN_PEERS_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers"),
        PathBuf::from,
    );
    let file = root.join(path);
    assert!(
        file.exists(),
        "{} is missing: run tests/peers/install",
        file.display()
    );
    file
}
