//! Clients that pull the stage as a relay does, over RTSP, and throw it away.

use std::path::Path;

use anyhow::Result;
use webinar_testbed::process::{Process, Program};

/// Starts them. They end when dropped.
///
/// # Errors
/// When ffmpeg can't be started.
pub(super) fn pull(directory: &Path, address: &str, count: usize) -> Result<Vec<Process>> {
    let program = Program::new("ffmpeg", "ffmpeg", directory.join("children.log")).args([
        "-nostdin",
        "-v",
        "warning",
        "-rtsp_transport",
        "tcp",
        "-i",
        &format!("rtsp://{address}:8554/stage"),
        "-c",
        "copy",
        "-f",
        "null",
        "-",
    ]);
    (0..count).map(|_| Process::spawn(&program)).collect()
}
