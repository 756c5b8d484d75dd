//! Runs tests on the control plane, and those that failed once more.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::commands::{cargo, shown};

/// So many failures may be the machine's doing: four programs in Go, the operator and a thousand simulated machines share
/// its cores, and each has deadlines of its own. More are ours.
const MACHINE: usize = 2;

/// Tells stories to be told in full.
const NIGHTLY: &str = "WEBINAR_TEST_NIGHTLY";

/// Runs the tests of a target. No more than two that fail are run again, alone; the names of those that then pass
/// are returned, to be told of at the end.
///
/// # Errors
/// When cargo can't be started, more than two fail or one fails twice.
pub(super) fn run(target: &str, args: &[&str], nightly: bool) -> Result<Vec<String>> {
    let Err(failed) = once(target, args, nightly)? else {
        return Ok(Vec::new());
    };
    ensure!(failed.len() <= MACHINE, "{} tests failed", failed.len());
    eprintln!("\nonce more, alone: {}", failed.join(", "));
    let mut alone = vec!["--test-threads=1", "--nocapture", "--exact"];
    alone.extend(failed.iter().map(String::as_str));
    match once(target, &alone, nightly)? {
        Ok(()) => Ok(failed),
        Err(again) => bail!("failed twice: {}", again.join(", ")),
    }
}

/// What cargo prints goes through.
fn once(target: &str, args: &[&str], nightly: bool) -> Result<Result<(), Vec<String>>> {
    let mut all = vec!["test", "--workspace", "--test", target, "--"];
    all.extend(args);
    let mut command = cargo(all);
    // What a test saw when it failed is the last thing it prints.
    command.env("RUST_BACKTRACE", "0").stdout(Stdio::piped());
    if nightly {
        command.env(NIGHTLY, "1");
    }
    let shown = shown(&command);
    let mut child = command.spawn().with_context(|| format!("starting `{shown}`"))?;
    let said = child.stdout.take().context("no output")?;
    let failed = pass_on(said, std::io::stdout());
    let status = child.wait().with_context(|| format!("waiting for `{shown}`"))?;
    let failed = failed.with_context(|| format!("reading what `{shown}` says"))?;
    if status.success() {
        return Ok(Ok(()));
    }
    ensure!(!failed.is_empty(), "`{shown}` ended with {status}");
    Ok(Err(failed))
}

/// Prints what comes, and returns the names in the last list of failures.
fn pass_on(said: impl Read, mut to: impl Write) -> std::io::Result<Vec<String>> {
    let mut failed = Vec::new();
    let mut listing = false;
    let mut reader = BufReader::new(said);
    let mut line = Vec::new();
    // What tests print need not be UTF-8.
    while reader.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        let text = String::from_utf8_lossy(&line);
        match text.strip_prefix("    ").map(str::trim_end) {
            _ if text.trim_end() == "failures:" => {
                listing = true;
                failed.clear();
            }
            Some(name) if listing && !name.contains(' ') => failed.push(name.to_owned()),
            _ => listing &= text.trim_end().is_empty(),
        }
        line.clear();
    }
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(said: &str) -> Vec<String> {
        pass_on(said.as_bytes(), std::io::sink()).expect("readable")
    }

    #[test]
    fn the_last_list_names_what_failed() {
        let said = "running 3 tests\ntest a::b ... FAILED\n\nfailures:\n\n---- a::b stdout ----\nfailures:\n    not this one\n\
            thread 'a::b' panicked\n\nfailures:\n    a::b\n    c::d\n\ntest result: FAILED. 1 passed; 2 failed\n";
        assert_eq!(failed(said), ["a::b", "c::d"]);
    }

    #[test]
    fn nothing_failed_where_nothing_is_listed() {
        assert!(
            failed("running 1 test\n    indented\ntest a ... ok\n\ntest result: ok. 1 passed\n").is_empty()
        );
        assert!(
            pass_on(&b"failures:\n\xff\n    a\n"[..], std::io::sink())
                .expect("readable")
                .is_empty()
        );
    }
}
