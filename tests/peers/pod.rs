//! A Pod of a workload's template, run from the image as a kubelet would run it:
//! its command, arguments and variables, its ConfigMaps as files, its probes.
//!
//! Idea: no field of the template is changed, so ports are as they are written. Each
//! Pod has an address of its own, in 127.0.0.0/8, where they are free.

use crate::image::{Container, Image};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use testkit::{Process, WebReply, get_from};

/// An address that nobody else on this machine uses.
pub fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::new(127, 64 | (high & 63), low, next)
}

/// The only document of a kind.
pub fn only<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    let mut found = documents.iter().filter(|document| document["kind"] == kind);
    let (first, second) = (found.next(), found.next());
    assert!(second.is_none(), "several documents of kind {kind}");
    first.unwrap_or_else(|| panic!("no document of kind {kind}"))
}

/// The workload of documents, whatever its kind.
pub fn workload(documents: &[Value]) -> &Value {
    let is = |document: &&Value| document["spec"]["template"]["spec"].is_object();
    documents.iter().find(is).expect("a workload")
}

/// The texts of a list, which may be missing.
fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

pub struct Pod {
    pub ip: Ipv4Addr,
    process: Process,
    container: Value,
    // Behind the process, which uses them.
    _image: Image,
    _dir: TempDir,
}

impl Pod {
    /// Starts the container of the documents' workload, and waits until it is ready.
    /// `hosts` are names and the addresses they lead to.
    pub fn start(documents: &[Value], hosts: &[(&str, Ipv4Addr)]) -> Self {
        let (image, dir, ip) = (Image::unpack(), TempDir::new().unwrap(), own_address());
        let spec = &workload(documents)["spec"]["template"]["spec"];
        let [container] = &spec["containers"].as_array().unwrap()[..] else {
            panic!("not one container: {spec}")
        };
        let volumes = volumes(documents, spec, dir.path());
        let mounts = container["volumeMounts"].as_array().unwrap().iter();
        let mounts = mounts.map(|mount| {
            let volume = &volumes[mount["name"].as_str().unwrap()];
            (
                volume.clone(),
                mount["mountPath"].as_str().unwrap().to_owned(),
            )
        });
        let env = container["env"].as_array().map_or(&[][..], Vec::as_slice);
        let run = Container {
            command: texts(&container["command"]),
            args: texts(&container["args"]),
            env: env
                .iter()
                .map(|variable| variable_of(variable, ip))
                .collect(),
            mounts: mounts.collect(),
            hosts: hosts
                .iter()
                .map(|&(name, ip)| (name.to_owned(), ip))
                .collect(),
        };
        let process = Process::start(dir.path(), "pod", &mut image.command(&run));
        let container = container.clone();
        let mut pod = Self {
            ip,
            process,
            container,
            _image: image,
            _dir: dir,
        };
        pod.wait_ready();
        pod
    }

    fn wait_ready(&mut self) {
        let (ip, probe) = (self.ip, self.container["readinessProbe"].clone());
        self.process.wait_ready(|| match &probe {
            // Without a probe a Pod is ready at once; here, once it takes spans.
            Value::Null => TcpStream::connect((ip, 4317)).is_ok(),
            probe => ask(ip, probe).is_some_and(|reply| reply.status == 200),
        });
    }

    pub fn address(&self, port: u16) -> SocketAddr {
        (self.ip, port).into()
    }

    /// What one of its pages says.
    pub fn page(&self, port: u16, path: &str) -> String {
        let reply = get_from(self.address(port), Duration::from_secs(30), path, &[]);
        reply.unwrap().body
    }

    /// The container's probes, all of which must succeed; how many it has.
    pub fn probes(&self) -> usize {
        let names = ["startupProbe", "livenessProbe", "readinessProbe"];
        let probes = names.map(|name| &self.container[name]);
        let probes = probes.iter().filter(|probe| probe.is_object());
        let answered = probes.map(|probe| {
            let reply = ask(self.ip, probe).unwrap();
            assert_eq!(reply.status, 200, "{probe}: {}", reply.body);
        });
        answered.count()
    }

    /// The container's TCP ports of these that nobody answers.
    pub fn silent_ports(&self) -> Vec<u16> {
        let ports = self.container["ports"].as_array().unwrap().iter();
        let tcp = ports.filter(|port| port["protocol"] != "UDP");
        let numbers = tcp.map(|port| number(&port["containerPort"]));
        numbers
            .filter(|&port| TcpStream::connect(self.address(port)).is_err())
            .collect()
    }

    /// What it has said.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn number(value: &Value) -> u16 {
    u16::try_from(value.as_u64().unwrap()).unwrap()
}

/// What an HTTP probe is answered, if anything.
fn ask(ip: Ipv4Addr, probe: &Value) -> Option<WebReply> {
    let get = &probe["httpGet"];
    let address = (ip, number(&get["port"])).into();
    let path = get["path"].as_str().unwrap();
    get_from(address, Duration::from_secs(1), path, &[]).ok()
}

/// A variable of a container, with what the kubelet knows of the Pod.
fn variable_of(variable: &Value, ip: Ipv4Addr) -> (String, String) {
    let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
        None => variable["value"].as_str().unwrap().to_owned(),
        Some("status.podIP" | "status.hostIP") => ip.to_string(),
        Some("spec.nodeName") => "node-1".to_owned(),
        Some("metadata.namespace") => "observability".to_owned(),
        Some("metadata.name") => "collector-0".to_owned(),
        Some(other) => panic!("nothing is known of {other}"),
    };
    (variable["name"].as_str().unwrap().to_owned(), value)
}

/// A directory for each volume: of a ConfigMap with its files, else empty and the
/// container's own.
fn volumes(documents: &[Value], spec: &Value, dir: &Path) -> HashMap<String, PathBuf> {
    let in_spec = &spec["volumes"];
    let of_workload = &workload(documents)["spec"]["volumeClaimTemplates"];
    let lists = [in_spec, of_workload]
        .into_iter()
        .filter_map(Value::as_array);
    let volume = |volume: &Value| {
        let name = match &volume["name"] {
            Value::Null => volume["metadata"]["name"].as_str(),
            name => name.as_str(),
        };
        let at = dir.join("volumes").join(name.unwrap());
        fs::create_dir_all(&at).unwrap();
        match volume["configMap"]["name"].as_str() {
            None => chown(&at, Some(10001), Some(10001)).unwrap(),
            Some(map) => write_files(config_map(documents, map), &volume["configMap"], &at),
        }
        (name.unwrap().to_owned(), at)
    };
    lists.flatten().map(volume).collect()
}

fn config_map<'a>(documents: &'a [Value], name: &str) -> &'a Value {
    let is =
        |document: &&Value| document["kind"] == "ConfigMap" && document["metadata"]["name"] == name;
    documents
        .iter()
        .find(is)
        .unwrap_or_else(|| panic!("no ConfigMap {name}"))
}

/// The keys of a ConfigMap as files: all of them, or the volume's `items`.
fn write_files(map: &Value, volume: &Value, at: &Path) {
    let data = map["data"].as_object().unwrap();
    let files: Vec<(&str, &str)> = match volume["items"].as_array() {
        None => data
            .keys()
            .map(|key| (key.as_str(), key.as_str()))
            .collect(),
        Some(items) => items
            .iter()
            .map(|item| {
                (
                    item["key"].as_str().unwrap(),
                    item["path"].as_str().unwrap(),
                )
            })
            .collect(),
    };
    for (key, path) in files {
        fs::write(at.join(path), data[key].as_str().unwrap()).unwrap();
    }
}
