//! What a machine must have for a real node, beyond Rust and Go.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A program, and the Debian package that brings it.
const PROGRAMS: [(&str, &str); 10] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("mount", "mount"),
    ("ffmpeg", "ffmpeg"),
];
/// Programs that connect containers to networks.
const PLUGINS: [&str; 3] = ["bridge", "host-local", "loopback"];
const PLUGINS_PACKAGE: &str = "containernetworking-plugins";
/// Where distributions put what only root runs, outside of a user's `PATH` on some.
const PLACES: [&str; 2] = ["/usr/sbin", "/sbin"];
const PLUGIN_PLACES: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];

/// What is missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// One sentence each.
    pub sentences: Vec<String>,
    /// Debian packages that bring it, sorted.
    pub packages: BTreeSet<&'static str>,
}

impl Missing {
    /// Whether a real node can run here.
    pub fn is_nothing(&self) -> bool {
        self.sentences.is_empty()
    }

    /// The one command that installs what can be installed, for Debian and its descendants.
    pub fn command(&self) -> Option<String> {
        if self.packages.is_empty() {
            return None;
        }
        let packages: Vec<&str> = self.packages.iter().copied().collect();
        Some(format!(
            "apt-get update && apt-get install --yes --no-install-recommends {}",
            packages.join(" ")
        ))
    }

    fn package(&mut self, what: &str, package: &'static str) {
        self.sentences
            .push(format!("{what} is missing (package {package})"));
        self.packages.insert(package);
    }
}

/// Looks, and changes nothing.
pub fn missing() -> Missing {
    let mut missing = Missing::default();
    if !cfg!(target_os = "linux") {
        missing.sentences.push("a real node needs Linux".to_owned());
        return missing;
    }
    if !rustix::process::geteuid().is_root() {
        missing
            .sentences
            .push("a real node needs root: it makes namespaces, mounts and cgroups".to_owned());
    }
    for (program, package) in PROGRAMS {
        if find(program).is_none() {
            missing.package(program, package);
        }
    }
    for plugin in PLUGINS {
        if plugins().is_none_or(|directory| !directory.join(plugin).is_file()) {
            missing.package(&format!("the network plugin {plugin}"), PLUGINS_PACKAGE);
        }
    }
    missing
}

fn find(program: &str) -> Option<PathBuf> {
    let directories = std::env::split_paths(&path())
        .map(|directory| directory.join(program))
        .collect::<Vec<_>>();
    directories.into_iter().find(|file| file.is_file())
}

/// Where programs are looked for here, and in the sandbox.
pub(super) fn path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&path).chain(PLACES.map(PathBuf::from));
    // Only a directory whose name holds a colon can't be joined.
    std::env::join_paths(all).unwrap_or(path)
}

/// The directory of the network plugins.
pub(super) fn plugins() -> Option<&'static Path> {
    PLUGIN_PLACES
        .iter()
        .map(Path::new)
        .find(|directory| directory.join(PLUGINS[0]).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_installs_each_package_once() {
        let mut missing = Missing::default();
        assert!(missing.is_nothing());
        assert_eq!(missing.command(), None);
        missing.package("runc", "runc");
        missing.package("ctr", "containerd");
        missing.package("containerd", "containerd");
        assert_eq!(missing.sentences.len(), 3);
        assert_eq!(
            missing.command().as_deref(),
            Some("apt-get update && apt-get install --yes --no-install-recommends containerd runc")
        );
    }
}
