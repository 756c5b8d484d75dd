//! 09 leader-failover: two replicas, of which one writes.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use tokio::time::MissedTickBehavior;
use webinar_testbed::audit::{Offset, Record};
use webinar_testbed::proxy::FaultProxy;
use webinar_testbed::wait::{Stopwatch, eventually};

use crate::support::assertions::first_names;
use crate::support::manifests::{OPERATOR_NAMESPACE, webinar};
use crate::support::replica::{LONG, Replica, SHORT};
use crate::support::scene::{SOON, Scene, Setting, in_seconds, story};
use crate::support::world::{Counts, Fleet};

/// What [`SHORT`] says.
const LEASE: SignedDuration = SignedDuration::from_secs(3);

/// Slow enough to be interrupted.
const SLOW: &[&str] = &["--max-creates-per-second=3"];

const FLEET: Counts = [2, 3, 15];

#[test]
fn t09_a_frozen_leader_writes_nothing_when_it_comes_to() {
    story(Setting::default(), async |scene| {
        let mut first = Replica::start(scene, "first", SHORT, SLOW).await?;
        leads(scene, "first").await?;
        let second = Replica::start(scene, "second", SHORT, &[]).await?;
        second.answers().await?;

        begin(scene, "frozen", 8).await?;
        first.process.process().pause()?;
        let frozen = in_seconds(0);
        leads(scene, "second").await?;
        complete(scene, "frozen").await?;

        first.process.process().resume()?;
        // It finds out by itself, and competes again.
        tokio::time::sleep(Duration::from_secs(5)).await;
        first.answers().await?;
        let late = writes_after(scene, &first.user(), frozen + LEASE).await?;
        ensure!(late.is_empty(), "the former leader wrote {late:?}");
        let all = scene.since(Offset::default()).await?;
        let refused = all.by(&second.user()).filter(|r| r.code == 403).count();
        ensure!(refused == 0, "{refused} writes of the new leader were forbidden");
        complete(scene, "frozen").await
    });
}

#[test]
fn t09_a_killed_leader_is_followed_within_its_lease() {
    story(Setting::default(), async |scene| {
        let mut first = Replica::start(scene, "first", SHORT, SLOW).await?;
        leads(scene, "first").await?;
        let second = Replica::start(scene, "second", SHORT, &[]).await?;
        begin(scene, "killed", 8).await?;
        first.process.kill9()?;
        let killed = in_seconds(0);
        complete(scene, "killed").await?;
        let next = creates(scene, &second.user()).await?;
        let next = next.first().context("no pod of the second replica")?.time;
        // A whole second, because `killed` is one.
        let took = next.duration_since(killed);
        println!("next pod {} ms after the kill", took.as_millis());
        // Far more than it takes, for slow machines; never is what this is about.
        ensure!(
            took <= LEASE * 4,
            "the next pod came {} ms after the kill",
            took.as_millis()
        );
        Ok(())
    });
}

#[test]
fn t09_a_leader_that_is_told_to_stop_hands_over_at_once() {
    story(Setting::default(), async |scene| {
        let mut first = Replica::start(scene, "first", LONG, SLOW).await?;
        leads(scene, "first").await?;
        let second = Replica::start(scene, "second", LONG, &[]).await?;
        begin(scene, "stopped", 8).await?;
        let told = in_seconds(0);
        let exit = first.process.process().terminate(SOON).await?;
        ensure!(exit.success(), "it did not end well");
        complete(scene, "stopped").await?;
        let next = creates(scene, &second.user()).await?;
        let took = next
            .first()
            .context("no pod of the second replica")?
            .time
            .duration_since(told);
        println!("next pod {} ms after the hand-over began", took.as_millis());
        // Expiry alone would take the whole lease of a minute.
        ensure!(took < LEASE * 10, "{} ms", took.as_millis());
        Ok(())
    });
}

#[test]
fn t09_a_leader_that_is_cut_off_stops_by_itself() {
    story(Setting::default(), async |scene| {
        let proxy = FaultProxy::start(&scene.control_plane).await?;
        let first = Replica::start_behind(&proxy, scene, "first", SHORT, SLOW).await?;
        leads(scene, "first").await?;
        let mut second = Replica::start(scene, "second", SHORT, &[]).await?;
        begin(scene, "cut", 8).await?;
        let watches = proxy.open_watches();

        proxy.cut();
        let cut = in_seconds(0);
        let stopwatch = Stopwatch::start();
        first.says_it_leads(false).await?;
        println!(
            "it stopped {:.1} s after it was cut off",
            stopwatch.elapsed().as_secs_f32()
        );
        leads(scene, "second").await?;
        second.says_it_leads(true).await?;
        complete(scene, "cut").await?;

        proxy.heal();
        eventually("the former leader to watch again", SOON, async || {
            let open = proxy.open_watches();
            ensure!(open >= watches, "{open} of {watches} watches");
            Ok(())
        })
        .await?;
        // Something to do, if it thought that it leads.
        scene.edit("cut", "event", json!({"duration": "2h"})).await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        first.says_it_leads(false).await?;
        let late = writes_after(scene, &first.user(), cut + LEASE).await?;
        ensure!(late.is_empty(), "the former leader wrote {late:?}");
        complete(scene, "cut").await?;
        proxy.check()?;

        second.process.kill9()?;
        leads(scene, "first").await?;
        first.says_it_leads(true).await
    });
}

