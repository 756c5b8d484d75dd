//! Asks a program for its version.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::process::Command;

use super::Tool;
use crate::wait::within;

/// The version that a program tells of itself, such as `1.36.4` or `1.37.0-rc.1`.
pub(super) async fn of(tool: Tool, program: &Path) -> Result<String> {
    let question: &[&str] = match tool {
        Tool::Kubectl => &["version", "--client"],
        Tool::Helm => &["version"],
        Tool::CoreDns | Tool::Actionlint => &["-version"],
        Tool::Etcd
        | Tool::ApiServer
        | Tool::ControllerManager
        | Tool::Scheduler
        | Tool::Kwok
        | Tool::Prometheus
        | Tool::Kubelet
        | Tool::KubeProxy
        | Tool::Pause
        | Tool::MediaMtx
        | Tool::FluxVerdict => &["--version"],
    };
    let what = format!("asking {} for its version", program.display());
    within(&what, Duration::from_secs(30), async {
        let answer = Command::new(program)
            .args(question)
            .kill_on_drop(true)
            .output()
            .await?;
        let text = String::from_utf8_lossy(&answer.stdout);
        parse(&text).with_context(|| format!("no version in {:?}", text.trim()))
    })
    .await
}

/// The version of Go that would build in `directory`, as major and minor number.
pub(super) async fn of_go(directory: &Path) -> Result<(u32, u32)> {
    within("asking go for its version", Duration::from_secs(60), async {
        // In the module's directory Go may switch to the toolchain that go.mod asks for.
        let answer = Command::new("go")
            .args(["env", "GOVERSION"])
            .current_dir(directory)
            .kill_on_drop(true)
            .output()
            .await?;
        let text = String::from_utf8_lossy(&answer.stdout);
        parse_go(&text).ok_or_else(|| {
            anyhow!(
                "it answered {:?} {}",
                text.trim(),
                String::from_utf8_lossy(&answer.stderr).trim()
            )
        })
    })
    .await
}

fn parse_go(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text
        .trim()
        .strip_prefix("go")?
        .split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The first `x.y.z` in the text, with its pre-release. Distributors' suffixes and build metadata are dropped.
fn parse(text: &str) -> Option<String> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '"' | ',' | ':' | '{' | '}' | '(' | ')'))
        .find_map(|word| {
            let word = word.strip_prefix("CoreDNS-").unwrap_or(word);
            let word = word.trim_start_matches('v');
            let end = word
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(word.len());
            let (numbers, rest) = word.split_at(end);
            let parts: Vec<&str> = numbers.split('.').collect();
            if parts.len() != 3 || parts.iter().any(|part| part.is_empty()) {
                return None;
            }
            let suffix = rest.split('+').next().unwrap_or_default();
            let pre_release = ["-alpha", "-beta", "-rc"]
                .iter()
                .any(|mark| suffix.starts_with(mark));
            Some(if pre_release {
                format!("{numbers}{suffix}")
            } else {
                numbers.to_owned()
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_every_format() {
        for (text, version) in [
            (
                "etcd Version: 3.6.8\nGit SHA: Not provided\nGo Version: go1.26.8\n",
                "3.6.8",
            ),
            ("Kubernetes v1.36.4\n", "1.36.4"),
            ("Client Version: v1.36.4\nKustomize Version: v5.8.1\n", "1.36.4"),
            ("kwok version v0.8.0 go1.26.8 (linux/amd64)\n", "0.8.0"),
            (
                "version.BuildInfo{Version:\"v4.2.4\", GitCommit:\"\", GoVersion:\"go1.26.8\"}\n",
                "4.2.4",
            ),
            (
                "prometheus, version 3.15.0 (branch: , revision: unknown)\n  go version:       go1.26.8\n",
                "3.15.0",
            ),
            ("CoreDNS-1.14.2\nlinux/amd64, go1.26.8, \n", "1.14.2"),
            ("pause 1.0.0\n", "1.0.0"),
            ("v1.19.3\n", "1.19.3"),
            ("flux-verdict 1.0.0\n", "1.0.0"),
            (
                "v1.7.12\ninstalled by building from source\nbuilt with go1.26.8 compiler for linux/amd64\n",
                "1.7.12",
            ),
            ("Kubernetes v1.36.4+k3s1\n", "1.36.4"),
            ("Kubernetes v1.36.4-eks-1234\n", "1.36.4"),
            ("Kubernetes v1.36.4-rc.1\n", "1.36.4-rc.1"),
        ] {
            assert_eq!(parse(text).as_deref(), Some(version), "{text:?}");
        }
    }

    #[test]
    fn no_version_is_invented() {
        for text in [
            "",
            "unknown flag: --version",
            "version.BuildInfo{Version:\"v4.2\"}",
            "1.2.3.4",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn go_versions() {
        assert_eq!(parse_go("go1.26.8\n"), Some((1, 26)));
        assert_eq!(parse_go("go1.27rc1\n"), Some((1, 27)));
        assert_eq!(parse_go("devel go1.27-abc"), None);
    }
}
