/*! The modules of `src` and what they use, by reading and not by compiling. */

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module path below the crate: `pipeline::batch`.
type Module = String;

/// All modules of `src` that are not tests.
pub struct Tree {
    /// Modules, each with its file below `src`.
    files: BTreeMap<Module, String>,
    /// Re-exports of a module: the name, and the path that it stands for.
    exports: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
    /// Paths that a module names, each as segments from the crate's root.
    used: BTreeMap<Module, Vec<Vec<String>>>,
}

/// The room that a file below `src` stands in.
pub fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

impl Tree {
    /// Reads `src`.
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut tree = Self {
            files: BTreeMap::new(),
            exports: BTreeMap::new(),
            used: BTreeMap::new(),
        };
        let mut sources = Vec::new();
        walk(&root, &mut sources);
        for path in sources {
            let file = path.strip_prefix(&root).unwrap().to_str().unwrap();
            if file == "lib.rs"
                || file
                    .split('/')
                    .any(|part| part.trim_end_matches(".rs") == "tests")
            {
                continue;
            }
            let module = module_of(file);
            let code = without_tests(&fs::read_to_string(&path).unwrap());
            let mut exports = BTreeMap::new();
            let mut used = Vec::new();
            for (is_public, path) in use_lines(&code) {
                for path in expand(&path) {
                    let Some((path, name)) = absolute(&module, path) else {
                        continue;
                    };
                    if is_public {
                        exports.insert(name, path.clone());
                    }
                    used.push(path);
                }
            }
            used.extend(inline_paths(&code));
            tree.exports.insert(module.clone(), exports);
            tree.used.insert(module.clone(), used);
            tree.files.insert(module, file.to_owned());
        }
        assert!(tree.files.len() > 100, "src was not found");
        tree
    }

    /// Every file with each file that it uses, both below `src`.
    pub fn arrows(&self) -> BTreeSet<(&str, &str)> {
        let mut arrows = BTreeSet::new();
        for (module, paths) in &self.used {
            for path in paths {
                let Some(target) = self.resolve(path, 0) else {
                    continue;
                };
                let inside = format!("{module}::");
                // A module's face names what stands in it.
                if target != module && !target.starts_with(&inside) {
                    arrows.insert((self.files[module].as_str(), self.files[target].as_str()));
                }
            }
        }
        arrows
    }

    /// The module that defines what `path` names.
    fn resolve(&self, path: &[String], depth: usize) -> Option<&str> {
        let longest = (1..=path.len()).rev().find_map(|n| {
            let (module, _) = self.files.get_key_value(&path[..n].join("::"))?;
            Some((n, module))
        });
        let (n, module) = longest?;
        if let Some(name) = path.get(n)
            && let Some(behind) = self.exports[module].get(name)
            && depth < 8
            && let Some(target) = self.resolve(behind, depth + 1)
        {
            return Some(target);
        }
        Some(module)
    }
}

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

fn module_of(file: &str) -> Module {
    let path = file.trim_end_matches(".rs");
    path.trim_end_matches("/mod").replace('/', "::")
}

