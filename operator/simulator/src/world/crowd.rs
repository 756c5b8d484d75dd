//! People who watch: they come, go, and come back when a pod's end has cut them off.

use super::{Key, World};

impl World {
    /// The audience of an event is on its way to another size.
    pub(super) fn audience(&mut self, show: &Key, people: u32, over: u64) {
        let now = self.now.0;
        let wanted = self.wanted(show);
        let show = self.shows.entry(show.clone()).or_default();
        show.from = (now, wanted);
        show.to = (now + over * crate::time::SECOND, people);
    }

    /// So many want to watch now.
    pub(crate) fn wanted(&self, show: &Key) -> u32 {
        let Some(show) = self.shows.get(show) else {
            return 0;
        };
        let ((since, before), (until, after)) = (show.from, show.to);
        if self.now.0 >= until || until <= since {
            return after;
        }
        let passed = (self.now.0 - since) as f64 / (until - since) as f64;
        (f64::from(before) + (f64::from(after) - f64::from(before)) * passed) as u32
    }

    /// So many watch now.
    pub(crate) fn watching(&self, show: &Key) -> u32 {
        self.bodies.of(show).map(|b| b.viewers).sum()
    }

    /// Once a second.
    pub(super) fn watch_shows(&mut self) {
        let shows: Vec<Key> = self.shows.keys().cloned().collect();
        for show in shows {
            let (wanted, watching) = (self.wanted(&show), self.watching(&show));
            if wanted > watching {
                self.join(&show, wanted - watching);
            } else if watching > wanted {
                self.leave(&show, watching - wanted);
            }
        }
    }

    /// Spread over those that take viewers, as evenly as chance.
    fn join(&mut self, show: &Key, mut people: u32) {
        let mut open = self.open(show);
        while people > 0 && !open.is_empty() {
            let index = self.rng.usize(0..open.len());
            let share = people.div_ceil(u32::try_from(open.len()).unwrap_or(1));
            let Some(body) = self.bodies.all.get_mut(&open[index]) else {
                return;
            };
            let room = body.most.saturating_sub(body.viewers).min(share);
            body.viewers += room;
            people -= room;
            open.swap_remove(index);
        }
    }

    /// From everywhere alike.
    fn leave(&mut self, show: &Key, people: u32) {
        let watching = u64::from(self.watching(show).max(1));
        let there: Vec<Key> = self
            .bodies
            .of(show)
            .filter(|b| b.viewers > 0)
            .map(|b| b.key.clone())
            .collect();
        let mut left = people;
        for key in there {
            let Some(body) = self.bodies.all.get_mut(&key) else {
                continue;
            };
            let share = (u64::from(people) * u64::from(body.viewers)).div_ceil(watching);
            let gone = u32::try_from(share)
                .unwrap_or(u32::MAX)
                .min(left)
                .min(body.viewers);
            body.viewers -= gone;
            left -= gone;
        }
    }

    /// A pod's end cuts off who watches through it.
    pub(super) fn cut_off_viewers(&mut self, key: &Key) {
        if let Some(body) = self.bodies.all.get_mut(key) {
            body.viewers = 0;
        }
    }
}
