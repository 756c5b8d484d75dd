//! Which class rules a Webinar: the one that its run has pinned, or the one it names today.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::ResourceExt as _;
use webinar_api::{Attendance, Webinar, WebinarClass, labels};
use webinar_plan as plan;
use webinar_plan::{ClassFinding, Reason};

use crate::convert;
use crate::memory::{self, Pinned};
use crate::observe::{Platform, Seen};
use crate::template;

/// A class with everything that is built from it, or why there is none.
pub(crate) type Ruling = Result<(Pinned, plan::Class), ClassFinding>;

/// What rules a Webinar.
pub(crate) struct Rule {
    /// What the latest run remembers.
    pub(crate) memory: Option<plan::Memory>,
    /// The pinned class while that run is under way, otherwise the class as it stands today.
    pub(crate) ruling: Ruling,
    /// The pinned class when that run is over.
    pub(crate) last_class: Option<plan::Class>,
    /// What the run under way would take differently today, as people call it.
    pub(crate) superseded: Vec<&'static str>,
}

/// Who rules this Webinar now.
pub(crate) fn ruling(webinar: &Webinar, seen: &Seen) -> Rule {
    let rule = |memory, ruling| Rule {
        memory,
        ruling,
        last_class: None,
        superseded: Vec::new(),
    };
    let Some(revision) = seen.revisions.first() else {
        return rule(None, today(webinar, &seen.platform));
    };
    let unreadable = |why: String| {
        finding(
            Reason::ClassNotAccepted,
            format!(
                "The memory of run {} in ControllerRevision {} can't be read: {why}. Nothing is changed until it is restored or deleted.",
                revision.revision,
                revision.name_any()
            ),
        )
    };
    let memory = match memory::read(revision) {
        Ok(memory) => memory,
        Err(why) => return rule(None, Err(unreadable(why))),
    };
    let read = seen.pinned.clone();
    let read = read.unwrap_or_else(|| memory::read_pinned(revision));
    let pinned = read.map_err(unreadable).and_then(usable);
    if memory.active() {
        let superseded = match &pinned {
            Ok((pinned, _)) => superseded(pinned, webinar, &seen.platform),
            Err(_) => Vec::new(),
        };
        let ruling = pinned.map(|pinned| following(pinned, &seen.platform));
        return Rule {
            superseded,
            ..rule(Some(memory), ruling)
        };
    }
    Rule {
        last_class: pinned.ok().map(|(_, class)| class),
        ..rule(Some(memory), today(webinar, &seen.platform))
    }
}

/// What has changed since `pinned`. A class that can't be taken today changes nothing.
fn superseded(pinned: &Pinned, webinar: &Webinar, platform: &Platform) -> Vec<&'static str> {
    let Some(today) = named_class(webinar, platform) else {
        return Vec::new();
    };
    // What holds at once does not wait.
    let mut class = pinned.class.clone();
    class.live = webinar_api::Live {
        floor_after_start: class.live.floor_after_start,
        overrun: class.live.overrun,
        ..today.spec.live.clone()
    };
    class.attendance.clone_from(&today.spec.attendance);
    class.stall.clone_from(&today.spec.stall);
    class.max_total_pods = today.spec.max_total_pods;
    // A manifest that was never stored lacks what the API server fills in, and can't be compared.
    let template = |name: &str| platform.template(name).filter(|t| t.uid().is_some());
    let differs = |name: &str, was: Option<&PodTemplateSpec>| {
        template(name).is_some_and(|t| t.template.as_ref() != was)
    };
    let templates = &today.spec.templates;
    let relay = templates.relay.as_deref();
    let changes = [
        ("`className`", today.name_any() != pinned.class_name),
        ("the class", today.spec != class),
        ("the SFU's template", differs(&templates.sfu, Some(&pinned.sfu))),
        (
            "the relays' template",
            relay.is_some_and(|name| differs(name, pinned.relay.as_ref())),
        ),
    ];
    let changed = changes.into_iter().filter(|(_, changed)| *changed);
    let changed: Vec<_> = changed.map(|(name, _)| name).collect();
    if changed.is_empty() || self::today(webinar, platform).is_err() {
        return Vec::new();
    }
    changed
}

/// A pinned class with what holds at once of its namesake today. One that was removed stays as it was.
fn following((pinned, class): (Pinned, plan::Class), platform: &Platform) -> (Pinned, plan::Class) {
    match platform.class(&pinned.class_name) {
        Some(today) => (pinned, class.following(convert::at_once(&today.spec))),
        None => (pinned, class),
    }
}

