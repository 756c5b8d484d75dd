//! I6 and who leads: what the replicas themselves show.

use super::Invariant;
use crate::world::World;

/// How long a Webinar that is to be looked at may wait for its turn while its replica leads and nothing is wrong, seconds.
const LONGEST_WAIT: u64 = 30;

/// So many seconds of nothing wrong, before waits count: what has piled up is worked off first.
const CALM: u64 = 60;

impl World {
    /// A Webinar has waited so many seconds for its turn with the replica that leads.
    pub(crate) fn waits(&mut self, webinar: &crate::world::Key, seconds: u64) {
        if seconds <= LONGEST_WAIT || self.undisturbed(webinar) < CALM {
            return;
        }
        let text = format!("{}/{} has waited {seconds} s for a look", webinar.0, webinar.1);
        self.checks.broken(Invariant::Fair, self.now, text);
    }

    /// So many replicas lead at this moment.
    pub(crate) fn leaders(&mut self, leading: usize) {
        if leading > 1 {
            let text = format!("{leading} replicas lead");
            self.checks.broken(Invariant::OneLeader, self.now, text);
        }
    }
}
