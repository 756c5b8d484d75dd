//! When who is asked: each at its own pace, spread over the interval, and never too many at once.
//!
//! The stage, which tells whether media flows, has a lane that the crowd of relays can't fill; and who does not answer,
//! which holds a place until its deadline, leaves room for who does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// Pods asked at once, over all Webinars (media.md).
const PODS: usize = 64;

/// Of these, relays.
const RELAYS: usize = 48;

/// Of those, relays that did not answer last time.
const SILENT_RELAYS: usize = 24;

/// Pods of the stage that did not answer last time.
const SILENT_STAGE: usize = 8;

/// Prometheus servers asked at once: their answers are large.
const SERVERS: usize = 4;

/// Who is asked how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// SFUs and mids.
    Stage,
    /// Relays.
    Relays,
    /// A Prometheus server, this often.
    Server(Duration),
}

impl Lane {
    /// Time between two questions (media.md).
    pub(super) fn interval(self) -> Duration {
        match self {
            Self::Stage => Duration::from_secs(2),
            Self::Relays => Duration::from_secs(5),
            Self::Server(every) => every,
        }
    }

    /// How long the whole answer may take.
    pub(super) const fn deadline(self) -> Duration {
        match self {
            Self::Stage => Duration::from_secs(1),
            Self::Relays => Duration::from_secs(2),
            Self::Server(_) => Duration::from_secs(5),
        }
    }

    /// Longest time between two questions to one that does not answer. The silence of an SFU is judged after 20 s.
    fn patience(self) -> Duration {
        match self {
            Self::Stage => Duration::from_secs(4),
            Self::Relays => Duration::from_secs(30),
            Self::Server(every) => every.max(Duration::from_secs(30)),
        }
    }

    /// Time to the next question after so many failures in a row.
    fn pause(self, failures: u32) -> Duration {
        let doubled = self.interval().saturating_mul(1 << failures.min(8));
        doubled.min(self.patience())
    }
}

/// Names one that is asked. Never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(u64);

/// A place among those that are asked at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Stage,
    SilentStage,
    Relay,
    SilentRelay,
    Server,
}

impl Place {
    /// First comes first.
    const ALL: [Self; 5] = [
        Self::Stage,
        Self::SilentStage,
        Self::Relay,
        Self::SilentRelay,
        Self::Server,
    ];

    const fn of(lane: Lane, failures: u32) -> Self {
        match (lane, failures) {
            (Lane::Stage, 0) => Self::Stage,
            (Lane::Stage, _) => Self::SilentStage,
            (Lane::Relays, 0) => Self::Relay,
            (Lane::Relays, _) => Self::SilentRelay,
            (Lane::Server(_), _) => Self::Server,
        }
    }
}

#[derive(Debug)]
struct Asked<T> {
    what: T,
    lane: Lane,
    due: Instant,
    failures: u32,
}

/// Everybody that is asked.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    asked: BTreeMap<Id, Asked<T>>,
    /// Who waits for its turn, by place. Who is being asked waits in none.
    waiting: [BTreeSet<(Instant, Id)>; 5],
    busy: [usize; 5],
    added: u64,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self {
            asked: BTreeMap::new(),
            waiting: Default::default(),
            busy: [0; 5],
            added: 0,
        }
    }
}

impl<T: Clone> Lanes<T> {
    /// Asks `what` from now on, first at some moment of the first interval.
    pub(super) fn add(&mut self, what: T, lane: Lane, now: Instant) -> Id {
        // Multiples of the golden ratio spread evenly, however many there are.
        const GOLDEN: f64 = 0.618_033_988_749_895;
        let id = Id(self.added);
        self.added += 1;
        let due = now + lane.interval().mul_f64((id.0 as f64 * GOLDEN).fract());
        let asked = Asked {
            what,
            lane,
            due,
            failures: 0,
        };
        self.waiting[Place::of(lane, 0) as usize].insert((due, id));
        self.asked.insert(id, asked);
        id
    }

    /// Asks it for something else from its next turn on.
    pub(super) fn change(&mut self, id: Id, what: T) {
        if let Some(asked) = self.asked.get_mut(&id) {
            asked.what = what;
        }
    }

