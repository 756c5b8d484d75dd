//! What Flux makes of objects, with its own libraries.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use webinar_testbed::tools::{Tool, Tools};

use crate::judges::repository;

/// What Flux makes of an object.
#[derive(Debug, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) status: String,
    pub(crate) message: String,
}

/// Asks Flux's libraries for each object. `args` of `flux-verdict`.
pub(crate) async fn flux(args: &[&str], objects: &[Value]) -> Result<Vec<Verdict>> {
    let mut input = String::new();
    for object in objects {
        input.push_str(&object.to_string());
    }
    let answer = flux_verdict(args, &input).await?;
    let verdicts = answer
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect::<Result<Vec<Verdict>>>()?;
    ensure!(verdicts.len() == objects.len(), "{answer}");
    Ok(verdicts)
}

/// Runs `flux-verdict`, building it first if need be. Returns what it prints.
pub(crate) async fn flux_verdict(args: &[&str], input: &str) -> Result<String> {
    let tools = Tools::ensure(&[Tool::FluxVerdict], &|text| println!("{text}")).await?;
    let mut child = Command::new(tools.path(Tool::FluxVerdict)?)
        .args(args)
        .current_dir(repository())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    stdin.write_all(input.as_bytes()).await?;
    drop(stdin);
    let done = child.wait_with_output().await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?)
}
