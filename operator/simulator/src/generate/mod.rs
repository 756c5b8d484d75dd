//! A scenario of a seed: events, people who change their mind, and what goes wrong.

mod event;
mod fault;
mod flood;

use fastrand::Rng;

use crate::scenario::{Cluster, Happening, Scenario, What};
use crate::time::{MINUTE, Moment, SECOND};

use event::Event;

pub use flood::flood;

/// Ticks from the beginning of the calm until the end.
const CALM: u64 = 20 * MINUTE;

/// Writes a second and writes at once, as the chart has them.
const LIMITS: [u32; 2] = [100, 64];

/// The scenario of a seed. The same seed gives the same scenario.
pub fn generate(seed: u64) -> Scenario {
    with(seed, Maker::fault)
}

/// One in which all that goes wrong is that leaders die in the middle of their work, and whoever takes over has not seen
/// what was done last.
pub(crate) fn takeovers(seed: u64) -> Scenario {
    with(seed, Maker::takeover)
}

/// What goes wrong is what `fault` makes of the events.
fn with(seed: u64, fault: fn(&mut Maker, &[Event])) -> Scenario {
    // Numbers that follow each other give unlike worlds.
    let mut maker = Maker {
        rng: Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d),
        happenings: Vec::new(),
        calm_from: Moment(0),
        shared: false,
    };
    maker.scenario(seed, fault)
}

struct Maker {
    rng: Rng,
    happenings: Vec<Happening>,
    calm_from: Moment,
    /// All events share the pods of one class.
    shared: bool,
}

impl Maker {
    fn scenario(&mut self, seed: u64, fault: fn(&mut Self, &[Event])) -> Scenario {
        let minutes = self.rng.u64(20..=60);
        self.calm_from = Moment(minutes * MINUTE);
        self.shared = self.chance(8);
        let names = ["blue/keynote", "red/party", "blue/talk"];
        let count = self.rng.usize(1..=names.len());
        let mut events: Vec<Event> = Vec::new();
        for name in &names[..count] {
            let event = self.event(name);
            self.audience(&event);
            self.presenters(&event);
            self.edits(&event);
            events.push(event);
        }
        // One world in six has no faults at all.
        if self.rng.u8(0..6) > 0 {
            let last = if self.rng.bool() { 6 } else { 14 };
            for _ in 0..self.rng.usize(1..=last) {
                fault(self, &events);
            }
        }
        self.happenings.retain(|h| h.at < self.calm_from);
        self.happenings.sort_by_key(|h| h.at);
        Scenario {
            seed,
            until: Moment(self.calm_from.0 + CALM + 1),
            calm_from: self.calm_from,
            cluster: self.cluster(),
            lease: self.one(&[[15, 10, 3], [15, 10, 2], [30, 20, 5]]),
            limits: LIMITS,
            happenings: std::mem::take(&mut self.happenings),
        }
    }

    fn cluster(&mut self) -> Cluster {
        let narrow = self.chance(15);
        let room = if narrow {
            self.rng.usize(2..=8)
        } else {
            self.rng.usize(6..=60)
        };
        let most = if narrow { room + self.rng.usize(0..=6) } else { 90 };
        let pull = self.rng.u64(2..=30);
        Cluster {
            zones: 3,
            room,
            most,
            node_after: self.rng.u64(10..=60),
            pull: [pull, pull + self.rng.u64(0..=30)],
            startup: [1, self.rng.u64(1..=12)],
        }
    }

    fn at(&mut self, at: Moment, what: What) {
        self.happenings.push(Happening { at, what });
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(0..of.len())].clone()
    }

    /// Within so many minutes after `from`.
    fn within(&mut self, from: Moment, minutes: u64) -> Moment {
        Moment(from.0 + self.rng.u64(SECOND..=minutes * MINUTE))
    }
}
