//! Child processes that cannot outlive this process, however it ends.
//!
//! Each program runs under a small shell in a process group of its own. The shell holds a pipe from this process and
//! stops the program when the pipe closes, which the kernel does even after `kill -9`.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal};

use crate::wait::{eventually, give_up};

const GUARD: &str = include_str!("guard.sh");
const TAIL_BYTES: u64 = 64 * 1024;

/// What to run, and where its output goes.
#[derive(Debug, Clone)]
pub struct Program {
    /// Short name for messages, such as `etcd`.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Environment variables on top of the inherited ones.
    pub env: Vec<(OsString, OsString)>,
    /// File that receives stdout and stderr, appended to.
    pub log: PathBuf,
}

impl Program {
    /// A program without arguments or environment of its own.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            args: Vec::new(),
            env: Vec::new(),
            log: log.into(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }
}

/// A running [`Program`] that dies with this process, and is killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    pid: Pid,
    guard: Child,
    exit: Option<ExitStatus>,
}

impl Process {
    /// Starts the program.
    ///
    /// # Errors
    /// When the log cannot be opened or the guard cannot be started. A program that cannot be executed shows as an
    /// exit with status 126 or 127.
    pub fn spawn(program: &Program) -> Result<Self> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&program.log)
            .with_context(|| format!("opening the log {}", program.log.display()))?;
        let mut guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(&program.path)
            .args(&program.args)
            .envs(program.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", program.name))?;
        let pid = read_pid(&mut guard).with_context(|| format!("starting {}", program.name))?;
        Ok(Self {
            name: program.name.clone(),
            log: program.log.clone(),
            pid,
            guard,
            exit: None,
        })
    }

    /// The name given by [`Program::name`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Process id of the program itself, not of its guard.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The file that stdout and stderr go to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last `lines` lines of the log, for error messages; empty when it cannot be read.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log, lines).unwrap_or_default()
    }

    /// How the program ended, or `None` while it runs (a stopped one runs).
    ///
    /// # Errors
    /// When the operating system refuses to tell.
    pub fn exited(&mut self) -> Result<Option<Exit>> {
        if self.exit.is_none() {
            self.exit = self
                .guard
                .try_wait()
                .with_context(|| format!("looking at {}", self.name))?;
        }
        Ok(self.exit.map(Exit::from_guard))
    }

    /// Fails when the program has ended, telling how, with the end of its log; the error ends an
    /// [`eventually`].
    ///
    /// # Errors
    /// When the program no longer runs.
    pub fn check_running(&mut self) -> Result<()> {
        match self.exited()? {
            None => Ok(()),
            Some(exit) => Err(give_up(format_args!(
                "{} ended with {exit}; its log ends:\n{}",
                self.name,
                self.log_tail(20)
            ))),
        }
    }

    /// Waits until the program has ended by itself.
    ///
    /// # Errors
    /// When it still runs at the deadline, with the end of its log.
    pub async fn wait(&mut self, deadline: Duration) -> Result<Exit> {
        let what = format!("{} to end", self.name);
        eventually(&what, deadline, async || match self.exited()? {
            Some(exit) => Ok(exit),
            None => bail!("it runs; its log ends:\n{}", self.log_tail(20)),
        })
        .await
    }

    /// Sends SIGTERM and waits for the end. Does nothing to a program that has already ended.
    ///
    /// # Errors
    /// When it still runs at the deadline, with the end of its log; it is left running then.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<Exit> {
        self.signal(Signal::TERM)?;
        self.wait(deadline).await
    }

    /// Kills the program with SIGKILL and returns when it is gone.
    ///
    /// # Errors
    /// When the signal cannot be sent or the end not be waited for.
    pub fn kill(&mut self) -> Result<Exit> {
        self.signal(Signal::KILL)?;
        let status = self
            .guard
            .wait()
            .with_context(|| format!("waiting for the end of {}", self.name))?;
        self.exit = Some(status);
        Ok(Exit::from_guard(status))
    }

    /// Freezes the program with SIGSTOP.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn pause(&mut self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen program go on, with SIGCONT.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn resume(&mut self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        // A pid that the guard has reaped may belong to somebody else by now.
        if self.exited()?.is_some() {
            return Ok(());
        }
        match rustix::process::kill_process(self.pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("sending {signal:?} to {}", self.name)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            tracing::warn!(process = self.name, "not stopped: {error:#}");
        }
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It returned this status.
    Status(i32),
    /// A signal with this number ended it.
    Signal(i32),
}

impl Exit {
    /// Whether it returned 0.
    pub fn success(self) -> bool {
        self == Self::Status(0)
    }

    fn from_guard(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            // A shell reports a program ended by signal n as status 128 + n.
            (Some(code), _) if code > 128 => Self::Signal(code - 128),
            (Some(code), _) => Self::Status(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(code) => write!(f, "status {code}"),
            Self::Signal(number) => write!(f, "signal {number}"),
        }
    }
}

/// Whether a process with this id exists.
pub fn is_alive(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| {
            !matches!(
                rustix::process::test_kill_process(pid),
                Err(rustix::io::Errno::SRCH)
            )
        })
}

fn read_pid(guard: &mut Child) -> Result<Pid> {
    let stdout = guard.stdout.take().context("the guard has no stdout")?;
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .context("reading the pid from the guard")?;
    line.trim()
        .parse()
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| anyhow!("the guard told no pid but {line:?}"))
}

/// The last `lines` lines of a text file, looking at no more than its last 64 KiB.
///
/// # Errors
/// When the file cannot be read.
pub fn tail(file: &Path, lines: usize) -> Result<String> {
    let length = fs::metadata(file)?.len();
    let mut file = File::open(file)?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}
