//! I6 and who leads: what the replicas themselves show.

use super::Invariant;
use crate::server::Kind;
use crate::time::SECOND;
use crate::world::{World, key};

/// How long a Webinar that is to be looked at may wait for its turn while its replica leads and nothing is wrong, seconds.
const LONGEST_WAIT: u64 = 30;

/// So many seconds of nothing wrong, before waits count: what has piled up is worked off first.
const CALM: u64 = 60;

/// More Webinars than that in a namespace are a crowd.
const CROWD: usize = 3;

impl World {
    /// A Webinar has waited so many seconds for its turn with the replica that leads.
    pub(crate) fn waits(&mut self, webinar: &crate::world::Key, seconds: u64) {
        let calm = self.now.0.saturating_sub(self.checks.trouble.0) / SECOND;
        if seconds <= LONGEST_WAIT || calm < CALM || self.crowded(&webinar.0) {
            return;
        }
        let text = format!("{}/{} has waited {seconds} s for a look", webinar.0, webinar.1);
        self.checks.broken(Invariant::Fair, self.now, text);
    }

    /// Who waits there may wait for others of its own.
    fn crowded(&self, namespace: &str) -> bool {
        let webinars = self.server.all(Kind::Webinar);
        webinars.filter(|w| key(w).0 == namespace).count() > CROWD
    }

    /// So many replicas lead at this moment.
    pub(crate) fn leaders(&mut self, leading: usize) {
        if leading > 1 {
            let text = format!("{leading} replicas lead");
            self.checks.broken(Invariant::OneLeader, self.now, text);
        }
    }
}
