//! What all connections share: the script, the log, the open watches, and whether traffic passes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::log::{Injected, Log};
use super::request::{Request, Verb};
use super::script::Script;
use super::watches::{Mode, Ticket, Watches};
use crate::wait::wall_clock;

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// While true, requests wait before anything is decided about them.
    paused: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    script: Script,
    log: Log,
    watches: Watches,
    cut: bool,
    /// Every connection has a child of it, which ends the connection.
    connections: CancellationToken,
}

/// What was decided about a request.
pub(super) struct Admitted {
    pub(super) fault: Option<Fault>,
    /// Of a write.
    pub(super) position: Option<u64>,
    /// Fires when the fault is over.
    pub(super) lifted: CancellationToken,
    /// Of a watch.
    pub(super) ticket: Option<Ticket>,
    /// Held by the request that all others wait for.
    _pause: Option<Pause>,
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            paused: watch::Sender::new(false),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of a new connection; `None` while no traffic passes.
    pub(super) fn connect(&self) -> Option<CancellationToken> {
        let state = self.state();
        (!state.cut).then(|| state.connections.child_token())
    }

    pub(super) fn cut(&self) {
        let mut state = self.state();
        state.cut = true;
        state.disconnect();
    }

    pub(super) fn heal(&self) {
        self.state().cut = false;
    }

    /// Replaces the script. What the last one did is over; watches that are open meet the new one.
    pub(super) fn play(&self, script: Script) {
        let mut guard = self.state();
        let state = &mut *guard;
        let last = std::mem::replace(&mut state.script, script);
        last.lifted.cancel();
        state.watches.lift();
        for (id, request) in state.watches.requests() {
            if let Some((rule, fault)) = state.script.fault_for_open(&request) {
                state.inject(rule, &fault, &request, None);
                state.watches.turn(id, fault.mode().unwrap_or(Mode::Flowing));
            }
        }
    }

    /// Decides about a request, once nothing is in its way. Never comes back when all traffic is cut.
    pub(super) async fn admit(self: &Arc<Self>, request: &Request) -> Admitted {
        let mut paused = self.paused.subscribe();
        loop {
            // Only fails without a sender, which is in this very object.
            _ = paused.wait_for(|paused| !paused).await;
            if let Some(admitted) = self.decide(request) {
                return admitted;
            }
            if self.state().cut {
                std::future::pending::<()>().await;
            }
        }
    }

    fn decide(self: &Arc<Self>, request: &Request) -> Option<Admitted> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.cut || *self.paused.borrow() {
            return None;
        }
        let position = request.is_write().then(|| state.log.write(wall_clock(), request));
        let chosen = state.script.fault_for(request);
        if let Some((rule, fault)) = &chosen {
            state.inject(*rule, fault, request, position);
        }
        let fault = chosen.map(|(_, fault)| fault);
        let ticket = (request.verb == Verb::Watch).then(|| {
            let elsewhere = fault.as_ref().is_some_and(Fault::leads_elsewhere);
            let (id, mode) = state.watches.open(request, elsewhere);
            if let Some(mode) = fault.as_ref().and_then(Fault::mode) {
                state.watches.turn(id, mode);
            }
            Ticket {
                id,
                mode,
                shared: Arc::clone(self),
            }
        });
        let pause = fault.as_ref().is_some_and(Fault::pauses).then(|| {
            self.paused.send_replace(true);
            Pause(Arc::clone(self))
        });
        Some(Admitted {
            fault,
            position,
            lifted: state.script.lifted.clone(),
            ticket,
            _pause: pause,
        })
    }

    pub(super) fn answered(&self, position: Option<u64>, status: u16) {
        if let Some(position) = position {
            self.state().log.answered(position, status);
        }
    }

    pub(super) fn close_watch(&self, id: u64) {
        self.state().watches.close(id);
    }

    pub(super) fn open_watches(&self) -> usize {
        self.state().watches.count()
    }

    /// Notes something that is nobody's script.
    pub(super) fn problem(&self, problem: String) {
        tracing::warn!("fault proxy: {problem}");
        self.state().log.problems.push(problem);
    }

    /// Reads the log.
    pub(super) fn log<T>(&self, read: impl FnOnce(&Log) -> T) -> T {
        read(&self.state().log)
    }
}

impl State {
    fn inject(&mut self, rule: usize, fault: &Fault, request: &Request, position: Option<u64>) {
        self.log.injected.push(Injected {
            time: wall_clock(),
            rule,
            fault: fault.to_string(),
            request: request.clone(),
            position,
        });
    }

    fn disconnect(&mut self) {
        std::mem::take(&mut self.connections).cancel();
    }
}

/// While it lives, no request is decided about. Its end cuts all connections, as the process at their other end is gone.
struct Pause(Arc<Shared>);

impl Drop for Pause {
    fn drop(&mut self) {
        self.0.state().disconnect();
        self.0.paused.send_replace(false);
    }
}
