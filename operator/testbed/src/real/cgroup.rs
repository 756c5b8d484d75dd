//! The part of the machine's cgroups that belongs to a sandbox, and who runs in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::sandbox::subdirectories;

const TOP: &str = "/sys/fs/cgroup";

/// The cgroup below which a kubelet makes all of its own, in each hierarchy that the machine has: one (version 2), or one
/// for each controller (version 1).
#[derive(Debug, Clone)]
pub(super) struct Cgroup {
    name: String,
    trees: Vec<PathBuf>,
}

impl Cgroup {
    /// Makes it.
    pub(super) fn create(name: &str) -> Result<Self> {
        let top = Path::new(TOP);
        let hierarchies = if top.join("cgroup.controllers").is_file() {
            delegate(top)?;
            vec![top.to_owned()]
        } else {
            // A directory without tasks is no hierarchy.
            let all = subdirectories(top).into_iter();
            all.filter(|tree| tree.join("tasks").is_file()).collect()
        };
        let mut trees = Vec::new();
        for hierarchy in hierarchies {
            let tree = hierarchy.join(name);
            fs::create_dir(&tree).with_context(|| format!("creating {}", tree.display()))?;
            // Nothing may run in a cgroup of this controller before it says where.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if hierarchy.join("tasks").is_file() && hierarchy.join(file).is_file() {
                    let value = fs::read_to_string(hierarchy.join(file))?;
                    fs::write(tree.join(file), value.trim()).with_context(|| format!("writing {file}"))?;
                }
            }
            if hierarchy.join("cgroup.controllers").is_file() {
                delegate(&tree)?;
            }
            trees.push(tree);
        }
        if trees.is_empty() {
            bail!("{TOP} shows no cgroups");
        }
        Ok(Self {
            name: name.to_owned(),
            trees,
        })
    }

    /// Its name as the kubelet takes it.
    pub(super) fn path(&self) -> String {
        format!("/{}", self.name)
    }

    /// The processes of a pod.
    pub(super) fn processes(&self, pod_uid: &str) -> Vec<u32> {
        let wanted = format!("pod{pod_uid}");
        // All hierarchies hold the same processes.
        let mut found = Vec::new();
        for tree in &self.trees {
            collect(tree, &wanted, false, &mut found);
            if !found.is_empty() {
                break;
            }
        }
        found
    }
}

fn collect(cgroup: &Path, wanted: &str, inside: bool, found: &mut Vec<u32>) {
    for child in subdirectories(cgroup) {
        let inside = inside || child.file_name().is_some_and(|name| name == wanted);
        if inside {
            let processes = fs::read_to_string(child.join("cgroup.procs")).unwrap_or_default();
            found.extend(processes.lines().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        collect(&child, wanted, inside, found);
    }
}

/// What a kubelet uses, as version 2 names it.
const CONTROLLERS: [&str; 6] = ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"];

/// Gives the cgroups below what a kubelet uses of what this one has, as version 2 wants to be told.
fn delegate(cgroup: &Path) -> Result<()> {
    let words = |file: &str| -> Result<Vec<String>> {
        let text = fs::read_to_string(cgroup.join(file))?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    };
    let (has, gives) = (words("cgroup.controllers")?, words("cgroup.subtree_control")?);
    for controller in CONTROLLERS {
        let missing = has.iter().any(|c| c == controller) && !gives.iter().any(|c| c == controller);
        if missing {
            fs::write(cgroup.join("cgroup.subtree_control"), format!("+{controller}")).with_context(|| {
                format!(
                    "giving {controller} to the cgroups below {}: in a container this needs the machine's cgroup namespace",
                    cgroup.display()
                )
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_processes_of_a_pod_are_found_and_no_others() {
        let directory = tempfile::tempdir().expect("a directory");
        for (path, processes) in [
            ("kubepods/burstable/poda/one", "7\n8\n"),
            ("kubepods/burstable/poda/two", "9\n"),
            ("kubepods/burstable/podab/one", "11\n"),
        ] {
            let cgroup = directory.path().join(path);
            fs::create_dir_all(&cgroup).expect("made");
            fs::write(cgroup.join("cgroup.procs"), processes).expect("written");
        }
        let cgroup = Cgroup {
            name: "x".to_owned(),
            trees: vec![directory.path().to_owned()],
        };
        let mut found = cgroup.processes("a");
        found.sort_unstable();
        assert_eq!(found, [7, 8, 9]);
        assert_eq!(cgroup.processes("b"), [0_u32; 0]);
    }

    #[test]
    fn only_what_is_missing_and_used_is_given() {
        let directory = tempfile::tempdir().expect("a directory");
        let (has, gives) = (
            directory.path().join("cgroup.controllers"),
            directory.path().join("cgroup.subtree_control"),
        );
        fs::write(&has, "cpu rdma pids").expect("written");
        fs::write(&gives, "cpu").expect("written");
        delegate(directory.path()).expect("given");
        assert_eq!(fs::read_to_string(&gives).expect("read"), "+pids");
    }
}