/// Where attendance is read from. That holds at once, as long as the pinned class still has a namesake.
pub(crate) fn attendance<'a>(pinned: &'a Pinned, platform: &'a Platform) -> Option<&'a Attendance> {
    let today = platform.class(&pinned.class_name).map(|class| &class.spec);
    today.unwrap_or(&pinned.class).attendance.as_ref()
}

/// The class that a Webinar names today, or the default one.
pub(crate) fn named_class<'a>(webinar: &Webinar, platform: &'a Platform) -> Option<&'a WebinarClass> {
    match webinar.spec.class_name.as_deref() {
        Some(name) => platform.class(name),
        None => default_class(platform.classes.iter().map(AsRef::as_ref)),
    }
}

/// The class as it stands today.
pub(crate) fn today(webinar: &Webinar, platform: &Platform) -> Ruling {
    let class = named_class(webinar, platform).ok_or_else(|| {
        let message = match webinar.spec.class_name.as_deref() {
            Some(name) => {
                format!("There is no WebinarClass `{name}`. Create it, or name another in `className`.")
            }
            None => format!(
                "`className` is not set and no WebinarClass is annotated `{}: \"true\"`. Name a class or annotate one.",
                labels::IS_DEFAULT_CLASS
            ),
        };
        finding(Reason::ClassNotFound, message)
    })?;
    usable(resolve(class, platform)?)
}

/// The default class: the newest of those annotated, as for StorageClasses.
pub(crate) fn default_class<'a>(classes: impl Iterator<Item = &'a WebinarClass>) -> Option<&'a WebinarClass> {
    classes.filter(|c| is_default(c)).max_by_key(|c| {
        (
            c.creation_timestamp().map(|t| t.0),
            std::cmp::Reverse(c.name_any()),
        )
    })
}

/// The class is annotated as the default.
pub(crate) fn is_default(class: &WebinarClass) -> bool {
    class
        .annotations()
        .get(labels::IS_DEFAULT_CLASS)
        .is_some_and(|v| v == "true")
}

/// A class with its templates.
pub(crate) fn resolve(class: &WebinarClass, platform: &Platform) -> Result<Pinned, ClassFinding> {
    let name = class.name_any();
    let find = |field: &str, template: &str| -> Result<PodTemplateSpec, ClassFinding> {
        let found = platform.template(template);
        found.and_then(|t| t.template.clone()).ok_or_else(|| {
            not_accepted(
                format!("WebinarClass `{name}`: `{field}` names PodTemplate `{template}`, which doesn't exist in the operator's namespace. Create it there."),
            )
        })
    };
    let templates = &class.spec.templates;
    Ok(Pinned {
        sfu: find("templates.sfu", &templates.sfu)?,
        relay: templates
            .relay
            .as_deref()
            .map(|relay| find("templates.relay", relay))
            .transpose()?,
        class_name: name,
        class: class.spec.clone(),
    })
}

/// A resolved class whose templates can be used.
pub(crate) fn usable(pinned: Pinned) -> Ruling {
    let credentials = pinned.class.allow_credentials;
    let key = &pinned.class.topology.key;
    let check = |field: &str, template: &PodTemplateSpec| {
        template::check(template, key, credentials).map_err(|why| {
            let named = match field {
                "templates.sfu" => &pinned.class.templates.sfu,
                _ => pinned
                    .class
                    .templates
                    .relay
                    .as_ref()
                    .unwrap_or(&pinned.class.templates.sfu),
            };
            not_accepted(format!(
                "WebinarClass `{}`: PodTemplate `{named}` of `{field}` can't be used: {why}.",
                pinned.class_name
            ))
        })
    };
    let sfu = check("templates.sfu", &pinned.sfu)?;
    let relay = pinned
        .relay
        .as_ref()
        .map(|t| check("templates.relay", t))
        .transpose()?;
    let cpu = plan::Cpu {
        sfu_millis: sfu.cpu_millis,
        relay_millis: relay.map(|r| r.cpu_millis),
    };
    let class = convert::class(&pinned.class_name, &pinned.class, cpu);
    Ok((pinned, class))
}

/// What is wrong with a class itself has one reason, whoever asks.
fn not_accepted(message: String) -> ClassFinding {
    finding(Reason::ClassNotAccepted, message)
}

fn finding(reason: Reason, message: String) -> ClassFinding {
    ClassFinding { reason, message }
}
