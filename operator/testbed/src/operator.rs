//! The operator under test, as a process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::process::{Exit, Process, Program};

/// A running operator, or any other program that a test starts and measures. It dies with this process and is killed
/// when dropped.
#[derive(Debug)]
pub struct OperatorProcess {
    process: Process,
    peak_sampled: u64,
}

/// What a process has used since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Most resident memory, in bytes: as the kernel recorded it on Linux, elsewhere the most that any call of
    /// [`OperatorProcess::usage`] saw.
    pub peak_rss: u64,
    /// Resident memory now, in bytes.
    pub rss: u64,
    /// CPU time in user and kernel mode, in seconds.
    pub cpu_seconds: f64,
}

impl OperatorProcess {
    /// Starts a binary; stdout and stderr are appended to the log file.
    ///
    /// # Errors
    /// When the log cannot be opened or the process not be started.
    pub fn spawn<A, N, V>(
        binary: &Path,
        args: impl IntoIterator<Item = A>,
        env: impl IntoIterator<Item = (N, V)>,
        log: impl Into<PathBuf>,
    ) -> Result<Self>
    where
        A: Into<OsString>,
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let name = binary.file_name().unwrap_or(binary.as_os_str()).to_string_lossy();
        let mut program = Program::new(name, binary, log).args(args);
        program.env = env
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Ok(Self {
            process: Process::spawn(&program)?,
            peak_sampled: 0,
        })
    }

    /// Its process, to freeze it, or to see whether it runs and what it logged.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The process id of the binary.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The last lines of the log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.process.log_tail(lines)
    }

    /// Memory and CPU time used so far.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn usage(&mut self) -> Result<Usage> {
        self.process.check_running()?;
        let pid = Pid::from_u32(self.pid());
        let mut system = System::new();
        let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, wanted);
        let process = system
            .process(pid)
            .with_context(|| format!("{} has just ended", self.process.name()))?;
        self.peak_sampled = self.peak_sampled.max(process.memory());
        Ok(Usage {
            peak_rss: recorded_peak(self.pid()).unwrap_or(self.peak_sampled),
            rss: process.memory(),
            cpu_seconds: Duration::from_millis(process.accumulated_cpu_time()).as_secs_f64(),
        })
    }

    /// Ends it the hard way, with SIGKILL, and returns when it is gone.
    ///
    /// # Errors
    /// When that fails.
    pub fn kill9(&mut self) -> Result<()> {
        self.process.kill()?;
        Ok(())
    }

    /// Ends it the polite way, with SIGTERM.
    ///
    /// # Errors
    /// When it still runs at the deadline, with the end of its log.
    pub async fn stop(&mut self, deadline: Duration) -> Result<Exit> {
        self.process.terminate(deadline).await
    }
}

/// Most resident memory that a running process has had, in bytes: `VmHWM` of `/proc/<pid>/status`. There is no such file
/// but on Linux.
pub fn recorded_peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
