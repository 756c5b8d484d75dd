//! A queue that many share fairly: whose turn is next.
//!
//! Every other turn goes to the event that starts next, the turns between to whoever has waited longest since their
//! last turn. So the nearest start has at least half of all turns, and nobody starves.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// Who wants a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimant {
    /// With whom turns are shared: the UID of a Webinar, or a namespace.
    pub(crate) party: String,
    /// When its event starts.
    pub(crate) start: Timestamp,
}

/// Whose claim is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Parties take turns, and within one it is who came first or whose event starts next.
    Turns,
    /// Whoever came first, as a Controller does it by itself. Only to see what turns are for.
    Arrival,
}

/// Claims by party.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    order: Order,
    waiting: BTreeMap<String, Waiting<T>>,
    turns: u64,
    arrivals: u64,
}

/// One party's claims.
#[derive(Debug)]
struct Waiting<T> {
    last_turn: u64,
    /// In the order of their arrival, with their starts.
    claims: BTreeMap<u64, (Timestamp, T)>,
    by_start: BTreeSet<(Timestamp, u64)>,
}

impl<T> Waiting<T> {
    fn nearest(&self) -> Option<(Timestamp, u64)> {
        self.by_start.first().copied()
    }

    fn take(&mut self, nearest: bool) -> Option<T> {
        let arrival = if nearest {
            self.nearest().map(|(_, arrival)| arrival)
        } else {
            self.claims.keys().next().copied()
        }?;
        let (start, item) = self.claims.remove(&arrival)?;
        self.by_start.remove(&(start, arrival));
        Some(item)
    }
}

impl<T> Queue<T> {
    /// Nobody waits.
    pub(crate) fn new(order: Order) -> Self {
        Self {
            order,
            waiting: BTreeMap::new(),
            turns: 0,
            arrivals: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn push(&mut self, by: Claimant, item: T) {
        let by = match self.order {
            Order::Turns => by,
            Order::Arrival => Claimant {
                party: String::new(),
                start: Timestamp::MIN,
            },
        };
        let waiting = self.waiting.entry(by.party).or_insert_with(|| Waiting {
            last_turn: self.turns,
            claims: BTreeMap::new(),
            by_start: BTreeSet::new(),
        });
        self.arrivals += 1;
        waiting.by_start.insert((by.start, self.arrivals));
        waiting.claims.insert(self.arrivals, (by.start, item));
    }

    /// Whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.turns += 1;
        let nearest = self.turns % 2 == 1;
        // Of equals the first one by name.
        let (party, waiting) = self.waiting.iter_mut().min_by_key(|(_, w)| {
            let start = w.nearest().filter(|_| nearest).map(|(start, _)| start);
            (start, w.last_turn)
        })?;
        waiting.last_turn = self.turns;
        let item = waiting.take(nearest);
        if waiting.claims.is_empty() {
            let party = party.clone();
            self.waiting.remove(&party);
        }
        item
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Somebody whose event starts at that second.
    pub(crate) fn claimant(party: &str, start: i64) -> Claimant {
        Claimant {
            party: party.to_owned(),
            start: Timestamp::from_second(start).unwrap(),
        }
    }

    #[test]
    fn a_crowd_of_one_party_holds_up_nobody_else() {
        let mut queue = Queue::new(Order::Turns);
        for n in 0..10_000 {
            queue.push(claimant("crowd", 10_000 - n), n);
        }
        assert_eq!(queue.pop(), Some(9_999), "who starts next");
        assert_eq!(queue.pop(), Some(0), "who came first");
        queue.push(claimant("neighbour", 20_000), -1);
        let next = [queue.pop(), queue.pop(), queue.pop(), queue.pop()];
        assert!(next.contains(&Some(-1)), "{next:?}");
        let mut left = 0;
        while queue.pop().is_some() {
            left += 1;
        }
        assert_eq!(left, 10_001 - 6);
        assert!(queue.is_empty());
    }
}
