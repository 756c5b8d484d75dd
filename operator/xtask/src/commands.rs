//! Programs that tasks run.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::repository::root;

/// The cargo that runs this task, at the top of the repository.
///
/// Without what cargo tells this program of its package: build scripts would read it as told to them, and ring with all
/// that is built on it would be compiled anew whenever a person's own cargo and ours take turns.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_package) {
            command.env_remove(name);
        }
    }
    command
}

/// Whether the variable describes the package that cargo runs.
fn of_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// Runs a command to its end. What it prints goes through.
///
/// # Errors
/// When it cannot be started or fails, naming it.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let shown = shown(&command);
    let status = command.status().with_context(|| format!("starting `{shown}`"))?;
    ensure!(status.success(), "`{shown}` ended with {status}");
    Ok(())
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default();
    let args = command.get_args().map(|arg| arg.to_string_lossy());
    std::iter::once(program.into())
        .chain(args)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_set_for_cargo_stays() {
        assert!(
            ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"]
                .into_iter()
                .all(of_package)
        );
        assert!(
            !["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_PROFILE_DEV_DEBUG"]
                .into_iter()
                .any(of_package)
        );
    }
}
