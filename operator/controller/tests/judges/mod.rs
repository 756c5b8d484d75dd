//! What GitOps tools make of an object: Argo CD with the Lua in `examples/argocd/`, Flux with its own libraries. And what
//! they should make of each moment of an event, which is the table in the examples' README files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use mlua::{Lua, LuaOptions, StdLib, Value as LuaValue};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use webinar_testbed::tools::{Tool, Tools};

/// A moment in an object's life. `tests/recorded/<name>.json` is the object at that moment.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) name: &'static str,
    /// For Flux and for everything else that uses kstatus.
    #[allow(dead_code, reason = "asked for where Flux's libraries are")]
    pub(crate) kstatus: &'static str,
    /// For Flux with the expressions in `examples/flux/`.
    #[allow(dead_code, reason = "asked for where Flux's libraries are")]
    pub(crate) expressions: &'static str,
    /// For Argo CD.
    pub(crate) health: &'static str,
}

const fn moment(
    name: &'static str,
    kstatus: &'static str,
    expressions: &'static str,
    health: &'static str,
) -> Moment {
    Moment {
        name,
        kstatus,
        expressions,
        health,
    }
}

/// What is expected of each moment.
pub(crate) const MOMENTS: &[Moment] = &[
    moment("just-applied", "InProgress", "InProgress", "Progressing"),
    moment("edited", "InProgress", "InProgress", "Progressing"),
    moment("scheduled", "Current", "Current", "Healthy"),
    moment("ramping", "Current", "Current", "Healthy"),
    moment("armed", "Current", "Current", "Healthy"),
    moment("live", "Current", "Current", "Healthy"),
    moment("overrun", "Current", "Current", "Healthy"),
    moment("draining", "Current", "Current", "Healthy"),
    moment("seats-missing", "InProgress", "Failed", "Degraded"),
    moment("refused", "InProgress", "InProgress", "Degraded"),
    moment("needs-a-person", "Failed", "Failed", "Degraded"),
    moment("name-conflict", "Failed", "Failed", "Degraded"),
    moment("suspended", "Current", "Current", "Suspended"),
    moment("finished", "Current", "Current", "Healthy"),
    moment("expired", "Current", "Current", "Healthy"),
    // Deletion raises the generation, and the operator says nothing more of what goes.
    moment("being-deleted", "Terminating", "InProgress", "Progressing"),
    moment("class-just-applied", "InProgress", "InProgress", "Progressing"),
    moment("class-accepted", "Current", "Current", "Healthy"),
    // kstatus knows the condition `Ready`, and a class has none.
    moment("class-not-accepted", "Current", "Failed", "Degraded"),
];

/// The directory of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recorded")
        .join(format!("{name}.json"))
}

/// The object as it was recorded.
pub(crate) fn recorded(name: &str) -> Result<Value> {
    let path = file(name);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// Records an object.
#[allow(dead_code, reason = "only the story that sees the objects records them")]
pub(crate) fn record(name: &str, object: &Value) -> Result<()> {
    let path = file(name);
    fs::write(&path, format!("{object:#}\n")).with_context(|| format!("writing {}", path.display()))
}

/// A script below `examples/argocd/`.
pub(crate) fn script(name: &str) -> Result<String> {
    let path = repository().join("examples/argocd").join(name);
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// The health that `examples/argocd/<kind>/health.lua` gives an object: its status and its message.
pub(crate) fn health(object: &Value) -> Result<(String, String)> {
    let kind = object["kind"].as_str().context("no kind")?;
    let answer = run_lua(&script(&format!("{kind}/health.lua"))?, object)?;
    let said = |field: &str| answer[field].as_str().map(str::to_owned);
    Ok((
        said("status").context("no status")?,
        said("message").context("no message")?,
    ))
}

/// Runs a script as Argo CD does: with `obj`, without the string, math, io and debug libraries, in Lua 5.1. What `os` still
/// has there is left out too.
pub(crate) fn run_lua(script: &str, object: &Value) -> Result<Value> {
    let lua = Lua::new_with(StdLib::PACKAGE | StdLib::TABLE, LuaOptions::default())?;
    lua.globals().set("obj", to_lua(&lua, object)?)?;
    let answer: LuaValue = lua.load(script).eval()?;
    from_lua(&answer)
}

/// `null` is nil, as with Argo CD.
fn to_lua(lua: &Lua, value: &Value) -> Result<LuaValue> {
    Ok(match value {
        Value::Null => LuaValue::Nil,
        Value::Bool(it) => LuaValue::Boolean(*it),
        Value::Number(it) => LuaValue::Number(it.as_f64().context("no float")?),
        Value::String(it) => LuaValue::String(lua.create_string(it)?),
        Value::Array(items) => {
            let table = lua.create_table()?;
            for (index, item) in items.iter().enumerate() {
                table.raw_set(index + 1, to_lua(lua, item)?)?;
            }
            LuaValue::Table(table)
        }
        Value::Object(fields) => {
            let table = lua.create_table()?;
            for (name, field) in fields {
                table.raw_set(name.as_str(), to_lua(lua, field)?)?;
            }
            LuaValue::Table(table)
        }
    })
}

/// Lua numbers are floats; those of manifests are whole.
fn from_lua(value: &LuaValue) -> Result<Value> {
    Ok(match value {
        LuaValue::Nil => Value::Null,
        LuaValue::Boolean(it) => Value::Bool(*it),
        LuaValue::Integer(it) => Value::from(*it),
        #[allow(clippy::cast_possible_truncation, reason = "whole and small")]
        LuaValue::Number(it) if it.fract() == 0.0 => Value::from(*it as i64),
        LuaValue::Number(it) => Value::from(*it),
        LuaValue::String(it) => Value::from(it.to_str()?.to_owned()),
        LuaValue::Table(table) if table.raw_len() > 0 => table
            .sequence_values::<LuaValue>()
            .map(|item| from_lua(&item?))
            .collect::<Result<Vec<Value>>>()?
            .into(),
        LuaValue::Table(table) => table
            .pairs::<String, LuaValue>()
            .map(|pair| {
                let (name, field) = pair?;
                Ok((name, from_lua(&field)?))
            })
            .collect::<Result<Map<String, Value>>>()?
            .into(),
        other => anyhow::bail!("a script answers with a {}", other.type_name()),
    })
}

/// What Flux makes of an object.
#[allow(
    dead_code,
    reason = "needs a program that only tests of the cluster part have"
)]
#[derive(Debug, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) status: String,
    pub(crate) message: String,
}

/// Asks Flux's libraries for each object. `args` of `flux-verdict`.
#[allow(
    dead_code,
    reason = "needs a program that only tests of the cluster part have"
)]
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
#[allow(
    dead_code,
    reason = "needs a program that only tests of the cluster part have"
)]
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
