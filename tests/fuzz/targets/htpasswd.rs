//! Files of users: read or refused with a line, and no hash is ever shown.

use super::{Grammar, Target};
use wayspan::htpasswd::Users;

pub const TARGET: Target = Target {
    name: "htpasswd",
    run,
    grammar: Grammar::Text,
};

fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut users = Users::default();
    match users.add(&text) {
        Ok(()) => {
            for line in text.lines() {
                if let Some((user, _)) = line.split_once(':') {
                    // `check` would cost what the hash says.
                    users.judge(user, b"hunter2");
                }
            }
        }
        Err(error) => {
            let error = error.to_string();
            let line = error.strip_prefix("line ").and_then(|e| e.split_once(": "));
            let (line, _) = line.unwrap_or_else(|| panic!("no line: {error}"));
            let line: usize = line.parse().unwrap();
            let wrong = text.lines().nth(line - 1).expect("a line of the file");
            if let Some((user, hash)) = wrong.split_once(':') {
                let secret = hash.rsplit('$').next().unwrap_or_default();
                let telling = secret.len() >= 12 && !user.contains(secret);
                assert!(!telling || !error.contains(secret), "{error}");
            }
        }
    }
}
