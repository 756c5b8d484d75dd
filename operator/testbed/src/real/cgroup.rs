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
            let all = subdirectories(top);
            // What has no tasks is no hierarchy. The kubelet looks at no others than these two that have no controller.
            all.into_iter().filter(|tree| tree.join("tasks").is_file()).collect()
        };
        let mut trees = Vec::new();
        for hierarchy in hierarchies {
            let tree = hierarchy.join(name);
            fs::create_dir_all(&tree).with_context(|| format!("creating {}", tree.display()))?;
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

/// Gives all controllers to the cgroups below, as version 2 wants to be told.
fn delegate(cgroup: &Path) -> Result<()> {
    let controllers = fs::read_to_string(cgroup.join("cgroup.controllers"))?;
    for controller in controllers.split_whitespace() {
        fs::write(cgroup.join("cgroup.subtree_control"), format!("+{controller}"))
            .with_context(|| format!("giving {controller} to {}", cgroup.display()))?;
    }
    Ok(())
}
