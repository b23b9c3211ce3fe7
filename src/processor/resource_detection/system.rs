/*!
What this machine, or the container that this is, says of itself. Only files are read,
and nobody is asked.
*/

use std::{env, fs, path::Path};

/// An attribute that the system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SystemAttribute {
    HostName,
    OsType,
    HostArch,
    HostId,
    OsName,
    OsVersion,
}

impl SystemAttribute {
    /// All, with their names and whether they are told unless the file says otherwise.
    pub(super) const ALL: [(&'static str, Self, bool); 6] = [
        ("host.name", Self::HostName, true),
        ("os.type", Self::OsType, true),
        ("host.arch", Self::HostArch, false),
        ("host.id", Self::HostId, false),
        ("os.name", Self::OsName, false),
        ("os.version", Self::OsVersion, false),
    ];
}

/// Where the host's name comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostnameSource {
    /// What the system is called.
    Os,
    /// The whole name that `/etc/hosts` has for that.
    Dns,
    /// These need a resolver of names.
    Other,
}

/// Returns what `attribute` is here; None where it cannot be told.
pub(super) fn detect(attribute: SystemAttribute, sources: &[HostnameSource]) -> Option<String> {
    match attribute {
        SystemAttribute::HostName => hostname(sources),
        SystemAttribute::OsType => Some(os_type(env::consts::OS).to_owned()),
        SystemAttribute::HostArch => Some(host_arch(env::consts::ARCH).to_owned()),
        SystemAttribute::HostId => {
            let files = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
            files.into_iter().find_map(|file| line(Path::new(file)))
        }
        SystemAttribute::OsName => os_release("ID"),
        SystemAttribute::OsVersion => os_release("VERSION_ID"),
    }
}

fn line(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn hostname(sources: &[HostnameSource]) -> Option<String> {
    let own = line(Path::new("/proc/sys/kernel/hostname"));
    let own = own.or_else(|| env::var("HOSTNAME").ok().filter(|name| !name.is_empty()))?;
    sources.iter().find_map(|source| match source {
        HostnameSource::Os => Some(own.clone()),
        HostnameSource::Dns => {
            let hosts = fs::read_to_string("/etc/hosts").ok()?;
            whole_name(&own, &hosts)
        }
        HostnameSource::Other => None,
    })
}

/// Returns the name that begins with `host` and goes on, in a line of `hosts` that is
/// about it.
fn whole_name(host: &str, hosts: &str) -> Option<String> {
    hosts.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut names = line.split_whitespace().skip(1);
        let whole = names.find(|name| {
            let rest = name.strip_prefix(host);
            rest.and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|rest| !rest.is_empty())
        })?;
        Some(whole.trim_end_matches('.').to_owned())
    })
}

fn os_type(os: &str) -> &str {
    match os {
        "macos" | "ios" => "darwin",
        "dragonfly" => "dragonflybsd",
        other => other,
    }
}

fn host_arch(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

fn os_release(key: &str) -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    release_value(&text, key)
}

fn release_value(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (name.trim() == key && !value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_are_those_of_hosts() {
        for (host, hosts, want) in [
            (
                "web",
                "127.0.0.1 localhost\n10.0.0.1 web.example.com web\n",
                Some("web.example.com"),
            ),
            (
                "web",
                "10.0.0.1 web web.shop.svc.cluster.local. # web.no",
                Some("web.shop.svc.cluster.local"),
            ),
            ("web", "10.0.0.1 web", None),
            ("web", "10.0.0.1 web-1.example.com web.", None),
            ("web", "# 10.0.0.1 web.example.com web", None),
            ("web", "", None),
        ] {
            assert_eq!(whole_name(host, hosts).as_deref(), want, "{hosts}");
        }
    }

    #[test]
    fn values_of_a_release() {
        let text = "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\nEMPTY=\n";
        for (key, want) in [
            ("ID", Some("debian")),
            ("VERSION_ID", Some("12")),
            ("EMPTY", None),
            ("BUILD_ID", None),
        ] {
            assert_eq!(release_value(text, key).as_deref(), want, "{key}");
        }
    }

    #[test]
    fn this_machine_has_a_name_and_a_type() {
        let sources = [HostnameSource::Dns, HostnameSource::Os];
        let name = detect(SystemAttribute::HostName, &sources);
        assert!(name.is_some_and(|name| !name.is_empty() && !name.contains('\n')));
        assert_eq!(
            detect(SystemAttribute::HostName, &[HostnameSource::Other]),
            None
        );
        let os = detect(SystemAttribute::OsType, &[]);
        assert_eq!(os.as_deref(), Some(os_type(env::consts::OS)));
    }
}
