//! Watches: what a replica is told of the API server's objects, late, in gaps, or all over again.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use webinar_api::labels;
use webinar_operator::replica::{News, Replica, Touched};

use kube::runtime::watcher::Event;

use crate::scenario::Watch;
use crate::server::{Change, Happened, Kind, Server};
use crate::world::{OPERATOR_NAMESPACE, World, label};

/// Every watch of a replica.
pub(crate) const WATCHES: [Watch; 8] = [
    Watch::Webinars,
    Watch::Pods,
    Watch::Services,
    Watch::Slices,
    Watch::Budgets,
    Watch::Revisions,
    Watch::Classes,
    Watch::Templates,
];

/// One watch.
#[derive(Debug)]
pub(super) struct Feed {
    of: Watch,
    /// What it has told up to. None: it lists first.
    told: Option<u64>,
    /// When it tells next.
    at: u64,
}

impl Feed {
    pub(super) fn new(of: Watch, at: u64) -> Self {
        Self { of, told: None, at }
    }

    pub(super) fn is_of(&self, watch: Watch) -> bool {
        self.of == watch
    }

    /// Up to what version nobody needs to know what happened.
    pub(super) fn needs(&self) -> u64 {
        self.told.unwrap_or(u64::MAX)
    }

    /// Tells what is to be told now.
    pub(super) fn tell(
        &mut self,
        world: &mut World,
        number: usize,
        replica: &Replica,
        touched: &mut Vec<Touched>,
    ) {
        let now = world.now;
        if let Some(stale) = world.replicas.broken.remove(&(number, self.of)) {
            world.cover.reach("fault met", "watch lists again");
            let shown = world.as_it_was(stale);
            self.list(shown, replica, touched);
            return;
        }
        if world.replicas.held(number, self.of, now) {
            world.cover.reach("fault met", "watch held");
            return;
        }
        let Some(told) = self.told else {
            if now.0 >= self.at {
                self.list(&world.server, replica, touched);
            }
            return;
        };
        if world.server.version() == told {
            return;
        }
        // Some ticks late, and then everything at once.
        if self.at <= now.0 {
            let Some(changes) = world.server.changes(kind(self.of), told) else {
                self.list(&world.server, replica, touched);
                return;
            };
            for change in changes {
                if let Some(news) = news(self.of, change) {
                    touched.extend(replica.take(news));
                }
            }
            self.told = Some(world.server.version());
            self.at = now.0 + world.rng.u64(1..=4);
        }
    }

    fn list(&mut self, server: &Server, replica: &Replica, touched: &mut Vec<Touched>) {
        for news in listed(self.of, server.all(kind(self.of))) {
            touched.extend(replica.take(news));
        }
        self.told = Some(server.version());
    }
}

/// A whole list, as a watch tells it.
pub(crate) fn listed<'a>(of: Watch, objects: impl IntoIterator<Item = &'a Arc<Value>>) -> Vec<News> {
    let mut told: Vec<News> = wrap(of, Step::Init, &Value::Null).into_iter().collect();
    let objects = objects.into_iter().filter(|o| selected(of, o));
    told.extend(objects.filter_map(|o| wrap(of, Step::InitApply, o)));
    told.extend(wrap(of, Step::InitDone, &Value::Null));
    told
}

/// What a watch is of.
pub(crate) const fn kind(of: Watch) -> Kind {
    match of {
        Watch::Webinars => Kind::Webinar,
        Watch::Pods => Kind::Pod,
        Watch::Services => Kind::Service,
        Watch::Slices => Kind::EndpointSlice,
        Watch::Budgets => Kind::PodDisruptionBudget,
        Watch::Revisions => Kind::ControllerRevision,
        Watch::Classes => Kind::WebinarClass,
        Watch::Templates => Kind::PodTemplate,
    }
}

/// The operator's own selectors.
fn selected(of: Watch, object: &Value) -> bool {
    match of {
        Watch::Webinars | Watch::Classes => true,
        Watch::Templates => object["metadata"]["namespace"] == OPERATOR_NAMESPACE,
        Watch::Pods => label(object, labels::WEBINAR_UID).is_some(),
        Watch::Slices => matches!(label(object, labels::ENTRY), Some("ingest" | "origin")),
        Watch::Services | Watch::Budgets | Watch::Revisions => {
            label(object, labels::APP_MANAGED_BY) == Some("webinar-operator")
                && label(object, labels::WEBINAR_UID).is_some()
        }
    }
}

/// What a watch tells of a change, if anything.
pub(crate) fn news(of: Watch, change: &Change) -> Option<News> {
    let before = change.before.as_ref().is_some_and(|b| selected(of, b));
    let after = change.happened != Happened::Deleted && selected(of, &change.object);
    let step = match (before, after) {
        (_, true) => Step::Apply,
        (true, false) => Step::Delete,
        (false, false) => return None,
    };
    wrap(of, step, &change.object)
}

#[derive(Clone, Copy)]
enum Step {
    Init,
    InitApply,
    InitDone,
    Apply,
    Delete,
}

fn wrap(of: Watch, step: Step, object: &Value) -> Option<News> {
    Some(match of {
        Watch::Webinars => News::Webinar(event(step, object)?),
        Watch::Pods => News::Pod(event(step, object)?),
        Watch::Services => News::Service(event(step, object)?),
        Watch::Slices => News::Slice(event(step, object)?),
        Watch::Budgets => News::Budget(event(step, object)?),
        Watch::Revisions => News::Revision(event(step, object)?),
        Watch::Classes => News::Class(event(step, object)?),
        Watch::Templates => News::Template(event(step, object)?),
    })
}

fn event<K: DeserializeOwned>(step: Step, object: &Value) -> Option<Event<K>> {
    let read = || K::deserialize(object).ok();
    Some(match step {
        Step::Init => Event::Init,
        Step::InitDone => Event::InitDone,
        Step::InitApply => Event::InitApply(read()?),
        Step::Apply => Event::Apply(read()?),
        Step::Delete => Event::Delete(read()?),
    })
}
