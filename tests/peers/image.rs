//! The image that `deploy/image/build` makes: unpacked and run as a container
//! runtime would, read-only, as the image's user, with nothing of this machine.
//!
//! Idea: what counts is what is in the blobs, so the tests start there. The image
//! is built once, from whatever binary is there already (`tests/run` does it).
//! Invariant: an image unpacked belongs to one test, which may add mount points.

use crate::spans::export_to;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use testkit::{Backend, Process, free_port, is_healthy, root};

/// What the Collector's images start, and what is in ours besides.
const NAMES: [&str; 5] = [
    "wayspan",
    "otelcol",
    "otelcol-contrib",
    "otelcol-istio",
    "otelcol-k8s",
];

/// Where `deploy/image/build` put the image.
fn built() -> PathBuf {
    let dir = root().join("target/image");
    assert!(
        dir.join("index.json").exists(),
        "{} is missing: run deploy/image/build --profile dev --features peers --example image",
        dir.display()
    );
    dir
}

fn json(content: &[u8]) -> Value {
    serde_json::from_slice(content).unwrap()
}

/// What a descriptor stands for, which must be what its digest and size say.
fn blob(image: &Path, descriptor: &Value) -> Vec<u8> {
    let expected = descriptor["digest"].as_str().unwrap();
    let expected = expected.strip_prefix("sha256:").unwrap();
    let content = fs::read(image.join("blobs/sha256").join(expected)).unwrap();
    let digest = digest(&SHA256, &content);
    let digest: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(digest, expected);
    assert_eq!(descriptor["size"], content.len());
    content
}

/// An image's file system in a directory, and its configuration.
pub struct Image {
    dir: TempDir,
    config: Value,
    bytes: u64,
}

/// What a container has besides its image.
#[derive(Default)]
pub struct Container {
    /// In the place of the image's entry point.
    pub command: Vec<String>,
    /// In the place of the image's arguments.
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// Directories of this machine, and where they are mounted.
    pub mounts: Vec<(PathBuf, String)>,
    /// Names, and the addresses they lead to.
    pub hosts: Vec<(String, Ipv4Addr)>,
}

impl Image {
    pub fn unpack() -> Self {
        let image = built();
        let index = json(&fs::read(image.join("index.json")).unwrap());
        let manifest = json(&blob(&image, &index["manifests"][0]));
        let config = json(&blob(&image, &manifest["config"]));
        let layer = &manifest["layers"][0];
        let content = blob(&image, layer);
        let dir = TempDir::new().unwrap();
        let archive = dir.path().join("layer.tar.gz");
        fs::write(&archive, &content).unwrap();
        fs::create_dir(dir.path().join("root")).unwrap();
        let tar = Command::new("tar")
            .args(["--extract", "--same-owner", "--same-permissions", "--gzip"])
            .arg("--file")
            .arg(&archive)
            .arg("--directory")
            .arg(dir.path().join("root"))
            .status()
            .unwrap();
        assert!(tar.success());
        let bytes = layer["size"].as_u64().unwrap();
        Self { dir, config, bytes }
    }

    /// Where `path` of the image is on this machine.
    pub fn at(&self, path: &str) -> PathBuf {
        let path = path.trim_start_matches('/');
        self.dir.path().join("root").join(path)
    }

    fn words(&self, key: &str) -> Vec<String> {
        let words = self.config["config"][key].as_array().unwrap();
        words
            .iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    }