#[test]
fn t09_a_standby_whose_clock_is_ahead_takes_nothing() {
    story(Setting::default(), async |scene| {
        let mut leader = Slow::take(scene).await?;
        let standby = tokio::select! {
            ended = leader.renews() => return ended,
            standby = waits(scene) => standby?,
        };
        let records = scene.since(Offset::default()).await?;
        let written: Vec<&Record> = records.by(&standby.user()).collect();
        ensure!(written.is_empty(), "the standby wrote {written:?}");

        let stopwatch = Stopwatch::start();
        leads(scene, "standby").await?;
        println!(
            "taken {:.1} s after the last of {} renewals",
            stopwatch.elapsed().as_secs_f32(),
            leader.renewals
        );
        complete(scene, "ahead").await
    });
}

/// How far the leader's clock is behind.
const BEHIND: i64 = 600;

/// How long the standby is looked at: several leases.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a standby with something to do, and waits.
async fn waits(scene: &Scene) -> Result<Replica> {
    let standby = Replica::start(scene, "standby", SHORT, &[]).await?;
    scene.namespace("ahead").await?;
    scene
        .apply(&webinar("ahead", "event", "tier: 10k, className: tiny"))
        .await?;
    tokio::time::sleep(PATIENCE).await;
    standby.says_it_leads(false).await?;
    Ok(standby)
}

/// A leader that renews its lease in time, and whose clock is so far behind that everyone else's is ahead.
struct Slow {
    leases: Api<Lease>,
    lease: Lease,
    renewals: usize,
}

impl Slow {
    /// Takes the lease, for twice as long as [`SHORT`] says: a busy machine may delay a renewal.
    async fn take(scene: &Scene) -> Result<Self> {
        let leases: Api<Lease> = Api::namespaced(scene.control_plane.client(), OPERATOR_NAMESPACE);
        let now = MicroTime(in_seconds(-BEHIND));
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some("webinar-operator".to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some("slow".to_owned()),
                lease_duration_seconds: Some(6),
                acquire_time: Some(now.clone()),
                renew_time: Some(now),
                ..LeaseSpec::default()
            }),
        };
        let lease = leases.create(&PostParams::default(), &lease).await?;
        Ok(Self {
            leases,
            lease,
            renewals: 0,
        })
    }

    /// Renews every second until it is dropped, or the lease is somebody else's.
    async fn renews(&mut self) -> Result<()> {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            seconds.tick().await;
            let spec = self.lease.spec.as_mut().context("an empty lease")?;
            spec.renew_time = Some(MicroTime(in_seconds(-BEHIND)));
            let params = PostParams::default();
            let renewed = self.leases.replace("webinar-operator", &params, &self.lease);
            self.lease = renewed.await.context("the lease was taken")?;
            self.renewals += 1;
        }
    }
}

/// Applies an event and waits until some of its pods, but not all, exist.
async fn begin(scene: &mut Scene, namespace: &str, pods: usize) -> Result<()> {
    scene.namespace(namespace).await?;
    scene
        .apply(&webinar(namespace, "event", "tier: 10k, className: tiny"))
        .await?;
    eventually("the ramp to be under way", SOON, async || {
        let there = Fleet::of(scene, namespace, "event").await?.0.len();
        ensure!(there >= pods, "{there} pods");
        ensure!(there < 20, "the ramp is over already");
        Ok(())
    })
    .await
}

/// The fleet is what one undisturbed operator makes.
async fn complete(scene: &Scene, namespace: &str) -> Result<()> {
    let fleet = Fleet::complete(scene, namespace, "event", FLEET, SOON).await?;
    first_names(scene, &fleet, namespace, "event").await
}

async fn leads(scene: &Scene, name: &str) -> Result<()> {
    let leases: Api<Lease> = Api::namespaced(scene.control_plane.client(), OPERATOR_NAMESPACE);
    eventually(&format!("{name} to lead"), SOON, async || {
        let lease = leases.get("webinar-operator").await?;
        let holder = lease.spec.and_then(|s| s.holder_identity);
        ensure!(holder.as_deref() == Some(name), "{holder:?} leads");
        Ok(())
    })
    .await
}

async fn writes_after(scene: &mut Scene, user: &str, moment: Timestamp) -> Result<Vec<Record>> {
    let records = scene.since(Offset::default()).await?;
    Ok(records.by(user).filter(|r| r.time > moment).cloned().collect())
}

async fn creates(scene: &mut Scene, user: &str) -> Result<Vec<Record>> {
    let records = scene.since(Offset::default()).await?;
    let pods = records
        .by(user)
        .filter(|r| r.done() && r.verb == "create" && r.resource == "pods");
    let mut pods: Vec<Record> = pods.cloned().collect();
    pods.sort_by_key(|r| r.time);
    Ok(pods)
}
