//! What is written when the Webinar is no longer what it was.

use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::fake::{Fake, owner};
use super::*;

fn memory() -> Prepared {
    let patch = json!({"metadata": {"annotations": {}}});
    Prepared {
        revision: Some(RevisionWrite::Annotate {
            name: "event-1".to_owned(),
            patch,
        }),
        ..Prepared::default()
    }
}

fn pod() -> Prepared {
    let labels = [(labels::RUN, "1"), (labels::SLOT, "sfu-0")];
    let metadata = ObjectMeta {
        name: Some("event-sfu-0".to_owned()),
        labels: Some(
            labels
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        ),
        ..ObjectMeta::default()
    };
    Prepared {
        pods: vec![Pod {
            metadata,
            ..Pod::default()
        }],
        ..Prepared::default()
    }
}

fn removal() -> Prepared {
    Prepared {
        delete: vec![(
            Named {
                name: "event-sfu-0".to_owned(),
                uid: "pod".to_owned(),
                version: None,
                grace: None,
            },
            RemovalReason::Drained,
        )],
        ..Prepared::default()
    }
}

/// How many writes come of it.
async fn writes(webinar: Option<&Value>, prepared: Prepared) -> usize {
    let fake = Fake::new(webinar, &[]);
    let (client, limiter, owner) = (fake.client(), Limiter::new(100, 10), owner());
    let writer = Writer::new(
        &client,
        &limiter,
        &owner,
        Pace::default(),
        None,
        Timestamp::UNIX_EPOCH,
    );
    let (_, done) = writer.act(prepared).await;
    let writes = fake.writes();
    assert_eq!(done.is_ok(), !writes.is_empty(), "{done:?}: {writes:?}");
    writes.len()
}

#[tokio::test]
async fn an_edit_holds_up_what_is_remembered_and_removed_and_an_end_everything() {
    let now = json!({"name": "event", "namespace": "events", "uid": "first", "generation": 2});
    let mut edited = now.clone();
    edited["generation"] = json!(3);
    for (webinar, wanted) in [
        (Some(&now), [1, 1, 1]),
        (Some(&edited), [0, 1, 0]),
        (None, [0, 0, 0]),
    ] {
        let written = [
            writes(webinar, memory()).await,
            writes(webinar, pod()).await,
            writes(webinar, removal()).await,
        ];
        assert_eq!(written, wanted, "{webinar:?}");
    }
}