/// The code before the first module of tests, without comments.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut lines = code.lines().peekable();
    let mut in_comment = false;
    while let Some(line) = lines.next() {
        in_comment |= line.trim_start().starts_with("/*");
        if in_comment {
            in_comment = !line.contains("*/");
            continue;
        }
        let tests = line.trim() == "#[cfg(test)]"
            && lines
                .peek()
                .is_some_and(|next| next.trim_start().starts_with("mod ") && next.ends_with('{'));
        if tests {
            break;
        }
        let is_comment = line.trim_start().starts_with("//");
        if !is_comment {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Every `use` with its path, and whether it is public.
fn use_lines(code: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let before = rest[..at].rsplit('\n').next().unwrap_or_default().trim();
        let begins = before.is_empty() || before.starts_with("pub");
        let after = &rest[at + 4..];
        let Some(end) = after.find(';').filter(|_| begins) else {
            rest = after;
            continue;
        };
        found.push((
            before.starts_with("pub"),
            after[..end]
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        ));
        rest = &after[end..];
    }
    found
}

/// The paths of a use tree.
fn expand(tree: &str) -> Vec<String> {
    let Some(open) = tree.find('{') else {
        return vec![tree.trim().to_owned()];
    };
    let prefix = &tree[..open];
    // Text that is no use tree: a line of a string may begin with the word.
    let Some(inner) = tree.rfind('}').and_then(|close| tree.get(open + 1..close)) else {
        return Vec::new();
    };
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts
        .flat_map(|part| expand(&format!("{prefix}{}", part.trim())))
        .collect()
}

/// A path from the crate's root, and the name under which it is used; None for
/// one of another crate.
fn absolute(module: &str, path: String) -> Option<(Vec<String>, String)> {
    let (path, name) = match path.split_once(" as ") {
        Some((path, name)) => (path.to_owned(), name.to_owned()),
        None => (
            path.clone(),
            path.rsplit("::").next().unwrap_or_default().to_owned(),
        ),
    };
    let mut segments: Vec<String> = path.split("::").map(|s| s.trim().to_owned()).collect();
    let mut base: Vec<String> = module.split("::").map(str::to_owned).collect();
    match segments[0].as_str() {
        "crate" => base.clear(),
        "self" => {}
        "super" => {
            while segments.first().is_some_and(|s| s == "super") {
                base.pop();
                segments.remove(0);
            }
            segments.insert(0, String::new());
        }
        // A module's own child, as faces name them.
        _ => segments.insert(0, String::new()),
    }
    segments.remove(0);
    if segments.last().is_some_and(|s| s == "self") {
        segments.pop();
    }
    base.extend(segments);
    Some((base, name))
}

/// Paths that code names without `use`: `crate::queue::log::Seq`.
fn inline_paths(code: &str) -> Vec<Vec<String>> {
    let parts = code.split("crate::").skip(1);
    let path = |part: &str| {
        let end = part.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        let path = &part[..end.unwrap_or(part.len())];
        path.split("::")
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect()
    };
    parts.map(path).collect()
}

/// Groups of files that use each other, round about or directly.
pub fn circles<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<Vec<&'a str>> {
    let reaches = |from: &'a str| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            for next in uses.get(file).into_iter().flatten() {
                if seen.insert(*next) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|file| (*file, reaches(file))).collect();
    let mut circles: Vec<Vec<&str>> = Vec::new();
    for (file, seen) in &reach {
        if seen.contains(file) && !circles.iter().any(|circle| circle.contains(file)) {
            let back = |other: &&&str| reach.get(**other).is_some_and(|seen| seen.contains(file));
            circles.push(seen.iter().filter(back).copied().collect());
        }
    }
    circles
}

#[test]
fn use_trees_are_read() {
    let code = "use super::{a::{self, B}, C as D};\npub use e::F;\nlet x = crate::g::h();\n";
    let lines = use_lines(code);
    assert_eq!(lines.len(), 2);
    let paths: Vec<_> = expand(&lines[0].1)
        .into_iter()
        .filter_map(|path| absolute("room::file", path))
        .map(|(path, name)| (path.join("::"), name))
        .collect();
    let named = |path: &str, name: &str| (path.to_owned(), name.to_owned());
    assert_eq!(
        paths,
        [
            named("room::a", "self"),
            named("room::a::B", "B"),
            named("room::C", "D")
        ]
    );
    assert!(lines[1].0);
    assert_eq!(inline_paths(code), [["g", "h"]]);
}

#[test]
fn circles_are_found() {
    let uses = BTreeMap::from([
        ("a", BTreeSet::from(["b"])),
        ("b", BTreeSet::from(["c"])),
        ("c", BTreeSet::from(["a"])),
        ("d", BTreeSet::from(["a"])),
    ]);
    assert_eq!(circles(&uses), [["a", "b", "c"]]);
}
