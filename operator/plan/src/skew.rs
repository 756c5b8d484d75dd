//! Two clocks that disagree: this machine's and the API server's.
//!
//! `now` is the API server's time. One of the two clocks is wrong when they differ, and nobody can say which: so nothing is
//! given back before both say that it is time, and people are told.

use jiff::{SignedDuration, Timestamp};

use crate::input::{Input, Memory, Subject};
use crate::output::{ConditionType, Notice, Plan};
use crate::reason::Reason;
use crate::time::after;

/// Clocks that differ by no more than this agree: answers tell the time in whole seconds, and take some time themselves.
pub const MOST_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// How soon to look again while something may be held back.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(30);

impl Input {
    /// The clocks differ by more than they may.
    pub(crate) fn clocks_differ(&self) -> bool {
        self.skew.abs() > MOST_SKEW
    }

    /// The earlier of the times that both clocks tell: what gives capacity back goes by it.
    pub(crate) fn surely(&self) -> Timestamp {
        if self.clocks_differ() {
            self.now.min(after(self.now, self.skew))
        } else {
            self.now
        }
    }
}

/// Tells of clocks that differ while a run is under way.
pub(crate) fn tell(input: &Input, plan: &mut Plan) {
    let run = plan.memory.as_ref().filter(|m: &&Memory| m.active());
    let Some(run) = run.filter(|_| input.clocks_differ()) else {
        return;
    };
    let subject = Subject {
        reason: Reason::ClockSkew,
        moment: run.accepted.start,
    };
    if !input.recent.was_told(subject) {
        plan.status.notices.push(Notice {
            subject,
            text: format!(
                "The clocks of the operator and the API server differ by more than {} seconds. Times are the API server's; nothing is given back before both clocks say that it is time. Set the clock of the operator's node, or of the API server, right.",
                MOST_SKEW.as_secs()
            ),
        });
    }
    let conditions = &mut plan.status.conditions;
    if let Some(ready) = conditions.iter_mut().find(|c| c.kind == ConditionType::Ready) {
        ready
            .message
            .push_str(" The clocks of the operator and the API server differ: nothing is given back before both say that it is time.");
    }
    if input.surely() < input.now {
        let soon = after(input.now, LOOK_AGAIN);
        plan.next_wake = Some(plan.next_wake.map_or(soon, |wake| wake.min(soon)));
    }
}
