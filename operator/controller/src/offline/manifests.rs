//! Manifests sorted by what they are.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use k8s_openapi::api::core::v1::PodTemplate;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde::de::DeserializeOwned;
use webinar_api::{Webinar, WebinarClass};

use super::read::Document;
use crate::observe::Platform;
use crate::ownership::Owner;

/// The class and templates that are used when none are given.
const DEFAULTS: &str = include_str!("../../../../charts/webinar-operator/files/presets/mediamtx.yaml");

/// A Webinar to plan, or why it can't be read.
#[derive(Debug)]
pub(crate) struct Given {
    /// Namespace, `default` when the manifest names none.
    pub(crate) namespace: String,
    /// Name.
    pub(crate) name: String,
    /// The offset its start is written in, when that isn't UTC.
    pub(crate) offset: Option<TimeZone>,
    /// The object, or a sentence.
    pub(crate) webinar: Result<Box<Webinar>, String>,
}

/// What the documents hold.
#[derive(Debug)]
pub(crate) struct Manifests {
    /// In the order in which they were given.
    pub(crate) webinars: Vec<Given>,
    /// Classes and templates, as a cache would show them.
    pub(crate) platform: Platform,
    /// Faults that concern no single Webinar: a class or template that can't be used as written.
    pub(crate) faults: Vec<String>,
}

/// Sorts `documents`. Objects of other kinds are passed over. `now` stands in for creation times.
pub(crate) fn sort(documents: &[Document], now: Timestamp) -> Manifests {
    let mut out = Manifests {
        webinars: Vec::new(),
        platform: Platform::default(),
        faults: Vec::new(),
    };
    for document in documents {
        match document.kind() {
            "Webinar" => out.webinars.push(given(document, now)),
            "WebinarClass" => match checked::<WebinarClass>(document) {
                Ok(class) => out.platform.classes.push(Arc::new(class)),
                Err(fault) => out.faults.push(fault),
            },
            "PodTemplate" => match decoded::<PodTemplate>(document) {
                Ok(template) => out.platform.templates.push(Arc::new(template)),
                Err(fault) => out.faults.push(fault),
            },
            _ => {}
        }
    }
    if out.platform.classes.is_empty() {
        add_defaults(&mut out);
    }
    out
}

fn add_defaults(out: &mut Manifests) {
    let parsed = serde_saphyr::from_multiple::<serde_json::Value>(DEFAULTS).unwrap_or_default();
    for value in parsed {
        let document = Document {
            origin: "built-in class".to_owned(),
            value,
        };
        match document.kind() {
            "WebinarClass" => out.platform.classes.extend(checked(&document).map(Arc::new)),
            _ => out.platform.templates.extend(decoded(&document).map(Arc::new)),
        }
    }
}

fn given(document: &Document, now: Timestamp) -> Given {
    let text = |path: &str| document.value.pointer(path).and_then(serde_json::Value::as_str);
    let name = text("/metadata/name").unwrap_or(&document.origin).to_owned();
    let namespace = text("/metadata/namespace").unwrap_or("default").to_owned();
    let webinar = checked::<Webinar>(document).map(|mut webinar| {
        webinar.metadata.namespace = Some(namespace.clone());
        // A UID of the manifest's own making: offline there is nothing to own.
        webinar
            .metadata
            .uid
            .get_or_insert_with(|| format!("{namespace}/{name}"));
        webinar.metadata.creation_timestamp.get_or_insert(Time(now));
        Box::new(webinar)
    });
    let offset = text("/spec/startTime").and_then(offset);
    Given {
        namespace,
        name,
        offset,
        webinar,
    }
}

/// The offset of an RFC 3339 time. `None`: UTC, or no time at all.
fn offset(text: &str) -> Option<TimeZone> {
    let offset = Pieces::parse(text).ok()?.to_numeric_offset()?;
    (offset != Offset::UTC).then(|| TimeZone::fixed(offset))
}

fn checked<T: DeserializeOwned>(document: &Document) -> Result<T, String> {
    document.check()?;
    decoded(document)
}

fn decoded<T: DeserializeOwned>(document: &Document) -> Result<T, String> {
    serde_json::from_value(document.value.clone()).map_err(|error| format!("{}: {error}", document.origin))
}

impl Given {
    /// The Webinar with itself as owner, if it can be read.
    pub(crate) fn readable(&self) -> Option<(&Webinar, Owner)> {
        let webinar = self.webinar.as_deref().ok()?;
        let owner = Owner {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: webinar.uid()?,
            generation: webinar.metadata.generation,
        };
        Some((webinar, owner))
    }
}
