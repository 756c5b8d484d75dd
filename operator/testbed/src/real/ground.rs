//! What a sandbox must have before a node can run in it: a network with a way out, and places of its own where the
//! machine's would be written to.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The node's address.
pub(super) const NODE_IP: &str = "172.30.0.1";

/// Empty places over the machine's: sockets, state of network plugins, links to logs.
const OVER: [&str; 3] = ["/run", "/var/lib", "/var/log"];

/// The kubelet wants these kernel settings and would change the machine's; it is shown files instead.
const SYSCTLS: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Prepares the sandbox that this process runs in.
pub(super) fn prepare(directory: &Path) -> Result<()> {
    for place in OVER {
        ensure!(
            !directory.starts_with(place),
            "{} lies below {place}, which a real node needs for itself: move the repository",
            directory.display()
        );
        run("mount", ["-t", "tmpfs", "-o", "mode=755", "sandbox", place])?;
    }
    let files = directory.join("sysctl");
    fs::create_dir_all(&files)?;
    for (name, value) in SYSCTLS {
        let file = files.join(name.replace('/', "_"));
        fs::write(&file, format!("{value}\n"))?;
        let (file, place) = (file.display().to_string(), format!("/proc/sys/{name}"));
        run("mount", ["--bind", &file, &place])?;
    }
    // API server and kubelet look for a default route.
    let address = format!("{NODE_IP}/24");
    run("ip", ["link", "set", "lo", "up"])?;
    run(
        "ip",
        ["link", "add", "node0", "type", "veth", "peer", "name", "node1"],
    )?;
    run("ip", ["address", "add", &address, "dev", "node0"])?;
    run("ip", ["link", "set", "node0", "up"])?;
    run("ip", ["link", "set", "node1", "up"])?;
    run(
        "ip",
        ["route", "add", "default", "via", "172.30.0.2", "dev", "node0"],
    )
}

fn run<'a>(program: &str, args: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut command = Command::new(program);
    command.args(args);
    let output = command.output().with_context(|| format!("starting {program}"))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
