//! What the API server says now of the Webinar that is written for. A cache may show another time, and each cache another
//! one.

use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use webinar_api::Webinar;

use crate::build::Owner;
use crate::client::call;
use crate::error::Error;

/// It is there: the very one that was judged, and nobody has deleted it. For one that is gone its children would be made
/// anew as fast as the garbage collector takes them.
///
/// # Errors
///
/// It is gone or another one, or the API server can't be asked.
pub(super) async fn still_there(client: &Client, owner: &Owner) -> Result<(), Error> {
    found(client, owner).await.map(|_| ())
}

/// It is there, and is asked for what was judged.
///
/// # Errors
///
/// As of [`still_there`], or its spec has changed.
pub(super) async fn still_so(client: &Client, owner: &Owner) -> Result<(), Error> {
    let found = found(client, owner).await?;
    let same = found.metadata.generation == owner.generation;
    same.then_some(()).ok_or_else(|| outdated(owner))
}

async fn found(client: &Client, owner: &Owner) -> Result<PartialObjectMeta<Webinar>, Error> {
    let what = || format!("look at Webinar {}/{}", owner.namespace, owner.name);
    let webinars: Api<Webinar> = Api::namespaced(client.clone(), &owner.namespace);
    let found = call(what, webinars.get_metadata_opt(&owner.name)).await?;
    let same = found
        .filter(|f| f.metadata.uid.as_ref() == Some(&owner.uid) && f.metadata.deletion_timestamp.is_none());
    same.ok_or_else(|| outdated(owner))
}

fn outdated(owner: &Owner) -> Error {
    Error::Outdated {
        what: format!("Webinar {}/{}", owner.namespace, owner.name),
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;

    fn owner() -> Owner {
        let webinar = json!({
            "apiVersion": "webinar-operator.io/v1alpha1",
            "kind": "Webinar",
            "metadata": {"name": "event", "namespace": "events", "uid": "first", "generation": 2},
            "spec": {"tier": "10k"},
        });
        let webinar: Webinar = serde_json::from_value(webinar).unwrap();
        Owner::of(&webinar).unwrap()
    }

    /// A client of an API server that has one Webinar, with this metadata, or none.
    fn client(metadata: Option<&Value>) -> Client {
        let (code, answer) = match metadata {
            Some(metadata) => (
                200,
                json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata}),
            ),
            None => (
                404,
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}),
            ),
        };
        let answer = move |_: Request<Body>| {
            let answer = Response::builder()
                .status(code)
                .body(Body::from(answer.to_string().into_bytes()));
            std::future::ready(answer)
        };
        Client::new(tower::service_fn(answer), "events")
    }

    #[tokio::test]
    async fn only_the_very_webinar_that_was_judged_is_written_for() {
        let same = json!({"name": "event", "namespace": "events", "uid": "first", "generation": 2});
        let with = |field: &str, value: Value| {
            let mut other = same.clone();
            other[field] = value;
            Some(other)
        };
        for (what, found, there, so) in [
            ("as judged", Some(same.clone()), true, true),
            ("edited", with("generation", json!(3)), true, false),
            ("made anew", with("uid", json!("second")), false, false),
            (
                "going",
                with("deletionTimestamp", json!("2026-01-01T00:00:00Z")),
                false,
                false,
            ),
            ("gone", None, false, false),
        ] {
            let client = client(found.as_ref());
            assert_eq!(still_there(&client, &owner()).await.is_ok(), there, "{what}");
            assert_eq!(still_so(&client, &owner()).await.is_ok(), so, "{what}");
        }
    }
}