    /// The command that runs a container of this image. Its process is the
    /// container's own, so a signal reaches it. Needs root, for mounting.
    pub fn command(&self, container: &Container) -> Command {
        let hosts = self.dir.path().join("hosts");
        let known = container.hosts.iter();
        let known: String = known.map(|(name, ip)| format!("{ip} {name}\n")).collect();
        fs::write(&hosts, format!("127.0.0.1 localhost\n{known}")).unwrap();
        fs::write(self.at("/etc/hosts"), "").unwrap();
        let place = self.at("/").display().to_string();
        let mut script = format!("set -e; mount --bind {place} {place}; ");
        let mut mount = |from: &Path, to: &str, options: &str| {
            let (from, to) = (from.display(), self.at(to));
            let to = to.display();
            script += &format!("mount {options} {from} {to}; ");
        };
        mount(&hosts, "/etc/hosts", "--bind");
        for (from, to) in &container.mounts {
            fs::create_dir_all(self.at(to)).unwrap();
            mount(from, to, "--bind");
        }
        fs::create_dir_all(self.at("/proc")).unwrap();
        mount(Path::new("/proc"), "/proc", "--rbind");
        let user = self.config["config"]["User"].as_str().unwrap();
        script += &format!(
            "mount -o remount,bind,ro {place}; \
             exec chroot --userspec={user} --groups= {place} \"$@\""
        );
        let or = |own: &[String], key| match own {
            [] => self.words(key),
            own => own.to_vec(),
        };
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", &script, "sh"])
            .args(or(&container.command, "Entrypoint"))
            .args(or(&container.args, "Cmd"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(container.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What a command of the image prints, which must succeed.
    fn output(&self, command: &[&str]) -> String {
        let [name, args @ ..] = command else {
            panic!("no command")
        };
        let container = Container {
            command: vec![(*name).to_owned()],
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            ..Container::default()
        };
        let output = self.command(&container).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn the_image_holds_what_its_users_expect() {
    let image = Image::unpack();
    assert!(image.bytes < 25_000_000, "{} bytes", image.bytes);
    let config = &image.config["config"];
    assert_eq!(config["User"], "10001:10001");
    assert_eq!(
        image.words("Cmd"),
        ["--config", "/etc/otelcol-contrib/config.yaml"]
    );
    for port in [4317, 4318, 8888, 13133, 55679] {
        assert!(config["ExposedPorts"][format!("{port}/tcp")].is_object());
    }
    // One file by five names.
    let inodes = NAMES.map(|name| fs::metadata(image.at(name)).unwrap().ino());
    assert_eq!(inodes, [inodes[0]; 5]);
    let version = image.output(&["/wayspan", "--version"]);
    for name in NAMES {
        assert_eq!(image.output(&[&format!("/{name}"), "--version"]), version);
    }
    let bill = json(&fs::read(image.at("/usr/share/doc/wayspan/wayspan.cdx.json")).unwrap());
    let component = &bill["metadata"]["component"];
    let named = component["version"].as_str().unwrap();
    assert_eq!(component["name"], "wayspan");
    assert!(version.contains(named), "{version} is not {named}");
    let parts = bill["components"].as_array().unwrap();
    let has = |name: &str| parts.iter().any(|part| part["name"] == name);
    assert!(has("hyper") && has("zstd-sys"), "what the binary links");
    assert!(!has("proptest") && !has("tempfile"), "what only tests use");
    assert!(parts.iter().all(|part| part["hashes"].is_array()));
}

#[test]
fn the_same_binary_makes_the_same_image() {
    let (image, again) = (Image::unpack(), TempDir::new().unwrap());
    let build = Command::new(root().join("deploy/image/build"))
        .arg("--binary")
        .arg(image.at("/wayspan"))
        .arg("--output")
        .arg(again.path())
        .status()
        .unwrap();
    assert!(build.success());
    for file in ["index.json", "wayspan.tar", "wayspan.cdx.json"] {
        let [first, second] = [built(), again.path().to_owned()].map(|dir| dir.join(file));
        let same = fs::read(first).unwrap() == fs::read(second).unwrap();
        assert!(same, "{file} differs");
    }
}

/// The Jaeger that the image's own configuration sends to.
const JAEGER: &str = "jaeger-collector.istio-system.svc.cluster.local";

#[test]
fn a_container_of_the_image_passes_a_span_on() {
    let (image, dir, backend) = (Image::unpack(), TempDir::new().unwrap(), Backend::grpc());
    let [grpc, http, health, metrics, pages] = std::array::from_fn(|_| free_port());
    let addresses = serde_json::json!({
        "receivers": {"otlp": {"protocols": {
            "grpc": {"endpoint": format!("127.0.0.1:{grpc}")},
            "http": {"endpoint": format!("127.0.0.1:{http}")},
        }}},
        "extensions": {
            "health_check": {"endpoint": format!("127.0.0.1:{health}")},
            "zpages": {"endpoint": format!("127.0.0.1:{pages}")},
        },
        "service": {"telemetry": {"metrics": {"readers": [
            {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": metrics}}}},
        ]}}},
    });
    let mut args = image.words("Cmd");
    args.extend(["--config".to_owned(), format!("yaml:{addresses}")]);
    let container = Container {
        command: vec!["/otelcol-contrib".to_owned()],
        args,
        // A name, so that what resolves names works without shared libraries.
        env: vec![(
            "WAYSPAN_EXPORT_ENDPOINT".to_owned(),
            format!("{JAEGER}:{}", backend.port),
        )],
        hosts: vec![(JAEGER.to_owned(), Ipv4Addr::LOCALHOST)],
        ..Container::default()
    };
    let mut process = Process::start(dir.path(), "image", &mut image.command(&container));
    process.wait_ready(|| is_healthy(health));
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let user = status.lines().find(|line| line.starts_with("Uid:"));
    assert_eq!(user.unwrap().split_whitespace().nth(1), Some("10001"));
    export_to(
        ([127, 0, 0, 1], grpc).into(),
        [3; 16],
        &[("service.name", "orders")],
        &[],
    );
    assert_eq!(backend.wait(1)[0].trace_id, [3; 16]);
    process.terminate();
    let status = process.wait_end(testkit::PATIENCE);
    assert!(status.success(), "{}", process.log_tail());
}
