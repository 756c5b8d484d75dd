//! The watches that are open, and what each does.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::request::Request;
use super::state::Shared;

/// What a watch does with events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Delivers them.
    Flowing,
    /// Keeps them back.
    Held,
    /// Reads and delivers nothing.
    Frozen,
    /// Ends in order.
    Closed,
    /// Says that its resource version is too old, and ends.
    Gone,
    /// Ends in the middle.
    Broken,
}

impl Mode {
    /// Whether the watch can do something else later.
    fn is_final(self) -> bool {
        matches!(self, Self::Closed | Self::Gone | Self::Broken)
    }
}

/// The open watches, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Watches {
    open: BTreeMap<u64, Open>,
    last: u64,
}

#[derive(Debug)]
struct Open {
    request: Request,
    mode: watch::Sender<Mode>,
    /// Another API server answers it.
    elsewhere: bool,
}

impl Watches {
    pub(super) fn open(&mut self, request: &Request, elsewhere: bool) -> (u64, watch::Receiver<Mode>) {
        let (mode, receiver) = watch::channel(Mode::Flowing);
        self.last += 1;
        let open = Open {
            request: request.clone(),
            mode,
            elsewhere,
        };
        self.open.insert(self.last, open);
        (self.last, receiver)
    }

    pub(super) fn close(&mut self, id: u64) {
        self.open.remove(&id);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// Those that faults can still happen to.
    pub(super) fn requests(&self) -> Vec<(u64, Request)> {
        let open = self.open.iter();
        open.filter(|(_, watch)| !watch.mode.borrow().is_final())
            .map(|(id, watch)| (*id, watch.request.clone()))
            .collect()
    }

    /// A watch that is about to end stays so.
    pub(super) fn turn(&self, id: u64, to: Mode) {
        if let Some(watch) = self.open.get(&id) {
            watch.mode.send_if_modified(|mode| {
                let turns = !mode.is_final() && *mode != to;
                if turns {
                    *mode = to;
                }
                turns
            });
        }
    }

    /// Ends what the last script did to them.
    pub(super) fn lift(&self) {
        for (id, watch) in &self.open {
            let now = *watch.mode.borrow();
            match now {
                _ if watch.elsewhere => self.turn(*id, Mode::Gone),
                Mode::Frozen => self.turn(*id, Mode::Broken),
                Mode::Held => self.turn(*id, Mode::Flowing),
                Mode::Flowing | Mode::Closed | Mode::Gone | Mode::Broken => {}
            }
        }
    }
}

/// A place among the open watches, left when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) id: u64,
    pub(super) mode: watch::Receiver<Mode>,
    pub(super) shared: Arc<Shared>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.shared.close_watch(self.id);
    }
}
