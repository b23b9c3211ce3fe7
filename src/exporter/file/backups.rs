/*!
Files that were put aside: `spans-2026-11-28T10-00-00.000-size.json` beside `spans.json`,
as the Collector calls them, in UTC.

Only names of exactly this form are counted and deleted. Deleting is done as well as it
can be: a file that stays costs room, and nothing else.
*/

use super::options::Rotation;
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Why a file was put aside.
const REASON: &str = "-size";

/// The parts of a file's name around the time.
fn parts(path: &Path) -> (String, String) {
    let text = |part: Option<&OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = text(path.file_stem()).unwrap_or_default();
    let extension = text(path.extension()).map(|extension| format!(".{extension}"));
    (
        format!("{stem}-"),
        format!("{REASON}{}", extension.unwrap_or_default()),
    )
}

/// Returns where the file at `path` is put aside at this time.
pub(super) fn name(path: &Path, now: SystemTime) -> PathBuf {
    let (before, after) = parts(path);
    let time = humantime::format_rfc3339_millis(now).to_string();
    let time = time.trim_end_matches('Z').replace(':', "-");
    path.with_file_name(format!("{before}{time}{after}"))
}

/// Returns when a file with this name was put aside.
fn time(name: &str, (before, after): &(String, String)) -> Option<SystemTime> {
    let time = name
        .strip_prefix(before.as_str())?
        .strip_suffix(after.as_str())?;
    let (date, clock) = time.split_once('T')?;
    let text = format!("{date}T{}Z", clock.replace('-', ":"));
    humantime::parse_rfc3339(&text).ok()
}

/// Deletes those beside `path` that are too old or too many.
pub(super) fn clean(path: &Path, rotation: &Rotation, now: SystemTime) {
    if rotation.max_age.is_none() && rotation.max_backups.is_none() {
        return;
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let parts = parts(path);
    let aside = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        let at = time(name.to_str()?, &parts)?;
        Some((at, entry.path()))
    });
    let mut aside: Vec<_> = aside.collect();
    // The newest first.
    aside.sort_by(|a, b| b.cmp(a));
    for (number, (at, file)) in aside.into_iter().enumerate() {
        let is_old = rotation.max_age.is_some_and(|most| {
            let age = now.duration_since(at).unwrap_or_default();
            age > most
        });
        let is_many = rotation.max_backups.is_some_and(|most| number >= most);
        if (is_old || is_many)
            && let Err(error) = fs::remove_file(&file)
        {
            tracing::warn!("cannot delete {}: {error}", file.display());
        }
    }
}
