//! One process at a time.

use crate::support::*;
use std::{env, path::PathBuf, process::Command};
use wayspan::queue::log::{Log, LogOpenError};

/// Set in the other process: the directory it is to try.
const DIRECTORY: &str = "WAYSPAN_TEST_LOG";

#[test]
fn a_directory_is_for_one_process() {
    if let Some(directory) = env::var_os(DIRECTORY) {
        match Log::open(settings(&PathBuf::from(directory))) {
            Ok(_) => println!("opened"),
            Err(error) => println!("refused: {error}"),
        }
        return;
    }
    let dir = directory();
    let other = || {
        let output = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "lock::a_directory_is_for_one_process",
                "--nocapture",
            ])
            .env(DIRECTORY, dir.path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (log, _) = open(settings(dir.path()));
    let said = other();
    assert!(said.contains("refused: "), "{said}");
    assert!(said.contains(dir.path().to_str().unwrap()), "{said}");
    assert!(said.contains("a directory of its own"), "{said}");
    // So is a second log in this one.
    assert!(matches!(
        Log::open(settings(dir.path())),
        Err(LogOpenError::Locked(_))
    ));
    log.close();
    let said = other();
    assert!(said.contains("opened"), "{said}");
}
