//! One replica of the operator without its surroundings: it is given a way to call the API server, what watches tell and
//! what pods answer, and is told when to look.
//!
//! All that it decides and writes is what the operator decides and writes. In place of kube's watchers and controllers,
//! HTTP to pods and this machine's wall clock stands whoever drives it: the simulator, which has a world of its own.
//! Needs a Tokio runtime.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http::{Request, Response};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Pod, PodTemplate, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::client::{Body, ClientBuilder};
use kube::core::DeserializeGuard;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::watcher::Event;
use kube::{Api, ResourceExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::BoxError;
use webinar_api::{FIELD_MANAGER, Webinar, WebinarClass};
use webinar_plan::Sample;

use crate::client;
use crate::clock::Clock;
use crate::context::{Context, try_again};
use crate::controllers::{AT_ONCE, look};
use crate::leader::{Candidate, Leadership, Timings, campaign};
use crate::limiter::Limiter;
use crate::metrics::Metrics;
use crate::observe::{Caches, Fillers};
use crate::pulse::Pulse;
use crate::recent::{Kind, Recollection};
use crate::run::QUEUE;
use crate::scrape::Scraper;
use crate::turns::Turns;
use crate::watch::{self, Filler};

pub use crate::context::Decide;
pub use crate::fair::Order;
pub use crate::watch::Touched;

/// What a replica is given once.
pub struct Setup {
    /// Its name in the lease.
    pub identity: String,
    /// The operator's namespace.
    pub namespace: String,
    /// Of the lease: how long one holds, the renew deadline, time between two tries.
    pub lease: [Duration; 3],
    /// Writes a second, and writes under way at once.
    pub limits: [u32; 2],
    /// Whose look is next: [`Order::Turns`], unless it is to be seen what those are for.
    pub order: Order,
    /// What its wall clock tells now.
    pub now: Timestamp,
    /// Milliseconds by which its wall clock is moved from now on.
    pub moved: Arc<AtomicI64>,
    /// What makes a plan of an input: [`webinar_plan::plan`], or that and whoever looks over its shoulder.
    pub decide: Decide,
}

/// What a watch tells.
#[derive(Debug)]
pub enum News {
    /// Of Webinars.
    Webinar(Event<DeserializeGuard<Webinar>>),
    /// Of pods that carry a Webinar's UID.
    Pod(Event<Pod>),
    /// Of Services of ours.
    Service(Event<Service>),
    /// Of EndpointSlices of the stage.
    Slice(Event<EndpointSlice>),
    /// Of PodDisruptionBudgets of ours.
    Budget(Event<PodDisruptionBudget>),
    /// Of ControllerRevisions of ours.
    Revision(Event<ControllerRevision>),
    /// Of WebinarClasses.
    Class(Event<WebinarClass>),
    /// Of PodTemplates in the operator's namespace.
    Template(Event<PodTemplate>),
}

/// One replica. What it has begun ends with the runtime, or with the tasks that it was begun in.
pub struct Replica {
    context: Arc<Context>,
    fillers: Mutex<(Filler<DeserializeGuard<Webinar>>, Fillers)>,
    turns: Arc<Turns>,
    candidate: Candidate,
    namespace: String,
}

/// What calls for looks: pods of which there is news, and Webinars whose turn has come.
#[derive(Debug)]
pub struct Calls {
    /// Of the data plane.
    pub heard: mpsc::Receiver<Touched>,
    /// Of those that had to wait.
    pub turns: mpsc::UnboundedReceiver<Touched>,
}

impl Replica {
    /// A replica that has just been started: its caches are empty, and it holds no lease. `api` answers its calls.
    pub fn new<S, B>(api: S, setup: Setup) -> (Self, Calls)
    where
        S: tower::Service<Request<Body>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + Send + Sync,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Setup {
            identity,
            namespace,
            lease: [lease, renew_deadline, retry],
            limits: [per_second, in_flight],
            order,
            now,
            moved,
            decide,
        } = setup;
        let (metrics, _) = Metrics::new();
        let leadership = Leadership::default();
        let clock = Clock::given(now, moved);
        let pulse = Pulse::default();
        let bare = ClientBuilder::new(api, namespace.clone());
        let client = client::guarded(bare, &clock, &metrics, &leadership);
        let (touch, heard) = mpsc::channel(QUEUE);
        let (caches, fillers) = Caches::new();
        let (webinars, fill_webinars) = Filler::new(watch::trim, watch::itself);
        // New caches have none yet.
        let _ = caches.webinars.set(webinars.store);
        let (turns, called) = Turns::new(AT_ONCE, order, pulse.clone(), metrics.queue());
        let scraper = Scraper::new(None, clock.clone(), leadership.clone(), metrics.clone());
        let context = Context {
            recorder: Recorder::new(client.clone(), Reporter::from(FIELD_MANAGER)),
            client,
            clock,
            decide,
            limiter: Arc::new(Limiter::new(per_second, in_flight)),
            caches,
            metrics,
            recollection: Arc::new(Recollection::default()),
            leadership,
            pulse,
            scraper: Arc::new(scraper),
            touch,
        };
        let timings = Timings {
            lease,
            renew_deadline,
            retry,
        };
        let replica = Self {
            context: Arc::new(context),
            fillers: Mutex::new((fill_webinars, fillers)),
            turns,
            candidate: Candidate { identity, timings },
            namespace,
        };
        let calls = Calls { heard, turns: called };
        (replica, calls)
    }

    /// Competes for the lease and keeps it; until `stop`, when it gives it back.
    pub fn campaign(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let context = &self.context;
        campaign(
            Api::namespaced(context.client.clone(), &self.namespace),
            self.candidate.clone(),
            context.clock.clone(),
            context.leadership.clone(),
            context.metrics.clone(),
            context.pulse.clone(),
            stop,
        )
    }

    /// It may write now.
    pub fn leads(&self) -> bool {
        self.context.leadership.holds()
    }

    /// A signal for each term as the leader that begins: everyone is to be looked at.
    pub fn terms(&self) -> impl Stream<Item = ()> + Send + 'static {
        self.context.leadership.terms()
    }

    /// Takes in what a watch tells. Says whom it concerns.
    pub fn take(&self, news: News) -> Option<Touched> {
        let mut fillers = self.fillers.lock().unwrap_or_else(PoisonError::into_inner);
        let (webinars, fillers) = &mut *fillers;
        match news {
            News::Webinar(event) => webinars.take(event),
            News::Pod(event) => fillers.pods.take(event),
            News::Service(event) => fillers.services.take(event),
            News::Slice(event) => fillers.slices.take(event),
            News::Budget(event) => fillers.budgets.take(event),
            News::Revision(event) => fillers.revisions.take(event),
            News::Class(event) => fillers.classes.take(event),
            News::Template(event) => fillers.templates.take(event),
        }
    }

    /// The Webinar as the cache has it.
    pub fn webinar(&self, namespace: &str, name: &str) -> Option<Arc<DeserializeGuard<Webinar>>> {
        let store = self.context.caches.webinars.get()?;
        let reference = Touched::Webinar {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        store.get(&reference.reference()?)
    }

    /// Everything of a pass over `webinar`: its turn, the pass, and what a failure means for the next one. How long until
    /// the next look; none: when something changes.
    pub async fn look(&self, webinar: Arc<DeserializeGuard<Webinar>>) -> Option<Duration> {
        let done = look(Arc::clone(&webinar), Arc::clone(&self.context), &self.turns).await;
        match done {
            Ok(next) => next,
            Err(error) => Some(try_again(webinar.uid().as_deref(), &error, &self.context)),
        }
    }

    /// All that is remembered from one pass to the next and may rule it, as text: two replicas whose caches and texts are
    /// equal decide alike. The second text is of our own writes to pods that no watch has told of yet, the third of those
    /// to other objects.
    pub fn remembers(&self) -> [String; 3] {
        let Context {
            recollection, caches, ..
        } = self.context.as_ref();
        let unseen =
            |kinds: &[Kind]| recollection.unseen(kinds, |kind, mark| caches.progress(kind).shows(mark));
        let others = [Kind::Service, Kind::Budget, Kind::Revision];
        [recollection.text(), unseen(&[Kind::Pod]), unseen(&others)]
    }

    /// Whoever was called is gone.
    pub fn gone(&self, who: &Touched) {
        self.turns.gone(who);
    }

    /// Asks the pods that are due, by UID. Who answers nothing has not answered.
    pub fn ask(&self, answer: impl FnMut(&str) -> Option<Sample>) {
        self.context.scraper.step(answer);
    }

    /// When pods are to be asked next.
    pub fn asks_at(&self) -> Option<Instant> {
        self.context.scraper.due()
    }
}
