//! What presenters send: ffmpeg with H.264 and Opus over RTSP, as encoders send it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;
use tokio_util::task::AbortOnDropHandle;
use webinar_testbed::process::{Process, Program};
use webinar_testbed::wait::within;

const ENCODING: Duration = Duration::from_secs(120);
/// From the end of a connection to the next try, as encoders have it.
const AGAIN: Duration = Duration::from_secs(1);
/// Seconds of a clip.
const LENGTH: usize = 20;
/// Clips of a slide in a row: longer than any story.
const STILL: usize = 60;

/// Encoded once, so that sending costs next to nothing.
#[derive(Debug)]
pub(super) struct Clips {
    directory: PathBuf,
    /// A moving picture and a tone, about 0.7 Mbit/s.
    pub(super) moving: PathBuf,
    /// What a webinar in full sends, about 1.5 Mbit/s.
    pub(super) full: PathBuf,
    /// For [`Clips::MOVING`] the same as `moving`, then a slide that stands still and a microphone that is muted: a list of clips.
    pub(super) then_muted: PathBuf,
}

impl Clips {
    /// How long the picture moves before it stands still.
    pub(super) const MOVING: Duration = Duration::from_secs(80);

    /// Encodes them.
    ///
    /// # Errors
    /// When ffmpeg fails, with what it said.
    pub(super) async fn make(directory: &Path) -> Result<Self> {
        let clips = Self {
            directory: directory.to_owned(),
            moving: directory.join("moving.mkv"),
            full: directory.join("full.mkv"),
            then_muted: directory.join("then-muted.txt"),
        };
        let full = "testsrc2=size=1280x720:rate=30";
        encode(full, "sine=frequency=440", "1400k", &clips.full).await?;
        let still = directory.join("still.mkv");
        // What browsers show: no B-frames; a key frame every two seconds.
        encode(
            "testsrc2=size=640x360:rate=30",
            "sine=frequency=440",
            "600k",
            &clips.moving,
        )
        .await?;
        encode("smptebars=size=640x360:rate=30", "anullsrc", "600k", &still).await?;
        let (moving, still) = (clips.moving.display(), still.display());
        let mut list = format!("file '{moving}'\n").repeat(Self::MOVING.as_secs() as usize / LENGTH);
        list += &format!("file '{still}'\n").repeat(STILL);
        std::fs::write(&clips.then_muted, list).context("writing a list of clips")?;
        Ok(clips)
    }
}

