//! Real viewers, as a process of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use webinar_testbed::process::{Process, Program};
use webinar_testbed::wait::eventually;
use webinar_viewers::{Report, Viewer};

use crate::clock::now;

/// Where a media server of the preset answers WHEP, and what it shows.
const PORT: u16 = 8889;
const PATH: &str = "stage";
/// They report each second; a machine under load makes them late.
const OLD_MS: i64 = 5_000;
const ENOUGH_TO_LEAVE: Duration = Duration::from_secs(15);
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A crowd. Dropping it kills it; nobody says goodbye then.
#[derive(Debug)]
pub(crate) struct Viewers {
    process: Process,
    report: PathBuf,
    count: usize,
}

impl Viewers {
    /// Lets `count` viewers come, `rate` each second, to media servers such as `10.96.3.4` in turn. Their files go to
    /// `directory`.
    ///
    /// # Errors
    /// When the program can't be started.
    pub(crate) fn come(
        program: &Path,
        directory: &Path,
        addresses: &[String],
        count: usize,
        rate: u32,
    ) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let report = directory.join(format!("viewers-{number}.json"));
        let mut args = vec![
            "--viewers".to_owned(),
            count.to_string(),
            "--rate".to_owned(),
            rate.to_string(),
            "--report".to_owned(),
            report.display().to_string(),
        ];
        for address in addresses {
            args.push("--whep".to_owned());
            args.push(format!("http://{address}:{PORT}/{PATH}/whep"));
        }
        // What an earlier run wrote is not these viewers'.
        if report.exists() {
            std::fs::remove_file(&report).with_context(|| format!("removing {}", report.display()))?;
        }
        let log = directory.join(format!("viewers-{number}.log"));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        args.extend(["--threads".to_owned(), threads.to_string()]);
        let program = Program::new("webinar-viewers", program, log).args(args);
        Ok(Self {
            process: Process::spawn(&program)?,
            report,
            count,
        })
    }

    /// What they have seen until a second ago.
    ///
    /// # Errors
    /// When they have told nothing yet, or have ended.
    pub(crate) fn report(&mut self) -> Result<Report> {
        self.process.check_running()?;
        let report = Report::read(&self.report).context("they have not reported yet")?;
        let age = now().as_millisecond() - report.time_ms;
        ensure!(age < OLD_MS, "their last report is {age} ms old");
        Ok(report)
    }

    /// Waits until all see the picture: connected, with a packet in the last two seconds.
    ///
    /// # Errors
    /// When they don't in time, with how many do.
    pub(crate) async fn all_see(&mut self, deadline: Duration) -> Result<Report> {
        let count = self.count;
        eventually("all viewers to see the picture", deadline, async || {
            let report = self.report()?;
            let seeing = report.viewers.iter().filter(|viewer| sees(viewer)).count();
            ensure!(
                seeing == count,
                "{seeing} of {count}; the others: {:?}",
                report.viewers.iter().find(|viewer| !sees(viewer))
            );
            Ok(report)
        })
        .await
    }

    /// Lets them leave as people do, and returns what they have seen.
    ///
    /// # Errors
    /// When they don't within a quarter of a minute.
    pub(crate) async fn leave(mut self) -> Result<Report> {
        let exit = self.process.terminate(ENOUGH_TO_LEAVE).await?;
        ensure!(
            exit.success(),
            "the viewers ended with {exit}: {}",
            self.process.log_tail(5)
        );
        Report::read(&self.report)
    }
}

fn sees(viewer: &Viewer) -> bool {
    viewer.connected && viewer.packets_video > 0 && viewer.silent_ms < 2_000
}

/// How many are at each media server, by its address.
pub(crate) fn placed(report: &Report) -> BTreeMap<String, usize> {
    let mut places = BTreeMap::new();
    for viewer in report.viewers.iter().filter(|viewer| viewer.connected) {
        if let Some(remote) = viewer.remote {
            *places.entry(remote.ip().to_string()).or_default() += 1;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(remote: &str, connected: bool, packets_video: u64, silent_ms: u64) -> Viewer {
        Viewer {
            remote: remote.parse().ok(),
            connected,
            packets_video,
            silent_ms,
            ..Viewer::default()
        }
    }

    #[test]
    fn who_sees_is_connected_and_gets_pictures_now() {
        assert!(sees(&viewer("", true, 5, 100)));
        for blind in [
            viewer("", false, 5, 100),
            viewer("", true, 0, 0),
            viewer("", true, 5, 2_500),
        ] {
            assert!(!sees(&blind), "{blind:?}");
        }
    }

    #[test]
    fn viewers_are_where_their_media_comes_from() {
        let viewers = vec![
            viewer("10.0.0.1:8189", true, 1, 0),
            viewer("10.0.0.1:8189", true, 1, 0),
            viewer("10.0.0.2:8189", true, 1, 0),
            viewer("10.0.0.2:8189", false, 1, 0),
            viewer("", true, 0, 0),
        ];
        let report = Report {
            time_ms: 0,
            total: webinar_viewers::Total::of(&viewers),
            viewers,
            process: webinar_viewers::Process {
                cpu_seconds: None,
                late_ms: 0,
                threads: 1,
            },
        };
        let expected = [("10.0.0.1".to_owned(), 2), ("10.0.0.2".to_owned(), 1)];
        assert_eq!(placed(&report), BTreeMap::from(expected));
    }
}
