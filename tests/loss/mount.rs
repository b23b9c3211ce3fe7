//! Small file systems of a test's own, which it may fill, freeze and break.
//!
//! Needs root, since mounting does. Invariant: a mount is gone when its value
//! is, so a test declares it before the process that uses it.

use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

pub struct Mount {
    dir: TempDir,
    frozen: bool,
}

impl Mount {
    /// In memory, of so many MiB, which [`Mount::resize`] changes.
    pub fn tmpfs(mib: u32) -> Self {
        let mount = Self::prepare();
        let size = format!("size={mib}m");
        run(
            "mount",
            &["-t", "tmpfs", "-o", &size, "tmpfs", &mount.shown()],
        );
        mount
    }

    /// ext4 in a file, of so many MiB, which [`Mount::freeze`] and
    /// [`Mount::break_down`] work with.
    pub fn ext4(mib: u64) -> Self {
        let mount = Self::prepare();
        let image = mount.dir.path().join("image");
        fs::File::create(&image)
            .unwrap()
            .set_len(mib << 20)
            .unwrap();
        let image = image.display().to_string();
        run("mkfs.ext4", &["-q", "-F", &image]);
        run("mount", &["-o", "loop", &image, &mount.shown()]);
        mount
    }

    fn prepare() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("disk")).unwrap();
        Self { dir, frozen: false }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn shown(&self) -> String {
        self.path().display().to_string()
    }

    /// Gives a tmpfs another size.
    pub fn resize(&self, mib: u32) {
        self.remount(&format!("size={mib}m"));
    }

    /// Makes it read-only, which needs that nobody has a file open to write, or
    /// writable.
    pub fn read_only(&self, read_only: bool) {
        self.remount(if read_only { "ro" } else { "rw" });
    }

    /// Makes every write to an ext4 fail from now on, as after an I/O error.
    pub fn break_down(&self) {
        self.remount("abort");
    }

    fn remount(&self, options: &str) {
        run(
            "mount",
            &["-o", &format!("remount,{options}"), &self.shown()],
        );
    }

    /// Makes every write to an ext4 wait until [`Mount::thaw`].
    pub fn freeze(&mut self) {
        run("fsfreeze", &["--freeze", &self.shown()]);
        self.frozen = true;
    }

    pub fn thaw(&mut self) {
        if std::mem::take(&mut self.frozen) {
            run("fsfreeze", &["--unfreeze", &self.shown()]);
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.thaw();
        // Lazily: where a test failed its process may still be ending.
        let unmounted = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
        let unmounted = unmounted.is_ok_and(|status| status.success());
        assert!(
            std::thread::panicking() || unmounted,
            "{} stays mounted",
            self.shown()
        );
    }
}

/// Runs a tool of the system, which must succeed.
fn run(tool: &str, words: &[&str]) {
    let output = Command::new(tool).args(words).output();
    let output = output.unwrap_or_else(|e| panic!("{tool} ({words:?}): {e}; {NEEDS}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {words:?}: {said}; {NEEDS}");
}

const NEEDS: &str = "this test mounts small file systems, for which it needs root (in a container: \
                     CAP_SYS_ADMIN and loop devices), mount, mkfs.ext4 and fsfreeze";