    /// Asks it no longer.
    pub(super) fn remove(&mut self, id: Id) {
        if let Some(asked) = self.asked.remove(&id) {
            let place = Place::of(asked.lane, asked.failures);
            self.waiting[place as usize].remove(&(asked.due, id));
        }
    }

    /// Who is to be asked now, if there is room. Its place is taken until [`Self::leave`].
    pub(super) fn next(&mut self, now: Instant) -> Option<(Id, Place, Lane, T)> {
        let place = Place::ALL.into_iter().find(|place| {
            let first = self.waiting[*place as usize].first();
            first.is_some_and(|(due, _)| *due <= now) && self.has_room(*place)
        })?;
        let (_, id) = self.waiting[place as usize].pop_first()?;
        let asked = self.asked.get(&id)?;
        self.busy[place as usize] += 1;
        Some((id, place, asked.lane, asked.what.clone()))
    }

    /// When somebody is to be asked next, of those for whom there is room.
    pub(super) fn wake(&self) -> Option<Instant> {
        let open = Place::ALL.into_iter().filter(|place| self.has_room(*place));
        open.filter_map(|place| self.waiting[place as usize].first())
            .map(|(due, _)| *due)
            .min()
    }

    /// A place is free again.
    pub(super) fn leave(&mut self, place: Place) {
        let busy = &mut self.busy[place as usize];
        *busy = busy.saturating_sub(1);
    }

