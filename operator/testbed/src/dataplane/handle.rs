//! What tests and the demo hold in their hands.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use kube::Client;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

use super::detail::Detail;
use super::dialect::Dialect;
use super::facts::EventKey;
use super::lie::{Lie, Target};
use super::model::Model;
use super::options::DataPlaneOptions;
use super::publish::{Encoder, Picture, Publishing};
use super::stage::Stage;
use super::{serve, watch as kubernetes};
use crate::crowd::{Crowd, Results};
use crate::wait::{wall_clock, within};

const FIRST_LISTS: Duration = Duration::from_secs(60);

/// The model, which is looked at and changed for moments only.
pub(super) struct Shared(Mutex<Model>);

impl Shared {
    pub(super) fn new(options: DataPlaneOptions) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Model::new(options))))
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Model) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Media servers in all pods of all Webinars of a cluster, and the people who publish to them and watch. Dropping it ends
/// them.
pub struct DataPlane {
    shared: Arc<Shared>,
    address: SocketAddr,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl DataPlane {
    /// Follows the cluster that `client` may watch pods and EndpointSlices of, and waits until it knows what is there. Needs
    /// a Tokio runtime.
    ///
    /// # Errors
    /// When there is no free port, or the API server doesn't list pods and EndpointSlices within a minute.
    pub async fn start(client: Client, options: DataPlaneOptions) -> Result<Self> {
        let (tick, shared) = (options.tick, Shared::new(options));
        let mut plane = Self::serve(Arc::clone(&shared)).await?;
        let (pods, first_pods) = watch::channel(false);
        let (slices, first_slices) = watch::channel(false);
        plane.run(kubernetes::pods(client.clone(), Arc::clone(&shared), pods));
        plane.run(kubernetes::slices(client, Arc::clone(&shared), slices));
        within("listing pods and EndpointSlices", FIRST_LISTS, async {
            kubernetes::filled(first_pods).await?;
            kubernetes::filled(first_slices).await
        })
        .await?;
        plane.run(run(shared, tick));
        Ok(plane)
    }

    /// Only the proxy: nothing follows a cluster or the clock.
    pub(super) async fn serve(shared: Arc<Shared>) -> Result<Self> {
        let listener = serve::listener().await?;
        let mut plane = Self {
            address: listener.local_addr()?,
            shared: Arc::clone(&shared),
            _tasks: Vec::new(),
        };
        plane.run(serve::serve(listener, shared));
        Ok(plane)
    }

    fn run(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self._tasks.push(AbortOnDropHandle::new(tokio::spawn(task)));
    }

    /// The HTTP proxy that answers `GET http://<pod IP>:<any port>/metrics`: for the operator's `--scrape-proxy`, and for
    /// `proxy_url` of a Prometheus server.
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The event of a Webinar, which need not exist yet.
    pub fn event(&self, namespace: &str, name: &str) -> Event {
        Event {
            shared: Arc::clone(&self.shared),
            key: EventKey {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            },
        }
    }
}

async fn run(shared: Arc<Shared>, tick: Duration) {
    let mut ticks = tokio::time::interval(tick.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared.with(|model| model.step(wall_clock()));
    }
}

/// One Webinar's event: commands, and what came of them. Commands take effect with the next tick at the latest.
#[derive(Clone)]
pub struct Event {
    shared: Arc<Shared>,
    key: EventKey,
}

impl Event {
    fn stage<T>(&self, look: impl FnOnce(&mut Stage) -> T) -> T {
        self.shared.with(|model| look(model.stage(&self.key)))
    }

    /// Where presenters send from now on; nobody does before this is called. A stream that is on a right server stays there.
    pub fn publish(&self, publishing: Publishing) {
        self.stage(|stage| stage.publish(publishing, wall_clock()));
    }

    /// What presenters show from now on.
    pub fn picture(&self, picture: Picture) {
        self.stage(|stage| stage.picture(picture));
    }

    /// Encoders fall silent with their connections open. One whose connection ends meanwhile doesn't come back by itself.
    pub fn stop(&self, encoder: Encoder) {
        self.stage(|stage| stage.silence(encoder));
    }

    /// Undoes [`Event::stop`].
    pub fn resume(&self, encoder: Encoder) {
        self.stage(|stage| stage.resume(encoder, wall_clock()));
    }

    /// The server in the slot hangs, as after `SIGSTOP`: its connections stay, and it sends and answers nothing, neither to
    /// servers and viewers nor to scrapes. A pod that gets the slot later is well.
    ///
    /// # Errors
    /// When no server runs there.
    pub fn freeze(&self, slot: &str) -> Result<()> {
        self.set_frozen(slot, true)
    }

    /// Undoes [`Event::freeze`].
    ///
    /// # Errors
    /// When no server runs there.
    pub fn thaw(&self, slot: &str) -> Result<()> {
        self.set_frozen(slot, false)
    }

    fn set_frozen(&self, slot: &str, frozen: bool) -> Result<()> {
        let found = self.stage(|stage| stage.freeze(slot, frozen, wall_clock()));
        ensure!(found, "{}: no server runs in slot {slot}", self.key.name);
        Ok(())
    }

    /// Metrics are wrong from now on. Of several lies about a pod, the last counts.
    pub fn lie(&self, target: Target, lie: Lie) {
        self.stage(|stage| stage.lies.tell(target, lie));
    }

    /// Ends all lies.
    pub fn tell_the_truth(&self) {
        self.stage(|stage| stage.lies.clear());
    }

    /// Whose words its servers use for metrics.
    pub fn dialect(&self, dialect: Dialect) {
        self.stage(|stage| stage.dialect = dialect);
    }

    /// More viewers come.
    pub fn crowd(&self, crowd: Crowd) {
        self.stage(|stage| stage.come(crowd));
    }

    /// So many viewers per second leave from now on, of those who watch or wait; 0 ends it.
    pub fn leave_at(&self, per_second: f64) {
        self.stage(|stage| stage.leave_at(per_second));
    }

    /// A share of those who watch or wait leaves at once, 0.5 for half of them. With 1 everybody does, those who have not
    /// come yet included.
    pub fn leave(&self, share: f64) {
        self.stage(|stage| stage.leave(share));
    }

    /// A share of those who watch vanishes without a word, as when their networks are gone: they don't come back, and servers
    /// count them for a while.
    pub fn vanish(&self, share: f64) {
        self.stage(|stage| stage.vanish(share, wall_clock()));
    }

    /// What the audience felt so far.
    pub fn results(&self) -> Results {
        self.stage(|stage| stage.results())
    }

    /// What goes on behind the scenes.
    pub fn detail(&self) -> Detail {
        self.stage(|stage| Detail::of(stage))
    }
}
