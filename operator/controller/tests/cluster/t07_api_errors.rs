//! 07 api-errors: answers that get lost, refusals that are meant for later, and calls that hang.

use std::time::Duration;

use anyhow::{Result, ensure};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use webinar_testbed::audit::Offset;
use webinar_testbed::proxy::{Answer, Fault, Injected, Pattern, Rule, Verb, Write};
use webinar_testbed::wait::Stopwatch;

use crate::support::assertions::{first_names, nothing_was_replaced};
use crate::support::manifests::webinar;
use crate::support::scene::{Scene, Setting, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];

/// After failures the operator waits up to a minute; the rest is for a busy machine.
const RECOVERY: Duration = Duration::from_secs(120);

/// What the API server asks for in the story.
const RETRY_AFTER: u32 = 12;

fn creates(resource: &str, namespace: &str) -> Pattern {
    Pattern::resource(resource)
        .verbs([Verb::Create])
        .namespace(namespace)
}

fn lost_answer() -> Fault {
    Fault::ApplyThenAnswer(Answer::new(StatusCode::GATEWAY_TIMEOUT))
}

#[test]
fn t07_what_was_done_without_an_answer_is_not_done_twice() {
    story(Setting::proxied(6), async |scene| {
        scene.start_operator().await?;
        scene.proxy()?.script([
            Rule::new(creates("pods", "pods"), lost_answer())
                .every(4)
                .times(4),
            Rule::new(creates("services", "services"), lost_answer())
                .every(2)
                .times(3),
            Rule::new(creates("controllerrevisions", "revisions"), lost_answer()).times(2),
        ]);
        recover(scene, &["pods", "services", "revisions"]).await?;
        for (rule, least) in [(0, 2), (1, 1), (2, 1)] {
            let lost = of_rule(scene, rule)?;
            let done = lost.iter().filter(|(_, w)| w.status == Some(201)).count();
            println!("rule {rule}: {} answers lost, {done} of objects made", lost.len());
            ensure!(done >= least, "{lost:?}");
        }
        // As many Services and revisions as were made without an answer and with one.
        for resource in ["services", "controllerrevisions"] {
            let made = made_once(scene, resource)?;
            println!("{made} {resource} were made, each once");
        }
        Ok(())
    });
}

#[test]
fn t07_refusals_for_now_and_calls_that_hang_hold_up_nothing_for_long() {
    story(Setting::proxied(6), async |scene| {
        scene.start_operator().await?;
        let answer = |status| Fault::Answer(Answer::new(status));
        let later = Answer::new(StatusCode::TOO_MANY_REQUESTS).retry_after(RETRY_AFTER);
        scene.proxy()?.script([
            Rule::new(creates("pods", "later"), Fault::Answer(later)).nth(6),
            Rule::new(
                creates("pods", "broken"),
                answer(StatusCode::INTERNAL_SERVER_ERROR),
            )
            .nth(3),
            Rule::new(
                creates("services", "broken"),
                answer(StatusCode::SERVICE_UNAVAILABLE),
            )
            .nth(2),
            Rule::new(creates("pods", "hung"), Fault::Hang).nth(5),
            Rule::new(creates("services", "hung"), Fault::ApplyThenHang).nth(1),
        ]);
        recover(scene, &["later", "broken", "hung"]).await?;
        for rule in 0..5 {
            for (fault, write) in of_rule(scene, rule)? {
                let what = format!("{} at {}", fault.fault, write.request);
                let waited = next_try(scene, &write)?.map(|next| next.duration_since(write.time));
                println!("{what}: asked again after {waited:?}");
                if rule == 0 {
                    // The two clocks may differ a bit.
                    let wanted = SignedDuration::from_secs(i64::from(RETRY_AFTER) - 1);
                    ensure!(waited >= Some(wanted), "{what}: asked again after {waited:?}");
                }
            }
        }
        Ok(())
    });
}

/// One Webinar in each namespace, all at once, gets the fleet of an undisturbed run, with each pod made once.
async fn recover(scene: &mut Scene, namespaces: &[&str]) -> Result<()> {
    for namespace in namespaces {
        scene.namespace(namespace).await?;
    }
    let moment = scene.mark().await?;
    let stopwatch = Stopwatch::start();
    for namespace in namespaces {
        scene
            .apply(&webinar(namespace, "event", "tier: 10k, className: tiny"))
            .await?;
    }
    for namespace in namespaces {
        settled(scene, namespace, moment).await?;
        println!(
            "{namespace} is complete after {:.1} s",
            stopwatch.elapsed().as_secs_f32()
        );
    }
    scene.operator()?.process().check_running()
}

async fn settled(scene: &mut Scene, namespace: &str, moment: Offset) -> Result<()> {
    let fleet = Fleet::complete(scene, namespace, "event", FLEET, RECOVERY).await?;
    scene
        .until(namespace, "event", "ready", RECOVERY, |s| {
            s.conditions
                .iter()
                .any(|c| c.type_ == "CapacityReady" && c.status == "True")
        })
        .await?;
    let records = scene.since(moment).await?;
    nothing_was_replaced(&records, &fleet, namespace, "event")?;
    first_names(scene, &fleet, namespace, "event").await
}

/// The faults of a rule, each with the write it happened to. There is at least one.
fn of_rule(scene: &Scene, rule: usize) -> Result<Vec<(Injected, Write)>> {
    let writes = scene.proxy()?.writes();
    let faults = scene.proxy()?.injected().into_iter().filter(|f| f.rule == rule);
    let found: Vec<_> = faults
        .filter_map(|fault| {
            let write = writes.iter().find(|w| Some(w.position) == fault.position)?;
            Some((fault, write.clone()))
        })
        .collect();
    ensure!(!found.is_empty(), "rule {rule} was never followed");
    Ok(found)
}

/// When the same was asked for next, if it was.
fn next_try(scene: &Scene, write: &Write) -> Result<Option<Timestamp>> {
    let writes = scene.proxy()?.writes();
    let next = writes
        .iter()
        .find(|w| w.position > write.position && w.request == write.request);
    Ok(next.map(|w| w.time))
}

/// How many objects of a kind were made; none of them twice.
fn made_once(scene: &Scene, resource: &str) -> Result<usize> {
    let writes = scene.proxy()?.writes();
    let mut made: Vec<String> = writes
        .iter()
        .filter(|w| w.status == Some(201) && w.request.resource == resource)
        .map(|w| w.request.to_string())
        .collect();
    let all = made.len();
    made.sort_unstable();
    made.dedup();
    ensure!(made.len() == all, "{} of {all} were made again", all - made.len());
    Ok(all)
}
