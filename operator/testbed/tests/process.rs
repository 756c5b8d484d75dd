//! Children die with their parent, whatever happens to it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use webinar_testbed::process::{Exit, Process, Program, is_alive};
use webinar_testbed::wait::eventually;

const SOON: Duration = Duration::from_secs(10);

fn log(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("webinar-testbed-{}-{name}.log", std::process::id()))
}

fn sh(name: &str, script: &str) -> Program {
    Program::new(name, "/bin/sh", log(name)).args(["-c", script])
}

async fn gone(pid: u32) -> Result<()> {
    eventually("the end of the child", SOON, async || {
        ensure!(!is_alive(pid), "{pid} runs");
        Ok(())
    })
    .await
}

/// Set for the run of this program that plays the parent.
const PARENT: &str = "TESTBED_PARENT";

/// Runs itself again as the parent, and kills that.
#[tokio::test]
async fn a_child_dies_with_a_killed_parent() -> Result<()> {
    if std::env::var_os(PARENT).is_some() {
        let child = Process::spawn(&sh("orphan", "trap '' TERM; exec sleep 600"))?;
        println!("\nchild {}", child.pid());
        std::thread::park();
    }
    let mut parent = Command::new(std::env::current_exe()?)
        .args(["--exact", "a_child_dies_with_a_killed_parent", "--nocapture"])
        .env(PARENT, "1")
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(parent.stdout.take().context("stdout")?).lines();
    let child = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("child ")?.parse::<u32>().ok())
        .context("no child was told")?;
    ensure!(is_alive(child), "the child runs");
    parent.kill()?;
    parent.wait()?;
    gone(child).await
}

#[tokio::test]
async fn a_child_dies_when_dropped_even_if_it_is_frozen() -> Result<()> {
    let mut child = Process::spawn(&sh("frozen", "exec sleep 600"))?;
    let pid = child.pid();
    child.pause()?;
    child.check_running()?;
    drop(child);
    ensure!(!is_alive(pid), "{pid} runs");
    Ok(fs::remove_file(log("frozen"))?)
}

#[tokio::test]
async fn the_end_of_a_child_is_noticed_and_told() -> Result<()> {
    let mut child = Process::spawn(&sh("failing", "echo out; echo no port >&2; exit 3"))?;
    ensure!(child.wait(SOON).await? == Exit::Status(3), "status 3");
    let error = child.check_running().expect_err("it ended");
    ensure!(
        error
            .to_string()
            .contains("status 3; its log ends:\nout\nno port"),
        "{error}"
    );
    ensure!(child.log_tail(1) == "no port", "{}", child.log_tail(1));
    Ok(fs::remove_file(log("failing"))?)
}

#[tokio::test]
async fn terminate_is_polite() -> Result<()> {
    let mut child = Process::spawn(&sh(
        "polite",
        "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done",
    ))?;
    eventually("the trap", SOON, async || {
        ensure!(child.log_tail(1) == "up", "{}", child.log_tail(1));
        Ok(())
    })
    .await?;
    ensure!(child.terminate(SOON).await? == Exit::Status(7), "status 7");

    let mut deaf = Process::spawn(&sh("deaf", "trap '' TERM; echo up; while :; do sleep 0.05; done"))?;
    eventually("the trap", SOON, async || {
        ensure!(deaf.log_tail(1) == "up", "{}", deaf.log_tail(1));
        Ok(())
    })
    .await?;
    let error = deaf
        .terminate(Duration::from_millis(200))
        .await
        .expect_err("it is deaf");
    ensure!(format!("{error:#}").contains("it runs"), "{error:#}");
    ensure!(deaf.kill()? == Exit::Signal(9), "signal 9");
    fs::remove_file(log("deaf"))?;
    Ok(fs::remove_file(log("polite"))?)
}

#[tokio::test]
async fn a_missing_program_is_told() -> Result<()> {
    let mut child = Process::spawn(&Program::new("missing", "/nowhere/missing", log("missing")))?;
    ensure!(child.wait(SOON).await? == Exit::Status(127), "status 127");
    ensure!(
        child.log_tail(1).contains("/nowhere/missing"),
        "{}",
        child.log_tail(1)
    );
    Ok(fs::remove_file(log("missing"))?)
}
