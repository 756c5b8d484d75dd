//! Replicas of the operator: the production code, what it is fed with, and its life and death.

mod desk;
pub(crate) mod feed;
mod line;
pub(crate) mod wire;

use std::cell::RefCell;
use std::panic;
use std::sync::{Arc, Once};
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use webinar_operator::replica::{Calls, Order, Replica, Setup, Touched};

use crate::decision;
use crate::mutation::Mutation;
use crate::scenario::Watch;
use crate::server::Kind;
use crate::time::SECOND;
use crate::world::{Key, OPERATOR_NAMESPACE, Shared, World, locked};

use desk::Desk;
use feed::{Feed, WATCHES};
use line::Line;

/// A process that runs.
pub(crate) struct Process {
    number: usize,
    replica: Arc<Replica>,
    calls: Calls,
    feeds: Vec<Feed>,
    desk: Desk,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    terms: mpsc::UnboundedReceiver<()>,
    done: mpsc::UnboundedReceiver<(Key, Option<Duration>)>,
    finish: mpsc::UnboundedSender<(Key, Option<Duration>)>,
    decided: mpsc::UnboundedReceiver<Key>,
    filled: bool,
}

impl Process {
    /// Starts a replica: it knows nothing and competes for the lease.
    pub(crate) fn start(world: &Shared, number: usize, life: u64) -> Self {
        let (decided, decisions) = mpsc::unbounded_channel();
        let line = Line {
            world: Arc::clone(world),
            replica: number,
        };
        let setup = {
            let mut held = locked(world);
            let mut lease = held.scenario.lease.map(Duration::from_secs);
            if held.mutation == Some(Mutation::LateDeadline) {
                lease[1] = lease[0] * 3;
            }
            let now = held.now;
            held.story
                .tell(now, &format!("operator-{number}"), || "starts".to_owned());
            Setup {
                identity: format!("operator-{number}-{life}"),
                namespace: OPERATOR_NAMESPACE.to_owned(),
                lease,
                limits: held.scenario.limits,
                order: match held.mutation {
                    Some(Mutation::FirstCome) => Order::Arrival,
                    _ => Order::Turns,
                },
                now: held.now.time(),
                moved: Arc::clone(&held.replicas.moved[number]),
                decide: decision::decide(Arc::clone(world), number, decided),
            }
        };
        let (replica, calls) = Replica::new(line, setup);
        let replica = Arc::new(replica);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(replica.campaign(stop.clone()));
        let (begun, terms) = mpsc::unbounded_channel();
        let mut begins = replica.terms();
        tasks.spawn(async move { while begins.next().await.is_some() && begun.send(()).is_ok() {} });
        let feeds = {
            let mut world = locked(world);
            let feeds = WATCHES.map(|of| {
                let at = world.now.0 + world.rng.u64(1..=10);
                Feed::new(of, at)
            });
            Vec::from(feeds)
        };
        let (finish, done) = mpsc::unbounded_channel();
        Self {
            number,
            replica,
            calls,
            feeds,
            desk: Desk::default(),
            tasks,
            stop,
            terms,
            done,
            finish,
            decided: decisions,
            filled: false,
        }
    }

    /// It may write.
    pub(crate) fn leads(&self) -> bool {
        self.replica.leads()
    }

    /// It is told to stop: it gives the lease back and begins nothing more.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Up to what version nobody needs to know what happened.
    pub(crate) fn needs(&self) -> u64 {
        self.feeds.iter().map(Feed::needs).min().unwrap_or(u64::MAX)
    }

