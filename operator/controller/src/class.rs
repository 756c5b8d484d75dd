//! WebinarClasses: whether each can be used, and what each tier would need.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::json;
use webinar_api::{FIELD_MANAGER, TierPlan, WebinarClass, WebinarClassStatus};
use webinar_plan as plan;
use webinar_plan::{ClassFinding, Reason, Truth, Unservable};

use crate::client::call;
use crate::context::Context;
use crate::convert::api_tier;
use crate::error::Error;
use crate::ruling::{default_class, is_default, resolve, usable};
use crate::status::whole_seconds;
use crate::validate::find;

/// People on stage that class figures are computed for: the default of a Webinar.
const PANELISTS: u32 = 10;

/// Every verdict that the condition `Accepted` of a WebinarClass may give.
pub const VERDICTS: [(Truth, Reason); 2] = [
    (Truth::True, Reason::Accepted),
    (Truth::False, Reason::ClassNotAccepted),
];

/// Judges one class and says so in its status.
pub(crate) async fn reconcile(class: Arc<WebinarClass>, context: Arc<Context>) -> Result<Action, Error> {
    if !context.leadership.holds() {
        return Ok(Action::await_change());
    }
    let name = class.name_any();
    let platform = context.caches.platform();
    let verdict = resolve(&class, &platform).and_then(usable);
    let defaults = platform.classes.iter().filter(|c| is_default(c)).count();
    let served =
        default_class(platform.classes.iter().map(AsRef::as_ref)).is_some_and(|c| c.uid() == class.uid());
    let role = match (is_default(&class), defaults, served) {
        (false, _, _) => None,
        (true, 0 | 1, _) => Some("It serves Webinars without `className`."),
        (true, _, true) => Some(
            "Several classes are annotated as the default; this one is the newest and serves Webinars without `className`.",
        ),
        (true, _, false) => Some(
            "Several classes are annotated as the default; a newer one serves Webinars without `className`.",
        ),
    };
    let status = judge(
        &class,
        verdict.as_ref().map(|(_, class)| class),
        role,
        context.clock.now(),
    );
    if class.status.as_ref() == Some(&status) {
        return Ok(Action::await_change());
    }
    let api: Api<WebinarClass> = Api::all(context.client.clone());
    let what = || format!("write the status of WebinarClass {name}");
    let to_json = |source| Error::Json { what: what(), source };
    let steps = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": class.meta().resource_version},
        {"op": "add", "path": "/status", "value": serde_json::to_value(&status).map_err(to_json)?},
    ]);
    let patch: json_patch::Patch = serde_json::from_value(steps).map_err(to_json)?;
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match call(what, api.patch_status(&name, &params, &Patch::Json::<()>(patch))).await {
        Ok(_) => Ok(Action::await_change()),
        Err(error) if error.answer().is_some_and(|s| s.is_not_found() || s.is_invalid()) => {
            Ok(Action::await_change())
        }
        Err(error) => Err(error),
    }
}

fn judge(
    class: &WebinarClass,
    verdict: Result<&plan::Class, &ClassFinding>,
    role: Option<&str>,
    now: Timestamp,
) -> WebinarClassStatus {
    let (status, reason, mut message) = match &verdict {
        Ok(class) => ("True", Reason::Accepted, accepted(class)),
        Err(finding) => ("False", finding.reason, finding.message.clone()),
    };
    if let Some(role) = role {
        message = format!("{message} {role}");
    }
    let before = class
        .status
        .as_ref()
        .and_then(|s| find(&s.conditions, "Accepted"));
    let since = before
        .filter(|c| c.status == status)
        .map(|c| c.last_transition_time.clone());
    let usable = verdict.ok();
    WebinarClassStatus {
        observed_generation: class.metadata.generation,
        viewers_per_relay: usable.and_then(|c| c.capacity(PANELISTS).per_relay).map(int),
        tiers: usable.map_or_else(Vec::new, |c| {
            plan::Tier::ALL.into_iter().map(|t| tier_plan(c, t)).collect()
        }),
        conditions: vec![Condition {
            type_: "Accepted".to_owned(),
            status: status.to_owned(),
            reason: reason.as_str().to_owned(),
            message,
            observed_generation: class.metadata.generation,
            last_transition_time: since.unwrap_or_else(|| whole_seconds(now)),
        }],
    }
}

fn accepted(class: &plan::Class) -> String {
    match class.capacity(PANELISTS).per_relay {
        Some(viewers) => {
            format!("Templates were found and can be used; a relay is planned for {viewers} viewers.")
        }
        None => {
            "The template was found and can be used; without a relay template the class serves rooms only."
                .to_owned()
        }
    }
}

fn tier_plan(class: &plan::Class, tier: plan::Tier) -> TierPlan {
    let capacity = class.capacity(PANELISTS);
    let shape = if tier > class.max_tier {
        Err(Unservable::AboveClass { max: class.max_tier })
    } else {
        capacity.shape(tier)
    };
    let none = TierPlan {
        tier: api_tier(tier),
        sfu: None,
        mid: None,
        relay: None,
        pods: None,
        message: None,
    };
    match shape {
        Ok(shape) => {
            let counts = capacity.counts(tier, &shape);
            TierPlan {
                sfu: Some(int(counts.sfu)),
                mid: Some(int(counts.mid)),
                relay: Some(int(counts.relay)),
                pods: Some(int(counts.total())),
                ..none
            }
        }
        Err(why) => TierPlan {
            message: Some(why.to_string()),
            ..none
        },
    }
}

fn int(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
