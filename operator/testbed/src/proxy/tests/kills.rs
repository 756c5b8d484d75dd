//! The process that asks is killed in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use http::Method;
use tokio::sync::Barrier;

use super::super::{Fault, Hook, Pattern, Rule};
use super::stage::{A_WHILE, PODS, SOON, Stage};

#[tokio::test]
async fn a_kill_before_a_write_is_the_last_thing_that_happens() -> Result<()> {
    kill(Fault::KillBefore, &["POST a", "POST b", "POST e"]).await
}

#[tokio::test]
async fn a_kill_after_a_write_is_the_last_thing_that_happens() -> Result<()> {
    kill(Fault::KillAfter, &["POST a", "POST b", "POST c", "POST e"]).await
}

async fn kill(fault: fn(Hook) -> Fault, seen: &[&str]) -> Result<()> {
    let stage = Stage::set().await?;
    let (hook, mut holds) = Hook::hold();
    stage
        .proxy
        .script([Rule::new(Pattern::writes(), fault(hook)).nth(3)]);
    let mut bystander = None;
    stage
        .call_over(&mut bystander, Method::GET, "/readyz", "")
        .await?;
    stage.create("a").await?;
    stage.create("b").await?;
    // Of the same process, and there when it ends.
    let (mut link, other) = (Some(stage.connect().await?), Some(stage.connect().await?));
    let held = Barrier::new(3);
    let (killed, late, watched, story) = futures::join!(
        stage.create("c"),
        async {
            held.wait().await;
            stage.call_over(&mut link, Method::POST, PODS, "d").await
        },
        async {
            held.wait().await;
            stage.watch_over(other).await
        },
        async {
            let request = holds.next(SOON).await?;
            held.wait().await;
            assert_eq!(request.request.to_string(), "create pods events/c");
            // Time for the others to pass, if they could.
            tokio::time::sleep(A_WHILE).await;
            let seen = stage.server.seen();
            drop(request);
            anyhow::Ok(seen)
        }
    );
    killed.expect_err("killed");
    late.expect_err("killed, too");
    assert!(watched.is_err(), "killed, too");
    let while_held = story?;
    // The next life.
    stage.create("e").await?;
    let wanted: Vec<String> = std::iter::once("GET /readyz".to_owned())
        .chain(
            seen.iter()
                .map(|said| said.replace("POST ", &format!("POST {PODS} "))),
        )
        .collect();
    assert_eq!(stage.server.seen(), wanted);
    assert_eq!(while_held, wanted[..wanted.len() - 1]);
    stage.connections(0).await?;
    assert_eq!(stage.proxy.injected().len(), 1);
    stage.proxy.check()
}

#[tokio::test]
async fn a_function_is_called_once() -> Result<()> {
    let stage = Stage::set().await?;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let hook = Hook::call(move |request| {
        assert_eq!(request.name, "b");
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let rule = Rule::new(Pattern::writes(), Fault::KillAfter(hook)).nth(2);
    stage.proxy.script([rule]);
    stage.create("a").await?;
    stage.create("b").await.expect_err("killed");
    stage.create("c").await?;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    Ok(())
}

#[tokio::test]
async fn nobody_waits_for_a_hold_that_cannot_come() -> Result<()> {
    let stage = Stage::set().await?;
    let (hook, mut holds) = Hook::hold();
    let rule = Rule::new(Pattern::writes(), Fault::KillBefore(hook));
    stage.proxy.script([rule]);
    stage.proxy.lift();
    let error = holds.next(SOON).await.expect_err("lifted");
    assert!(format!("{error:#}").contains("lifted"), "{error:#}");
    Ok(())
}