    /// It has answered, or has not, and waits for its next turn.
    pub(super) fn answered(&mut self, id: Id, well: bool, now: Instant) {
        let Some(asked) = self.asked.get_mut(&id) else {
            return;
        };
        asked.failures = if well { 0 } else { asked.failures.saturating_add(1) };
        // Counted from when it was due, so that those who were spread stay so. Turns that were missed are left out.
        let pause = asked.lane.pause(asked.failures);
        let missed = now.saturating_duration_since(asked.due).as_millis() / pause.as_millis().max(1);
        asked.due += pause.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1));
        let place = Place::of(asked.lane, asked.failures);
        self.waiting[place as usize].insert((asked.due, id));
    }

    fn has_room(&self, place: Place) -> bool {
        let [stage, silent_stage, relays, silent_relays, servers] = self.busy;
        let all_relays = relays + silent_relays;
        let pods = stage + silent_stage + all_relays < PODS;
        match place {
            Place::Stage => pods,
            Place::SilentStage => pods && silent_stage < SILENT_STAGE,
            Place::Relay => pods && all_relays < RELAYS,
            Place::SilentRelay => pods && all_relays < RELAYS && silent_relays < SILENT_RELAYS,
            Place::Server => servers < SERVERS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets `seconds` pass in steps of 10 ms. `takes` says how long an answer takes, or that none comes until the
    /// deadline. Returns who was asked and when, in milliseconds, and how many at most at once.
    fn run(
        lanes: &mut Lanes<u32>,
        seconds: u64,
        takes: impl Fn(u32, u64) -> Option<u64>,
    ) -> (Vec<(u32, u64)>, usize) {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut under_way: Vec<(u64, Id, Place, bool)> = Vec::new();
        let (mut asked, mut most) = (Vec::new(), 0);
        for ms in (0..seconds * 1_000).step_by(10) {
            under_way.retain(|(end, id, place, well)| {
                if *end <= ms {
                    lanes.leave(*place);
                    lanes.answered(*id, *well, at(ms));
                }
                *end > ms
            });
            while let Some((id, place, lane, who)) = lanes.next(at(ms)) {
                asked.push((who, ms));
                let deadline = lane.deadline().as_millis() as u64;
                let end = ms + takes(who, ms).unwrap_or(deadline);
                under_way.push((end, id, place, takes(who, ms).is_some()));
            }
            most = most.max(under_way.len());
        }
        (asked, most)
    }

    /// So many pods of the stage, numbered from 0, and relays, numbered from 100.
    fn fleet(stage: u32, relays: u32) -> Lanes<u32> {
        let mut lanes = Lanes::default();
        let now = Instant::now();
        for n in 0..stage {
            lanes.add(n, Lane::Stage, now);
        }
        for n in 0..relays {
            lanes.add(100 + n, Lane::Relays, now);
        }
        lanes
    }

    fn of(asked: &[(u32, u64)], who: u32) -> Vec<u64> {
        asked
            .iter()
            .filter(|(w, _)| *w == who)
            .map(|(_, ms)| *ms)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_lane_at_its_own_pace_and_never_all_at_once() {
        let mut lanes = fleet(30, 1_212);
        let (asked, most) = run(&mut lanes, 30, |_, _| Some(20));
        for (who, every) in [(0, 2_000), (29, 2_000), (100, 5_000), (1_311, 5_000)] {
            let times = of(&asked, who);
            assert!(times[0] <= every, "{who}: {times:?}");
            assert!(
                times.windows(2).all(|w| w[1].abs_diff(w[0] + every) <= 10),
                "{who}: {times:?}"
            );
        }
        assert!(most < 20, "{most} at once");
        let mut tenths = [0; 300];
        for (_, ms) in &asked {
            tenths[(ms / 100) as usize] += 1;
        }
        // 242 relays and 15 of the stage each second.
        let (least, most) = (tenths.iter().min().unwrap(), tenths.iter().max().unwrap());
        assert!(
            *least >= 20 && *most <= 32,
            "{least} to {most} in a tenth of a second"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_is_asked_less_and_less() {
        let mut lanes = fleet(1, 1);
        let again = 200_000;
        let (asked, _) = run(&mut lanes, 260, |_, ms| (ms >= again).then_some(10));
        let silent: Vec<_> = asked.iter().copied().filter(|(_, ms)| *ms < again).collect();
        let gaps = |who| -> Vec<u64> { of(&silent, who).windows(2).map(|w| w[1] - w[0]).collect() };
        assert!(gaps(0).iter().all(|gap| *gap == 4_000), "{:?}", gaps(0));
        let relay = gaps(100);
        assert_eq!(relay[..2], [10_000, 20_000]);
        assert!(relay[2..].iter().all(|gap| *gap == 30_000), "{relay:?}");
        let times: Vec<_> = of(&asked, 100).into_iter().filter(|ms| *ms >= again).collect();
        assert!(
            times[1] - times[0] == 5_000,
            "back at its pace at once: {times:?}"
        );
        assert!(times.len() >= 6, "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn silent_relays_hold_up_neither_the_stage_nor_other_relays() {
        let mut lanes = fleet(30, 1_200);
        let silent = |who: u32| (100..1_000).contains(&who);
        let (asked, most) = run(&mut lanes, 100, |who, _| (!silent(who)).then_some(20));
        assert!(most <= PODS, "{most} at once");
        for who in [0, 29, 1_000, 1_299] {
            let times = of(&asked, who);
            let every = if who < 100 { 2_000 } else { 5_000 };
            // The first round through 900 deadlines takes 40 s, for other relays and not for the stage.
            let begun = if who < 100 { 0 } else { 45_000 };
            let times: Vec<_> = times.into_iter().filter(|ms| *ms > begun).collect();
            assert!(
                times.windows(2).all(|w| w[1] - w[0] <= every + 100),
                "{who}: {times:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_removed_is_asked_no_more_and_its_place_is_free_again() {
        let mut lanes = fleet(0, 0);
        let now = Instant::now();
        let every = Duration::from_secs(5);
        let ids: Vec<_> = (0..6).map(|n| lanes.add(n, Lane::Server(every), now)).collect();
        let later = now + every;
        let mut places = Vec::new();
        while let Some((_, place, _, _)) = lanes.next(later) {
            places.push(place);
        }
        assert_eq!(places, [Place::Server; SERVERS]);
        assert_eq!(lanes.wake(), None, "there is no room");
        for id in ids {
            lanes.remove(id);
            lanes.answered(id, true, later);
        }
        for place in places {
            lanes.leave(place);
        }
        assert!(lanes.next(later + every).is_none());
        assert_eq!(lanes.busy, [0; 5]);
    }
}
