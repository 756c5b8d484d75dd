//! The API server's answers get lost, or the operator is killed at a write of one's choice; the fleet becomes the same.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use webinar_testbed::audit::Offset;
use webinar_testbed::proxy::{Fault, Hook, Pattern, Rule, Verb};
use webinar_testbed::wait::eventually;

use crate::support::assertions::{first_names, nothing_was_replaced, same};
use crate::support::manifests::webinar;
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, story};
use crate::support::world::Fleet;

const FLEET: [usize; 3] = [2, 3, 15];

#[test]
fn pods_whose_creation_is_never_confirmed_are_not_created_twice() {
    story(Setting::proxied(6), async |scene| {
        scene.start_operator().await?;
        let moment = begin(scene, "undisturbed").await?;
        let undisturbed = settled(scene, "undisturbed", moment).await?;
        ensure!(scene.proxy()?.injected().is_empty(), "a fault without a script");
        everything_passed(scene).await?;

        let creates = Pattern::resource("pods")
            .verbs([Verb::Create])
            .namespace("disturbed");
        let every_fifth = Rule::new(creates, Fault::ApplyThenReset).every(5);
        scene.proxy()?.script([every_fifth]);
        let moment = begin(scene, "disturbed").await?;
        let disturbed = settled(scene, "disturbed", moment).await?;
        let injected = scene.proxy()?.injected();
        let names: BTreeSet<&str> = injected.iter().map(|fault| fault.request.name.as_str()).collect();
        println!("{} faults: {names:?}", injected.len());
        // 20 pods are asked for at least once.
        ensure!(injected.len() >= 4, "{injected:?}");
        let writes = scene.proxy()?.writes();
        let applied = |position| {
            writes
                .iter()
                .any(|w| Some(w.position) == position && w.status == Some(201))
        };
        ensure!(
            injected.iter().any(|fault| applied(fault.position)),
            "nothing was applied: {injected:?}"
        );
        same("the fleet", &disturbed.portraits(), &undisturbed.portraits())
    });
}

#[test]
fn a_kill_at_a_write_of_ones_choice_changes_nothing() {
    story(Setting::proxied(6), async |scene| {
        for (namespace, fault) in [
            ("before", Fault::KillBefore as fn(Hook) -> Fault),
            ("after", Fault::KillAfter),
        ] {
            scene.start_operator().await?;
            let (hook, mut holds) = Hook::hold();
            let writes = Pattern::writes().namespace(namespace);
            scene.proxy()?.script([Rule::new(writes, fault(hook)).nth(17)]);
            let moment = begin(scene, namespace).await?;
            let held = holds.next(SOON).await?;
            scene.kill_operator()?;
            let request = held.request.clone();
            println!("killed {namespace} {request}");
            drop(held);
            let there = Fleet::of(scene, namespace, "event").await?.names();
            let done = there.values().any(|name| *name == request.name);
            ensure!(
                request.resource == "pods" && done == (namespace == "after"),
                "{request}: {there:?}"
            );
            scene.start_operator().await?;
            settled(scene, namespace, moment).await?;
            scene.kill_operator()?;
        }
        Ok(())
    });
}

async fn begin(scene: &mut Scene, namespace: &str) -> Result<Offset> {
    scene.namespace(namespace).await?;
    let moment = scene.mark().await?;
    scene
        .apply(&webinar(namespace, "event", "tier: 10k, className: tiny"))
        .await?;
    Ok(moment)
}

/// The fleet once it is complete, in which no pod was ever replaced or created twice.
async fn settled(scene: &mut Scene, namespace: &str, moment: Offset) -> Result<Fleet> {
    let fleet = Fleet::complete(scene, namespace, "event", FLEET, SOON).await?;
    let records = scene.since(moment).await?;
    nothing_was_replaced(&records, &fleet, namespace, "event")?;
    first_names(scene, &fleet, namespace, "event").await?;
    Ok(fleet)
}

/// The proxy calls the operator's writes as the audit log does, and missed none. Leases are renewed all the time.
async fn everything_passed(scene: &Scene) -> Result<()> {
    eventually("the same writes in both logs", SOON, async || {
        let records = scene.control_plane.audit().records()?;
        let mut audited: Vec<String> = records
            .by(OPERATOR)
            .filter(|r| r.resource != "leases")
            .map(|r| {
                let target = [r.resource.as_str(), r.subresource.as_str()].join("/");
                format!("{} {target} {}/{} {}", r.verb, r.namespace, r.name, r.code)
            })
            .collect();
        let mut passed: Vec<String> = scene
            .proxy()?
            .writes()
            .iter()
            .map(|write| (&write.request, write.status.unwrap_or_default()))
            .filter(|(r, _)| r.resource != "leases")
            .map(|(r, code)| {
                let target = [r.resource.as_str(), r.subresource.as_str()].join("/");
                format!("{} {target} {}/{} {code}", r.verb, r.namespace, r.name)
            })
            .collect();
        audited.sort_unstable();
        passed.sort_unstable();
        ensure!(passed.len() > 30, "{passed:#?}");
        ensure!(audited == passed, "{audited:#?}\nand not\n{passed:#?}");
        Ok(())
    })
    .await
}
