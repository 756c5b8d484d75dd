//! The operator's binary.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use webinar_testbed::wait::within;

use crate::commands::cargo;

const DEADLINE: Duration = Duration::from_secs(30 * 60);
const NAME: &str = "webinar-operator";

/// Builds the operator and returns where it is.
///
/// The development profile: this program has just been compiled with the operator as a library, so that only the
/// binary is left to link. What is shown of its CPU time is therefore that of unoptimised code.
///
/// # Errors
/// When it does not compile, with what cargo said.
pub(super) async fn operator() -> Result<PathBuf> {
    // Both packages, so that features and with them all libraries are those of this program.
    let command = cargo([
        "build",
        "--package=xtask",
        "--package=webinar-operator",
        "--bin=webinar-operator",
        "--message-format=json-render-diagnostics",
    ]);
    let output = tokio::process::Command::from(command)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = within("cargo build", DEADLINE, async { Ok(output.await?) }).await?;
    ensure!(
        output.status.success(),
        "cargo build ended with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages).context("cargo told of no executable")
}

/// A message of cargo's, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.target.as_ref().is_some_and(|target| target.name == NAME))
        .find_map(|message| message.executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_among_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"webinar_operator"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}
{"reason":"compiler-artifact","target":{"name":"webinar-operator"},"executable":"/t/webinar-operator"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/webinar-operator")));
        assert_eq!(executable("{}"), None);
    }
}