    /// One tick: watches tell, pods answer, and looks begin.
    pub(crate) fn step(&mut self, world: &Shared) {
        let mut held = locked(world);
        let now = held.now.0;
        let (mut changed, mut touched) = (Vec::new(), Vec::new());
        for feed in &mut self.feeds {
            let told = if feed.is_of(Watch::Webinars) {
                &mut changed
            } else {
                &mut touched
            };
            feed.tell(&mut held, self.number, &self.replica, told);
        }
        self.filled |= self.feeds.iter().all(|f| f.needs() != u64::MAX);
        for who in changed {
            for key in concerned(&held, who) {
                self.desk.at(&key, now);
            }
        }
        for who in touched {
            self.touch(&held, who);
        }
        while let Ok(who) = self.calls.heard.try_recv() {
            self.touch(&held, who);
        }
        while let Ok(()) = self.terms.try_recv() {
            held.cover.reach("operator", "term begins");
            let now = held.now;
            held.story
                .tell(now, &format!("operator-{}", self.number), || "leads".to_owned());
            for key in concerned(&held, Touched::All) {
                self.desk.at(&key, now.0);
            }
        }
        while let Ok(key) = self.decided.try_recv() {
            self.desk.decided(&key);
        }
        while let Ok((key, next)) = self.done.try_recv() {
            self.desk.done(&key, next, now);
        }
        while let Ok(who) = self.calls.turns.try_recv() {
            if let Touched::Webinar { namespace, name } = who {
                self.desk.at(&(namespace, name), now);
            }
        }
        // Who doesn't lead asks nobody, and forgets.
        if self
            .replica
            .asks_at()
            .is_some_and(|at| at <= tokio::time::Instant::now())
            || now.is_multiple_of(5)
        {
            self.replica.ask(|uid| held.sample(uid));
        }
        if !self.filled || self.stop.is_cancelled() || !self.replica.leads() {
            return;
        }
        if now.is_multiple_of(SECOND) {
            for (key, since) in self.desk.waiting() {
                held.waits(key, (now - since) / SECOND);
            }
        }
        drop(held);
        self.look(now);
    }

    /// Begins the looks that are due.
    fn look(&mut self, now: u64) {
        while let Some(key) = self.desk.next(now) {
            let Some(webinar) = self.replica.webinar(&key.0, &key.1) else {
                self.desk.done(&key, None, now);
                self.desk.gone(&key);
                self.replica.gone(&Touched::Webinar {
                    namespace: key.0,
                    name: key.1,
                });
                continue;
            };
            let (replica, finish) = (Arc::clone(&self.replica), self.finish.clone());
            self.tasks.spawn(async move {
                let next = replica.look(webinar).await;
                // Nobody hears of a look of one that was killed.
                let _ = finish.send((key, next));
            });
        }
        // Those that are over are dropped from the set.
        while self.tasks.try_join_next().is_some() {}
    }

    /// Objects of a Webinar have changed.
    fn touch(&mut self, world: &World, who: Touched) {
        for key in concerned(world, who) {
            self.desk.touch(&key, world.now.0);
        }
    }
}

/// Whom news is for.
fn concerned(world: &World, who: Touched) -> Vec<Key> {
    match who {
        Touched::Webinar { namespace, name } => vec![(namespace, name)],
        Touched::All => world
            .server
            .all(Kind::Webinar)
            .map(|w| crate::world::key(w))
            .collect(),
    }
}

thread_local! {
    /// What panicked while a world was lived on this thread; absent while none is.
    static PANICKED: RefCell<Option<Option<String>>> = const { RefCell::new(None) };
}

/// As long as it lives, panics on this thread are kept for [`panicked`] and not printed.
pub(crate) struct KeptPanics;

impl KeptPanics {
    /// From now on.
    pub(crate) fn begin() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let usual = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let kept = PANICKED.with(|p| match p.borrow_mut().as_mut() {
                    Some(kept) => {
                        kept.get_or_insert_with(|| info.to_string());
                        true
                    }
                    None => false,
                });
                if !kept {
                    usual(info);
                }
            }));
        });
        PANICKED.set(Some(None));
        Self
    }
}

impl Drop for KeptPanics {
    fn drop(&mut self) {
        PANICKED.set(None);
    }
}

/// What panicked on this thread since last time.
pub(crate) fn panicked() -> Option<String> {
    PANICKED.with(|p| p.borrow_mut().as_mut()?.take())
}
