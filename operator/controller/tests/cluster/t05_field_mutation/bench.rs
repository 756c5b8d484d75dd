//! Sends cases to the API server and waits for what the operator says about them.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, ValidationDirective};
use serde_json::{Value, json};
use webinar_testbed::wait::eventually;

use super::cases::Case;

/// So many requests at a time.
const AT_ONCE: usize = 12;

/// For one wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where objects of one kind are changed, and where others are made anew for comparison.
pub(super) struct Bench {
    pub(super) kind: &'static str,
    pub(super) edited: Api<DynamicObject>,
    pub(super) fresh: Api<DynamicObject>,
    /// What names begin with, there and there.
    pub(super) prefixes: [&'static str; 2],
    /// So many objects at a time.
    pub(super) at_once: usize,
    /// The status tells the truth about an object with this spec and this status in which this field was changed.
    pub(super) truth: fn(&str, &Value, &Value) -> Result<()>,
}

/// An object as it stands: what was stored, and what is said about it.
#[derive(Debug, Clone, PartialEq)]
struct Stand {
    spec: Value,
    status: Value,
}

impl Bench {
    /// Every case that is to be refused is, in words that help, and leaves the object as it was.
    pub(super) async fn refusals(&self, sample: &Value, cases: &[Case]) -> Result<usize> {
        let name = format!("{}-held", self.prefixes[0]);
        self.make(&self.edited, &name, sample).await?;
        let refused: Vec<&Case> = cases.iter().filter(|c| c.refused.is_some()).collect();
        let wrong: Vec<Option<String>> = futures::stream::iter(&refused)
            .map(async |case| match self.change(&name, &case.spec, false).await {
                Ok(_) => Some(format!("{}: accepted", case.name())),
                Err(kube::Error::Api(said)) => case.explains(&said.message).err().map(|e| format!("{e:#}")),
                Err(error) => Some(format!("{}: {error}", case.name())),
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let wrong: Vec<String> = wrong.into_iter().flatten().collect();
        none("refusals", &wrong, refused.len())?;
        let held = self.edited.get(&name).await?;
        ensure!(
            held.metadata.generation == Some(1),
            "a refused edit changed {name}: {:?}",
            held.data
        );
        Ok(refused.len())
    }

    /// A null is as good as nothing: what is stored is the same.
    pub(super) async fn nulls(&self, sample: &Value, cases: &[Case]) -> Result<usize> {
        let name = format!("{}-nulls", self.prefixes[0]);
        self.make(&self.edited, &name, sample).await?;
        let accepted: Vec<&Case> = cases.iter().filter(|c| c.refused.is_none()).collect();
        let pairs = accepted.windows(2).filter(|pair| pair[1].is_null);
        let pairs: Vec<(&Case, &Case)> = pairs.map(|pair| (pair[0], pair[1])).collect();
        let wrong: Vec<Option<String>> = futures::stream::iter(&pairs)
            .map(async |(gone, null)| {
                let stored = async |case: &Case| {
                    let stored = self.change(&name, &case.spec, true).await?;
                    anyhow::Ok(stored.data.get("spec").cloned())
                };
                match (stored(gone).await, stored(null).await) {
                    (Ok(is), Ok(should)) if is == should => None,
                    other => Some(format!("{}: {other:?}", null.name())),
                }
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let wrong: Vec<String> = wrong.into_iter().flatten().collect();
        none("nulls", &wrong, pairs.len())?;
        Ok(pairs.len())
    }

    /// Every case is accepted, and is then told of truly and as of an object that never was different; what was said before
    /// comes back with the spec that was there before.
    pub(super) async fn round_trips(&self, sample: &Value, cases: &[&Case]) -> Result<()> {
        let share = cases.len().div_ceil(self.at_once);
        let wrong: Vec<String> = futures::stream::iter(cases.chunks(share).enumerate())
            .map(async |(n, cases)| self.there_and_back(n, sample, cases).await)
            .buffer_unordered(self.at_once)
            .try_collect::<Vec<_>>()
            .await?
            .concat();
        none("round trips", &wrong, cases.len())
    }

    /// Takes one object through these cases, and back after each.
    async fn there_and_back(&self, n: usize, sample: &Value, cases: &[&Case]) -> Result<Vec<String>> {
        let [edited, fresh] = self.prefixes.map(|prefix| format!("{prefix}-{n}"));
        self.make(&self.edited, &edited, sample).await?;
        let before = eventually("what is said at first", PATIENCE, async || {
            let stand = self.stand(&self.edited, &edited).await?;
            (self.truth)("", &stand.spec, &stand.status)?;
            Ok(stand)
        })
        .await?;
        let mut wrong = Vec::new();
        for (m, case) in cases.iter().enumerate() {
            let fresh = format!("{fresh}-{m}");
            let went = self.round_trip(&edited, &fresh, sample, &before, case).await;
            wrong.extend(went.err().map(|e| format!("{}: {e:#}", case.name())));
            // Each of them may have waited for long.
            if wrong.len() == 2 {
                break;
            }
        }
        Ok(wrong)
    }

    async fn round_trip(
        &self,
        edited: &str,
        fresh: &str,
        sample: &Value,
        before: &Stand,
        case: &Case,
    ) -> Result<()> {
        self.change(edited, &case.spec, false).await?;
        self.make(&self.fresh, fresh, &case.spec).await?;
        let same = eventually(
            "the same of the edited and of a fresh one",
            PATIENCE,
            async || {
                let stand = self.stand(&self.edited, edited).await?;
                (self.truth)(&case.at, &stand.spec, &stand.status)?;
                alike(&stand, &self.stand(&self.fresh, fresh).await?)
            },
        )
        .await;
        self.change(edited, sample, false).await?;
        self.fresh.delete(fresh, &DeleteParams::default()).await?;
        same?;
        eventually("what was said before", PATIENCE, async || {
            alike(&self.stand(&self.edited, edited).await?, before)
        })
        .await
    }

    /// An object about whose present generation everything is said.
    async fn stand(&self, api: &Api<DynamicObject>, name: &str) -> Result<Stand> {
        let object = api.get(name).await?;
        let mut status = object.data.get("status").cloned().unwrap_or_default();
        let generation = json!(object.metadata.generation);
        let conditions = status["conditions"].as_array().into_iter().flatten();
        for said in conditions.chain([&status]) {
            let of = &said["observedGeneration"];
            ensure!(*of == generation, "{said} is said of {of}, not {generation}");
        }
        let spec = object.data.get("spec").cloned().unwrap_or_default();
        // Times of the judgement and what is left of a run are of each object alone.
        if let Some(status) = status.as_object_mut() {
            for field in ["observedGeneration", "run", "revision", "outcome"] {
                status.remove(field);
            }
        }
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            let condition = condition.as_object_mut().context("no condition")?;
            condition.remove("observedGeneration");
            condition.remove("lastTransitionTime");
        }
        let text = status.to_string().replace(name, "<name>");
        Ok(Stand {
            spec,
            status: serde_json::from_str(&text)?,
        })
    }

    async fn make(&self, api: &Api<DynamicObject>, name: &str, spec: &Value) -> Result<()> {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "webinar-operator.io/v1alpha1",
            "kind": self.kind,
            "metadata": {"name": name},
            "spec": spec,
        }))?;
        api.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    /// Gives an object this spec, as strictly as kubectl does. Or sees what would be stored.
    async fn change(&self, name: &str, spec: &Value, try_only: bool) -> kube::Result<DynamicObject> {
        let steps = json!([{"op": "replace", "path": "/spec", "value": spec}]);
        let patch: json_patch::Patch = serde_json::from_value(steps).map_err(kube::Error::SerdeError)?;
        let strictly = PatchParams {
            dry_run: try_only,
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        self.edited
            .patch(name, &strictly, &Patch::Json::<()>(patch))
            .await
    }
}

fn alike(is: &Stand, should: &Stand) -> Result<()> {
    if is == should {
        return Ok(());
    }
    for (key, value) in [
        ("spec", (&is.spec, &should.spec)),
        ("status", (&is.status, &should.status)),
    ] {
        let (is, should) = value;
        let fields = is.as_object().into_iter().chain(should.as_object()).flatten();
        if let Some((name, _)) = fields.into_iter().find(|(name, _)| is[*name] != should[*name]) {
            bail!("{key}.{name} is {} and not {}", is[name], should[name]);
        }
    }
    bail!("{is:?} is not {should:?}")
}

/// Nothing is wrong; otherwise says how much of how much, and shows some.
fn none(what: &str, wrong: &[String], of: usize) -> Result<()> {
    let shown = wrong.len().min(12);
    ensure!(
        wrong.is_empty(),
        "{what}: {} of {of} are not as they should be:\n{}",
        wrong.len(),
        wrong[..shown].join("\n")
    );
    Ok(())
}
