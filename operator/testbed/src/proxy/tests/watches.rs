//! Faults of watches, those that are open and those that are opened.

use anyhow::Result;
use http::Method;
use serde_json::{Value, json};

use super::super::{Elsewhere, Fault, Pattern, Rule};
use super::stage::{PODS, SOON, Stage, WATCH, Watched};
use crate::certificates;
use crate::wait::eventually;

/// A stage with a watch that has said something, then the fault, and a second watch opened under it.
async fn with(fault: Fault) -> Result<(Stage, Watched, Watched)> {
    let stage = Stage::set().await?;
    let mut open = stage.watch().await?;
    stage.server.say("one");
    assert_eq!(open.next().await?.as_deref(), Some("one"));
    stage.proxy.script([Rule::new(Pattern::resource("pods"), fault)]);
    let new = stage.watch().await?;
    Ok((stage, open, new))
}

#[tokio::test]
async fn events_arrive_line_by_line() -> Result<()> {
    let stage = Stage::set().await?;
    let (mut first, mut second) = (stage.watch().await?, stage.watch().await?);
    stage.server.say("one");
    assert_eq!(first.next().await?.as_deref(), Some("one"));
    stage.server.say("two\nthree");
    for event in ["two", "three"] {
        assert_eq!(first.next().await?.as_deref(), Some(event));
    }
    first.is_silent().await?;
    assert_eq!(stage.proxy.open_watches(), 2);
    stage.server.say("");
    assert_eq!(first.next().await?, None);
    for event in ["one", "two", "three"] {
        assert_eq!(second.next().await?.as_deref(), Some(event));
    }
    assert_eq!(second.next().await?, None);
    eventually("no watches", SOON, async || {
        anyhow::ensure!(stage.proxy.open_watches() == 0, "some");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_frozen_watch_is_silent_and_breaks_when_lifted() -> Result<()> {
    let (stage, mut open, mut new) = with(Fault::FreezeWatch).await?;
    stage.server.say("two");
    // Not even its end arrives.
    stage.server.say("");
    for watch in [&mut open, &mut new] {
        watch.is_silent().await?;
    }
    assert_eq!(stage.proxy.injected().len(), 2);
    stage.proxy.lift();
    for watch in [&mut open, &mut new] {
        watch.next().await.expect_err("broken");
    }
    let mut later = stage.watch().await?;
    stage.server.say("three");
    assert_eq!(later.next().await?.as_deref(), Some("three"));
    Ok(())
}

#[tokio::test]
async fn a_held_watch_delivers_when_lifted() -> Result<()> {
    let (stage, mut open, mut new) = with(Fault::HoldWatch).await?;
    stage.server.say("two");
    for watch in [&mut open, &mut new] {
        watch.is_silent().await?;
    }
    // Held again: nothing is lost in between.
    let hold = Rule::new(Pattern::resource("pods"), Fault::HoldWatch);
    stage.proxy.script([hold.clone()]);
    stage.server.say("three");
    stage.server.say("");
    stage.proxy.lift();
    for watch in [&mut open, &mut new] {
        for event in ["two", "three"] {
            assert_eq!(watch.next().await?.as_deref(), Some(event));
        }
        assert_eq!(watch.next().await?, None);
    }
    stage.proxy.check()
}

#[tokio::test]
async fn too_much_is_not_held() -> Result<()> {
    let stage = Stage::set().await?;
    let mut watch = stage.watch().await?;
    let hold = Rule::new(Pattern::resource("pods"), Fault::HoldWatch);
    stage.proxy.script([hold]);
    let event = "x".repeat(1024 * 1024);
    for _ in 0..65 {
        stage.server.say(&event);
    }
    watch.next().await.expect_err("broken");
    let error = format!("{:#}", stage.proxy.check().expect_err("told"));
    let wanted = "watch pods events/: 64 events are held, more than 67108864 bytes";
    assert!(error.contains(wanted), "{error}");
    Ok(())
}

#[tokio::test]
async fn too_long_an_event_is_no_event() -> Result<()> {
    let stage = Stage::set().await?;
    let mut watch = stage.watch().await?;
    for _ in 0..2 {
        stage.server.say_unfinished(&"x".repeat(9 * 1024 * 1024));
    }
    watch.next().await.expect_err("broken");
    let error = format!("{:#}", stage.proxy.check().expect_err("told"));
    let wanted = "watch pods events/: an event of more than 16777216 bytes";
    assert!(error.contains(wanted), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_watch_is_closed_in_order() -> Result<()> {
    let (stage, mut open, mut new) = with(Fault::CloseWatch).await?;
    for watch in [&mut open, &mut new] {
        assert_eq!(watch.next().await?, None);
    }
    assert_eq!(stage.proxy.injected().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_resource_version_is_too_old() -> Result<()> {
    let (stage, mut open, mut new) = with(Fault::Gone).await?;
    for watch in [&mut open, &mut new] {
        let event: Value = serde_json::from_str(&watch.next().await?.unwrap_or_default())?;
        assert_eq!(
            (
                &event["type"],
                &event["object"]["code"],
                &event["object"]["reason"]
            ),
            (&json!("ERROR"), &json!(410), &json!("Expired"))
        );
        assert_eq!(watch.next().await?, None);
    }
    let listed = stage.call(Method::GET, PODS, "").await?;
    assert_eq!((listed.status.as_u16(), &listed.body["code"]), (410, &json!(410)));
    // Neither an object nor a write has one.
    assert_eq!(stage.create("a").await?.status, 201);
    let read = stage.call(Method::GET, &format!("{PODS}/a"), "").await?;
    assert_eq!(read.status, 200);
    Ok(())
}

#[tokio::test]
async fn only_the_watches_meant_are_touched() -> Result<()> {
    let stage = Stage::set().await?;
    let (mut first, mut second) = (stage.watch().await?, stage.watch().await?);
    let freeze = Rule::new(Pattern::resource("pods"), Fault::FreezeWatch);
    stage.proxy.script([
        Rule::new(Pattern::resource("services"), Fault::CloseWatch),
        freeze.nth(2),
    ]);
    let mut third = stage.watch().await?;
    stage.server.say("one");
    assert_eq!(first.next().await?.as_deref(), Some("one"));
    assert_eq!(third.next().await?.as_deref(), Some("one"));
    second.is_silent().await
}

#[tokio::test]
async fn what_was_read_elsewhere_is_forgotten_when_lifted() -> Result<()> {
    let (stage, other) = (Stage::set().await?, Stage::set().await?);
    let ca = other.dir.path().join(certificates::CA_CERT);
    let reads = Fault::ReadFrom(Elsewhere::at(&other.address, &ca)?);
    let mut open = stage.watch().await?;
    // Over one connection all the time, whoever answers.
    let mut link = Some(stage.connect().await?);

    stage.proxy.script([Rule::new(Pattern::any(), reads)]);
    stage.call_over(&mut link, Method::GET, PODS, "").await?;
    stage.call_over(&mut link, Method::POST, PODS, "a").await?;
    let mut new = stage.watch().await?;
    other.server.say("old");
    assert_eq!(new.next().await?.as_deref(), Some("old"));

    stage.proxy.lift();
    let last: Value = serde_json::from_str(&new.next().await?.unwrap_or_default())?;
    assert_eq!(
        (&last["type"], &last["object"]["code"]),
        (&json!("ERROR"), &json!(410))
    );
    assert_eq!(new.next().await?, None);
    stage.call_over(&mut link, Method::GET, PODS, "").await?;
    stage.server.say("new");
    assert_eq!(open.next().await?.as_deref(), Some("new"));

    let (get, post, watch) = (
        format!("GET {PODS}"),
        format!("POST {PODS} a"),
        format!("GET {WATCH}"),
    );
    stage.seen(&[watch.clone(), post, get.clone()]).await?;
    other.seen(&[get, watch]).await
}
