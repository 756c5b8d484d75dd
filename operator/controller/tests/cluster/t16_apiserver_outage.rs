//! 16 apiserver-outage: the API server is down from ten minutes before a start until ten minutes after it. The operator stays,
//! holds no more files than before, says little, and within two minutes of the return everything is as it should be.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use webinar_testbed::dataplane::Publishing;
use webinar_testbed::tools::Tool;
use webinar_testbed::wait::Stopwatch;

use crate::support::assertions::{nothing_was_replaced, verdict};
use crate::support::audience::{Booking, Show};
use crate::support::length::length;
use crate::support::scene::{OPERATOR, Scene, Setting, now, story};
use crate::support::world::Fleet;

const AUDIENCE: u64 = 9_000;

/// Within so long after its return everything is settled.
const SETTLED: Duration = Duration::from_secs(120);

/// Connections that are tried anew while the old ones are not closed yet.
const IN_PASSING: usize = 4;

/// What the operator may say about it a minute.
const LINES_A_MINUTE: usize = 120;

#[test]
fn t16_an_api_server_that_is_down_around_the_start_costs_nobody_anything() {
    story(Setting::watched(3), async |scene| {
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        let around = length(30, 600);
        let booking = Booking {
            // The fleet is there when the API server goes.
            spec: length("tier: 10k", "tier: 10k, readyBefore: 15m"),
            starts_in: around + length(35, 90),
            ..Booking::default()
        };
        let show = Show::booked(scene, &booking).await?;
        let before = Fleet::of(scene, &show.namespace, "event").await?;
        show.opens(Publishing::Single, AUDIENCE);
        let usual = watched_until(scene, show.start - seconds(around), true).await?;
        println!("before: {usual}");

        let said = scene.log()?.lines().count();
        scene.control_plane.kill(Tool::ApiServer)?;
        ensure!(now() < show.start, "the start came first");
        let away = watched_until(scene, show.start + seconds(around), false).await?;
        let lines = scene.log()?.lines().count() - said;
        println!("while the API server was down: {away}; {lines} lines");
        away.no_more_than(&usual)?;
        let minutes = usize::try_from(2 * around)?.div_ceil(60);
        ensure!(lines > 0, "nothing is said about it");
        ensure!(
            lines <= LINES_A_MINUTE * minutes,
            "{lines} lines in {minutes} minutes"
        );

        scene.restart_api_server().await?;
        let back = Stopwatch::start();
        settled(scene, &show, &before).await?;
        let took = back.elapsed();
        println!("settled {:.1} s after the return", took.as_secs_f32());
        ensure!(took <= SETTLED, "settled after {took:?}");

        // What was opened anew for a moment is closed again.
        let after = watched_until(scene, now() + seconds(10), true).await?;
        println!("afterwards: {after}");
        after.no_more_than(&usual)?;
        let results = show.stage.results();
        ensure!(results.dropped.total == 0 && results.refused == 0, "{results:?}");
        let records = scene.since(moment).await?;
        nothing_was_replaced(&records, &before, &show.namespace, "event")?;
        let again = records
            .by(OPERATOR)
            .filter(|r| r.verb == "create" && r.code == 409)
            .count();
        ensure!(again == 0, "{again} objects were created that were there");
        Ok(())
    });
}

fn seconds(seconds: i64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_secs(seconds)
}

/// Everybody is in, on the pods that were there before, and the status says so.
async fn settled(scene: &mut Scene, show: &Show, before: &Fleet) -> Result<()> {
    scene.operator_ready(SETTLED).await?;
    show.on_air(scene).await?;
    let results = show.watched_by(AUDIENCE, SETTLED).await?;
    println!("{}", results.summary());
    ensure!(
        results.joined == AUDIENCE && results.dropped.total == 0,
        "{results:?}"
    );
    let after = show.whole(scene, [2, 3, 15], SETTLED).await?;
    ensure!(after.uids() == before.uids(), "another fleet");
    let status = show.counted(scene, AUDIENCE, SETTLED).await?;
    show.says(scene, "AttendanceKnown", "Fresh", SETTLED).await?;
    show.says(scene, "MediaFlowing", "Flowing", SETTLED).await?;
    let schedule = status.schedule.context("no schedule")?;
    let start: Timestamp = schedule.start_time.context("no start")?.0;
    ensure!(
        start == show.start && status.run == Some(1),
        "started at {start}, run {:?}",
        status.run
    );
    for pool in &status.pools {
        ensure!(pool.ready == pool.desired && pool.draining == 0, "{pool:?}");
    }
    let now = scene.status(&show.namespace, "event").await?;
    for (kind, reason) in [
        ("Ready", "Live"),
        ("CapacityReady", "AllReady"),
        ("CapacityAtRisk", "OnPlan"),
    ] {
        let (_, is, message) = verdict(&now, kind);
        ensure!(is == reason, "{kind} is {is}, not {reason}: {message}");
    }
    Ok(())
}

/// Files and connections that the operator had open, second by second.
#[derive(Debug)]
struct Open(Vec<usize>);

impl Open {
    /// Not more at any moment than at the busiest one `before`, nor more and more.
    fn no_more_than(&self, before: &Self) -> Result<()> {
        let most = before.most() + IN_PASSING;
        ensure!(self.most() <= most, "{self}, and before {before}: {:?}", self.0);
        Ok(())
    }

    fn most(&self) -> usize {
        self.0.iter().copied().max().unwrap_or_default()
    }
}

impl std::fmt::Display for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let least = self.0.iter().copied().min().unwrap_or_default();
        write!(
            f,
            "{} to {} open files in {} looks",
            least,
            self.most(),
            self.0.len()
        )
    }
}

/// Looks every second until then. The operator runs all the while, and `/healthz` is good; `/readyz` is when there is an API
/// server.
async fn watched_until(scene: &mut Scene, until: Timestamp, served: bool) -> Result<Open> {
    let mut open = Vec::new();
    while now() < until || open.len() < 3 {
        scene.operator()?.process().check_running()?;
        scene.operator_answers("/healthz").await?;
        if served {
            scene.operator_answers("/readyz").await?;
        }
        let pid = scene.operator()?.pid();
        open.push(fs::read_dir(format!("/proc/{pid}/fd"))?.count());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(Open(open))
}
