/*!
A value made of files, made anew when they change.

Certificates and tokens are replaced while the process runs, and what replaces
them does so file by file: a look may find a new certificate beside the old key.
So all files are read at once, what is made is made of exactly those bytes, and
when that fails the value in use stays in use. A look compares contents, not
times: a volume that Kubernetes updates swaps links. Each new state of the files
is tried once and spoken of once.
*/

use arc_swap::ArcSwap;
use ring::digest::{SHA256, digest};
use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// A file to read: the key that names it, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// `tls.cert_file`, for messages.
    pub(crate) key: &'static str,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// Files as they were read.
pub(crate) struct Files(Vec<(File, Vec<u8>)>);

impl Files {
    /// The content of the file that `key` names, and what messages call it.
    pub(crate) fn get(&self, key: &str) -> Option<(String, &[u8])> {
        let (file, bytes) = self.0.iter().find(|(file, _)| file.key == key)?;
        Some((format!("{} {}", file.key, file.path.display()), bytes))
    }
}

/// What a look found: a digest of each file, or why it cannot be read. Not the
/// contents, which are secrets.
type Seen = Vec<Result<[u8; 32], io::ErrorKind>>;

type Make<T> = Box<dyn Fn(&Files) -> Result<T, String> + Send + Sync>;

/// The value and its files.
pub(crate) struct Reloaded<T> {
    what: String,
    files: Vec<File>,
    make: Make<T>,
    current: ArcSwap<T>,
    seen: Mutex<Seen>,
}

impl<T> fmt::Debug for Reloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded")
            .field("what", &self.what)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl<T> Reloaded<T> {
    /// Makes the value for the first time. `what` is whose value it is, for the log.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or `make` refuses what is in it.
    pub(crate) fn load(
        what: impl Into<String>,
        files: Vec<File>,
        make: impl Fn(&Files) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let (seen, read) = read(&files);
        let value = make(&read?)?;
        Ok(Self {
            what: what.into(),
            files,
            make: Box::new(make),
            current: ArcSwap::from_pointee(value),
            seen: Mutex::new(seen),
        })
    }

    /// The value in use.
    pub(crate) fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Returns true if there is anything that could change.
    pub(crate) fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// Looks at the files, and takes them in if they have changed and are good.
    /// Tells whether the value is a new one.
    pub(crate) fn look(&self) -> bool {
        if self.files.is_empty() {
            return false;
        }
        let (now, read) = read(&self.files);
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == now {
                return false;
            }
            *seen = now;
        }
        match read.and_then(|files| (self.make)(&files)) {
            Ok(value) => {
                self.current.store(Arc::new(value));
                tracing::info!(
                    "{}: files have changed and are in use from now on",
                    self.what
                );
                true
            }
            Err(error) => {
                tracing::warn!(
                    "{}: {error}; what was read before stays in use until the files are right",
                    self.what
                );
                false
            }
        }
    }
}

fn read(files: &[File]) -> (Seen, Result<Files, String>) {
    let read: Vec<_> = files.iter().map(|file| std::fs::read(&file.path)).collect();
    let seen = read
        .iter()
        .map(|read| match read {
            Ok(bytes) => {
                let mut sum = [0; 32];
                sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
                Ok(sum)
            }
            Err(error) => Err(error.kind()),
        })
        .collect();
    let contents = files.iter().zip(read).map(|(file, read)| match read {
        Ok(bytes) => Ok((file.clone(), bytes)),
        Err(error) => Err(format!(
            "{} {}: cannot be read: {error}",
            file.key,
            file.path.display()
        )),
    });
    (seen, contents.collect::<Result<_, _>>().map(Files))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::fs;

    #[test]
    fn only_good_changes_are_taken_in() {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<File> = ["a", "b"]
            .map(|key| File {
                key,
                path: dir.path().join(key),
            })
            .into();
        let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        let make = |files: &Files| {
            let text = |key| String::from_utf8(files.get(key).unwrap().1.to_vec()).unwrap();
            match text("a") == text("b") {
                true => Ok(text("a")),
                false => Err("no pair".to_owned()),
            }
        };
        let missing = Reloaded::load("x", files.clone(), make).unwrap_err();
        assert!(
            missing.starts_with("a ") && missing.contains("cannot be read"),
            "{missing}"
        );
        put("a", "1");
        put("b", "1");
        let reloaded = Reloaded::load("x", files, make).unwrap();
        assert!(!reloaded.look());
        put("a", "2");
        assert!(!reloaded.look());
        assert_eq!(*reloaded.current(), "1");
        put("b", "2");
        assert!(reloaded.look() && !reloaded.look());
        assert_eq!(*reloaded.current(), "2");
        fs::remove_file(dir.path().join("b")).unwrap();
        assert!(!reloaded.look());
        assert_eq!(*reloaded.current(), "2");
    }
}