async fn encode(picture: &str, sound: &str, rate: &str, file: &Path) -> Result<()> {
    let mut command = Command::new("ffmpeg");
    command
        .args([
            "-nostdin", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound,
        ])
        .args([
            "-t",
            &LENGTH.to_string(),
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-tune",
            "zerolatency",
        ])
        .args([
            "-profile:v",
            "baseline",
            "-bf",
            "0",
            "-g",
            "60",
            "-b:v",
            rate,
            "-maxrate",
            rate,
        ])
        .args([
            "-bufsize", rate, "-pix_fmt", "yuv420p", "-c:a", "libopus", "-b:a", "64k", "-vbr", "on",
        ])
        .arg(file)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = within("ffmpeg", ENCODING, async { Ok(command.output().await?) }).await?;
    ensure!(
        output.status.success(),
        "ffmpeg ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// An encoder that connects again when its connection ends. It stops when dropped.
#[derive(Debug)]
pub(super) struct Encoder {
    process: Arc<Mutex<Process>>,
    _again: AbortOnDropHandle<()>,
}

impl Encoder {
    /// Sends a clip to an address of an SFU.
    ///
    /// # Errors
    /// When ffmpeg can't be started.
    pub(super) fn start(clips: &Clips, clip: &Path, address: &str) -> Result<Self> {
        let mut args: Vec<OsString> = vec![
            "-nostdin".into(),
            "-v".into(),
            "warning".into(),
            "-re".into(),
            "-stream_loop".into(),
            "-1".into(),
        ];
        if clip.extension().is_some_and(|extension| extension == "txt") {
            args.extend(["-f", "concat", "-safe", "0"].map(OsString::from));
        }
        args.extend([
            "-i".into(),
            clip.into(),
            "-c".into(),
            "copy".into(),
            "-f".into(),
            "rtsp".into(),
            "-rtsp_transport".into(),
            "tcp".into(),
            format!("rtsp://{address}:8554/stage").into(),
        ]);
        let program = Program::new("ffmpeg", "ffmpeg", clips.directory.join("encoder.log")).args(args);
        let process = Arc::new(Mutex::new(Process::spawn(&program)?));
        let running = Arc::clone(&process);
        let again = tokio::spawn(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                let mut process = running.lock().unwrap_or_else(PoisonError::into_inner);
                if matches!(process.exited(), Ok(Some(_)))
                    && let Ok(next) = Process::spawn(&program)
                {
                    *process = next;
                }
            }
        });
        Ok(Self {
            process,
            _again: AbortOnDropHandle::new(again),
        })
    }

    /// Freezes it: the connection stays, and nothing comes.
    pub(super) fn freeze(&self) -> Result<()> {
        self.with(Process::pause)
    }

    /// Lets it go on.
    pub(super) fn go_on(&self) -> Result<()> {
        self.with(Process::resume)
    }

    /// Bytes that its TCP connections have carried, as the kernel counts them.
    pub(super) async fn sent(&self) -> Result<u64> {
        let pid = self.with(|process| Ok(process.pid()))?;
        let output = Command::new("ss")
            .args([
                "--tcp",
                "--info",
                "--numeric",
                "--processes",
                "--no-header",
                "--oneline",
            ])
            .kill_on_drop(true)
            .output();
        let output = within("ss", Duration::from_secs(10), async { Ok(output.await?) }).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        acknowledged(&text, pid).with_context(|| format!("no connection of process {pid}"))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Process) -> Result<T>) -> Result<T> {
        work(&mut self.process.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a media server takes a stream on a path: a second of it, as ffmpeg makes it.
///
/// # Errors
/// When ffmpeg can't be started or hangs.
pub(super) async fn publishes(address: &str, path: &str) -> Result<bool> {
    let mut command = Command::new("ffmpeg");
    command
        .args([
            "-nostdin", "-v", "error", "-f", "lavfi", "-i", "anullsrc", "-t", "1", "-c:a", "libopus",
        ])
        .args([
            "-f",
            "rtsp",
            "-rtsp_transport",
            "tcp",
            &format!("rtsp://{address}:8554/{path}"),
        ])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = within("ffmpeg", Duration::from_secs(30), async {
        Ok(command.output().await?)
    })
    .await?;
    Ok(output.status.success())
}

/// The sum over the connections of a process.
fn acknowledged(text: &str, pid: u32) -> Option<u64> {
    let owner = format!("pid={pid},");
    let of = text.lines().filter(|line| line.contains(&owner));
    of.filter_map(|line| {
        let value = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("bytes_acked:"))?;
        value.parse::<u64>().ok()
    })
    .reduce(|sum, next| sum + next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_one_process_are_summed() {
        let text = "ESTAB 0 0 172.30.0.1:41 10.96.0.7:8554 users:((\"ffmpeg\",pid=41,fd=4)) cubic bytes_sent:9 bytes_acked:70 x\n\
                    ESTAB 0 0 172.30.0.1:42 10.96.0.7:8554 users:((\"ffmpeg\",pid=411,fd=4)) cubic bytes_acked:900 x\n\
                    ESTAB 0 0 172.30.0.1:43 10.96.0.7:8554 users:((\"ffmpeg\",pid=41,fd=5)) cubic bytes_acked:7 x\n";
        assert_eq!(acknowledged(text, 41), Some(77));
        assert_eq!(acknowledged(text, 4), None);
    }
}
